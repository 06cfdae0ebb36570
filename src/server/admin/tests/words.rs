//! Templates of incidents, and postmortems.

use poem::http::Method;
use serde_json::{Value, json};

use super::Fixture;

async fn with_api() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    fixture.post("/components", json!({ "name": "Vault", "hidden": true })).await.expect(201);
    fixture
}

fn outage() -> Value {
    json!({
        "name": "Outage", "title": "Problem with {{ components }}", "body": "It is in {{ status }}.{% if signal %} {{ signal.subject }}{% endif %}",
        "status": "identified", "components": [{ "component": "api", "status": "major_outage" }],
    })
}

#[tokio::test]
async fn a_template_is_kept_changed_filled_in_and_removed() {
    let fixture = with_api().await;
    let made = fixture.post("/incident-templates", outage()).await;
    let path = made.header("location").strip_prefix("/api/admin/v1").unwrap().to_owned();
    assert_eq!(made.expect(201)["key"], "outage");
    let rendered = fixture.post(&format!("{path}/render"), json!({})).await.expect(200);
    let components = json!([{ "component": "api", "status": "major_outage" }]);
    assert_eq!(
        rendered,
        json!({ "title": "Problem with API", "body": "It is in major outage.", "status": "identified", "components": components })
    );
    let opened = fixture.post("/incidents", rendered).await.expect(201);
    assert_eq!((&opened["title"], &opened["components"]), (&json!("Problem with API"), &components));
    let other = json!({ "components": [{ "component": "vault", "status": "partial_outage" }] });
    let rendered = fixture.post(&format!("{path}/render"), other).await.expect(200);
    assert_eq!((&rendered["title"], &rendered["body"]), (&json!("Problem with our services"), &json!("It is in partial outage.")));

    let shown = fixture.get(&path).await;
    let etag = shown.header("etag").to_owned();
    shown.expect(200);
    let changed = fixture.call_with(Method::PATCH, &path, &[("if-match", &etag)], json!({ "title": "Down" })).await.expect(200);
    assert_eq!((&changed["title"], &changed["name"]), (&json!("Down"), &json!("Outage")));
    fixture.call_with(Method::PATCH, &path, &[("if-match", &etag)], json!({ "title": "Up" })).await.refused(412);
    fixture.call_with(Method::DELETE, &path, &[("if-match", &etag)], Value::Null).await.refused(412);
    assert_eq!(fixture.get("/incident-templates").await.expect(200)["items"][0], changed);
    fixture.delete(&path).await.expect(204);
    fixture.get(&path).await.refused(404);
    assert_eq!(fixture.get("/incident-templates").await.expect(200)["items"], json!([]));
    let log = fixture.get("/audit").await.expect(200);
    let actions: Vec<&str> = log["items"].as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(&actions[..3], ["incident-template.delete", "incident-template.update", "incident.create"], "filling in leaves no row");
}

#[tokio::test]
async fn a_template_that_makes_no_sense_is_refused() {
    let fixture = with_api().await;
    let with = |field: &str, value: Value| {
        let mut body = outage();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("name", json!(" ")),
        ("key", json!("No Key")),
        ("title", json!(" ")),
        ("title", json!("a\nb")),
        ("title", json!("{{ signl.subject }}")),
        ("title", json!("{{ signal.subject")),
        ("title", json!("x".repeat(2049))),
        ("body", json!("a\u{0}b")),
        ("body", json!("{{ 1 | system }}")),
        ("status", json!("resolved")),
        ("components", json!([{ "component": "apo", "status": "major_outage" }])),
    ] {
        let refused = fixture.post("/incident-templates", with(field, value.clone())).await.refused(422);
        assert!(refused[0].starts_with(field), "{field} {value}: {refused:?}");
    }
    fixture.post("/incident-templates", with("title", json!("x".repeat(2048)))).await.expect(201);
    assert_eq!(fixture.post("/incident-templates", outage()).await.refused(409), ["key"]);
    let path = format!("/incident-templates/{}", fixture.get("/incident-templates").await.expect(200)["items"][0]["id"]);
    assert_eq!(fixture.patch(&path, json!({ "title": "{% if %}", "status": "postmortem" })).await.refused(422), ["title", "status"]);
}

#[tokio::test]
async fn what_deliveries_say_is_filled_in_only_for_those_who_may_see_them() {
    let fixture = with_api().await;
    let path = fixture.post("/incident-templates", outage()).await.header("location").strip_prefix("/api/admin/v1").unwrap().to_owned();
    let render = format!("{path}/render");
    for occasion in [json!({ "delivery": 999 }), json!({ "alert": { "integration": "x", "fingerprint": "y" } })] {
        let field = occasion.as_object().unwrap().keys().next().unwrap().clone();
        assert_eq!(fixture.post(&render, occasion.clone()).await.refused(422), [field]);
        let token = fixture.token_for(&["incidents:read".parse().unwrap()]).await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        fixture.send(Method::POST, &format!("/v1{render}"), &headers, Some(&occasion.to_string())).await.refused(403);
        fixture.send(Method::POST, &format!("/v1{render}"), &headers, Some("{}")).await.expect(200);
    }
    let both = json!({ "delivery": 1, "alert": { "integration": "x", "fingerprint": "y" } });
    assert_eq!(fixture.post(&render, both).await.refused(422), ["alert"]);
}

