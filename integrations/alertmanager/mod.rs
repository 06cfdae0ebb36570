//! Prometheus Alertmanager, payload version 4.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    Credentials, Inbound, ParseError, Provider, Settings, SettingsError, VerifyError,
    error::quoted,
    labels, limits, reading,
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "alertmanager",
    name: "Prometheus Alertmanager",
    setup: include_str!("setup.md"),
    content_types: &["application/json"],
    check_settings,
    check_secret: |secret, _| signature::check_secret(&Scheme::Bearer, secret),
    verify,
    // Alertmanager repeats a group under no id; the alerts' own fingerprints absorb the repeats.
    delivery_id: |_, _| None,
    parse,
    poll: None,
};

/// The payload versions we read.
const VERSION: &str = "4";

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    if settings.is_null() { Ok(()) } else { reading::settings::<NoSettings>("", settings).map(|_| ()) }
}

/// Alertmanager signs nothing. Whichever of Bearer, Basic and URL token the request brings must be right.
fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    let given = inbound.sole_header("authorization")?.map(|value| value.split(' ').next().unwrap_or_default().to_ascii_lowercase());
    let scheme = match given.as_deref() {
        Some("basic") => Scheme::Basic,
        Some(_) => Scheme::Bearer,
        None if inbound.path_token.is_some() => Scheme::Token,
        None => Scheme::Bearer,
    };
    signature::verify(&scheme, inbound, credentials.secrets)
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    match document.get("version") {
        Some(Value::String(version)) if version == VERSION => {}
        Some(other) => return Err(ParseError::unknown("version", &text_of(other), format!("\"{VERSION}\""))),
        None => return Err(ParseError::missing("version")),
    }
    let message: Message = reading::body(document)?;
    let group_state = state("status", &message.status)?;
    let mut signals = Vec::with_capacity(message.alerts.len() + 1);
    for (index, alert) in message.alerts.iter().enumerate() {
        signals.push(alert_signal(&format!("alerts[{index}]"), alert, &message.group_key, inbound.received_at)?);
    }
    let truncated = message.truncated_alerts > 0;
    // The end of the group also ends a truncation that an earlier delivery reported.
    if truncated || group_state == SignalState::Resolved {
        signals.push(group_signal(&message, group_state, &signals, inbound.received_at));
    }
    Ok(signals)
}

fn alert_signal(path: &str, alert: &Alert, group: &str, received_at: Timestamp) -> Result<Signal, ParseError> {
    let state = state(&format!("{path}.status"), &alert.status)?;
    let (time_path, time) = match state {
        SignalState::Resolved => (format!("{path}.endsAt"), alert.ends_at.as_deref().unwrap_or_default()),
        _ => (format!("{path}.startsAt"), alert.starts_at.as_str()),
    };
    let label = |name: &str| alert.labels.get(name).filter(|value| !value.is_empty());
    let annotation = |name: &str| alert.annotations.get(name).filter(|value| !value.is_empty());
    // Old and lookalike senders leave it out; it is a hash of the labels anyway.
    let fingerprint = alert.fingerprint.clone().filter(|given| !given.is_empty()).unwrap_or_else(|| labels::fingerprint(&alert.labels));
    let subject = label("alertname").unwrap_or(&fingerprint).clone();
    let mut signal = Signal::new(fingerprint, state, subject, received_at);
    if let Some(claimed) = time_of(&time_path, time)? {
        signal.occurred_at = limits::event_time(&time_path, claimed, received_at, &mut signal.warnings);
    }
    if let Some(word) = label("severity") {
        signal.severity = severity(word, &mut signal.warnings);
    }
    signal.summary =
        annotation("summary").or_else(|| annotation("description")).or_else(|| annotation("message")).cloned().unwrap_or_default();
    signal.group = Some(group.to_owned());
    signal.url = limits::link(&alert.generator_url);
    signal.labels = alert.labels.clone();
    signal.annotations = alert.annotations.clone();
    Ok(signal)
}

/// Stands for the alerts that `max_alerts` left out of the delivery: their recoveries are never told one by one.
fn group_signal(message: &Message, state: SignalState, alerts: &[Signal], received_at: Timestamp) -> Signal {
    let latest = alerts.iter().map(|alert| alert.occurred_at).max().unwrap_or(received_at);
    let labels: BTreeMap<String, String> =
        message.common_labels.iter().chain(&message.group_labels).map(|(name, value)| (name.clone(), value.clone())).collect();
    let subject = labels.get("alertname").unwrap_or(&message.group_key).clone();
    let mut signal = Signal::new(limits::short_key("group:", &message.group_key), state, subject, latest);
    if let Some(word) = labels.get("severity") {
        signal.severity = severity(word, &mut signal.warnings);
    }
    signal.group = Some(message.group_key.clone());
    signal.labels = labels;
    signal.url = message.external_url.as_deref().and_then(limits::link);
    if message.truncated_alerts > 0 {
        signal.whole_group = state == SignalState::Resolved;
        signal.summary = format!("{} more alerts of this group were left out by the sender", message.truncated_alerts);
        signal.warnings.push(format!("the sender left out {} alerts: raise or remove `max_alerts`", message.truncated_alerts));
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

/// An empty text and Go's zero time mean that there is none.
fn time_of(path: &str, text: &str) -> Result<Option<Timestamp>, ParseError> {
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::parse_unless_zero(text).map_err(|error| ParseError::field(path, error.to_string()))
}

fn severity(word: &str, warnings: &mut Vec<String>) -> Severity {
    Severity::from_word(word).unwrap_or_else(|| {
        warnings.push(format!("label `severity` has the unknown value `{}`", quoted(word)));
        Severity::Unknown
    })
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

// The fields we read, and only those: Alertmanager adds new ones without a new version.

/// Senders written in Go print an empty map as `null`.
fn null_as_empty<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_empty")]
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    fingerprint: Option<String>,
}
