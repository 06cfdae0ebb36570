//! Own checks: what is tried, what came of it, and when that counts.
//!
//! For a check a failure is an answer like any other: refused connections, timeouts and wrong statuses are what is measured. Whoever tries
//! writes down what happened as a [`Measured`]; a provider judges it; and only when enough of the last rounds were bad does the check fire.
//! The verdicts of those rounds ride along as a header, so that what a stored round means never depends on anything but itself.

use std::collections::BTreeMap;

use domain::{IntegrationId, NewDelivery, Severity, Signal, SignalState, Span, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Inbound, ParseError, Provider, Settings, SettingsError, error::quoted, poll, reading};
pub use crate::{
    measured::{Certificate, DnsAnswer, DnsCode, Failure, FailureKind, Measured, Timings},
    probe::{DnsProbe, HttpProbe, IcmpProbe, IpVersion, Probe, RecordType, TcpProbe, TlsProbe, What},
};

/// The most rounds that one verdict may hang on.
pub const MAX_ROUNDS: usize = 10;
/// How seldom a check may be tried.
pub(crate) const AT_LEAST: Span = Span::secs(5);
/// How often, if the settings do not say.
pub(crate) const EVERY: Span = Span::secs(60);
/// How long one try may take: less than what a task may.
const TIMEOUTS: (Span, Span) = (Span(100), Span::secs(20));
/// The header of the verdicts, oldest first: a digit for each of the last rounds.
const VERDICTS: &str = "fanal-verdicts";
/// An integration is one check: under other settings it is still the same thing that breaks and heals.
const FINGERPRINT: &str = "check";
/// The settings that every check has; all others are the provider's.
const COMMON: [&str; 6] = ["failures", "of", "timeout", "warning", "critical", "ip"];

/// How a check is done.
pub struct Check {
    /// How often, if the settings do not say.
    pub every: Span,
    /// How often at most.
    pub at_least: Span,
    /// What to try.
    pub probe: fn(&Settings, &[SecretString]) -> Result<Probe, SettingsError>,
    /// What came of it means.
    pub(crate) judge: fn(&Measured, &Settings) -> Result<Verdict, ParseError>,
}

/// How bad one round was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Healthy,
    Warning,
    Critical,
}

