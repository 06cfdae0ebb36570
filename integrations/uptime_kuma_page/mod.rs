//! A public status page of Uptime Kuma: the newest heartbeat of each of its monitors.
//!
//! The page knows the monitors by number only; their names stand in another document, so the settings may give them.

use std::collections::BTreeMap;

use domain::{Severity, Signal, Span, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError, form,
    poll::{self, Poll, Request},
    provider::Polled,
    reading, set,
    thing::{self, HEALTHY, Health, NO_FAULT, UNSURE, Word, trouble},
    time,
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "uptime_kuma_page",
    name: "Uptime Kuma status page",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings: |settings| poll::check::<Own>(AT_LEAST, settings).and_then(|own| own.url()).map(|_| ()),
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

/// The page is cached for a minute.
const AT_LEAST: Span = Span::secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Its address, such as `https://kuma.example.com`.
    url: String,
    /// The last part of the page's address: `main` of `/status/main`.
    page: String,
    /// The monitors' names by number.
    #[serde(default)]
    names: BTreeMap<String, String>,
}

impl Own {
    fn url(&self) -> Result<String, SettingsError> {
        if self.page.is_empty() || self.page.contains('/') {
            return Err(SettingsError::new("page", "must be the last part of the page's address, such as `main`"));
        }
        poll::join("url", &self.url, &format!("/api/status-page/heartbeat/{}", form::escape(&self.page)))
    }
}

fn request(settings: &Settings, _: &[SecretString]) -> Result<Request, SettingsError> {
    Ok(Request::get(poll::settings::<Own>(settings.json())?.url()?))
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let own: Own = poll::settings(settings.json())?;
    let page: Page = reading::object(inbound.document()?)?;
    // So is a page that does not exist.
    thing::any("heartbeatList", &page.heartbeat_list.keys().collect::<Vec<_>>())?;
    page.heartbeat_list.into_iter().map(|(id, beats)| signal(&id, beats, &own, inbound)).collect()
}

fn signal(id: &str, beats: Vec<Value>, own: &Own, inbound: &Inbound<'_>) -> Result<Signal, ParseError> {
    let path = format!("heartbeatList.{id}");
    let mut newest: Option<(usize, Option<Timestamp>, Heartbeat)> = None;
    for (index, beat) in beats.into_iter().enumerate() {
        // Bars for days are made of sums: down for as long as a sum holds one failure, and 0 where there was nothing at all.
        let days = "has no heartbeats but sums of days: let the page show them with the range `Auto`";
        if beat.is_number() {
            return Err(ParseError::field(path, days));
        }
        let beat: Heartbeat = reading::nested(&format!("{path}[{index}]"), beat)?;
        if beat.time.contains('T') {
            return Err(ParseError::field(path, days));
        }
        // They come with the oldest first; the times say so whatever the order.
        let time = time::read(&beat.time).map_err(|problem| ParseError::field(format!("{path}[{index}].time"), problem))?;
        if newest.as_ref().is_none_or(|(_, known, _)| time >= *known) {
            newest = Some((index, time, beat));
        }
    }
    let name = own.names.get(id).map_or_else(|| format!("monitor {id}"), Clone::clone);
    let word = match &newest {
        None => Word { path, text: "no heartbeat", means: Some(UNSURE) },
        Some((index, _, beat)) => {
            let (text, means) = state(&beat.status);
            Word { path: format!("{path}[{index}].status"), text, means }
        }
    };
    let mut signal = thing::signal("monitor", id, &name, &word, inbound.received_at);
    set::labels(&mut signal, [("monitor_id", id), ("page", &own.page)]);
    if let Some((_, _, beat)) = &newest {
        signal.value = beat.ping;
        if !beat.msg.is_empty() {
            signal.summary = format!("{name}: {}", beat.msg);
        }
    }
    Ok(signal)
}

fn state(number: &str) -> (&str, Option<Health>) {
    match number {
        "0" => ("down", Some(trouble(Severity::Critical))),
        "1" => ("up", Some(HEALTHY)),
        // It failed, and is tried again before anybody is told.
        "2" => ("pending", Some(NO_FAULT)),
        "3" => ("maintenance", Some(NO_FAULT)),
        other => (other, None),
    }
}

// The fields we read, and only those.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    heartbeat_list: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
struct Heartbeat {
    #[serde(deserialize_with = "reading::scalar")]
    status: String,
    #[serde(default)]
    time: String,
    #[serde(default, deserialize_with = "reading::null_as_empty")]
    msg: String,
    ping: Option<f64>,
}
