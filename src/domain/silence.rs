//! After how long an integration's silence is a signal.

use serde::{Deserialize, Serialize};

use crate::{MAX_SPAN, Span, TimeError, Timestamp, silent_after};

/// The shortest silence that can be a signal.
pub const MIN_SILENT_AFTER: Span = Span::secs(5);
const HABIT: &str = "habit";

/// After how long without a delivery an integration's silence is a signal of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilentAfter {
    /// When it is longer than is the sender's habit, once it has one.
    Habit,
    /// After this time.
    Span(Span),
}

/// A text that is neither a length of time nor the word for a habit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or `habit`, for longer than is usual for the sender")]
pub struct SilentAfterError(TimeError);

impl SilentAfter {
    /// The time, for a sender whose newest deliveries arrived then; `None` while it has no habit.
    #[must_use]
    pub fn span(self, arrivals: &[Timestamp]) -> Option<Span> {
        match self {
            Self::Habit => silent_after(arrivals),
            Self::Span(span) => Some(span),
        }
    }

    /// Whether it is within what is allowed: 5 s to 366 days.
    #[must_use]
    pub fn is_sensible(self) -> bool {
        match self {
            Self::Habit => true,
            Self::Span(span) => (MIN_SILENT_AFTER..=MAX_SPAN).contains(&span),
        }
    }
}

impl std::str::FromStr for SilentAfter {
    type Err = SilentAfterError;

    fn from_str(text: &str) -> Result<Self, SilentAfterError> {
        if text == HABIT { Ok(Self::Habit) } else { text.parse().map(Self::Span).map_err(SilentAfterError) }
    }
}

impl std::fmt::Display for SilentAfter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Habit => f.write_str(HABIT),
            Self::Span(span) => span.fmt(f),
        }
    }
}
