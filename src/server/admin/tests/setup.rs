//! Components, groups, metrics, integrations, subscribers and the page's settings.

use base64::Engine;
use serde_json::{Value, json};

use super::Fixture;

#[tokio::test]
async fn a_component_is_made_changed_and_removed() {
    let fixture = Fixture::new().await;
    fixture.post("/groups", json!({ "key": "platform", "name": "Platform" })).await.expect(201);
    let made = fixture.post("/components", json!({ "name": "Payments API", "group": "platform" })).await.expect(201);
    assert_eq!((&made["key"], &made["group"], &made["status"]), (&json!("payments-api"), &json!("platform"), &json!("operational")));
    assert_eq!(made["created_at"], "2026-05-28T20:26:40.000Z");
    let path = format!("/components/{}", made["id"]);
    assert_eq!(fixture.post("/components", json!({ "name": "X", "key": "payments-api" })).await.refused(409), ["key"]);
    let changed = fixture.patch(&path, json!({ "group": null, "hidden": true })).await.expect(200);
    assert_eq!((&changed["group"], &changed["hidden"], &changed["name"]), (&Value::Null, &json!(true), &json!("Payments API")));
    assert_eq!(fixture.patch(&path, json!({ "name": null })).await.refused(422), ["name"]);
    assert_eq!(fixture.get("/components").await.expect(200)["items"], json!([fixture.get(&path).await.expect(200)]));
    fixture.delete(&path).await.expect(204);
    fixture.delete(&path).await.refused(404);
}

#[tokio::test]
async fn several_components_are_changed_at_once_or_none_is() {
    let fixture = Fixture::new().await;
    fixture.post("/groups", json!({ "key": "platform", "name": "Platform" })).await.expect(201);
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        ids.push(fixture.post("/components", json!({ "name": name })).await.expect(201)["id"].clone());
    }
    let etag = fixture.get(&format!("/components/{}", ids[1])).await.header("etag").to_owned();
    let change =
        json!([{ "id": ids[2], "position": 0, "group": "platform" }, { "id": ids[1], "etag": etag, "hidden": true, "name": "B 2" }]);
    let changed = fixture.patch("/components", change.clone()).await.expect(200);
    assert_eq!((&changed["items"][0]["group"], &changed["items"][1]["name"]), (&json!("platform"), &json!("B 2")));
    fixture.patch("/components", change).await.refused(412);
    let wrong = json!([{ "id": ids[0], "name": "never" }, { "id": 99 }, { "id": ids[0] }, { "id": ids[1], "group": "nowhere", "x": 1 }]);
    assert_eq!(fixture.patch("/components", wrong).await.refused(422), ["[3].x"]);
    let wrong = json!([{ "id": ids[0], "name": "never" }, { "id": 99 }, { "id": ids[0] }, { "id": ids[1], "group": "nowhere" }]);
    assert_eq!(fixture.patch("/components", wrong).await.refused(422), ["[1].id", "[2].id", "[3].group"]);
    assert_eq!(fixture.get(&format!("/components/{}", ids[0])).await.expect(200)["name"], "A");
    let row = fixture.get("/audit?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!(
        (&row["action"], &row["before"][1]["name"], &row["after"][1]["name"]),
        (&json!("component.update"), &json!("B"), &json!("B 2"))
    );
}

#[tokio::test]
async fn an_override_outranks_signals_and_its_reason_is_kept() {
    let fixture = Fixture::new().await;
    let id = fixture.post("/components", json!({ "name": "API" })).await.expect(201)["id"].clone();
    let path = format!("/components/{id}/override");
    let body = json!({ "status": "major_outage", "until": "2026-05-28T22:26:40+01:00" });
    let shown = fixture.put(&path, body).await.expect(200);
    assert_eq!(shown["status"], "major_outage");
    assert_eq!(shown["override"], json!({ "status": "major_outage", "until": "2026-05-28T21:26:40.000Z", "by": "tests" }));
    assert_eq!(fixture.put(&path, json!({ "status": "red", "until": "soon" })).await.refused(422), ["status", "until"]);
    assert_eq!(fixture.put(&path, json!({ "status": "unknown", "until": "2026-01-01T00:00:00Z" })).await.refused(422), ["until"]);
    fixture.delete(&path).await.expect(204);
    let changes = fixture.get(&format!("/components/{id}/changes?limit=3")).await.expect(200);
    assert_eq!(changes["items"][0]["kind"], "component_status");
    assert_eq!(changes["items"][0]["data"]["to"], "operational");
    assert_eq!(changes["items"][0]["why"]["actor"], "tests");
    assert_eq!(changes["items"][0]["why"]["text"], "tests gave the status back to the signals");
    assert!(changes["next"].is_string());
}

