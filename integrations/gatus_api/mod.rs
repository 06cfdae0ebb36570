//! Gatus: the newest result of each of its endpoints.
//!
//! <https://github.com/TwiN/gatus#api>

use domain::{Severity, Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, UNSURE, Word, trouble},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "gatus_api",
    name: "Gatus API",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(30), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(10);
const NANOSECONDS_PER_MS: f64 = 1e6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Its address, such as `https://gatus.example.com`.
    url: String,
}

impl Own {
    /// A page is one of results: the endpoints are always all there.
    fn url(&self) -> Result<String, SettingsError> {
        poll::join("url", &self.url, "/api/v1/endpoints/statuses?page=1&pageSize=1")
    }
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?).authorized(secrets))
}

fn parse(inbound: &Inbound<'_>, _: &Settings) -> Result<Vec<Signal>, ParseError> {
    let endpoints: Vec<Endpoint> = reading::body(inbound.document()?)?;
    thing::any("endpoints", &endpoints)?;
    Ok(endpoints.iter().enumerate().map(|(index, endpoint)| signal(index, endpoint, inbound)).collect())
}

fn signal(index: usize, endpoint: &Endpoint, inbound: &Inbound<'_>) -> Signal {
    let newest = endpoint.results.last();
    let (text, means) = match newest.map(|result| result.success) {
        None => ("no results", UNSURE),
        Some(true) => ("up", HEALTHY),
        Some(false) => ("down", trouble(Severity::Critical)),
    };
    let word = Word { path: format!("[{index}].results"), text, means: Some(means) };
    let mut signal = thing::signal("endpoint", &endpoint.key, &endpoint.name, &word, inbound.received_at);
    set::labels(&mut signal, [("group", &*endpoint.group), ("key", &endpoint.key)]);
    if let Some(result) = newest {
        let failed = result.condition_results.iter().filter(|condition| !condition.success).map(|condition| &condition.condition);
        let why = result.errors.iter().chain(failed).map(String::as_str).collect::<Vec<_>>().join("; ");
        if !why.is_empty() && !result.success {
            signal.summary = format!("{}: {why}", endpoint.name);
        }
        signal.value = Some(result.duration / NANOSECONDS_PER_MS);
        set::labels(&mut signal, [("hostname", &*result.hostname)]);
    }
    signal
}

// The fields we read, and only those.

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    #[serde(default)]
    group: String,
    #[serde(deserialize_with = "reading::id")]
    key: String,
    #[serde(deserialize_with = "reading::null_as_empty")]
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    success: bool,
    /// In nanoseconds.
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    hostname: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    errors: Vec<String>,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    condition_results: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    condition: String,
    success: bool,
}
