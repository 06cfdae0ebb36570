//! What publishes itself later, or not at all.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    history::published_incidents,
    road::{TOKEN, alert, deliver, now},
    servers::{
        smtp::{Mail, SmtpServer},
        wait_for,
    },
};

const SOON: Duration = Duration::from_secs(30);
/// How the public API, which has no word for it, calls what is unknown.
const NOT_KNOWN: &str = "degraded_performance";
const OWNER: &str = "owner@acme.example";

fn mail_settings(smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    vec![
        ("FANAL_SMTP_URL", smtp.url()),
        ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned()),
        ("FANAL_OWNER_EMAIL", OWNER.to_owned()),
    ]
}

/// Each of the `routes` is about the service of the same name as its component.
fn configuration(routes: &[(&str, &str)]) -> String {
    let mut components = String::new();
    let mut lines = String::new();
    for (key, policy) in routes {
        components.push_str(&format!("  - {{ key: {key}, name: {} }}\n", key.to_uppercase()));
        lines
            .push_str(&format!("      - {{ when: 'signal.labels.service == \"{key}\"', components: [{key}], publish: auto, {policy} }}\n"));
    }
    format!(
        "page: {{ name: Acme, time_zone: Europe/Paris }}
components:
{components}integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes:
{lines}subscribers:
  - {{ channel: email, address: ops@example.com }}
"
    )
}

/// The alert that a service is down, or that it is back.
fn down(service: &str, severity: &str, is_over: bool) -> Value {
    let at = now();
    let mut body = alert(service, &at, is_over.then_some(at.as_str()));
    body["alerts"][0]["labels"]["service"] = json!(service);
    body["alerts"][0]["labels"]["severity"] = json!(severity);
    body
}

async fn say(app: &App, service: &str, severity: &str, is_over: bool) -> Result<()> {
    // So that what comes after is newer, by the sender's clock.
    tokio::time::sleep(Duration::from_millis(20)).await;
    ensure!(deliver(app, &down(service, severity, is_over)).await? == 202, "{service}");
    Ok(())
}

/// The newest incident of a component, once it is as wanted.
async fn incident_of(app: &App, component: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_for(&format!("the incident of {component} to be {what}"), SOON, || async {
        let incidents = app.admin_list("/incidents").await.ok()?;
        let found = incidents.into_iter().find(|incident| incident["components"][0]["component"] == component);
        found.filter(&wanted)
    })
    .await
}

fn text(mail: &Mail) -> String {
    String::from_utf8_lossy(&mail.raw).replace("=\r\n", "")
}

fn to(mails: &[Mail], address: &str) -> Vec<Mail> {
    mails.iter().filter(|mail| mail.to == [address]).cloned().collect()
}

