//! What was done stands in the log, and nothing secret does.

use std::time::Duration;

use poem::http::Method;
use serde_json::{Value, json};
use storage::audit;

use super::Fixture;

impl Fixture {
    /// Waits for rows of an action.
    async fn wait_for(&self, action: &str) -> Value {
        for _ in 0..500 {
            let rows = self.get(&format!("/audit?action={action}")).await.expect(200);
            if rows["items"].as_array().is_some_and(|rows| !rows.is_empty()) {
                return rows["items"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{action} never came");
    }
}

#[tokio::test]
async fn every_act_stands_in_the_log_with_what_was_before_and_after() {
    let fixture = Fixture::new().await;
    let id = fixture.post("/components", json!({ "name": "API", "hidden": false })).await.expect(201)["id"].clone();
    fixture.patch(&format!("/components/{id}"), json!({ "name": "API 2" })).await.expect(200);
    fixture.put(&format!("/components/{id}/override"), json!({ "status": "major_outage" })).await.expect(200);
    let incident = fixture.post("/incidents", json!({ "title": "Down" })).await.expect(201)["id"].clone();
    fixture.post(&format!("/incidents/{incident}/updates"), json!({ "body": "We look." })).await.expect(201);
    fixture.delete(&format!("/components/{id}")).await.expect(204);
    fixture.patch("/components/77", json!({ "name": "x" })).await.refused(404);
    let rows = fixture.get("/audit").await.expect(200)["items"].clone();
    let said: Vec<(&str, &str)> =
        rows.as_array().unwrap().iter().map(|row| (row["action"].as_str().unwrap(), row["resource"].as_str().unwrap())).collect();
    let (component, incident) = (format!("component:{id}"), format!("incident:{incident}"));
    let expected = [
        ("component.delete", component.as_str()),
        ("incident.update.create", &incident),
        ("incident.create", &incident),
        ("component.override.set", &component),
        ("component.update", &component),
        ("component.create", &component),
    ];
    assert_eq!(said, expected);
    assert_eq!((&rows[4]["before"], &rows[4]["after"]), (&json!({ "name": "API" }), &json!({ "name": "API 2" })));
    assert_eq!((&rows[0]["before"]["name"], &rows[0]["after"]), (&json!("API 2"), &Value::Null));
    assert_eq!((&rows[5]["actor"], &rows[5]["name"], &rows[5]["via"]), (&json!("token:1"), &json!("tests"), &json!("token:1")));
    assert_eq!(fixture.get(&format!("/audit?resource={component}&action=component.update")).await.expect(200)["items"], json!([rows[4]]));
    assert_eq!(fixture.get(&format!("/audit/{}", rows[4]["id"])).await.expect(200), rows[4]);
    assert_eq!(fixture.get("/audit?from=2026-05-28T20:26:40.001Z").await.expect(200)["items"], json!([]));
    assert_eq!(fixture.get("/audit?sort=id").await.refused(400), ["sort"]);
    assert!(audit::verify(&fixture.admin.db, &fixture.admin.secrets, None).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_repeat_is_one_act_and_no_secret_is_in_the_log() {
    let fixture = Fixture::new().await;
    let key = [("idempotency-key", "1")];
    for _ in 0..2 {
        let body = json!({ "name": "ci", "scopes": ["page:read"] });
        fixture.call_with(Method::POST, "/tokens", &key, body).await.expect(201);
    }
    let hook = json!({ "key": "hook", "provider": "alertmanager", "secrets": [{ "value": "marker-of-an-integration-secret" }] });
    let id = fixture.post("/integrations", hook).await.expect(201)["id"].clone();
    fixture.post(&format!("/integrations/{id}/secrets"), json!({ "value": "marker-number-two-1234" })).await.expect(201);
    let subscriber = json!({ "channel": "webhook", "address": "https://marker.example.com/in" });
    let subscriber = fixture.post("/subscribers", subscriber).await.expect(201)["id"].clone();
    fixture.delete(&format!("/subscribers/{subscriber}")).await.expect(204);
    let rows = fixture.get("/audit").await.expect(200);
    assert_eq!(rows["items"].as_array().unwrap().len(), 5, "{rows}");
    assert!(!rows.to_string().contains("marker"), "{rows}");
    let export = fixture.get("/audit/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let text = export.expect(200).as_str().unwrap().to_owned();
    assert_eq!(text.lines().count(), 5);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["hash"].is_string()));
    let table = fixture.get("/audit/export?format=csv&action=token.create").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let table = table.expect(200).as_str().unwrap().to_owned();
    assert!(table.starts_with("id,at,actor,") && table.lines().count() == 2, "{table}");
}

#[tokio::test]
async fn strangers_who_try_tokens_make_one_row_and_no_more() {
    let fixture = Fixture::new().await;
    for _ in 0..15 {
        fixture.send(Method::GET, "/v1/me", &[("authorization", "Bearer fanal_wrong")], None).await.refused(401);
    }
    let bearer = format!("Bearer {}", fixture.token_for(&["page:read".parse().unwrap()]).await);
    fixture.send(Method::GET, "/v1/tokens", &[("authorization", &bearer)], None).await.refused(403);
    let row = fixture.wait_for("authentication.failed").await;
    assert_eq!((&row["actor"], &row["via"]), (&json!("anonymous"), &json!("nothing")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rows = fixture.get("/audit").await.expect(200);
    let n = rows["items"].as_array().unwrap().len();
    assert!((1..=2).contains(&n), "{rows}");
}