#[tokio::test]
async fn a_postmortem_is_drafted_published_rewritten_taken_back_and_removed() {
    let fixture = with_api().await;
    let body = json!({ "title": "Down", "components": [{ "component": "api", "status": "major_outage" }] });
    let incident = format!("/incidents/{}", fixture.post("/incidents", body).await.expect(201)["id"]);
    let path = format!("{incident}/postmortem");
    fixture.put(&path, json!({ "body": "Too early." })).await.refused(409);
    fixture.post(&format!("{incident}/updates"), json!({ "status": "resolved", "body": "Over." })).await.expect(201);
    let nothing = fixture.get(&path).await;
    let etag = nothing.header("etag").to_owned();
    assert_eq!(nothing.expect(200)["draft"], Value::Null);
    fixture.post(&format!("{path}/publish"), json!({})).await.refused(409);
    fixture.post(&format!("{path}/unpublish"), Value::Null).await.refused(409);
    fixture.delete(&path).await.refused(404);

    let draft = fixture.call_with(Method::PUT, &path, &[("if-match", &etag)], json!({ "body": " It was the *cable*. " })).await.expect(200);
    assert_eq!((&draft["draft"], &draft["draft_by"], &draft["body"]), (&json!("It was the *cable*."), &json!("tests"), &Value::Null));
    fixture.call_with(Method::PUT, &path, &[("if-match", &etag)], json!({ "body": "Mine" })).await.refused(412);
    assert_eq!(fixture.put(&path, json!({ "body": " " })).await.refused(422), ["body"]);
    assert_eq!(fixture.put(&path, json!({ "body": "x".repeat(20_001) })).await.refused(422), ["body"]);
    assert_eq!(fixture.get(&incident).await.expect(200)["status"], "resolved", "a draft changes nothing");

    let published = fixture.post(&format!("{path}/publish"), json!({ "notify": true })).await.expect(200);
    assert_eq!((&published["body"], &published["draft"]), (&json!("It was the *cable*."), &Value::Null));
    let shown = fixture.get(&incident).await.expect(200);
    assert_eq!((&shown["status"], &shown["updates"][0]["status"]), (&json!("postmortem"), &json!("postmortem")));
    let entry = shown["updates"][0]["id"].clone();

    fixture.put(&path, json!({ "body": "It was the plug." })).await.expect(200);
    assert_eq!(fixture.get(&incident).await.expect(200)["updates"][0]["body"], "It was the *cable*.", "readers see what was published");
    let again = fixture.post(&format!("{path}/publish"), json!({})).await.expect(200);
    assert_eq!((&again["body"], again["edited_at"].is_string()), (&json!("It was the plug."), true));
    let shown = fixture.get(&incident).await.expect(200);
    assert_eq!((&shown["updates"][0]["id"], &shown["updates"][0]["body"]), (&entry, &json!("It was the plug.")));

    let back = fixture.post(&format!("{path}/unpublish"), Value::Null).await.expect(200);
    assert_eq!((&back["body"], &back["draft"]), (&Value::Null, &json!("It was the plug.")));
    let shown = fixture.get(&incident).await.expect(200);
    assert_eq!((&shown["status"], shown["updates"].as_array().unwrap().len()), (&json!("resolved"), 2));
    fixture.post(&format!("{path}/publish"), json!({})).await.expect(200);
    fixture.put(&path, json!({ "body": "A third" })).await.expect(200);
    fixture.delete(&path).await.expect(204);
    let left = fixture.get(&path).await.expect(200);
    assert_eq!((&left["body"], &left["draft"]), (&Value::Null, &Value::Null));
    assert_eq!(fixture.get(&incident).await.expect(200)["status"], "resolved");
}

#[tokio::test]
async fn an_update_over_a_newer_one_is_refused_if_it_says_what_it_was_written_about() {
    let fixture = with_api().await;
    let id = fixture.post("/incidents", json!({ "title": "Down" })).await.expect(201)["id"].clone();
    let path = format!("/incidents/{id}/updates");
    let etag = fixture.get(&format!("/incidents/{id}")).await.header("etag").to_owned();
    fixture.call_with(Method::POST, &path, &[("if-match", &etag)], json!({ "body": "First" })).await.expect(201);
    fixture.call_with(Method::POST, &path, &[("if-match", &etag)], json!({ "body": "Second" })).await.refused(412);
    fixture.post(&path, json!({ "body": "Whatever" })).await.expect(201);
    let document = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    let parameters = document["paths"]["/incidents/{id}/updates"]["post"]["parameters"].as_array().unwrap().clone();
    assert!(parameters.iter().any(|parameter| parameter["name"] == "If-Match"), "{parameters:?}");
}
