//! Suggestions, dry runs, back-tests and the health of integrations.

use domain::{DeliveryId, IntegrationId, NewDelivery, Span, Timestamp};
use serde_json::{Value, json};
use storage::{
    Inbox, deliveries,
    deliveries::DeliveryState,
    fates::{self, Fate},
    ledger,
    order::{Order, Slice},
    polls::{self, Source},
};

use super::{Fixture, NOW};

/// What Alertmanager says of one alert.
fn alert(service: &str, severity: &str, from: Timestamp, to: Option<Timestamp>) -> String {
    let status = if to.is_some() { "resolved" } else { "firing" };
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "receiver": "fanal", "status": status,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example",
        "alerts": [{
            "status": status,
            "labels": { "alertname": "Down", "service": service, "severity": severity, "instance": "10.0.0.7:9100" },
            "annotations": { "summary": "db-3.internal is down" },
            "startsAt": from.to_string(), "endsAt": to.map_or("0001-01-01T00:00:00Z".to_owned(), |to| to.to_string()),
            "generatorURL": "http://prometheus.example", "fingerprint": service
        }]
    })
    .to_string()
}

fn ago(span: Span) -> Timestamp {
    Timestamp(NOW.0 - span.0)
}

/// An Alertmanager that sends to components `api` and `web`, without routes.
async fn captured(fixture: &Fixture, deliveries: &[(Timestamp, String)]) -> (i64, Vec<i64>) {
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    fixture.post("/components", json!({ "name": "Web" })).await.expect(201);
    let id = fixture.post("/integrations", json!({ "key": "hook", "provider": "alertmanager" })).await.expect(201)["id"].as_i64().unwrap();
    let (inbox, task) = Inbox::open(fixture.admin.db.clone(), fixture.admin.wake.clone());
    for (i, (at, body)) in deliveries.iter().enumerate() {
        let delivery = NewDelivery {
            integration: IntegrationId(id),
            external_id: format!("delivery-{i}"),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.clone().into_bytes(),
            received_at: *at,
        };
        inbox.insert(delivery).await.unwrap();
    }
    drop(inbox);
    task.await.unwrap();
    let mut conn = fixture.admin.db.read().await.unwrap();
    let mut listed =
        deliveries::list(&mut conn, deliveries::DeliveryFilter::default(), &Slice::first(Order::newest(), 1000)).await.unwrap();
    listed.reverse();
    (id, listed.into_iter().map(|delivery| delivery.id.0).collect())
}

fn critical_outage(publish: &str) -> Value {
    json!({ "when": "signal.labels.service == \"api\"", "components": ["api"], "publish": publish })
}

