//! One thing that a polled source speaks of, and the source's word for its state.
//!
//! A source speaks of many things at once: a word nobody taught us makes that one thing unknown, with a warning, and the others still count.

use domain::{Severity, Signal, SignalState, Timestamp};

use crate::{ParseError, error::unknown_word, limits, set};

/// What a word says about health.
pub(crate) type Health = (SignalState, Severity);

/// Nothing is wrong.
pub(crate) const HEALTHY: Health = (SignalState::Resolved, Severity::Info);
/// Told, but no fault: a maintenance, a pause, a notice. Routes take `info` for health unless they say otherwise.
pub(crate) const NO_FAULT: Health = trouble(Severity::Info);
/// The source itself does not know.
pub(crate) const UNSURE: Health = trouble(Severity::Unknown);

/// Something is wrong, and how loudly.
pub(crate) const fn trouble(severity: Severity) -> Health {
    (SignalState::Firing, severity)
}

/// The source's word for the state of a thing.
pub(crate) struct Word<'a> {
    /// Where it stands in the answer.
    pub(crate) path: String,
    pub(crate) text: &'a str,
    /// Nothing, if we do not know the word.
    pub(crate) means: Option<Health>,
}

/// What the source says of one thing: `kind` and `id` name it for good, `name` is what people call it. The word is its label `status`.
pub(crate) fn signal(kind: &str, id: &str, name: &str, word: &Word<'_>, at: Timestamp) -> Signal {
    let (state, severity) = word.means.unwrap_or(UNSURE);
    let name = Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or(id);
    let mut signal = Signal::new(limits::short_key(&format!("{kind}:"), id), state, name, at);
    signal.severity = severity;
    signal.summary = format!("{name}: {}", word.text.replace('_', " "));
    set::labels(&mut signal, [("kind", kind), (kind, name), ("status", word.text)]);
    if word.means.is_none() {
        signal.warnings.push(unknown_word(&word.path, word.text));
    }
    signal
}

/// Refuses a list of what there is to watch that names nothing: tags that fit nothing, or a key that may see nothing, are no sign of health.
pub(crate) fn any<T>(path: &str, things: &[T]) -> Result<(), ParseError> {
    if things.is_empty() { Err(ParseError::field(path, "is empty: there is nothing to watch")) } else { Ok(()) }
}
