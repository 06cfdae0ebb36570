//! A real Alertmanager as a sender.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::{
    folder::Folder,
    http_client,
    process::{self, Process},
    spare_port,
};

/// A running Alertmanager. Dropping it ends it.
pub(crate) struct Alertmanager {
    // Before the folder, so that it has ended when the folder goes.
    _process: Process,
    port: u16,
    _folder: Folder,
}

impl Alertmanager {
    /// Starts it with this configuration file.
    pub(crate) async fn start(configuration: &str) -> Result<Self> {
        let (folder, port) = (Folder::new("alertmanager")?, spare_port()?);
        let file = folder.path().join("alertmanager.yml");
        fs::write(&file, configuration)?;
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let program = process::find_program("prometheus-alertmanager")?;
        let mut process = Process::start(&program, &arguments, None, &folder.path().join("log"))?;
        let url = format!("http://127.0.0.1:{port}/-/ready");
        let answers = || async { http_client().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        process.wait_until("Alertmanager to be ready", answers).await.context("Alertmanager does not start")?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Posts alerts as Prometheus does: a list of `{labels, annotations, startsAt, endsAt}`.
    pub(crate) async fn post(&self, alerts: &serde_json::Value) -> Result<()> {
        let url = format!("http://{}/api/v2/alerts", self.address());
        let answer = http_client().post(url).header("content-type", "application/json").body(alerts.to_string()).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "Alertmanager answered {status}: {}", answer.text().await?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::servers::webhooks::WebhookServer;

    #[tokio::test]
    async fn a_posted_alert_reaches_its_receiver() -> Result<()> {
        let receiver = WebhookServer::start().await?;
        let configuration = json!({
            "route": { "receiver": "hook", "group_wait": "0s", "group_interval": "1s" },
            "receivers": [{ "name": "hook", "webhook_configs": [{ "url": receiver.url() }] }],
        });
        let alertmanager = Alertmanager::start(&configuration.to_string()).await?;
        alertmanager.post(&json!([{ "labels": { "alertname": "Down", "service": "api" } }])).await?;
        let requests = receiver.wait_for_requests(1, Duration::from_secs(20)).await?;
        let body: Value = serde_json::from_slice(&requests[0].body)?;
        assert_eq!((&body["version"], &body["alerts"][0]["labels"]["service"]), (&json!("4"), &json!("api")));
        Ok(())
    }

    #[tokio::test]
    async fn a_bad_configuration_is_an_error_that_says_so() {
        let error = Alertmanager::start("route: 1").await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains("cannot unmarshal"), "{error}");
    }
}
