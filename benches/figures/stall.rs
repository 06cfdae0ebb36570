//! No stall: one request at a time over one connection, every public endpoint in turn, while the page keeps changing.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, interval};

use super::REPETITIONS;
use crate::{
    client::{self, Connection},
    fanal::{Fanal, Servers, Stack},
    report::Row,
    statistics::{Spread, ms, percentile},
    webhooks::{self, Event},
};

const N_COMPONENTS: usize = 50;
/// Requests to each endpoint, in one repetition.
const ROUNDS: usize = 250;
/// How often a component changes meanwhile, and with it everything that is rendered.
const CHANGE_EVERY: Duration = Duration::from_millis(200);
const BROWSER: &str = "accept-encoding: gzip, deflate, br, zstd\n";

/// Paths and the status that belongs to each.
const FIXED: [(&str, u16); 17] = [
    ("/", 200),
    ("/history", 200),
    ("/subscribe", 200),
    ("/history.atom", 200),
    ("/history.rss", 200),
    ("/calendar.ics", 200),
    ("/badge.svg", 200),
    ("/api/v2/summary.json", 200),
    ("/api/v2/status.json", 200),
    ("/api/v2/components.json", 200),
    ("/api/v2/incidents.json", 200),
    ("/api/v2/incidents/unresolved.json", 200),
    ("/api/v2/scheduled-maintenances.json", 200),
    ("/api/v2/scheduled-maintenances/upcoming.json", 200),
    ("/api/v2/scheduled-maintenances/active.json", 200),
    ("/subscriptions/nobody", 404),
    ("/nothing-here", 404),
];

/// One kind of request, and how long each took.
struct Endpoint {
    path: String,
    request: Vec<u8>,
    status: u16,
    on_ops: bool,
    took: Vec<f64>,
}

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let fanal = Arc::new(Fanal::start(Stack::Sqlite, servers, &webhooks::configuration(N_COMPONENTS, None)).await?);
    send(&mut Connection::open(fanal.port).await?, 0, 0, Some("critical")).await?;
    fanal.settle().await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut endpoints = endpoints(&fanal).await?;
    let changing = tokio::spawn(keep_changing(fanal.port));
    let (mut worst, mut slowest) = (Spread::default(), String::new());
    for _ in 0..REPETITIONS {
        round(&fanal, &mut endpoints).await?;
        let p99s = endpoints.iter_mut().map(|endpoint| (percentile(&mut endpoint.took, 0.99), endpoint.path.clone()));
        let (p99, path) = p99s.max_by(|a, b| a.0.total_cmp(&b.0)).context("there are endpoints")?;
        worst.push(p99);
        slowest = path;
        endpoints.iter_mut().for_each(|endpoint| endpoint.took.clear());
    }
    changing.abort();
    let what = format!("no stall, one request at a time: p99 of the slowest of {} endpoints (last `{slowest}`)", endpoints.len());
    Ok(vec![Row::at_most(&what, &worst, "ms", 2.0)])
}

/// Every path that answers without a form or an open end.
async fn endpoints(fanal: &Fanal) -> Result<Vec<Endpoint>> {
    let mut connection = Connection::open(fanal.port).await?;
    let home = String::from_utf8(connection.get("/", "").await?.body)?;
    let mut paths: Vec<(String, u16)> = FIXED.iter().map(|(path, status)| ((*path).to_owned(), *status)).collect();
    for prefix in ["/assets/page.", "/assets/theme.", "/incidents/", "/components/"] {
        let begin = home.find(prefix).with_context(|| format!("a link to {prefix} on the page"))?;
        let path = home[begin..].split(['"', '#', '?', '<', ' ']).next().unwrap_or_default();
        paths.push((path.to_owned(), 200));
        if prefix == "/components/" {
            paths.push((format!("{path}/badge.svg"), 200));
        }
    }
    let endpoint = |path: String, status, on_ops| {
        let request = client::get(&path, BROWSER);
        Endpoint { path, request, status, on_ops, took: Vec::new() }
    };
    let mut all: Vec<Endpoint> = paths.into_iter().map(|(path, status)| endpoint(path, status, false)).collect();
    all.push(endpoint("/healthz".to_owned(), 200, true));
    Ok(all)
}

async fn round(fanal: &Fanal, endpoints: &mut [Endpoint]) -> Result<()> {
    let (mut public, mut ops) = (Connection::open(fanal.port).await?, Connection::open(fanal.ops_port).await?);
    for _ in 0..ROUNDS {
        for endpoint in &mut *endpoints {
            let connection = if endpoint.on_ops { &mut ops } else { &mut public };
            let begun = Instant::now();
            let status = connection.status(&endpoint.request).await?;
            endpoint.took.push(ms(begun.elapsed()));
            ensure!(status == endpoint.status, "{} answered {status}", endpoint.path);
        }
    }
    Ok(())
}

async fn keep_changing(port: u16) -> Result<()> {
    let mut connection = Connection::open(port).await?;
    let mut tick = interval(CHANGE_EVERY);
    for n in 1.. {
        tick.tick().await;
        send(&mut connection, n, n % N_COMPONENTS, (n / N_COMPONENTS).is_multiple_of(2).then_some("error")).await?;
    }
    Ok(())
}

async fn send(connection: &mut Connection, n: usize, component: usize, severity: Option<&str>) -> Result<()> {
    let event = Event {
        id: &format!("stall-{n}"),
        check: &format!("check-{component}"),
        component,
        integration: component / webhooks::N_ROUTES,
        severity,
    };
    let status = connection.status(&webhooks::request(&event)?).await?;
    ensure!(status == 202, "a webhook is answered {status}");
    Ok(())
}
