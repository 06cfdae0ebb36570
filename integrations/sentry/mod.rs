//! Sentry internal and public integrations: metric alerts, issues and issue alerts.
//!
//! <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde_json::json;

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, limits, reading, set,
    signature::{self, Scheme},
};

mod payload;

use payload::{EventAlert, Issue, MetricAlert};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "sentry",
    name: "Sentry",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/metric_critical.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    delivery_id: |inbound, _| inbound.header("request-id").map(str::to_owned),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// `Sentry-Hook-Timestamp` is not part of what is signed.
static SCHEME: LazyLock<Scheme> = LazyLock::new(|| Scheme::built_in(&json!({"header": "Sentry-Hook-Signature"})));

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let resource = inbound.event_header("sentry-hook-resource")?;
    let document = inbound.document()?;
    match resource {
        "metric_alert" => metric_alert(inbound, &reading::object(document)?).map(|signal| vec![signal]),
        "issue" => issue(inbound, &reading::object(document)?).map(Vec::from_iter),
        "event_alert" => event_alert(inbound, &reading::object(document)?).map(|signal| vec![signal]),
        // installation, error, comment, …: says nothing about health.
        _ => Ok(Vec::new()),
    }
}

fn metric_alert(inbound: &Inbound<'_>, event: &MetricAlert) -> Result<Signal, ParseError> {
    let alert = &event.data.metric_alert;
    let (state, severity) = match &*event.action {
        "critical" => (SignalState::Firing, Severity::Critical),
        "warning" => (SignalState::Firing, Severity::Warning),
        "resolved" => (SignalState::Resolved, Severity::Unknown),
        other => return Err(ParseError::unknown("action", other, "critical, warning, resolved")),
    };
    // The rule in its projects, not the single time it was broken: if one recovery is lost, the next one must still end it.
    let projects = alert.projects.join(",");
    let fingerprint = limits::short_key("metric_alert:", &format!("{}:{projects}", alert.alert_rule.id));
    let mut signal = Signal::new(fingerprint, state, alert.alert_rule.name.clone(), inbound.received_at);
    signal.severity = severity;
    signal.summary.clone_from(if event.data.description_text.is_empty() { &alert.title } else { &event.data.description_text });
    set::link(&mut signal, &event.data.web_url);
    set::labels(&mut signal, [("kind", "metric_alert"), ("rule", &alert.alert_rule.name), ("project", &projects)]);
    match state {
        SignalState::Resolved => set::time(&mut signal, "data.metric_alert.date_closed", &alert.date_closed)?,
        _ => set::time(&mut signal, "data.metric_alert.date_detected", &alert.date_detected)?,
    }
    Ok(signal)
}

fn issue(inbound: &Inbound<'_>, event: &Issue) -> Result<Option<Signal>, ParseError> {
    let issue = &event.data.issue;
    let state = match &*event.action {
        "created" | "unresolved" => SignalState::Firing,
        // An archived issue is one that people decided to live with.
        "resolved" | "archived" | "ignored" => SignalState::Resolved,
        "assigned" | "unassigned" => return Ok(None),
        other => {
            return Err(ParseError::unknown("action", other, "created, unresolved, resolved, archived, ignored, assigned, unassigned"));
        }
    };
    let mut signal = Signal::new(issue_fingerprint(&issue.id), state, issue.project.slug.clone(), inbound.received_at);
    set::severity(&mut signal, "data.issue.level", &issue.level);
    signal.summary.clone_from(&issue.title);
    set::link(&mut signal, if issue.web_url.is_empty() { &issue.permalink } else { &issue.web_url });
    let labels = [("kind", "issue"), ("project", &*issue.project.slug), ("level", &*issue.level), ("issue", &*issue.short_id)];
    set::labels(&mut signal, labels);
    // The body tells when an issue was first seen, and of no other change when it happened.
    match &*event.action {
        "created" => set::time(&mut signal, "data.issue.firstSeen", &issue.first_seen)?,
        _ => set::time(&mut signal, "header sentry-hook-timestamp", inbound.header("sentry-hook-timestamp").unwrap_or_default())?,
    }
    Ok(Some(signal))
}

/// Sentry never says that it is over; if the issue's own events come too, they do.
fn event_alert(inbound: &Inbound<'_>, alert: &EventAlert) -> Result<Signal, ParseError> {
    if alert.action != "triggered" {
        return Err(ParseError::unknown("action", &alert.action, "triggered"));
    }
    let event = &alert.data.event;
    let subject = if event.title.is_empty() { &alert.data.triggered_rule } else { &event.title };
    let mut signal = Signal::new(issue_fingerprint(&event.issue_id), SignalState::Firing, subject, inbound.received_at);
    set::severity(&mut signal, "data.event.level", &event.level);
    signal.endless = true;
    signal.summary.clone_from(&alert.data.triggered_rule);
    set::link(&mut signal, &event.web_url);
    let labels = [("kind", "issue"), ("project_id", &*event.project), ("level", &*event.level), ("rule", &*alert.data.triggered_rule)];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "data.event.datetime", &event.datetime)?;
    Ok(signal)
}

fn issue_fingerprint(id: &str) -> String {
    limits::short_key("issue:", id)
}
