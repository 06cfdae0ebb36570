//! From a request to a delivery: who gets in, what is kept, and which id it bears.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{IntegrationId, NewDelivery, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Credentials, Inbound, MAX_STORED_HEADER_BYTES, MAX_STORED_HEADERS, Refusal, Settings, accept, find};

const NOW: i64 = 1_772_366_400;

/// One request and what it meets; every test changes what it is about.
#[derive(Clone)]
struct Request {
    provider: &'static str,
    settings: Value,
    secrets: Vec<String>,
    headers: Vec<(String, String)>,
    path_token: Option<&'static str>,
    body: Vec<u8>,
    at: i64,
}

impl Request {
    fn new(provider: &'static str, secret: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Self {
            provider,
            settings: Value::Null,
            secrets: vec![secret.to_owned()],
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            path_token: None,
            body: b"{}".to_vec(),
            at: NOW,
        };
        headers.iter().for_each(|(name, value)| request.push(name, value));
        request
    }

    fn push(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn send(&self) -> Result<NewDelivery, Refusal> {
        let secrets: Vec<SecretString> = self.secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
        let settings = Settings::new(self.settings.clone());
        let inbound =
            Inbound { headers: &self.headers, path_token: self.path_token, body: &self.body, received_at: Timestamp(self.at * 1000) };
        accept(self.provider, IntegrationId(7), &Credentials { secrets: &secrets, settings: &settings, document: None }, &inbound)
    }

    fn code(&self) -> &'static str {
        self.send().as_ref().map_or_else(Refusal::code, |_| "ok")
    }
}

fn bearer() -> Request {
    Request::new("alertmanager", "lamp-oil", &[("authorization", "Bearer lamp-oil")])
}

