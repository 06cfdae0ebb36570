//! Any status page of Status.io: its public API.
//!
//! <https://kb.status.io/developers/public-status-api>

use domain::{Severity, Signal, Span};
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
    slug: "statusio",
    name: "Status.io",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The page's id: 24 hex digits.
    page: String,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        if self.page.is_empty() || !self.page.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SettingsError::new("page", "must be the page's id, such as 0123456789abcdef01234567"));
        }
        Ok(format!("https://status-api.hostedstatus.com/1.0/status/{}", self.page))
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let Answer { result } = reading::object(inbound.document()?)?;
    thing::any("result.status", &result.status)?;
    let mut signals = Vec::new();
    for (index, component) in result.status.iter().enumerate() {
        let path = format!("result.status[{index}]");
        let word = Word { path: format!("{path}.status_code"), text: &component.status_code, means: state(&component.status_code) };
        let mut signal = thing::signal("component", &component.id, &component.name, &word, inbound.received_at);
        signal.summary = format!("{}: {}", component.name, component.status);
        signals.push(signal);
        for (below, container) in component.containers.iter().enumerate() {
            let path = format!("{path}.containers[{below}].status_code");
            let word = Word { path, text: &container.status_code, means: state(&container.status_code) };
            // The same container stands below many components, with a state of its own in each.
            let id = format!("{}/{}", component.id, container.id);
            let mut signal = thing::signal("container", &id, &container.name, &word, inbound.received_at);
            signal.subject = format!("{}: {}", component.name, container.name);
            signal.summary = format!("{}: {}", signal.subject, container.status);
            set::labels(&mut signal, [("component", component.name.trim())]);
            signals.push(signal);
        }
    }
    signals.extend(result.incidents.iter().enumerate().map(|(index, incident)| incident_signal(index, incident, inbound)));
    Ok(signals)
}

/// As its last message has it.
fn incident_signal(index: usize, incident: &Incident, inbound: &Inbound<'_>) -> Signal {
    let (code, phase) = incident.messages.last().map_or(("", ""), |message| (message.status.as_str(), message.state.as_str()));
    let at = incident.messages.len().saturating_sub(1);
    // Fixed; the page shows it a while longer.
    let means = if phase == "400" { Some(HEALTHY) } else { state(code) };
    let word = Word { path: format!("result.incidents[{index}].messages[{at}].status"), text: code, means };
    let mut signal = thing::signal("incident", &incident.id, &incident.name, &word, inbound.received_at);
    let names = |of: &[Named]| of.iter().map(|named| named.name.trim()).collect::<Vec<_>>().join(", ");
    let components = names(&incident.components_affected);
    signal.summary = incident.name.trim().to_owned();
    let phase = match phase {
        "100" => "investigating",
        "200" => "identified",
        "300" => "monitoring",
        "400" => "resolved",
        other => other,
    };
    set::labels(&mut signal, [("components", &*components), ("containers", &names(&incident.containers_affected)), ("phase", phase)]);
    signal
}

fn state(code: &str) -> Option<Health> {
    match code {
        "100" => Some(HEALTHY),
        "200" => Some(NO_FAULT),
        "300" => Some(trouble(Severity::Warning)),
        "400" => Some(trouble(Severity::Error)),
        // A disruption of service, or an event that concerns security.
        "500" | "600" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    result: Status,
}

#[derive(Deserialize)]
struct Status {
    status: Vec<Component>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    name: String,
    #[serde(default)]
    status: String,
    #[serde(deserialize_with = "reading::scalar")]
    status_code: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    containers: Vec<Component>,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(rename = "_id", alias = "id", deserialize_with = "reading::id")]
    id: String,
    name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    messages: Vec<Message>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    components_affected: Vec<Named>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    containers_affected: Vec<Named>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default, deserialize_with = "reading::scalar")]
    state: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    status: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}
