//! Maintenances that come back.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    servers::wait_for,
};

const SOON: Duration = Duration::from_secs(30);
const BARE: &str = "page: { name: Acme, time_zone: Europe/Paris }\ncomponents: [{ key: db, name: Database }]\n";
const SERIES: &str = "maintenance_series:
  - { key: upkeep, title: Upkeep, starts_at: 2026-01-01T02:30, duration: 1h, rule: FREQ=DAILY, components: [db] }
";

async fn scheduled(app: &App) -> Result<Vec<Value>> {
    let all = app.admin_list("/maintenances").await?;
    Ok(all.into_iter().filter(|window| window["status"] == "scheduled").collect())
}

/// Two processes make the windows of a series that the file has, each day once; one is called off alone; what is exported reads back to no
/// change; and a series that is removed takes its windows along.
async fn a_series_of_the_file_makes_each_window_once(stack: Stack) -> Result<()> {
    let app = App::start(stack, &format!("{BARE}{SERIES}"), &[]).await?;
    let other = if stack == Stack::ALL[0] { None } else { Some(app.beside().await?) };
    let all = scheduled(&app).await?;
    let starts: BTreeSet<&str> = all.iter().filter_map(|window| window["starts_at"].as_str()).collect();
    ensure!(starts.len() == all.len() && (59..=62).contains(&all.len()), "{} windows at {} times", all.len(), starts.len());
    ensure!(all.iter().all(|window| window["components"] == json!(["db"]) && window["series"].is_i64()));

    let file = app.command(&["export"])?;
    ensure!(file.contains("FREQ=DAILY"), "{file}");
    ensure!(app.apply(&file)?.contains("No changes"), "what is exported reads back");
    ensure!(scheduled(&app).await?.len() == all.len(), "and makes nothing again");

    let id = all[3]["id"].as_i64().unwrap_or_default();
    app.admin_send(reqwest::Method::PATCH, &format!("/maintenances/{id}"), &json!({ "status": "cancelled" })).await?;
    app.apply(&format!("{BARE}{}", SERIES.replace("duration: 1h", "duration: 2h")))?;
    let left = scheduled(&app).await?;
    ensure!(left.len() == all.len() - 1, "one was called off, and does not come back");
    ensure!(left.iter().all(|window| window["id"] != id));

    let calendar = wait_for("the calendar", SOON, || async {
        let text = app.http.get(format!("{}/calendar.ics", app.base)).send().await.ok()?.text().await.ok()?;
        Some(text).filter(|text| text.matches("BEGIN:VEVENT").count() >= left.len())
    })
    .await?;
    ensure!(calendar.contains("SUMMARY:Acme: Upkeep"));
    let page = app.http.get(&app.base).send().await?.text().await?;
    ensure!(page.matches("comes back").count() == 1, "the front page shows the next one alone");

    app.apply(BARE)?;
    ensure!(scheduled(&app).await?.is_empty(), "they end with their series");
    drop(other);
    app.finish().await
}

on_every_stack! { a_series_of_the_file_makes_each_window_once }
