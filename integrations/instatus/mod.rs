//! Any status page of Instatus: `GET /v2/components.json`, or `/summary.json` for the page as a whole.
//!
//! <https://instatus.com/help/api/public-data>

use domain::{Severity, Signal, Span, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "instatus",
    name: "Instatus",
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
    /// The page's address, such as `https://status.example.com`.
    url: String,
    #[serde(default)]
    read: Read,
}

/// Which of the page's two documents: an answer says by its shape which one it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Read {
    #[default]
    Components,
    Summary,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        let path = match self.read {
            Read::Components => "/v2/components.json",
            Read::Summary => "/summary.json",
        };
        poll::join("url", &self.url, path)
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    if document.get("page").is_some() {
        return Ok(summary(&reading::object(document)?, inbound.received_at));
    }
    let page: Components = reading::object(document)?;
    thing::any("components", &page.components)?;
    let mut signals = Vec::with_capacity(page.components.len());
    for (index, component) in page.components.iter().enumerate() {
        let path = format!("components[{index}]");
        if component.children.is_empty() {
            signals.push(signal(&path, component, None, inbound.received_at));
        }
        // A heading repeats the state of what stands below it.
        for (below, child) in component.children.iter().enumerate() {
            signals.push(signal(&format!("{path}.children[{below}]"), child, Some(component), inbound.received_at));
        }
    }
    Ok(signals)
}

fn signal(path: &str, component: &Component, heading: Option<&Component>, at: Timestamp) -> Signal {
    let word = Word { path: format!("{path}.status"), text: &component.status, means: state(&component.status) };
    let mut signal = thing::signal("component", &component.id, &text(&component.name), &word, at);
    let listed = component.group.as_ref().and_then(|group| group.get("name")).map(text);
    let group = heading.map(|heading| text(&heading.name)).or(listed).unwrap_or_default();
    set::labels(&mut signal, [("group", group.trim())]);
    signal
}

fn summary(summary: &Summary, at: Timestamp) -> Vec<Signal> {
    let page_name = text(&summary.page.name);
    let word = Word { path: "page.status".to_owned(), text: &summary.page.status, means: page(&summary.page.status) };
    let mut whole = thing::signal("page", "page", &page_name, &word, at);
    set::link(&mut whole, &summary.page.url);
    let mut signals = vec![whole];
    for (index, incident) in summary.active_incidents.iter().enumerate() {
        let means = if incident.status == "RESOLVED" { Some(HEALTHY) } else { state(&incident.impact) };
        let word = Word { path: format!("activeIncidents[{index}].impact"), text: &incident.impact, means };
        let name = text(&incident.name);
        let id = if incident.url.is_empty() { &name } else { &incident.url };
        let mut signal = thing::signal("incident", id, &name, &word, at);
        signal.summary = format!("{page_name}: {} ({})", name.trim(), incident.status);
        set::labels(&mut signal, [("page", page_name.trim()), ("status", &incident.status), ("impact", &incident.impact)]);
        set::link(&mut signal, &incident.url);
        signals.push(signal);
    }
    signals
}

/// Of a component, and of an incident's impact.
fn state(word: &str) -> Option<Health> {
    match word {
        "OPERATIONAL" => Some(HEALTHY),
        "UNDERMAINTENANCE" => Some(NO_FAULT),
        "DEGRADEDPERFORMANCE" | "MINOROUTAGE" => Some(trouble(Severity::Warning)),
        "PARTIALOUTAGE" => Some(trouble(Severity::Error)),
        "MAJOROUTAGE" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

/// Issues may be small or great: the page as a whole does not say.
fn page(word: &str) -> Option<Health> {
    match word {
        "UP" => Some(HEALTHY),
        "UNDERMAINTENANCE" => Some(NO_FAULT),
        "HASISSUES" => Some(trouble(Severity::Warning)),
        _ => None,
    }
}

/// A name is a text, or one text for each language: then the default one, or any.
fn text(name: &Value) -> String {
    let in_some_language = |map: &serde_json::Map<String, Value>| map.get("default").or_else(|| map.values().next()).cloned();
    let name = name.as_object().and_then(in_some_language).unwrap_or_else(|| name.clone());
    name.as_str().unwrap_or_default().to_owned()
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Components {
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default)]
    name: Value,
    status: String,
    /// The heading it stands below, in the flat form of the list.
    #[serde(default)]
    group: Option<Value>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    children: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    page: Page,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    active_incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    url: String,
    status: String,
}

#[derive(Deserialize)]
struct Incident {
    #[serde(default)]
    name: Value,
    status: String,
    impact: String,
    #[serde(default)]
    url: String,
}
