//! Bitbucket Cloud: builds that fail and recover, through the statuses of commits.
//!
//! <https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Build-status-created>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, limits, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "bitbucket",
    name: "Bitbucket",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/failed.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    // The same for every attempt.
    delivery_id: |inbound, _| inbound.header("x-request-uuid").or_else(|| inbound.header("x-request-id")).map(str::to_owned),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// The header that carries SHA-1 elsewhere carries SHA-256 here.
static SCHEME: LazyLock<Scheme> =
    LazyLock::new(|| Scheme::built_in(&json!({"header": "X-Hub-Signature", "pair_separator": "=", "versions": ["sha256"]})));

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    match inbound.event_header("x-event-key")? {
        "repo:commit_status_created" | "repo:commit_status_updated" => commit_status(inbound, &inbound.json()?).map(Vec::from_iter),
        // Pushes, pull requests, the ping of Data Center: says nothing about health.
        _ => {
            inbound.document()?;
            Ok(Vec::new())
        }
    }
}

fn commit_status(inbound: &Inbound<'_>, event: &Event) -> Result<Option<Signal>, ParseError> {
    let (status, repository) = (&event.commit_status, &event.repository.full_name);
    let state = match &*status.state {
        "SUCCESSFUL" => SignalState::Resolved,
        "FAILED" => SignalState::Firing,
        "INPROGRESS" | "STOPPED" => return Ok(None),
        other => return Err(ParseError::unknown("commit_status.state", other, "SUCCESSFUL, FAILED, INPROGRESS, STOPPED")),
    };
    let key = if is_pipeline(&status.url) { PIPELINES } else { &*status.key };
    let fingerprint = limits::short_key("status:", &format!("{repository}:{key}:{}", status.refname));
    let mut signal = Signal::new(fingerprint, state, repository.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    let name = if status.name.is_empty() { key } else { &*status.name };
    signal.summary = format!("{name}: {}", if status.description.is_empty() { &status.state } else { &status.description });
    set::link(&mut signal, &status.url);
    set::labels(&mut signal, [("repository", &**repository), ("branch", &*status.refname), ("key", key)]);
    set::time(&mut signal, "commit_status.updated_on", &status.updated_on)?;
    Ok(Some(signal))
}

/// What Bitbucket Pipelines is called, which gives each of its runs a key of its own: a run that failed would never recover.
const PIPELINES: &str = "pipelines";

fn is_pipeline(url: &str) -> bool {
    url.starts_with("https://bitbucket.org/") && (url.contains("/addon/pipelines/") || url.contains("/pipelines/results/"))
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Event {
    commit_status: CommitStatus,
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct CommitStatus {
    key: String,
    state: String,
    updated_on: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    refname: String,
}
