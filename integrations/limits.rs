//! What a signal may hold, whichever provider made it.
//!
//! Identity is never cut: a fingerprint that does not fit quarantines the delivery. Texts are cut, with a warning where a route may look
//! at them: an outage must not get lost over a long label.

use std::collections::BTreeMap;

use domain::{MAX_FINGERPRINT_BYTES, MAX_SIGNALS, Signal, Span, Timestamp};
use sha2::{Digest, Sha256};

use crate::{ParseError, error::quoted};

/// The most labels, and the most annotations, of one signal.
pub const MAX_LABELS: usize = 64;
/// The longest name or value of a label, in bytes.
pub const MAX_LABEL_BYTES: usize = 1 << 10;
/// The longest subject, summary or annotation, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 << 10;
/// The longest link, in bytes.
pub const MAX_URL_BYTES: usize = 2 << 10;
/// The most bytes of text in all signals of one delivery: a body-wide text that every item repeats must not fill the memory.
const MAX_SIGNALS_BYTES: usize = 16 << 20;
/// How far a sender's clock may be ahead of ours. A time from further ahead would keep every later event out.
const MAX_AHEAD: Span = Span::mins(5);

/// What is left for the texts of one delivery's signals, in bytes.
pub(crate) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_SIGNALS_BYTES)
    }
}

impl Room {
    /// # Errors
    /// `signal` does not fit in any more.
    pub(crate) fn take(&mut self, signal: &Signal) -> Result<(), ParseError> {
        let size = signal.summary.len() + signal.labels.values().map(String::len).sum::<usize>();
        let too_long =
            || ParseError::TooLong { path: "signals".to_owned(), bytes: MAX_SIGNALS_BYTES - self.0 + size, max: MAX_SIGNALS_BYTES };
        self.0 = self.0.checked_sub(size).ok_or_else(too_long)?;
        Ok(())
    }
}

/// Holds signals to the limits.
pub(crate) fn enforce(mut signals: Vec<Signal>) -> Result<Vec<Signal>, ParseError> {
    if signals.len() > MAX_SIGNALS {
        return Err(ParseError::TooMany { n: signals.len(), max: MAX_SIGNALS });
    }
    signals.iter_mut().enumerate().try_for_each(|(index, signal)| enforce_one(index, signal))?;
    Ok(signals)
}

fn enforce_one(index: usize, signal: &mut Signal) -> Result<(), ParseError> {
    check_fingerprint(&format!("signals[{index}].fingerprint"), &signal.fingerprint)?;
    signal.group = signal.group.take().map(|group| short_key("", &group));
    signal.subject = line(&signal.subject);
    if signal.subject.is_empty() {
        signal.subject.clone_from(&signal.fingerprint);
    }
    signal.summary = text(&signal.summary, MAX_TEXT_BYTES);
    signal.labels = bounded("label", &signal.labels, MAX_LABEL_BYTES, &mut signal.warnings);
    signal.annotations = bounded("annotation", &signal.annotations, MAX_TEXT_BYTES, &mut signal.warnings);
    Ok(())
}

fn check_fingerprint(path: &str, fingerprint: &str) -> Result<(), ParseError> {
    if fingerprint.len() > MAX_FINGERPRINT_BYTES {
        return Err(ParseError::TooLong { path: path.to_owned(), bytes: fingerprint.len(), max: MAX_FINGERPRINT_BYTES });
    }
    if fingerprint.is_empty() || fingerprint.chars().any(char::is_control) {
        return Err(ParseError::field(path, "is empty or holds control characters"));
    }
    Ok(())
}

/// `prefix` and `key`, or the hash of the key where both do not fit into a fingerprint: always the same for the same key.
pub(crate) fn short_key(prefix: &str, key: &str) -> String {
    if prefix.len() + key.len() <= MAX_FINGERPRINT_BYTES && !key.chars().any(char::is_control) {
        return format!("{prefix}{key}");
    }
    format!("{prefix}sha256:{}", hex::encode(Sha256::digest(key)))
}

/// A link worth showing: http or https and nothing else, so that no script hides in it.
pub(crate) fn link(url: &str) -> Option<String> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let safe = matches!(scheme.as_deref(), Some("http" | "https")) && url.len() <= MAX_URL_BYTES;
    (safe && !url.chars().any(|c| c.is_control() || c == ' ')).then(|| url.to_owned())
}

/// The sender's time of an event, unless it lies too far ahead of our clock to be true.
pub(crate) fn event_time(path: &str, claimed: Timestamp, received_at: Timestamp, warnings: &mut Vec<String>) -> Timestamp {
    if claimed <= received_at.plus(MAX_AHEAD) {
        return claimed;
    }
    warnings.push(format!("`{path}` is {claimed}, ahead of our clock: took the time of arrival instead"));
    received_at
}

fn line(value: &str) -> String {
    text(&value.replace(['\n', '\t'], " "), MAX_TEXT_BYTES).trim().to_owned()
}

fn bounded(what: &str, map: &BTreeMap<String, String>, max: usize, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    if map.len() > MAX_LABELS {
        warnings.push(format!("there are {} {what}s, only the first {MAX_LABELS} by name are kept", map.len()));
    }
    let keep = |(name, value): (&String, &String)| {
        if value.len() > max {
            warnings.push(format!("{what} `{}` has {} bytes and is cut at {max}", quoted(name), value.len()));
        }
        (text(name, MAX_LABEL_BYTES), text(value, max))
    };
    map.iter().take(MAX_LABELS).map(keep).collect()
}

/// Cut at `max` bytes, with control characters other than line breaks and tabs made visible.
fn text(value: &str, max: usize) -> String {
    let end = (0..=max.min(value.len())).rev().find(|&at| value.is_char_boundary(at)).unwrap_or(0);
    value[..end].chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '�' } else { c }).collect()
}
