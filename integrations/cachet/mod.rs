//! A status page of Cachet: the components of version 2 (`/api/v1`) and version 3 (`/api`).
//!
//! <https://docs.cachethq.io/api-reference>

use std::collections::BTreeMap;

use domain::{Severity, Signal, Span, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Pages, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "cachet",
    name: "Cachet",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: Some(PAGES) },
    parse,
});

const AT_LEAST: Span = Span::secs(10);
const PAGES: Pages = Pages {
    turn: |page| ("page", page + 1),
    lists: &["data", "included"],
    total: Some("/meta/pagination/total"), // Version 3 does not say.
    more: |page, _| more(page),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// The page's address, such as `https://status.example.com`.
    url: String,
    /// 2 (also for Fanal, which speaks its API) or 3. How an answer is read, its shape says.
    version: u8,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        // Version 3 gives at most 100 at once.
        let path = match self.version {
            2 => "/api/v1/components?per_page=1000",
            3 => "/api/components?per_page=100&include=group",
            _ => return Err(SettingsError::new("version", "must be 2 or 3")),
        };
        poll::join("url", &self.url, path)
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    let request = Request::get(own.url()?);
    Ok(match secrets.last() {
        Some(secret) if own.version == 2 => request.header("x-cachet-token", secret.clone()),
        // A token of version 3 is `id|text`: never a user with a password.
        _ => request.authorized(secrets),
    })
}

fn more(page: &Value) -> Result<bool, ParseError> {
    let marks: Marks = reading::nested("", page.clone())?;
    Ok(marks.more())
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    thing::any("data", &answer.data)?;
    let (n_components, more) = (answer.data.len(), Marks { links: answer.links, meta: answer.meta }.more());
    let mut groups = BTreeMap::new();
    for (index, item) in answer.included.into_iter().enumerate().filter(|(_, item)| item.kind == "componentGroups") {
        let group: Group = reading::nested(&format!("included[{index}].attributes"), item.attributes)?;
        groups.insert(item.id, group.name);
    }
    let mut signals = Vec::with_capacity(answer.data.len());
    for (index, item) in answer.data.into_iter().enumerate() {
        let path = format!("data[{index}]");
        let relation = item.pointer("/relationships/group/data/id").map(ToString::to_string).unwrap_or_default();
        let component = match item.get("attributes") {
            Some(attributes) => {
                Component { group_id: relation.trim_matches('"').to_owned(), ..reading::nested(&path, attributes.clone())? }
            }
            None => reading::nested(&path, item)?,
        };
        // A component that is switched off is shown to nobody.
        if !matches!(component.enabled.as_str(), "false" | "0") {
            signals.push(signal(&path, &component, &groups, inbound.received_at));
        }
    }
    if more {
        poll::cut(&mut signals, n_components, "components", "this is as far as answers are read", inbound.received_at);
    }
    Ok(signals)
}

fn signal(path: &str, component: &Component, groups: &BTreeMap<String, String>, at: Timestamp) -> Signal {
    // Version 3 says apart what is stored and what incidents and maintenances make of it.
    let current = component.latest_status.as_ref().unwrap_or(&component.status);
    let status = current.number();
    let word = Word { path: format!("{path}.status"), text: &status, means: state(&status) };
    let mut signal = thing::signal("component", &component.id, &component.name, &word, at);
    let name = if component.status_name.is_empty() { current.human() } else { &component.status_name };
    signal.summary = format!("{}: {}", component.name, if name.is_empty() { &status } else { name });
    let group_id = if component.group_id == "0" { "" } else { &component.group_id };
    set::labels(&mut signal, [("group_id", group_id), ("group", groups.get(group_id).map_or("", |name| name))]);
    set::link(&mut signal, &component.link);
    signal
}

/// Both versions share the numbers from 1 to 4; what is unknown is 0 in one and 5 in the other.
fn state(number: &str) -> Option<Health> {
    match number {
        "1" => Some(HEALTHY),
        "2" => Some(trouble(Severity::Warning)),
        "3" => Some(trouble(Severity::Error)),
        "4" => Some(trouble(Severity::Critical)),
        "0" | "5" => Some(UNSURE),
        "6" => Some(NO_FAULT),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    data: Vec<Value>,
    #[serde(default)]
    included: Vec<Item>,
    #[serde(default)]
    links: Links,
    #[serde(default)]
    meta: Meta,
}

/// Version 3 names the next page, version 2 says how many there are.
#[derive(Deserialize)]
struct Marks {
    #[serde(default)]
    links: Links,
    #[serde(default)]
    meta: Meta,
}

impl Marks {
    fn more(&self) -> bool {
        let Pagination { current_page, total_pages } = self.meta.pagination;
        self.links.next.is_some() || current_page.unwrap_or(1) < total_pages
    }
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
struct Group {
    name: String,
}

#[derive(Default, Deserialize)]
struct Links {
    /// An address, which may lead anywhere: it is not followed.
    next: Option<String>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Pagination {
    /// From 1.
    current_page: Option<u64>,
    #[serde(default)]
    total_pages: u64,
}

#[derive(Deserialize)]
struct Component {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    name: String,
    status: Status,
    latest_status: Option<Status>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    status_name: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    enabled: String,
    #[serde(default, deserialize_with = "reading::scalar")]
    group_id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    link: String,
}

/// A number, which version 2 sometimes writes as a text, or a number with its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Status {
    Number(u64),
    Text(String),
    Named {
        value: u64,
        #[serde(default)]
        human: String,
    },
}

impl Status {
    fn number(&self) -> String {
        match self {
            Self::Number(value) | Self::Named { value, .. } => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    fn human(&self) -> &str {
        if let Self::Named { human, .. } = self { human } else { "" }
    }
}
