//! What an answer 401 asks for, so that senders that wait to be asked bring their credentials.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Timestamp;
use secrecy::SecretString;

use crate::{Credentials, Inbound, Settings, find};

/// The values of `WWW-Authenticate` for an integration: one for each scheme of `Authorization` that could prove its sender, none where
/// only a signature or a token in the URL can.
///
/// Nobody has to write down what a provider takes: it is shown credentials that fit a secret of its own.
#[must_use]
pub fn challenges(provider: &str, settings: &Settings) -> Vec<&'static str> {
    const CREDENTIALS: &str = "user:password";
    let Some(provider) = find(provider) else { return Vec::new() };
    let takes = |authorization: String| {
        let headers = [("authorization".to_owned(), authorization)];
        let inbound = Inbound { headers: &headers, path_token: None, body: b"", received_at: Timestamp(0) };
        let secrets = [SecretString::from(CREDENTIALS)];
        (provider.verify)(&inbound, &Credentials { secrets: &secrets, settings, document: None }).is_ok()
    };
    let basic = takes(format!("Basic {}", BASE64_STANDARD.encode(CREDENTIALS))).then_some("Basic realm=\"Fanal\", charset=\"UTF-8\"");
    let bearer = takes(format!("Bearer {CREDENTIALS}")).then_some("Bearer realm=\"Fanal\"");
    basic.into_iter().chain(bearer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn who_takes_credentials_asks_for_them() {
        let asked = |provider: &str, settings: Value| {
            let schemes = challenges(provider, &Settings::new(settings));
            schemes.iter().map(|challenge| challenge.split(' ').next().unwrap()).collect::<Vec<_>>().join(" ")
        };
        for provider in ["alertmanager", "google_cloud_monitoring", "honeycomb", "netlify", "aws_eventbridge"] {
            assert_eq!(asked(provider, Value::Null), "Basic Bearer", "{provider}");
        }
        for provider in ["github", "pagerduty", "aws_sns", "prometheus", "nobody"] {
            assert_eq!(asked(provider, Value::Null), "", "{provider}");
        }
        let json = |mode: &str| json!({"signature": {"mode": mode}, "fingerprint": "1", "state": "body.state", "firing": ["down"]});
        assert_eq!((asked("json", json("basic")), asked("json", json("bearer"))), ("Basic".to_owned(), "Bearer".to_owned()));
        assert_eq!(asked("json", json("token")), "");
    }
}
