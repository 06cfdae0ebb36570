//! Policies: what else decides whether and when a route publishes by itself.

use serde::{Deserialize, Serialize};

use crate::{PublishHours, Severity, Span, Timestamp};

/// The longest that a publication may be held; longer, it is a draft.
pub const MAX_PUBLISH_AFTER: Span = Span(24 * 3_600_000);
/// The fewest changes that can be called flapping: down, up, and down again.
pub const MIN_FLAP_CHANGES: u8 = 3;
/// The most changes that are remembered of a route.
pub const MAX_FLAP_CHANGES: u8 = 50;
/// The longest time in which changes are counted, or for which calm can be asked.
pub const MAX_FLAP_SPAN: Span = Span(24 * 3_600_000);

/// What else decides whether and when a route publishes by itself. By default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long an incident is held, so that a person can veto it, before it publishes itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub publish_after: Span,
    /// When it may publish by itself; at all times if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_hours: Option<PublishHours>,
    /// Signals that are less severe are recorded and do not count. A severity that we do not know always counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_severity: Option<Severity>,
    /// When the route's word is taken for flapping; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flapping: Option<Flapping>,
}

fn is_zero(span: &Span) -> bool {
    *span == Span::ZERO
}

impl Policy {
    /// When an incident that opens at `now` publishes itself, if not at once.
    #[must_use]
    pub fn held_until(&self, now: Timestamp, zone: &jiff::tz::TimeZone) -> Option<Timestamp> {
        let due = now.plus(self.publish_after);
        let due = self.publish_hours.as_ref().map_or(due, |hours| hours.next(due, zone));
        Some(due).filter(|due| *due > now)
    }

    /// Whether `now` is a time at which it may publish by itself.
    #[must_use]
    pub fn may_publish_at(&self, now: Timestamp, zone: &jiff::tz::TimeZone) -> bool {
        self.publish_hours.as_ref().is_none_or(|hours| hours.contain(now, zone))
    }

    /// Whether a signal of this severity counts.
    #[must_use]
    pub fn counts(&self, severity: Severity) -> bool {
        severity == Severity::Unknown || self.minimum_severity.is_none_or(|minimum| severity >= minimum)
    }
}

/// When a route is said to flap.
///
/// The usual five changes in half an hour are the third time that something breaks within it: twice may be a coincidence. Nagios' own threshold,
/// a fifth of the last twenty-one checks, is about as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// So many changes …
    pub changes: u8,
    /// … within so long.
    pub within: Span,
    /// It is over after so long without another.
    pub calm: Span,
}

impl std::fmt::Display for Flapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} changes within {}, calm after {}", self.changes, self.within, self.calm)
    }
}

impl Default for Flapping {
    fn default() -> Self {
        Self { changes: 5, within: Span::mins(30), calm: Span::mins(15) }
    }
}
