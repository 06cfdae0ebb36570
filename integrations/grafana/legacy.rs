//! What Grafana 8 and older sent, and newer ones with the old alerting.

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;
use serde_json::Value;

use crate::{Inbound, ParseError, limits, reading, set};

/// One rule per delivery. It tells no time, so the time of arrival counts.
pub(super) fn signals(inbound: &Inbound<'_>, document: Value) -> Result<Vec<Signal>, ParseError> {
    let rule: Rule = reading::object(document)?;
    // What the button "Send Test" of a channel sends.
    if rule.rule_name == "Test notification" {
        return Ok(Vec::new());
    }
    let (state, severity) = match &*rule.state {
        "alerting" => (SignalState::Firing, None),
        "ok" => (SignalState::Resolved, None),
        // The rule could not be evaluated: nobody knows whether what it watches is well.
        "no_data" | "unknown" => (SignalState::Firing, Some(Severity::Unknown)),
        "pending" | "paused" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("state", other, "alerting, ok, no_data, unknown, pending, paused")),
    };
    let fingerprint = limits::short_key("rule:", &rule.rule_id);
    let mut signal = Signal::new(fingerprint, state, rule.rule_name.clone(), inbound.received_at);
    set::severity(&mut signal, "tags.severity", rule.tags.get("severity").map(String::as_str).unwrap_or_default());
    if let Some(severity) = severity {
        signal.severity = severity;
    }
    set::link(&mut signal, &rule.rule_url);
    signal.labels = rule.tags;
    set::labels(&mut signal, [("alertname", &rule.rule_name)]);
    signal.summary = rule.message;
    let mut values = rule.eval_matches.iter().filter_map(|matched| matched.value);
    signal.value = values.next().filter(|_| values.next().is_none());
    Ok(vec![signal])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(deserialize_with = "reading::scalar")]
    rule_id: String,
    rule_name: String,
    state: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    rule_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    message: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    eval_matches: Vec<Match>,
}

#[derive(Deserialize)]
struct Match {
    value: Option<f64>,
}
