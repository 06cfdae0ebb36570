//! Opsgenie, and the alerts of Jira Service Management, which inherited its webhook.
//!
//! <https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/>

use domain::{Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "opsgenie",
    name: "Opsgenie and Jira Service Management",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/create.json")),
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
    let Message { action, alert, integration_name } = inbound.json()?;
    let state = match action.to_ascii_lowercase().as_str() {
        "create" | "created" => SignalState::Firing,
        "close" | "closed" | "delete" | "deleted" => SignalState::Resolved,
        "" => return Err(ParseError::missing("action")),
        // Acknowledgements, notes, tags, escalations, and actions with names of the user's own: none begins or ends anything.
        _ => return Ok(Vec::new()),
    };
    let id = reading::required("alert.alertId", &alert.alert_id)?;
    // The alias is the alert's key at its source: an alert closed and created again is the same thing.
    let key = if alert.alias.is_empty() { id } else { &alert.alias };
    let mut signal = Signal::new(limits::short_key("alert:", key), state, alert.message.clone(), inbound.received_at);
    signal.summary = alert.description;
    let is_number = alert.priority.len() == 1 && alert.priority.bytes().all(|b| b.is_ascii_digit());
    let priority = if is_number { format!("P{}", alert.priority) } else { alert.priority };
    set::severity(&mut signal, "alert.priority", &priority);
    let updated = !alert.updated_at.is_empty();
    let (path, time) = if updated { ("alert.updatedAt", &alert.updated_at) } else { ("alert.createdAt", &alert.created_at) };
    set::time(&mut signal, path, time)?;
    set::labels(
        &mut signal,
        [
            ("alias", &alert.alias),
            ("entity", &alert.entity),
            ("source", &alert.source),
            ("priority", &priority),
            ("integration", &integration_name),
        ],
    );
    alert.tags.iter().for_each(|tag| match tag.split_once(':') {
        Some((name, value)) => set::tag(&mut signal, name, value),
        None => set::tag(&mut signal, tag, ""),
    });
    Ok(vec![signal])
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Message {
    action: String,
    alert: Alert,
    #[serde(default, rename = "integrationName", deserialize_with = "reading::null_as_empty")]
    integration_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    alert_id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    alias: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    message: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    entity: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    source: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<String>,
    /// `P3`, or 3 from older senders.
    #[serde(default, deserialize_with = "reading::scalar")]
    priority: String,
    /// In milliseconds.
    #[serde(default, deserialize_with = "reading::scalar")]
    created_at: String,
    /// In nanoseconds.
    #[serde(default, deserialize_with = "reading::scalar")]
    updated_at: String,
}
