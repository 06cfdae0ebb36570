//! What is not for readers is in nothing that readers can get: one marker in everything that is hidden, and every open route, feed and mail looked
//! through for it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    road::{TOKEN, WEBHOOK_SECRET, alert, deliver, now},
    roles::{OPEN, guess},
    servers::{smtp::SmtpServer, webhooks::WebhookServer},
};

/// Stands in everything that is not for readers, and in nothing else.
const MARK: &str = "quokka";
/// Stands in what is.
const OPEN_MARK: &str = "wallaby";

fn configuration(webhook: &str) -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: "API {OPEN_MARK}", group: Platform }}
  - {{ key: site, name: "Site {OPEN_MARK}", group: Platform }}
  - {{ key: {MARK}-vault, name: "{MARK} vault", description: "{MARK} keeps the keys", hidden: true, group: Platform }}
integrations:
  - key: prod-alerts
    name: "{MARK} cluster"
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes:
      - {{ when: 'signal.labels.service == "api"', components: [api], status: {{ critical: partial_outage }}, publish: auto }}
      - {{ when: 'signal.labels.service == "vault"', components: [{MARK}-vault], status: {{ critical: major_outage }}, publish: auto, title: "{MARK} is lost", body: "{MARK} text" }}
      - {{ when: 'signal.labels.service == "draft"', components: [api], status: {{ critical: major_outage }}, publish: draft, title: "{MARK} draft" }}
      - {{ when: 'signal.labels.service == "shadow"', components: [api], status: {{ critical: major_outage }}, publish: shadow, title: "{MARK} shadow" }}
      - {{ when: 'signal.labels.service == "held"', components: [site], status: {{ critical: major_outage }}, publish: auto, publish_after: 1d, title: "{MARK} held" }}
subscribers:
  - {{ channel: email, address: reader@example.com }}
  - {{ channel: webhook, url: "{webhook}", secret: {{ value: "{WEBHOOK_SECRET}" }} }}
"#
    )
}

/// An alert about a service, with words that only the team may read.
fn about(service: &str) -> Value {
    let mut body = alert(service, &now(), None);
    body["alerts"][0]["labels"] =
        json!({ "alertname": "Down", "service": service, "severity": "critical", "host": format!("{MARK}-3.internal") });
    body["alerts"][0]["annotations"] = json!({ "summary": format!("{MARK}-3 is down") });
    body["externalURL"] = json!(format!("http://{MARK}.internal"));
    body
}

/// Everything that is hidden, in every state that there is.
async fn fill(app: &App) -> Result<()> {
    for service in ["api", "vault", "draft", "shadow", "held"] {
        ensure!(deliver(app, &about(service)).await? == 202);
    }
    app.settle(Duration::from_secs(20)).await?;
    let vault = format!("{MARK}-vault");
    app.admin_post("/incidents", &json!({ "title": format!("{MARK} by hand"), "body": MARK, "published": false })).await?;
    let affected = json!([{ "component": vault, "status": "major_outage" }]);
    app.admin_post("/incidents", &json!({ "title": format!("{MARK} of what is hidden"), "body": MARK, "components": affected })).await?;
    let window = |title: String, components: Value| {
        let start = jiff::Timestamp::now() + jiff::Span::new().hours(30);
        json!({ "title": title, "body": title, "starts_at": start.to_string(), "ends_at": (start + jiff::Span::new().hours(1)).to_string(), "components": components })
    };
    app.admin_post("/maintenances", &window(format!("{MARK} window"), json!([vault]))).await?;
    app.admin_post("/maintenances", &window(format!("{OPEN_MARK} window"), json!(["api"]))).await?;
    app.admin_post("/subscribers", &json!({ "channel": "email", "address": format!("{MARK}@example.com") })).await?;
    app.admin_post("/tokens", &json!({ "name": MARK, "scopes": ["page:read"] })).await?;
    let user = ["user", "create", "--email", &format!("{MARK}@example.com"), "--role", "owner"];
    app.command(&user)?;
    app.settle(Duration::from_secs(20)).await
}

/// Headers and the first 1 MiB of an answer; of a stream, what comes at once.
async fn all_of(app: &App, path: &str) -> Result<(u16, String)> {
    let mut answer = app.http.get(format!("{}{path}", app.base)).header("accept-encoding", "identity").send().await?;
    let status = answer.status().as_u16();
    let mut read = format!("{:?}\n", answer.headers()).into_bytes();
    while let Ok(Some(chunk)) = tokio::time::timeout(Duration::from_millis(1500), answer.chunk()).await.unwrap_or(Ok(None)) {
        read.extend(chunk);
        if read.len() > 1 << 20 {
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&read).into_owned()))
}