/// The links of the mail that asks the owner about the publication of an incident.
async fn links(app: &App, smtp: &SmtpServer, incident: &Value) -> Result<(String, String)> {
    let path = format!("{}/publications/{}/", app.base, incident["id"]);
    let mail = wait_for("mail to the owner", SOON, || async {
        to(&smtp.mails(), OWNER).into_iter().map(|mail| text(&mail)).find(|text| text.contains(&path))
    })
    .await?;
    let link = |verdict: &str| {
        let start = mail.find(&format!("{path}{verdict}/")).context("a link")?;
        Ok::<_, anyhow::Error>(mail[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:/.".contains(*c)).collect::<String>())
    };
    Ok((link("veto")?, link("publish")?))
}

async fn get(app: &App, url: &str) -> Result<(u16, String)> {
    let answer = app.http.get(url).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// A POST without a body, as the button of the page sends it.
async fn press(app: &App, url: &str) -> Result<u16> {
    let request = app.http.post(url).header("content-type", "application/x-www-form-urlencoded").body("");
    Ok(request.send().await?.status().as_u16())
}

/// The owner vetoes one publication by mail and another by the API, and does not wait for a third; a link is good for one thing.
async fn the_owner_decides_on_what_is_about_to_be_published(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let routes = [("api", "publish_after: 1h"), ("site", "publish_after: 1h"), ("mail", "publish_after: 1h, minimum_severity: error")];
    let app = App::start(stack, &configuration(&routes), &mail_settings(&smtp)).await?;
    say(&app, "api", "critical", false).await?;
    let incident = incident_of(&app, "api", "pending", |incident| incident["publishes_at"].is_string()).await?;
    ensure!(incident["published"] == false && incident["vetoed"] == false, "{incident}");
    let (veto, publish) = links(&app, &smtp, &incident).await?;
    // Whoever follows links changes nothing, and readers see nothing.
    let (status, page) = get(&app, &veto).await?;
    ensure!(status == 200 && page.contains("Veto this publication?") && page.contains("Problem with API"), "{page}");
    ensure!(get(&app, &publish).await?.1.contains("Publish this now?"));
    ensure!(app.status_of("API").await? == "operational" && published_incidents(&app).await?.is_empty());
    // A link is good for what it was made for.
    for wrong in [veto.replace("/veto/", "/publish/"), veto.replace("/veto/", "/nothing/"), format!("{veto}A")] {
        ensure!(get(&app, &wrong).await?.0 == 404 && press(&app, &wrong).await? == 404, "{wrong}");
    }
    ensure!(press(&app, &veto).await? == 303);
    ensure!(get(&app, &veto).await?.1.contains("It is vetoed"));
    ensure!(press(&app, &publish).await? == 303, "too late");
    let vetoed = incident_of(&app, "api", "vetoed", |incident| incident["vetoed"] == true).await?;
    ensure!(vetoed["published"] == false && vetoed["publishes_at"].is_null(), "{vetoed}");

    say(&app, "site", "critical", false).await?;
    let incident = incident_of(&app, "site", "pending", |incident| incident["publishes_at"].is_string()).await?;
    let (_, publish) = links(&app, &smtp, &incident).await?;
    ensure!(press(&app, &publish).await? == 303);
    app.wait_for_status("SITE", "major_outage").await?;
    ensure!(get(&app, &publish).await?.1.contains("It is published"));
    wait_for("subscribers to be told", SOON, || async { (to(&smtp.mails(), "ops@example.com").len() == 1).then_some(()) }).await?;

    say(&app, "mail", "warning", false).await?;
    app.settle(SOON).await?;
    ensure!(app.admin_list("/incidents").await?.len() == 2, "a warning is less than this route takes");
    say(&app, "mail", "critical", false).await?;
    let incident = incident_of(&app, "mail", "pending", |incident| incident["publishes_at"].is_string()).await?;
    let path = format!("/incidents/{}/veto", incident["id"]);
    ensure!(app.admin_post(&path, &Value::Null).await?["vetoed"] == true);
    ensure!(app.admin_post(&path, &Value::Null).await.is_err(), "twice");
    app.finish().await
}

/// What nobody vetoes publishes itself; what ends before was never public; and the fold over the deliveries says the same.
async fn what_is_held_publishes_itself_or_never_was(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let routes = [("api", "publish_after: 3s"), ("site", "publish_after: 3s")];
    let app = App::start(stack, &configuration(&routes), &mail_settings(&smtp)).await?;
    say(&app, "api", "critical", false).await?;
    say(&app, "site", "critical", false).await?;
    incident_of(&app, "site", "pending", |incident| incident["publishes_at"].is_string()).await?;
    say(&app, "site", "critical", true).await?;
    app.wait_for_status("API", "major_outage").await?;
    incident_of(&app, "site", "over", |incident| incident["status"] == "resolved" && incident["published"] == false).await?;
    let published = published_incidents(&app).await?;
    ensure!(published.len() == 1 && published[0]["components"][0]["component"] == "api", "{published:?}");
    let changes = app.admin_list(&format!("/incidents/{}/changes", published[0]["id"])).await?;
    ensure!(changes.iter().any(|change| change["why"].to_string().contains("Nobody has vetoed")), "{changes:?}");
    say(&app, "api", "critical", true).await?;
    app.wait_for_status("API", "operational").await?;
    app.settle(SOON).await?;
    ensure!(to(&smtp.mails(), "ops@example.com").len() == 2, "opened and resolved");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    let again = app.apply(&app.command(&["export"])?)?;
    ensure!(!again.contains('+') && !again.contains('~'), "applied its export: {again}");
    app.finish().await
}

/// What goes up and down stays down, is told of little, and comes back when it has been calm; the fold over the deliveries says the same.
async fn what_flaps_is_told_of_little(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let flapping = "flapping: { changes: 3, within: 1h, calm: 6s }, cool_off: 1h";
    let app = App::start(stack, &configuration(&[("api", flapping)]), &mail_settings(&smtp)).await?;
    for _ in 0..10 {
        say(&app, "api", "critical", false).await?;
        say(&app, "api", "critical", true).await?;
    }
    app.settle(SOON).await?;
    ensure!(app.status_of("API").await? == "major_outage", "it was up a moment ago, and is not believed");
    let mails = to(&smtp.mails(), "ops@example.com");
    ensure!(mails.len() == 4, "opened, resolved, reopened, and why it stays so: {}", mails.len());
    ensure!(mails.iter().any(|mail| text(mail).contains("goes up and down")));
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.wait_for_status("API", "operational").await?;
    app.settle(SOON).await?;
    ensure!(to(&smtp.mails(), "ops@example.com").len() == 5, "and that it is over");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

/// A sender that falls silent where that matters is missed, and no longer once it speaks.
async fn a_silent_sender_is_a_signal_where_that_is_asked_for(stack: Stack) -> Result<()> {
    let when = "signal.labels.kind == 'silent' or signal.labels.service == 'api'";
    let routes = configuration(&[("api", "")]).replace("signal.labels.service == \"api\"", &when.replace('\'', "\""));
    let text = routes.replace("provider: alertmanager", "provider: alertmanager\n    silent_after: 6s");
    let smtp = SmtpServer::start()?;
    let app = App::start(stack, &text, &mail_settings(&smtp)).await?;
    app.wait_for_status("API", NOT_KNOWN).await?;
    say(&app, "other", "critical", false).await?;
    app.wait_for_status("API", "operational").await?;
    app.wait_for_status("API", NOT_KNOWN).await?;
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    // Nobody asks any more.
    let again = app.apply(&app.command(&["export"])?)?;
    ensure!(!again.contains('+') && !again.contains('~'), "applied its export: {again}");
    app.apply(&routes)?;
    app.wait_for_status("API", "operational").await?;
    app.finish().await
}

on_every_stack!(
    the_owner_decides_on_what_is_about_to_be_published,
    what_is_held_publishes_itself_or_never_was,
    what_flaps_is_told_of_little,
    a_silent_sender_is_a_signal_where_that_is_asked_for,
);
