//! What a file may say, what it may not, and that what is written reads back.

mod accepted;
mod plans;
mod refused;
mod round_trip;

use domain::{Desired, Secret, SecretRef};
use secrecy::{ExposeSecret, SecretString};

use crate::{Problem, parse};

/// The smallest file there is; tests put their own lines behind it.
const PAGE: &str = "page: { name: Acme }\n";

/// Knows two variables, and every stored secret but one. The fingerprint is the value turned round.
fn resolve(reference: &SecretRef) -> Result<Secret, String> {
    let value = match reference {
        SecretRef::Env(name) if name == "TOKEN" => "token-from-the-environment".to_owned(),
        SecretRef::Env(name) if name == "OUT_SECRET" => "whsec_bWFkZSBmb3IgdGVzdHMsIDI0IGJ5dGVz".to_owned(),
        SecretRef::Env(name) => return Err(format!("the environment variable `{name}` is not set")),
        SecretRef::File(path) => return Err(format!("cannot read {path}")),
        SecretRef::Value(value) => value.expose_secret().to_owned(),
        SecretRef::Kept(fingerprint) if fingerprint == "0000" => return Err("no stored secret has this fingerprint".to_owned()),
        SecretRef::Kept(fingerprint) => return Ok(Secret { fingerprint: fingerprint.clone(), value: None }),
    };
    Ok(Secret { fingerprint: value.chars().rev().collect(), value: Some(SecretString::from(value)) })
}

fn read(text: &str) -> Result<Desired, Vec<Problem>> {
    parse(text, &resolve)
}

/// Everything that is wrong with `text`, one problem a line.
fn problems(text: &str) -> String {
    match read(text) {
        Ok(_) => String::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"),
    }
}
