//! StatusCake: an uptime test goes down and comes up again.
//!
//! <https://www.statuscake.com/kb/knowledge-base/how-to-use-the-web-hook-url/>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, form, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "statuscake",
    name: "StatusCake",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.http")),
    logo: include_str!("logo.svg"),
    content_types: &[form::MEDIA_TYPE, "application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    // The body's own `Token` is a hash that is the same for all webhooks of an account, and known to each of their receivers.
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let alert: Alert = reading::object(inbound.document_or_form()?)?;
    let state = match alert.status.to_ascii_lowercase().as_str() {
        "down" => SignalState::Firing,
        "up" => SignalState::Resolved,
        _ => return Err(ParseError::unknown("Status", &alert.status, "Down, Up")),
    };
    let key = if alert.test_id.is_empty() { reading::required("URL", &alert.url)? } else { &alert.test_id };
    let name = if alert.name.is_empty() { key } else { &alert.name };
    let mut signal = Signal::new(limits::short_key("test:", key), state, name, inbound.received_at);
    signal.severity = Severity::Critical;
    signal.summary = match (state, alert.status_code.as_str()) {
        (SignalState::Resolved, _) | (_, "") => String::new(),
        (_, "0") => "no answer in time".to_owned(),
        (_, code) => format!("status code {code}"),
    };
    set::labels(
        &mut signal,
        [
            ("test", &alert.name),
            ("test_id", &alert.test_id),
            ("target", &alert.url),
            ("ip", &alert.ip),
            ("status_code", &alert.status_code),
        ],
    );
    alert.tags.split(',').for_each(|tag| set::tag(&mut signal, tag, ""));
    Ok(vec![signal])
}

#[derive(Deserialize)]
struct Alert {
    #[serde(rename = "Status")]
    status: String,
    #[serde(default, rename = "StatusCode", deserialize_with = "reading::scalar")]
    status_code: String,
    #[serde(default, rename = "URL", deserialize_with = "reading::scalar")]
    url: String,
    #[serde(default, rename = "IP", deserialize_with = "reading::scalar")]
    ip: String,
    #[serde(default, rename = "Name", deserialize_with = "reading::scalar")]
    name: String,
    #[serde(default, rename = "TestID", deserialize_with = "reading::scalar")]
    test_id: String,
    #[serde(default, rename = "Tags", deserialize_with = "reading::scalar")]
    tags: String,
}
