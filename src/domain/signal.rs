//! Signals: what a delivery says about one thing, in our terms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Severity, Span, Timestamp, UnknownName, status::named};

/// The longest fingerprint kept, in bytes.
pub const MAX_FINGERPRINT_BYTES: usize = 256;
/// The most signals one delivery may carry.
pub const MAX_SIGNALS: usize = 10_000;

/// The fingerprint of the signal that says that a source cannot be read.
pub const UNREADABLE_FINGERPRINT: &str = "fanal:unreadable";

/// How long something counts whose sender never says that it is over, from when it was last heard of, unless the route has an `expire_after`.
pub const ENDLESS_EXPIRY: Span = Span::mins(24 * 60);

/// What an expression may read of a signal: the names of its fields, in the order of the alphabet.
pub const SIGNAL_FIELDS: [&str; 14] = [
    "annotations",
    "endless",
    "fingerprint",
    "group",
    "labels",
    "occurred_at",
    "severity",
    "state",
    "subject",
    "summary",
    "url",
    "value",
    "warnings",
    "whole_group",
];

/// What a signal claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalState {
    /// Something is wrong.
    Firing,
    /// It is over.
    Resolved,
    /// A number was measured; says nothing about right or wrong.
    Sample,
}

named!(SignalState { Firing = "firing", Resolved = "resolved", Sample = "sample" });

/// What a delivery says about one thing.
///
/// Route conditions see it as `signal`, with the field names below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The same for everything said about the same thing, over its whole life. At most [`MAX_FINGERPRINT_BYTES`].
    pub fingerprint: String,
    /// The sender's group, when it sends several things in one delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What it claims.
    pub state: SignalState,
    /// How loud the sender says it is.
    #[serde(default)]
    pub severity: Severity,
    /// The thing itself, in few words: an alert's name, a repository, a host.
    pub subject: String,
    /// One sentence for people; may hold internals and is never published by itself.
    #[serde(default)]
    pub summary: String,
    /// Where to read more, on the sender's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The sender's labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The sender's longer texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// A measured value, if the signal carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The time of the event on the sender's clock. An older one never overwrites a newer one.
    pub occurred_at: Timestamp,
    /// True if the claim holds for every thing of `group`: the sender left out the single ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_group: bool,
    /// True if its sender never says that it is over: it counts for [`ENDLESS_EXPIRY`] where the route says nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub endless: bool,
    /// What we did not understand and left as unknown; shown to the admin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Signal {
    /// A firing signal with everything else left empty, for providers to fill in.
    #[must_use]
    pub fn new(fingerprint: impl Into<String>, state: SignalState, subject: impl Into<String>, occurred_at: Timestamp) -> Self {
        Self {
            fingerprint: fingerprint.into(),
            group: None,
            state,
            severity: Severity::Unknown,
            subject: subject.into(),
            summary: String::new(),
            url: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            value: None,
            occurred_at,
            whole_group: false,
            endless: false,
            warnings: Vec::new(),
        }
    }

    /// Says that the source itself cannot be read: everything it feeds is unknown, whatever the routes' conditions.
    #[must_use]
    pub fn unreadable(reason: &str, at: Timestamp) -> Self {
        let mut signal = Self::new(UNREADABLE_FINGERPRINT, SignalState::Firing, "The source cannot be read", at);
        reason.clone_into(&mut signal.summary);
        signal
    }

    /// Whether it says that the source itself cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.fingerprint == UNREADABLE_FINGERPRINT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_signal_are_all_known() {
        let mut signal = Signal::new("f", SignalState::Firing, "s", Timestamp(0));
        signal.group = Some("g".into());
        signal.url = Some("u".into());
        signal.annotations.insert("a".into(), "b".into());
        signal.value = Some(1.0);
        signal.whole_group = true;
        signal.endless = true;
        signal.warnings.push("w".into());
        let json = serde_json::to_value(&signal).unwrap();
        let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, SIGNAL_FIELDS);
    }
}
