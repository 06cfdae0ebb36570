//! The signature engine over `signature_vectors.json`: invented secrets, digests computed with Python's `hmac` and OpenSSL.
//!
//! A vector verifies. A case is a vector with some of its fields replaced, and the code of the refusal it must meet. A provider's vector
//! goes through the provider, whose scheme it proves to be the sender's.

use domain::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Credentials, Inbound, Settings, VerifyError, find,
    signature::{self, Scheme},
};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
    cases: Vec<Value>,
    providers: Vec<ProviderVector>,
}

#[derive(Deserialize)]
struct ProviderVector {
    provider: String,
    secrets: Vec<String>,
    #[serde(default)]
    settings: Value,
    headers: Vec<(String, String)>,
    body: String,
    at: i64,
}

impl ProviderVector {
    fn verify_as(&self, secrets: &[String], headers: &[(String, String)], body: &[u8]) -> Result<(), VerifyError> {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
        let settings = Settings::new(self.settings.clone());
        let inbound = Inbound { headers, path_token: None, body, received_at: Timestamp(self.at * 1000) };
        (find(&self.provider).unwrap().verify)(&inbound, &Credentials { secrets: &secrets, settings: &settings, document: None })
    }
}

#[derive(Clone, Deserialize)]
struct Vector {
    name: String,
    scheme: Value,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    path_token: Option<String>,
    body: String,
    at: i64,
}

impl Vector {
    fn scheme(&self) -> Scheme {
        Scheme::read("signature", &self.scheme).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn verify_as(&self, scheme: &Scheme, secrets: &[String], headers: &[(String, String)], body: &[u8]) -> Result<(), VerifyError> {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
        let inbound = Inbound { headers, path_token: self.path_token.as_deref(), body, received_at: Timestamp(self.at * 1000) };
        signature::verify(scheme, &inbound, &secrets)
    }

    fn verify(&self) -> Result<(), VerifyError> {
        self.verify_as(&self.scheme(), &self.secrets, &self.headers, self.body.as_bytes())
    }
}

fn file() -> File {
    serde_json::from_str(include_str!("signature_vectors.json")).unwrap()
}

/// Every text that differs from `text` in one bit and is still ASCII.
fn flips(text: &str) -> impl Iterator<Item = String> {
    let flip = |at: usize, bit: u8| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1 << bit;
        String::from_utf8(bytes).ok()
    };
    (0..text.len()).flat_map(move |at| (0..7).filter_map(move |bit| flip(at, bit)))
}

#[test]
fn every_scheme_verifies_its_vector() {
    for vector in file().vectors {
        assert_eq!(vector.verify(), Ok(()), "{}", vector.name);
        let secret = SecretString::from(vector.secrets[0].as_str());
        assert_eq!(signature::check_secret(&vector.scheme(), &secret), Ok(()), "{}", vector.name);
    }
}

#[test]
fn every_case_is_refused_for_its_own_reason() {
    let file = file();
    for case in &file.cases {
        let (name, vector) = (case["name"].as_str().unwrap(), case["vector"].as_str().unwrap());
        let vector = file.vectors.iter().find(|candidate| candidate.name == vector).unwrap();
        let mut changed = json!({
            "name": name, "scheme": vector.scheme, "secrets": vector.secrets, "headers": vector.headers,
            "path_token": vector.path_token, "body": vector.body, "at": vector.at,
        });
        for (field, value) in case.as_object().unwrap().iter().filter(|(field, _)| !["name", "vector", "expect"].contains(&field.as_str()))
        {
            changed[field] = value.clone();
        }
        let verdict = serde_json::from_value::<Vector>(changed).unwrap().verify();
        let code = verdict.as_ref().map_or_else(VerifyError::code, |()| "ok");
        assert_eq!(code, case["expect"], "{name}: {verdict:?}");
    }
}

#[test]
fn one_flipped_bit_is_enough_to_refuse() {
    for vector in file().vectors {
        let scheme = vector.scheme();
        // A key in hex is the same key in upper case.
        let same = |secret: &String| vector.name == "hex key" && secret.eq_ignore_ascii_case(&vector.secrets[0]);
        // Unoptimised, an ed25519 verification takes a millisecond.
        let step = if vector.name == "ed25519" { 11 } else { 1 };
        for secret in flips(&vector.secrets[0]).step_by(step).filter(|secret| !same(secret)) {
            let verdict = vector.verify_as(&scheme, &[secret], &vector.headers, vector.body.as_bytes());
            assert!(verdict.is_err(), "{}: another secret", vector.name);
        }
        if !matches!(scheme, Scheme::Signature(_) | Scheme::Jws(_)) {
            continue;
        }
        for at in (0..vector.body.len() * 8).step_by(step) {
            let mut body = vector.body.clone().into_bytes();
            body[at / 8] ^= 1 << (at % 8);
            assert!(vector.verify_as(&scheme, &vector.secrets, &vector.headers, &body).is_err(), "{}: bit {at} of the body", vector.name);
        }
        // What stands beside the counting signature in a list is ignored by design.
        if vector.name.starts_with("comma list") {
            continue;
        }
        for at in 0..vector.headers.len() {
            for value in flips(&vector.headers[at].1).step_by(step) {
                let mut headers = vector.headers.clone();
                headers[at].1 = value;
                let verdict = vector.verify_as(&scheme, &vector.secrets, &headers, vector.body.as_bytes());
                assert!(verdict.is_err(), "{}: {:?}", vector.name, headers[at]);
            }
        }
    }
}