#[tokio::test]
async fn a_group_never_stands_in_itself() {
    let fixture = Fixture::new().await;
    for (key, parent) in [("a", Value::Null), ("b", json!("a")), ("c", json!("b"))] {
        fixture.post("/groups", json!({ "key": key, "name": key, "parent": parent })).await.expect(201);
    }
    let groups = fixture.get("/groups").await.expect(200);
    let path = |i: usize| format!("/groups/{}", groups["items"][i]["id"]);
    assert_eq!(groups["items"][2]["parent"], "b");
    for parent in ["a", "b", "c"] {
        assert_eq!(fixture.patch(&path(0), json!({ "parent": parent })).await.refused(422), ["parent"]);
    }
    fixture.patch(&path(2), json!({ "parent": "a", "position": 7 })).await.expect(200);
    fixture.delete(&path(0)).await.expect(204);
    assert_eq!(fixture.get(&path(2)).await.expect(200)["parent"], Value::Null);
}

#[tokio::test]
async fn a_metric_takes_samples_and_keeps_one_for_a_time() {
    let fixture = Fixture::new().await;
    let id = fixture.post("/metrics", json!({ "name": "Latency", "unit": "ms" })).await.expect(201)["id"].clone();
    let path = format!("/metrics/{id}/samples");
    let samples = json!([
        { "at": "2026-05-28T20:00:00Z", "value": 3 },
        { "at": "2026-05-28T20:01:00.5Z", "value": 2.5 },
        { "at": "2026-05-28T20:00:00.000Z", "value": 4 },
    ]);
    assert_eq!(fixture.post(&path, samples.clone()).await.expect(202), json!({ "stored": 2 }));
    assert_eq!(fixture.post(&path, samples).await.expect(202), json!({ "stored": 2 }));
    let bad = json!([{ "at": "2026-05-28T20:00:00Z", "value": "4" }, { "at": "now", "value": 1 }, { "value": 1, "at": "2026-05-29T00:00:00Z", "x": 0 }]);
    assert_eq!(fixture.post(&path, bad).await.refused(422), ["[0].value", "[1].at", "[2].x"]);
    assert_eq!(fixture.post(&path, json!([{ "at": "2026-05-29T00:00:00Z", "value": 1 }])).await.refused(422), ["[0].at"]);
    let many: Vec<Value> = (0..10_001).map(|_| json!({ "at": "2026-05-28T20:00:00Z", "value": 1 })).collect();
    fixture.post(&path, json!(many)).await.refused(422);
    fixture.post(&path, json!(many[1..])).await.expect(202);
    let changed = fixture.patch(&format!("/metrics/{id}"), json!({ "unit": "s" })).await.expect(200);
    assert_eq!((&changed["unit"], &changed["name"]), (&json!("s"), &json!("Latency")));
}

fn integration() -> Value {
    json!({
        "key": "prod-alerts",
        "provider": "alertmanager",
        "secrets": [{ "value": "a-long-enough-secret-1234" }],
        "routes": [
            { "when": "signal.labels.service == \"api\"", "components": ["api"], "for": "90s", "publish": "auto",
              "status": { "critical": "major_outage", "default": "degraded_performance" } },
            { "metric": { "key": "latency" } },
        ],
    })
}

#[tokio::test]
async fn everything_that_is_wrong_with_settings_is_said_at_once() {
    let fixture = Fixture::new().await;
    let settings = json!({ "fingerprint": 7, "state": "body.x", "firing": ["down"], "labls": {}, "vlue": "body.y" });
    let body = json!({ "key": "own", "provider": "json", "settings": settings });
    assert_eq!(fixture.post("/integrations", body).await.refused(422), ["settings.fingerprint", "settings.labls", "settings.vlue"]);
}

