//! CircleCI: workflows and jobs that fail and recover.
//!
//! <https://circleci.com/docs/webhooks/>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, limits, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "circleci",
    name: "CircleCI",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/workflow_failed.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    // An event that CircleCI could not deliver comes again under the same id.
    delivery_id: |inbound, _| Some(inbound.document().ok()?.get("id")?.as_str()?.to_owned()),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

static SCHEME: LazyLock<Scheme> = LazyLock::new(|| {
    Scheme::built_in(&json!({"header": "circleci-signature", "list_separator": ",", "pair_separator": "=", "versions": ["v1"]}))
});

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    match document.get("type") {
        Some(Value::String(kind)) if kind == "workflow-completed" || kind == "job-completed" => {
            completed(inbound, &reading::object(document)?).map(Vec::from_iter)
        }
        // ping, and whatever is added: says nothing about health.
        Some(Value::String(_)) => Ok(Vec::new()),
        Some(_) => Err(ParseError::field("type", "is not a text")),
        None => Err(ParseError::missing("type")),
    }
}

fn completed(inbound: &Inbound<'_>, event: &Completed) -> Result<Option<Signal>, ParseError> {
    let (path, ended) = if event.kind == "workflow-completed" { ("workflow", Some(&event.workflow)) } else { ("job", event.job.as_ref()) };
    let ended = ended.ok_or_else(|| ParseError::missing(path))?;
    let Some(status) = ended.status.as_deref() else { return Err(ParseError::missing(format!("{path}.status"))) };
    let state = match status {
        "success" => SignalState::Resolved,
        "failed" | "error" => SignalState::Firing,
        "canceled" | "unauthorized" => return Ok(None),
        other => return Err(ParseError::unknown(format!("{path}.status"), other, "success, failed, error, canceled, unauthorized")),
    };
    let (project, workflow) = (&event.project.slug, &event.workflow.name);
    let job = if path == "job" { &*ended.name } else { "" };
    let (branch, tag) = event.pipeline.branch_and_tag();
    let on = if tag.is_empty() { branch.to_owned() } else { format!("tag:{tag}") };
    let fingerprint = limits::short_key(&format!("{path}:"), &format!("{project}:{workflow}:{job}:{on}"));
    let mut signal = Signal::new(fingerprint, state, project.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    let place = if on.is_empty() { String::new() } else { format!(" on {on}") };
    signal.summary = format!("{}{place}: {status}", ended.name);
    set::link(&mut signal, &event.workflow.url);
    let labels = [("kind", path), ("project", &**project), ("workflow", &**workflow), ("job", job), ("branch", branch), ("tag", tag)];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "happened_at", &event.happened_at)?;
    Ok(Some(signal))
}

// The fields we read, and only those: CircleCI calls its objects open.

#[derive(Deserialize)]
struct Completed {
    #[serde(rename = "type")]
    kind: String,
    happened_at: String,
    workflow: Ended,
    job: Option<Ended>,
    project: Project,
    pipeline: Pipeline,
}

#[derive(Deserialize)]
struct Ended {
    name: String,
    /// A job's workflow has none yet.
    status: Option<String>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
}

#[derive(Deserialize)]
struct Project {
    slug: String,
}

#[derive(Deserialize)]
struct Pipeline {
    /// Of projects on GitHub (OAuth) and Bitbucket Cloud.
    vcs: Option<Source>,
    /// Of all others.
    trigger_parameters: Option<TriggerParameters>,
}

#[derive(Deserialize)]
struct TriggerParameters {
    git: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    branch: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tag: String,
}

impl Pipeline {
    fn branch_and_tag(&self) -> (&str, &str) {
        let git = || self.trigger_parameters.as_ref()?.git.as_ref();
        self.vcs.as_ref().or_else(git).map_or(("", ""), |source| (&source.branch, &source.tag))
    }
}
