//! What a person publishes can be taken back for ten seconds, in which nothing leaves.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::{App, Stack, on_every_stack},
    console::{Answer, Browser, PASSWORD, csrf},
    road,
    servers::{smtp::SmtpServer, webhooks::WebhookServer},
};

const WAIT: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(20);

/// What readers, the mailbox and the webhook have seen of anything.
async fn seen(app: &App, smtp: &SmtpServer, webhooks: &WebhookServer) -> Result<(usize, usize, usize)> {
    let summary: Value = app.http.get(format!("{}/api/v2/incidents.json", app.base)).send().await?.json().await?;
    let n_incidents = summary["incidents"].as_array().context("a list")?.len();
    Ok((n_incidents, smtp.mails().len(), webhooks.received().len()))
}

/// Publishes "API is down" in the console.
async fn publish(app: &App, browser: &mut Browser) -> Result<(Answer, String)> {
    let form = browser.get("/console/incidents/new").await?.body;
    let token = csrf(&form)?;
    let (_, rest) = form.split_once("name=\"on-").context("a component")?;
    let id = rest.split('"').next().context("its number")?;
    ensure!(app.status_of("API").await? == "operational");
    let (on, status) = (format!("on-{id}"), format!("as-{id}"));
    let fields = [("csrf", token.as_str()), ("title", "API is down"), ("body", "We see it."), (&on, "on"), (&status, "major_outage")];
    let answer = browser.post("/console/incidents/new", &fields).await?;
    ensure!(answer.location.starts_with("/console/incidents/waiting/"), "{} {}", answer.status, answer.location);
    Ok((answer, token))
}

/// Taken back, it has left for nobody; left alone, it leaves once, after the wait, though the process dies meanwhile.
async fn what_is_taken_back_leaves_for_nobody_and_the_rest_leaves_once(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mail = [("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned())];
    let mut app = App::start(stack, &road::configuration(&webhooks.url()), &mail).await?;
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "operator", "--password-stdin"], PASSWORD)?;
    let mut browser = Browser::new(&app);
    browser.post("/console/log-in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await?;

    let (first, token) = publish(&app, &mut browser).await?;
    ensure!(browser.get(&first.location).await?.body.contains("Nothing has left yet"));
    app.command(&["replay"]).context("what waits is no part of the fold")?;
    let form = browser.post(&format!("{}/take-back", first.location), &[("csrf", &token)]).await?.location;
    ensure!(browser.get(&form).await?.body.contains("value=\"API is down\""), "{form}");
    tokio::time::sleep(WAIT + Duration::from_secs(3)).await;
    ensure!(seen(&app, &smtp, &webhooks).await? == (0, 0, 0), "{:?}", seen(&app, &smtp, &webhooks).await?);
    ensure!(app.admin_list("/notifications").await?.is_empty() && app.admin_list("/incidents").await?.is_empty());

    let began = Instant::now();
    let (second, token) = publish(&app, &mut browser).await?;
    app.kill()?;
    app.serve().await?;
    ensure!(began.elapsed() < WAIT - Duration::from_secs(1), "too slow to see it wait: {:?}", began.elapsed());
    ensure!(seen(&app, &smtp, &webhooks).await? == (0, 0, 0));
    // The incident, and the component's status.
    let received = webhooks.wait_for_requests(2, SOON).await?;
    let first_at = received.iter().map(|request| request.at).min().context("a request")?;
    ensure!(first_at.duration_since(began) >= WAIT - Duration::from_secs(1), "{:?}", first_at.duration_since(began));
    smtp.wait_for_mails(1, SOON).await?;
    app.wait_for_status("API", "major_outage").await?;
    let incident = browser.get(&second.location).await?.location;
    ensure!(browser.get(&incident).await?.body.contains("We see it."), "{incident}");
    let late = browser.post(&format!("{}/take-back", second.location), &[("csrf", &token)]).await?;
    ensure!(late.status == 409 && late.body.contains("It has left already; post a correction."), "{} {}", late.status, late.body);
    app.settle(SOON).await?;
    ensure!(seen(&app, &smtp, &webhooks).await? == (1, 1, 2), "{:?}", seen(&app, &smtp, &webhooks).await?);

    // Over the API too, where it is asked for; what was written about it is not sent either.
    let path = incident.trim_start_matches("/console");
    let body = json!({ "body": "It is over.", "status": "resolved", "wait_seconds": 2 });
    let waiting = app.admin_post(&format!("{path}/updates"), &body).await?;
    app.admin_post(&format!("/waiting-acts/{}/take-back", waiting["id"]), &Value::Null).await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    ensure!(seen(&app, &smtp, &webhooks).await? == (1, 1, 2));
    app.admin_post(&format!("{path}/updates"), &body).await?;
    app.wait_for_status("API", "operational").await?;
    app.settle(SOON).await?;
    ensure!(seen(&app, &smtp, &webhooks).await? == (1, 2, 4));
    app.finish().await
}

on_every_stack!(what_is_taken_back_leaves_for_nobody_and_the_rest_leaves_once);
