//! Better Stack (Uptime): incidents that begin, are acknowledged and end.
//!
//! <https://betterstack.com/docs/uptime/webhooks/>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "better_stack",
    name: "Better Stack",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/started.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "+json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    // Monitors tell of being created, paused and deleted under the same URL.
    let kind = document.pointer("/data/type").and_then(Value::as_str).ok_or_else(|| ParseError::missing("data.type"))?;
    if kind != "incident" {
        return Ok(Vec::new());
    }
    let Message { event, data } = reading::object(document)?;
    let incident = data.attributes;
    // What is acknowledged is still broken. It counts from the start, so that it can never undo a recovery that arrived first.
    let (state, path, time) = match event.strip_prefix("incident.").unwrap_or(&event) {
        "started" | "created" | "acknowledged" => (SignalState::Firing, "data.attributes.started_at", incident.started_at),
        // Begins again at a time that is not told.
        "reopened" => (SignalState::Firing, "", String::new()),
        "resolved" => (SignalState::Resolved, "data.attributes.resolved_at", incident.resolved_at),
        "escalated" | "unacknowledged" | "commented" | "updated" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("event", other, "started, acknowledged, resolved")),
    };
    let id = reading::required("data.id", &data.id)?;
    let subject = if incident.name.is_empty() { format!("incident {id}") } else { incident.name.clone() };
    let mut signal = Signal::new(format!("incident:{id}"), state, subject, inbound.received_at);
    signal.severity = Severity::Critical;
    signal.summary = incident.cause;
    set::time(&mut signal, path, &time)?;
    let Relationships { monitor, heartbeat } = data.relationships;
    let (monitor, heartbeat) = (monitor.id(), heartbeat.id());
    set::labels(
        &mut signal,
        [
            ("monitor", &incident.name),
            ("monitor_id", &monitor),
            ("heartbeat_id", &heartbeat),
            ("team", &incident.team_name),
            ("target", &incident.url),
        ],
    );
    set::link(&mut signal, &incident.origin_url);
    Ok(vec![signal])
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    event: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(deserialize_with = "reading::scalar")]
    id: String,
    attributes: Incident,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    relationships: Relationships,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    cause: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    origin_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    team_name: String,
    started_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    resolved_at: String,
}

#[derive(Default, Deserialize)]
struct Relationships {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    monitor: Relationship,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    heartbeat: Relationship,
}

#[derive(Default, Deserialize)]
struct Relationship {
    data: Option<Related>,
}

impl Relationship {
    fn id(self) -> String {
        self.data.map(|related| related.id).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Related {
    #[serde(deserialize_with = "reading::scalar")]
    id: String,
}
