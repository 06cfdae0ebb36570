//! Configuration files: whatever is accepted reads back from its export to no change.
#![no_main]

use configuration::{Problem, diff, export, parse};
use domain::{Desired, Secret, SecretRef};
use fuzz::{plant, within_limits, yaml};
use libfuzzer_sys::{Corpus, fuzz_target};
use secrecy::{ExposeSecret, SecretString};

/// Knows every variable and file, and has stored every secret. A value's fingerprint is its bytes in hex.
fn resolve(reference: &SecretRef) -> Result<Secret, String> {
    let value = match reference {
        SecretRef::Env(text) | SecretRef::File(text) => text.clone(),
        SecretRef::Value(value) => value.expose_secret().to_owned(),
        SecretRef::Kept(fingerprint) => return Ok(Secret { fingerprint: fingerprint.clone(), value: None }),
    };
    let fingerprint = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    Ok(Secret { fingerprint, value: Some(SecretString::from(value)) })
}

fn read(text: &str) -> Result<Desired, Vec<Problem>> {
    parse(text, &resolve)
}

fuzz_target!(
    init: plant(yaml()),
    |data: &[u8]| -> Corpus {
        let Ok(text) = str::from_utf8(data) else { return Corpus::Reject };
        let desired = within_limits(|| read(text));
        if let Ok(desired) = desired {
            let exported = within_limits(|| export(&desired));
            let again = read(&exported).unwrap_or_else(|problems| panic!("{problems:?}\n{exported}"));
            assert!(diff(&desired, &again).is_empty(), "{}\n{exported}", diff(&desired, &again));
        }
        Corpus::Keep
    }
);
