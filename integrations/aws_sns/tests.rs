//! Signatures over `vectors.json`: certificates of an invented authority and messages signed with Python's `cryptography`.

use std::collections::BTreeMap;

use domain::{IntegrationId, NewDelivery, Timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PROVIDER, settings::Prepared};
use crate::{Credentials, Inbound, Refusal, Settings, accept};

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:harbour-alarms";

#[derive(Deserialize)]
struct File {
    certificates: BTreeMap<String, String>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    name: String,
    body: String,
}

fn file() -> File {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

/// How a message is received; every test changes what it is about.
struct Reception {
    settings: Value,
    headers: Vec<(String, String)>,
    certificate: Option<String>,
    at: &'static str,
}

impl Reception {
    fn with(certificate: &str) -> Self {
        let certificate = file().certificates.remove(certificate);
        assert!(certificate.is_some());
        let headers = vec![("content-type".to_owned(), "text/plain; charset=UTF-8".to_owned())];
        Self { settings: json!({"topics": [TOPIC]}), headers, certificate, at: "2026-03-01T12:00:00Z" }
    }

    fn accept(&self, body: &[u8]) -> Result<NewDelivery, Refusal> {
        let settings = Settings::new(self.settings.clone());
        let inbound = Inbound { headers: &self.headers, path_token: None, body, received_at: Timestamp::parse(self.at).unwrap() };
        // As the hook does it: which certificate is asked first.
        (PROVIDER.quirks.document.unwrap())(&inbound, &settings)?;
        let document = self.certificate.as_ref().map(String::as_bytes);
        accept("aws_sns", IntegrationId(7), &Credentials { secrets: &[], settings: &settings, document }, &inbound)
    }

    fn code(&self, body: &str) -> &'static str {
        self.accept(body.as_bytes()).as_ref().map_or_else(Refusal::code, |_| "ok")
    }
}

/// `body` with another value for `field`.
fn changed(body: &str, field: &str, value: impl Into<Value>) -> String {
    let mut message: Value = serde_json::from_str(body).unwrap();
    message[field] = value.into();
    message.to_string()
}

fn body(name: &str) -> String {
    file().messages.into_iter().find(|message| message.name == name).unwrap().body
}

#[test]
fn every_kind_of_message_is_verified_under_both_versions() {
    let reception = Reception::with("valid");
    for message in file().messages {
        assert_eq!(reception.code(&message.body), "ok", "{}", message.name);
        let other = if message.name.ends_with('1') { "2" } else { "1" };
        assert_eq!(reception.code(&changed(&message.body, "SignatureVersion", other)), "bad_signature", "{}", message.name);
    }
}

#[test]
fn one_flipped_bit_of_what_is_signed_keeps_a_message_out() {
    const SIGNED: [&str; 8] = ["Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type"];
    let reception = Reception::with("valid");
    let proven = |body: &[u8]| {
        let message: Value = serde_json::from_slice(body).unwrap();
        SIGNED.map(|field| message[field].clone())
    };
    for name in ["notification, version 1", "subscription confirmation, version 2"] {
        let body = body(name).into_bytes();
        for at in 0..body.len() * 8 {
            let mut flipped = body.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            if reception.accept(&flipped).is_ok() {
                assert_eq!(proven(&flipped), proven(&body), "{name}: bit {at}");
            }
        }
    }
}

#[test]
fn a_certificate_that_proves_nothing_lets_nobody_in() {
    let body = body("notification, version 2");
    for (certificate, code) in [
        ("valid", "ok"),
        ("expired", "bad_certificate"),
        ("not_yet", "bad_certificate"),
        ("other_key", "bad_signature"),
        ("elliptic", "bad_signature"),
    ] {
        assert_eq!(Reception::with(certificate).code(&body), code, "{certificate}");
    }
    let mut reception = Reception::with("valid");
    reception.at = "2027-01-01T00:00:01Z";
    assert_eq!(reception.code(&body), "bad_certificate", "a certificate ends on our clock");
    for text in ["", "<html>", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let certificate = Some(text.to_owned());
        assert_eq!(Reception { certificate, ..Reception::with("valid") }.code(&body), "bad_certificate", "{text}");
    }
    assert_eq!(Reception { certificate: None, ..Reception::with("valid") }.code(&body), "bad_certificate");
}

#[test]
fn only_listed_topics_are_heard() {
    let body = body("notification, version 2");
    let other = json!({"topics": [TOPIC.replace("harbour", "pirate")]});
    assert_eq!(Reception { settings: other, ..Reception::with("valid") }.code(&body), "unlisted_sender");
    let raw = Reception { headers: vec![("x-amz-sns-rawdelivery".to_owned(), "true".to_owned())], ..Reception::with("valid") };
    assert_eq!(raw.code(&body), "malformed_signature");
    for (field, value, code) in [
        ("TopicArn", json!(null), "malformed_signature"),
        ("Signature", json!(null), "missing_signature"),
        ("Signature", json!("?"), "malformed_signature"),
        ("SignatureVersion", json!("3"), "malformed_signature"),
        ("SigningCertURL", json!(null), "missing_signature"),
        ("SigningCertURL", json!("https://sns.eu-west-1.amazonaws.com.harbour.example/SimpleNotificationService-1.pem"), "bad_certificate"),
        ("Type", json!("Farewell"), "malformed_signature"),
        ("Subject", json!(null), "bad_signature"),
    ] {
        assert_eq!(Reception::with("valid").code(&changed(&body, field, value.clone())), code, "{field}: {value}");
    }
}

