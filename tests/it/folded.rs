//! `fanal replay` names what differs from the fold over the deliveries, and says what it cannot compare.

use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::{
    app::{App, Stack, on_every_stack},
    road::{TOKEN, alert, deliver, now},
};

const SOON: Duration = Duration::from_secs(20);

fn configuration() -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
metrics: [{{ key: load, name: Load }}]
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes:
      - when: signal.labels.service == "api"
        components: [api]
        status: {{ critical: major_outage }}
        publish: auto
        metric: {{ key: load, value: "3" }}
"#
    )
}

async fn what_differs_from_the_fold_is_named(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(), &[]).await?;
    let began = now();
    ensure!(deliver(&app, &alert("a1", &began, None)).await? == 202);
    app.wait_for_status("API", "major_outage").await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let ended = now();
    ensure!(deliver(&app, &alert("a1", &began, Some(&ended))).await? == 202);
    app.wait_for_status("API", "operational").await?;
    app.settle(SOON).await?;
    let whole = app.command(&["replay"])?;
    ensure!(whole.starts_with("2 deliveries about ") && whole.contains("give exactly the stored state."), "{whole}");
    ensure!(whole.contains("1 incidents with their entries") && !whole.contains("hand in them"), "{whole}");

    for (table, column, named) in [
        ("component_day", "major_outage", "bar of api: stored"),
        ("incident", "resolved_at", "incident of prod-alerts[0] since"),
        ("incident_update", "at", "incident of prod-alerts[0] since"),
        ("sample", "value", "sample of metric 1 at"),
    ] {
        app.sql(&format!("update {table} set {column} = {column} + 1")).await?;
        let differs = app.command(&["replay"]).map_or_else(|error| error.to_string(), |said| format!("nothing differs: {said}"));
        ensure!(differs.contains(named) && differs.contains("the fold differs"), "{table}: {differs}");
        app.sql(&format!("update {table} set {column} = {column} - 1")).await?;
    }
    app.sql("insert into sample (metric_id, at, value) values (1, 1, 7)").await?;
    let more = app.command(&["replay"])?;
    ensure!(more.contains("exactly the stored state") && more.contains("1 samples that no kept delivery gives"), "{more}");

    // What a person does is no delivery, and is left out with all that it touches.
    let until = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3)).to_string();
    app.admin_send(Method::PUT, "/components/1/override", &json!({ "status": "degraded_performance", "until": until })).await?;
    app.wait_for_status("API", "degraded_performance").await?;
    app.wait_for_status("API", "operational").await?;
    let touched = app.command(&["replay"])?;
    ensure!(touched.contains("exactly the stored state") && touched.contains("0 incidents with their entries"), "{touched}");
    ensure!(touched.contains("Not compared: incidents and bars of 1 components"), "{touched}");
    app.finish().await
}

on_every_stack!(what_differs_from_the_fold_is_named);
