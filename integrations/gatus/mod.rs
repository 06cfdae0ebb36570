//! Gatus: the `custom` alert, with the body that `setup.md` prescribes.
//!
//! <https://github.com/TwiN/gatus#configuring-custom-alerts>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "gatus",
    name: "Gatus",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/triggered.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "text/plain"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let alert: Alert = inbound.json()?;
    let state = match alert.state.as_str() {
        "TRIGGERED" => SignalState::Firing,
        "RESOLVED" => SignalState::Resolved,
        other => return Err(ParseError::unknown("state", other, "TRIGGERED, RESOLVED")),
    };
    let endpoint = reading::required("endpoint", &alert.endpoint)?;
    // A name is unique within its group.
    let key = if alert.group.is_empty() { endpoint.to_owned() } else { format!("{}/{endpoint}", alert.group) };
    let mut signal = Signal::new(limits::short_key("endpoint:", &key), state, key.clone(), inbound.received_at);
    match alert.severity.as_str() {
        "" => signal.severity = Severity::Critical,
        word => set::severity(&mut signal, "severity", word),
    }
    signal.summary =
        [&alert.description, &alert.errors].into_iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(": ");
    set::labels(&mut signal, [("endpoint", endpoint), ("group", &alert.group), ("target", &alert.url)]);
    Ok(vec![signal])
}

#[derive(Deserialize)]
struct Alert {
    #[serde(default)]
    group: String,
    endpoint: String,
    #[serde(default)]
    url: String,
    state: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    errors: String,
}
