//! Mapping without code: from a captured delivery to a route that is known to do what it should.

use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    history::published_incidents,
    road::{TOKEN, alert, deliver, now},
    servers::wait_for,
};

const SHOWS: Duration = Duration::from_secs(20);

fn configuration() -> String {
    format!(
        r"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
"
    )
}

/// The deliveries of a state, oldest first, once there are `n`.
async fn deliveries(app: &App, state: &str, n: usize) -> Result<Vec<Value>> {
    wait_for(&format!("{n} deliveries to be {state}"), SHOWS, || async {
        let listed = app.admin(&format!("/deliveries?integration=prod-alerts&state={state}")).await.ok()?;
        let mut items = listed["items"].as_array()?.clone();
        items.reverse();
        (items.len() == n).then_some(items)
    })
    .await
}

/// What arrives before there are routes is kept; a route made from it is tried, tested on the past, stored, and takes up what came before.
async fn a_captured_delivery_becomes_a_route(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(), &[]).await?;
    ensure!(deliver(&app, &alert("a1", &now(), None)).await? == 202, "stored without a route");
    ensure!(deliver(&app, &json!({ "version": "4" })).await? == 202, "quarantined");
    let captured = deliveries(&app, "processed", 1).await?.remove(0)["id"].clone();
    deliveries(&app, "quarantined", 1).await?;
    ensure!(app.status_of("API").await? == "operational", "nothing follows without a route");
    let integration = format!("/integrations/{}", app.admin("/integrations").await?["items"][0]["id"]);

    let suggested = app.admin(&format!("/deliveries/{captured}/suggestions")).await?;
    let mut route = suggested["items"][0]["route"].clone();
    ensure!(route["when"] == "signal.labels.service == \"api\"" && route["components"] == json!(["api"]), "{suggested}");
    let trial = json!({ "delivery": captured, "routes": [route] });
    let tried = app.admin_post(&format!("{integration}/dry-run"), &trial).await?;
    ensure!(tried["signals"][0]["routes"][0]["status"] == "major_outage", "{tried}");
    route["publish"] = json!("auto");
    let routes = json!({ "routes": [route] });
    let tested = app.admin_post(&format!("{integration}/back-test"), &routes).await?;
    ensure!(tested["n_incidents"] == 1 && tested["incidents"][0]["overlaps"] == json!([]) && tested["cut"].is_null(), "{tested}");
    ensure!(tested["deliveries"] == 2 && tested["quarantined"] == 1, "{tested}");
    ensure!(app.status_of("API").await? == "operational" && published_incidents(&app).await?.is_empty(), "nothing has changed yet");

    app.admin_send(Method::PATCH, &integration, &routes).await?;
    app.admin_post(&format!("/deliveries/{captured}/replay"), &Value::Null).await?;
    app.wait_for_status("API", "major_outage").await?;
    let again = app.admin_post(&format!("{integration}/back-test"), &json!({})).await?;
    let published = published_incidents(&app).await?;
    ensure!(published.len() == 1 && again["published"][0]["id"] == published[0]["id"], "{again}");
    ensure!(again["incidents"][0]["overlaps"] == json!([published[0]["id"]]), "{again}");

    let whole = app.admin_post("/deliveries/replay", &json!({ "dry_run": true })).await?;
    ensure!(whole["replayed"] == 1 && whole["dry_run"] == true, "{whole}");
    let range = json!({ "integration": "prod-alerts", "state": "quarantined", "from": "2026-01-01T00:00:00Z" });
    ensure!(app.admin_post("/deliveries/replay", &range).await?["replayed"] == 1);
    deliveries(&app, "quarantined", 1).await?;

    let health = app.admin(&format!("{integration}/health")).await?;
    ensure!(health["last_hour"] == 2 && health["silent"].is_null() && health["lag_seconds"].as_f64().is_some(), "{health}");
    ensure!(health["last_day_by_state"]["quarantined"] == 1, "{health}");
    let gauge = "fanal_integration_silent{integration=\"prod-alerts\"}";
    let silent = wait_for("the gauge of silence", SHOWS, || async { app.metric(gauge).await }).await?;
    ensure!(silent == 0.0, "a sender without a habit is not silent");
    ensure!(deliver(&app, &alert("a1", &now(), Some(&now()))).await? == 202);
    app.wait_for_status("API", "operational").await?;
    app.finish().await
}

/// A test is a dry run that is kept: whatever it holds, no status, no incident and no notification comes of it, be it looked at again.
async fn a_test_shows_what_would_happen_and_nothing_does(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(), &[]).await?;
    let integration = format!("/integrations/{}", app.admin("/integrations").await?["items"][0]["id"]);
    let routes = json!({ "routes": [{ "components": ["api"], "publish": "auto" }] });
    app.admin_send(Method::PATCH, &integration, &routes).await?;
    let tested = app.admin_post(&format!("{integration}/test"), &json!({ "body": alert("a1", &now(), None).to_string() })).await?;
    ensure!(tested["result"]["signals"][0]["routes"][0]["status"] == "major_outage", "{tested}");
    let kept = deliveries(&app, "ignored", 1).await?.remove(0);
    ensure!(kept["id"] == tested["delivery"] && kept["test"] == true && kept["reason"] == "a test: it changes nothing", "{kept}");
    app.admin_post(&format!("/deliveries/{}/replay", kept["id"]), &Value::Null).await?;
    deliveries(&app, "ignored", 1).await?;
    ensure!(app.status_of("API").await? == "operational", "no status changes");
    ensure!(app.admin("/incidents").await?["items"] == json!([]), "no incident opens");
    let shown = app.admin(&integration).await?;
    ensure!(shown["last_delivery"] == Value::Null, "nothing was heard of the sender: {shown}");

    ensure!(deliver(&app, &alert("a1", &now(), None)).await? == 202, "the same from the sender itself");
    app.wait_for_status("API", "major_outage").await?;
    app.finish().await
}

on_every_stack!(a_test_shows_what_would_happen_and_nothing_does, a_captured_delivery_becomes_a_route);