#[tokio::test]
async fn an_integration_shows_its_routes_and_never_its_secrets() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    fixture.post("/metrics", json!({ "name": "Latency" })).await.expect(201);
    let made = fixture.post("/integrations", integration()).await.expect(201);
    assert_eq!(made["hook_url"], "https://status.example.com/hooks/prod-alerts");
    assert_eq!((&made["name"], &made["enabled"], &made["secrets"][0]["hint"]), (&json!("prod-alerts"), &json!(true), &json!("1234")));
    assert!(!made.to_string().contains("a-long-enough"));
    assert_eq!((&made["routes"][0]["for"], &made["routes"][0]["cool_off"]), (&json!("1m30s"), &json!("10m")));
    assert_eq!(made["routes"][0]["status"], json!({ "critical": "major_outage", "default": "degraded_performance" }));
    assert_eq!(made["routes"][1]["metric"], json!({ "key": "latency", "value": "signal.value" }));
    let path = format!("/integrations/{}", made["id"]);
    let again = fixture.patch(&path, json!({ "routes": made["routes"], "name": "Production" })).await.expect(200);
    assert_eq!((&again["routes"], &again["name"]), (&made["routes"], &json!("Production")));
    let listed = fixture.get("/integrations").await.expect(200);
    assert_eq!(listed["items"][0]["routes"], made["routes"]);
    let outlines = fixture.get("/integrations?routes=false").await.expect(200);
    assert_eq!((&outlines["items"][0]["name"], outlines["items"][0].get("routes")), (&json!("Production"), None));
    let secret = fixture.post(&format!("{path}/secrets"), json!({ "value": "another-long-secret-5678" })).await.expect(201);
    assert_eq!(fixture.get(&path).await.expect(200)["secrets"].as_array().unwrap().len(), 2);
    fixture.delete(&format!("{path}/secrets/{}", secret["id"])).await.expect(204);
    fixture.delete(&format!("{path}/secrets/{}", secret["id"])).await.refused(404);
    let replaced = fixture.patch(&path, json!({ "secrets": [{ "value": "the-only-secret-now-9999" }] })).await.expect(200);
    assert_eq!(replaced["secrets"].as_array().unwrap().len(), 1);
    assert_eq!(replaced["secrets"][0]["hint"], "9999");
    fixture.delete(&path).await.expect(204);
    assert_eq!(fixture.get("/integrations").await.expect(200), json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn an_integration_that_could_not_work_is_refused_with_every_reason() {
    let fixture = Fixture::new().await;
    let refused = fixture.post("/integrations", integration()).await.refused(422);
    assert_eq!(refused, ["routes[0].components[0]", "routes[1].metric.key"], "there is no such component, no such metric");
    let body = json!({
        "key": "x", "provider": "alertmanger", "settings": [], "secrets": [{ "value": "" }],
        "routes": [{}, { "when": "signal.state ==", "metric": { "key": "m" } }, { "when": "sgnal.state", "title": "{{ signal | nosuch }}", "cool_off": "2d" }],
    });
    let mut refused = fixture.post("/integrations", body).await.refused(422);
    refused.sort();
    refused.dedup();
    let expected = [
        "provider",
        "routes[0].components",
        "routes[1].metric.key",
        "routes[1].when",
        "routes[2].components",
        "routes[2].cool_off",
        "routes[2].title",
        "routes[2].when",
        "secrets[0].value",
        "settings",
    ];
    assert_eq!(refused, expected);
    let body = json!({ "key": "x", "provider": "json", "settings": { "fingerprint": "body.id", "state": "body.state", "firing": ["down"], "nope": 1 } });
    let refused = fixture.post("/integrations", body).await.refused(422);
    assert!(refused[0].starts_with("settings"), "{refused:?}");
    assert_eq!(
        fixture.post("/integrations", json!({ "provider": "json", "routes": [{ "for": "5", "x": 1 }] })).await.refused(422),
        ["routes[0].for", "routes[0].x"]
    );
}

#[tokio::test]
async fn a_route_says_when_it_publishes_and_an_integration_when_it_is_missed() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let route = json!({
        "components": ["api"], "publish": "auto", "publish_after": "5m", "minimum_severity": "warning",
        "publish_hours": { "days": ["mon", "fri"], "from": "18:00", "to": "08:00", "outside": true },
        "flapping": { "changes": 7, "within": "1h", "calm": "20m" },
    });
    let with = |routes: Value| json!({ "key": "x", "provider": "alertmanager", "silent_after": "habit", "routes": routes });
    let made = fixture.post("/integrations", with(json!([route, { "components": ["api"], "flapping": {} }]))).await.expect(201);
    for field in ["publish_after", "minimum_severity", "publish_hours", "flapping"] {
        assert_eq!(made["routes"][0][field], route[field], "{field}");
    }
    let usual = &made["routes"][1];
    assert_eq!((&usual["publish_after"], &usual["publish_hours"], &usual["minimum_severity"]), (&json!("0s"), &Value::Null, &Value::Null));
    assert_eq!((&usual["flapping"], &made["silent_after"]), (&json!({ "changes": 5, "within": "30m", "calm": "15m" }), &json!("habit")));
    let path = format!("/integrations/{}", made["id"]);
    let again = fixture.patch(&path, json!({ "routes": made["routes"] })).await.expect(200);
    assert_eq!((&again["routes"], &again["silent_after"]), (&made["routes"], &json!("habit")));
    assert_eq!(fixture.patch(&path, json!({ "silent_after": "10m" })).await.expect(200)["silent_after"], "10m");
    assert_eq!(fixture.patch(&path, json!({ "silent_after": null })).await.expect(200)["silent_after"], Value::Null);
    let bad = json!([
        { "components": ["api"], "publish": "draft", "publish_after": "5m" },
        { "components": ["api"], "publish": "auto", "publish_after": "2d", "minimum_severity": "unknown", "flapping": { "changes": 2, "calm": "0s" } },
        { "components": ["api"], "publish": "auto", "publish_hours": { "from": "8am" } },
    ]);
    let expected = [
        "routes[0].publish_after",
        "routes[1].publish_after",
        "routes[1].minimum_severity",
        "routes[1].flapping.changes",
        "routes[1].flapping.calm",
        "routes[2].publish_hours.from",
    ];
    assert_eq!(fixture.patch(&path, json!({ "routes": bad })).await.refused(422), expected);
    assert_eq!(fixture.patch(&path, json!({ "silent_after": "1s" })).await.refused(422), ["silent_after"]);
    let asked = json!({ "key": "y", "provider": "heroku_status", "silent_after": "1h" });
    assert_eq!(fixture.post("/integrations", asked).await.refused(422), ["silent_after"]);
}

