//! The signature engine: any scheme, any headers, any body. What verifies has the body of a vector, whose secret the fuzzer does not know.
#![no_main]

use std::{fs, sync::LazyLock};

use domain::Timestamp;
use fuzz::{plant, root, within_limits};
use integrations::{
    Credentials, Inbound, Settings, find,
    signature::{self, Scheme},
};
use libfuzzer_sys::{Corpus, fuzz_target};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vector {
    scheme: Option<Value>,
    provider: Option<String>,
    #[serde(default)]
    settings: Value,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    body: String,
    at: i64,
    #[serde(default)]
    plain: bool,
}

static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let read = |name: &str| -> Vec<Vector> {
        let text = fs::read_to_string(root().join("integrations").join(name)).expect("vectors");
        let file: Value = serde_json::from_str(&text).expect("vectors");
        let lists = ["vectors", "providers"].into_iter().filter_map(|list| file[list].as_array());
        lists.flatten().map(|vector| serde_json::from_value(vector.clone()).expect("a vector")).collect()
    };
    [read("signature_vectors.json"), read("provider_vectors.json")].into_iter().flatten().collect()
});

/// Whether a request proves itself by sending the secret as it is, which says nothing of the body. Some senders may do that or sign.
fn sends_secret(vector: &Vector, headers: &[(String, String)]) -> bool {
    let sends = |(_, value): &(String, String)| {
        value.to_ascii_lowercase().starts_with("basic ") || vector.secrets.iter().any(|secret| value.contains(secret))
    };
    vector.plain || headers.iter().any(sends)
}

fn seeds() -> impl Iterator<Item = Vec<u8>> {
    VECTORS.iter().enumerate().map(|(index, vector)| {
        let headers: String = vector.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let scheme = vector.scheme.as_ref().map_or_else(String::new, Value::to_string);
        [&[u8::try_from(index).expect("fewer than 256 vectors")], format!("{scheme}\n{headers}\n{}", vector.body).as_bytes()].concat()
    })
}

fuzz_target!(
    init: plant(seeds()),
    |data: &[u8]| -> Corpus {
        let Some((&index, rest)) = data.split_first() else { return Corpus::Reject };
        let vector = &VECTORS[usize::from(index) % VECTORS.len()];
        let Some(at) = rest.windows(2).position(|pair| pair == b"\n\n") else { return Corpus::Reject };
        let (head, body) = (String::from_utf8_lossy(&rest[..at]).into_owned(), &rest[at + 2..]);
        let mut lines = head.lines();
        let scheme = lines.next().unwrap_or_default();
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        within_limits(|| {
            let secrets: Vec<SecretString> = vector.secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
            let inbound = Inbound { headers: &headers, path_token: None, body, received_at: Timestamp(vector.at * 1000) };
            let verdict = match (&vector.scheme, &vector.provider) {
                (_, Some(provider)) => {
                    let settings = Settings::new(vector.settings.clone());
                    let credentials = Credentials { secrets: &secrets, settings: &settings, document: None };
                    find(provider).map(|provider| (provider.verify)(&inbound, &credentials))
                }
                (Some(own), None) => {
                    // A scheme that the fuzzer made is only asked not to panic: with it the proof may be anything.
                    if let Ok(made) = serde_json::from_str::<Value>(scheme)
                        && let Ok(made) = Scheme::read("signature", &made)
                    {
                        let _ = signature::verify(&made, &inbound, &secrets);
                        let _ = signature::check_secret(&made, &secrets[0]);
                    }
                    Scheme::read("signature", own).ok().map(|scheme| signature::verify(&scheme, &inbound, &secrets))
                }
                (None, None) => None,
            };
            assert!(verdict != Some(Ok(())) || body == vector.body.as_bytes() || sends_secret(vector, &headers), "a forged body verifies");
        });
        Corpus::Keep
    }
);
