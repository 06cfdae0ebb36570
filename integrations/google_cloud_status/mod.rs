//! Google Cloud and Google Workspace: the incidents on their public dashboards.
//!
//! <https://status.cloud.google.com/incidents.schema.json>

use domain::{Severity, Signal, Span, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, Health, NO_FAULT, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "google_cloud_status",
    name: "Google Cloud status",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(120), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default)]
    dashboard: Dashboard,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dashboard {
    #[default]
    Cloud,
    Workspace,
}

impl Dashboard {
    const fn address(self) -> &'static str {
        match self {
            Self::Cloud => "https://status.cloud.google.com/",
            Self::Workspace => "https://www.google.com/appsstatus/dashboard/",
        }
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    Ok(Request::get(format!("{}incidents.json", own.dashboard.address())))
}

/// The list goes back for months; what has an end is over.
fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let own: Own = poll::settings(settings.json())?;
    let incidents: Vec<Incident> = reading::body(inbound.document()?)?;
    let mut signals = Vec::new();
    for (index, incident) in incidents.iter().enumerate().filter(|(_, incident)| incident.end.is_empty()) {
        let link = format!("{}{}", own.dashboard.address(), incident.uri);
        // One for each product, since a label has one value and a route wants to name a product.
        for product in &incident.affected_products {
            signals.push(signal(index, incident, Some(product), &link, inbound.received_at));
        }
        if incident.affected_products.is_empty() {
            signals.push(signal(index, incident, None, &link, inbound.received_at));
        }
    }
    Ok(signals)
}

fn signal(index: usize, incident: &Incident, product: Option<&Product>, link: &str, at: Timestamp) -> Signal {
    let word = Word { path: format!("[{index}].status_impact"), text: &incident.status_impact, means: impact(&incident.status_impact) };
    let (id, name) = product.map_or(("", ""), |product| (&product.id, product.title.trim()));
    let mut signal = thing::signal("incident", &format!("{}/{id}", incident.id), &incident.external_desc, &word, at);
    signal.subject = if name.is_empty() { "Google".to_owned() } else { name.to_owned() };
    signal.summary.clone_from(&incident.external_desc);
    let locations = incident.currently_affected_locations.iter().map(|location| location.id.as_str()).collect::<Vec<_>>().join(", ");
    let labels = [
        ("incident", incident.id.as_str()),
        ("product", name),
        ("product_id", id),
        ("locations", &locations),
        ("severity", &incident.severity),
    ];
    set::labels(&mut signal, labels);
    set::link(&mut signal, link);
    signal
}

fn impact(word: &str) -> Option<Health> {
    match word {
        "SERVICE_INFORMATION" => Some(NO_FAULT),
        "SERVICE_DISRUPTION" => Some(trouble(Severity::Error)),
        "SERVICE_OUTAGE" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Incident {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    end: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    external_desc: String,
    status_impact: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    severity: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    uri: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    affected_products: Vec<Product>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    currently_affected_locations: Vec<Location>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
struct Location {
    id: String,
}
