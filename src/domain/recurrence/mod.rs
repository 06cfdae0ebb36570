//! Rules by which days come back: a strict part of RFC 5545's recurrence rules, counted in days of the calendar.
//!
//! Only days: at what time of the day something begins, and in which zone, is said beside the rule. What is taken and what is not stands
//! in `parse`; what is not taken is refused by name, never passed over.

mod days;
mod parse;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;

use jiff::civil::{Date, DateTime, Weekday};

use crate::Timestamp;

pub use days::Days;
pub use parse::{MAX_COUNT, MAX_INTERVAL, MAX_RULE_CHARS, RecurrenceError};

/// How often a rule comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Frequency {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "DAILY",
            Self::Weekly => "WEEKLY",
            Self::Monthly => "MONTHLY",
            Self::Yearly => "YEARLY",
        }
    }
}

/// A day of the week, or the n-th of a month, from its end where n is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NthWeekday {
    /// `None`: every one.
    pub nth: Option<i8>,
    /// Which day.
    pub day: Weekday,
}

/// When a rule comes back no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After this day.
    Day(Date),
    /// After this time by the clock on the wall.
    Local(DateTime),
    /// After this instant.
    Instant(Timestamp),
}

/// A rule, such as `FREQ=MONTHLY;BYDAY=1SU`. Printed it is as it was read, in one order and without what goes without saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    frequency: Frequency,
    interval: i32,
    months: Vec<i8>,
    month_days: Vec<i8>,
    days: Vec<NthWeekday>,
    places: Vec<i16>,
    week_start: Weekday,
    count: Option<u32>,
    until: Option<Until>,
}

impl Recurrence {
    /// Every day on which it comes back from `start` on, in order. `until` is not looked at: it may depend on the time of the day.
    #[must_use]
    pub fn days(&self, start: Date) -> Days<'_> {
        Days::new(self, start)
    }

    /// When it ends, where a time is given.
    #[must_use]
    pub const fn until(&self) -> Option<Until> {
        self.until
    }

    /// The same rule, ending after this day.
    #[must_use]
    pub fn ending_on(&self, day: Date) -> Self {
        Self { count: None, until: Some(Until::Day(day)), ..self.clone() }
    }

    /// The same rule for a beginning that is `n` days of it later: so many fewer are left, where they are counted. `None` if none is.
    #[must_use]
    pub fn after(&self, n: u32) -> Option<Self> {
        let count = match self.count {
            None => None,
            Some(count) => Some(count.checked_sub(n).filter(|left| *left > 0)?),
        };
        Some(Self { count, ..self.clone() })
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: ToString>(items: &[T]) -> String {
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        write!(f, "FREQ={}", self.frequency.as_str())?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        let lists = [
            ("BYMONTH", list(&self.months)),
            ("BYMONTHDAY", list(&self.month_days)),
            ("BYDAY", list(&self.days)),
            ("BYSETPOS", list(&self.places)),
        ];
        for (name, text) in lists.iter().filter(|(_, text)| !text.is_empty()) {
            write!(f, ";{name}={text}")?;
        }
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", code(self.week_start))?;
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        match self.until {
            None => Ok(()),
            Some(Until::Day(day)) => write!(f, ";UNTIL={}", day.strftime("%Y%m%d")),
            Some(Until::Local(at)) => write!(f, ";UNTIL={}", at.strftime("%Y%m%dT%H%M%S")),
            Some(Until::Instant(at)) => write!(f, ";UNTIL={}", at.to_jiff().strftime("%Y%m%dT%H%M%SZ")),
        }
    }
}

impl fmt::Display for NthWeekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nth) = self.nth {
            write!(f, "{nth}")?;
        }
        f.write_str(code(self.day))
    }
}

/// The two letters of a day.
const fn code(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "MO",
        Weekday::Tuesday => "TU",
        Weekday::Wednesday => "WE",
        Weekday::Thursday => "TH",
        Weekday::Friday => "FR",
        Weekday::Saturday => "SA",
        Weekday::Sunday => "SU",
    }
}
