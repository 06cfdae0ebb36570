//! What is done to several things at once, and lists in an order.

use domain::{NotificationId, Role};
use poem::http::Method;
use serde_json::{Value, json};
use storage::{
    audit::By,
    notifications::{self, Ended, Next},
};

use super::{Fixture, NOW};
use crate::admin::{Actor, MAX_AT_ONCE, Operations};

async fn ids_of(fixture: &Fixture, path: &str, bodies: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut ids = Vec::new();
    for body in bodies {
        ids.push(fixture.post(path, body).await.expect(201)["id"].clone());
    }
    ids
}

async fn components(fixture: &Fixture, n: usize) -> Vec<Value> {
    ids_of(fixture, "/components", (0..n).map(|i| json!({ "name": format!("Part {i}") }))).await
}

fn webhook(i: usize) -> Value {
    json!({ "channel": "webhook", "address": format!("https://hooks.example.com/{i}") })
}

/// The newest entry of the log.
async fn last(fixture: &Fixture) -> Value {
    fixture.get("/audit?limit=1").await.expect(200)["items"][0].clone()
}

#[tokio::test]
async fn as_many_as_are_allowed_are_changed_at_once_and_one_more_is_refused() {
    let fixture = Fixture::new().await;
    let mut tx = fixture.admin.db.begin().await.unwrap();
    for i in 0..=MAX_AT_ONCE {
        let address = format!("https://hooks.example.com/{i}");
        let new =
            storage::subscribers::NewSubscriber { channel: domain::Channel::Webhook, address: &address, secret: None, components: None };
        storage::subscribers::insert(&mut tx, &fixture.admin.secrets, &new, NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ids: Vec<usize> = (1..=MAX_AT_ONCE + 1).collect();
    for path in ["/subscribers/delete", "/subscribers/enable", "/incidents/discard", "/deliveries/replay", "/notifications/resend"] {
        assert_eq!(fixture.post(path, json!({ "ids": ids })).await.refused(422)[0], "ids", "{path}");
        assert_eq!(fixture.post(path, json!({ "ids": [] })).await.refused(422), ["ids"], "{path}");
        assert_eq!(fixture.post(path, json!({ "ids": [1, 1] })).await.refused(422)[0], "ids[1]", "{path}");
    }
    assert_eq!(fixture.put("/components/overrides", json!({ "ids": ids, "status": null })).await.refused(422), ["ids"]);
    fixture.post("/subscribers/delete", json!({ "ids": ids[..MAX_AT_ONCE] })).await.expect(204);
    let left = fixture.get("/subscribers").await.expect(200);
    assert_eq!((left["items"].as_array().unwrap().len(), &left["items"][0]["id"]), (1, &json!(MAX_AT_ONCE + 1)));
    let entry = last(&fixture).await;
    assert_eq!((&entry["action"], entry["before"].as_array().unwrap().len()), (&json!("subscriber.delete"), MAX_AT_ONCE));
}

#[tokio::test]
async fn where_one_does_not_fit_nothing_is_done() {
    let fixture = Fixture::new().await;
    let parts = components(&fixture, 2).await;
    let hooks = ids_of(&fixture, "/subscribers", (0..2).map(webhook)).await;
    let drafts = [json!({ "title": "A", "published": false }), json!({ "title": "B", "published": false }), json!({ "title": "C" })];
    let incidents = ids_of(&fixture, "/incidents", drafts.into_iter()).await;
    let before = last(&fixture).await["id"].clone();
    assert_eq!(fixture.post("/subscribers/delete", json!({ "ids": [hooks[0], 99] })).await.refused(422), ["ids[1]"]);
    assert_eq!(fixture.post("/subscribers/enable", json!({ "ids": [99, hooks[0]] })).await.refused(422), ["ids[0]"]);
    let refused = fixture.post("/incidents/discard", json!({ "ids": [incidents[0], incidents[2], 99] })).await;
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains("is published"));
    assert_eq!(refused.refused(422), ["ids[1]", "ids[2]"]);
    let word = |ids: Value, status: Value| json!({ "ids": ids, "status": status, "until": "2020-01-01T00:00:00.000Z" });
    assert_eq!(fixture.put("/components/overrides", word(json!([parts[0], 99]), json!("unknown"))).await.refused(422), ["ids[1]"]);
    assert_eq!(fixture.put("/components/overrides", word(json!(parts), json!("unknown"))).await.refused(422), ["until"]);
    assert_eq!(
        fixture.put("/components/overrides", json!({ "ids": parts })).await.refused(422),
        ["status"],
        "nothing is taken back unsaid"
    );
    assert_eq!(last(&fixture).await["id"], before, "what is not done is not in the log");
    assert_eq!(fixture.get("/subscribers").await.expect(200)["items"].as_array().unwrap().len(), 2);

    fixture.post("/incidents/discard", json!({ "ids": incidents[..2] })).await.expect(204);
    let entry = last(&fixture).await;
    let expected = (json!("incident.discard"), json!("B"), json!({ "ids": incidents[..2] }));
    assert_eq!((entry["action"].clone(), entry["before"][1]["title"].clone(), entry["after"].clone()), expected);
    let left = fixture.get("/incidents").await.expect(200);
    assert_eq!((left["items"].as_array().unwrap().len(), &left["items"][0]["title"]), (1, &json!("C")));
}

#[tokio::test]
async fn several_components_are_overruled_until_a_time_and_given_back() {
    let fixture = Fixture::new().await;
    let parts = components(&fixture, 3).await;
    let until = NOW.plus(domain::Span::mins(60)).to_string();
    let body = json!({ "ids": parts[..2], "status": "major_outage", "until": until });
    let shown = fixture.put("/components/overrides", body).await.expect(200);
    let said = |list: &Value| list["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect::<Vec<_>>();
    assert_eq!(said(&shown), ["major_outage", "major_outage"]);
    assert_eq!((&shown["items"][1]["override"]["until"], &shown["items"][1]["override"]["by"]), (&json!(until), &json!("tests")));
    assert_eq!(last(&fixture).await["action"], "component.override.set");
    fixture.patch("/components", json!([{ "id": parts[0], "hidden": true }])).await.expect(200);
    let before = last(&fixture).await["before"].clone();
    assert_eq!(before, json!([{ "id": parts[0], "group": null, "hidden": false }]), "no more than it changes");
    fixture.put("/components/overrides", json!({ "ids": parts, "status": null })).await.expect(200);
    assert_eq!(said(&fixture.get("/components").await.expect(200)), ["operational"; 3]);
}

/// Operators set overrides and write no components; editors the other way round.
#[tokio::test]
async fn a_person_needs_the_permission_that_their_role_knows() {
    let fixture = Fixture::new().await;
    let parts = components(&fixture, 1).await;
    let operations = Operations::new(&fixture.admin);
    let by = By::system();
    let actor = |role| Actor { by: by.clone(), name: "Ada", role };
    let body = json!({ "ids": parts, "status": "unknown" });
    let put = async |role, path: &str, body: &Value| operations.call(actor(role), Method::PUT, path, Some(body)).await;
    let one = format!("/components/{}/override", parts[0]);
    assert!(put(Role::Operator, "/components/overrides", &body).await.is_ok());
    assert!(put(Role::Operator, &one, &json!({ "status": "operational" })).await.is_ok());
    for role in [Role::Editor, Role::Viewer] {
        assert_eq!(put(role, "/components/overrides", &body).await.unwrap_err().status, 403);
        assert_eq!(put(role, &one, &json!({ "status": "operational" })).await.unwrap_err().status, 403);
    }
}

#[tokio::test]
async fn of_those_that_are_named_only_dead_notifications_go_out_again() {
    let fixture = Fixture::new().await;
    ids_of(&fixture, "/subscribers", (0..2).map(webhook)).await;
    fixture.post("/incidents", json!({ "title": "Down" })).await.expect(201);
    let admin = &fixture.admin;
    let claimed = notifications::claim(&admin.db, &admin.secrets, NotificationId(1), 1, NOW).await.unwrap().unwrap().0;
    let ended = Ended {
        notification: NotificationId(1),
        subscriber: claimed.recipient.subscriber,
        attempt: 1,
        at: NOW,
        took: domain::Span(12),
        outcome: "permanent",
        detail: "410",
        next: Next::Dead,
    };
    notifications::record(&admin.db, &ended).await.unwrap();
    assert_eq!(fixture.post("/notifications/resend", json!({})).await.refused(422), ["since"]);
    let both = json!({ "ids": [1], "since": NOW.to_string() });
    assert_eq!(fixture.post("/notifications/resend", both).await.refused(422), ["since"]);
    let dry = fixture.post("/notifications/resend", json!({ "ids": [1, 2, 99], "dry_run": true })).await.expect(202);
    assert_eq!((&dry["resent"], &dry["dry_run"]), (&json!(1), &json!(true)));
    let resent = fixture.post("/notifications/resend", json!({ "ids": [1, 2, 99], "wait_seconds": 10 })).await.expect(202);
    assert_eq!(resent["resent"], 1);
    assert_eq!((&last(&fixture).await["action"], &last(&fixture).await["after"]["n"]), (&json!("notification.resend"), &json!(1)));
    let undone = fixture.post("/notifications/resend/undo", json!({ "at": resent["at"] })).await.expect(202);
    assert_eq!(undone["taken_back"], 1);
}

#[tokio::test]
async fn deliveries_that_are_named_are_looked_at_again_and_no_condition_goes_beside_them() {
    let fixture = Fixture::new().await;
    let body = json!({ "ids": [1], "state": "ignored", "limit": 3, "after": 0 });
    assert_eq!(fixture.post("/deliveries/replay", body).await.refused(422), ["state", "after", "limit"]);
    let none = fixture.post("/deliveries/replay", json!({ "ids": [1, 2] })).await.expect(202);
    assert_eq!((&none["replayed"], &none["more"]), (&json!(0), &json!(false)));
    let before = last(&fixture).await["id"].clone();
    fixture.post("/deliveries/replay", json!({ "ids": [1, 2], "dry_run": true })).await.expect(202);
    assert_eq!(last(&fixture).await["id"], before);
}

/// Every page of a list, in an order.
async fn paged(fixture: &Fixture, path: &str, sort: &str, field: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.get(&format!("{path}?limit=2&sort={sort}{cursor}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()));
        let Some(next) = page["next"].as_str() else { return seen };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn a_list_pages_in_every_order_that_it_has() {
    let fixture = Fixture::new().await;
    for (key, name) in [("a", "beta"), ("b", "Alpha"), ("c", "Beta"), ("d", "ALPHA"), ("e", "gamma")] {
        fixture.post("/components", json!({ "key": key, "name": name })).await.expect(201);
        fixture.post("/integrations", json!({ "key": key, "provider": "alertmanager", "name": name })).await.expect(201);
        fixture.post("/tokens", json!({ "name": name, "scopes": ["page:read"] })).await.expect(201);
        fixture.post("/subscribers", json!({ "channel": "email", "address": format!("{key}@example.com") })).await.expect(201);
    }
    for path in ["/components", "/integrations"] {
        assert_eq!(paged(&fixture, path, "name", "key").await, ["b", "d", "a", "c", "e"], "{path}");
        assert_eq!(paged(&fixture, path, "-name", "key").await, ["e", "c", "a", "d", "b"], "{path}");
        assert_eq!(paged(&fixture, path, "-id", "key").await, ["e", "d", "c", "b", "a"], "{path}");
    }
    assert_eq!(paged(&fixture, "/components", "-status_since", "key").await, ["e", "d", "c", "b", "a"]);
    assert_eq!(paged(&fixture, "/integrations", "-key", "key").await, ["e", "d", "c", "b", "a"]);
    assert_eq!(paged(&fixture, "/tokens", "name", "name").await, ["Alpha", "ALPHA", "beta", "Beta", "gamma", "tests"]);
    assert_eq!(paged(&fixture, "/tokens", "-last_used_at", "name").await[0], "tests", "the only one that was ever used");
    let back: Vec<String> = ["e", "d", "c", "b", "a"].iter().map(|key| format!("{key}@example.com")).collect();
    assert_eq!(paged(&fixture, "/subscribers", "-address", "address").await, back);
    assert_eq!(paged(&fixture, "/subscribers", "-id", "address").await, back);
    for path in ["/deliveries", "/notifications", "/users"] {
        assert!(paged(&fixture, path, "id", "id").await.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn an_order_that_a_list_has_not_is_refused_and_so_is_the_cursor_of_another_order() {
    let fixture = Fixture::new().await;
    components(&fixture, 3).await;
    for sort in ["", "position", "-", "name,id", "NAME"] {
        assert_eq!(fixture.get(&format!("/components?sort={sort}")).await.refused(400), ["sort"], "{sort}");
    }
    assert_eq!(fixture.get("/deliveries?sort=received_at").await.refused(400), ["sort"]);
    let next = |page: Value| page["next"].as_str().unwrap().to_owned();
    let by_name = next(fixture.get("/components?limit=1&sort=name").await.expect(200));
    let by_id = next(fixture.get("/components?limit=1").await.expect(200));
    let long = async |n: usize| fixture.get(&format!("/components?cursor={}", "x".repeat(n))).await.body["detail"].to_string();
    assert!(
        long(crate::admin::cursor::MAX_CHARS).await.contains("is not the")
            && long(crate::admin::cursor::MAX_CHARS + 1).await.contains("is longer")
    );
    let pattern = fixture.send(Method::GET, "/openapi.json", &[], None).await.expect(200);
    assert!(pattern["paths"]["/components"]["get"]["parameters"].to_string().contains("\"-status_since\""));
    for (query, cursor) in [("sort=-name", &by_name), ("sort=status_since", &by_name), ("sort=name", &by_id), ("sort=id", &by_name)] {
        assert_eq!(fixture.get(&format!("/components?{query}&cursor={cursor}")).await.refused(422), ["cursor"], "{query}");
    }
}

#[tokio::test]
async fn deliveries_are_listed_between_two_times() {
    let fixture = Fixture::new().await;
    let at = |minutes: i64| NOW.plus(domain::Span::mins(minutes)).to_string();
    assert_eq!(fixture.get(&format!("/deliveries?from={}&to={}", at(1), at(0))).await.refused(422), ["to"]);
    assert_eq!(fixture.get("/deliveries?from=yesterday").await.refused(400), ["from"]);
    let none = fixture.get(&format!("/deliveries?from={}&to={}&sort=id", at(0), at(1))).await.expect(200);
    assert_eq!(none["items"], json!([]));
}

#[tokio::test]
async fn what_is_only_tried_says_what_it_would_do_and_does_nothing() {
    let fixture = Fixture::new().await;
    let part = components(&fixture, 1).await.remove(0);
    let subscriber = ids_of(&fixture, "/subscribers", [json!({ "channel": "email", "address": "a@example.com" })].into_iter()).await;
    let draft = ids_of(&fixture, "/incidents", [json!({ "title": "Draft", "published": false })].into_iter()).await;
    let before = last(&fixture).await;
    let word = json!({ "ids": [part], "status": "major_outage", "dry_run": true });
    let would = fixture.put("/components/overrides", word).await.expect(200);
    assert_eq!(would["items"][0]["status"], "major_outage");
    fixture.post("/subscribers/delete", json!({ "ids": subscriber, "dry_run": true })).await.expect(204);
    fixture.post("/subscribers/enable", json!({ "ids": subscriber, "dry_run": true })).await.expect(200);
    assert_eq!(fixture.post("/subscribers/delete", json!({ "ids": [99], "dry_run": true })).await.refused(422), ["ids[0]"]);
    fixture.post("/incidents/discard", json!({ "ids": draft, "dry_run": true })).await.expect(204);
    assert_eq!(fixture.get(&format!("/components/{part}")).await.expect(200)["status"], "operational");
    fixture.get(&format!("/subscribers/{}", subscriber[0])).await.expect(200);
    fixture.get(&format!("/incidents/{}", draft[0])).await.expect(200);
    assert_eq!(last(&fixture).await, before, "and leaves no row in the audit log");
}
