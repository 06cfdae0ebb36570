//! Vercel: projects whose deployments fail and recover.
//!
//! <https://vercel.com/docs/webhooks/webhooks-api>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, limits, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "vercel",
    name: "Vercel",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/error.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    delivery_id: |inbound, _| Some(inbound.document().ok()?.get("id")?.as_str()?.to_owned()),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// Vercel has nothing better than SHA-1, which as an HMAC still holds.
static SCHEME: LazyLock<Scheme> = LazyLock::new(|| Scheme::built_in(&json!({"header": "x-vercel-signature", "algorithm": "sha1"})));

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let event: Event = inbound.json()?;
    let state = match &*event.kind {
        "deployment.error" => SignalState::Firing,
        "deployment.succeeded" | "deployment.ready" => SignalState::Resolved,
        // Created, canceled, promoted, projects, domains, …: says nothing about health.
        _ => return Ok(Vec::new()),
    };
    let payload: Payload = reading::nested("payload", event.payload)?;
    let deployment = &payload.deployment;
    let branch = ["githubCommitRef", "gitlabCommitRef", "bitbucketCommitRef"].iter().find_map(|name| deployment.meta.get(name)?.as_str());
    let branch = branch.unwrap_or_default();
    // A preview may come from a fork with a branch of the same name.
    let (environment, on, branch, preview_branch) = match &*payload.target {
        "" => ("preview", format!("preview:{branch}"), "", branch),
        target => (target, target.to_owned(), branch, ""),
    };
    let fingerprint = limits::short_key("project:", &format!("{}:{on}", payload.project.id));
    let name = if payload.project.name.is_empty() { &deployment.name } else { &payload.project.name };
    let mut signal = Signal::new(fingerprint, state, name, inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = format!("Deployment to {environment}: {}", event.kind.trim_start_matches("deployment."));
    set::link(&mut signal, if payload.links.deployment.is_empty() { &deployment.url } else { &payload.links.deployment });
    let labels = [
        ("project", &**name),
        ("project_id", &*payload.project.id),
        ("environment", environment),
        ("branch", branch),
        ("preview_branch", preview_branch),
    ];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "createdAt", &event.created_at)?;
    Ok(vec![signal])
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "createdAt", deserialize_with = "reading::scalar")]
    created_at: String,
    payload: Value,
}

#[derive(Deserialize)]
struct Payload {
    deployment: Deployment,
    project: Project,
    /// Empty for a preview.
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    target: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    links: Links,
}

#[derive(Deserialize)]
struct Deployment {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
    /// Without `https://`: the page of the deployment is in `links`.
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default)]
    meta: Value,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
}

#[derive(Default, Deserialize)]
struct Links {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    deployment: String,
}
