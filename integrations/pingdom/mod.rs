//! Pingdom: a check changes its state.
//!
//! <https://www.pingdom.com/resources/webhooks/>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Inbound, ParseError, Provider, Quirks, Settings, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "pingdom",
    name: "Pingdom",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.json")),
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
    let change: Change = inbound.json()?;
    let state = match change.current_state.as_str() {
        "DOWN" | "FAILING" => SignalState::Firing,
        "UP" | "SUCCESS" => SignalState::Resolved,
        other => return Err(ParseError::unknown("current_state", other, "DOWN, UP, FAILING, SUCCESS")),
    };
    let id = reading::required("check_id", &change.check_id)?;
    let mut signal = Signal::new(format!("check:{id}"), state, change.check_name.clone(), inbound.received_at);
    match change.importance_level.as_str() {
        "HIGH" | "" => signal.severity = Severity::Critical,
        "LOW" => signal.severity = Severity::Warning,
        other => set::severity(&mut signal, "importance_level", other),
    }
    let texts = [change.long_description, change.description];
    signal.summary = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    set::time(&mut signal, "state_changed_timestamp", &change.state_changed_timestamp)?;
    let host = change.check_params.get("hostname").and_then(Value::as_str).unwrap_or_default();
    let importance = change.importance_level.to_ascii_lowercase();
    set::labels(
        &mut signal,
        [("check", &change.check_name), ("check_id", id), ("type", &change.check_type), ("host", host), ("importance", &importance)],
    );
    change.tags.iter().for_each(|tag| set::tag(&mut signal, tag, ""));
    Ok(vec![signal])
}

// The fields we read, and only those: `check_params` also holds headers and passwords of the check.

#[derive(Deserialize)]
struct Change {
    #[serde(deserialize_with = "reading::scalar")]
    check_id: String,
    check_name: String,
    #[serde(default)]
    check_type: String,
    current_state: String,
    #[serde(deserialize_with = "reading::scalar")]
    state_changed_timestamp: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    importance_level: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    long_description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    check_params: Map<String, Value>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<String>,
}
