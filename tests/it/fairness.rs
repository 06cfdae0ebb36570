//! One subscriber's trouble is not another's: dead endpoints delay nobody, and mail about one thing arrives in order.

use std::{collections::HashSet, fmt::Write as _, time::Duration};

use anyhow::{Context, Result, ensure};
use poem::http::StatusCode;
use serde_json::Value;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    app::{App, Stack, on_every_stack},
    road::{alert, configuration, deliver, now},
    servers::{
        wait_for,
        webhooks::{Manner, Received, WebhookServer},
    },
};

const N_ENDPOINTS: usize = 100;
const N_DEAD: usize = 10;
const SECRET: &str = "whsec_dGVzdHMgb25seTogMjQgYnl0ZXMgb3IgbW9yZSE=";
/// Changes while some are dead: enough to owe each of them more than there are places for all.
const N_CHANGES: usize = 20;
/// Changes while all are alive, before and afterwards.
const N_CHANGES_ALIVE: usize = 4;
const PAUSE: Duration = Duration::from_millis(300);

/// The usual configuration, with other subscribers.
fn with_subscribers(urls: impl Iterator<Item = String>) -> String {
    let usual = configuration("https://nobody.example");
    let (before, _) = usual.split_once("subscribers:").expect("there are some");
    let mut text = format!("{before}subscribers:\n");
    for url in urls {
        writeln!(text, "  - {{ channel: webhook, url: \"{url}\", secret: {{ value: \"{SECRET}\" }} }}").expect("a string takes everything");
    }
    text
}

/// How long it took from the change to each delivery.
fn delays(received: &[Received]) -> Result<Vec<Duration>> {
    let (here, there) = (Instant::now(), jiff::Timestamp::now());
    let mut delays = Vec::new();
    for request in received {
        let body: Value = serde_json::from_slice(&request.body)?;
        let changed: jiff::Timestamp = body["timestamp"].as_str().context("a payload has a timestamp")?.parse()?;
        let age = Duration::try_from(there.duration_since(changed)).unwrap_or_default();
        delays.push(age.saturating_sub(here.duration_since(request.at)));
    }
    delays.sort();
    Ok(delays)
}

/// Lets changes happen, each once the healthy endpoints have heard of the one before, and gives the delays of their deliveries.
async fn changes(app: &App, n_changes: usize, healthy: &WebhookServer, n_healthy: usize) -> Result<Vec<Duration>> {
    let begin = healthy.received().len();
    for n in 0..n_changes {
        let before = healthy.received().len();
        let at = now();
        let body = alert("f1", &at, (n % 2 == 1).then_some(&at));
        let taken = || async { (deliver(app, &body).await.ok()? == 202).then_some(()) };
        wait_for("a webhook to be taken in", Duration::from_secs(20), taken).await?;
        // Everybody gets every notice: whoever was served last has as many as the others.
        let last = format!("n={}", N_ENDPOINTS - 1);
        let all = || async {
            let received = healthy.received();
            let n_notices = received.iter().filter(|request| request.uri.query() == Some(&last)).count();
            (received.len() - before >= n_healthy && received.len() == n_notices * n_healthy).then_some(())
        };
        wait_for("the healthy endpoints to have everything", Duration::from_secs(60), all).await?;
        sleep(PAUSE).await;
    }
    delays(&healthy.received()[begin..])
}

fn at(share: f64, sorted: &[Duration]) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Ten of a hundred endpoints take every request and answer none: the others hardly notice.
async fn dead_endpoints_delay_no_other(stack: Stack) -> Result<()> {
    // One stack after the other: they would measure each other.
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    let (healthy, dead) = (WebhookServer::start().await?, WebhookServer::start().await?);
    let url = |n: usize| format!("{}?n={n}", if n < N_DEAD { dead.url() } else { healthy.url() });
    let app = App::start(stack, &with_subscribers((0..N_ENDPOINTS).map(url)), &[]).await?;
    let n_healthy = N_ENDPOINTS - N_DEAD;
    let before = changes(&app, N_CHANGES_ALIVE, &healthy, n_healthy).await?;
    dead.behave(Manner::Blackhole);
    let n_tried = dead.received().len();
    let delayed = changes(&app, N_CHANGES, &healthy, n_healthy).await?;
    let tried: HashSet<_> = dead.received().drain(n_tried..).map(|request| request.uri).collect();
    ensure!(tried.len() == N_DEAD, "the dead are tried nevertheless");
    // They rest in peace, and what they were owed with them.
    dead.behave(Manner::Answer(StatusCode::GONE, Duration::ZERO));
    app.settle(Duration::from_secs(90)).await?;
    let after = changes(&app, N_CHANGES_ALIVE, &healthy, n_healthy).await?;
    for (name, delays) in [("before", &before), ("some dead", &delayed), ("after", &after)] {
        println!("{stack:?}, {name}: p50 {:?}, p99 {:?}, max {:?} of {}", at(0.5, delays), at(0.99, delays), at(1.0, delays), delays.len());
    }
    // The machine may be too busy for the promise even without them; then they must not make it worse.
    let reference = |share: f64| at(share, &before).max(at(share, &after));
    let allowed = Duration::from_secs(2).max(reference(0.99) * 4);
    ensure!(at(0.99, &delayed) <= allowed, "healthy endpoints waited {:?}", at(0.99, &delayed));
    let allowed = Duration::from_secs(1).max(reference(0.5) * 2);
    ensure!(at(0.5, &delayed) <= allowed, "half of the healthy endpoints waited {:?}", at(0.5, &delayed));
    app.finish().await
}

on_every_stack!(dead_endpoints_delay_no_other);
