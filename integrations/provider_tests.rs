//! Every provider over `provider_vectors.json`: invented secrets, digests computed with Python's `hmac` and OpenSSL.
//!
//! A vector is a request that its provider lets in; a case is one that meets the code of its refusal.

use domain::{IntegrationId, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{Credentials, Inbound, PROVIDERS, Refusal, Settings, accept, find};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Request>,
    cases: Vec<Request>,
}

#[derive(Clone, Deserialize)]
struct Request {
    name: String,
    provider: String,
    #[serde(default)]
    settings: Value,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    path_token: Option<String>,
    body: String,
    at: i64,
    /// The secret is sent as it is, so that nothing depends on the body.
    #[serde(default)]
    plain: bool,
    /// Something beside the proof may change.
    #[serde(default)]
    rotation: bool,
    expect: Option<String>,
}

impl Request {
    fn code(&self) -> &'static str {
        self.code_of(self.body.as_bytes())
    }

    fn code_of(&self, body: &[u8]) -> &'static str {
        let secrets: Vec<SecretString> = self.secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
        let settings = Settings::new(self.settings.clone());
        let inbound =
            Inbound { headers: &self.headers, path_token: self.path_token.as_deref(), body, received_at: Timestamp(self.at * 1000) };
        let verdict =
            accept(&self.provider, IntegrationId(7), &Credentials { secrets: &secrets, settings: &settings, document: None }, &inbound);
        verdict.as_ref().map_or_else(Refusal::code, |_| "ok")
    }
}

fn file() -> File {
    serde_json::from_str(include_str!("provider_vectors.json")).unwrap()
}

/// Every text that differs from `text` in one bit and is still ASCII.
fn flips(text: &str) -> impl Iterator<Item = String> {
    let flip = |at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at / 7] ^= 1 << (at % 7);
        String::from_utf8(bytes).ok()
    };
    (0..text.len() * 7).filter_map(flip)
}

#[test]
fn every_provider_lets_its_own_sender_in() {
    for vector in file().vectors {
        assert_eq!(vector.code(), "ok", "{}: {}", vector.provider, vector.name);
        let (provider, settings) = (find(&vector.provider).unwrap(), Settings::new(vector.settings.clone()));
        for secret in &vector.secrets {
            let verdict = (provider.check_secret)(&SecretString::from(secret.as_str()), &settings);
            assert_eq!(verdict, Ok(()), "{}: {}", vector.provider, vector.name);
        }
    }
}

#[test]
fn every_provider_refuses_others_for_their_own_reason() {
    for case in file().cases {
        assert_eq!(Some(case.code()), case.expect.as_deref(), "{}: {}", case.provider, case.name);
    }
}

#[test]
fn one_flipped_bit_keeps_a_sender_out() {
    for vector in file().vectors {
        let label = format!("{}: {}", vector.provider, vector.name);
        if !vector.plain {
            for at in 0..vector.body.len() * 8 {
                let mut body = vector.body.clone().into_bytes();
                body[at / 8] ^= 1 << (at % 8);
                assert_ne!(vector.code_of(&body), "ok", "{label}: bit {at} of the body");
            }
        }
        // The first header is the content type; the name of a scheme may be written in either case.
        for at in (1..vector.headers.len()).filter(|_| !vector.plain && !vector.rotation) {
            for value in flips(&vector.headers[at].1) {
                let mut changed = vector.clone();
                changed.headers[at].1 = value;
                assert_ne!(changed.code(), "ok", "{label}: {:?}", changed.headers[at]);
            }
        }
        for (at, secret) in vector.secrets.iter().enumerate().filter(|_| vector.secrets.len() == 1) {
            for value in flips(secret) {
                let mut changed = vector.clone();
                changed.secrets[at] = value;
                assert_ne!(changed.code(), "ok", "{label}: another secret");
            }
        }
    }
}

#[test]
fn nobody_gets_in_without_a_secret() {
    for provider in PROVIDERS {
        let bare = |settings: Value| Request {
            name: String::new(),
            provider: provider.slug.to_owned(),
            settings,
            secrets: vec![String::new()],
            headers: vec![("authorization".to_owned(), "Bearer ".to_owned())],
            path_token: Some(String::new()),
            body: "{}".to_owned(),
            at: 1_772_366_400,
            plain: false,
            rotation: false,
            expect: None,
        };
        assert_ne!(bare(Value::Null).code(), "ok", "{}", provider.slug);
        assert_ne!(Request { secrets: Vec::new(), ..bare(Value::Null) }.code(), "ok", "{}", provider.slug);
    }
}