#[tokio::test]
async fn a_misspelt_name_in_a_route_is_told_from_a_known_one() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let with = |when: &str| json!({ "key": "x", "provider": "alertmanager", "routes": [{ "when": when, "components": ["api"] }] });
    let refused = fixture.post("/integrations", with("signal.lables.service == 'api'")).await;
    assert!(refused.body["detail"].as_str().unwrap().contains("a signal has no `lables`"), "{}", refused.body);
    assert_eq!(refused.refused(422), ["routes[0].when"]);
    fixture.post("/integrations", with("signal.labels.service == 'api'")).await.expect(201);
}

#[tokio::test]
async fn a_subscriber_is_added_with_its_scope_and_shown_its_secret_once() {
    let fixture = Fixture::new().await;
    fixture.post("/components", json!({ "name": "API" })).await.expect(201);
    let made =
        fixture.post("/subscribers", json!({ "channel": "email", "address": "ops@example.com", "components": ["api"] })).await.expect(201);
    assert_eq!((&made["components"], &made["secret"]), (&json!(["api"]), &Value::Null));
    assert_eq!(fixture.post("/subscribers", json!({ "channel": "email", "address": "ops@example.com" })).await.refused(409), ["address"]);
    let hook = fixture.post("/subscribers", json!({ "channel": "webhook", "address": "https://example.com/in" })).await.expect(201);
    assert!(hook["secret"].as_str().unwrap().starts_with("whsec_"));
    let shown = fixture.get(&format!("/subscribers/{}", hook["id"])).await.expect(200);
    assert_eq!((&shown["secret"], &shown["components"], &shown["confirmed_at"]), (&Value::Null, &Value::Null, &shown["created_at"]));
    let bad = json!({ "channel": "webhook", "address": "ftp://x", "secret": "short", "components": ["nothing"] });
    let mut refused = fixture.post("/subscribers", bad).await.refused(422);
    refused.sort();
    assert_eq!(refused, ["address", "components[0]", "secret"]);
    assert_eq!(fixture.post("/subscribers", json!({ "channel": "email", "address": "no mail" })).await.refused(422), ["address"]);
    fixture.post(&format!("/subscribers/{}/enable", hook["id"]), Value::Null).await.expect(200);
    fixture.delete(&format!("/subscribers/{}", hook["id"])).await.expect(204);
    assert_eq!(fixture.get("/subscribers").await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_page_is_named_in_a_time_zone_that_exists() {
    let fixture = Fixture::new().await;
    let changed =
        fixture.patch("/page", json!({ "name": "Acme", "time_zone": "Europe/Paris", "support_url": "mailto:help@example.com" })).await;
    changed.expect(200);
    let refused = fixture.patch("/page", json!({ "name": "", "time_zone": "Mars/Olympus", "support_url": "javascript:alert(1)" })).await;
    assert_eq!(refused.refused(422), ["name", "time_zone", "support_url"]);
    let shown = fixture.get("/page").await.expect(200);
    assert_eq!((&shown["name"], &shown["time_zone"]), (&json!("Acme"), &json!("Europe/Paris")));
}

#[tokio::test]
async fn every_kind_of_sender_is_listed_and_has_its_guide() {
    let fixture = Fixture::new().await;
    let list = fixture.get("/providers").await.expect(200);
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), integrations::PROVIDERS.len());
    let polled = |slug: &str| items.iter().find(|item| item["slug"] == slug).unwrap()["polled"].clone();
    assert_eq!((polled("alertmanager"), polled("prometheus")), (json!(false), json!(true)));
    let guide = fixture.get("/providers/alertmanager").await.expect(200);
    assert!(guide["guide"].as_str().unwrap().contains("{{ url }}"));
    fixture.get("/providers/nagios5").await.refused(404);
}

