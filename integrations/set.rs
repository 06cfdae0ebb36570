//! Sets a signal's fields from what senders give, where nothing, an empty text and `null` are all the same.

use domain::{Severity, Signal};

use crate::{ParseError, error::unknown_word, limits, time};

/// The event's time; without one, the time of arrival stays.
pub(crate) fn time(signal: &mut Signal, path: &str, text: &str) -> Result<(), ParseError> {
    if let Some(claimed) = time::read(text).map_err(|problem| ParseError::field(path, problem))? {
        signal.occurred_at = limits::event_time(path, claimed, signal.occurred_at, &mut signal.warnings);
    }
    Ok(())
}

/// The sender's word for how loud it is. A word nobody taught us stays unknown, with a warning.
pub(crate) fn severity(signal: &mut Signal, path: &str, word: &str) {
    signal.severity = match Severity::from_word(word) {
        Some(severity) => severity,
        None if word.is_empty() => Severity::Unknown,
        None => {
            signal.warnings.push(unknown_word(path, word));
            Severity::Unknown
        }
    };
}

/// Our names for the sender's facts; those it leaves empty are left out.
pub(crate) fn labels<const N: usize>(signal: &mut Signal, labels: [(&str, &str); N]) {
    for (name, value) in labels.into_iter().filter(|(_, value)| !value.is_empty()) {
        signal.labels.insert(name.to_owned(), value.to_owned());
    }
}

/// A name the sender's user chose, as the label `tag_<name>`, so that it can never stand for one of our names. A tag without a value is
/// `true`.
pub(crate) fn tag(signal: &mut Signal, name: &str, value: &str) {
    if !name.trim().is_empty() {
        signal.labels.insert(format!("tag_{}", name.trim()), if value.is_empty() { "true" } else { value }.to_owned());
    }
}

/// A link to the sender's page about it, if it is one.
pub(crate) fn link(signal: &mut Signal, url: &str) {
    signal.url = limits::link(url);
}
