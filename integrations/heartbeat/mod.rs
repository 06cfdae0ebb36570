//! Heartbeats: whoever runs now and then says so at `/ping/{key}`, and is missed when it does not.
//!
//! Two kinds of deliveries belong to it: pings, and what Fanal itself stores when a ping is overdue.

mod deadline;

use domain::{IntegrationId, NewDelivery, Severity, Signal, SignalState, Span, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError, reading};
pub use deadline::{Deadline, Overdue, Times};

/// The provider's slug.
pub const SLUG: &str = "heartbeat";
/// The most bytes of a ping's body that are kept.
pub const MAX_BODY_BYTES: usize = 10_000;
/// What the ids of deliveries begin with that say that a ping is overdue.
pub const OVERDUE_PREFIX: &str = "overdue:";

pub(crate) static PROVIDER: Provider = Provider {
    slug: SLUG,
    name: "Heartbeat",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/fail.http")),
    logo: include_str!("logo.svg"),
    content_types: &[],
    check_settings: |settings| times(settings).map(|_| ()),
    check_secret,
    verify: |_, _| Err(VerifyError::Malformed("heartbeats are sent to /ping/{key}".to_owned())),
    delivery_id: |_, _| None,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

/// What a ping says.
const PING: &str = "fanal-ping";
/// When the run began that a ping ends, in milliseconds since 1970.
const STARTED: &str = "fanal-started";
/// What is overdue, and since when.
const OVERDUE: &str = "fanal-overdue";
const DUE: &str = "fanal-due";

/// One job is one integration.
const FINGERPRINT: &str = "heartbeat";
const MIN_PERIOD: Span = Span::secs(10);
const MAX_PERIOD: Span = Span::mins(400 * 24 * 60);
const MIN_KEY_BYTES: usize = 16;
const MAX_KEY_BYTES: usize = 128;

/// What somebody says who is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// A run has ended well.
    Success,
    /// A run begins.
    Start,
    /// A run has failed.
    Fail,
    /// A run has ended with this exit status.
    Exit(u8),
}

impl Ping {
    /// Reads the part of the address after the key.
    #[must_use]
    pub fn from_path(path: Option<&str>) -> Option<Self> {
        match path {
            None => Some(Self::Success),
            Some("start") => Some(Self::Start),
            Some("fail") => Some(Self::Fail),
            Some(status) if status.bytes().all(|b| b.is_ascii_digit()) => status.parse().ok().map(Self::Exit),
            Some(_) => None,
        }
    }

    fn to_header(self) -> String {
        match self {
            Self::Success => "success".to_owned(),
            Self::Start => "start".to_owned(),
            Self::Fail => "fail".to_owned(),
            Self::Exit(status) => status.to_string(),
        }
    }

