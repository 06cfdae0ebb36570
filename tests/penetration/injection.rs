//! sqlmap: no parameter of a list reaches the database as anything but a value.

use anyhow::{Result, ensure};

use crate::{
    app::{App, Stack},
    instance, text, tool,
};

/// Lists with every filter they take, and public addresses with a number in them.
const ADDRESSES: [&str; 7] = [
    "/api/admin/v1/audit?actor=token%3A1&action=token.create&resource=token%3A1&from=2026-01-01T00:00:00Z&limit=5&cursor=1-9",
    "/api/admin/v1/deliveries?integration=prod-alerts&state=processed&limit=5&cursor=1-9",
    "/api/admin/v1/notifications?state=delivered&limit=5&cursor=1-9",
    "/api/admin/v1/users?role=owner&email=ada%40example.com&limit=5&cursor=1-9",
    "/api/admin/v1/sessions?user=1&limit=5&cursor=1-9",
    "/api/v2/incidents.json?page=1",
    "/history?page=1",
];

async fn no_parameter_is_part_of_a_statement(stack: Stack, dbms: &str) -> Result<()> {
    let (app, token) = instance(stack).await?;
    for address in ADDRESSES {
        attack(&app, &token, address, dbms).await?;
    }
    Ok(())
}

async fn attack(app: &App, token: &str, address: &str, dbms: &str) -> Result<()> {
    let mut sqlmap = tool("sqlmap")?;
    sqlmap.args(["-u", &format!("{}{address}", app.base), "--headers", &format!("Authorization: Bearer {token}"), "--dbms", dbms]);
    sqlmap.args(["--batch", "--level", "3", "--risk", "2", "--flush-session", "--disable-coloring", "--ignore-code", "400,404,422"]);
    sqlmap.arg("--output-dir").arg(app.data_dir().join("sqlmap"));
    let output = sqlmap.output().await?;
    let said = text(&output);
    ensure!(output.status.success() && said.contains("do not appear to be injectable"), "{address}: {said}");
    ensure!(!said.contains("500 (Internal Server Error)"), "{address} fails inside: {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() -> Result<()> {
    no_parameter_is_part_of_a_statement(Stack::Sqlite, "sqlite").await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() -> Result<()> {
    no_parameter_is_part_of_a_statement(Stack::Postgres, "postgresql").await
}