#[tokio::test]
async fn a_component_adds_its_sources_up_and_depends_on_others() {
    let fixture = Fixture::new().await;
    for name in ["Vendor", "API", "Web"] {
        let made = fixture.post("/components", json!({ "name": name })).await.expect(201);
        assert_eq!((&made["combine"], &made["depends_on"], &made["caused_by"]), (&Value::Null, &json!([]), &json!([])));
    }
    fixture.post("/integrations", json!({ "key": "pings", "provider": "alertmanager" })).await.expect(201);
    let components = fixture.get("/components").await.expect(200)["items"].clone();
    let path = |i: usize| format!("/components/{}", components[i]["id"]);

    let body =
        json!({ "combine": { "quorum": 2 }, "depends_on": [{ "component": "vendor", "effect": "silence" }, { "component": "vendor" }] });
    let shown = fixture.patch(&path(1), body).await.expect(200);
    assert_eq!(shown["combine"], json!({ "quorum": 2 }));
    let on_vendor = json!([{ "component": "vendor", "effect": "label" }, { "component": "vendor", "effect": "silence", "settle": "5m" }]);
    assert_eq!(shown["depends_on"], on_vendor);
    let weighted = json!({ "weights": { "pings": 2 }, "thresholds": { "degraded_performance": 2 } });
    assert_eq!(fixture.patch(&path(1), json!({ "combine": weighted })).await.expect(200)["combine"], weighted);
    let shown = fixture.patch(&path(1), json!({ "combine": null, "name": "Interface" })).await.expect(200);
    assert_eq!((&shown["combine"], &shown["depends_on"]), (&Value::Null, &on_vendor), "what is left out stays");
    fixture.patch(&path(2), json!({ "depends_on": [{ "component": "api", "effect": "cap" }] })).await.expect(200);

    let refused = async |body: Value| fixture.patch(&path(0), body).await.refused(422);
    assert_eq!(refused(json!({ "depends_on": [{ "component": "web" }] })).await, ["depends_on"]);
    let cycle = fixture.patch(&path(0), json!({ "depends_on": [{ "component": "web" }] })).await;
    assert!(cycle.body.to_string().contains("components depend on each other: api on vendor on web on api"), "{}", cycle.body);
    let odd = json!([{ "component": "wob" }, { "component": "vendor", "effect": "cap", "settle": "1m" }, { "component": "api", "effect": "odd" }]);
    assert_eq!(refused(json!({ "depends_on": odd })).await, ["depends_on[2].effect"]);
    let odd = json!([{ "component": "wob" }, { "component": "api", "effect": "cap", "settle": "1m" }]);
    assert_eq!(refused(json!({ "depends_on": odd })).await, ["depends_on[0].component", "depends_on[1].settle", "depends_on"]);
    assert_eq!(refused(json!({ "combine": {} })).await, ["combine"]);
    assert_eq!(refused(json!({ "combine": { "quorum": 0 } })).await, ["combine.quorum"]);
    let odd = json!({ "weights": { "pongs": 1 }, "thresholds": { "degraded_performance": 3, "major_outage": 2 } });
    assert_eq!(refused(json!({ "combine": odd })).await, ["combine.weights.pongs", "combine.thresholds.major_outage"]);

    for i in [0, 1] {
        fixture.put(&format!("{}/override", path(i)), json!({ "status": "major_outage" })).await.expect(200);
    }
    assert_eq!(fixture.get(&path(1)).await.expect(200)["caused_by"], json!(["vendor"]));
    fixture.delete(&path(0)).await.expect(204);
    assert_eq!(fixture.get(&path(1)).await.expect(200)["depends_on"], json!([]));
}

