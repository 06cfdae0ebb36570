//! A real Prometheus, which is asked, and tells its alerts to an Alertmanager.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    folder::Folder,
    http_client,
    process::{self, Process},
    spare_port,
};

/// A running Prometheus. Dropping it ends it.
pub(crate) struct Prometheus {
    // Before the folder, so that it has ended when the folder goes.
    _process: Process,
    port: u16,
    _folder: Folder,
}

impl Prometheus {
    /// Starts it. It scrapes `target` and judges `rules` every second, and tells `alertmanager`; both are addresses with a port.
    pub(crate) async fn start(target: &str, rules: &Value, alertmanager: &str) -> Result<Self> {
        let (folder, port) = (Folder::new("prometheus")?, spare_port()?);
        let [file, rule_file] = ["prometheus.yml", "rules.yml"].map(|name| folder.path().join(name));
        let configuration = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [rule_file],
            "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [alertmanager] }] }] },
            "scrape_configs": [{ "job_name": "target", "static_configs": [{ "targets": [target] }] }],
        });
        // YAML takes JSON as it is.
        fs::write(&file, configuration.to_string())?;
        fs::write(&rule_file, json!({ "groups": [{ "name": "tests", "rules": rules }] }).to_string())?;
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let program = process::find_program("prometheus")?;
        let mut process = Process::start(&program, &arguments, None, &folder.path().join("log"))?;
        let url = format!("http://127.0.0.1:{port}/-/ready");
        let answers = || async { http_client().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        process.wait_until("Prometheus to be ready", answers).await.context("Prometheus does not start")?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    /// Where it is asked.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
