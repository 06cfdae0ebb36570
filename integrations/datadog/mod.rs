//! Datadog monitors, through the Webhooks integration and the payload of our `setup.md`.
//!
//! <https://docs.datadoghq.com/integrations/webhooks/>

use domain::{Severity, Signal, SignalState};
use serde::{Deserialize, Deserializer};

use crate::{Inbound, MAX_LABELS, ParseError, Provider, Quirks, Settings, form, limits, plain_secret, reading, set};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "datadog",
    name: "Datadog",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/triggered.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", form::MEDIA_TYPE],
    check_settings: reading::no_settings,
    check_secret: plain_secret::check_secret,
    // Datadog signs nothing.
    verify: plain_secret::verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// A retry repeats the event's id. The transition beside it costs nothing and survives a template that fills in the wrong id.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let event: Event = reading::object(inbound.document_or_form().ok()?).ok()?;
    (!event.id.is_empty()).then(|| format!("{}:{}", event.id, event.transition))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let event: Event = reading::object(inbound.document_or_form()?)?;
    reading::required("transition", &event.transition)?;
    reading::required("alert_id", &event.alert_id)?;
    // What the button "Test Notifications" of a monitor sends.
    if event.title.to_ascii_lowercase().starts_with("[test]") {
        return Ok(Vec::new());
    }
    let (state, severity) = match &*event.transition {
        "Recovered" => (SignalState::Resolved, Severity::Unknown),
        "Warn" | "Re-Warn" => (SignalState::Firing, Severity::Warning),
        "No Data" | "Re-No Data" => (SignalState::Firing, Severity::Unknown),
        // Says only that it goes on: the type of the alert says how bad it is.
        "Renotify" if event.kind == "warning" => (SignalState::Firing, Severity::Warning),
        "Triggered" | "Re-Triggered" | "Renotify" => (SignalState::Firing, Severity::from_word(&event.priority).unwrap_or(Severity::Error)),
        other => return Err(ParseError::unknown("transition", other, TRANSITIONS)),
    };
    // The monitor and the group of it that breaks. Not the cycle: if one recovery is lost, the next one must still end it.
    let fingerprint = limits::short_key("monitor:", &format!("{}:{}", event.alert_id, event.scope));
    let subject = [&event.title, &event.alert_id].into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default();
    let mut signal = Signal::new(fingerprint, state, without_transition(&subject), inbound.received_at);
    signal.severity = severity;
    signal.summary = subject;
    set::link(&mut signal, &event.link);
    for tag in event.tags.split(',').take(MAX_TAGS) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        set::tag(&mut signal, name, value);
    }
    let labels = [
        ("monitor", &*event.alert_id),
        ("scope", &*event.scope),
        ("host", &*event.host),
        ("metric", &*event.metric),
        ("priority", &*event.priority),
        ("transition", &*event.transition),
    ];
    set::labels(&mut signal, labels);
    set::time(&mut signal, "date", &event.date)?;
    Ok(vec![signal])
}

/// Leaves room for the labels of our own.
const MAX_TAGS: usize = MAX_LABELS - 8;

const TRANSITIONS: &str = "Triggered, Re-Triggered, Renotify, Warn, Re-Warn, No Data, Re-No Data, Recovered";

/// `[Triggered on {host:a}] Title` without what changes from one message to the next.
fn without_transition(title: &str) -> &str {
    let mut rest = title.trim();
    while let Some((_, after)) =
        rest.strip_prefix('[').and_then(|inner| inner.split_once(']')).filter(|(_, after)| !after.trim().is_empty())
    {
        rest = after.trim_start();
    }
    rest
}

/// Datadog leaves a variable that it cannot fill in as it is, or writes `null`.
fn filled_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = reading::scalar(deserializer)?;
    let empty = text == "null" || text.strip_prefix('$').is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
    Ok(if empty { String::new() } else { text })
}

/// The payload of `setup.md`. Datadog fills in texts, whatever they stand for.
#[derive(Deserialize)]
struct Event {
    #[serde(default, deserialize_with = "filled_in")]
    id: String,
    #[serde(deserialize_with = "filled_in")]
    alert_id: String,
    #[serde(deserialize_with = "filled_in")]
    transition: String,
    #[serde(default, deserialize_with = "filled_in", rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "filled_in")]
    priority: String,
    #[serde(default, deserialize_with = "filled_in")]
    title: String,
    #[serde(default, deserialize_with = "filled_in")]
    scope: String,
    #[serde(default, deserialize_with = "filled_in")]
    tags: String,
    #[serde(default, deserialize_with = "filled_in")]
    host: String,
    #[serde(default, deserialize_with = "filled_in")]
    metric: String,
    #[serde(default, deserialize_with = "filled_in")]
    link: String,
    #[serde(default, deserialize_with = "filled_in")]
    date: String,
}