#[tokio::test]
async fn a_suggested_route_is_taken_as_it_is() {
    let fixture = Fixture::new().await;
    let (id, ids) = captured(&fixture, &[(NOW, alert("api", "critical", NOW, None)), (NOW, alert("search", "warning", NOW, None))]).await;
    let made = fixture.get(&format!("/deliveries/{}/suggestions", ids[0])).await.expect(200);
    assert_eq!((&made["integration"], &made["signals"], &made["reason"]), (&json!("hook"), &json!(1), &Value::Null));
    let best = &made["items"][0];
    assert_eq!(best["route"]["when"], "signal.labels.service == \"api\"");
    assert_eq!((&best["route"]["components"], &best["severities"]), (&json!(["api"]), &json!(["critical"])));
    assert_eq!((&best["signals"], &best["missing_component"]), (&json!([0]), &Value::Null));
    let patched = fixture.patch(&format!("/integrations/{id}"), json!({ "routes": [best["route"]] })).await.expect(200);
    assert_eq!(patched["routes"], json!([best["route"]]));

    let made = fixture.get(&format!("/deliveries/{}/suggestions", ids[1])).await.expect(200);
    let missing = &made["items"][0]["missing_component"];
    assert_eq!(missing, &json!({ "key": "search", "name": "search" }));
    let route = json!({ "routes": [made["items"][0]["route"]] });
    fixture.patch(&format!("/integrations/{id}"), route.clone()).await.refused(422);
    fixture.post("/components", missing.clone()).await.expect(201);
    fixture.patch(&format!("/integrations/{id}"), route).await.expect(200);
    fixture.get("/deliveries/999/suggestions").await.refused(404);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let (id, ids) = captured(&fixture, &[(NOW, alert("api", "critical", NOW, None)), (NOW, "{\"version\":\"4\"}".into())]).await;
    let path = format!("/integrations/{id}/dry-run");
    let routes = json!([critical_outage("auto"), { "when": "signal.subject|int > 3", "components": ["web"] }, { "when": "false", "components": ["web"] }]);
    let tried = fixture.post(&path, json!({ "delivery": ids[0], "routes": routes })).await.expect(200);
    assert_eq!((&tried["state"], &tried["n_signals"], &tried["cut"]), (&json!("processed"), &json!(1), &json!(false)));
    let signal = &tried["signals"][0];
    assert_eq!(signal["signal"]["labels"]["service"], "api");
    let first = &signal["routes"][0];
    assert_eq!((&first["matches"], &first["status"], &first["title"]), (&json!(true), &json!("major_outage"), &json!("Problem with API")));
    assert_eq!(signal["routes"][1]["errors"][0]["field"], "routes[1].when");
    assert_eq!((&signal["routes"][2]["matches"], &signal["routes"][2]["status"]), (&json!(false), &Value::Null));

    let stored = fixture.post(&path, json!({ "delivery": ids[0] })).await.expect(200);
    assert_eq!(stored["signals"][0]["routes"], json!([]), "none are stored");
    let strange = fixture.post(&path, json!({ "delivery": ids[1] })).await.expect(200);
    assert_eq!(strange["state"], "quarantined");
    assert!(strange["reason"].as_str().unwrap().contains("is missing"), "{strange}");

    let wrong = json!({ "delivery": ids[0], "routes": [{ "when": "signal.", "components": ["nowhere"] }], "settings": { "nothing": 1 } });
    let mut refused = fixture.post(&path, wrong).await.refused(422);
    refused.sort();
    assert_eq!(refused, ["routes[0].components[0]", "routes[0].when", "settings.nothing"]);
    assert_eq!(fixture.post(&path, json!({ "delivery": 999 })).await.refused(422), ["delivery"]);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "operational");
    assert_eq!(fixture.get("/deliveries?state=pending").await.expect(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(fixture.get(&format!("/integrations/{id}")).await.expect(200)["routes"], json!([]));
}

#[tokio::test]
async fn a_back_test_folds_the_past_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let (began, ended) = (ago(Span::mins(50)), ago(Span::mins(20)));
    let before_all = ago(Span::mins(40 * 24 * 60));
    let (id, _) = captured(
        &fixture,
        &[
            (before_all, alert("web", "critical", before_all, None)),
            (began, alert("api", "critical", began, None)),
            (ago(Span::mins(45)), "no json".into()),
            (ended, alert("api", "critical", began, Some(ended))),
            (ago(Span::mins(5)), alert("api", "warning", ago(Span::mins(5)), None)),
        ],
    )
    .await;
    let path = format!("/integrations/{id}/back-test");
    let all = json!([critical_outage("auto"), { "components": ["web"], "when": "signal.labels.service == \"web\"" }]);
    let tested = fixture.post(&path, json!({ "routes": all })).await.expect(200);
    assert_eq!((&tested["deliveries"], &tested["quarantined"], &tested["signals"]), (&json!(4), &json!(1), &json!(4)));
    assert_eq!((&tested["cut"], &tested["until"]), (&Value::Null, &json!(NOW.to_string())));
    assert_eq!((&tested["n_incidents"], &tested["published"]), (&json!(2), &json!([])));
    let first = &tested["incidents"][0];
    assert_eq!((&first["started_at"], &first["resolved_at"]), (&json!(began.to_string()), &json!(ended.to_string())));
    assert_eq!(first["components"], json!([{ "component": "api", "status": "major_outage" }]));
    assert_eq!(tested["incidents"][1]["resolved_at"], Value::Null);
    let spans = &tested["components"][0]["spans"];
    assert_eq!((&tested["components"][0]["component"], spans.as_array().unwrap().len()), (&json!("api"), 2));
    assert_eq!((&spans[0]["status"], &spans[0]["to"]), (&json!("major_outage"), &json!(ended.to_string())));
    assert_eq!((&spans[1]["status"], &spans[1]["to"]), (&json!("degraded_performance"), &Value::Null));

    let earlier = fixture.post(&path, json!({ "routes": all, "from": before_all.to_string(), "to": ended.to_string() })).await.expect(200);
    assert_eq!((&earlier["deliveries"], &earlier["n_incidents"]), (&json!(3), &json!(2)), "the end is not included");
    assert_eq!(fixture.post(&path, json!({ "from": "2020-01-01T00:00:00Z" })).await.refused(422), ["from"]);
    assert_eq!(
        fixture.post(&path, json!({ "routes": [{ "when": "nothing" }] })).await.refused(422),
        ["routes[0].components", "routes[0].when"]
    );
    fixture.post("/integrations/999/back-test", json!({})).await.refused(404);
    assert_eq!(fixture.get("/components").await.expect(200)["items"][0]["status"], "operational");
    assert_eq!(fixture.get("/incidents").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn what_was_published_stands_beside_what_would_have_been() {
    let fixture = Fixture::new().await;
    let began = ago(Span::secs(50));
    let (id, ids) = captured(&fixture, &[(began, alert("api", "critical", began, None))]).await;
    fixture.patch(&format!("/integrations/{id}"), json!({ "routes": [critical_outage("auto")] })).await.expect(200);
    evaluate(&fixture, ids[0], began).await;
    fixture
        .post("/incidents", json!({ "title": "By hand", "components": [{ "component": "api", "status": "unknown" }] }))
        .await
        .expect(201);
    let tested = fixture.post(&format!("/integrations/{id}/back-test"), json!({})).await.expect(200);
    let published = tested["published"].as_array().unwrap();
    let seen: Vec<_> = published.iter().map(|one| (&one["title"], &one["opened_by"], &one["by"])).collect();
    let (by_hand, by_route) =
        ((&json!("By hand"), &Value::Null, &json!("tests")), (&json!("Problem with API"), &json!("hook[0]"), &json!("fanal")));
    assert_eq!(seen, [by_hand, by_route]);
    assert_eq!(tested["incidents"][0]["overlaps"], json!([published[0]["id"], published[1]["id"]]));

    // What somebody else's routes opened about the same component counts too, and what is about another does not.
    let other = fixture.post("/integrations", json!({ "key": "other", "provider": "alertmanager" })).await.expect(201)["id"].clone();
    let elsewhere = json!({ "routes": [{ "components": ["web"], "publish": "auto" }] });
    let tested = fixture.post(&format!("/integrations/{other}/back-test"), elsewhere).await.expect(200);
    assert_eq!(tested["published"], json!([]));
    let tested =
        fixture.post(&format!("/integrations/{other}/back-test"), json!({ "routes": [critical_outage("auto")] })).await.expect(200);
    assert_eq!((&tested["published"][0]["opened_by"], &tested["published"][1]["opened_by"]), (&Value::Null, &json!("hook[0]")));
}

#[tokio::test]
async fn settings_are_back_tested_before_they_are_stored() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let mapping = |firing: &str| {
        json!({
            "signature": { "mode": "bearer" }, "fingerprint": "body.id", "state": "body.state", "firing": [firing], "resolved": ["up"],
            "severity": "'critical'"
        })
    };
    let new =
        json!({ "key": "own", "provider": "json", "settings": mapping("broken"), "secrets": [{ "value": "a-secret-of-the-tests-0001" }] });
    let id = fixture.post("/integrations", new).await.expect(201)["id"].as_i64().unwrap();
    let (inbox, task) = Inbox::open(fixture.admin.db.clone(), fixture.admin.wake.clone());
    let delivery = NewDelivery {
        integration: IntegrationId(id),
        external_id: "1".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: json!({ "id": "db", "state": "down" }).to_string().into_bytes(),
        received_at: ago(Span::mins(5)),
    };
    inbox.insert(delivery).await.unwrap();
    drop(inbox);
    task.await.unwrap();
    let path = format!("/integrations/{id}/back-test");
    let routes = json!([{ "components": ["api"], "publish": "auto" }]);
    let stored = fixture.post(&path, json!({ "routes": routes })).await.expect(200);
    assert_eq!((&stored["quarantined"], &stored["n_incidents"]), (&json!(1), &json!(0)));
    let tried = fixture.post(&path, json!({ "routes": routes, "settings": mapping("down") })).await.expect(200);
    assert_eq!((&tried["quarantined"], &tried["n_incidents"]), (&json!(0), &json!(1)));
    assert_eq!(fixture.get(&format!("/integrations/{id}")).await.expect(200)["settings"], mapping("broken"), "nothing is stored");
    let refused = fixture.post(&path, json!({ "settings": { "nothing": 1 } })).await.refused(422);
    assert!(refused.iter().all(|field| field.starts_with("settings")), "{refused:?}");
}

/// What the evaluator would do.
async fn evaluate(fixture: &Fixture, id: i64, at: Timestamp) {
    let mut entry = ledger::begin(&fixture.admin.db, None).await.unwrap();
    let mut state = storage::state::load(&mut entry).await.unwrap();
    let delivery = deliveries::find(&mut entry.tx, DeliveryId(id)).await.unwrap().unwrap();
    let signals = jobs::evaluator::parse("alertmanager", &json!({}).into(), &delivery).unwrap();
    let mut recorded = Vec::new();
    jobs::evaluator::fold(&mut state, delivery.integration, delivery.id, &signals, at, &mut recorded);
    let integration = delivery.integration;
    let fate =
        Fate { delivery: delivery.id, integration, state: DeliveryState::Processed, reason: None, signals, position: 1, evaluated_at: at };
    fates::settle(&mut entry.tx, &[fate]).await.unwrap();
    storage::changes::apply(&mut entry, &mut state, &recorded).await.unwrap();
    entry.commit(&state).await.unwrap();
}

#[tokio::test]
async fn health_tells_what_comes_in_and_whether_a_sender_is_silent() {
    let fixture = Fixture::new().await;
    // Every 10 minutes for 5 hours, and then nothing for 90 minutes.
    let arrivals: Vec<Timestamp> = (0..30).rev().map(|i| ago(Span::mins(90 + 10 * i))).collect();
    let sent: Vec<(Timestamp, String)> = arrivals.iter().map(|at| (*at, alert("api", "critical", Timestamp(at.0 - 2_000), None))).collect();
    let (id, ids) = captured(&fixture, &sent).await;
    evaluate(&fixture, ids[29], arrivals[29]).await;
    let health = fixture.get(&format!("/integrations/{id}/health")).await.expect(200);
    assert_eq!((&health["last_hour"], &health["last_day"]), (&json!(0), &json!(30)));
    assert_eq!(health["last_day_by_state"], json!({ "pending": 29, "processed": 1, "quarantined": 0, "ignored": 0 }));
    assert_eq!((&health["counted_since"], &health["lag_seconds"]), (&Value::Null, &json!(2.0)));
    assert_eq!((&health["silent"], &health["silent_after"]), (&json!(true), &json!("1h")));
    assert_eq!(health["last_delivery"]["id"], ids[29]);
    assert_eq!((&health["poll"], &health["breaker"], &health["rejections"]), (&Value::Null, &Value::Null, &json!([])));
    fixture.get("/integrations/999/health").await.refused(404);

    let (inbox, _) = storage::Inbox::open(fixture.admin.db.clone(), fixture.admin.wake.clone());
    let silence =
        jobs::silence::Silence { db: fixture.admin.db.clone(), clock: jobs::Clock::default(), health: std::sync::Arc::default(), inbox };
    assert_eq!(silence.look().await.unwrap(), [("hook".to_owned(), true)]);

    // A signal where that is asked for, and not before senders had time to come back.
    let deliveries = || async { fixture.get("/deliveries?limit=1").await.expect(200)["items"][0]["id"].clone() };
    let began = |mins| Timestamp(silence.clock.now().0 - Span::mins(mins).0);
    silence.signal(began(6)).await.unwrap();
    fixture.patch(&format!("/integrations/{id}"), json!({ "silent_after": "habit" })).await.expect(200);
    silence.signal(began(4)).await.unwrap();
    assert_eq!(deliveries().await, ids[29]);
    silence.signal(began(6)).await.unwrap();
    let said = deliveries().await;
    assert_ne!(said, ids[29]);
    assert!(fixture.get(&format!("/deliveries/{said}")).await.expect(200)["headers"].to_string().contains("fanal-silent-since"));
    assert_eq!(silence.look().await.unwrap(), [("hook".to_owned(), true)], "what Fanal says of it is nothing that it has sent");
}

#[tokio::test]
async fn what_was_not_understood_stands_with_the_delivery_and_is_counted() {
    let fixture = Fixture::new().await;
    let sent = ["loud", "critical", "loud"].map(|severity| (ago(Span::mins(5)), alert("api", severity, ago(Span::mins(5)), None)));
    let (id, ids) = captured(&fixture, &sent).await;
    for id in &ids {
        evaluate(&fixture, *id, NOW).await;
    }
    let delivery = fixture.get(&format!("/deliveries/{}", ids[0])).await.expect(200);
    let warnings = delivery["signals"][0]["warnings"].as_array().unwrap();
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("unknown value `loud`"), "{delivery}");
    let other = fixture.get(&format!("/deliveries/{}", ids[1])).await.expect(200);
    assert_eq!(other["signals"][0]["warnings"], json!([]));
    let health = fixture.get(&format!("/integrations/{id}/health")).await.expect(200);
    let expected = json!([{ "text": warnings[0], "n": 2, "last_delivery": ids[2], "last_at": ago(Span::mins(5)).to_string() }]);
    assert_eq!((&health["warned"], &health["warnings"]), (&json!(2), &expected));
    let document = fixture.send(poem::http::Method::GET, "/openapi.json", &[], None).await.expect(200);
    let described = &document["components"]["schemas"]["Signal"]["properties"]["warnings"]["description"];
    assert!(described.as_str().unwrap().contains("not understood"), "{described}");
}

