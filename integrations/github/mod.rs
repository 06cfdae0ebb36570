//! GitHub: workflows, checks of other apps, deployments and commit statuses that fail and recover.
//!
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde_json::json;

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, form, limits, reading, set,
    signature::{self, Scheme},
};

mod payload;

use payload::{CheckSuiteEvent, DeploymentStatusEvent, StatusEvent, WorkflowRunEvent};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "github",
    name: "GitHub",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/workflow_failure.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", form::MEDIA_TYPE],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    // A redelivery carries the id of the original.
    delivery_id: |inbound, _| inbound.header("x-github-delivery").map(str::to_owned),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// GitHub also sends a SHA-1 signature beside it, which proves too little.
static SCHEME: LazyLock<Scheme> =
    LazyLock::new(|| Scheme::built_in(&json!({"header": "X-Hub-Signature-256", "pair_separator": "=", "versions": ["sha256"]})));

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let event = inbound.event_header("x-github-event")?;
    let document = inbound.document_or_form()?;
    match event {
        "workflow_run" => workflow_run(inbound, reading::object(document)?).map(Vec::from_iter),
        "check_suite" => check_suite(inbound, reading::object(document)?).map(Vec::from_iter),
        "deployment_status" => deployment_status(inbound, reading::object(document)?).map(Vec::from_iter),
        "status" => status(inbound, &reading::object(document)?),
        // ping, push, workflow_job, …: the health of nothing, or told better by one of the events above.
        _ => Ok(Vec::new()),
    }
}

