//! Amazon Web Services: what its public health page says now.

use std::collections::BTreeMap;

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
    slug: "aws_health",
    name: "AWS Health",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(120), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    let Own {} = poll::settings(settings.json())?;
    Ok(Request::get("https://health.aws.amazon.com/public/currentevents"))
}

/// In UTF-16 with a byte order mark, which every document may have.
fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let events: Vec<Event> = reading::body(inbound.document()?)?;
    let mut signals = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let whole = Part { service: &event.service, name: &event.service_name, status: &event.status, path: format!("[{index}].status") };
        signals.push(signal("event", event, &whole, inbound.received_at));
        for (service, impact) in &event.impacted_services {
            let path = format!("[{index}].impacted_services.{service}.current");
            let part = Part { service, name: &impact.service_name, status: &impact.current, path };
            signals.push(signal("service", event, &part, inbound.received_at));
        }
    }
    Ok(signals)
}

/// What one event says of one service; the event's own service may stand for many.
struct Part<'a> {
    service: &'a str,
    name: &'a str,
    status: &'a str,
    path: String,
}

fn signal(kind: &str, event: &Event, part: &Part<'_>, at: Timestamp) -> Signal {
    let word = Word { path: part.path.clone(), text: part.status, means: state(part.status) };
    let mut signal = thing::signal(kind, &format!("{}/{}", event.arn, part.service), part.name, &word, at);
    signal.summary = format!("{} ({}): {}", part.name, event.region_name, event.summary);
    // arn:aws:health:<region>::event/…
    let region = event.arn.split(':').nth(3).unwrap_or_default();
    let product = part.service.strip_suffix(region).map_or(part.service, |rest| rest.trim_end_matches('-'));
    set::labels(&mut signal, [("event", &*event.arn), ("service", product), ("region", region), ("region_name", &event.region_name)]);
    signal
}

fn state(word: &str) -> Option<Health> {
    match word {
        "0" => Some(HEALTHY),
        "1" => Some(NO_FAULT),
        "2" => Some(trouble(Severity::Warning)),
        "3" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Event {
    #[serde(deserialize_with = "reading::id")]
    arn: String,
    #[serde(deserialize_with = "reading::scalar")]
    status: String,
    service: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    service_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    region_name: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    summary: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    impacted_services: BTreeMap<String, Impact>,
}

#[derive(Deserialize)]
struct Impact {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    service_name: String,
    #[serde(deserialize_with = "reading::scalar")]
    current: String,
}
