//! Better Stack (Uptime): the state of its monitors.
//!
//! <https://betterstack.com/docs/uptime/api/list-all-existing-monitors/>

use domain::{Severity, Signal, Span};
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
    slug: "better_stack_api",
    name: "Better Stack API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: Some(PAGES) },
    parse,
});

const AT_LEAST: Span = Span::secs(30);
/// The most monitors that one page holds.
const PAGE: usize = 250;
const PAGES: Pages = Pages { turn: |page| ("page", page + 1), lists: &["data"], total: None, more: |page, _| more(page) };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let Own {} = poll::settings(settings.json())?;
    let token = poll::secret(secrets, "an API token of Uptime")?;
    Ok(Request::get(format!("https://uptime.betterstack.com/api/v2/monitors?per_page={PAGE}")).credentials(token))
}

fn more(page: &Value) -> Result<bool, ParseError> {
    let marks: Marks = reading::nested("", page.clone())?;
    Ok(marks.pagination.next.is_some())
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    thing::any("data", &answer.data)?;
    let told = |(index, item): (usize, &Item)| {
        let monitor = &item.attributes;
        let path = format!("data[{index}].attributes.status");
        let word = Word { path, text: &monitor.status, means: state(&monitor.status) };
        let mut signal = thing::signal("monitor", &item.id, &monitor.pronounceable_name, &word, inbound.received_at);
        let labels = [("monitor_id", &*item.id), ("target", &monitor.url), ("type", &monitor.monitor_type), ("team", &monitor.team_name)];
        set::labels(&mut signal, labels);
        signal
    };
    let mut signals: Vec<Signal> = answer.data.iter().enumerate().map(told).collect();
    if answer.pagination.next.is_some() {
        let remedy = "a token of one team sees that team's monitors only";
        poll::cut(&mut signals, answer.data.len(), "monitors", remedy, inbound.received_at);
    }
    Ok(signals)
}

fn state(word: &str) -> Option<Health> {
    match word {
        "up" => Some(HEALTHY),
        "paused" | "maintenance" => Some(NO_FAULT),
        "pending" => Some(UNSURE),
        // It came up again, and is watched a little longer.
        "validating" => Some(trouble(Severity::Warning)),
        "down" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Deserialize)]
struct Marks {
    #[serde(default)]
    pagination: Pagination,
}

#[derive(Default, Deserialize)]
struct Pagination {
    /// An address, which may lead anywhere: it is not followed.
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    attributes: Monitor,
}

#[derive(Deserialize)]
struct Monitor {
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    pronounceable_name: String,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    url: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    monitor_type: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    team_name: String,
}
