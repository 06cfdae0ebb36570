//! Any status page of Atlassian Statuspage, and those that speak its API: `GET /api/v2/summary.json`.
//!
//! <https://metastatuspage.com/api>

use domain::{Severity, Signal, SignalState, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    error::unknown_word,
    limits,
    poll::{self, Poll, Request},
    provider::Polled,
    reading,
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "statuspage",
    name: "Statuspage",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

/// The pages are cached for about as long.
const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The page's address, such as `https://www.githubstatus.com`.
    url: String,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        poll::join("url", &self.url, "/api/v2/summary.json")
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let summary: Summary = reading::object(inbound.document()?)?;
    let groups = |id: &Option<String>| {
        let group = summary.components.iter().find(|group| group.group && Some(&group.id) == id.as_ref());
        group.map(|group| group.name.clone())
    };
    let mut signals = Vec::with_capacity(summary.components.len() + summary.incidents.len());
    for (index, component) in summary.components.iter().enumerate().filter(|(_, component)| !component.group) {
        let (state, severity) = component_state(&component.status).unwrap_or((SignalState::Firing, Severity::Unknown));
        let mut signal = Signal::new(format!("component:{}", component.id), state, component.name.trim(), inbound.received_at);
        signal.severity = severity;
        if severity == Severity::Unknown {
            signal.warnings.push(unknown_word(&format!("components[{index}].status"), &component.status));
        }
        signal.summary = format!("{} says of {}: {}", summary.page.name, component.name.trim(), component.status.replace('_', " "));
        signal.url = summary.page.url.as_deref().and_then(limits::link);
        let labels =
            [("kind", "component"), ("page", &summary.page.name), ("component", component.name.trim()), ("status", &component.status)];
        signal.labels.extend(labels.map(|(name, value)| (name.to_owned(), value.to_owned())));
        signal.labels.extend(groups(&component.group_id).map(|group| ("group".to_owned(), group)));
        signals.push(signal);
    }
    for (index, incident) in summary.incidents.iter().enumerate() {
        let mut signal = Signal::new(format!("incident:{}", incident.id), SignalState::Firing, incident.name.trim(), inbound.received_at);
        signal.severity = impact(&incident.impact).unwrap_or_else(|| {
            signal.warnings.push(unknown_word(&format!("incidents[{index}].impact"), &incident.impact));
            Severity::Unknown
        });
        signal.summary = format!("{}: {} ({})", summary.page.name, incident.name.trim(), incident.status);
        signal.url = incident.shortlink.as_deref().and_then(limits::link);
        let labels = [("kind", "incident"), ("page", &summary.page.name), ("status", &incident.status), ("impact", &incident.impact)];
        signal.labels.extend(labels.map(|(name, value)| (name.to_owned(), value.to_owned())));
        signals.push(signal);
    }
    Ok(signals)
}

/// A maintenance is a plan and no outage: it is told with the severity `info`, which routes take for health unless they say otherwise.
fn component_state(status: &str) -> Option<(SignalState, Severity)> {
    match status {
        "operational" => Some((SignalState::Resolved, Severity::Info)),
        "under_maintenance" => Some((SignalState::Firing, Severity::Info)),
        "degraded_performance" => Some((SignalState::Firing, Severity::Warning)),
        "partial_outage" => Some((SignalState::Firing, Severity::Error)),
        "major_outage" => Some((SignalState::Firing, Severity::Critical)),
        _ => None,
    }
}

fn impact(impact: &str) -> Option<Severity> {
    match impact {
        "none" | "maintenance" => Some(Severity::Info),
        "minor" => Some(Severity::Warning),
        "major" => Some(Severity::Error),
        "critical" => Some(Severity::Critical),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Summary {
    page: Page,
    components: Vec<Component>,
    #[serde(default)]
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Page {
    name: String,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    name: String,
    status: String,
    group_id: Option<String>,
    /// True for a heading over components, whose status repeats theirs.
    #[serde(default)]
    group: bool,
}

#[derive(Deserialize)]
struct Incident {
    id: String,
    name: String,
    status: String,
    impact: String,
    shortlink: Option<String>,
}
