//! From the acknowledgement of a webhook to the signed webhooks that tell a subscriber, at 100 a second.
//!
//! Every webhook brings one of 100 components down or up, and the subscriber is told of the component and of its incident: both count.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use poem::{
    Body, EndpointExt, Request, Server, handler,
    http::HeaderMap,
    listener::{Acceptor, Listener, TcpListener},
    web::Data,
};
use serde_json::Value;
use tokio::time::Instant;

use super::REPETITIONS;
use crate::{
    fanal::{Fanal, Servers, Stack},
    pace::{Run, Severities},
    report::Row,
    servers::wait_for,
    statistics::{Spread, ms, percentile},
    webhooks,
};

const N_COMPONENTS: usize = 100;
const PER_SECOND: u32 = 100;
/// Steps of each component in one repetition.
const N_STEPS: usize = 4;
const SEVERITIES: Severities = &[Some("critical"), None];

/// One request as it came.
struct Received {
    at: Instant,
    headers: HeaderMap,
    body: Vec<u8>,
}

type Inbox = Arc<Mutex<Vec<Received>>>;

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let (url, inbox) = start_subscriber().await?;
        let fanal = Fanal::start(stack, servers, &webhooks::configuration(N_COMPONENTS, Some(&url))).await?;
        let (mut p50, mut p99) = (Spread::default(), Spread::default());
        for repetition in 0..REPETITIONS {
            let mut delays = repeat(&fanal, &inbox, repetition).await?;
            p50.push(percentile(&mut delays, 0.5));
            p99.push(percentile(&mut delays, 0.99));
        }
        let what = format!("webhook acknowledged → signed webhook at the subscriber, {PER_SECOND}/s, {stack}");
        rows.push(Row {
            reference: "scale only: Svix 1.100, 4.2 ms".to_owned(),
            ..Row::at_most(&format!("{what}: p50"), &p50, "ms", 10.0)
        });
        rows.push(Row {
            reference: "scale only: Svix 1.100, 6.1 ms".to_owned(),
            ..Row::at_most(&format!("{what}: p99"), &p99, "ms", 50.0)
        });
    }
    Ok(rows)
}

/// Milliseconds from each acknowledgement to each of the two messages that follow from it.
async fn repeat(fanal: &Fanal, inbox: &Inbox, repetition: usize) -> Result<Vec<f64>> {
    let n_all = N_STEPS * N_COMPONENTS;
    let first_step = repetition * N_STEPS;
    let run = Run {
        first_step,
        n_steps: N_STEPS,
        n_components: N_COMPONENTS,
        n_routes: webhooks::N_ROUTES,
        per_second: PER_SECOND,
        severities: SEVERITIES,
    };
    let acknowledged = run.send(fanal.port).await?;
    wait_for("the subscriber to be told of everything", Duration::from_secs(30), || async {
        (inbox.lock().unwrap_or_else(PoisonError::into_inner).len() >= 2 * n_all).then_some(())
    })
    .await?;
    // Time for what should not come.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let received = std::mem::take(&mut *inbox.lock().unwrap_or_else(PoisonError::into_inner));
    let mut delays = Vec::with_capacity(2 * n_all);
    for ((_, component), mut told) in by_component(&received)? {
        told.sort_unstable();
        ensure!(told.len() == N_STEPS, "component {component} was told {} times of {N_STEPS} steps", told.len());
        for (step, (_, at)) in told.into_iter().enumerate() {
            delays.push(ms(at.saturating_duration_since(acknowledged[step * N_COMPONENTS + component])));
        }
    }
    ensure!(delays.len() == 2 * n_all, "of each step a message about the incident and one about the component");
    Ok(delays)
}

/// Whether a message is about a component's status (else about its incident), and which component.
type About = (bool, usize);

/// The messages about each component's status, and about its incident: their numbers, which follow the history, and when they came.
fn by_component(received: &[Received]) -> Result<HashMap<About, Vec<(u64, Instant)>>> {
    let (mut told, mut known): (HashMap<_, Vec<_>>, _) = (HashMap::new(), HashSet::new());
    for Received { at, headers, body } in received {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).with_context(|| format!("no {name}"));
        let id = header("webhook-id")?;
        let signature = webhooks::sign(id, header("webhook-timestamp")?, body)?;
        ensure!(header("webhook-signature")? == signature, "message {id} is not signed as it should be");
        if !known.insert(id) {
            continue;
        }
        let document: Value = serde_json::from_slice(body)?;
        let about_component = document["type"] == "component.status_changed";
        let component =
            if about_component { &document["data"]["component"]["key"] } else { &document["data"]["incident"]["components"][0]["key"] };
        let component = component.as_str().and_then(|key| key.strip_prefix('c')?.parse().ok());
        let component: usize = component.with_context(|| format!("a message about a component: {document}"))?;
        let number = id.strip_prefix("msg_").and_then(|digits| digits.parse().ok()).context("a numbered message")?;
        told.entry((about_component, component)).or_default().push((number, *at));
    }
    Ok(told)
}

#[handler]
async fn receive(request: &Request, body: Body, Data(inbox): Data<&Inbox>) -> poem::Result<()> {
    let (headers, body) = (request.headers().clone(), body.into_vec().await?);
    inbox.lock().unwrap_or_else(PoisonError::into_inner).push(Received { at: Instant::now(), headers, body });
    Ok(())
}

/// Somebody who is told; ends with the run.
async fn start_subscriber() -> Result<(String, Inbox)> {
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr().into_iter().find_map(|address| address.as_socket_addr().copied()).context("an address")?;
    let inbox = Inbox::default();
    let endpoint = receive.data(inbox.clone());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(endpoint));
    Ok((format!("http://{address}/in"), inbox))
}
