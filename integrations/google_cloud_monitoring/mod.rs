//! Google Cloud Monitoring: incidents that open and close.
//!
//! <https://cloud.google.com/monitoring/support/notification-options#webhooks>

use std::collections::BTreeMap;

use domain::{Signal, SignalState};
use serde::Deserialize;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "google_cloud_monitoring",
    name: "Google Cloud Monitoring",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/open.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
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
    if document.get("version").and_then(Value::as_str) == Some("test") {
        return Ok(Vec::new());
    }
    let incident = reading::object::<Message>(document)?.incident;
    let (state, path, time) = match incident.state.to_ascii_lowercase().as_str() {
        "open" => (SignalState::Firing, "incident.started_at", &incident.started_at),
        "closed" => (SignalState::Resolved, "incident.ended_at", &incident.ended_at),
        _ => return Err(ParseError::unknown("incident.state", &incident.state, "open, closed")),
    };
    let id = reading::required("incident.incident_id", &incident.incident_id)?;
    let mut signal = Signal::new(limits::short_key("incident:", id), state, incident.subject(), inbound.received_at);
    let unset = incident.severity.eq_ignore_ascii_case("no severity");
    set::severity(&mut signal, "incident.severity", if unset { "" } else { &incident.severity });
    signal.summary.clone_from(&incident.summary);
    signal.value = incident.observed_value.parse().ok().filter(|value: &f64| value.is_finite());
    set::time(&mut signal, path, time)?;
    set::labels(
        &mut signal,
        [
            ("policy", &incident.policy_name),
            ("condition", &incident.condition_name),
            ("project", &incident.project),
            ("resource", &incident.resource_name),
            ("resource_type", &incident.resource.kind),
            ("metric", &incident.metric.kind),
        ],
    );
    for (name, value) in incident.resource.labels.iter().filter(|(name, _)| *name != "type") {
        signal.labels.insert(format!("resource_{name}"), value.clone());
    }
    incident.policy_user_labels.iter().for_each(|(name, value)| set::tag(&mut signal, name, value));
    set::link(&mut signal, &incident.url);
    Ok(vec![signal])
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    incident: Incident,
}

#[derive(Deserialize)]
struct Incident {
    incident_id: String,
    state: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    started_at: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    ended_at: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    severity: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    policy_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    condition_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    summary: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    observed_value: String,
    #[serde(default, rename = "scoping_project_id", deserialize_with = "reading::scalar")]
    project: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    resource_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    resource: Typed,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    metric: Typed,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    policy_user_labels: BTreeMap<String, String>,
}

impl Incident {
    fn subject(&self) -> String {
        let names = [&self.policy_name, &self.condition_name, &self.incident_id];
        names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default()
    }
}

#[derive(Default, Deserialize)]
struct Typed {
    #[serde(default, rename = "type", deserialize_with = "reading::null_as_empty")]
    kind: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    labels: BTreeMap<String, String>,
}
