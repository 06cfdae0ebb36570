//! Debian's own monitoring systems, as senders and as sources. On one stack: what they say does not depend on where it is stored.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    app::{self, App, Stack},
    road::TOKEN,
    servers::{
        alertmanager::Alertmanager,
        nagios::Nagios,
        prometheus::Prometheus,
        wait_for,
        webhooks::{Manner, WebhookServer},
    },
};

/// How long a change may take to show: it is scraped and judged every second, and the sources are asked every 5 s.
const SHOWS: Duration = Duration::from_secs(60);

/// Waits until all components, by their keys, have one status.
async fn wait_for_statuses(app: &App, keys: &[&str], status: &str) -> Result<()> {
    wait_for(&format!("{keys:?} to be {status}"), SHOWS, || async {
        let components = app.admin_list("/components").await.ok()?;
        let has = |key: &&str| components.iter().any(|component| component["key"] == **key && component["status"] == status);
        keys.iter().all(has).then_some(())
    })
    .await
    .with_context(|| format!("waiting for {status}"))
}

fn prometheus_configuration(url: &str) -> String {
    let routes =
        |key: &str| format!("routes: [{{ components: [{key}], status: {{ critical: major_outage }}, publish: auto, cool_off: 0s }}]");
    format!(
        r"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: by-query, name: By query }}
  - {{ key: by-alerts, name: By alerts }}
  - {{ key: by-alertmanager, name: By Alertmanager }}
integrations:
  - key: query
    provider: prometheus
    settings: {{ url: {url}, query: max(error_ratio), every: 5s, thresholds: {{ above: {{ critical: 0.05 }} }} }}
    {}
  - key: alerts
    provider: prometheus_alerts
    settings: {{ url: {url}, every: 5s }}
    {}
  - key: told
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    {}
",
        routes("by-query"),
        routes("by-alerts"),
        routes("by-alertmanager")
    )
}

/// One error ratio, known in three ways: asked for, as one of Prometheus' alerts, and told by Alertmanager.
async fn what_prometheus_knows_shows_in_each_way() -> Result<()> {
    const KEYS: [&str; 3] = ["by-query", "by-alerts", "by-alertmanager"];
    let target = WebhookServer::start().await?;
    let ratio = |value: &str| Manner::Say(format!("# TYPE error_ratio gauge\nerror_ratio{{service=\"api\"}} {value}\n"));
    target.behave(ratio("0.001"));
    let address = target.url().trim_start_matches("http://").trim_end_matches("/in").to_owned();
    // Each needs to know where the next one is: Fanal where Prometheus is, which tells Alertmanager, which tells Fanal.
    let app = App::start(Stack::PostgresRedis, "page: { name: Acme }\n", &[]).await?;
    let receiver = json!({
        "name": "fanal",
        "webhook_configs": [{ "url": format!("{}/hooks/told", app.base), "http_config": { "authorization": { "credentials": TOKEN } } }],
    });
    let route = json!({ "receiver": "fanal", "group_wait": "0s", "group_interval": "1s" });
    let alertmanager = Alertmanager::start(&json!({ "route": route, "receivers": [receiver] }).to_string()).await?;
    let rules = json!([{ "alert": "ErrorRatio", "expr": "error_ratio > 0.05", "labels": { "severity": "critical" } }]);
    let prometheus = Prometheus::start(&address, &rules, &alertmanager.address()).await?;
    app.apply(&prometheus_configuration(&prometheus.url()))?;
    wait_for_statuses(&app, &KEYS, "operational").await?;
    target.behave(ratio("0.2"));
    wait_for_statuses(&app, &KEYS, "major_outage").await?;
    target.behave(ratio("0.001"));
    wait_for_statuses(&app, &KEYS, "operational").await?;
    let quarantined = app.admin("/deliveries?state=quarantined").await?;
    // Before the first scrape there is no series to ask for.
    let told = quarantined["items"].as_array().is_some_and(|items| items.iter().all(|delivery| delivery["integration"] == "query"));
    ensure!(told, "everything said was understood: {quarantined}");
    app.finish().await
}

/// A host and a service of Nagios, told by the script of the guide.
async fn what_nagios_tells_shows() -> Result<()> {
    let configuration = format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: host, name: Host }}
  - {{ key: service, name: Service }}
integrations:
  - key: nagios
    provider: icinga
    secrets: [{{ value: {TOKEN} }}]
    routes:
      - {{ when: 'signal.labels.service == "http"', components: [service], status: {{ critical: major_outage }}, publish: auto, cool_off: 0s }}
      - {{ when: 'signal.subject == "quay-1" and signal.labels.tag_harbour == "true"', components: [host], publish: auto, cool_off: 0s }}
"#
    );
    let app = App::start(Stack::Sqlite, &configuration, &[]).await?;
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations/icinga/setup.md");
    let mut nagios = Nagios::start(&guide, &format!("{}/hooks/nagios", app.base), TOKEN)?;
    // What has always been well is not told of.
    tokio::time::sleep(Duration::from_secs(3)).await;
    nagios.check()?;
    nagios.set("service", 2)?;
    wait_for_statuses(&app, &["service"], "major_outage").await?;
    wait_for_statuses(&app, &["host"], "operational").await?;
    nagios.set("service", 0)?;
    wait_for_statuses(&app, &["service"], "operational").await?;
    nagios.set("host", 2)?;
    wait_for_statuses(&app, &["host"], "major_outage").await?;
    nagios.set("host", 0)?;
    wait_for_statuses(&app, &["host", "service"], "operational").await?;
    nagios.check()?;
    let deliveries = app.admin_list("/deliveries").await?;
    ensure!(deliveries.iter().all(|delivery| delivery["state"] == "processed"), "everything said was understood: {deliveries:?}");
    app.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_is_understood() -> Result<()> {
    app::run(what_prometheus_knows_shows_in_each_way()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nagios_is_understood() -> Result<()> {
    app::run(what_nagios_tells_shows()).await
}
