//! Icinga 2 and Nagios: notifications of hosts and services, as the script in `setup.md` sends them.
//!
//! <https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#notification-commands>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, form, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "icinga",
    name: "Icinga and Nagios",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/service_critical.http")),
    logo: include_str!("logo.svg"),
    content_types: &[form::MEDIA_TYPE, "application/json"],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    verify: plain_secret::verify,
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let notification: Notification = reading::object(inbound.document_or_form()?)?;
    let state = match notification.kind.to_ascii_uppercase().as_str() {
        "PROBLEM" => SignalState::Firing,
        "RECOVERY" => SignalState::Resolved,
        // What people do about it, planned work, and states that change too often: neither a fault nor its end.
        "ACKNOWLEDGEMENT" | "CUSTOM" | "TEST" | "DOWNTIMESTART" | "DOWNTIMEEND" | "DOWNTIMEREMOVED" | "DOWNTIMECANCELLED"
        | "FLAPPINGSTART" | "FLAPPINGSTOP" | "FLAPPINGEND" | "FLAPPINGDISABLED" => return Ok(Vec::new()),
        _ => return Err(ParseError::unknown("type", &notification.kind, "PROBLEM, RECOVERY, ACKNOWLEDGEMENT and their kin")),
    };
    let severity = match notification.state.to_ascii_uppercase().as_str() {
        "DOWN" | "CRITICAL" => Severity::Critical,
        "WARNING" => Severity::Warning,
        // The check itself failed, or the host lies behind one that is down: nothing is known of it.
        "UNKNOWN" | "UNREACHABLE" => Severity::Unknown,
        "UP" | "OK" if state == SignalState::Resolved => Severity::Unknown,
        _ => return Err(ParseError::unknown("state", &notification.state, "DOWN, UNREACHABLE, UP, CRITICAL, WARNING, UNKNOWN, OK")),
    };
    let host = reading::required("host", &notification.host)?;
    // The way Icinga itself writes it.
    let name = if notification.service.is_empty() { host.to_owned() } else { format!("{host}!{}", notification.service) };
    let mut signal = Signal::new(limits::short_key("", &name), state, name.clone(), inbound.received_at);
    signal.severity = severity;
    signal.summary = notification.output;
    set::time(&mut signal, "time", &notification.time)?;
    set::labels(
        &mut signal,
        [
            ("host", host),
            ("service", &notification.service),
            ("state", &notification.state.to_ascii_lowercase()),
            ("address", &notification.address),
        ],
    );
    notification.groups.split([',', ';']).for_each(|group| set::tag(&mut signal, group, ""));
    Ok(vec![signal])
}

// The fields of the script in `setup.md`.

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "type")]
    kind: String,
    host: String,
    #[serde(default)]
    service: String,
    state: String,
    #[serde(default)]
    output: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    time: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    groups: String,
}