/// What one round means by itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// What was tried, for people; holds no secret.
    pub(crate) subject: String,
    pub(crate) level: Level,
    /// A stable word for what was wrong, or `ok`.
    pub(crate) reason: String,
    /// A sentence about it.
    pub(crate) text: String,
    pub(crate) value: Option<f64>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Verdict {
    pub(crate) fn healthy(subject: impl Into<String>, text: impl Into<String>, value: Option<f64>) -> Self {
        let (subject, text, reason) = (subject.into(), text.into(), "ok".to_owned());
        Self { subject, level: Level::Healthy, reason, text, value, labels: BTreeMap::new() }
    }

    /// The same round, found to be bad.
    #[must_use]
    pub(crate) fn bad(mut self, level: Level, reason: &str, text: impl Into<String>) -> Self {
        (self.level, self.reason, self.text) = (level, reason.to_owned(), text.into());
        self
    }

    /// The same round, in which nothing came back.
    #[must_use]
    pub(crate) fn failed(self, failure: &Failure) -> Self {
        self.bad(Level::Critical, failure.kind.as_str(), failure.text.clone())
    }

    /// Not bad otherwise, and perhaps too slow.
    #[must_use]
    pub(crate) fn timed(self, common: &Common) -> Self {
        let Some(took) = self.value else { return self };
        let exceeds = |limit: Option<Span>| limit.filter(|limit| took > millis(*limit));
        let slow = |limit: Span| format!("took {took:.0} ms, more than {limit}");
        match (exceeds(common.critical), exceeds(common.warning)) {
            (Some(limit), _) => self.bad(Level::Critical, "slow", slow(limit)),
            (None, Some(limit)) => self.bad(Level::Warning, "slow", slow(limit)),
            (None, None) => self,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a span of some seconds")]
fn millis(span: Span) -> f64 {
    span.0 as f64
}

/// What the settings of every check say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Common {
    #[serde(default = "two")]
    failures: usize,
    #[serde(default = "three")]
    of: usize,
    #[serde(default = "ten_seconds")]
    pub(crate) timeout: Span,
    pub(crate) warning: Option<Span>,
    pub(crate) critical: Option<Span>,
    pub(crate) ip: Option<IpVersion>,
}

const fn two() -> usize {
    2
}

const fn three() -> usize {
    3
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

impl Common {
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: String| Err(SettingsError::new(path, problem));
        if self.of == 0 || self.of > MAX_ROUNDS {
            return refuse("of", format!("must be between 1 and {MAX_ROUNDS}"));
        }
        if self.failures == 0 || self.failures > self.of {
            return refuse("failures", format!("must be between 1 and {}, which is `of`", self.of));
        }
        if self.timeout < TIMEOUTS.0 || self.timeout > TIMEOUTS.1 {
            return refuse("timeout", format!("must be between {} and {}", TIMEOUTS.0, TIMEOUTS.1));
        }
        Ok(())
    }

    /// For a check whose `warning` and `critical` are times an answer may take.
    pub(crate) fn check_latencies(&self) -> Result<(), SettingsError> {
        for (path, limit) in [("warning", self.warning), ("critical", self.critical)] {
            if limit.is_some_and(|limit| limit <= Span::ZERO || limit > self.timeout) {
                return Err(SettingsError::new(path, format!("must be more than 0 and at most {}, which is `timeout`", self.timeout)));
            }
        }
        match (self.warning, self.critical) {
            (Some(warning), Some(critical)) if warning >= critical => Err(SettingsError::new("warning", "must be less than `critical`")),
            _ => Ok(()),
        }
    }
}

/// Reads settings: those that all checks have, and the provider's own.
pub(crate) fn settings<T: DeserializeOwned>(settings: &Value) -> Result<(Common, T), SettingsError> {
    let all: Map<String, Value> = poll::settings(settings)?;
    let (common, own): (Map<_, _>, Map<_, _>) = all.into_iter().partition(|(name, _)| COMMON.contains(&name.as_str()));
    let common: Common = reading::settings("", &Value::Object(common))?;
    common.check()?;
    Ok((common, reading::settings("", &Value::Object(own))?))
}

/// As [`settings`], before they are saved.
pub(crate) fn check_settings<T: DeserializeOwned>(given: &Value) -> Result<(Common, T), SettingsError> {
    poll::check::<Map<String, Value>>(AT_LEAST, given)?;
    settings(given)
}

/// One round, worth storing or not.
pub struct Judged {
    /// The round as a delivery.
    pub delivery: NewDelivery,
    /// The verdicts of the last rounds, this one included: to be handed in at the next.
    pub verdicts: String,
    /// What was wrong with this one, in a stable word, or `ok`.
    pub reason: String,
}

/// Judges a round. `before` are the verdicts that the round before left, or nothing.
///
/// # Errors
/// The settings do not work any more.
pub fn judged(
    check: &Check,
    integration: IntegrationId,
    settings: &Settings,
    measured: &Measured,
    before: &str,
    at: Timestamp,
) -> Result<Judged, ParseError> {
    let of = common(settings)?.of;
    let verdict = (check.judge)(measured, settings)?;
    let digits: Vec<char> = before.chars().filter(|c| ('0'..='2').contains(c)).chain([digit(verdict.level)]).collect();
    let verdicts: String = digits[digits.len().saturating_sub(of)..].iter().collect();
    let headers = vec![("content-type".to_owned(), "application/json".to_owned()), (VERDICTS.to_owned(), verdicts.clone())];
    let body = serde_json::to_vec(measured).unwrap_or_default();
    let external_id = uuid::Uuid::new_v4().to_string();
    let delivery = NewDelivery { integration, external_id, headers, body, received_at: at };
    Ok(Judged { delivery, verdicts, reason: verdict.reason })
}

fn common(settings: &Settings) -> Result<Common, SettingsError> {
    self::settings::<Map<String, Value>>(settings.json()).map(|(common, _)| common)
}

const fn digit(level: Level) -> char {
    match level {
        Level::Healthy => '0',
        Level::Warning => '1',
        Level::Critical => '2',
    }
}

/// What the last rounds together mean; `None` as long as they are too few to tell.
fn level_of(verdicts: &str, common: &Common) -> Option<Level> {
    let n = |bad: &dyn Fn(char) -> bool| verdicts.chars().filter(|c| bad(*c)).count();
    let healthy = n(&|c| c == '0');
    match () {
        () if n(&|c| c == '2') >= common.failures => Some(Level::Critical),
        () if verdicts.len() - healthy >= common.failures => Some(Level::Warning),
        // Even if the rounds that are not known were all bad, they would not suffice.
        () if healthy > common.of - common.failures => Some(Level::Healthy),
        () => None,
    }
}

/// What a stored round says.
pub(crate) fn signals(provider: &Provider, inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let Some(poll::Ask::Check(check)) = &provider.poll else { return Ok(Vec::new()) };
    let common = common(settings)?;
    let measured: Measured = inbound.json()?;
    let verdict = (check.judge)(&measured, settings)?;
    let verdicts = inbound.header(VERDICTS).ok_or_else(|| ParseError::missing(VERDICTS))?;
    if verdicts.is_empty() || verdicts.len() > MAX_ROUNDS || !verdicts.chars().all(|c| ('0'..='2').contains(&c)) {
        return Err(ParseError::field(VERDICTS, format!("`{}` are no verdicts", quoted(verdicts))));
    }
    let n_bad = verdicts.chars().filter(|c| *c != '0').count();
    let level = level_of(verdicts, &common);
    let (state, severity) = match level {
        None => (SignalState::Sample, Severity::Info),
        Some(Level::Healthy) => (SignalState::Resolved, Severity::Info),
        Some(Level::Warning) => (SignalState::Firing, Severity::Warning),
        Some(Level::Critical) => (SignalState::Firing, Severity::Critical),
    };
    let mut signal = Signal::new(FINGERPRINT, state, verdict.subject, inbound.received_at);
    signal.severity = severity;
    signal.summary = match verdict.level {
        Level::Healthy if state == SignalState::Firing => {
            format!("{}; but {n_bad} of the last {} rounds were bad", verdict.text, verdicts.len())
        }
        level if level != Level::Healthy && state != SignalState::Firing => {
            format!("{}; but only {n_bad} of the last {} rounds were bad", verdict.text, verdicts.len())
        }
        _ => verdict.text,
    };
    signal.labels = verdict.labels;
    signal.labels.insert("reason".to_owned(), verdict.reason);
    signal.value = verdict.value;
    let mut signals = vec![signal];
    // A round that settles nothing ends nothing but that nothing could be tried.
    poll::partial(&mut signals, None, inbound.received_at);
    Ok(signals)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn common(settings: Value) -> Result<Common, SettingsError> {
        super::settings::<Map<String, Value>>(&settings).map(|(common, _)| common)
    }

    #[test]
    fn so_many_of_the_last_rounds_must_be_bad_and_so_many_good_again() {
        let two_of_three = common(json!({})).unwrap();
        for (verdicts, level) in [
            ("0", None),
            ("2", None),
            ("00", Some(Level::Healthy)),
            ("02", None),
            ("22", Some(Level::Critical)),
            ("202", Some(Level::Critical)),
            ("021", Some(Level::Warning)),
            ("011", Some(Level::Warning)),
            ("220", Some(Level::Critical)),
            ("200", Some(Level::Healthy)),
        ] {
            assert_eq!(level_of(verdicts, &two_of_three), level, "{verdicts}");
        }
        let at_once = common(json!({"failures": 1, "of": 1})).unwrap();
        assert_eq!([level_of("2", &at_once), level_of("0", &at_once)], [Some(Level::Critical), Some(Level::Healthy)]);
    }

    #[test]
    fn settings_that_could_not_work_are_refused() {
        let problem = |settings: Value| common(settings).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(problem(json!({"failures": 3, "of": 10, "timeout": "20s", "anything": "else"})), Ok(()));
        for (settings, part) in [
            (json!({"of": 11}), "`of`: must be between"),
            (json!({"failures": 0}), "`failures`: must be between"),
            (json!({"failures": 4}), "`failures`: must be between"),
            (json!({"timeout": "21s"}), "`timeout`: must be between"),
            (json!({"ip": "v5"}), "`ip`"),
        ] {
            assert!(problem(settings).unwrap_err().contains(part), "{part}");
        }
    }

    #[test]
    fn verdicts_are_handed_on_and_cut_to_what_counts() {
        let provider = crate::find("tcp").unwrap();
        let Some(poll::Ask::Check(check)) = &provider.poll else { panic!("tcp is a check") };
        let settings = Settings::new(json!({"host": "db.example.com", "port": 5432}));
        let failed = Measured { failure: Some(Failure::new(FailureKind::Timeout, "no answer in time")), ..Measured::default() };
        let judge = |before: &str| judged(check, IntegrationId(1), &settings, &failed, before, Timestamp(0)).unwrap();
        assert_eq!(["", "2", "00", "000", "nonsense"].map(|before| judge(before).verdicts), ["2", "22", "002", "002", "2"]);
        assert_eq!(judge("").reason, "timeout");
        let delivery = judge("02").delivery;
        let inbound = Inbound { headers: &delivery.headers, path_token: None, body: &delivery.body, received_at: Timestamp(0) };
        let signals = crate::parse("tcp", &inbound, &settings).unwrap();
        assert_eq!((signals[0].state, signals[0].severity), (SignalState::Firing, Severity::Critical));
        assert!(signals[1].is_unreadable() && signals[1].state == SignalState::Resolved && !signals[1].whole_group);
    }
}
