//! Sources that are asked instead of sending.

use std::time::Duration;

use anyhow::{Result, ensure};
use poem::http::StatusCode;
use serde_json::json;

use crate::{
    app::{App, Stack, on_every_stack},
    history::published_incidents,
    servers::{
        wait_for,
        webhooks::{Manner, WebhookServer},
    },
};

/// How long a change at the source may take to show: the source is asked every 5 s, and three times before it counts as lost.
const SHOWS: Duration = Duration::from_secs(40);

fn configuration(source: &str) -> String {
    let url = source.trim_end_matches("/in");
    format!(
        r"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
metrics:
  - {{ key: ratio, name: Error ratio }}
integrations:
  - key: error-ratio
    provider: prometheus
    settings:
      url: {url}
      query: error_ratio
      every: 5s
      thresholds: {{ above: {{ critical: 0.05 }} }}
    secrets: [{{ value: token-for-the-source }}]
    routes:
      - {{ components: [api], publish: auto }}
      - {{ metric: {{ key: ratio }} }}
"
    )
}

/// A query's answer: one series of this value.
fn ratio(value: &str) -> Manner {
    let series = json!({"metric": {"__name__": "error_ratio", "service": "api"}, "value": [1_772_366_400.5, value]});
    Manner::Say(json!({"status": "success", "data": {"resultType": "vector", "result": [series]}}).to_string())
}

async fn wait_for_status(app: &App, status: &str) -> Result<()> {
    // Statuspage's JSON has no word for unknown.
    wait_for(&format!("API to be {status}"), SHOWS, || async {
        (app.admin("/components").await.ok()?["items"][0]["status"] == status).then_some(())
    })
    .await
}

/// What a source says shows on the page; when it cannot be read the component is unknown, without an incident, and known again afterwards.
async fn a_source_is_asked_and_what_it_says_shows(stack: Stack) -> Result<()> {
    let source = WebhookServer::start().await?;
    source.behave(ratio("0.001"));
    let app = App::start(stack, &configuration(&source.url()), &[]).await?;
    let asked = source.wait_for_requests(1, SHOWS).await?;
    ensure!(asked[0].uri.path() == "/api/v1/query" && asked[0].body == b"query=error_ratio", "{:?}", asked[0]);
    ensure!(asked[0].headers.get("authorization").is_some_and(|value| value == "Bearer token-for-the-source"));
    source.behave(ratio("0.2"));
    wait_for_status(&app, "major_outage").await?;
    source.behave(ratio("0.001"));
    wait_for_status(&app, "operational").await?;
    let incidents = published_incidents(&app).await?;
    ensure!(incidents.len() == 1, "one incident: {incidents:?}");

    source.behave(Manner::Answer(StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO));
    wait_for_status(&app, "unknown").await?;
    ensure!(published_incidents(&app).await?.len() == 1, "not to see is no incident");
    let shown = app.admin("/integrations").await?;
    let poll = &shown["items"][0]["poll"];
    ensure!(poll["lost"] == true && poll["failures"].as_i64() >= Some(3), "{poll}");
    ensure!(poll["last_error"].as_str().is_some_and(|why| why.contains("the source answered 500")), "{poll}");
    source.behave(ratio("0.001"));
    wait_for_status(&app, "operational").await?;

    let n_asked = source.received().len();
    let n_stored = app.metric("fanal_deliveries_evaluated_total{state=\"processed\"}").await.unwrap_or_default();
    ensure!(n_stored <= 5.0 && n_asked >= 7, "equal answers are not stored again: {n_stored} of {n_asked}");
    let n_unreadable = app.metric("fanal_deliveries_evaluated_total{state=\"quarantined\"}").await.unwrap_or_default();
    ensure!(n_unreadable <= 1.0, "nor are equal failures: {n_unreadable}");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

fn paged_configuration(source: &str) -> String {
    let url = source.trim_end_matches("/in");
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
integrations:
  - key: hosting
    provider: cachet
    settings: {{ url: "{url}", version: 3, every: 10s }}
    secrets: [{{ value: token-for-the-source }}]
    routes:
      - {{ when: signal.labels.component == "Storage", components: [api], publish: auto }}
"#
    )
}

/// A page of two: the first names what nobody watches, the second the storage with this status.
fn page_of_two(number: usize, storage: u8) -> String {
    let (id, name, status) = if number == 1 { (1, "Web", 1) } else { (2, "Storage", storage) };
    let next = (number == 1).then_some("http://attacker.example/api/components?page=2");
    let attributes = json!({"id": id, "name": name, "enabled": true, "status": {"value": status, "human": "as it is"}});
    json!({"data": [{"id": id.to_string(), "type": "components", "attributes": attributes}], "links": {"next": next}}).to_string()
}

/// What is down on the second page shows. While that page cannot be read nothing of the first is applied alone, the source is stale, and what it
/// said before still counts.
async fn what_is_down_on_the_second_page_shows(stack: Stack) -> Result<()> {
    let source = WebhookServer::start().await?;
    let both = |storage: u8| Manner::Pages(vec![page_of_two(1, storage), page_of_two(2, storage)]);
    source.behave(both(4));
    let app = App::start(stack, &paged_configuration(&source.url()), &[]).await?;
    wait_for_status(&app, "major_outage").await?;
    let asked = source.received();
    let paths: Vec<String> = asked.iter().take(2).map(|request| request.uri.to_string()).collect();
    ensure!(paths == ["/api/components?per_page=100&include=group", "/api/components?per_page=100&include=group&page=2"], "{paths:?}");
    ensure!(asked.iter().all(|request| request.headers.get("authorization").is_some_and(|value| value == "Bearer token-for-the-source")));

    source.behave(Manner::Pages(vec![page_of_two(1, 1)]));
    let stale = wait_for("a round that failed", SHOWS, || async {
        let shown = app.admin("/integrations").await.ok()?;
        Some(shown["items"][0]["poll"].clone()).filter(|poll| poll["failures"].as_i64() > Some(0))
    })
    .await?;
    ensure!(stale["stale"] == true && stale["lost"] == false && stale["answered_at"].is_string(), "{stale}");
    ensure!(stale["last_error"] == "page 2: the source answered 500", "{stale}");
    ensure!(app.admin("/components").await?["items"][0]["status"] == "major_outage", "half an answer ends nothing");

    source.behave(both(1));
    wait_for_status(&app, "operational").await?;
    let shown = app.admin("/integrations").await?;
    let poll = &shown["items"][0]["poll"];
    ensure!(poll["stale"] == false && poll["failures"] == 0 && poll["last_error"].is_null(), "{poll}");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

on_every_stack!(a_source_is_asked_and_what_it_says_shows, what_is_down_on_the_second_page_shows);
