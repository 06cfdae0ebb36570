//! `UptimeRobot`: the state of its monitors.
//!
//! <https://uptimerobot.com/api/legacy/>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    error::quoted,
    poll::{self, Extent, Pages, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "uptimerobot_api",
    name: "UptimeRobot API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: Some(PAGES) },
    parse,
});

/// A free account is answered ten times a minute, whoever asks.
const AT_LEAST: Span = Span::secs(30);
/// The most monitors that one page holds.
const PAGE: usize = 50;
const PAGES: Pages = Pages { turn: |page| ("offset", page * PAGE), lists: &["monitors"], total: Some("/pagination/total"), more };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Only these, by number.
    #[serde(default)]
    monitors: Vec<u64>,
}

/// The key goes into the form: this API takes it nowhere else.
fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    let monitors = own.monitors.iter().map(u64::to_string).collect::<Vec<_>>().join("-");
    let key = poll::secret(secrets, "the read-only API key")?;
    let limit = PAGE.to_string();
    let mut fields = vec![("api_key", key), ("format", "json"), ("limit", &limit)];
    if !monitors.is_empty() {
        fields.push(("monitors", &monitors));
    }
    Ok(Request::get("https://api.uptimerobot.com/v2/getMonitors").form(&fields))
}

fn more(page: &Value, read: Extent) -> Result<bool, ParseError> {
    let marks: Marks = reading::nested("", page.clone())?;
    Ok(marks.pagination.more(read.n_things))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    match answer.stat.as_str() {
        "ok" => {}
        // With status 200.
        "fail" => return Err(ParseError::field("error", quoted(&answer.error.unwrap_or_default().text()))),
        other => return Err(ParseError::unknown("stat", other, "ok, fail")),
    }
    let monitors = answer.monitors.ok_or_else(|| ParseError::missing("monitors"))?;
    thing::any("monitors", &monitors)?;
    let told = |(index, monitor): (usize, &Monitor)| {
        let (text, means) = state(&monitor.status);
        let word = Word { path: format!("monitors[{index}].status"), text, means };
        let mut signal = thing::signal("monitor", &monitor.id, &monitor.friendly_name, &word, inbound.received_at);
        set::labels(&mut signal, [("monitor_id", &*monitor.id), ("target", &monitor.url)]);
        signal
    };
    let mut signals: Vec<Signal> = monitors.iter().enumerate().map(told).collect();
    if answer.pagination.more(monitors.len()) {
        poll::cut(&mut signals, monitors.len(), "monitors", "name those to watch in `monitors`", inbound.received_at);
    }
    Ok(signals)
}

fn state(number: &str) -> (&str, Option<Health>) {
    match number {
        "0" => ("paused", Some(NO_FAULT)),
        "1" => ("not checked yet", Some(UNSURE)),
        "2" => ("up", Some(HEALTHY)),
        "8" => ("seems down", Some(trouble(Severity::Warning))),
        "9" => ("down", Some(trouble(Severity::Critical))),
        other => (other, None),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    stat: String,
    error: Option<Failure>,
    monitors: Option<Vec<Monitor>>,
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
    #[serde(default)]
    total: usize,
}

impl Pagination {
    fn more(&self, n_monitors: usize) -> bool {
        self.total > n_monitors
    }
}

#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

impl Failure {
    fn text(&self) -> String {
        format!("{} {}", self.kind, self.message)
    }
}

#[derive(Deserialize)]
struct Monitor {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default)]
    friendly_name: String,
    #[serde(default)]
    url: String,
    #[serde(deserialize_with = "reading::scalar")]
    status: String,
}
