//! Groups of alerts in the shape Alertmanager gave them, which Grafana and others send too.

use std::collections::BTreeMap;

use domain::{Signal, SignalState, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ParseError, labels, limits,
    reading::{self, null_as_empty},
    set,
};

/// What one kind of sender does in its own way.
pub(crate) struct Dialect {
    /// The payload version we read.
    pub(crate) version: &'static str,
    /// What the sender calls its limit on the alerts of one delivery.
    pub(crate) limit: &'static str,
    /// Completes an alert's signal, or drops an alert that says nothing about health.
    pub(crate) finish: fn(&Alert, Signal) -> Option<Signal>,
}

/// One signal for each alert, and one for the group where the sender left some out.
pub(crate) fn signals(document: Value, received_at: Timestamp, dialect: &Dialect) -> Result<Vec<Signal>, ParseError> {
    match document.get("version") {
        Some(Value::String(version)) if version == dialect.version => {}
        Some(other) => return Err(ParseError::unknown("version", &text_of(other), format!("\"{}\"", dialect.version))),
        None => return Err(ParseError::missing("version")),
    }
    let message: Message = reading::object(document)?;
    let group_state = state("status", &message.status)?;
    let mut signals = Vec::with_capacity(message.alerts.len() + 1);
    for (index, alert) in message.alerts.iter().enumerate() {
        let signal = alert_signal(&format!("alerts[{index}]"), alert, &message.group_key, received_at)?;
        signals.extend((dialect.finish)(alert, signal));
    }
    let truncated = message.truncated_alerts > 0;
    // The end of the group also ends a truncation that an earlier delivery reported.
    let ends = group_state == SignalState::Resolved && (message.alerts.is_empty() || !signals.is_empty());
    if truncated || ends {
        signals.push(group_signal(&message, group_state, &signals, received_at, dialect));
    }
    Ok(signals)
}

fn alert_signal(path: &str, alert: &Alert, group: &str, received_at: Timestamp) -> Result<Signal, ParseError> {
    let state = state(&format!("{path}.status"), &alert.status)?;
    let (time_path, time) = match state {
        SignalState::Resolved => (format!("{path}.endsAt"), alert.ends_at.as_deref().unwrap_or_default()),
        _ => (format!("{path}.startsAt"), alert.starts_at.as_str()),
    };
    let annotation = |name: &str| alert.annotations.get(name).filter(|value| !value.is_empty());
    let fingerprint = alert.fingerprint.clone().filter(|given| !given.is_empty()).unwrap_or_else(|| labels::fingerprint(&alert.labels));
    let subject = alert.label("alertname").unwrap_or(&fingerprint).to_owned();
    let mut signal = Signal::new(fingerprint, state, subject, received_at);
    set::time(&mut signal, &time_path, time)?;
    if let Some(word) = alert.label("severity") {
        set::severity(&mut signal, "labels.severity", word);
    }
    signal.summary =
        annotation("summary").or_else(|| annotation("description")).or_else(|| annotation("message")).cloned().unwrap_or_default();
    signal.group = Some(group.to_owned());
    signal.url = limits::link(&alert.generator_url);
    signal.labels = alert.labels.clone();
    signal.annotations = alert.annotations.clone();
    Ok(signal)
}

/// Stands for the alerts that a limit on their number left out of the delivery: their recoveries are never told one by one.
fn group_signal(message: &Message, state: SignalState, alerts: &[Signal], received_at: Timestamp, dialect: &Dialect) -> Signal {
    let latest = alerts.iter().map(|alert| alert.occurred_at).max().unwrap_or(received_at);
    let labels: BTreeMap<String, String> =
        message.common_labels.iter().chain(&message.group_labels).map(|(name, value)| (name.clone(), value.clone())).collect();
    let subject = labels.get("alertname").unwrap_or(&message.group_key).clone();
    let mut signal = Signal::new(limits::short_key("group:", &message.group_key), state, subject, latest);
    if let Some(word) = labels.get("severity") {
        set::severity(&mut signal, "labels.severity", word);
    }
    signal.group = Some(message.group_key.clone());
    signal.labels = labels;
    signal.url = message.external_url.as_deref().and_then(limits::link);
    if message.truncated_alerts > 0 {
        signal.whole_group = state == SignalState::Resolved;
        signal.endless = state == SignalState::Firing;
        signal.summary = format!("{} more alerts of this group were left out by the sender", message.truncated_alerts);
        signal.warnings.push(format!("the sender left out {} alerts: raise or remove `{}`", message.truncated_alerts, dialect.limit));
    }
    signal
}

fn state(path: &str, status: &str) -> Result<SignalState, ParseError> {
    match status {
        "firing" => Ok(SignalState::Firing),
        "resolved" => Ok(SignalState::Resolved),
        other => Err(ParseError::unknown(path, other, "firing, resolved")),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

// The fields we read, and only those: senders add new ones without a new version.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    status: String,
    alerts: Vec<Alert>,
    group_key: String,
    #[serde(default, deserialize_with = "null_as_empty")]
    group_labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    common_labels: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: Option<String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    truncated_alerts: u64,
}

/// One alert of the group.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    fingerprint: Option<String>,
    /// Only Grafana's.
    #[serde(rename = "panelURL")]
    pub(crate) panel_url: Option<String>,
    /// Only Grafana's.
    #[serde(rename = "dashboardURL")]
    pub(crate) dashboard_url: Option<String>,
    /// Only Grafana's: what the rule's queries gave, by their letters.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub(crate) values: BTreeMap<String, Value>,
}

impl Alert {
    /// A label that is there and not empty.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