#[test]
fn every_provider_that_is_signed_to_verifies_its_vector_and_not_one_bit_of_another() {
    for vector in file().providers {
        let body = vector.body.as_bytes();
        assert_eq!(vector.verify_as(&vector.secrets, &vector.headers, body), Ok(()), "{}", vector.provider);
        for secret in flips(&vector.secrets[0]) {
            assert!(vector.verify_as(&[secret], &vector.headers, body).is_err(), "{}: another secret", vector.provider);
        }
        for at in 0..body.len() * 8 {
            let mut body = body.to_vec();
            body[at / 8] ^= 1 << (at % 8);
            assert!(vector.verify_as(&vector.secrets, &vector.headers, &body).is_err(), "{}: bit {at} of the body", vector.provider);
        }
        for at in 0..vector.headers.len() {
            for value in flips(&vector.headers[at].1) {
                let mut headers = vector.headers.clone();
                headers[at].1 = value;
                let verdict = vector.verify_as(&vector.secrets, &headers, body);
                assert!(verdict.is_err(), "{}: {:?}", vector.provider, headers[at]);
            }
            let mut headers = vector.headers.clone();
            headers.remove(at);
            assert!(vector.verify_as(&vector.secrets, &headers, body).is_err(), "{}: a header less", vector.provider);
        }
    }
}

#[test]
fn schemes_that_contradict_themselves_are_refused_by_name() {
    let refused = [
        (json!("github"), "`signature`: invalid type: string"),
        (json!({}), "`signature`: missing field `header`"),
        (json!({"header": "x", "headr": "y"}), "unknown field `headr`"),
        (json!({"header": "x", "algorithm": "md5"}), "`signature.algorithm`: unknown variant `md5`"),
        (json!({"header": "x y"}), "`signature.header`: is not the name of a header"),
        (json!({"header": "x", "signed_text": "{ts}"}), "`signature.signed_text`: must contain {body} once"),
        (json!({"header": "x", "signed_text": "{body}{body}"}), "must contain {body} once"),
        (json!({"header": "x", "signed_text": "{body}{nonce}"}), "`{nonce}` is not one of"),
        (json!({"header": "x", "signed_text": "{body"}), "`{` without `}`"),
        (json!({"header": "x", "signed_text": "{ts}.{body}"}), "{ts} and a `timestamp_header`"),
        (json!({"header": "x", "timestamp_header": "t"}), "{ts} and a `timestamp_header`"),
        (json!({"header": "x", "signed_text": "{id}{body}"}), "{id} and `id_header`"),
        (json!({"header": "x", "timestamp_header": "t", "timestamp_parameter": "t"}), "not both"),
        (json!({"header": "x", "timestamp_parameter": "t", "signed_text": "{ts}{body}"}), "needs a `list_separator`"),
        (json!({"header": "x", "versions": ["v1"]}), "`signature.versions`: `versions` and `pair_separator`"),
        (json!({"header": "x", "pair_separator": "="}), "`versions` and `pair_separator`"),
        (json!({"header": "x", "pair_separator": ",", "versions": ["v1"], "list_separator": ","}), "must differ"),
        (json!({"header": "x", "list_separator": "ab"}), "`signature.list_separator`: invalid value"),
        (json!({"header": "x", "tolerance": "0s"}), "`signature.tolerance`: must be more than 0s"),
        (json!({"header": "x", "tolerance": 300}), "`signature.tolerance`: invalid type"),
        (json!({"header": "x", "algorithm": "ed25519"}), "`signature.key`: a public key"),
        (json!({"mode": "none"}), "`signature.mode`: `none` is not one of"),
        (json!({"mode": 1}), "`signature.mode`: must be a text"),
        (json!({"mode": "bearer", "header": "x"}), "unknown field `header`"),
        (json!({"mode": "header"}), "missing field `header`"),
        (json!({"mode": "jws", "header": "x"}), "missing field `issuer`"),
        (json!({"mode": "jws", "header": "x y", "issuer": "quay"}), "`signature.header`: is not the name of a header"),
    ];
    for (scheme, problem) in refused {
        let error = Scheme::read("signature", &scheme).unwrap_err().to_string();
        assert!(error.contains(problem), "{scheme}: {error}");
    }
}

#[test]
fn secrets_that_could_never_verify_are_refused_before_they_are_saved() {
    let whsec = json!({"header": "x", "key": "whsec"});
    let refused = [
        (json!({"mode": "bearer"}), "", "is empty"),
        (json!({"mode": "bearer"}), "token\n", "white space"),
        (json!({"mode": "basic"}), "password", "user:password"),
        (whsec.clone(), "whsec_*", "is not a key"),
        (whsec, "whsec_", "is not a key"),
        (json!({"header": "x", "key": "hex"}), "xyz", "is not a key"),
    ];
    for (scheme, secret, problem) in refused {
        let scheme = Scheme::read("signature", &scheme).unwrap();
        let error = signature::check_secret(&scheme, &SecretString::from(secret)).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
