//! Asking instead of being told: what a polled provider asks for, and what its answers say.
//!
//! An answer becomes a delivery like any webhook and is read by the provider's own `parse`. Three things are the same for all of them and
//! stand here:
//!
//! - **An answer is complete**: what it no longer names is over. All its signals are one group, ended by a signal that resolves every thing of
//!   the group that this answer did not name. A history or a list that was cut is not complete: its provider says so with `partial`.
//! - **Answers are ordered by our clock.** The source's times order its own events and say nothing about when we looked.
//! - **A source that cannot be read is unknown, not healthy.** Whoever asks stores that fact as a delivery of its own, made by [`unreadable`].

use domain::{IntegrationId, NewDelivery, Signal, SignalState, Span, Timestamp, UNREADABLE_FINGERPRINT};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::pages::{Extent, Joined, MAX_PAGES, MAX_THINGS, Pages};
pub use crate::request::Request;
pub(crate) use crate::request::{is_address, join, secret};
use crate::{Inbound, ParseError, Provider, Settings, SettingsError, accept, check::Check, limits, reading};

/// The longest answer read, in bytes, all its pages together. The largest public status feeds have a few hundred kilobytes.
pub const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How seldom a source may be asked.
pub const MAX_INTERVAL: Span = Span::mins(24 * 60);
/// The setting that every polled provider has: how often to ask.
pub(crate) const EVERY: &str = "every";

/// The header of a delivery that says that nothing could be read, with the reason as its value.
const UNREADABLE: &str = "fanal-unreadable";
/// The header of an answer's status code.
const STATUS: &str = "fanal-status";
/// The header of an answer that came in several pages: how many.
const PAGES: &str = "fanal-pages";
/// The group of all signals of an answer.
const GROUP: &str = "poll";

/// How Fanal finds out by itself.
pub enum Ask {
    /// A source that knows, and can be read or not.
    Source(Poll),
    /// A check of our own: that nothing comes back is what it finds out.
    Check(Check),
}

impl Ask {
    /// How often this integration is asked.
    #[must_use]
    pub fn interval(&self, settings: &Settings) -> Span {
        let (every, at_least) = match self {
            Self::Source(poll) => (poll.every, poll.at_least),
            Self::Check(check) => (check.every, check.at_least),
        };
        let given = settings.json().get(EVERY).and_then(Value::as_str).and_then(|text| text.parse().ok());
        given.unwrap_or(every).clamp(at_least, MAX_INTERVAL)
    }
}

/// How a provider is asked.
pub struct Poll {
    /// How often, if the settings do not say.
    pub every: Span,
    /// How often at most.
    pub at_least: Span,
    /// What to ask for.
    pub request: fn(&Settings, &[SecretString]) -> Result<Request, SettingsError>,
    /// How its answers are read on, if they come in pages.
    pub pages: Option<Pages>,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    /// The raw bytes; of several pages, what [`Joined`] made of them.
    pub body: &'a [u8],
    /// How many pages it came in.
    pub n_pages: usize,
    /// When it was complete, on our clock.
    pub at: Timestamp,
}

/// Reads a polled provider's own settings, without those that all have.
pub(crate) fn settings<T: DeserializeOwned>(settings: &Value) -> Result<T, SettingsError> {
    let mut own = if settings.is_null() { Value::Object(serde_json::Map::new()) } else { settings.clone() };
    if let Some(map) = own.as_object_mut() {
        map.remove(EVERY);
    }
    reading::settings("", &own)
}

/// Refuses settings that could not work: `T` are the provider's own.
pub(crate) fn check<T: DeserializeOwned>(at_least: Span, given: &Value) -> Result<T, SettingsError> {
    let own = settings(given)?;
    if let Some(every) = given.get(EVERY).filter(|every| !every.is_null()) {
        let every: Span = reading::settings(EVERY, every)?;
        if every < at_least || every > MAX_INTERVAL {
            return Err(SettingsError::new(EVERY, format!("must be between {at_least} and {MAX_INTERVAL}")));
        }
    }
    Ok(own)
}

