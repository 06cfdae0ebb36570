//! How signals are shown: every field that a route's expressions may read, by the same names.

use std::collections::BTreeMap;

use domain::{Severity, Signal, SignalState};
use poem_openapi::Object;

use super::types::{Name, Time};

/// What a delivery says about one thing, in Fanal's terms. Expressions of routes read the same fields of `signal`.
#[derive(Object)]
#[oai(rename = "Signal")]
pub(super) struct SignalView {
    /// The same for everything said about the same thing.
    fingerprint: String,
    /// The sender's group, where it sends several things in one delivery.
    #[oai(nullable)]
    group: Option<String>,
    state: Name<SignalState>,
    /// How loud the sender says it is.
    severity: Name<Severity>,
    /// The thing itself, in few words.
    subject: String,
    /// One sentence for people; may hold internals.
    summary: String,
    /// Where to read more, on the sender's side.
    #[oai(nullable)]
    url: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    /// What was measured, if it carries a number.
    #[oai(nullable)]
    value: Option<f64>,
    /// When it happened, by the sender's clock.
    occurred_at: Time,
    /// Whether it holds for every thing of `group`: the sender left out the single ones.
    whole_group: bool,
    /// Whether its sender never says that it is over.
    endless: bool,
    /// What was not understood, and was left as unknown or left out: a word nobody has taught Fanal, a number that is none, a text that was cut.
    warnings: Vec<String>,
}

pub(super) fn view(signal: &Signal) -> SignalView {
    let signal = signal.clone();
    SignalView {
        fingerprint: signal.fingerprint,
        group: signal.group,
        state: Name(signal.state),
        severity: Name(signal.severity),
        subject: signal.subject,
        summary: signal.summary,
        url: signal.url,
        labels: signal.labels,
        annotations: signal.annotations,
        value: signal.value,
        occurred_at: Time(signal.occurred_at),
        whole_group: signal.whole_group,
        endless: signal.endless,
        warnings: signal.warnings,
    }
}

#[cfg(test)]
mod tests {
    use domain::{SIGNAL_FIELDS, Timestamp};
    use poem_openapi::types::ToJSON;

    use super::*;

    #[test]
    fn what_is_shown_of_a_signal_is_what_expressions_read() {
        let shown = view(&Signal::new("f", SignalState::Firing, "s", Timestamp(0))).to_json().unwrap();
        let mut names: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, SIGNAL_FIELDS);
    }
}
