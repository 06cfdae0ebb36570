//! One subscriber's trouble is not another's: dead endpoints delay nobody, and mail about one thing arrives in order.

use std::{collections::HashSet, fmt::Write as _, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

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
/// Bursts of changes, and changes in each: firing, resolved, firing, …
const N_BURSTS: usize = 8;
const N_CHANGES: usize = 2;
const PAUSE: Duration = Duration::from_secs(2);

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

/// Lets changes happen in bursts, and gives the delays of the healthy endpoints' deliveries once they have all of them.
async fn bursts(app: &App, n_bursts: usize, healthy: &WebhookServer, n_healthy: usize) -> Result<Vec<Duration>> {
    let before = healthy.received().len();
    for _ in 0..n_bursts {
        for n in 0..N_CHANGES {
            let at = now();
            let body = alert("f1", &at, (n % 2 == 1).then_some(&at));
            wait_for("a webhook to be taken in", Duration::from_secs(20), || async {
                (deliver(app, &body).await.ok()? == 202).then_some(())
            })
            .await?;
            sleep(Duration::from_millis(20)).await;
        }
        sleep(PAUSE).await;
    }
    // Everybody gets every notice: whoever was served last has as many as the others.
    let of_last =
        |received: &[Received]| received.iter().filter(|request| request.uri.query() == Some(&format!("n={}", N_ENDPOINTS - 1))).count();
    let settled = wait_for("the healthy endpoints to have everything", Duration::from_secs(120), || async {
        let received = healthy.received();
        (received.len() - before >= n_bursts * N_CHANGES * n_healthy && received.len() == of_last(&received) * n_healthy)
            .then_some(received)
    });
    delays(&settled.await?[before..])
}

fn at(share: f64, sorted: &[Duration]) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Ten of a hundred endpoints take every request and answer none: the others hardly notice.
async fn dead_endpoints_delay_no_other(stack: Stack) -> Result<()> {
    let (healthy, dead) = (WebhookServer::start().await?, WebhookServer::start().await?);
    let url = |n: usize| format!("{}?n={n}", if n < N_DEAD { dead.url() } else { healthy.url() });
    let app = App::start(stack, &with_subscribers((0..N_ENDPOINTS).map(url)), &[]).await?;
    let alive = bursts(&app, 3, &healthy, N_ENDPOINTS - N_DEAD).await?;
    dead.behave(Manner::Blackhole);
    let n_tried = dead.received().len();
    let delayed = bursts(&app, N_BURSTS, &healthy, N_ENDPOINTS - N_DEAD).await?;
    for (name, delays) in [("all alive", &alive), ("some dead", &delayed)] {
        println!("{stack:?}, {name}: p50 {:?}, p99 {:?}, max {:?} of {}", at(0.5, delays), at(0.99, delays), at(1.0, delays), delays.len());
    }
    // The machine may be too busy for the promise even without them; then they must not make it worse.
    let allowed = Duration::from_secs(2).max(at(0.99, &alive) * 2);
    ensure!(at(0.99, &delayed) <= allowed, "healthy endpoints waited {:?}", at(0.99, &delayed));
    let tried: HashSet<_> = dead.received().drain(n_tried..).map(|request| request.uri).collect();
    ensure!(tried.len() == N_DEAD, "the dead are tried nevertheless");
    app.leave();
    Ok(())
}

on_every_stack!(dead_endpoints_delay_no_other);
