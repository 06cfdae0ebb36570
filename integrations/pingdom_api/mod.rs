//! Pingdom: the state of its checks.
//!
//! <https://docs.pingdom.com/api/#tag/Checks>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, MAX_LABELS, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "pingdom_api",
    name: "Pingdom API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(30);
/// Leaves room for the labels of our own.
const MAX_TAGS: usize = MAX_LABELS - 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Only checks with one of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let own: Own = poll::settings(settings.json())?;
    let token = poll::secret(secrets, "an API token with read access")?;
    let tags = if own.tags.is_empty() { String::new() } else { format!("&tags={}", form::escape(&own.tags.join(","))) };
    Ok(Request::get(format!("https://api.pingdom.com/api/3.1/checks?limit=25000&include_tags=true{tags}")).credentials(token))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let answer: Answer = reading::object(inbound.document()?)?;
    thing::any("checks", &answer.checks)?;
    let told = |(index, check): (usize, &Check)| {
        let word = Word { path: format!("checks[{index}].status"), text: &check.status, means: state(&check.status) };
        let mut signal = thing::signal("check", &check.id, &check.name, &word, inbound.received_at);
        for tag in check.tags.iter().take(MAX_TAGS) {
            set::tag(&mut signal, &tag.name, "");
        }
        signal.value = check.lastresponsetime;
        set::labels(&mut signal, [("check_id", &*check.id), ("target", &check.hostname), ("type", &check.kind)]);
        signal
    };
    let mut signals: Vec<Signal> = answer.checks.iter().enumerate().map(told).collect();
    let total = answer.counts.filtered.unwrap_or(answer.counts.total);
    if total > answer.checks.len() {
        let why = format!("there are {total} checks and the answer holds {}: choose some by `tags`", answer.checks.len());
        poll::partial(&mut signals, Some(&why), inbound.received_at);
    }
    Ok(signals)
}

fn state(word: &str) -> Option<Health> {
    match word {
        "up" => Some(HEALTHY),
        "paused" => Some(NO_FAULT),
        "unknown" => Some(UNSURE),
        "unconfirmed_down" => Some(trouble(Severity::Warning)),
        "down" => Some(trouble(Severity::Critical)),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Answer {
    checks: Vec<Check>,
    #[serde(default)]
    counts: Counts,
}

#[derive(Default, Deserialize)]
struct Counts {
    #[serde(default)]
    total: usize,
    filtered: Option<usize>,
}

#[derive(Deserialize)]
struct Check {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default)]
    name: String,
    status: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    hostname: String,
    #[serde(default, rename = "type")]
    kind: String,
    /// In milliseconds.
    lastresponsetime: Option<f64>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}
