//! Standard Webhooks, and Svix with its own header names.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::sync::LazyLock;

use domain::Signal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError,
    mapping::{Mapping, MappingSettings},
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "standard_webhooks",
    name: "Standard Webhooks",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "+json"],
    check_settings: |settings| prepare(settings).map(|_| ()),
    check_secret,
    verify,
    delivery_id: |inbound, _| inbound.header(&format!("{}-id", prefix(inbound))).map(str::to_owned),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// Marks a public key; every other secret is a shared one.
const PUBLIC_KEY_PREFIX: &str = "whpk_";

/// One way of signing, under one of the two families of header names.
struct Way {
    prefix: &'static str,
    public_key: bool,
    scheme: Scheme,
}

static WAYS: LazyLock<Vec<Way>> = LazyLock::new(|| {
    let mut ways = Vec::new();
    for prefix in ["webhook", "svix"] {
        for (public_key, version, algorithm) in [(false, "v1", "sha256"), (true, "v1a", "ed25519")] {
            let scheme = json!({
                "header": format!("{prefix}-signature"), "list_separator": " ", "pair_separator": ",", "versions": [version],
                "algorithm": algorithm, "encoding": "base64", "key": "whsec", "signed_text": "{id}.{ts}.{body}",
                "id_header": format!("{prefix}-id"), "timestamp_header": format!("{prefix}-timestamp"),
            });
            let scheme = Scheme::read("signature", &scheme).expect("the scheme above is written here and tested");
            ways.push(Way { prefix, public_key, scheme });
        }
    }
    ways
});

/// The scheme of a shared secret under the specification's own header names, for providers that follow it.
pub(crate) fn shared_secret() -> &'static Scheme {
    &WAYS[0].scheme
}

/// Svix may send either family. Never both mixed: the signature must be of the same family as the id and the timestamp.
fn prefix(inbound: &Inbound<'_>) -> &'static str {
    if inbound.header("webhook-signature").is_none() && inbound.header("svix-signature").is_some() { "svix" } else { "webhook" }
}

fn is_public_key(secret: &SecretString) -> bool {
    secret.expose_secret().starts_with(PUBLIC_KEY_PREFIX)
}

fn check_secret(secret: &SecretString, _: &Settings) -> Result<(), SettingsError> {
    let way = WAYS.iter().find(|way| way.public_key == is_public_key(secret));
    way.map_or(Ok(()), |way| signature::check_secret(&way.scheme, secret))
}

/// Any secret may match, each in its own way: a public key is never taken as a shared one.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    let prefix = prefix(inbound);
    let mut failure = VerifyError::NoSecret;
    for way in WAYS.iter().filter(|way| way.prefix == prefix) {
        let secrets: Vec<SecretString> =
            credentials.secrets.iter().filter(|secret| is_public_key(secret) == way.public_key).cloned().collect();
        match signature::verify(&way.scheme, inbound, &secrets) {
            Ok(()) => return Ok(()),
            Err(VerifyError::NoSecret) => {}
            // A wrong or stale signature says more than a missing version.
            Err(error) if matches!(failure, VerifyError::NoSecret | VerifyError::Malformed(_)) => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

fn prepare(settings: &Value) -> Result<Mapping, SettingsError> {
    let settings = MappingSettings::read(settings)?;
    let foreign = [("signature", settings.signature.is_some()), ("delivery_id", settings.delivery_id.is_some())];
    if let Some((name, _)) = foreign.into_iter().find(|(_, given)| *given) {
        return Err(SettingsError::new(name, "is given by Standard Webhooks and cannot be set"));
    }
    Mapping::compile(settings)
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    if document.get("type").and_then(Value::as_str).is_some_and(is_test) {
        return Ok(Vec::new());
    }
    settings.prepared(prepare)?.signals(&document, inbound)
}

/// A test from the sender's console says nothing about health.
fn is_test(event: &str) -> bool {
    matches!(event.rsplit('.').next(), Some("ping" | "test"))
}
