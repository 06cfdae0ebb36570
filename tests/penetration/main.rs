//! Tools that attack the whole instance, on both kinds of database: `cargo xtask pentest`, which installs them.

#[path = "../it/app.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the end-to-end tests use the rest")]
mod app;
mod fuzz;
mod injection;
#[path = "../it/servers/mod.rs"]
#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod servers;

use std::{path::PathBuf, process::Output};

use anyhow::{Context, Result, ensure};
use app::{App, Stack};

/// What subscribers are told is looked at by the end-to-end tests.
mod told {
    #[expect(clippy::unused_async, reason = "it stands for one that is")]
    pub(crate) async fn every_change_makes_one_notification_for_each_subscriber(_: &crate::App) -> anyhow::Result<()> {
        Ok(())
    }
}

const CONFIGURATION: &str = r#"
page: { name: Acme, time_zone: Europe/Paris }
components:
  - { key: api, name: API, group: Platform }
  - { key: site, name: Website, group: Platform }
metrics:
  - { key: latency, name: Latency, unit: ms }
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{ value: an-alertmanager-token-of-the-tests }]
    routes:
      - when: signal.labels.service == "api"
        components: [api]
        publish: auto
"#;

/// An instance that lets tools ask as often as they like, with a token that may do everything and its number.
async fn instance(stack: Stack) -> Result<(App, String)> {
    let settings = [
        ("FANAL_TOKEN_REQUESTS_PER_SECOND", "10000".to_owned()),
        ("FANAL_TRUSTED_PROXIES", "127.0.0.0/8".to_owned()),
        ("FANAL_LOG", "warn".to_owned()),
    ];
    let app = App::start(stack, CONFIGURATION, &settings).await?;
    // PostgreSQL needs no folder; the tools do.
    std::fs::create_dir_all(app.data_dir())?;
    let token = app.command(&["token", "create", "--name", "pentest", "--scope", "*"])?.trim().to_owned();
    Ok((app, token))
}

/// One of the tools that `cargo xtask pentest` installs.
fn tool(name: &str) -> Result<tokio::process::Command> {
    let folder = std::env::var_os("FANAL_PENTEST_TOOLS").context("FANAL_PENTEST_TOOLS is not set: run `cargo xtask pentest`")?;
    let program = PathBuf::from(folder).join(name);
    ensure!(program.exists(), "{} is not there: run `cargo xtask pentest`", program.display());
    let mut command = tokio::process::Command::new(program);
    command.kill_on_drop(true);
    Ok(command)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
