//! PagerDuty webhooks, version 3.
//!
//! <https://developer.pagerduty.com/docs/webhooks-overview>

use std::sync::LazyLock;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, limits, reading, set,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "pagerduty",
    name: "PagerDuty",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/triggered.http")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: |secret, _| signature::check_secret(&SCHEME, secret),
    verify: |inbound, credentials| signature::verify(&SCHEME, inbound, credentials.secrets),
    // The same for every attempt, over the two days that PagerDuty tries, and signed, which `X-Webhook-Id` is not.
    delivery_id: |inbound, _| Some(inbound.document().ok()?.pointer("/event/id")?.as_str()?.to_owned()),
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

static SCHEME: LazyLock<Scheme> = LazyLock::new(|| {
    Scheme::built_in(&json!({"header": "X-PagerDuty-Signature", "list_separator": ",", "pair_separator": "=", "versions": ["v1"]}))
});

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let Message { event } = inbound.json()?;
    // Notes, responders, tasks, services, pings, and whatever is added next year: none of them is the state of an incident.
    let is_incident = event.event_type.starts_with("incident.") && event.data.get("type").and_then(Value::as_str) == Some("incident");
    if !is_incident {
        return Ok(Vec::new());
    }
    let incident: Incident = reading::nested("event.data", event.data)?;
    let state = match incident.status.as_str() {
        "triggered" | "acknowledged" => SignalState::Firing,
        "resolved" => SignalState::Resolved,
        other => return Err(ParseError::unknown("event.data.status", other, "triggered, acknowledged, resolved")),
    };
    let subject = if incident.service.summary.is_empty() { format!("Incident {}", incident.id) } else { incident.service.summary.clone() };
    let mut signal = Signal::new(limits::short_key("incident:", &incident.id), state, subject, inbound.received_at);
    set::time(&mut signal, "event.occurred_at", &event.occurred_at)?;
    set_severity(&mut signal, &incident);
    set::link(&mut signal, &incident.html_url);
    let labels = [
        ("service", &*incident.service.summary),
        ("service_id", &*incident.service.id),
        ("status", &*incident.status),
        ("urgency", &*incident.urgency),
        ("priority", &*incident.priority.summary),
        ("incident_key", &*incident.incident_key),
        ("number", &*incident.number),
    ];
    set::labels(&mut signal, labels);
    signal.summary = incident.title;
    Ok(vec![signal])
}

/// A priority is what people decided about the incident; the urgency only says whom PagerDuty wakes. Accounts name priorities as they like.
fn set_severity(signal: &mut Signal, incident: &Incident) {
    match (Severity::from_word(&incident.priority.summary), &*incident.urgency) {
        (Some(severity), _) => signal.severity = severity,
        (None, "high") => signal.severity = Severity::Error,
        (None, "low") => signal.severity = Severity::Warning,
        (None, other) => set::severity(signal, "event.data.urgency", other),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    occurred_at: String,
    data: Value,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    service: Reference,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    priority: Reference,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    title: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    html_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    incident_key: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    urgency: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    number: String,
}

#[derive(Default, Deserialize)]
struct Reference {
    id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    summary: String,
}