/// A drawing, as a client sends it.
fn drawing(inner: &str) -> String {
    let text = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>");
    format!("data:image/svg+xml;base64,{}", base64::prelude::BASE64_STANDARD.encode(text))
}

#[tokio::test]
async fn the_page_looks_as_its_owner_wishes_where_readers_can_read_it() {
    let fixture = Fixture::new().await;
    let links = json!([{ "label": "Privacy", "url": "https://example.com/privacy" }]);
    let brand = json!({
        "accent": "#7A1F5C", "logo": drawing(""), "logo_alt": "Acme", "icon": drawing("<g/>"), "header_links": links, "footer_links": links,
        "footer": "Run by Acme.",
    });
    let changed = fixture.patch("/page", brand).await.expect(200);
    assert_eq!((&changed["accent"], &changed["accent_dark"]), (&json!("#7a1f5c"), &json!("")));
    assert!(changed["logo"].as_str().unwrap().starts_with("/assets/image.") && changed["logo"] != changed["icon"], "{changed}");
    // What is shown can be sent back.
    assert_eq!(fixture.patch("/page", changed.clone()).await.expect(200), changed);
    let mut entry = fixture.admin.db.read().await.unwrap();
    assert_eq!(storage::images::all(&mut entry).await.unwrap().len(), 2);
    drop(entry);

    let many = vec![links[0].clone(); 5];
    let wrong = json!({
        "accent": "#ffcc00", "accent_dark": "red", "logo": "https://example.com/logo.png", "icon": drawing("<script/>"), "header_links": many,
        "footer_links": [{ "label": "", "url": "javascript:alert(1)" }],
    });
    let refused = fixture.patch("/page", wrong).await.refused(422);
    let fields = ["accent", "accent_dark", "logo", "icon", "header_links", "footer_links[0].label", "footer_links[0].url"];
    assert_eq!(refused, fields);
    assert_eq!(fixture.get("/page").await.expect(200), changed);

    let audit = fixture.get("/audit?action=page.update").await.expect(200).to_string();
    assert!(audit.contains("/assets/image.") && !audit.contains("base64"), "{audit}");
    let without = fixture.patch("/page", json!({ "logo": "", "icon": "", "accent": "" })).await.expect(200);
    assert_eq!(["logo", "logo_alt", "icon", "accent"].map(|field| without[field].clone()), ["", "", "", ""].map(|empty| json!(empty)));
    assert!(storage::images::all(&mut fixture.admin.db.read().await.unwrap()).await.unwrap().is_empty());
}
