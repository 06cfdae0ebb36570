//! Words: a template of the file becomes an incident, and what was learned becomes part of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    faults::mail_settings,
    road::{TOKEN, alert, deliver, now},
    servers::{smtp::SmtpServer, wait_for},
};

const SOON: Duration = Duration::from_secs(30);
/// What only the team may read.
const MARKER: &str = "marker-of-a-draft";

fn configuration() -> String {
    format!(
        r#"
page: {{ name: Acme }}
components:
  - {{ key: api, name: API }}
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes: [{{ components: [api], publish: shadow }}]
subscribers:
  - {{ channel: email, address: ops@example.com }}
incident_templates:
  - key: outage
    name: Outage
    title: "{{{{ components }}}}: {{{{ status }}}}"
    body: "Noticed by {{{{ signal.labels.alertname }}}}."
    status: identified
    components: {{ api: major_outage }}
"#
    )
}

/// Every document that readers can ask for.
fn documents(incident: &Value) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/history",
        "/history.atom",
        "/history.rss",
        "/calendar.ics",
        "/badge.svg",
        "/embed",
        "/components/1",
        "/api/v2/summary.json",
        "/api/v2/status.json",
        "/api/v2/components.json",
        "/api/v2/incidents.json",
        "/api/v2/incidents/unresolved.json",
        "/api/v2/scheduled-maintenances.json",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/incidents/{incident}"));
    paths
}

async fn read(app: &App, path: &str) -> Result<String> {
    let answer = app.http.get(format!("{}{path}", app.base)).send().await?;
    ensure!(answer.status() == 200, "{path}: {}", answer.status());
    Ok(answer.text().await?)
}

/// The file has a template; it is filled in from what an alert said, published, resolved and written up, and readers see each of that and
/// nothing of what was only a draft.
async fn a_template_becomes_an_incident_and_its_lesson_is_published(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let app = App::start(stack, &configuration(), &mail_settings(&smtp)).await?;
    let file = app.command(&["export"])?;
    ensure!(file.contains("incident_templates:") && app.apply(&file)?.contains("No changes"), "what is exported reads back: {file}");

    ensure!(deliver(&app, &alert("a", &now(), None)).await? == 202);
    let delivery = wait_for("the delivery", SOON, || async {
        let all = app.admin_list("/deliveries").await.ok()?;
        all.first().filter(|delivery| delivery["state"] == "processed").map(|delivery| delivery["id"].clone())
    })
    .await?;
    let template = app.admin_list("/incident-templates").await?.first().context("the template")?["id"].clone();
    let render = format!("/incident-templates/{template}/render");
    let rendered = app.admin_post(&render, &json!({ "delivery": delivery })).await?;
    ensure!(rendered["title"] == "API: major outage" && rendered["body"] == "Noticed by ApiDown.", "{rendered}");
    let integration = app.admin_list("/integrations").await?.first().context("the integration")?["id"].clone();
    let tried = app.admin_post(&format!("/integrations/{integration}/dry-run"), &json!({ "delivery": delivery })).await?;
    let alert = json!({ "integration": "prod-alerts", "fingerprint": tried["signals"][0]["signal"]["fingerprint"] });
    ensure!(app.admin_post(&render, &json!({ "alert": alert })).await? == rendered, "what fires is known by its name");

    let incident = app.admin_post("/incidents", &rendered).await?["id"].clone();
    app.wait_for_status("API", "major_outage").await?;
    let path = format!("/incidents/{incident}");
    app.admin_post(&format!("{path}/updates"), &json!({ "status": "resolved", "body": "It is over." })).await?;
    app.wait_for_status("API", "operational").await?;

    let postmortem = format!("{path}/postmortem");
    app.admin_send(Method::PUT, &postmortem, &json!({ "body": MARKER })).await?;
    app.admin_send(Method::PATCH, &path, &json!({ "title": "API: major outage of today" })).await?;
    wait_for("the page to be newer than the draft", SOON, || async { read(&app, "/").await.ok()?.contains("of today").then_some(()) })
        .await?;
    for document in documents(&incident) {
        ensure!(!read(&app, &document).await?.contains(MARKER), "{document} shows a draft");
    }
    ensure!(smtp.wait_for_mails(2, SOON).await?.len() == 2, "of a draft nobody is told");

    app.admin_send(Method::PUT, &postmortem, &json!({ "body": "It was the *cable*.<script>x</script>" })).await?;
    app.admin_post(&format!("{postmortem}/publish"), &json!({ "notify": true })).await?;
    let page =
        wait_for("the postmortem", SOON, || async { read(&app, &path).await.ok().filter(|page| page.contains("id=\"postmortem\"")) })
            .await?;
    ensure!(page.contains("<em>cable</em>") && !page.contains("<script>x"), "{page}");
    for document in ["/history", "/history.atom", "/history.rss"] {
        ensure!(read(&app, document).await?.contains("cable"), "{document}");
    }
    let list: Value = serde_json::from_str(&read(&app, "/api/v2/incidents.json").await?)?;
    let shown = &list["incidents"][0];
    ensure!(shown["status"] == "postmortem" && shown["incident_updates"][0]["status"] == "postmortem", "{shown}");
    ensure!(shown["postmortem_body"] == "It was the *cable*.<script>x</script>" && shown["postmortem_published_at"].is_string(), "{shown}");
    let mails = smtp.wait_for_mails(3, SOON).await?;
    let mail = String::from_utf8_lossy(&mails.last().context("a mail")?.raw).into_owned();
    ensure!(mail.contains("Postmortem") && mail.contains("cable"), "{mail}");
    ensure!(!mails.iter().any(|mail| String::from_utf8_lossy(&mail.raw).contains(MARKER)), "no mail holds the draft");
    app.finish().await
}

on_every_stack! { a_template_becomes_an_incident_and_its_lesson_is_published }
