//! Several sources of one component, and components that depend on others.

use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    history::published_incidents,
    road::{TOKEN, WEBHOOK_SECRET, alert, now},
    servers::wait_for,
};

const SHOWS: Duration = Duration::from_secs(20);

fn configuration(components: &str) -> String {
    let integration = |key: &str, component: &str| {
        format!(
            "  - key: {key}\n    provider: alertmanager\n    secrets: [{{ value: {TOKEN} }}]\n    \
             routes: [{{ components: [{component}], status: {{ critical: major_outage }}, publish: auto, cool_off: 0s }}]\n"
        )
    };
    format!(
        "page: {{ name: Acme, time_zone: Europe/Paris }}\ncomponents:\n{components}integrations:\n{}{}{}",
        integration("inside", "api"),
        integration("outside", "api"),
        integration("vendor-page", "vendor")
    )
}

/// A thing of its own for each integration fires or is over.
async fn says(app: &App, integration: &str, fires: bool) -> Result<()> {
    let ended = now();
    let body = alert(integration, "2026-01-01T00:00:00Z", (!fires).then_some(ended.as_str()));
    let sent = app.http.post(format!("{}/hooks/{integration}", app.base)).bearer_auth(TOKEN).json(&body).send().await?;
    ensure!(sent.status() == 202);
    Ok(())
}

async fn component(app: &App, key: &str) -> Result<Value> {
    let all = app.admin_list("/components").await?;
    Ok(all.into_iter().find(|component| component["key"] == key).unwrap_or_default())
}

async fn wait_for_internal(app: &App, key: &str, status: &str) -> Result<()> {
    wait_for(&format!("the signals to say {status} of {key}"), SHOWS, || async {
        (component(app, key).await.ok()?["internal_status"] == status).then_some(())
    })
    .await
}

/// One of two sources that must agree changes nothing; the second opens the incident, and the first to recover ends it.
async fn a_component_is_down_when_enough_sources_say_so(stack: Stack) -> Result<()> {
    let components = "  - { key: api, name: API, combine: { quorum: 2 } }\n  - { key: vendor, name: Vendor, combine: { quorum: 2 } }\n";
    let app = App::start(stack, &configuration(components), &[]).await?;
    ensure!(app.apply(&app.command(&["export"])?)?.contains("No changes"), "what is exported is what there is");
    says(&app, "inside", true).await?;
    // The only source of the vendor is all there are, so it decides; and what came before it has been decided then.
    says(&app, "vendor-page", true).await?;
    app.wait_for_status("Vendor", "major_outage").await?;
    ensure!(app.status_of("API").await? == "operational", "one is too few");
    says(&app, "outside", true).await?;
    app.wait_for_status("API", "major_outage").await?;
    let id = component(&app, "api").await?["id"].clone();
    let changes = app.admin(&format!("/components/{id}/changes")).await?;
    let why = changes["items"][0]["why"]["text"].as_str().unwrap_or_default().to_owned();
    ensure!(why.contains("of 2 sources: inside says major outage, outside says major outage"), "{why}");
    ensure!(published_incidents(&app).await?.len() == 2);
    says(&app, "inside", false).await?;
    app.wait_for_status("API", "operational").await?;
    let open: Value = app.http.get(format!("{}/api/v2/incidents/unresolved.json", app.base)).send().await?.json().await?;
    ensure!(open["incidents"].as_array().is_some_and(|open| open.len() == 1), "that of the vendor alone: {open}");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.admin_send(Method::PATCH, &format!("/components/{id}"), &json!({ "combine": null })).await?;
    app.wait_for_status("API", "major_outage").await?;
    app.finish().await
}

