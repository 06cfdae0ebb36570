//! Slack: what its status page says now.
//!
//! <https://docs.slack.dev/reference/slack-status-api>

use domain::{Severity, Signal, Span, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "slack_status",
    name: "Slack status",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    let Own {} = poll::settings(settings.json())?;
    Ok(Request::get("https://slack-status.com/api/v2.0.0/current"))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let current: Current = reading::object(inbound.document()?)?;
    let mut signals = Vec::new();
    // The incidents say how it stands; the word above them counts only when we do not know it.
    if !matches!(current.status.as_str(), "ok" | "active") {
        let word = Word { path: "status".to_owned(), text: &current.status, means: None };
        signals.push(thing::signal("page", "page", "Slack", &word, inbound.received_at));
    }
    for (index, incident) in current.active_incidents.iter().enumerate() {
        for service in &incident.services {
            signals.push(signal(index, incident, service, inbound.received_at));
        }
        if incident.services.is_empty() {
            signals.push(signal(index, incident, "", inbound.received_at));
        }
    }
    Ok(signals)
}

/// One for each service, since a label has one value and a route wants to name a service.
fn signal(index: usize, incident: &Incident, service: &str, at: Timestamp) -> Signal {
    let over = matches!(incident.status.as_str(), "resolved" | "completed" | "cancelled");
    let means = if over { Some(HEALTHY) } else { kind(&incident.kind) };
    let word = Word { path: format!("active_incidents[{index}].type"), text: &incident.kind, means };
    let mut signal = thing::signal("incident", &format!("{}/{service}", incident.id), &incident.title, &word, at);
    signal.subject = if service.is_empty() { "Slack".to_owned() } else { format!("Slack: {service}") };
    signal.summary = incident.title.trim().to_owned();
    set::labels(&mut signal, [("service", service), ("type", &incident.kind), ("status", &incident.status)]);
    set::link(&mut signal, &incident.url);
    signal
}

fn kind(word: &str) -> Option<Health> {
    match word {
        "notice" | "maintenance" => Some(NO_FAULT),
        "incident" => Some(trouble(Severity::Error)),
        "outage" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Current {
    status: String,
    active_incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    title: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    services: Vec<String>,
}
