//! The public page, from the newest to the oldest of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    app::{App, Stack, on_every_stack},
    servers::wait_for,
};

const CONFIGURATION: &str = "
page: { name: Acme }
components:
  - { key: api, name: API }
  - { key: vault, name: Vault, hidden: true }
";

/// The history goes on behind its first page; what is hidden has no place there and no page of its own.
async fn the_history_goes_back_to_the_beginning(stack: Stack) -> Result<()> {
    const N: usize = 60;
    let app = App::start(stack, CONFIGURATION, &[]).await?;
    let mut ids = Vec::new();
    for n in 0..N {
        let body = json!({ "title": format!("Trouble {n}."), "status": "resolved", "components": [{ "component": "api", "status": "major_outage" }] });
        ids.push(app.admin_post("/incidents", &body).await?["id"].clone());
    }
    let secret = json!({ "title": "Secret", "status": "resolved", "components": [{ "component": "vault", "status": "major_outage" }] });
    let secret = app.admin_post("/incidents", &secret).await?["id"].clone();
    let get = async |path: &str| {
        let answer = app.http.get(format!("{}{path}", app.base)).send().await?;
        Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.text().await?))
    };
    wait_for("the page to show the last one", Duration::from_secs(20), || async {
        get("/history").await.ok()?.1.contains(&format!("Trouble {}.", N - 1)).then_some(())
    })
    .await?;
    let (status, newest) = get("/history").await?;
    ensure!(status == 200 && newest.matches("<article").count() == 50 && newest.contains("/history?page=2"), "{newest}");
    let (status, older) = get("/history?page=2").await?;
    ensure!(status == 200 && older.matches("<article").count() == N - 50 && older.contains("Trouble 0."), "{older}");
    ensure!(get("/history?page=3").await?.0 == 404, "there is no third page");
    let oldest = ids.first().context("an incident")?;
    ensure!(get(&format!("/incidents/{oldest}")).await?.1.contains("Trouble 0."), "the oldest incident has its page");
    ensure!(get(&format!("/incidents/{secret}")).await?.0 == 404, "the hidden one has none");
    ensure!(!newest.contains("Secret") && !older.contains("Secret"), "and no place in the history");
    app.finish().await
}

on_every_stack!(the_history_goes_back_to_the_beginning);