/// While the vendor is down what depends on it shows its trouble with the cause and opens no incident; afterwards it does, if it goes on.
async fn a_vendors_outage_explains_and_silences_what_depends_on_it(stack: Stack) -> Result<()> {
    let components = "  - { key: vendor, name: Vendor }\n  \
        - { key: api, name: API, depends_on: [{ component: vendor, effect: silence, settle: 2s }, { component: vendor, effect: cap }] }\n  \
        - { key: heir, name: Heir, depends_on: [{ component: api, effect: inherit }] }\n";
    let app = App::start(stack, &configuration(components), &[]).await?;
    ensure!(app.apply(&app.command(&["export"])?)?.contains("No changes"), "what is exported is what there is");
    says(&app, "vendor-page", true).await?;
    app.wait_for_status("Vendor", "major_outage").await?;
    says(&app, "inside", true).await?;
    app.wait_for_status("API", "major_outage").await?;
    app.wait_for_status("Heir", "degraded_performance").await?;
    wait_for("the page to name the cause", SHOWS, || async {
        let page = app.http.get(&app.base).send().await.ok()?.text().await.ok()?;
        (page.matches("Caused by <bdi>Vendor</bdi>").count() == 2).then_some(())
    })
    .await?;
    let incidents = published_incidents(&app).await?;
    ensure!(incidents.len() == 1 && incidents[0]["title"] == "Problem with Vendor", "{incidents:?}");
    ensure!(component(&app, "api").await?["caused_by"] == json!(["vendor"]));
    says(&app, "vendor-page", false).await?;
    let opened = wait_for("the incident of what goes on", SHOWS, || async {
        let mut incidents = published_incidents(&app).await.ok()?;
        incidents.retain(|incident| incident["title"] == "Problem with API");
        incidents.pop()
    })
    .await?;
    ensure!(opened["components"][0]["component"] == "api", "{opened}");
    says(&app, "inside", false).await?;
    app.wait_for_status("API", "operational").await?;
    app.wait_for_status("Heir", "operational").await?;
    wait_for_internal(&app, "api", "operational").await?;
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    let cycle = configuration("  - { key: vendor, name: V, depends_on: [api] }\n  - { key: api, name: A, depends_on: [vendor] }\n");
    let refused = app.apply(&cycle).err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains("4:39: components[1].depends_on[0]: components depend on each other: api on vendor on api"), "{refused}");
    app.finish().await
}

/// What was in quarantine while it happened, and is understood an hour later, corrects the bars and adds an incident that is over.
async fn an_outage_that_is_understood_late_corrects_the_past(stack: Stack) -> Result<()> {
    let settings = |words: [&str; 2]| {
        json!({ "signature": { "mode": "bearer" }, "fingerprint": "body.id", "state": "body.state", "firing": [words[0]],
                "resolved": [words[1]], "severity": "'critical'", "occurred_at": "body.at" })
    };
    let configuration = format!(
        "page: {{ name: Acme, time_zone: Europe/Paris }}\ncomponents: [{{ key: api, name: API }}]\nintegrations:\n  - key: checks\n    \
         provider: json\n    secrets: [{{ value: {TOKEN} }}]\n    settings: {}\n    \
         routes: [{{ components: [api], status: {{ critical: major_outage }}, publish: auto }}]\n\
         subscribers: [{{ channel: webhook, url: \"http://127.0.0.1:9/in\", secret: {{ value: {WEBHOOK_SECRET} }} }}]\n",
        settings(["down", "up"])
    );
    let app = App::start(stack, &configuration, &[]).await?;
    for state in ["DOWN", "UP"] {
        // A component has no past before it was made, so the outage takes place now.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let body = json!({ "id": "c1", "state": state, "at": now() });
        let sent = app.http.post(format!("{}/hooks/checks", app.base)).bearer_auth(TOKEN).json(&body).send().await?;
        ensure!(sent.status() == 202);
    }
    wait_for("both to be in quarantine", SHOWS, || async {
        let listed = app.admin("/deliveries?integration=checks&state=quarantined").await.ok()?;
        (listed["items"].as_array()?.len() == 2).then_some(())
    })
    .await?;
    let path = format!("/integrations/{}", app.admin("/integrations").await?["items"][0]["id"]);
    app.admin_send(Method::PATCH, &path, &json!({ "settings": settings(["DOWN", "UP"]) })).await?;
    // What is looked at again within a minute of its arrival is taken for what has just arrived.
    tokio::time::sleep(Duration::from_secs(62)).await;
    ensure!(app.admin_post("/deliveries/replay", &json!({ "integration": "checks" })).await?["replayed"] == 2);
    let added = wait_for("the incident that was added", SHOWS, || async { published_incidents(&app).await.ok()?.pop() }).await?;
    ensure!(added["status"] == "resolved" && added["added_at"].is_string() && added["impact"] == "critical", "{added}");
    ensure!(app.status_of("API").await? == "operational", "it is well now");
    let id = component(&app, "api").await?["id"].clone();
    wait_for("the page to say so", SHOWS, || async {
        let page = app.http.get(format!("{}/components/{id}", app.base)).send().await.ok()?.text().await.ok()?;
        (page.contains("less than a minute major outage") && page.contains("added later")).then_some(())
    })
    .await?;
    ensure!(app.admin("/notifications").await?["items"].as_array().is_some_and(Vec::is_empty), "nobody is told");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

on_every_stack!(an_outage_that_is_understood_late_corrects_the_past);
on_every_stack!(a_component_is_down_when_enough_sources_say_so, a_vendors_outage_explains_and_silences_what_depends_on_it);