    fn from_header(text: &str) -> Option<Self> {
        if text == "success" { Some(Self::Success) } else { Self::from_path(Some(text)) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// How often a ping is expected.
    period: Span,
    /// How much later it may come.
    grace: Span,
    /// How long a run may take that has said that it begins; `grace`, if not given.
    max_runtime: Option<Span>,
}

/// When pings are expected.
///
/// # Errors
/// The settings do not say so.
pub fn times(settings: &Value) -> Result<Times, SettingsError> {
    let Own { period, grace, max_runtime } = reading::settings("", settings)?;
    let max_runtime = max_runtime.unwrap_or(grace);
    for (path, span, least) in
        [("period", period, MIN_PERIOD), ("grace", grace, Span::secs(1)), ("max_runtime", max_runtime, Span::secs(1))]
    {
        if span < least || span > MAX_PERIOD {
            return Err(SettingsError::new(path, format!("must be between {least} and {MAX_PERIOD}")));
        }
    }
    Ok(Times { period, grace, max_runtime })
}

/// The key is part of an address, and all the proof there is.
fn check_secret(secret: &SecretString, _: &Settings) -> Result<(), SettingsError> {
    let key = secret.expose_secret();
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(fits) {
        return Ok(());
    }
    Err(SettingsError::new("secret", "must have 16 to 128 letters, digits, `-` and `_`: it is a part of the address"))
}

/// A ping worth storing; `started` is when the run began that it ends, if somebody said so.
#[must_use]
pub fn pinged(integration: IntegrationId, ping: Ping, started: Option<Timestamp>, body: &[u8], at: Timestamp) -> NewDelivery {
    let mut headers = vec![(PING.to_owned(), ping.to_header())];
    headers.extend(started.map(|started| (STARTED.to_owned(), started.0.to_string())));
    let body = body[..body.len().min(MAX_BODY_BYTES)].to_vec();
    NewDelivery { integration, external_id: uuid::Uuid::new_v4().to_string(), headers, body, received_at: at }
}

/// Says that a deadline has passed; of the same deadline this can be stored only once.
#[must_use]
pub fn overdue(integration: IntegrationId, deadline: Deadline, at: Timestamp) -> NewDelivery {
    let headers = vec![(OVERDUE.to_owned(), deadline.kind.as_str().to_owned()), (DUE.to_owned(), deadline.at.0.to_string())];
    NewDelivery { integration, external_id: format!("{OVERDUE_PREFIX}{}", deadline.at.0), headers, body: Vec::new(), received_at: at }
}

/// What a stored ping said.
#[must_use]
pub fn ping_of(headers: &[(String, String)]) -> Option<Ping> {
    headers.iter().find(|(name, _)| name == PING).and_then(|(_, value)| Ping::from_header(value))
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let times = times(settings.json())?;
    if let Some(kind) = inbound.header(OVERDUE) {
        return Ok(vec![missed(kind, &times, inbound)?]);
    }
    let given = inbound.header(PING).ok_or_else(|| ParseError::missing(PING))?;
    let ping = Ping::from_header(given).ok_or_else(|| ParseError::unknown(PING, given, "success, start, fail, 0 to 255"))?;
    let (state, reason, summary) = match ping {
        // Says nothing about health yet.
        Ping::Start => return Ok(Vec::new()),
        Ping::Success => (SignalState::Resolved, "ok", "it has run".to_owned()),
        Ping::Exit(0) => (SignalState::Resolved, "ok", "it has run and exited with 0".to_owned()),
        Ping::Fail => (SignalState::Firing, "failed", "it says that it has failed".to_owned()),
        Ping::Exit(status) => (SignalState::Firing, "failed", format!("it has exited with {status}")),
    };
    let mut signal = Signal::new(FINGERPRINT, state, "Heartbeat", inbound.received_at);
    signal.severity = if state == SignalState::Firing { Severity::Critical } else { Severity::Info };
    signal.summary = summary;
    signal.labels.insert("reason".to_owned(), reason.to_owned());
    if let Ping::Exit(status) = ping {
        signal.labels.insert("exit_status".to_owned(), status.to_string());
    }
    let output = String::from_utf8_lossy(inbound.body);
    if !output.trim().is_empty() {
        signal.annotations.insert("output".to_owned(), output.into_owned());
    }
    signal.value = duration(inbound)?;
    Ok(vec![signal])
}

/// How long the run took, in milliseconds, if its beginning is known.
fn duration(inbound: &Inbound<'_>) -> Result<Option<f64>, ParseError> {
    let Some(text) = inbound.header(STARTED) else { return Ok(None) };
    let started = text.parse().map_err(|_| ParseError::field(STARTED, "is not a time in milliseconds"))?;
    let took = inbound.received_at.0.checked_sub(started).filter(|took| *took >= 0);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 ms")]
    Ok(took.map(|took| took as f64))
}

fn missed(kind: &str, times: &Times, inbound: &Inbound<'_>) -> Result<Signal, ParseError> {
    let kind = Overdue::from_name(kind).ok_or_else(|| ParseError::unknown(OVERDUE, kind, "missed, unfinished"))?;
    let due = inbound.header(DUE).and_then(|text| text.parse().ok()).ok_or_else(|| ParseError::missing(DUE))?;
    // As of the moment it was due: a ping that comes while this is being written is later.
    let mut signal = Signal::new(FINGERPRINT, SignalState::Firing, "Heartbeat", Timestamp(due).min(inbound.received_at));
    signal.severity = Severity::Critical;
    signal.summary = match kind {
        Overdue::Missed => format!("no ping for {} and {} of grace", times.period, times.grace),
        Overdue::Unfinished => format!("a run has begun and not ended within {}", times.max_runtime),
    };
    signal.labels.insert("reason".to_owned(), kind.as_str().to_owned());
    Ok(signal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_say_what_has_happened() {
        for (path, ping) in [
            (None, Some(Ping::Success)),
            (Some("start"), Some(Ping::Start)),
            (Some("fail"), Some(Ping::Fail)),
            (Some("0"), Some(Ping::Exit(0))),
            (Some("255"), Some(Ping::Exit(255))),
            (Some("256"), None),
            (Some("-1"), None),
            (Some(""), None),
            (Some("log"), None),
        ] {
            assert_eq!(Ping::from_path(path), ping, "{path:?}");
        }
        for ping in [Ping::Success, Ping::Start, Ping::Fail, Ping::Exit(7)] {
            let delivery = pinged(IntegrationId(1), ping, None, &[b'x'; 20_000], Timestamp(0));
            assert_eq!((ping_of(&delivery.headers), delivery.body.len()), (Some(ping), MAX_BODY_BYTES));
        }
    }

    #[test]
    fn settings_and_keys_that_could_not_work_are_refused() {
        let problem = |settings: Value| times(&settings).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(problem(json!({"period": "1d", "grace": "1h"})), Ok(()));
        for (settings, part) in [
            (json!({"period": "1s", "grace": "1m"}), "`period`: must be between"),
            (json!({"period": "1d"}), "missing field `grace`"),
            (json!({"period": "1d", "grace": "1h", "max_runtime": "0"}), "`max_runtime`: must be"),
            (json!({"period": "1d", "grace": "1h", "cron": "* * * * *"}), "unknown field"),
        ] {
            assert!(problem(settings).unwrap_err().contains(part), "{part}");
        }
        let key = |key: &str| check_secret(&SecretString::from(key), &Settings::default()).is_ok();
        assert_eq!(["nightly-backup-7f3c", "short", "sixteen chars / no", ""].map(key), [true, false, false, false]);
    }
}