#[tokio::test]
async fn a_new_sender_has_no_habit() {
    let fixture = Fixture::new().await;
    let sent: Vec<(Timestamp, String)> = (1..20).rev().map(|i| (ago(Span::mins(60 * 24 * i)), "x".to_owned())).collect();
    let (id, _) = captured(&fixture, &sent).await;
    let health = fixture.get(&format!("/integrations/{id}/health")).await.expect(200);
    assert_eq!((&health["silent"], &health["silent_after"], &health["lag_seconds"]), (&Value::Null, &Value::Null, &Value::Null));
}

#[tokio::test]
async fn one_back_test_runs_at_a_time() {
    let fixture = Fixture::new().await;
    let sent: Vec<(Timestamp, String)> =
        (1..50).rev().map(|i| (ago(Span::mins(i)), alert("api", "critical", ago(Span::mins(i)), None))).collect();
    let (id, _) = captured(&fixture, &sent).await;
    let path = format!("/integrations/{id}/back-test");
    let answers = futures::future::join_all((0..8).map(|_| fixture.post(&path, json!({})))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !refused.is_empty(), "{} were done", done.len());
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "10");
        answer.refused(429);
    }
    fixture.post(&path, json!({})).await.expect(200);
}

#[tokio::test]
async fn a_test_shows_what_the_routes_would_do_and_who_would_be_told_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let (id, _) = captured(&fixture, &[]).await;
    for (channel, address, components) in [("email", "all@example.com", None), ("email", "web@example.com", Some(["web"]))] {
        let subscriber = json!({ "channel": channel, "address": address, "components": components });
        fixture.post("/subscribers", subscriber).await.expect(201);
    }
    let routes = json!({ "routes": [{ "when": "signal.labels.severity == \"critical\"", "components": ["api"], "publish": "auto" }] });
    fixture.patch(&format!("/integrations/{id}"), routes).await.expect(200);
    let path = format!("/integrations/{id}/test");
    let given = json!({ "headers": { "Content-Type": "application/json" }, "body": alert("api", "critical", NOW, None) });
    let tested = fixture.post(&path, given).await;
    assert_eq!(tested.header("location"), format!("/api/admin/v1/deliveries/{}", tested.body["delivery"]));
    let tested = tested.expect(201);
    let route = &tested["result"]["signals"][0]["routes"][0];
    assert_eq!((&route["matches"], &route["status"], &route["told"]), (&json!(true), &json!("major_outage"), &json!(1)), "{tested}");
    assert_eq!((&tested["proven_at"], &tested["rejections"]), (&Value::Null, &json!([])));

    let stored = fixture.get(&format!("/deliveries/{}", tested["delivery"])).await.expect(200);
    assert_eq!((&stored["state"], &stored["test"]), (&json!("pending"), &json!(true)));
    let audit = fixture.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&audit["action"], &audit["after"]), (&json!("integration.test"), &json!({ "test": { "delivery": tested["delivery"] } })));

    let example = fixture.post(&path, json!({})).await.expect(201);
    assert_eq!(example["result"]["state"], "processed", "{example}");
    let listed = fixture.get("/deliveries").await.expect(200);
    assert!(listed["items"].as_array().unwrap().iter().all(|delivery| delivery["test"] == true), "{listed}");
    let unreadable = fixture.post(&path, json!({ "body": "{}" })).await.expect(201);
    assert_eq!(unreadable["result"]["state"], "quarantined");
    let csv = json!({ "headers": { "content-type": "text/csv" } });
    assert_eq!(fixture.post(&path, csv).await.refused(422), ["headers"]);
    fixture.post("/integrations/999/test", json!({})).await.refused(404);
}

