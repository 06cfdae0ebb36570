//! Heroku: what its status page says now.
//!
//! <https://devcenter.heroku.com/articles/heroku-status>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading,
    thing::{self, HEALTHY, Health, NO_FAULT, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "heroku_status",
    name: "Heroku status",
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
    Ok(Request::get("https://status.heroku.com/api/v4/current-status"))
}

/// The systems. The incidents only explain them, and name no system themselves.
fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let current: Current = reading::object(inbound.document()?)?;
    thing::any("status", &current.status)?;
    let titles = current.incidents.iter().map(|incident| incident.title.trim()).collect::<Vec<_>>().join("; ");
    let signals = current.status.iter().enumerate().map(|(index, system)| {
        let word = Word { path: format!("status[{index}].status"), text: &system.status, means: state(&system.status) };
        let mut signal = thing::signal("system", &system.system, &system.system, &word, inbound.received_at);
        if system.status != "green" && !titles.is_empty() {
            signal.summary = format!("{} ({titles})", signal.summary);
        }
        signal
    });
    Ok(signals.collect())
}

fn state(word: &str) -> Option<Health> {
    match word {
        "green" => Some(HEALTHY),
        "blue" => Some(NO_FAULT),
        "yellow" => Some(trouble(Severity::Warning)),
        "red" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Current {
    status: Vec<System>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct System {
    #[serde(deserialize_with = "reading::id")]
    system: String,
    status: String,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    title: String,
}
