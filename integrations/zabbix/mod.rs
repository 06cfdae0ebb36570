//! Zabbix: problems and their recoveries, as the media type in `setup.md` sends them.
//!
//! <https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook>

use domain::{Severity, Signal, SignalState};
use serde::Deserialize;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, error::quoted, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "zabbix",
    name: "Zabbix",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/problem.json")),
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
    let event: Event = inbound.json()?;
    // The "Test" button fills in no macros.
    if event.event_id.starts_with('{') {
        return Ok(Vec::new());
    }
    let id = reading::required("event_id", &event.event_id)?;
    match known(&event.source) {
        "0" | "4" | "" => {}
        // Discovery, registration and Zabbix's own troubles.
        "1" | "2" | "3" => return Ok(Vec::new()),
        other => return Err(ParseError::unknown("source", other, "0, 1, 2, 3, 4")),
    }
    // Somebody acknowledged it or wrote a note; it is as it was.
    if known(&event.update) == "1" {
        return Ok(Vec::new());
    }
    let (state, path, time) = match event.value.as_str() {
        "1" => (SignalState::Firing, "problem_at", &event.problem_at),
        "0" => (SignalState::Resolved, "recovered_at", &event.recovered_at),
        other => return Err(ParseError::unknown("value", other, "1, 0")),
    };
    // The recovery bears the id of the problem it ends.
    let mut signal = Signal::new(format!("event:{id}"), state, event.name.clone(), inbound.received_at);
    signal.severity = severity(known(&event.severity), &mut signal.warnings);
    signal.summary = event.name;
    set::time(&mut signal, path, known(time))?;
    let (host, host_name, trigger) = (known(&event.host), known(&event.host_name), known(&event.trigger_id));
    set::labels(&mut signal, [("host", host), ("host_name", host_name), ("trigger_id", trigger), ("service", known(&event.service))]);
    event.tags.iter().for_each(|tag| set::tag(&mut signal, &tag.tag, &tag.value));
    set::link(&mut signal, known(&event.link));
    Ok(vec![signal])
}

/// Zabbix's own scale, read as the words that stand on it.
fn severity(number: &str, warnings: &mut Vec<String>) -> Severity {
    match number {
        "5" => Severity::Critical,
        "4" => Severity::Error,
        "3" | "2" => Severity::Warning,
        "1" => Severity::Info,
        "0" | "" => Severity::Unknown,
        other => {
            warnings.push(format!("`severity` has the unknown value `{}`", quoted(other)));
            Severity::Unknown
        }
    }
}

/// A macro that this version does not know or cannot fill stays as it was written, or becomes `*UNKNOWN*`.
fn known(value: &str) -> &str {
    if value.starts_with('{') || value == "*UNKNOWN*" { "" } else { value }
}

// The body of the script in `setup.md`.

#[derive(Deserialize)]
struct Event {
    #[serde(deserialize_with = "reading::scalar")]
    event_id: String,
    #[serde(deserialize_with = "reading::scalar")]
    value: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    update: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    source: String,
    name: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    severity: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    host: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    host_name: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    trigger_id: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    service: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    problem_at: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    recovered_at: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    link: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    tag: String,
    #[serde(default)]
    value: String,
}
