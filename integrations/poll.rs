//! Asking instead of being told: what a polled provider asks for, and what its answers say.
//!
//! An answer becomes a delivery like any webhook and is read by the provider's own `parse`. Three things are the same for all of them and
//! stand here:
//!
//! - **An answer is complete**: what it no longer names is over. All its signals are one group, ended by a signal that resolves every thing of
//!   the group that this answer did not name.
//! - **Answers are ordered by our clock.** The source's times order its own events and say nothing about when we looked.
//! - **A source that cannot be read is unknown, not healthy.** Whoever asks stores that fact as a delivery of its own, made by [`unreadable`].

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{IntegrationId, NewDelivery, Signal, SignalState, Span, Timestamp};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Settings, SettingsError, accept, form, limits, reading};

/// The longest answer read, in bytes. The largest public status feeds have a few hundred kilobytes.
pub const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How seldom a source may be asked.
pub const MAX_INTERVAL: Span = Span::mins(24 * 60);
/// The setting that every polled provider has: how often to ask.
pub(crate) const EVERY: &str = "every";

/// The header of a delivery that says that nothing could be read, with the reason as its value.
const UNREADABLE: &str = "fanal-unreadable";
/// The header of an answer's status code.
const STATUS: &str = "fanal-status";
/// The group of all signals of an answer.
const GROUP: &str = "poll";

/// How a provider is asked.
pub struct Poll {
    /// How often, if the settings do not say.
    pub every: Span,
    /// How often at most.
    pub at_least: Span,
    /// What to ask for.
    pub request: fn(&Settings, &[SecretString]) -> Result<Request, SettingsError>,
}

/// One request, to be sent through the guard on outgoing requests.
#[derive(Debug)]
pub struct Request {
    /// The whole URL. It may hold a key: never logged.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(&'static str, SecretString)>,
    /// Sent by POST, if there is one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// `GET url`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: vec![("accept", SecretString::from("application/json"))], body: None }
    }

    /// With these fields as a form, by POST.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = Some(form::write(fields).into_bytes());
        self.header("content-type", "application/x-www-form-urlencoded".to_owned())
    }

    /// With `user:password` as Basic credentials, or anything else as a Bearer token.
    #[must_use]
    pub fn credentials(self, secret: &str) -> Self {
        let value = if secret.contains(':') { format!("Basic {}", BASE64_STANDARD.encode(secret)) } else { format!("Bearer {secret}") };
        self.header("authorization", value)
    }

    /// With a further header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<SecretString>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    /// The raw bytes.
    pub body: &'a [u8],
    /// When it was complete, on our clock.
    pub at: Timestamp,
}

/// How often this integration is asked.
#[must_use]
pub fn interval(poll: &Poll, settings: &Settings) -> Span {
    let given = settings.json().get(EVERY).and_then(Value::as_str).and_then(|text| text.parse().ok());
    given.unwrap_or(poll.every).clamp(poll.at_least, MAX_INTERVAL)
}

/// Reads a polled provider's own settings, without those that all have.
pub(crate) fn settings<T: DeserializeOwned>(settings: &Value) -> Result<T, SettingsError> {
    let mut own = settings.clone();
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

/// Joins the address of a source, as people paste it, with a path of ours.
pub(crate) fn join(path: &str, base: &str, rest: &str) -> Result<String, SettingsError> {
    let fits = base.starts_with("https://") || base.starts_with("http://");
    if !fits || base.contains(['?', '#']) || base.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(SettingsError::new(path, "must be an address such as https://status.example.com"));
    }
    Ok(format!("{}{rest}", base.trim_end_matches('/')))
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
    let mut end = Signal::new("fanal:answered", SignalState::Resolved, provider.name, inbound.received_at);
    end.group = Some(GROUP.to_owned());
    end.whole_group = true;
    signals.push(end);
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
        let (delivery, read) = answered(provider, IntegrationId(1), &settings, Answer { status: 200, headers: &headers, body, at: AT });
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
            let answer = Answer { status, headers: &[], body: body.as_bytes(), at: AT };
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
    fn a_source_is_asked_as_often_as_the_settings_say_within_limits() {
        let (provider, _) = statuspage();
        let check = |every: &str| (provider.check_settings)(&json!({"url": "https://status.example.com", "every": every}));
        assert_eq!([check("30s"), check("1d")], [Ok(()), Ok(())]);
        for wrong in ["29s", "25h"] {
            assert_eq!(check(wrong).unwrap_err().to_string(), "`every`: must be between 30s and 1d");
        }
        let poll = provider.poll.as_ref().unwrap();
        assert_eq!(interval(poll, &Settings::new(json!({"every": "90s"}))), Span::secs(90));
        assert_eq!(interval(poll, &Settings::new(json!({}))), poll.every);
    }

    #[test]
    fn addresses_are_taken_as_people_paste_them() {
        assert_eq!(join("url", "https://a.example/", "/x"), Ok("https://a.example/x".to_owned()));
        for wrong in ["a.example", "ftp://a.example", "https://a.example/?q", "https://a.example/ b"] {
            assert!(join("url", wrong, "/x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_a_bearer_token_or_a_user_with_a_password() {
        use secrecy::ExposeSecret;
        let sent = |secret: &str| Request::get("https://a.example").credentials(secret).headers.pop().unwrap().1.expose_secret().to_owned();
        assert_eq!(sent("token"), "Bearer token");
        assert_eq!(sent("user:word"), "Basic dXNlcjp3b3Jk");
    }
}
