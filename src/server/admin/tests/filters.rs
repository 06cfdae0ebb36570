//! Lists are narrowed by what stands in the document, and by nothing else.

use serde_json::{Value, json};

use super::Fixture;

/// The names of what a list answers.
async fn names(fixture: &Fixture, path: &str, name: &str) -> Vec<String> {
    let list = fixture.get(path).await.expect(200);
    list["items"].as_array().unwrap().iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn incidents_are_narrowed_by_where_they_stand_what_they_are_about_and_what_they_are_called() {
    let fixture = Fixture::new().await;
    for name in ["API", "Web"] {
        fixture.post("/components", json!({ "name": name })).await.expect(201);
    }
    let mut last = Value::Null;
    let about = |key: &str| json!([{ "component": key, "status": "partial_outage" }]);
    for (title, component, published) in [("Slow 100%", "api", true), ("Draft", "api", false), ("Over", "web", true)] {
        let body = json!({ "title": title, "components": about(component), "published": published });
        last = fixture.post("/incidents", body).await.expect(201)["id"].clone();
    }
    fixture.post(&format!("/incidents/{last}/updates"), json!({ "body": "Fine again.", "status": "resolved" })).await.expect(201);
    for (query, expected) in [
        ("", vec!["Over", "Draft", "Slow 100%"]),
        ("?state=draft", vec!["Draft"]),
        ("?state=open", vec!["Slow 100%"]),
        ("?state=past", vec!["Over"]),
        ("?component=api", vec!["Draft", "Slow 100%"]),
        ("?title=100%25", vec!["Slow 100%"]),
        ("?title=slow&component=web", vec![]),
    ] {
        assert_eq!(names(&fixture, &format!("/incidents{query}"), "title").await, expected, "{query}");
    }
    assert_eq!(fixture.get("/incidents?component=nothing").await.refused(422), ["component"]);
    assert_eq!(fixture.get("/incidents?state=gone").await.refused(400), ["state"]);
}

#[tokio::test]
async fn maintenances_are_narrowed_by_their_status_what_they_are_about_and_what_they_are_called() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let mut last = Value::Null;
    for (title, components) in [("Move", json!(["api"])), ("Paint", json!([]))] {
        let window =
            json!({ "title": title, "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-01T01:00:00Z", "components": components });
        last = fixture.post("/maintenances", window).await.expect(201)["id"].clone();
    }
    fixture.delete(&format!("/maintenances/{last}")).await.expect(204);
    for (query, expected) in [
        ("", vec!["Paint", "Move"]),
        ("?status=scheduled", vec!["Move"]),
        ("?status=cancelled", vec!["Paint"]),
        ("?component=api", vec!["Move"]),
        ("?title=AIN", vec!["Paint"]),
    ] {
        assert_eq!(names(&fixture, &format!("/maintenances{query}"), "title").await, expected, "{query}");
    }
    assert_eq!(fixture.get("/maintenances?component=nothing").await.refused(422), ["component"]);
}

#[tokio::test]
async fn tokens_and_people_are_narrowed_to_those_that_still_count() {
    let fixture = Fixture::new().await;
    for name in ["Build", "Deploy"] {
        fixture.post("/tokens", json!({ "name": name, "scopes": ["components:read"] })).await.expect(201);
    }
    fixture.delete("/tokens/2").await.expect(204);
    assert_eq!(names(&fixture, "/tokens?valid=false", "name").await, ["Build"]);
    assert_eq!(names(&fixture, "/tokens?valid=true", "name").await, ["tests", "Deploy"]);
    assert_eq!(names(&fixture, "/tokens?name=PLO", "name").await, ["Deploy"]);
    let many: Value = fixture.get("/tokens?valid=true&limit=1").await.expect(200);
    let next = format!("/tokens?valid=true&limit=1&cursor={}", many["next"].as_str().unwrap());
    assert_eq!(names(&fixture, &next, "name").await, ["Deploy"]);

    let mut tx = fixture.admin.db.begin().await.unwrap();
    for email in ["ada@example.com", "eve@example.com"] {
        let new = storage::users::NewUser { email, name: email, role: domain::Role::Viewer, password: None };
        let id = storage::users::create(&mut tx, &new, super::NOW).await.unwrap();
        if email.starts_with("eve") {
            storage::users::set_disabled(&mut tx, id, Some(super::NOW)).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    assert_eq!(names(&fixture, "/users?disabled=true", "email").await, ["eve@example.com"]);
    assert_eq!(names(&fixture, "/users?disabled=false", "email").await, ["ada@example.com"]);
}