/// Every open path: those of the table, with every id that there is and the next ones.
async fn paths(app: &App) -> Result<Vec<String>> {
    let mut ids: Vec<i64> = (0..8).collect();
    for list in ["/components", "/incidents", "/maintenances"] {
        ids.extend(app.admin_list(list).await?.iter().filter_map(|one| one["id"].as_i64()));
    }
    ids.sort_unstable();
    ids.dedup();
    let mut paths = Vec::new();
    for open in OPEN.iter().filter(|open| !open.route.starts_with("/console")) {
        if open.route.contains("/:id") {
            paths.extend(ids.iter().map(|id| open.route.replace(":id", &id.to_string())));
        } else {
            paths.push(guess(open.route));
        }
    }
    let odd = [
        "/history?page=1",
        "/history?page=2",
        "/embed?theme=dark",
        "/api/v2/incidents.json?page=2",
        "/api/v2/incidents.json?hidden=1",
        "/sitemap.xml",
        "/robots.txt",
        "/console/log-in",
    ];
    paths.extend(odd.map(str::to_owned));
    Ok(paths)
}

/// Cachet's third version showed through its JSON what its pages hid.
async fn ghsa_6ghm_wf22_pvx5_what_is_hidden_is_in_no_answer_and_no_mail(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let settings = [("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned())];
    let app = App::start(stack, &configuration(&webhooks.url()), &settings).await?;
    fill(&app).await?;
    let inside = app.admin("/incidents?limit=200").await?.to_string() + &app.admin("/components?limit=200").await?.to_string();
    ensure!(inside.matches(MARK).count() > 8, "there is much to hide: {inside}");
    let (mut n_open, paths) = (0, paths(&app).await?);
    ensure!(paths.len() > 60, "{paths:?}");
    for path in &paths {
        let (status, answer) = all_of(&app, path).await?;
        ensure!(!answer.contains(MARK), "{path} ({status}) shows what is hidden: {answer}");
        n_open += usize::from(answer.contains(OPEN_MARK));
    }
    ensure!(n_open > 10, "what is not hidden is shown: {n_open} of {}", paths.len());
    for (name, status) in [("API", "partial_outage"), ("Site", "operational")] {
        ensure!(app.status_of(&format!("{name} {OPEN_MARK}")).await? == status, "drafts, shadows and what is held move nothing");
    }
    let summary = app.http.get(format!("{}/api/v2/summary.json", app.base)).send().await?.json::<Value>().await?;
    ensure!(summary["components"].as_array().map(Vec::len) == Some(3), "two components and their group, and no gap: {summary}");
    ensure!(summary["incidents"].as_array().map(Vec::len) == Some(1), "counts leave out what is hidden: {summary}");
    smtp.wait_for_mails(1, Duration::from_secs(20)).await?;
    for mail in smtp.mails().iter().filter(|mail| mail.to == ["reader@example.com"]) {
        let text = String::from_utf8_lossy(&mail.raw).replace("=\r\n", "");
        ensure!(!text.contains(MARK), "{text}");
    }
    for request in webhooks.wait_for_requests(1, Duration::from_secs(20)).await? {
        ensure!(!String::from_utf8_lossy(&request.body).contains(MARK), "{request:?}");
    }
    app.finish().await
}

/// Uptime Kuma: the badge of a monitor that was nobody's business told its state.
async fn cve_2026_32230_a_hidden_component_has_no_badge(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &[]).await?;
    let components = app.admin_list("/components").await?;
    let hidden = components.iter().find(|component| component["hidden"] == true).context("a hidden component")?["id"].clone();
    let never = all_of(&app, "/components/999999/badge.svg").await?.1.replace("999999", "");
    for path in [format!("/components/{hidden}/badge.svg"), format!("/components/{hidden}")] {
        ensure!(all_of(&app, &path).await?.0 == 404, "{path}");
    }
    let body = |answer: &str| answer.split_once('\n').map(|(_, body)| body.to_owned());
    let theirs = all_of(&app, &format!("/components/{hidden}/badge.svg")).await?.1;
    ensure!(body(&theirs) == body(&never), "what is hidden is told from what never was");
    let healthy = body(&all_of(&app, "/badge.svg").await?.1);
    ensure!(deliver(&app, &about("vault")).await? == 202);
    app.settle(Duration::from_secs(20)).await?;
    let internal = app.admin(&format!("/components/{hidden}")).await?;
    ensure!(internal["status"] == "major_outage", "{internal}");
    ensure!(body(&all_of(&app, "/badge.svg").await?.1) == healthy, "nor does the badge of the page know of it");
    app.finish().await
}

on_every_stack!(ghsa_6ghm_wf22_pvx5_what_is_hidden_is_in_no_answer_and_no_mail, cve_2026_32230_a_hidden_component_has_no_badge);