#[test]
fn a_confirmation_is_called_and_what_lets_readers_act_is_not_stored() {
    let reception = Reception::with("valid");
    let settings = Settings::new(reception.settings.clone());
    let at = Timestamp(0);
    let confirm = |body: &str| {
        let inbound = Inbound { headers: &[], path_token: None, body: body.as_bytes(), received_at: at };
        (PROVIDER.quirks.confirm.unwrap())(&inbound, &settings)
    };
    let asked = body("subscription confirmation, version 1");
    let confirmation = confirm(&asked).unwrap();
    let url = confirmation.url.expose_secret();
    assert!(url.starts_with("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&"), "{url}");
    assert_eq!(confirmation.subject, TOPIC);
    assert!(!format!("{confirmation:?}").contains("Action="), "what lets act is not printed");
    assert!(confirm(&changed(&asked, "SubscribeURL", url.replace("Confirm", "Un"))).is_none());
    assert!(confirm(&body("unsubscribe confirmation, version 1")).is_none(), "that would subscribe again");
    assert!(confirm(&body("notification, version 1")).is_none());

    for message in file().messages {
        let mut reception = Reception::with("valid");
        reception.headers.push(("x-amz-sns-subscription-arn".to_owned(), format!("{TOPIC}:0b1c2d3e")));
        let delivery = reception.accept(message.body.as_bytes()).unwrap();
        let stored = format!("{}{:?}", String::from_utf8(delivery.body).unwrap(), delivery.headers);
        for secret in ["0b1c2d3e", "2336412f37fb", "Action="] {
            assert!(!stored.contains(secret), "{}: {secret}", message.name);
        }
        assert!(stored.contains(&delivery.external_id), "the id stays readable");
    }
}

#[test]
fn addresses_are_amazons_or_those_of_the_settings_and_nothing_that_looks_like_them() {
    let prepared = |endpoints: Value| Prepared::read(&json!({"topics": [TOPIC], "endpoints": endpoints})).unwrap();
    let (amazon, own) = (prepared(json!([])), prepared(json!(["http://127.0.0.1:4566"])));
    for url in [
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-6aad65c2f9911b05cd53efda11f913f9.pem",
        "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
    ] {
        assert!(amazon.is_certificate_url(url), "{url}");
    }
    for url in [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-1.pem",
        "https://u@sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-1.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
        "https://sns.evil.example/.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.evil.example\\.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.evil.example?.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.evil.example#.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.a.b.amazonaws.com/SimpleNotificationService-1.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.eu-west-1.amazonaws.com/x/SimpleNotificationService-1.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem?x=.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-..%2f.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "http://127.0.0.1:4566/SimpleNotificationService-1.pem",
        "",
    ] {
        assert!(!amazon.is_certificate_url(url), "{url}");
    }
    assert!(own.is_certificate_url("http://127.0.0.1:4566/_aws/sns/SimpleNotificationService-1.pem"));
    assert!(own.is_confirmation_url("http://127.0.0.1:4566/?Action=ConfirmSubscription&Token=1"));
    for url in
        ["http://127.0.0.1:45660/SimpleNotificationService-1.pem", "http://127.0.0.1:4566@evil.example/SimpleNotificationService-1.pem"]
    {
        assert!(!own.is_certificate_url(url), "{url}");
    }
    let confirms = |query: &str| amazon.is_confirmation_url(&format!("https://sns.eu-west-1.amazonaws.com/{query}"));
    assert!(confirms("?Action=ConfirmSubscription&TopicArn=a&Token=b"));
    for query in [
        "?Action=Unsubscribe",
        "?Action=ConfirmSubscription&Action=Unsubscribe",
        "?Token=b",
        "x?Action=ConfirmSubscription",
        "?Action=ConfirmSubscription#",
        "",
    ] {
        assert!(!confirms(query), "{query}");
    }
}

#[test]
fn settings_that_could_not_work_are_refused_by_name() {
    let mapping = json!({"fingerprint": "body.Message.id", "state": "body.Message.state", "firing": ["down"]});
    for (settings, problem) in [
        (json!({"topics": [TOPIC]}), None),
        (json!({"topics": [TOPIC], "mapping": mapping}), None),
        (json!({}), Some("missing field `topics`")),
        (json!({"topics": []}), Some("`topics`: must list at least one topic")),
        (
            json!({"topics": ["arn:aws:sns:eu-west-1:123456789012:*"]}),
            Some("`topics[0]`: `arn:aws:sns:eu-west-1:123456789012:*` is not the ARN"),
        ),
        (json!({"topics": [TOPIC, "alarms"]}), Some("`topics[1]`: `alarms` is not the ARN")),
        (
            json!({"topics": [TOPIC], "endpoints": ["https://sns.example/x"]}),
            Some("`endpoints[0]`: `https://sns.example/x` is not an address"),
        ),
        (json!({"topics": [TOPIC], "mapping": {"fingerprint": "1", "state": "1"}}), Some("`mapping.firing`: must list")),
        (
            json!({"topics": [TOPIC], "mapping": {"fingerprint": "1", "state": "1", "firing": ["1"], "delivery_id": "1"}}),
            Some("`mapping`: cannot set"),
        ),
    ] {
        let verdict = (PROVIDER.check_settings)(&settings).map_err(|error| error.to_string());
        match problem {
            None => assert_eq!(verdict, Ok(())),
            Some(problem) => assert!(verdict.as_ref().is_err_and(|error| error.contains(problem)), "{problem}: {verdict:?}"),
        }
    }
}