fn workflow_run(inbound: &Inbound<'_>, event: WorkflowRunEvent) -> Result<Option<Signal>, ParseError> {
    let WorkflowRunEvent { action, workflow_run: run, workflow, repository } = event;
    let repository = repository.full_name;
    let pull_request = run.event.starts_with("pull_request");
    // A fork may have a branch of the same name; what is proposed there says nothing about this repository.
    let foreign = run.head_repository.map_or(pull_request, |head| head.full_name != repository);
    if action != "completed" || foreign {
        return Ok(None);
    }
    let Some(state) = conclusion("workflow_run.conclusion", run.conclusion.as_deref())? else { return Ok(None) };
    let branch = run.head_branch.unwrap_or_default();
    let ours = if pull_request { format!("pull_request:{branch}") } else { branch.clone() };
    let fingerprint = limits::short_key("workflow:", &format!("{repository}:{}:{ours}", run.workflow_id));
    let name = [run.name, workflow.and_then(|workflow| workflow.name)].into_iter().flatten().find(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| run.workflow_id.to_string());
    let mut signal = Signal::new(fingerprint, state, repository.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("{name} on {branch}: {}", run.conclusion.unwrap_or_default());
    set::link(&mut signal, &run.html_url);
    set::labels(
        &mut signal,
        [
            ("kind", "workflow"),
            ("repository", &*repository),
            ("workflow", &*name),
            ("branch", if pull_request { "" } else { &branch }),
            ("event", &*run.event),
        ],
    );
    set::time(&mut signal, "workflow_run.updated_at", &run.updated_at)?;
    Ok(Some(signal))
}

fn check_suite(inbound: &Inbound<'_>, event: CheckSuiteEvent) -> Result<Option<Signal>, ParseError> {
    let CheckSuiteEvent { action, check_suite: suite, repository } = event;
    // GitHub's own suites do not say which workflow they belong to: `workflow_run` does. A suite without a branch belongs to a fork.
    let own = suite.app.slug.as_deref() == Some("github-actions");
    let (false, "completed", Some(branch)) = (own, action.as_str(), suite.head_branch) else { return Ok(None) };
    let Some(state) = conclusion("check_suite.conclusion", suite.conclusion.as_deref())? else { return Ok(None) };
    let page = repository.html_url.map(|url| format!("{url}/commit/{}/checks", suite.head_sha));
    let repository = repository.full_name;
    let fingerprint = limits::short_key("checks:", &format!("{repository}:{}:{branch}", suite.app.id));
    let mut signal = Signal::new(fingerprint, state, repository.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("{} on {branch}: {}", suite.app.name, suite.conclusion.unwrap_or_default());
    signal.url = page.as_deref().and_then(limits::link);
    set::labels(&mut signal, [("kind", "checks"), ("repository", &*repository), ("app", &*suite.app.name), ("branch", &*branch)]);
    set::time(&mut signal, "check_suite.updated_at", &suite.updated_at)?;
    Ok(Some(signal))
}

fn deployment_status(inbound: &Inbound<'_>, event: DeploymentStatusEvent) -> Result<Option<Signal>, ParseError> {
    let DeploymentStatusEvent { deployment_status: status, deployment, repository } = event;
    let state = match status.state.as_str() {
        "success" => SignalState::Resolved,
        "failure" | "error" => SignalState::Firing,
        "in_progress" | "queued" | "pending" | "waiting" | "inactive" => return Ok(None),
        other => return Err(ParseError::unknown("deployment_status.state", other, DEPLOYMENT_STATES)),
    };
    let (repository, environment) = (repository.full_name, status.environment);
    let fingerprint = limits::short_key("deployment:", &format!("{repository}:{}:{environment}", deployment.task));
    let mut signal = Signal::new(fingerprint, state, repository.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("{} to {environment}: {}", deployment.task, status.state);
    signal.url = [&status.log_url, &status.target_url].into_iter().flatten().find_map(|url| limits::link(url));
    set::labels(
        &mut signal,
        [
            ("kind", "deployment"),
            ("repository", &*repository),
            ("environment", &*environment),
            ("task", &*deployment.task),
            ("ref", &*deployment.reference),
        ],
    );
    set::time(&mut signal, "deployment_status.created_at", &status.created_at)?;
    Ok(Some(signal))
}

const DEPLOYMENT_STATES: &str = "success, failure, error, in_progress, queued, pending, waiting, inactive";

/// One signal for each branch whose head the commit is: a status of an older commit says nothing about a branch.
fn status(inbound: &Inbound<'_>, event: &StatusEvent) -> Result<Vec<Signal>, ParseError> {
    let state = match event.state.as_str() {
        "success" => SignalState::Resolved,
        "failure" | "error" => SignalState::Firing,
        "pending" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("state", other, "success, failure, error, pending")),
    };
    let repository = &event.repository.full_name;
    let signal = |branch: &str| {
        let fingerprint = limits::short_key("status:", &format!("{repository}:{}:{branch}", event.context));
        let mut signal = Signal::new(fingerprint, state, repository, inbound.received_at);
        signal.severity = Severity::Error;
        signal.summary = format!("{} on {branch}: {}", event.context, event.description.as_deref().unwrap_or(&event.state));
        signal.url = event.target_url.as_deref().and_then(limits::link);
        set::labels(&mut signal, [("kind", "status"), ("repository", &**repository), ("context", &*event.context), ("branch", branch)]);
        set::time(&mut signal, "updated_at", &event.updated_at)?;
        Ok(signal)
    };
    event.branches.iter().filter(|branch| branch.commit.sha == event.sha).map(|branch| signal(&branch.name)).collect()
}

/// What a run or a suite came to; `None` where it says nothing about health.
fn conclusion(path: &str, conclusion: Option<&str>) -> Result<Option<SignalState>, ParseError> {
    match conclusion {
        Some("success") => Ok(Some(SignalState::Resolved)),
        Some("failure" | "timed_out" | "startup_failure") => Ok(Some(SignalState::Firing)),
        Some("cancelled" | "skipped" | "neutral" | "stale" | "action_required") => Ok(None),
        Some(other) => Err(ParseError::unknown(path, other, CONCLUSIONS)),
        None => Err(ParseError::missing(path)),
    }
}

const CONCLUSIONS: &str = "success, failure, timed_out, startup_failure, cancelled, skipped, neutral, stale, action_required";
