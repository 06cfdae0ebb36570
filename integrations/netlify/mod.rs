//! Netlify: sites whose deploys fail and recover.
//!
//! <https://docs.netlify.com/deploy/deploy-notifications/#payload-signature>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, VerifyError, limits, plain_secret, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "netlify",
    name: "Netlify",
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

const SIGNATURE_HEADER: &str = "x-webhook-signature";

static SCHEME: LazyLock<Scheme> =
    LazyLock::new(|| Scheme::built_in(&json!({"mode": "jws", "header": SIGNATURE_HEADER, "issuer": "netlify"})));

/// A signed request is judged by its signature alone.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    if inbound.header(SIGNATURE_HEADER).is_some() {
        return signature::verify(&SCHEME, inbound, credentials.secrets);
    }
    plain_secret::verify(inbound, credentials)
}

fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let Deploy { id, state, updated_at, .. } = inbound.json().ok()?;
    Some(format!("{id}:{state}:{updated_at}"))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    // Forms and the rest have bodies of their own.
    if inbound.header("x-netlify-event").is_some_and(|event| !event.starts_with("deploy")) {
        inbound.document()?;
        return Ok(Vec::new());
    }
    deploy(inbound, &inbound.json()?).map(Vec::from_iter)
}

fn deploy(inbound: &Inbound<'_>, deploy: &Deploy) -> Result<Option<Signal>, ParseError> {
    let state = match &*deploy.state {
        "ready" => SignalState::Resolved,
        // Somebody or something stopped it: Netlify has no state for that.
        "error" if deploy.skipped || ["Canceled", "Skipped"].iter().any(|word| deploy.error_message.starts_with(word)) => return Ok(None),
        "error" => SignalState::Firing,
        "new" | "pending_review" | "accepted" | "rejected" | "enqueued" | "building" | "uploading" | "uploaded" | "preparing"
        | "prepared" | "processing" | "processed" | "retrying" => return Ok(None),
        other => return Err(ParseError::unknown("state", other, STATES)),
    };
    // A preview may come from a fork with a branch of the same name.
    let (on, branch, request) = match &*deploy.context {
        "production" => ("production".to_owned(), &*deploy.branch, ""),
        "deploy-preview" => (format!("deploy-preview:{}", deploy.review_id), "", &*deploy.review_id),
        context => (format!("{context}:{}", deploy.branch), &*deploy.branch, ""),
    };
    let fingerprint = limits::short_key("site:", &format!("{}:{on}", deploy.site_id));
    let mut signal = Signal::new(fingerprint, state, deploy.name.clone(), inbound.received_at);
    signal.severity = Severity::Error;
    signal.summary = if deploy.error_message.is_empty() { format!("Deploy: {}", deploy.state) } else { deploy.error_message.clone() };
    set::link(&mut signal, &format!("{}/deploys/{}", deploy.admin_url, deploy.id));
    let labels = [
        ("site", &*deploy.name),
        ("site_id", &*deploy.site_id),
        ("context", &*deploy.context),
        ("branch", branch),
        ("pull_request", request),
    ];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "updated_at", &deploy.updated_at)?;
    Ok(Some(signal))
}

const STATES: &str = "ready, error, new, pending_review, accepted, rejected, enqueued, building, uploading, uploaded, preparing, prepared, \
    processing, processed, retrying";

/// The fields we read, and only those.
#[derive(Deserialize)]
struct Deploy {
    id: String,
    site_id: String,
    name: String,
    state: String,
    context: String,
    updated_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    branch: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    review_id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    error_message: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    skipped: bool,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    admin_url: String,
}
