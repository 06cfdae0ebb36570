//! UptimeRobot: a monitor goes down and comes up again.
//!
//! <https://uptimerobot.com/blog/web-hook-alert-contacts-new-feature/>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, form, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "uptimerobot",
    name: "UptimeRobot",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "text/plain", form::MEDIA_TYPE],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let alert = reading::object::<Alert>(inbound.document_or_form()?)?;
    // Expiry is told once and its end never: apart from the monitor itself, and without being a fault.
    let (state, severity, part) = match known(&alert.kind) {
        "1" => (SignalState::Firing, Severity::Critical, ""),
        "2" => (SignalState::Resolved, Severity::Critical, ""),
        "3" => (SignalState::Firing, Severity::Info, "certificate:"),
        "" => return Err(ParseError::missing("alertType")),
        other => return Err(ParseError::unknown("alertType", other, "1, 2, 3")),
    };
    let names = [known(&alert.id), known(&alert.url), known(&alert.name)];
    let Some(id) = names.into_iter().find(|name| !name.is_empty()) else { return Err(ParseError::missing("monitorID")) };
    let name = if names[2].is_empty() { id } else { names[2] };
    let mut signal = Signal::new(limits::short_key(&format!("monitor:{part}"), id), state, name, inbound.received_at);
    signal.severity = severity;
    signal.summary = known(&alert.details).to_owned();
    set::time(&mut signal, "alertDateTime", known(&alert.date_time))?;
    set::labels(&mut signal, [("monitor", names[2]), ("monitor_id", names[0]), ("target", names[1])]);
    if !part.is_empty() {
        set::labels(&mut signal, [("certificate_expires", known(&alert.expires))]);
    }
    Ok(vec![signal])
}

/// A variable that has no value arrives as its own name: `*alertDuration*`.
fn known(value: &str) -> &str {
    let value = value.trim();
    let placeholder = value.len() > 2 && value.starts_with('*') && value.ends_with('*');
    if placeholder { "" } else { value }
}

// The fields we read, and only those. The other spelling is that of bodies written by hand.

#[derive(Deserialize)]
struct Alert {
    #[serde(default, rename = "monitorID", alias = "monitor_id", deserialize_with = "reading::scalar")]
    id: String,
    #[serde(default, rename = "monitorURL", alias = "monitor_url", deserialize_with = "reading::scalar")]
    url: String,
    #[serde(default, rename = "monitorFriendlyName", alias = "monitor_friendly_name", deserialize_with = "reading::scalar")]
    name: String,
    #[serde(rename = "alertType", alias = "alert_type", deserialize_with = "reading::scalar")]
    kind: String,
    #[serde(default, rename = "alertDetails", alias = "alert_details", deserialize_with = "reading::scalar")]
    details: String,
    #[serde(default, rename = "alertDateTime", alias = "alert_date_time", deserialize_with = "reading::scalar")]
    date_time: String,
    #[serde(default, rename = "sslExpiryDate", alias = "ssl_expiry_date", deserialize_with = "reading::scalar")]
    expires: String,
}
