//! Honeycomb: a trigger or a burn alert goes off and calms down.
//!
//! <https://docs.honeycomb.io/reference/honeycomb-ui/alerts/webhook-payload/>

use domain::{Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "honeycomb",
    name: "Honeycomb",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/triggered.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: |inbound, credentials| plain_secret::verify_header("x-honeycomb-webhook-token", inbound, credentials),
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let alert: Alert = inbound.json()?;
    if alert.is_test {
        return Ok(Vec::new());
    }
    let state = match alert.status.as_str() {
        "TRIGGERED" => SignalState::Firing,
        "OK" => SignalState::Resolved,
        other => return Err(ParseError::unknown("status", other, "TRIGGERED, OK")),
    };
    let id = reading::required("id", &alert.id)?;
    let mut signal = Signal::new(format!("trigger:{id}"), state, alert.name.clone(), inbound.received_at);
    set::severity(&mut signal, "severity", &alert.severity);
    let texts = [alert.description, alert.summary];
    signal.summary = texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    // Which group is over is never told, so groups are no signals of their own.
    signal.value = alert.result_groups.first().and_then(|group| group.result);
    set::labels(
        &mut signal,
        [("trigger", &alert.name), ("trigger_id", id), ("dataset", &alert.dataset), ("environment", &alert.environment)],
    );
    set::link(&mut signal, if alert.result_url.is_empty() { &alert.trigger_url } else { &alert.result_url });
    Ok(vec![signal])
}

// The fields we read, and only those. `severity` is not Honeycomb's own: a template of the user may add it.

#[derive(Deserialize)]
struct Alert {
    id: String,
    name: String,
    status: String,
    #[serde(default)]
    is_test: bool,
    #[serde(default, deserialize_with = "reading::scalar")]
    severity: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    summary: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    description: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    result_groups: Vec<Group>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    result_url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    trigger_url: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    dataset: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    environment: String,
}

#[derive(Deserialize)]
struct Group {
    #[serde(rename = "Result")]
    result: Option<f64>,
}
