//! Incidents, maintenances, deliveries and notifications.

use domain::{DeliveryId, IntegrationId, NewDelivery, NotificationId, Severity, Signal, SignalState, plan_signal};
use serde_json::{Value, json};
use storage::{
    Inbox,
    deliveries::DeliveryState,
    fates::{self, Fate},
    notifications::{self, Ended, Next},
};

use super::{Fixture, NOW};

#[tokio::test]
async fn an_incident_is_opened_updated_resolved_and_written_up() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let body =
        json!({ "title": "API is slow", "body": "We look into it.", "components": [{ "component": "api", "status": "partial_outage" }] });
    let opened = fixture.post("/incidents", body).await;
    let location = opened.header("location").strip_prefix("/api/admin/v1").unwrap().to_owned();
    let opened = opened.expect(201);
    assert_eq!((&opened["status"], &opened["impact"], &opened["published"]), (&json!("investigating"), &json!("major"), &json!(true)));
    assert_eq!(opened["updates"][0]["components"], json!([{ "component": "api", "from": "operational", "to": "partial_outage" }]));
    assert_eq!(opened["updates"][0]["by"], "tests");
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "partial_outage");
    let update = fixture.post(&format!("{location}/updates"), json!({ "status": "resolved", "body": "It is over." })).await;
    let at = update.header("location").strip_prefix("/api/admin/v1").unwrap().to_owned();
    assert_eq!(fixture.get(&at).await.expect(200), update.expect(201));
    let shown = fixture.get(&location).await.expect(200);
    assert_eq!((&shown["status"], &shown["resolved_at"]), (&json!("resolved"), &json!("2026-05-28T20:26:40.000Z")));
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "operational");
    fixture.post(&format!("{location}/updates"), json!({ "status": "postmortem", "body": "What we learnt." })).await.expect(201);
    let changes = fixture.get(&format!("{location}/changes")).await.expect(200);
    assert_eq!(changes["items"][0]["why"]["text"], "tests updated the incident \"API is slow\"");
    let listed = fixture.get("/incidents").await.expect(200);
    assert_eq!((&listed["items"][0]["title"], &listed["items"][0]["updates"]), (&json!("API is slow"), &Value::Null));
    fixture.delete(&location).await.expect(204);
    fixture.get(&location).await.refused(404);
}

#[tokio::test]
async fn a_draft_is_published_once_and_an_incident_that_does_not_fit_is_refused() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let draft = fixture.post("/incidents", json!({ "title": "Odd", "published": false })).await.expect(201);
    let path = format!("/incidents/{}", draft["id"]);
    assert_eq!(fixture.post(&format!("{path}/publish"), Value::Null).await.expect(200)["published"], true);
    assert_eq!(fixture.post(&format!("{path}/publish"), Value::Null).await.expect(200)["updates"].as_array().unwrap().len(), 2);
    assert_eq!(fixture.patch(&path, json!({ "published": false })).await.refused(422), ["published"]);
    assert_eq!(fixture.patch(&path, json!({ "title": "Odder" })).await.expect(200)["updates"].as_array().unwrap().len(), 2);
    let body = json!({ "title": "", "body": "x".repeat(20_001), "components": [{ "component": "api", "status": "operational" }, { "component": "api", "status": "unknown" }, { "component": "no", "status": "unknown" }] });
    assert_eq!(
        fixture.post("/incidents", body).await.refused(422),
        ["title", "body", "components[1].component", "components[2].component"]
    );
    assert_eq!(fixture.post(&format!("{path}/updates"), json!({ "body": " " })).await.refused(422), ["body"]);
    fixture.post("/incidents/999/updates", json!({ "body": "x" })).await.refused(404);
}

#[tokio::test]
async fn a_maintenance_is_announced_moved_and_called_off() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let window = |from: &str, to: &str| json!({ "title": "Upgrade", "starts_at": from, "ends_at": to, "components": ["api"] });
    let made = fixture.post("/maintenances", window("2026-06-01T00:00:00Z", "2026-06-01T02:00:00Z")).await.expect(201);
    assert_eq!((&made["status"], &made["components"]), (&json!("scheduled"), &json!(["api"])));
    let path = format!("/maintenances/{}", made["id"]);
    assert_eq!(fixture.patch(&path, json!({ "ends_at": "2026-05-31T00:00:00Z" })).await.refused(422), ["ends_at"]);
    assert_eq!(fixture.patch(&path, json!({ "ends_at": "2026-06-01T03:00:00Z" })).await.expect(200)["ends_at"], "2026-06-01T03:00:00.000Z");
    assert_eq!(fixture.post("/maintenances", window("2026-06-01T00:00:00Z", "2026-05-01T00:00:00Z")).await.refused(422), ["ends_at"]);
    assert_eq!(fixture.post("/maintenances", json!({ "title": "x" })).await.refused(422), ["starts_at", "ends_at"]);
    fixture.delete(&path).await.expect(204);
    assert_eq!(fixture.get(&path).await.expect(200)["status"], "cancelled");
    fixture.patch(&path, json!({ "title": "Too late" })).await.refused(409);
    let running = json!({ "title": "Now", "status": "in_progress", "starts_at": "2026-05-28T20:00:00Z", "ends_at": "2026-05-28T21:00:00Z", "components": ["api"] });
    let running = fixture.post("/maintenances", running).await.expect(201);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "under_maintenance");
    fixture.delete(&format!("/maintenances/{}", running["id"])).await.refused(409);
    fixture.patch(&format!("/maintenances/{}", running["id"]), json!({ "status": "completed" })).await.expect(200);
    assert_eq!(fixture.get("/maintenances").await.expect(200)["items"].as_array().unwrap().len(), 2);
}