/// Signs as the specification says.
fn signed(prefix: &str, key: &[u8], id: &str) -> Request {
    let text = format!("{id}.{NOW}.{{}}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    let mut request = Request::new("standard_webhooks", &format!("whsec_{}", BASE64_STANDARD.encode(key)), &[]);
    request.settings = json!({"fingerprint": "body.id", "state": "body.state", "firing": ["down"]});
    for (name, value) in [("id", id), ("timestamp", &NOW.to_string()), ("signature", &signature)] {
        request.push(&format!("{prefix}-{name}"), value);
    }
    request
}

fn json_sender(signature: &Value) -> Value {
    json!({"signature": signature, "fingerprint": "body.id", "state": "body.state", "firing": ["down"]})
}

/// `OneUptime`: the signature of one assertion was verified, and another one was used.
#[test]
fn cve_2026_34840_what_is_used_is_what_was_signed() {
    let good = || signed("webhook", b"a key of at least 24 bytes", "msg_1");
    assert_eq!(good().code(), "ok");
    assert_eq!(good().send().unwrap().body, b"{}", "what is stored is what was verified");
    assert_eq!(good().with(|request| request.body = b"{} ".to_vec()).code(), "bad_signature");
    let proof = good().headers.last().unwrap().1.clone();
    for (name, twin) in
        [("webhook-id", "msg_2"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA"), ("webhook-signature", &proof)]
    {
        let before = good().with(|request| request.headers.insert(0, (name.to_owned(), twin.to_owned())));
        let after = good().with(|request| request.push(name, twin));
        assert_eq!((before.code(), after.code()), ("malformed_signature", "malformed_signature"), "{name}: {twin}");
    }
    let github = |headers: &[(&str, &str)]| Request::new("github", "lamp-oil", headers).code();
    let twice = [("x-hub-signature-256", "sha256=00"), ("x-hub-signature-256", "sha256=01")];
    assert_eq!(github(&twice), "malformed_signature");
    assert_eq!(github(&[("x-hub-signature", "sha1=00")]), "missing_signature", "a weaker proof is none");
}

#[test]
fn alertmanager_may_prove_itself_in_three_ways() {
    let basic = |credentials: &str| format!("Basic {}", BASE64_STANDARD.encode(credentials));
    let by_basic = |credentials: &str| Request::new("alertmanager", "fanal:lamp-oil", &[("authorization", &basic(credentials))]);
    let by_url = |token| Request::new("alertmanager", "lamp-oil", &[]).with(|request| request.path_token = Some(token));
    assert_eq!(bearer().code(), "ok");
    assert_eq!(by_basic("fanal:lamp-oil").code(), "ok");
    assert_eq!(by_url("lamp-oil").code(), "ok");

    assert_eq!(Request::new("alertmanager", "lamp-oil", &[]).code(), "missing_signature");
    assert_eq!(by_basic("fanal:lamp").code(), "bad_signature");
    assert_eq!(by_url("lamp-oi").code(), "bad_signature");
    assert_eq!(bearer().with(|request| request.push("authorization", "Bearer lamp-oil")).code(), "malformed_signature");
    assert_eq!(bearer().with(|request| request.secrets.clear()).code(), "no_secret");
    assert_eq!(Request::new("alertmanager", "lamp-oil", &[("authorization", "Digest lamp-oil")]).code(), "malformed_signature");
    let both = by_url("lamp-oil").with(|request| request.push("authorization", "Bearer wrong"));
    assert_eq!(both.code(), "bad_signature", "the header is judged alone");
}

#[test]
fn a_sender_with_a_header_of_its_own_is_judged_by_it_and_else_by_what_it_brings() {
    let own = |token: &str| Request::new("honeycomb", "lamp-oil", &[("x-honeycomb-webhook-token", token)]);
    assert_eq!(own("lamp-oil").code(), "ok");
    assert_eq!(own("lamp-oi").code(), "bad_signature");
    assert_eq!(own("").code(), "bad_signature");
    assert_eq!(own("wrong").with(|request| request.push("authorization", "Bearer lamp-oil")).code(), "bad_signature");
    assert_eq!(own("lamp-oil").with(|request| request.push("x-honeycomb-webhook-token", "lamp-oil")).code(), "malformed_signature");
    assert_eq!(Request::new("honeycomb", "lamp-oil", &[("authorization", "Bearer lamp-oil")]).code(), "ok");
    assert_eq!(Request::new("honeycomb", "lamp-oil", &[]).code(), "missing_signature");
    assert_eq!(own("").with(|request| request.secrets = vec![String::new()]).code(), "no_secret");
}

#[test]
fn instatus_is_judged_by_the_token_in_its_url_or_else_by_its_signature() {
    let by_url = |token| Request::new("instatus_webhook", "lamp-oil", &[]).with(|request| request.path_token = Some(token));
    assert_eq!(by_url("lamp-oil").code(), "ok");
    // Signed with a key that only Instatus knows.
    assert_eq!(by_url("lamp-oil").with(|request| request.push("x-instatus-webhook-signature", &"0".repeat(64))).code(), "ok");
    assert_eq!(by_url("lamp").code(), "bad_signature");
    assert_eq!(Request::new("instatus_webhook", "lamp-oil", &[]).code(), "missing_signature");
    let forged = Request::new("instatus_webhook", "lamp-oil", &[("x-instatus-webhook-signature", &"0".repeat(64))]);
    assert_eq!(forged.code(), "bad_signature");
}

#[test]
fn standard_webhooks_reads_both_families_of_headers_and_never_mixes_them() {
    for prefix in ["webhook", "svix"] {
        let request = signed(prefix, &[7; 32], "msg_1");
        assert_eq!(request.send().unwrap().external_id, "msg_1");
        assert_eq!(request.clone().with(|request| request.at += 301).code(), "stale_timestamp");
        assert_eq!(request.clone().with(|request| request.secrets.insert(0, "whsec_AAAA".to_owned())).code(), "ok");
        assert_eq!(
            request.clone().with(|request| request.secrets.insert(0, format!("whpk_{}", BASE64_STANDARD.encode([3; 32])))).code(),
            "ok"
        );
        assert_eq!(request.clone().with(|request| request.body.push(b' ')).code(), "bad_signature");
        assert_eq!(request.with(|request| request.headers.retain(|(name, _)| !name.ends_with("-id"))).code(), "missing_signature");
    }
    let mut mixed = signed("svix", &[7; 32], "msg_1");
    mixed.push("webhook-signature", "v1,AAAA");
    assert_eq!(mixed.code(), "malformed_signature");
    let mut ids = signed("svix", &[7; 32], "msg_1");
    ids.push("webhook-id", "msg_2");
    assert_eq!(ids.send().unwrap().external_id, "msg_1", "the id that was signed");
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    let key = [3; 32];
    let forged = signed("webhook", &key, "msg_1").with(|request| request.secrets = vec![format!("whpk_{}", BASE64_STANDARD.encode(key))]);
    assert_ne!(forged.code(), "ok");
}

#[test]
fn the_proof_comes_before_the_content_type() {
    let html = |request: Request| request.with(|request| request.headers[0].1 = "Text/HTML; charset=utf-8".to_owned());
    let refused = html(bearer()).send().unwrap_err().to_string();
    assert_eq!(refused, "content type `text/html` is none that this provider sends; it sends application/json");
    assert_eq!(html(bearer()).code(), "content_type");
    assert_eq!(html(bearer().with(|request| request.secrets = vec!["other".to_owned()])).code(), "bad_signature");
    assert_eq!(bearer().with(|request| request.headers[0].1 = "application/json; charset=utf-8".to_owned()).code(), "ok");
    assert_eq!(bearer().with(|request| drop(request.headers.remove(0))).code(), "ok", "no type at all is let through");

    let any = |content_type: &str| {
        Request::new("json", "lamp-oil", &[]).with(|request| {
            request.settings = json_sender(&json!({"mode": "token"}));
            request.path_token = Some("lamp-oil");
            content_type.clone_into(&mut request.headers[0].1);
        })
    };
    for accepted in ["application/json", "application/cloudevents+json", "text/plain", "application/x-www-form-urlencoded"] {
        assert_eq!(any(accepted).code(), "ok", "{accepted}");
    }
    for refused in ["application/xml", "multipart/form-data", "application/jsonx", "json"] {
        assert_eq!(any(refused).code(), "content_type", "{refused}");
    }
}

#[test]
fn no_credential_is_stored() {
    let mut request = bearer();
    request.push("cookie", "session=1");
    request.push("proxy-authorization", "Basic abc");
    request.push("x-lantern-token", "abc");
    request.push("x-original-uri", "/hooks/prod/lamp-oil?x=1");
    request.push("x-lantern-signature", "v1=00ff");
    let delivery = request.send().unwrap();
    let stored = |name: &str| delivery.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str());
    for name in ["authorization", "cookie", "proxy-authorization", "x-lantern-token", "x-original-uri"] {
        assert_eq!(stored(name), Some("[redacted]"), "{name}");
    }
    assert_eq!(stored("x-lantern-signature"), Some("v1=00ff"));
    assert!(!format!("{:?}", delivery.headers).contains("lamp-oil"));

    let by_header = Request::new("json", "lamp-oil", &[("x-lantern", "lamp-oil")])
        .with(|request| request.settings = json_sender(&json!({"mode": "header", "header": "X-Lantern"})));
    assert!(!format!("{:?}", by_header.send().unwrap().headers).contains("lamp-oil"));
}

#[test]
fn only_so_many_headers_are_stored_and_the_content_type_is_one_of_them() {
    let mut many = bearer();
    let content_type = many.headers.remove(0);
    (0..200).for_each(|n| many.push(&format!("x-{n}"), "1"));
    many.headers.push(content_type.clone());
    let delivery = many.send().unwrap();
    assert_eq!(delivery.headers.len(), MAX_STORED_HEADERS);
    assert_eq!(delivery.headers[0], content_type);

    let mut long = bearer();
    long.push("x-long", &"x".repeat(MAX_STORED_HEADER_BYTES));
    long.push("x-short", "1");
    let delivery = long.send().unwrap();
    assert!(delivery.headers.iter().all(|(name, _)| name != "x-long"));
    assert!(delivery.headers.iter().any(|(name, _)| name == "x-short"));
}

#[test]
fn what_is_stored_is_what_was_verified() {
    let delivery = bearer().with(|request| request.body = b"\xff not json".to_vec()).send().unwrap();
    assert_eq!(delivery.body, b"\xff not json");
    assert_eq!(delivery.integration, IntegrationId(7));
    assert_eq!(delivery.received_at, Timestamp(NOW * 1000));
}

#[test]
fn links_that_act_are_not_stored() {
    for provider in ["statuspage_webhook", "instatus_webhook"] {
        let request = Request::new(provider, "lamp-oil", &[]).with(|request| {
            request.path_token = Some("lamp-oil");
            request.body = br#"{"meta": {"unsubscribe": "https://harbour.example/?unsubscribe=zjcd", "documentation": "https://help.example"}, "page": 1.0}"#.to_vec();
        });
        let stored = String::from_utf8(request.send().unwrap().body).unwrap();
        assert_eq!(
            stored, r#"{"meta": {"unsubscribe": "[redacted]", "documentation": "https://help.example"}, "page": 1.0}"#,
            "{provider}"
        );
    }
}

#[test]
fn an_equal_body_without_an_id_is_another_delivery() {
    let (one, two) = (bearer().send().unwrap(), bearer().send().unwrap());
    assert_ne!(one.external_id, two.external_id);
}

#[test]
fn the_senders_id_makes_a_repeat_known_whatever_it_looks_like() {
    let with_id = |id: &str| {
        Request::new("json", "lamp-oil", &[("authorization", "Bearer lamp-oil")]).with(|request| {
            request.settings = json_sender(&json!({"mode": "bearer"}));
            request.settings["delivery_id"] = json!("body.event");
            request.body = json!({"event": id}).to_string().into_bytes();
        })
    };
    assert_eq!(with_id("e-1").send().unwrap().external_id, "e-1");
    for odd in ["x".repeat(201), "a\u{0}b".to_owned()] {
        let (one, two) = (with_id(&odd).send().unwrap(), with_id(&odd).send().unwrap());
        assert!(one.external_id.starts_with("sha256:"));
        assert_eq!(one.external_id, two.external_id);
    }
    assert_ne!(with_id("").send().unwrap().external_id, with_id("").send().unwrap().external_id);
    let broken = with_id("e-1").with(|request| request.body = b"{".to_vec());
    assert_eq!(broken.code(), "ok", "a proven body that cannot be read is stored, to be quarantined");
}

#[test]
fn a_signed_timestamp_makes_a_replay_known() {
    let scheme = json!({"header": "x-lantern", "timestamp_header": "x-time", "signed_text": "{ts}:{body}"});
    let at = |ts: i64| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"lamp-oil").unwrap();
        mac.update(format!("{ts}:{{}}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        Request::new("json", "lamp-oil", &[("x-lantern", &signature), ("x-time", &ts.to_string())])
            .with(|request| request.settings = json_sender(&scheme))
    };
    let first = at(NOW).send().unwrap().external_id;
    assert_eq!(at(NOW).with(|request| request.at += 60).send().unwrap().external_id, first);
    assert_ne!(at(NOW + 1).send().unwrap().external_id, first);
}

#[test]
fn broken_settings_and_unknown_providers_let_nobody_in() {
    let mut request = Request::new("json", "lamp-oil", &[("authorization", "Bearer lamp-oil")]);
    assert_eq!(request.code(), "invalid_settings");
    request.provider = "carrier_pigeon";
    assert_eq!(request.code(), "unknown_provider");
}

#[test]
fn settings_that_could_not_work_are_refused_by_name() {
    let valid = json!({
        "signature": {"mode": "bearer"}, "fingerprint": "body.id", "state": "body.state", "firing": ["down"], "resolved": ["up"],
    });
    let changed = |name: &str, value: Value| {
        let mut settings = valid.clone();
        settings[name] = value;
        settings
    };
    let without = |name: &str| {
        let mut settings = valid.clone();
        settings.as_object_mut().unwrap().remove(name);
        settings
    };
    let cases = [
        (valid.clone(), None),
        (without("signature"), Some("`signature`: is missing")),
        (without("fingerprint"), Some("missing field `fingerprint`")),
        (without("state"), Some("`state`: is missing")),
        (without("firing"), Some("`firing`: must list at least one")),
        (changed("resolved", json!(["down"])), Some("`resolved`: `down` is also in `firing`")),
        (changed("firing", json!([1])), Some("`firing[0]`: invalid type: integer `1`, expected a string")),
        (changed("fingerprint", json!("body.(")), Some("`fingerprint`: expression does not compile")),
        (changed("labels", json!({"a": "1 +"})), Some("`labels.a`: expression does not compile")),
        (changed("each", json!("x".repeat(2049))), Some("`each`: expression has 2049 bytes")),
        (changed("finger_print", json!("x")), Some("unknown field `finger_print`")),
        (changed("signature", json!({"mode": "bearer", "tolerance": "5m"})), Some("unknown field `tolerance`")),
        (json!([]), Some("invalid")),
        (Value::Null, Some("invalid type: null")),
    ];
    for (settings, problem) in cases {
        let verdict = (find("json").unwrap().check_settings)(&settings).map_err(|error| error.to_string());
        match problem {
            None => assert_eq!(verdict, Ok(())),
            Some(problem) => assert!(verdict.as_ref().is_err_and(|error| error.contains(problem)), "{problem}: {verdict:?}"),
        }
    }
    let check = |provider: &str, settings: Value| (find(provider).unwrap().check_settings)(&settings).map_err(|error| error.to_string());
    assert_eq!(check("alertmanager", json!({})), Ok(()));
    assert!(check("alertmanager", json!({"token": "x"})).unwrap_err().contains("unknown field `token`"));
    assert!(check("standard_webhooks", valid).unwrap_err().contains("`signature`: is given by Standard Webhooks"));
}
