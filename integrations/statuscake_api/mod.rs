//! `StatusCake`: the state of its uptime tests.
//!
//! <https://developers.statuscake.com/api/#tag/uptime>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, MAX_LABELS, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Pages, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "statuscake_api",
    name: "StatusCake API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: Some(PAGES) },
    parse,
});

const AT_LEAST: Span = Span::secs(30);
/// The most tests that one page holds.
const PAGE: usize = 100;
const PAGES: Pages =
    Pages { turn: |page| ("page", page + 1), lists: &["data"], total: Some("/metadata/total_count"), more: |page, _| more(page) };
/// Leaves room for the labels of our own.
const MAX_TAGS: usize = MAX_LABELS - 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Only tests with one of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    let token = poll::secret(secrets, "an API token")?;
    let tags = if own.tags.is_empty() { String::new() } else { format!("&matchany=true&tags={}", form::escape(&own.tags.join(","))) };
    Ok(Request::get(format!("https://api.statuscake.com/v1/uptime?limit={PAGE}{tags}")).credentials(token))
}

fn more(page: &Value) -> Result<bool, ParseError> {
    let marks: Marks = reading::nested("", page.clone())?;
    Ok(marks.metadata.more())
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    thing::any("data", &answer.data)?;
    let told = |(index, test): (usize, &Test)| {
        let (text, means) = if test.paused { ("paused", Some(NO_FAULT)) } else { (&*test.status, state(&test.status)) };
        let word = Word { path: format!("data[{index}].status"), text, means };
        let mut signal = thing::signal("test", &test.id, &test.name, &word, inbound.received_at);
        for tag in test.tags.iter().take(MAX_TAGS) {
            set::tag(&mut signal, tag, "");
        }
        set::labels(&mut signal, [("test_id", &*test.id), ("target", &test.website_url), ("type", &test.test_type)]);
        signal
    };
    let mut signals: Vec<Signal> = answer.data.iter().enumerate().map(told).collect();
    if answer.metadata.more() {
        poll::cut(&mut signals, answer.data.len(), "tests", "choose some by `tags`", inbound.received_at);
    }
    Ok(signals)
}

fn state(word: &str) -> Option<Health> {
    match word {
        "up" => Some(HEALTHY),
        "down" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    data: Vec<Test>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Marks {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    /// From 1.
    page: Option<u64>,
    #[serde(default)]
    page_count: u64,
}

impl Metadata {
    fn more(&self) -> bool {
        self.page.unwrap_or(1) < self.page_count
    }
}

#[derive(Deserialize)]
struct Test {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default)]
    name: String,
    status: String,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    website_url: String,
    #[serde(default)]
    test_type: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<String>,
}
