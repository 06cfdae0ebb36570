//! Any status page of Better Stack: `GET /index.json`.
//!
//! <https://betterstack.com/docs/uptime/status-page-json/>

use std::collections::BTreeMap;

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "better_stack_page",
    name: "Better Stack status page",
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
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        poll::join("url", &self.url, "/index.json")
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

/// The page and its resources. Reports are left out: their end may never be told, and the resources' states say what they say.
fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let page: Page = reading::object(inbound.document()?)?;
    thing::any("included", &page.included)?;
    let about = &page.data.attributes;
    let page_name = about.company_name.trim();
    let path = "data.attributes.aggregate_state".to_owned();
    let word = Word { path, text: &about.aggregate_state, means: state(&about.aggregate_state) };
    let mut signals = vec![thing::signal("page", "page", page_name, &word, inbound.received_at)];
    let mut sections = BTreeMap::new();
    for (index, item) in page.included.iter().enumerate().filter(|(_, item)| item.kind == "status_page_section") {
        let section: Section = reading::nested(&format!("included[{index}].attributes"), item.attributes.clone())?;
        sections.insert(item.id.as_str(), section.name);
    }
    for (index, item) in page.included.iter().enumerate().filter(|(_, item)| item.kind == "status_page_resource") {
        let path = format!("included[{index}].attributes");
        let resource: Resource = reading::nested(&path, item.attributes.clone())?;
        let word = Word { path: format!("{path}.status"), text: &resource.status, means: state(&resource.status) };
        let mut signal = thing::signal("resource", &item.id, &resource.public_name, &word, inbound.received_at);
        let group = sections.get(resource.status_page_section_id.as_str()).map_or("", |name| name.trim());
        set::labels(&mut signal, [("page", page_name), ("group", group)]);
        signals.push(signal);
    }
    Ok(signals)
}

fn state(word: &str) -> Option<Health> {
    match word {
        "operational" => Some(HEALTHY),
        "maintenance" => Some(NO_FAULT),
        "not_monitored" => Some(UNSURE),
        "degraded" => Some(trouble(Severity::Warning)),
        "downtime" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Page {
    data: Data,
    included: Vec<Item>,
}

#[derive(Deserialize)]
struct Data {
    attributes: About,
}

#[derive(Deserialize)]
struct About {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    company_name: String,
    aggregate_state: String,
}

#[derive(Deserialize)]
struct Item {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    attributes: Value,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    public_name: String,
    status: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    status_page_section_id: String,
}
