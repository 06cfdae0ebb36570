//! Buildkite: pipelines whose builds fail and recover.
//!
//! <https://buildkite.com/docs/apis/webhooks/pipelines>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, VerifyError, limits, plain_secret, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "buildkite",
    name: "Buildkite",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/failed.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

static SCHEME: LazyLock<Scheme> = LazyLock::new(|| {
    Scheme::built_in(&json!({
        "header": SIGNATURE_HEADER, "list_separator": ",", "pair_separator": "=", "versions": ["signature"],
        "timestamp_parameter": "timestamp", "signed_text": "{ts}.{body}",
    }))
});

const SIGNATURE_HEADER: &str = "x-buildkite-signature";

/// A signed request is judged by its signature alone; an unsigned one must bring the token.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    if inbound.header(SIGNATURE_HEADER).is_some() {
        return signature::verify(&SCHEME, inbound, credentials.secrets);
    }
    plain_secret::verify_header("x-buildkite-token", inbound, credentials)
}

/// Buildkite gives its deliveries no id and signs each attempt anew. A build that is tried again ends again, at another time.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let event = inbound.header("x-buildkite-event")?;
    let Message { build, .. } = inbound.json().ok()?;
    Some(format!("{event}:{}:{}:{}", build.id, build.state, build.finished_at))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    match inbound.event_header("x-buildkite-event")? {
        "build.finished" => finished(inbound, &inbound.json()?).map(Vec::from_iter),
        // ping, jobs, agents, builds under way: says nothing about health, or not yet.
        _ => {
            inbound.document()?;
            Ok(Vec::new())
        }
    }
}

fn finished(inbound: &Inbound<'_>, Message { build, pipeline }: &Message) -> Result<Option<Signal>, ParseError> {
    let state = match &*build.state {
        // A build that waits for somebody to go on has ended only for now.
        "passed" if build.blocked => return Ok(None),
        "passed" => SignalState::Resolved,
        "failed" => SignalState::Firing,
        // The build may be newer than the event: somebody has started it again.
        "creating" | "scheduled" | "running" | "failing" | "blocked" | "canceling" | "canceled" | "skipped" | "not_run" | "waiting"
        | "waiting_failed" => return Ok(None),
        other => return Err(ParseError::unknown("build.state", other, STATES)),
    };
    // A pull request may come from a fork with a branch of the same name.
    let request = build.pull_request.as_ref().map(|request| &*request.id).unwrap_or_default();
    let (on, branch) = if request.is_empty() { (build.branch.clone(), &*build.branch) } else { (format!("pull_request:{request}"), "") };
    let mut signal =
        Signal::new(limits::short_key("pipeline:", &format!("{}:{on}", pipeline.slug)), state, pipeline.slug.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("Build #{} on {}: {}", build.number, build.branch, build.state);
    set::link(&mut signal, &build.web_url);
    set::labels(&mut signal, [("pipeline", &*pipeline.slug), ("branch", branch), ("pull_request", request), ("source", &build.source)]);
    set::time(&mut signal, "build.finished_at", &build.finished_at)?;
    Ok(Some(signal))
}

const STATES: &str =
    "passed, failed, creating, scheduled, running, failing, blocked, canceling, canceled, skipped, not_run, waiting, waiting_failed";

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    build: Build,
    pipeline: Pipeline,
}

#[derive(Deserialize)]
struct Build {
    id: String,
    number: u64,
    state: String,
    #[serde(default)]
    blocked: bool,
    branch: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    source: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    web_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    finished_at: String,
    pull_request: Option<PullRequest>,
}

#[derive(Deserialize)]
struct PullRequest {
    #[serde(deserialize_with = "reading::scalar")]
    id: String,
}

#[derive(Deserialize)]
struct Pipeline {
    slug: String,
}