#[tokio::test]
async fn a_source_is_asked_at_once_and_a_sender_is_not() {
    let fixture = Fixture::new().await;
    let (sender, _) = captured(&fixture, &[]).await;
    fixture.post(&format!("/integrations/{sender}/ask"), Value::Null).await.refused(409);
    let settings = json!({ "url": "https://status.example.com" });
    let source = fixture.post("/integrations", json!({ "key": "up", "provider": "statuspage", "settings": settings })).await.expect(201);
    let id = source["id"].as_i64().unwrap();
    fixture.post(&format!("/integrations/{id}/test"), json!({})).await.refused(409);
    fixture.post(&format!("/integrations/{id}/ask"), Value::Null).await.refused(409);
    let mut tx = fixture.admin.db.begin().await.unwrap();
    let first_at = NOW.plus(Span::mins(10));
    polls::begin(&mut tx, &Source { integration: IntegrationId(id), source: "1".to_owned(), first_at }).await.unwrap();
    tx.commit().await.unwrap();
    let asked = fixture.post(&format!("/integrations/{id}/ask"), Value::Null).await.expect(202);
    assert_eq!(asked["at"], NOW.to_string());
    assert_eq!(fixture.get(&format!("/integrations/{id}/health")).await.expect(200)["poll"]["next_at"], NOW.to_string());
    fixture.patch(&format!("/integrations/{id}"), json!({ "enabled": false })).await.expect(200);
    fixture.post(&format!("/integrations/{id}/ask"), Value::Null).await.refused(409);
}
