//! schemathesis: whatever the OpenAPI document allows or forbids is sent, and every answer must be one that it names.

use anyhow::{Result, ensure};

use crate::{
    app::{App, Stack},
    instance, text, tool,
};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/penetration");

async fn the_document_is_true(stack: Stack) -> Result<()> {
    let (app, token) = instance(stack).await?;
    let document = app.http.get(format!("{}/api/admin/openapi.json", app.base)).send().await?.text().await?;
    let file = app.data_dir().join("openapi.json");
    std::fs::write(&file, document)?;
    let mut schemathesis = tool("schemathesis")?;
    schemathesis.args(["--config-file", &format!("{HERE}/schemathesis.toml"), "run"]).arg(&file);
    schemathesis.args(["--url", &format!("{}/api/admin/v1", app.base), "--checks", "all", "--no-color", "--workers", "2"]);
    // Few examples in every run; `FANAL_PENTEST_EXAMPLES` digs deeper.
    let n = std::env::var("FANAL_PENTEST_EXAMPLES").unwrap_or_else(|_| "12".to_owned());
    schemathesis.args(["--max-examples", &n, "--max-failures", "50"]);
    schemathesis.env("FANAL_TOKEN", &token).env("FANAL_OWN_TOKEN_ID", own_id(&app, &token).await?);
    schemathesis.env("SCHEMATHESIS_HOOKS", "fuzz_hooks").env("PYTHONPATH", HERE).current_dir(app.data_dir());
    let output = schemathesis.output().await?;
    ensure!(output.status.success(), "{}", text(&output));
    let log = app.everything_written().await?;
    ensure!(!String::from_utf8_lossy(&log).contains("A request to the admin API failed"), "something went wrong inside");
    ensure!(app.command(&["verify-audit"])?.contains("prove one another"));
    Ok(())
}

async fn own_id(app: &App, token: &str) -> Result<String> {
    let me: serde_json::Value = app.http.get(format!("{}/api/admin/v1/me", app.base)).bearer_auth(token).send().await?.json().await?;
    Ok(me["id"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() -> Result<()> {
    the_document_is_true(Stack::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() -> Result<()> {
    the_document_is_true(Stack::PostgresRedis).await
}
