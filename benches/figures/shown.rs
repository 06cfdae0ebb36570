//! From the acknowledgement of a webhook to the page that shows it, at 500 a second.
//!
//! Every webhook moves one of 200 components to the next of four statuses. They come from two integrations with a hundred routes each, and from
//! a hundred with two. A reader follows `/events` and, at each announcement, fetches the
//! statuses: what it sees new there is shown from that moment on. Resolution: the time of one such request, about a millisecond.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::REPETITIONS;
use crate::{
    client::{self, Connection},
    fanal::{Fanal, Servers, Stack},
    pace::{Run, Severities},
    report::Row,
    statistics::{Spread, ms, percentile},
    webhooks,
};

const N_COMPONENTS: usize = 200;
const PER_SECOND: u32 = 500;
/// Routes of each integration: few integrations, and many.
const N_ROUTES: [usize; 2] = [100, 2];
/// Steps of each component in one repetition.
const N_STEPS: usize = 10;
const SEVERITIES: Severities = &[Some("critical"), Some("error"), Some("warning"), None];
const STATUSES: [&str; 4] = ["major_outage", "partial_outage", "degraded_performance", "operational"];

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (stack, n_routes) in Stack::ALL.into_iter().flat_map(|stack| N_ROUTES.map(|n_routes| (stack, n_routes))) {
        let fanal = Fanal::start(stack, servers, &webhooks::configuration_of(N_COMPONENTS, n_routes, None)).await?;
        let (mut p50, mut p99) = (Spread::default(), Spread::default());
        for repetition in 0..REPETITIONS {
            let first_step = repetition * N_STEPS;
            let (n_steps, n_components, per_second) = (N_STEPS, N_COMPONENTS, PER_SECOND);
            let run = Run { first_step, n_steps, n_components, n_routes, per_second, severities: SEVERITIES };
            let watching = tokio::spawn(watch(fanal.port, first_step));
            let acknowledged = run.send(fanal.port).await?;
            let shown = watching.await??;
            let mut delays: Vec<f64> = acknowledged.iter().enumerate().map(|(n, at)| ms(shown[n].saturating_duration_since(*at))).collect();
            p50.push(percentile(&mut delays, 0.5));
            p99.push(percentile(&mut delays, 0.99));
        }
        let n_integrations = N_COMPONENTS / n_routes;
        let what =
            format!("webhook acknowledged → page shows it, {PER_SECOND}/s, {n_integrations} integrations, {stack} (p50 {p50} ms): p99");
        rows.push(Row::at_most(&what, &p99, "ms", 250.0));
    }
    Ok(rows)
}

/// When each webhook of a run was first seen, in the order of sending.
async fn watch(port: u16, first_step: usize) -> Result<Vec<Instant>> {
    let mut events = TcpStream::connect(("127.0.0.1", port)).await?;
    events.write_all(&client::get("/events", "")).await?;
    let mut reader = Connection::open(port).await?;
    let mut seen = Seen { next: vec![first_step; N_COMPONENTS], first_step, at: vec![None; N_STEPS * N_COMPONENTS] };
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut announced = Vec::new();
    while seen.at.iter().any(Option::is_none) {
        ensure!(Instant::now() < deadline, "the page never showed everything");
        // Without an announcement, look all the same.
        if let Ok(read) = timeout(Duration::from_millis(250), events.read_buf(&mut announced)).await {
            ensure!(read? > 0, "the event stream ended");
            announced.clear();
        }
        let answer = reader.get("/api/v2/components.json", "").await?;
        let at = Instant::now();
        ensure!(answer.status == 200, "the statuses are served");
        seen.look(&serde_json::from_slice(&answer.body)?, at)?;
    }
    Ok(seen.at.into_iter().flatten().collect())
}

/// How far each component has been seen.
struct Seen {
    next: Vec<usize>,
    first_step: usize,
    at: Vec<Option<Instant>>,
}

impl Seen {
    fn look(&mut self, document: &Value, at: Instant) -> Result<()> {
        for component in document["components"].as_array().context("components")? {
            let name = component["name"].as_str().and_then(|name| name.strip_prefix("Service "));
            let Some(n) = name.and_then(|digits| digits.parse::<usize>().ok()) else { continue };
            let status = STATUSES.iter().position(|status| component["status"] == **status).context("a status of ours")?;
            // How many of the next four steps lead here: four would be a whole round, which looks like none.
            let ahead = (status + 4 - self.next[n] % 4 + 1) % 4;
            for step in self.next[n]..self.next[n] + ahead {
                let place = (step - self.first_step) * N_COMPONENTS + n;
                *self.at.get_mut(place).context("a step that was not sent")? = Some(at);
            }
            self.next[n] += ahead;
        }
        Ok(())
    }
}
