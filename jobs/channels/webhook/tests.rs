use domain::{Channel, NoticeAbout};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use reqwest::header::RETRY_AFTER;

use super::*;
use crate::{
    channels::fixtures::{AT, claimed},
    egress::EgressPolicy,
};

fn links() -> Links {
    Links::new(&"https://status.example.com/".parse().unwrap())
}

fn answer(status: u16, retry_after: Option<&str>, body: &str) -> Response {
    let headers = retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_str(text).unwrap())).into_iter().collect();
    Response { status, headers, body: body.into() }
}

/// Takes one request, answers it, and gives back what was asked.
async fn exchange(listener: TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.unwrap();
        assert_ne!(n, 0, "the request ends early");
        request.extend_from_slice(&chunk[..n]);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

/// The vector of the reference implementations.
#[test]
fn signatures_are_those_of_the_standard() {
    let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signature = sign(&key(&secret).unwrap(), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(BASE64_STANDARD.encode(signature), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn a_delivery_is_signed_with_every_secret_and_keeps_its_id() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/in", listener.local_addr().unwrap());
    let received = tokio::spawn(exchange(listener, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"));
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap();
    let secrets = [new_secret(), new_secret()];

    let outcome = send(&egress, &links(), &claimed(Channel::Webhook, &address), &secrets, AT).await;
    assert_eq!(outcome, Outcome::Delivered { detail: "202".to_owned() });

    let request = received.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    assert!(head.starts_with("POST /in HTTP/1.1\r\n"));
    assert_eq!((header("webhook-id"), header("webhook-timestamp"), header("content-type")), ("msg_42", "1772373900", "application/json"));
    let expected = secrets
        .map(|secret| format!("v1,{}", BASE64_STANDARD.encode(sign(&key(&secret).unwrap(), "msg_42", 1_772_373_900, body.as_bytes()))));
    assert_eq!(header("webhook-signature"), expected.join(" "));
}

#[test]
fn the_payload_says_what_happened_and_hides_what_is_hidden() {
    let body = payload::render(&claimed(Channel::Webhook, "https://hooks.example.com"), &links()).unwrap();
    let payload: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(payload["type"], "incident.updated");
    assert_eq!(payload["timestamp"], "2026-03-01T14:05:00.000Z");
    let data = &payload["data"];
    assert_eq!(data["page"], serde_json::json!({ "name": "Acme", "url": "https://status.example.com/" }));
    assert_eq!(data["incident"]["url"], "https://status.example.com/incidents/7");
    assert_eq!(data["incident"]["status"], "identified");
    assert_eq!(data["incident"]["impact"], "minor");
    assert_eq!(
        data["update"]["components"],
        serde_json::json!([{ "id": 1, "key": "api", "name": "API", "old_status": "operational", "new_status": "degraded_performance" }])
    );
    assert!(!String::from_utf8(body).unwrap().contains("Backdoor"));
}

#[test]
fn a_payload_never_exceeds_its_limit() {
    let mut claimed = claimed(Channel::Webhook, "https://hooks.example.com");
    if let NoticeAbout::Incident { update, .. } = &mut claimed.notice.about {
        update.body = "\u{1}".repeat(400_000);
    }
    assert!(payload::render(&claimed, &links()).unwrap().len() <= MAX_PAYLOAD_BYTES);
}

#[test]
fn an_answer_decides_what_follows() {
    let transient = |why: &str, retry_after_secs| Outcome::Transient { why: why.to_owned(), retry_after_secs };
    let cases = [
        (answer(200, None, "fine"), Outcome::Delivered { detail: "200".to_owned() }),
        (answer(204, None, ""), Outcome::Delivered { detail: "204".to_owned() }),
        (answer(302, Some("9"), ""), transient("answered 302; redirects are not followed", None)),
        (answer(400, None, "no\r\nsuch\u{0} hook"), transient("answered 400: no such hook", None)),
        (answer(404, Some("9"), ""), transient("answered 404", None)),
        (answer(429, Some("120"), ""), transient("answered 429", Some(120))),
        (answer(503, Some("99999999999"), ""), transient("answered 503", Some(3600))),
        (answer(503, Some("Sun, 01 Mar 2026 14:06:30 GMT"), ""), transient("answered 503", Some(90))),
        (answer(503, Some("Sun, 01 Mar 2020 14:06:30 GMT"), ""), transient("answered 503", Some(0))),
        (answer(502, Some("soon"), ""), transient("answered 502", None)),
    ];
    for (answer, expected) in cases {
        assert_eq!(outcome(&answer, AT), expected, "{answer:?}");
    }
    assert!(matches!(outcome(&answer(410, None, ""), AT), Outcome::Gone { .. }));
    let Outcome::Transient { why, .. } = outcome(&answer(500, None, &"é".repeat(5000)), AT) else { panic!("not transient") };
    assert_eq!(why.chars().count(), "answered 500: ".len() + MAX_EXCERPT_CHARS);
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let egress = Egress::new(EgressPolicy::default()).unwrap();
    let claimed = claimed(Channel::Webhook, "https://hooks.example.com");
    for secrets in [vec![], vec!["hunter2".into()], vec!["whsec_c2hvcnQ=".into()], vec![new_secret(), "whsec_?".into()]] {
        let outcome = send(&egress, &links(), &claimed, &secrets, AT).await;
        assert!(matches!(&outcome, Outcome::Permanent { why } if !why.contains("hunter2")), "{outcome:?}");
    }
    assert!(check_secret(&new_secret()).is_ok());
}

#[tokio::test]
async fn a_test_is_signed_and_says_that_it_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/in", listener.local_addr().unwrap());
    let received = tokio::spawn(exchange(listener, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap();
    let recipient = claimed(Channel::Webhook, &address).recipient;
    let outcome = send_test(&egress, &links(), "Acme", &recipient, &[new_secret()], AT).await;
    assert_eq!(outcome, Outcome::Delivered { detail: "200".to_owned() });
    let request = received.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("webhook-id: test_") && head.contains("webhook-signature: v1,"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    let page = serde_json::json!({ "name": "Acme", "url": "https://status.example.com/" });
    assert_eq!((&body["type"], &body["data"]), (&Value::from("test"), &serde_json::json!({ "page": page })));
}