async fn deliver(fixture: &Fixture, integration: i64, bodies: &[&[u8]]) {
    let (inbox, task) = Inbox::open(fixture.admin.db.clone(), fixture.admin.wake.clone());
    for (i, body) in bodies.iter().enumerate() {
        let delivery = NewDelivery {
            integration: IntegrationId(integration),
            external_id: format!("delivery-{i}"),
            headers: vec![("content-type".into(), "text/plain".into()), ("via".into(), "a".into()), ("via".into(), "b".into())],
            body: body.to_vec(),
            received_at: NOW,
        };
        inbox.insert(delivery).await.unwrap();
    }
    drop(inbox);
    task.await.unwrap();
}

async fn quarantine(fixture: &Fixture, integration: i64, ids: &[i64]) {
    let fate = |(i, id): (usize, &i64)| Fate {
        delivery: DeliveryId(*id),
        integration: IntegrationId(integration),
        state: DeliveryState::Quarantined,
        reason: Some("`alerts` is missing".to_owned()),
        signals: Vec::new(),
        position: i64::try_from(i).unwrap() + 1,
        evaluated_at: NOW,
    };
    let fates: Vec<Fate> = ids.iter().enumerate().map(fate).collect();
    let mut tx = fixture.admin.db.begin().await.unwrap();
    fates::settle(&mut tx, &fates).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_delivery_is_shown_as_it_came_and_looked_at_again() {
    let fixture = Fixture::new().await;
    let id = fixture.post("/integrations", json!({ "key": "hook", "provider": "alertmanager" })).await.expect(201)["id"].as_i64().unwrap();
    deliver(&fixture, id, &["{\"a\": 1}".as_bytes(), &[0xff, 0x00], b"third"]).await;
    let listed = fixture.get("/deliveries?integration=hook&state=pending").await.expect(200);
    let ids: Vec<i64> = listed["items"].as_array().unwrap().iter().rev().map(|item| item["id"].as_i64().unwrap()).collect();
    assert_eq!((ids.len(), &listed["items"][2]["body_bytes"]), (3, &json!(8)));
    let shown = fixture.get(&format!("/deliveries/{}", ids[0])).await.expect(200);
    assert_eq!((&shown["body"], &shown["body_encoding"], &shown["integration"]), (&json!("{\"a\": 1}"), &json!("utf-8"), &json!("hook")));
    assert_eq!((&shown["headers"], &shown["signals"]), (&json!({ "content-type": "text/plain", "via": "a, b" }), &json!([])));
    let binary = fixture.get(&format!("/deliveries/{}", ids[1])).await.expect(200);
    assert_eq!((&binary["body"], &binary["body_encoding"]), (&json!("/wA="), &json!("base64")));
    fixture.post(&format!("/deliveries/{}/replay", ids[0]), Value::Null).await.refused(409);
    quarantine(&fixture, id, &ids).await;
    fixture.post("/integrations", json!({ "key": "other", "provider": "alertmanager" })).await.expect(201);
    for (filter, n) in [
        ("integration=hook&state=quarantined", 3),
        ("state=quarantined", 3),
        ("integration=hook&state=ignored", 0),
        ("integration=other", 0),
        ("integration=other&state=quarantined", 0),
    ] {
        let listed = fixture.get(&format!("/deliveries?{filter}")).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), n, "{filter}");
    }
    let shown = fixture.get(&format!("/deliveries/{}", ids[0])).await.expect(200);
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("quarantined"), &json!("`alerts` is missing")));
    let replayed = fixture.post(&format!("/deliveries/{}/replay", ids[0]), Value::Null).await.expect(202);
    assert_eq!((&replayed["state"], &replayed["reason"]), (&json!("pending"), &Value::Null));
    let kind = |more: Value| {
        let mut body = json!({ "integration": "hook", "state": "quarantined" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let trial = fixture.post("/deliveries/replay", kind(json!({ "dry_run": true }))).await.expect(202);
    assert_eq!(trial, json!({ "replayed": 2, "more": false, "last": ids[2], "dry_run": true }));
    let at = "2026-05-28T20:26:40Z";
    for nothing in [json!({ "to": at }), json!({ "from": "2026-05-28T20:26:41Z" }), json!({ "after": ids[2] })] {
        let none = fixture.post("/deliveries/replay", kind(nothing.clone())).await.expect(202);
        assert_eq!((&none["replayed"], &none["last"]), (&json!(0), &Value::Null), "{nothing}");
    }
    assert_eq!(fixture.post("/deliveries/replay", kind(json!({ "from": at, "to": at }))).await.refused(422), ["to"]);
    for limit in [0, 10_001] {
        assert_eq!(fixture.post("/deliveries/replay", kind(json!({ "limit": limit }))).await.refused(422), ["limit"]);
    }
    let first = fixture.post("/deliveries/replay", kind(json!({ "limit": 1, "dry_run": true }))).await.expect(202);
    assert_eq!(first, json!({ "replayed": 1, "more": true, "last": ids[1], "dry_run": true }));
    let some = kind(json!({ "from": at, "to": "2026-05-28T20:26:41Z", "after": ids[1] }));
    let some = fixture.post("/deliveries/replay", some).await.expect(202);
    assert_eq!(some, json!({ "replayed": 1, "more": false, "last": ids[2], "dry_run": false }));
    let many = fixture.post("/deliveries/replay", kind(json!({}))).await.expect(202);
    assert_eq!(many, json!({ "replayed": 1, "more": false, "last": ids[1], "dry_run": false }));
    assert_eq!(
        fixture.post("/deliveries/replay", json!({ "integration": "x", "state": "pending" })).await.refused(422),
        ["integration", "state"]
    );
    let integration = fixture.get(&format!("/integrations/{id}")).await.expect(200);
    assert_eq!(integration["last_delivery"], json!({ "id": ids[2], "received_at": "2026-05-28T20:26:40.000Z", "state": "pending" }));
    fixture.post("/deliveries/999/replay", Value::Null).await.refused(404);
}

#[tokio::test]
async fn a_notification_that_was_given_up_is_sent_again() {
    let fixture = Fixture::new().await;
    let subscriber = fixture.post("/subscribers", json!({ "channel": "email", "address": "ops@example.com" })).await.expect(201);
    fixture.post("/incidents", json!({ "title": "Down" })).await.expect(201);
    let listed = fixture.get(&format!("/notifications?state=due&subscriber={}", subscriber["id"])).await.expect(200);
    let notification = &listed["items"][0];
    assert_eq!((&notification["kind"], &notification["address"]), (&json!("incident.opened"), &json!("ops@example.com")));
    assert_eq!(notification["about"], json!({ "kind": "incident", "id": 1, "title": "Down" }));
    let of = async |incident: i64| {
        fixture.get(&format!("/notifications?incident={incident}")).await.expect(200)["items"].as_array().unwrap().len()
    };
    assert_eq!((of(1).await, of(2).await), (1, 0));
    let id = NotificationId(notification["id"].as_i64().unwrap());
    let path = format!("/notifications/{id}");
    fixture.post(&format!("{path}/resend"), Value::Null).await.refused(409);
    let give_up = async || {
        let claimed = notifications::claim(&fixture.admin.db, &fixture.admin.secrets, id, 1, NOW).await.unwrap().unwrap().0;
        let ended = Ended {
            notification: id,
            subscriber: claimed.recipient.subscriber,
            attempt: 1,
            at: NOW,
            took: domain::Span(12),
            outcome: "permanent",
            detail: "550 no such user",
            next: Next::Dead,
        };
        notifications::record(&fixture.admin.db, &ended).await.unwrap();
    };
    for _ in 0..2 {
        give_up().await;
        let shown = fixture.get(&path).await.expect(200);
        assert_eq!((&shown["state"], &shown["next_at"], &shown["last_error"]), (&json!("dead"), &Value::Null, &json!("550 no such user")));
        fixture.post(&format!("{path}/resend"), Value::Null).await.expect(202);
    }
    let attempts = fixture.get(&format!("{path}/attempts")).await.expect(200);
    assert_eq!(attempts["items"].as_array().unwrap().len(), 2);
    assert_eq!((&attempts["items"][0]["outcome"], &attempts["items"][0]["duration_ms"]), (&json!("permanent"), &json!(12)));
    let since = "2026-05-01T00:00:00Z";
    let resend = async |wait: i64| fixture.post("/notifications/resend", json!({ "since": since, "wait_seconds": wait })).await;
    assert_eq!(resend(60).await.expect(202), json!({ "resent": 0, "at": "2026-05-28T20:27:40.000Z", "dry_run": false }));
    assert_eq!(fixture.post("/notifications/resend", json!({ "since": 5 })).await.refused(422), ["since"]);
    for wait in [-1, 61] {
        assert_eq!(resend(wait).await.refused(422), ["wait_seconds"]);
    }

    give_up().await;
    let resent = resend(10).await.expect(202);
    assert_eq!(resent, json!({ "resent": 1, "at": "2026-05-28T20:26:50.000Z", "dry_run": false }));
    assert_eq!(fixture.get(&path).await.expect(200)["next_at"], resent["at"]);
    let undo = async |at: &str| fixture.post("/notifications/resend/undo", json!({ "at": at })).await;
    assert_eq!(undo("2026-05-28T20:26:51Z").await.expect(202), json!({ "taken_back": 0 }), "another time is another act");
    assert_eq!(undo("2026-05-28T20:26:50Z").await.expect(202), json!({ "taken_back": 1 }));
    let shown = fixture.get(&path).await.expect(200);
    assert_eq!((&shown["state"], &shown["last_error"]), (&json!("dead"), &json!("was to be sent again, and that was taken back")));
    undo("2026-05-28T20:26:40Z").await.refused(409);
    let rows = fixture.get("/audit?action=notification.resend.undo").await.expect(200);
    assert_eq!(rows["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn who_resolves_an_incident_while_it_fires_is_told_what_still_does() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let route = json!({ "components": ["api"], "publish": "auto" });
    fixture.post("/integrations", json!({ "key": "alerts", "provider": "alertmanager", "routes": [route] })).await.expect(201);
    let mut entry = storage::ledger::begin(&fixture.admin.db, None).await.unwrap();
    let mut state = storage::state::load(&mut entry).await.unwrap();
    let integration = *state.routes_of.keys().next().unwrap();
    let mut signal = Signal::new("f1", SignalState::Firing, "ApiDown", NOW);
    (signal.severity, signal.summary) = (Severity::Critical, "db-3 is down".to_owned());
    let recorded = plan_signal(&mut state, integration, DeliveryId(1), &signal, NOW);
    storage::changes::apply(&mut entry, &mut state, &recorded).await.unwrap();
    entry.commit(&state).await.unwrap();

    let path = format!("/incidents/{}", fixture.get("/incidents").await.expect(200)["items"][0]["id"]);
    assert_eq!(fixture.get(&path).await.expect(200).get("still_firing"), None);
    let update = fixture.post(&format!("{path}/updates"), json!({ "status": "resolved", "body": "A false alarm." })).await.expect(201);
    let told = update["still_firing"].as_str().unwrap();
    assert!(told.starts_with("1 alert still fires: db-3 is down."), "{told}");
    assert_eq!(fixture.get(&path).await.expect(200)["still_firing"], told);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "operational");
    let changes = fixture.get(&format!("{path}/changes")).await.expect(200).to_string();
    assert!(changes.contains("muted until it resolves and fires again, or gets worse"), "{changes}");
    let reopened = fixture.patch(&path, json!({ "status": "identified" })).await.expect(200);
    assert_eq!(reopened.get("still_firing"), None);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "major_outage");
}

#[tokio::test]
async fn a_subscriber_is_sent_a_test_that_says_how_it_went_and_is_owed_nothing() {
    let fixture = Fixture::new().await;
    let hook = json!({ "channel": "webhook", "address": "https://127.0.0.1/hook" });
    let hook = fixture.post("/subscribers", hook).await.expect(201)["id"].clone();
    let refused = fixture.post(&format!("/subscribers/{hook}/test"), Value::Null).await.expect(200);
    assert_eq!(refused["outcome"], "permanent", "our own network is not asked: {refused}");
    let mail = fixture.post("/subscribers", json!({ "channel": "email", "address": "ops@example.com" })).await.expect(201)["id"].clone();
    let off = fixture.post(&format!("/subscribers/{mail}/test"), Value::Null).await.expect(200);
    assert_eq!((&off["outcome"], off["detail"].as_str().unwrap().contains("mail is off")), (&json!("transient"), true));
    assert_eq!(fixture.get("/audit?limit=1").await.expect(200)["items"][0]["action"], "subscriber.test");
    assert_eq!(fixture.get("/notifications").await.expect(200)["items"], json!([]));
    assert_eq!(fixture.get(&format!("/subscribers/{hook}")).await.expect(200)["failing_since"], Value::Null);
    fixture.post("/subscribers/999/test", Value::Null).await.refused(404);
}
