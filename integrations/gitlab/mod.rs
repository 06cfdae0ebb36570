//! GitLab: pipelines and deployments that fail and recover.
//!
//! <https://docs.gitlab.com/user/project/integrations/webhook_events/>

use domain::{Severity, Signal, SignalState};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError, limits, reading, set,
    signature::{self, Scheme},
    standard_webhooks,
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "gitlab",
    name: "GitLab",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/pipeline_failed.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret,
    verify,
    // Not X-Gitlab-Event-UUID, which several deliveries may share. Older servers send none: fingerprints absorb their repeats.
    delivery_id: |inbound, _| inbound.header("idempotency-key").map(str::to_owned),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

const TOKEN_HEADER: &str = "x-gitlab-token";
/// Begins a signing token; every other secret is a token that GitLab repeats in each request.
const SIGNING_TOKEN_PREFIX: &str = "whsec_";

fn is_signing_token(secret: &SecretString) -> bool {
    secret.expose_secret().starts_with(SIGNING_TOKEN_PREFIX)
}

fn check_secret(secret: &SecretString, _: &Settings) -> Result<(), SettingsError> {
    let scheme = if is_signing_token(secret) { standard_webhooks::shared_secret() } else { &Scheme::Bearer };
    signature::check_secret(scheme, secret)
}

/// A signed request is judged by its signature alone, if we know a signing token. `webhook-id` also comes with unsigned ones.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    let (signing, tokens): (Vec<SecretString>, Vec<SecretString>) = credentials.secrets.iter().cloned().partition(is_signing_token);
    let signed = inbound.header("webhook-signature").is_some() || inbound.header(TOKEN_HEADER).is_none();
    if !signing.is_empty() && (signed || tokens.is_empty()) {
        return signature::verify(standard_webhooks::shared_secret(), inbound, &signing);
    }
    signature::verify(&Scheme::Header(TOKEN_HEADER.to_owned()), inbound, &tokens)
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    let kind = |field: &str| document.get(field).and_then(Value::as_str).map(str::to_owned);
    match kind("object_kind").or_else(|| kind("event_name")).as_deref() {
        Some("pipeline") => pipeline(inbound, &reading::object(document)?).map(Vec::from_iter),
        Some("deployment") => deployment(inbound, &reading::object(document)?).map(Vec::from_iter),
        // push, build, merge_request, …: the health of nothing, or of a part whose whole is told above.
        Some(_) => Ok(Vec::new()),
        None => Err(ParseError::missing("object_kind")),
    }
}

fn pipeline(inbound: &Inbound<'_>, event: &PipelineEvent) -> Result<Option<Signal>, ParseError> {
    let (pipeline, project) = (&event.object_attributes, &event.project);
    let state = match &*pipeline.status {
        "success" => SignalState::Resolved,
        "failed" => SignalState::Firing,
        "created"
        | "waiting_for_resource"
        | "waiting_for_callback"
        | "preparing"
        | "pending"
        | "running"
        | "canceling"
        | "canceled"
        | "skipped"
        | "manual"
        | "scheduled" => return Ok(None),
        other => return Err(ParseError::unknown("object_attributes.status", other, PIPELINE_STATUSES)),
    };
    // A merge request may come from a fork with a branch of the same name: its pipelines say nothing about our branches.
    let proposed = matches!(&*pipeline.source, "merge_request_event" | "external_pull_request_event");
    let number = event.merge_request.as_ref().filter(|_| proposed).map(|merge_request| merge_request.iid.to_string()).unwrap_or_default();
    let (what, branch, tag) = match () {
        () if !number.is_empty() => (format!("merge_request:{number}"), "", ""),
        () if proposed => (format!("merge_request:{}", pipeline.reference), "", ""),
        () if pipeline.tag => (format!("tag:{}", pipeline.reference), "", &*pipeline.reference),
        () => (pipeline.reference.clone(), &*pipeline.reference, ""),
    };
    let fingerprint = limits::short_key("pipeline:", &format!("{}:{what}", project.path_with_namespace));
    let mut signal = Signal::new(fingerprint, state, project.path_with_namespace.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("Pipeline #{} on {}: {}", pipeline.id, pipeline.reference, pipeline.status);
    let page = format!("{}/-/pipelines/{}", project.web_url, pipeline.id);
    set::link(&mut signal, if pipeline.url.is_empty() { &page } else { &pipeline.url });
    let labels = [
        ("kind", "pipeline"),
        ("project", &*project.path_with_namespace),
        ("branch", branch),
        ("tag", tag),
        ("merge_request", &*number),
        ("source", &*pipeline.source),
    ];
    set::labels(&mut signal, labels);
    // A pipeline that is tried again ends again.
    let ended = if pipeline.finished_at.is_empty() { &pipeline.created_at } else { &pipeline.finished_at };
    set::time(&mut signal, "object_attributes.finished_at", ended)?;
    Ok(Some(signal))
}

const PIPELINE_STATUSES: &str = "success, failed, created, waiting_for_resource, waiting_for_callback, preparing, pending, running, \
    canceling, canceled, skipped, manual, scheduled";

fn deployment(inbound: &Inbound<'_>, event: &DeploymentEvent) -> Result<Option<Signal>, ParseError> {
    let state = match &*event.status {
        "success" => SignalState::Resolved,
        "failed" => SignalState::Firing,
        "created" | "running" | "blocked" | "canceled" | "skipped" => return Ok(None),
        other => return Err(ParseError::unknown("status", other, "success, failed, created, running, blocked, canceled, skipped")),
    };
    let project = &event.project.path_with_namespace;
    let fingerprint = limits::short_key("deployment:", &format!("{project}:{}", event.environment));
    let mut signal = Signal::new(fingerprint, state, project.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("Deployment to {}: {}", event.environment, event.status);
    set::link(&mut signal, &event.deployable_url);
    let labels = [
        ("kind", "deployment"),
        ("project", &**project),
        ("environment", &*event.environment),
        ("environment_tier", &*event.environment_tier),
        ("ref", &*event.reference),
    ];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "status_changed_at", &event.status_changed_at)?;
    Ok(Some(signal))
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct PipelineEvent {
    object_attributes: Pipeline,
    project: Project,
    merge_request: Option<MergeRequest>,
}

#[derive(Deserialize)]
struct Pipeline {
    id: u64,
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    tag: bool,
    status: String,
    source: String,
    created_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    finished_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
    web_url: String,
}

#[derive(Deserialize)]
struct DeploymentEvent {
    status: String,
    status_changed_at: String,
    environment: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    environment_tier: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    deployable_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty", rename = "ref")]
    reference: String,
    project: Project,
}
