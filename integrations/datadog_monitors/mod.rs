//! Datadog: the state of its monitors.
//!
//! <https://docs.datadoghq.com/api/latest/monitors/#get-all-monitors>

use domain::{Severity, Signal, Span};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::{
    Inbound, MAX_LABELS, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Extent, Pages, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider {
    check_secret: |secret, _| keys(secret.expose_secret()).map(|_| ()),
    ..Provider::polled(Polled {
        slug: "datadog_monitors",
        name: "Datadog monitors",
        setup: include_str!("setup.md"),
        logo: include_str!("logo.svg"),
        check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
        poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: Some(PAGES) },
        parse,
    })
};

const AT_LEAST: Span = Span::secs(30);
/// The most monitors that one page holds.
const PAGE: usize = 1000;
const PAGES: Pages = Pages { turn: |page| ("page", page), lists: &[], total: None, more: |_, read| Ok(more(read)) };
/// Leaves room for the labels of our own.
const MAX_TAGS: usize = MAX_LABELS - 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// As in the address of one's own Datadog, without `app.`: `datadoghq.eu`, `us5.datadoghq.com`.
    #[serde(default = "us1")]
    site: String,
    /// Only monitors with all of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

fn us1() -> String {
    "datadoghq.com".to_owned()
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        if self.site.is_empty() || !self.site.bytes().all(fits) {
            return Err(SettingsError::new("site", "must be like `datadoghq.eu`"));
        }
        let tags = if self.tags.is_empty() { String::new() } else { format!("&monitor_tags={}", form::escape(&self.tags.join(","))) };
        Ok(format!("https://api.{}/api/v1/monitor?page=0&page_size={PAGE}{tags}", self.site))
    }
}

const KEYS: &str = "the API key and the application key, like `<API key>:<application key>`";

/// Datadog wants two keys at once: the secret is both of them.
fn keys(both: &str) -> Result<(&str, &str), SettingsError> {
    let fits = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let keys = both.split_once(':').filter(|(api, application)| fits(api) && fits(application));
    keys.ok_or_else(|| SettingsError::new("secrets", format!("must hold {KEYS}")))
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let (api, application) = keys(poll::secret(secrets, KEYS)?)?;
    let request = Request::get(poll::settings::<Own>(settings.json())?.url()?);
    Ok(request.header("dd-api-key", api).header("dd-application-key", application))
}

/// Nothing says whether there is more but that the last page is full.
fn more(read: Extent) -> bool {
    read.n_things >= read.n_pages * PAGE
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let monitors: Vec<Monitor> = reading::body(inbound.document()?)?;
    thing::any("monitors", &monitors)?;
    let mut signals: Vec<Signal> = monitors.iter().enumerate().map(|(index, monitor)| signal(index, monitor, inbound)).collect();
    if more(Extent { n_things: monitors.len(), n_pages: poll::n_pages(inbound) }) {
        poll::cut(&mut signals, monitors.len(), "monitors", "choose some by `tags`", inbound.received_at);
    }
    Ok(signals)
}

fn signal(index: usize, monitor: &Monitor, inbound: &Inbound<'_>) -> Signal {
    let state = &monitor.overall_state;
    let means = health(state, &monitor.priority);
    let word = Word { path: format!("[{index}].overall_state"), text: state, means };
    let mut signal = thing::signal("monitor", &monitor.id, &monitor.name, &word, inbound.received_at);
    for tag in monitor.tags.iter().take(MAX_TAGS) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        set::tag(&mut signal, name, value);
    }
    if monitor.tags.len() > MAX_TAGS {
        signal.warnings.push(format!("there are {} tags, only the first {MAX_TAGS} are kept", monitor.tags.len()));
    }
    set::labels(&mut signal, [("monitor_id", &*monitor.id), ("type", &monitor.kind), ("priority", &monitor.priority)]);
    signal
}

/// An alert is as loud as its monitor's priority says.
fn health(state: &str, priority: &str) -> Option<Health> {
    match state {
        "OK" => Some(HEALTHY),
        "Warn" => Some(trouble(Severity::Warning)),
        "Alert" => Some(trouble(Severity::from_word(&format!("p{priority}")).unwrap_or(Severity::Error))),
        "No Data" | "Ignored" | "Skipped" | "Unknown" => Some(UNSURE),
        _ => None,
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Monitor {
    #[serde(deserialize_with = "reading::id")]
    id: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    name: String,
    overall_state: String,
    #[serde(default, rename = "type")]
    kind: String,
    /// From 1 to 5, or none.
    #[serde(default, deserialize_with = "reading::scalar")]
    priority: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    tags: Vec<String>,
}
