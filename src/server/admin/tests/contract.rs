//! What holds for every operation: errors, pages of lists, marks of states, keys that make repeats harmless, and the document.

use poem::http::Method;
use serde_json::{Value, json};

use super::Fixture;

#[tokio::test]
async fn every_error_names_its_fields_and_all_of_them_at_once() {
    let fixture = Fixture::new().await;
    let refused = fixture.post("/components", json!({ "nme": "API", "position": "first", "hidden": null, "description": 7 })).await;
    let mut fields = refused.refused(422);
    fields.sort();
    assert_eq!(fields, ["description", "hidden", "name", "nme", "position"]);
    let body = json!({ "key": "No Key", "name": " ", "group": "nowhere", "description": "x".repeat(2001) });
    assert_eq!(fixture.post("/components", body).await.refused(422), ["name", "key", "description", "group"]);
    assert_eq!(fixture.post("/components", json!([])).await.refused(422), [""]);
    assert_eq!(fixture.post("/components", json!({ "name": "API", "position": 3_000_000_000_i64 })).await.refused(422), ["position"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_from_what_does_not_fit() {
    let fixture = Fixture::new().await;
    let bearer = format!("Bearer {}", fixture.token);
    let json_headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let post = |headers: &'static [(&'static str, &'static str)], body: String| {
        let all: Vec<(&str, &str)> = std::iter::once(("authorization", bearer.as_str())).chain(headers.iter().copied()).collect();
        let fixture = &fixture;
        async move { fixture.send(Method::POST, "/v1/components", &all, Some(&body)).await }
    };
    let malformed = fixture.send(Method::POST, "/v1/components", &json_headers, Some("{\"name\": \n \"API\",}")).await;
    assert!(malformed.body["detail"].as_str().unwrap().contains("line 2 column 8"), "{}", malformed.body);
    malformed.refused(400);
    post(&[("content-type", "application/json")], String::new()).await.refused(400);
    post(&[("content-type", "text/plain")], "{}".to_owned()).await.refused(415);
    post(&[], "{}".to_owned()).await.refused(415);
    post(&[("content-type", "application/json")], format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20))).await.refused(413);
    assert_eq!(fixture.get("/components?limt=3").await.refused(400), ["limt"]);
    assert_eq!(fixture.get("/components?limit=3&limit=4").await.refused(400), ["limit"]);
    for bad in ["0", "201", "x", ""] {
        assert_eq!(fixture.get(&format!("/components?limit={bad}")).await.refused(400), ["limit"], "{bad}");
    }
    assert_eq!(fixture.get("/components?cursor=abc").await.refused(400), ["cursor"]);
    assert_eq!(fixture.get("/deliveries?state=lost").await.refused(400), ["state"]);
    for path in ["/nothing", "/components/1", "/components/x", "/components/1/nothing", "/components/1%2f"] {
        fixture.get(path).await.refused(404);
    }
    let wrong = fixture.put("/components", json!({})).await;
    assert_eq!(wrong.header("allow"), "GET, POST, PATCH");
    wrong.refused(405);
    fixture.send(Method::GET, "/nothing", &[], None).await.refused(404);
    fixture.send(Method::POST, "/openapi.json", &[], None).await.refused(405);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_nothing_twice() {
    let fixture = Fixture::new().await;
    for i in 0..5 {
        fixture.post("/components", json!({ "name": format!("Part {i}") })).await.expect(201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&format!("/components?limit=2{cursor}")).await.expect(200);
        let keys = page["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned());
        seen.extend(keys);
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["part-0", "part-1", "part-2", "part-3", "part-4"]);
}

#[tokio::test]
async fn who_has_seen_another_state_changes_nothing() {
    let fixture = Fixture::new().await;
    let made = fixture.post("/components", json!({ "name": "API" })).await;
    let location = made.header("location").strip_prefix("/api/admin/v1").unwrap().to_owned();
    made.expect(201);
    let shown = fixture.get(&location).await;
    let etag = shown.header("etag").to_owned();
    shown.expect(200);
    let weak = format!("W/{etag}");
    fixture.call_with(Method::GET, &location, &[("if-none-match", &weak)], Value::Null).await.expect(304);
    let changed = fixture.call_with(Method::PATCH, &location, &[("if-match", &etag)], json!({ "name": "API 2" })).await;
    assert_ne!(changed.header("etag"), etag);
    let newer = changed.header("etag").to_owned();
    changed.expect(200);
    fixture.call_with(Method::PATCH, &location, &[("if-match", &etag)], json!({ "name": "API 3" })).await.refused(412);
    fixture.call_with(Method::DELETE, &location, &[("if-match", &etag)], Value::Null).await.refused(412);
    assert_eq!(fixture.get(&location).await.expect(200)["name"], "API 2");
    fixture.call_with(Method::DELETE, &location, &[("if-match", &newer)], Value::Null).await.expect(204);
    fixture.get(&location).await.refused(404);
}

#[tokio::test]
async fn a_repeat_under_the_same_key_is_answered_and_not_done() {
    let fixture = Fixture::new().await;
    let key = [("idempotency-key", "6f1a")];
    let body = json!({ "name": "ci", "scopes": ["page:read"] });
    let first = fixture.call_with(Method::POST, "/tokens", &key, body.clone()).await;
    let second = fixture.call_with(Method::POST, "/tokens", &key, body).await;
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(first.expect(201), second.expect(201));
    let incident = fixture.post("/incidents", json!({ "title": "Down", "published": false })).await.expect(201)["id"].clone();
    let publish =
        async || fixture.call_with(Method::POST, &format!("/incidents/{incident}/publish"), &[("idempotency-key", "p")], Value::Null).await;
    let (once, twice) = (publish().await, publish().await);
    assert_eq!((once.header("etag"), twice.header("idempotency-replayed")), (twice.header("etag"), "true"));
    assert!(once.header("etag").starts_with('"'));
    let other = json!({ "name": "other", "scopes": ["page:read"] });
    assert_eq!(fixture.call_with(Method::POST, "/tokens", &key, other).await.refused(422), ["Idempotency-Key"]);
    assert_eq!(fixture.get("/tokens").await.expect(200)["items"].as_array().unwrap().len(), 2);
    let refused = fixture.call_with(Method::POST, "/tokens", &[("idempotency-key", "7")], json!({})).await;
    refused.refused(422);
    fixture.call_with(Method::POST, "/tokens", &[("idempotency-key", "7")], json!({ "name": "a", "scopes": ["*"] })).await.expect(201);
    fixture.call_with(Method::POST, "/tokens", &[("idempotency-key", "a b")], json!({})).await.refused(400);
}

#[tokio::test]
async fn a_secret_that_is_shown_once_is_nowhere_in_the_database() {
    let fixture = Fixture::new().await;
    let body = json!({ "name": "ci", "scopes": ["page:read"] });
    let made = fixture.call_with(Method::POST, "/tokens", &[("idempotency-key", "once")], body).await.expect(201);
    let hook = json!({ "key": "hook", "provider": "alertmanager", "secrets": [{ "value": "marker-of-an-integration-secret" }] });
    fixture.post("/integrations", hook).await.expect(201);
    let subscriber = fixture.post("/subscribers", json!({ "channel": "webhook", "address": "https://example.com/in" })).await.expect(201);
    let secrets = [made["token"].as_str().unwrap(), "marker-of-an-integration-secret", subscriber["secret"].as_str().unwrap()];
    fixture.admin.db.close().await;
    for file in std::fs::read_dir(&fixture.folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
        }
    }
}

#[tokio::test]
async fn the_document_is_whole_and_the_page_runs_nothing() {
    let fixture = Fixture::new().await;
    let document = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(document["servers"][0]["url"], "https://status.example.com/api/admin/v1");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    assert_eq!(document["components"]["schemas"]["NewComponent"]["additionalProperties"], false);
    let page = fixture.send(Method::GET, "/docs", &[], None).await;
    assert!(page.header("content-type").starts_with("text/html"));
    let html = page.expect(200).as_str().unwrap().to_owned();
    assert!(html.contains("/components/{id}/override") && !html.contains("<script") && !html.contains("style=") && !html.contains("://"));
}

/// What schemathesis found: PostgreSQL holds no NUL, and a list of names holds no null.
#[tokio::test]
async fn a_filter_takes_no_nul_and_null_is_a_name_where_it_may_stand_for_none() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(201);
    for (path, name) in [("/subscribers?address=", "address"), ("/users?email=", "email"), ("/audit?actor=", "actor")] {
        for text in ["%00", &long] {
            assert_eq!(fixture.get(&format!("{path}{text}")).await.refused(400), [name]);
        }
    }
    let document = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    let severity = &document["components"]["schemas"]["Route"]["properties"]["minimum_severity"];
    assert!(severity["enum"].as_array().unwrap().contains(&Value::Null), "{severity}");
}
