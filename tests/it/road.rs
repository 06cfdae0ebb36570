//! The whole road: from a webhook to the page and the subscriber.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    faults::mail_settings,
    servers::{alertmanager::Alertmanager, smtp::SmtpServer, webhooks::WebhookServer},
};

pub(crate) const TOKEN: &str = "an-alertmanager-token-of-the-tests";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_dGVzdHMgb25seTogMjQgYnl0ZXMgb3IgbW9yZSE=";

pub(crate) fn configuration(webhook: &str) -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API, group: Platform }}
  - {{ key: site, name: Website, group: Platform }}
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes:
      - when: signal.labels.service == "api"
        components: [api]
        status: {{ critical: major_outage, warning: degraded_performance }}
        publish: auto
subscribers:
  - {{ channel: email, address: ops@example.com }}
  - {{ channel: webhook, url: "{webhook}", secret: {{ value: "{WEBHOOK_SECRET}" }} }}
"#
    )
}

pub(crate) fn alert(fingerprint: &str, starts_at: &str, ends_at: Option<&str>) -> Value {
    json!({
        "version": "4", "groupKey": format!("{{}}:{{n={fingerprint}}}"), "truncatedAlerts": 0, "receiver": "fanal",
        "status": if ends_at.is_some() { "resolved" } else { "firing" },
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager.example",
        "alerts": [{
            "status": if ends_at.is_some() { "resolved" } else { "firing" },
            "labels": { "alertname": "ApiDown", "service": "api", "severity": "critical" },
            "annotations": { "summary": "db-3.internal is down" },
            "startsAt": starts_at, "endsAt": ends_at.unwrap_or("0001-01-01T00:00:00Z"),
            "generatorURL": "http://prometheus.example", "fingerprint": fingerprint
        }]
    })
}

pub(crate) async fn deliver(app: &App, body: &Value) -> Result<u16> {
    let sent = app.http.post(format!("{}/hooks/prod-alerts", app.base)).bearer_auth(TOKEN).json(body).send().await?;
    Ok(sent.status().as_u16())
}

/// Debian's Alertmanager raises and resolves an alert; page, mail and webhook follow, and the fold over the deliveries is the state.
async fn an_alert_travels_to_page_mail_and_webhook(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let alertmanager = Alertmanager::start(&format!(
        "route: {{ receiver: fanal, group_wait: 0s, group_interval: 1s }}\nreceivers:\n  - name: fanal\n    webhook_configs:\n      - url: {}/hooks/prod-alerts\n        http_config: {{ authorization: {{ credentials: {TOKEN} }} }}\n",
        app.base
    ))
    .await?;
    let labels = json!({ "alertname": "ApiDown", "service": "api", "severity": "critical" });
    alertmanager.post(&json!([{ "labels": labels, "annotations": { "summary": "db-3.internal is down" } }])).await?;
    app.wait_for_status("API", "major_outage").await?;
    let page = app.http.get(&app.base).send().await?.text().await?;
    ensure!(page.contains("major outage"), "the page says so");
    ensure!(!page.contains("db-3.internal"), "and gives nothing internal away");
    let mails = smtp.wait_for_mails(1, Duration::from_secs(20)).await?;
    ensure!(String::from_utf8_lossy(&mails[0].raw).contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
    // The incident, and the component's status.
    for request in webhooks.wait_for_requests(2, Duration::from_secs(20)).await? {
        request.verify(WEBHOOK_SECRET).context("an independent implementation verifies the signature")?;
    }
    // Not before it began: an end older than the beginning would be late news.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ended = now();
    alertmanager.post(&json!([{ "labels": labels, "annotations": { "summary": "db-3.internal is down" }, "endsAt": ended }])).await?;
    app.wait_for_status("API", "operational").await?;
    let mails = smtp.wait_for_mails(2, Duration::from_secs(20)).await?;
    ensure!(String::from_utf8_lossy(&mails[1].raw).contains("In-Reply-To:"), "mail about one incident threads");
    webhooks.wait_for_requests(4, Duration::from_secs(20)).await?;
    let unresolved: Value = app.http.get(format!("{}/api/v2/incidents/unresolved.json", app.base)).send().await?.json().await?;
    ensure!(unresolved["incidents"].as_array().is_some_and(Vec::is_empty), "the incident is resolved");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// What is not proven or not known is turned away as the contract says; what is proven but does not fit is kept in quarantine.
async fn bad_input_gets_its_answer(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let hook = format!("{}/hooks/prod-alerts", app.base);
    let post = |url: &str| app.http.post(url).header("content-type", "application/json");
    ensure!(post(&hook).body("{}").send().await?.status() == 401, "no token");
    ensure!(post(&hook).bearer_auth("wrong").body("{}").send().await?.status() == 401, "wrong token");
    ensure!(post(&format!("{}/hooks/nothing", app.base)).body("{}").send().await?.status() == 404, "unknown integration");
    ensure!(post(&hook).bearer_auth(TOKEN).body(vec![b'x'; (1 << 20) + 1]).send().await?.status() == 413, "too large");
    ensure!(post(&hook).bearer_auth(TOKEN).body("{\"version\":\"4\"}").send().await?.status() == 202, "quarantined, not refused");
    let started = now();
    ensure!(deliver(&app, &alert("a1", &started, None)).await? == 202);
    app.wait_for_status("API", "major_outage").await?;
    // An older claim about the same thing changes nothing.
    ensure!(deliver(&app, &alert("a1", "2020-01-01T00:00:00Z", Some("2020-01-01T00:05:00Z"))).await? == 202);
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(app.status_of("API").await? == "major_outage", "late news never overwrites newer news");
    ensure!(app.http.get(format!("{}/proxy/example.com", app.base)).send().await?.status() == 404);
    app.finish().await
}

/// The same file twice changes nothing, what is exported reads back to no change, and a wrong file changes nothing at all.
async fn configuration_as_code_holds(stack: Stack) -> Result<()> {
    let text = configuration("https://hooks.example.com/in");
    let app = App::start(stack, &text, &[]).await?;
    let again = app.apply(&text)?;
    ensure!(!again.contains('+') && !again.contains('~'), "applied twice: {again}");
    let exported = app.command(&["export"])?;
    let back = app.apply(&exported)?;
    ensure!(!back.contains('+') && !back.contains('~'), "applied its export: {back}");
    let wrong = text.replace("components: [api]", "components: [apii]");
    let error = app.apply(&wrong).expect_err("a reference to nothing").to_string();
    ensure!(error.contains("did you mean `api`"), "{error}");
    ensure!(app.command(&["export"])? == exported, "nothing was half applied");
    app.finish().await
}

on_every_stack!(an_alert_travels_to_page_mail_and_webhook, bad_input_gets_its_answer, configuration_as_code_holds,);
