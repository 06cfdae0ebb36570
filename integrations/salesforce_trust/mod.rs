//! Salesforce Trust: the state of one instance.
//!
//! <https://api.status.salesforce.com/v1/docs/>

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
    slug: "salesforce_trust",
    name: "Salesforce Trust",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(120), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Such as `EU46`.
    instance: String,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        if self.instance.is_empty() || !self.instance.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(SettingsError::new("instance", "must be the instance's name, such as EU46"));
        }
        Ok(format!("https://api.status.salesforce.com/v1/instances/{}/status", self.instance))
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let instance: Instance = reading::object(inbound.document()?)?;
    let word = Word { path: "status".to_owned(), text: &instance.status, means: state(&instance.status) };
    let mut signal = thing::signal("instance", &instance.key, &instance.key, &word, inbound.received_at);
    set::labels(&mut signal, [("environment", &instance.environment), ("location", &instance.location)]);
    if let Some(incident) = instance.incidents.first() {
        set::link(&mut signal, &format!("https://status.salesforce.com/incidents/{}", incident.id));
    }
    if instance.is_active == Some(false) {
        signal.warnings.push("the instance is not active: has the organisation moved to another one?".to_owned());
    }
    Ok(vec![signal])
}

/// A word is made of how bad it is and whether it touches the core service.
fn state(word: &str) -> Option<Health> {
    match word {
        "OK" => Some(HEALTHY),
        "MAJOR_INCIDENT_CORE" => Some(trouble(Severity::Critical)),
        "MAJOR_INCIDENT_NONCORE" => Some(trouble(Severity::Error)),
        "MINOR_INCIDENT_CORE" | "MINOR_INCIDENT_NONCORE" => Some(trouble(Severity::Warning)),
        _ if word.starts_with("MAINTENANCE_") || word.starts_with("INFORMATIONAL_") => Some(NO_FAULT),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Instance {
    #[serde(deserialize_with = "reading::id")]
    key: String,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    environment: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    location: String,
    #[serde(rename = "isActive")]
    is_active: Option<bool>,
    #[serde(default, rename = "Incidents", deserialize_with = "reading::null_as_empty")]
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(deserialize_with = "reading::id")]
    id: String,
}
