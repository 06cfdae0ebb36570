//! What Fanal finds out by itself, and whom it misses.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use poem::http::{Method, StatusCode};

use crate::{
    app::{App, Stack, on_every_stack},
    history::published_incidents,
    servers::{
        wait_for,
        webhooks::{Manner, WebhookServer},
    },
};

/// How long it may take until a change shows: a round each 5 s, of which two have to be bad or good.
const SHOWS: Duration = Duration::from_secs(60);
const KEY: &str = "nightly-backup-7f3c9a";

async fn wait_for_status(app: &App, status: &str) -> Result<()> {
    wait_for(&format!("API to be {status}"), SHOWS, || async { (app.status_of("API").await.ok()? == status).then_some(()) }).await
}

fn http_check(url: &str) -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
integrations:
  - key: api-check
    provider: http
    settings:
      url: {url}
      every: 5s
      timeout: 20s
      expect: {{ json: 'body.status == "ok"' }}
    routes:
      - {{ components: [api], publish: auto }}
"#
    )
}

/// One bad round is none; two of three are an outage, and two good ones its end. What says nothing new is not stored.
async fn a_check_fires_when_enough_rounds_were_bad(stack: Stack) -> Result<()> {
    let server = WebhookServer::start().await?;
    server.behave(Manner::Say(r#"{"status":"ok"}"#.to_owned()));
    let app = App::start(stack, &http_check(&server.url()), &[]).await?;
    let asked = server.wait_for_requests(5, SHOWS).await?;
    ensure!(asked.iter().all(|request| request.method == Method::GET && request.uri.path() == "/in"), "{asked:?}");
    app.settle(SHOWS).await?;
    let processed = "fanal_deliveries_evaluated_total{state=\"processed\"}";
    ensure!(
        app.metric(processed).await == Some(3.0),
        "three rounds until the verdicts repeat, and none after: {:?}",
        app.metric(processed).await
    );

    server.behave(Manner::Say(r#"{"status":"broken"}"#.to_owned()));
    let n_asked = server.received().len();
    server.wait_for_requests(n_asked + 1, SHOWS).await?;
    server.behave(Manner::Say(r#"{"status":"ok"}"#.to_owned()));
    server.wait_for_requests(n_asked + 4, SHOWS).await?;
    app.settle(SHOWS).await?;
    ensure!(app.status_of("API").await? == "operational" && published_incidents(&app).await?.is_empty(), "one bad round is none");

    server.behave(Manner::Answer(StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO));
    wait_for_status(&app, "major_outage").await?;
    server.behave(Manner::Say(r#"{"status":"ok"}"#.to_owned()));
    wait_for_status(&app, "operational").await?;
    let incidents = published_incidents(&app).await?;
    ensure!(incidents.len() == 1, "one incident: {incidents:?}");
    let poll = app.admin("/integrations").await?["items"][0]["poll"].clone();
    ensure!(poll["lost"] == false && poll["failures"] == 0, "a failure is an answer: {poll}");
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

fn heartbeat(period: &str, grace: &str) -> String {
    format!(
        r"
page: {{ name: Acme, time_zone: Europe/Paris }}
components:
  - {{ key: api, name: API }}
integrations:
  - key: backup
    provider: heartbeat
    settings: {{ period: {period}, grace: {grace}, max_runtime: 3s }}
    secrets: [{{ value: {KEY} }}]
    routes:
      - {{ components: [api], publish: auto }}
"
    )
}

async fn ping(app: &App, method: Method, path: &str) -> Result<u16> {
    let request = app.http.request(method, format!("{}/ping/{path}", app.base)).body("dumped 12 tables");
    Ok(request.send().await?.status().as_u16())
}

/// Who fails, is late or does not end is told of; whom only Fanal has missed, is not.
async fn a_heartbeat_is_missed_unless_fanal_was_away(stack: Stack) -> Result<()> {
    let mut app = App::start(stack, &heartbeat("1h", "1m"), &[]).await?;
    for (method, path, status) in [
        (Method::GET, KEY.to_owned(), 200),
        (Method::HEAD, KEY.to_owned(), 200),
        (Method::POST, format!("{KEY}/0"), 200),
        (Method::POST, format!("{KEY}/256"), 404),
        (Method::GET, "nobody-has-this-key".to_owned(), 404),
        (Method::POST, "backup".to_owned(), 404),
    ] {
        ensure!(ping(&app, method.clone(), &path).await? == status, "{method} {path}");
    }
    // A failure is told at once, and only a success ends it.
    ensure!(ping(&app, Method::POST, &format!("{KEY}/3")).await? == 200);
    wait_for_status(&app, "major_outage").await?;
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    wait_for_status(&app, "operational").await?;
    // A run that does not end.
    ensure!(ping(&app, Method::GET, &format!("{KEY}/start")).await? == 200);
    wait_for_status(&app, "major_outage").await?;
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    wait_for_status(&app, "operational").await?;
    let deliveries = app.admin_list("/deliveries").await?;
    let last = deliveries.first().context("a delivery")?;
    ensure!(last["state"] == "processed", "{last}");

    // A ping that does not come, though Fanal was away for a moment long before it was due.
    app.apply(&heartbeat("10s", "3s"))?;
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    app.kill()?;
    app.serve().await?;
    wait_for_status(&app, "major_outage").await?;
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    wait_for_status(&app, "operational").await?;
    let n_incidents = published_incidents(&app).await?.len();

    // Fanal is away across the moment at which it was due: nobody was missed then, but whoever does not come after is.
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    app.kill()?;
    tokio::time::sleep(Duration::from_secs(17)).await;
    app.serve().await?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    ensure!(app.status_of("API").await? == "operational" && published_incidents(&app).await?.len() == n_incidents, "nobody was missed");
    wait_for_status(&app, "major_outage").await?;
    ensure!(ping(&app, Method::GET, KEY).await? == 200);
    wait_for_status(&app, "operational").await?;
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

on_every_stack!(a_check_fires_when_enough_rounds_were_bad, a_heartbeat_is_missed_unless_fanal_was_away);
