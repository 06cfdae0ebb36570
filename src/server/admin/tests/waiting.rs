//! What waits before it leaves, for clients that ask for that.

use poem::http::Method;
use serde_json::{Value, json};
use storage::tokens::Scope;

use super::Fixture;

#[tokio::test]
async fn an_incident_that_waits_has_its_number_and_is_not_there_until_it_leaves() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let body = json!({ "title": "Down", "components": [{ "component": "api", "status": "major_outage" }], "wait_seconds": 10 });
    let waiting = fixture.post("/incidents", body).await.expect(202);
    assert_eq!((&waiting["state"], &waiting["opens"], &waiting["id"]), (&json!("waiting"), &json!(true), &waiting["incident"]));
    assert_eq!((&waiting["since"], &waiting["leaves_at"]), (&json!("2026-05-28T20:26:40.000Z"), &json!("2026-05-28T20:26:50.000Z")));
    let (incident, path) = (format!("/incidents/{}", waiting["incident"]), format!("/waiting-acts/{}", waiting["id"]));
    fixture.get(&incident).await.refused(404);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "operational");
    assert_eq!(fixture.get(&path).await.expect(200), waiting);
    assert_eq!(fixture.get("/waiting-acts").await.expect(200)["items"], json!([waiting]));
    assert_eq!(fixture.post(&format!("{path}/publish"), Value::Null).await.expect(200)["state"], "left");
    assert_eq!(fixture.post(&format!("{path}/publish"), Value::Null).await.expect(200)["state"], "left");
    let refused = fixture.post(&format!("{path}/take-back"), Value::Null).await;
    assert_eq!(refused.body["detail"], "it has left already; post a correction");
    refused.refused(409);
    assert_eq!(fixture.get(&incident).await.expect(200)["updates"][0]["by"], "tests");
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "major_outage");
}

#[tokio::test]
async fn what_is_taken_back_is_in_the_log_and_whoever_has_the_older_version_is_told_that_something_waits() {
    let fixture = Fixture::new().await;
    let incident = format!("/incidents/{}", fixture.post("/incidents", json!({ "title": "Down" })).await.expect(201)["id"]);
    let etag = fixture.get(&incident).await.header("etag").to_owned();
    let body = json!({ "body": "We look.", "status": "identified", "wait_seconds": 60 });
    let waiting = fixture.post(&format!("{incident}/updates"), body).await.expect(202);
    let shown = fixture.get(&incident).await.expect(200);
    assert_eq!((&shown["waiting"], &shown["status"]), (&json!([waiting]), &json!("investigating")));
    let updates = format!("{incident}/updates");
    fixture.call_with(Method::POST, &updates, &[("if-match", &etag)], json!({ "body": "Me too." })).await.refused(412);
    let path = format!("/waiting-acts/{}", waiting["id"]);
    for _ in 0..2 {
        assert_eq!(fixture.post(&format!("{path}/take-back"), Value::Null).await.expect(200)["state"], "taken_back");
    }
    fixture.post(&format!("{path}/publish"), Value::Null).await.refused(409);
    let known = fixture.get(&incident).await;
    assert_eq!(known.header("etag"), etag, "as if nothing had been");
    let rows = fixture.get("/audit?action=waiting-act.take-back").await.expect(200)["items"].clone();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["before"]["body"]), (1, &json!("We look.")));
    let said = fixture.get("/audit?action=incident.update.create").await.expect(200)["items"][0]["after"].clone();
    assert_eq!(said["updates"]["wait_seconds"], 60, "{said}");
}

#[tokio::test]
async fn nothing_waits_longer_than_a_minute_and_without_the_field_everything_is_as_ever() {
    let fixture = Fixture::new().await;
    for (seconds, status) in [(0, 201), (60, 202), (61, 422), (-1, 422)] {
        let answer = fixture.post("/incidents", json!({ "title": "Down", "wait_seconds": seconds })).await;
        if status == 422 {
            assert_eq!(answer.refused(422), ["wait_seconds"], "{seconds}");
        } else {
            answer.expect(status);
        }
    }
    let draft = fixture.post("/incidents", json!({ "title": "Odd", "published": false })).await.expect(201);
    let path = format!("/incidents/{}", draft["id"]);
    assert_eq!(fixture.patch(&path, json!({ "published": true, "wait_seconds": 5 })).await.expect(202)["published"], true);
    assert_eq!(fixture.get(&path).await.expect(200)["published"], false);
    fixture.post("/waiting-acts/999/take-back", Value::Null).await.refused(404);
    let token = fixture.token_for(&["incidents:read".parse::<Scope>().unwrap()]).await;
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    fixture.send(Method::GET, "/v1/waiting-acts", &headers, None).await.expect(200);
    fixture.send(Method::POST, "/v1/waiting-acts/1/take-back", &headers, None).await.refused(403);
}
