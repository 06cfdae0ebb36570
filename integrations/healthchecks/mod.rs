//! Healthchecks.io and its self-hosted kin: a scheduled job that does not report.
//!
//! <https://healthchecks.io/docs/configuring_notifications/>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "healthchecks",
    name: "Healthchecks.io",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.json")),
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
    let check: Check = inbound.json()?;
    // A test speaks of a check that was made up for it, under an id that never comes again.
    if check.name == "TEST" && check.slug.is_empty() && check.tags.is_empty() {
        return Ok(Vec::new());
    }
    let state = match check.status.as_str() {
        "down" => SignalState::Firing,
        "up" => SignalState::Resolved,
        // Late and still within its grace, never run, switched off, running: neither is an outage nor the end of one.
        "grace" | "new" | "paused" | "started" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("status", other, "down, up, grace, new, paused, started")),
    };
    let code = reading::required("code", &check.code)?;
    let name = if check.name.is_empty() { "unnamed check".to_owned() } else { check.name };
    let mut signal = Signal::new(format!("check:{code}"), state, name.clone(), inbound.received_at);
    signal.severity = Severity::Critical;
    // What no job has reported is written as -1.
    let exit_status = if check.exit_status == "-1" { "" } else { check.exit_status.as_str() };
    signal.summary = format!("{name} is {}", check.status);
    if !exit_status.is_empty() {
        signal.summary.push_str(&format!(", last exit status {exit_status}"));
    }
    set::time(&mut signal, "at", &check.at)?;
    set::labels(&mut signal, [("check", &name), ("slug", &check.slug), ("exit_status", exit_status)]);
    check.tags.split_whitespace().for_each(|tag| set::tag(&mut signal, tag, ""));
    Ok(vec![signal])
}

// The fields of the body in `setup.md`, and of the check as `$JSON` writes it. Of its addresses we read none: each is a key.

#[derive(Deserialize)]
struct Check {
    #[serde(alias = "uuid", alias = "unique_key")]
    code: String,
    status: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
    #[serde(default)]
    tags: String,
    #[serde(default)]
    at: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    exit_status: String,
}