/// Says of an answer that it does not name everything there is: what it leaves out is not over. `why` becomes a warning on all its signals,
/// unless leaving out is what such an answer always does, as a history that only goes so far back.
pub(crate) fn partial(signals: &mut Vec<Signal>, why: Option<&str>, at: Timestamp) {
    for signal in signals.iter_mut() {
        signal.warnings.extend(why.map(str::to_owned));
    }
    signals.push(end(UNREADABLE_FINGERPRINT, "The source can be read", at));
}

/// As [`partial`], of a list that goes on after `n` things, as far as answers are read. `kind` says of what, `remedy` how to ask for fewer.
pub(crate) fn cut(signals: &mut Vec<Signal>, n: usize, kind: &str, remedy: &str, at: Timestamp) {
    let why = format!("there are more {kind} than the {n} that were read, and those left out are not seen: {remedy}");
    partial(signals, Some(&why), at);
}

/// How many pages an answer came in.
pub(crate) fn n_pages(inbound: &Inbound<'_>) -> usize {
    inbound.header(PAGES).and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn end(fingerprint: &str, subject: &str, at: Timestamp) -> Signal {
    let mut end = Signal::new(fingerprint, SignalState::Resolved, subject, at);
    end.group = Some(GROUP.to_owned());
    end
}

/// Turns an answer into something worth storing, and says whether it can be read: what cannot is stored all the same, so that somebody
/// can look at it, and counts as no answer; the text says why.
pub fn answered(
    provider: &Provider,
    integration: IntegrationId,
    settings: &Settings,
    answer: Answer<'_>,
) -> (NewDelivery, Result<(), String>) {
    let mut headers = accept::answer_headers(answer.headers);
    headers.push((STATUS.to_owned(), answer.status.to_string()));
    if answer.n_pages > 1 {
        headers.push((PAGES.to_owned(), answer.n_pages.to_string()));
    }
    let inbound = Inbound { headers: &headers, path_token: None, body: answer.body, received_at: answer.at };
    let read = crate::parse(provider.slug, &inbound, settings).map(|_| ()).map_err(|error| error.to_string());
    let delivery = NewDelivery {
        integration,
        external_id: uuid::Uuid::new_v4().to_string(),
        headers: headers.clone(),
        body: answer.body.to_vec(),
        received_at: answer.at,
    };
    (delivery, read)
}

/// The delivery that says that a source cannot be read.
#[must_use]
pub fn unreadable(integration: IntegrationId, reason: &str, at: Timestamp) -> NewDelivery {
    NewDelivery {
        integration,
        external_id: uuid::Uuid::new_v4().to_string(),
        headers: vec![(UNREADABLE.to_owned(), crate::error::quoted(reason))],
        body: Vec::new(),
        received_at: at,
    }
}

/// What a stored answer says.
pub(crate) fn read(provider: &Provider, inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    if let Some(reason) = inbound.header(UNREADABLE) {
        let mut signal = Signal::unreadable(reason, inbound.received_at);
        signal.group = Some(GROUP.to_owned());
        return Ok(vec![signal]);
    }
    if let Some(status) = inbound.header(STATUS).filter(|status| !status.starts_with('2')) {
        return Err(ParseError::field("status", format!("the source answered {status}")));
    }
    let mut signals = (provider.parse)(inbound, settings)?;
    for signal in &mut signals {
        signal.group = Some(GROUP.to_owned());
        if signal.state != SignalState::Sample {
            signal.occurred_at = inbound.received_at;
        }
    }
    if !signals.iter().any(Signal::is_unreadable) {
        let mut end = end("fanal:answered", provider.name, inbound.received_at);
        end.whole_group = true;
        signals.push(end);
    }
    limits::enforce(signals)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::find;

    const AT: Timestamp = Timestamp(1_772_366_400_000);

    fn statuspage() -> (&'static Provider, Settings) {
        (find("statuspage").unwrap(), Settings::new(json!({"url": "https://status.example.com"})))
    }

    fn signals(delivery: &NewDelivery) -> Vec<Signal> {
        let (provider, settings) = statuspage();
        let inbound = Inbound { headers: &delivery.headers, path_token: None, body: &delivery.body, received_at: delivery.received_at };
        crate::parse(provider.slug, &inbound, &settings).unwrap()
    }

    #[test]
    fn an_answer_ends_what_it_no_longer_names() {
        let (provider, settings) = statuspage();
        let body = br#"{"page":{"name":"Example"},"components":[{"id":"a","name":"A","status":"major_outage"}]}"#;
        let headers = [("content-type".to_owned(), "application/json".to_owned()), ("set-cookie".to_owned(), "id=1".to_owned())];
        let (delivery, read) =
            answered(provider, IntegrationId(1), &settings, Answer { status: 200, headers: &headers, body, n_pages: 1, at: AT });
        assert_eq!(read, Ok(()));
        assert!(delivery.headers.iter().all(|(name, _)| name != "set-cookie"), "{:?}", delivery.headers);
        let signals = signals(&delivery);
        assert_eq!(signals[0].state, SignalState::Firing);
        let last = signals.last().unwrap();
        assert_eq!((last.state, last.whole_group, last.group.as_deref()), (SignalState::Resolved, true, Some("poll")));
        assert!(signals.iter().all(|signal| signal.group == last.group && signal.occurred_at == AT));
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_stored_and_counts_as_none() {
        let (provider, settings) = statuspage();
        for (status, body, why) in
            [(200, "<html>", "not usable JSON"), (503, r#"{"page":{"name":"Example"},"components":[]}"#, "the source answered 503")]
        {
            let answer = Answer { status, headers: &[], body: body.as_bytes(), n_pages: 1, at: AT };
            let (delivery, read) = answered(provider, IntegrationId(1), &settings, answer);
            assert!(read.clone().unwrap_err().contains(why), "{read:?}");
            assert_eq!(delivery.body, body.as_bytes());
        }
    }

    #[test]
    fn a_source_that_cannot_be_read_says_so_in_a_signal_that_the_next_answer_ends() {
        let lost = signals(&unreadable(IntegrationId(1), "no answer in time", AT));
        assert_eq!(lost.len(), 1);
        assert!(lost[0].is_unreadable() && lost[0].state == SignalState::Firing && lost[0].summary == "no answer in time");
        assert_eq!(lost[0].group.as_deref(), Some("poll"));
    }

    #[test]
    fn a_partial_answer_ends_nothing_but_that_its_source_was_unreadable() {
        let mut signals = vec![Signal::new("a", SignalState::Firing, "A", AT)];
        partial(&mut signals, Some("there is more"), AT);
        assert_eq!(signals[0].warnings, ["there is more"]);
        let last = signals.last().unwrap();
        assert!(last.is_unreadable() && last.state == SignalState::Resolved && !last.whole_group);
    }

    #[test]
    fn a_source_is_asked_as_often_as_the_settings_say_within_limits() {
        let (provider, _) = statuspage();
        let check = |every: &str| (provider.check_settings)(&json!({"url": "https://status.example.com", "every": every}));
        assert_eq!([check("30s"), check("1d")], [Ok(()), Ok(())]);
        for wrong in ["29s", "25h"] {
            assert_eq!(check(wrong).unwrap_err().to_string(), "`every`: must be between 30s and 1d");
        }
        let ask = provider.poll.as_ref().unwrap();
        assert_eq!(ask.interval(&Settings::new(json!({"every": "90s"}))), Span::secs(90));
        assert_eq!(ask.interval(&Settings::new(json!({}))), Span::secs(60));
    }
}
