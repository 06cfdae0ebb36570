//! What may stand in the log: no secret, nobody's address, nothing endless.

use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::SecretBox;

/// The longest `before` or `after`, in bytes.
const MAX_BYTES: usize = 16 << 10;
/// Stands for what is not shown.
const HIDDEN: &str = "(not shown)";

/// Fields, and ends of names of fields, whose values are secrets.
const SECRET: [&str; 12] = [
    "secret",
    "secrets",
    "password",
    "passphrase",
    "token",
    "tokens",
    "authorization",
    "cookie",
    "seed",
    "credential",
    "credentials",
    "private_key",
];
/// More ends of names, which alone mean something harmless.
const SECRET_ENDS: [&str; 2] = ["_key", "_code"];
/// What may be known of a secret.
const KNOWN_OF_SECRETS: [&str; 6] = ["id", "hint", "created_at", "expires_at", "fingerprint", "scopes"];
/// Fields that say who somebody is: a pseudonym takes their place.
const PERSONAL: [&str; 9] = ["address", "email", "mail", "by", "invited_by", "author", "actor", "phone", "recipient"];

/// What is different between two states of a thing, fit for the log.
pub(super) fn difference(secrets: &SecretBox, before: &Value, after: &Value) -> (Option<String>, Option<String>) {
    let (before, after) = match (before, after) {
        (Value::Object(old), Value::Object(new)) => (Value::Object(unlike(old, new)), Value::Object(unlike(new, old))),
        (old, new) => (old.clone(), new.clone()),
    };
    (fit(scrub(secrets, "", before)), fit(scrub(secrets, "", after)))
}

fn unlike(these: &Map<String, Value>, those: &Map<String, Value>) -> Map<String, Value> {
    these.iter().filter(|(name, value)| those.get(*name) != Some(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn fit(value: Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let text = value.to_string();
    // PostgreSQL's text holds no NUL; JSON writes it as an escape, so there is none here.
    Some(if text.len() > MAX_BYTES { serde_json::json!({ "too_long_bytes": text.len() }).to_string() } else { text })
}

/// What an act is done to, with a pseudonym where an address names it: `invitation:ada@example.com`.
pub(super) fn resource(secrets: &SecretBox, resource: &str) -> String {
    match resource.split_once(':') {
        Some((kind, name)) if name.contains('@') => format!("{kind}:{}", pseudonym(secrets, name.to_owned())),
        _ => resource.to_owned(),
    }
}

fn scrub(secrets: &SecretBox, name: &str, value: Value) -> Value {
    let name = name.to_ascii_lowercase().replace('-', "_");
    match value {
        Value::Object(fields) => {
            let secret = is_secret(&name);
            let keep = |field: &str| !secret || KNOWN_OF_SECRETS.contains(&field);
            let of = |(field, value): (String, Value)| {
                let value = if keep(&field) { scrub(secrets, &field, value) } else { HIDDEN.into() };
                (field, value)
            };
            Value::Object(fields.into_iter().map(of).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| scrub(secrets, &name, item)).collect()),
        Value::Null | Value::Bool(_) => value,
        _ if is_secret(&name) => HIDDEN.into(),
        Value::String(text) if PERSONAL.contains(&name.as_str()) => pseudonym(secrets, text).into(),
        Value::String(text) => without_credentials(text).into(),
        Value::Number(_) => value,
    }
}

fn is_secret(name: &str) -> bool {
    let ends = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('_'));
    SECRET.iter().any(|secret| name == *secret || ends(secret)) || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// The same for the same text and key, so that two acts about one address are seen to be so.
fn pseudonym(secrets: &SecretBox, text: String) -> String {
    let fingerprint = secrets.fingerprint(&SecretString::from(text));
    format!("~{}", &fingerprint[..12])
}

/// Takes `user:password@` out of a URL.
fn without_credentials(text: String) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}@{}", &rest[at + 1..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_secret_and_no_address_gets_through_whatever_callers_hand_over() {
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        let before = json!({ "name": "a", "same": 1 });
        let after = json!({
            "name": "b", "same": 1, "secret": "MARKER", "secrets": ["MARKER", { "value": "MARKER", "hint": "1234", "id": 7 }],
            "settings": { "api-key": "MARKER", "X-Auth-Token": "MARKER", "url": "https://u:MARKER@example.com/x@y", "headers": { "Authorization": "MARKER" } },
            "address": "MARKER@example.com", "override": { "by": "MARKER" }, "key": "kept", "token_id": 5, "totp_seed": "MARKER",
        });
        let (old, new) = difference(&secrets, &before, &after);
        let (old, new) = (old.unwrap(), new.unwrap());
        assert_eq!(old, r#"{"name":"a"}"#);
        assert!(!new.contains("MARKER"), "{new}");
        for kept in [r#""hint":"1234""#, r#""id":7"#, r#""key":"kept""#, r#""token_id":5"#, "@example.com/x@y", r#""address":"~"#] {
            assert!(new.contains(kept), "{kept}: {new}");
        }
        assert_eq!(resource(&secrets, "component:5"), "component:5");
        assert!(resource(&secrets, "invitation:MARKER@example.com").starts_with("invitation:~"));
        let long = json!({ "body": "x".repeat(MAX_BYTES) });
        assert!(difference(&secrets, &Value::Null, &long).1.unwrap().len() < 100);
    }
}
