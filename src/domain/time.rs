//! Points in time and spans, as the databases store them: whole milliseconds.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Unit, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// What Go prints for "no time".
const GO_ZERO_TIME_PREFIX: &str = "0001-01-01T00:00:00";

impl Timestamp {
    /// Reads RFC 3339, with any offset and any number of fractional digits.
    ///
    /// # Errors
    /// The text is not a time, or lies outside the years that can be shown.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let instant = jiff::Timestamp::from_str(text).map_err(|_| TimeError::Timestamp(text.chars().take(64).collect()))?;
        Ok(Self(instant.as_millisecond()))
    }

    /// Reads RFC 3339, where Go's zero time means that there is none.
    ///
    /// # Errors
    /// As [`Timestamp::parse`].
    pub fn parse_unless_zero(text: &str) -> Result<Option<Self>, TimeError> {
        if text.starts_with(GO_ZERO_TIME_PREFIX) { Ok(None) } else { Self::parse(text).map(Some) }
    }

    /// This time moved by `span`, stopping at the ends of the range.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` to this one, never negative.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span((self.0.saturating_sub(earlier.0)).max(0))
    }

    /// The calendar day, as days since 1970-01-01, that this time falls on in `zone`.
    #[must_use]
    pub fn day_in(self, zone: &TimeZone) -> i32 {
        let date = zone.to_datetime(self.to_jiff()).date();
        date.since((Unit::Day, jiff::civil::date(1970, 1, 1))).map_or(0, |span| span.get_days())
    }

    /// When the day (days since 1970-01-01) begins in `zone`.
    #[must_use]
    pub fn start_of_day(day: i32, zone: &TimeZone) -> Self {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
        zone.to_timestamp(date.at(0, 0, 0, 0)).map_or(Self(0), |instant| Self(instant.as_millisecond()))
    }

    /// As a `jiff` instant, for formatting.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A length of time in milliseconds. Written as `90s`, `5m`, `1h30m`, `2d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

/// The longest span a setting may have: 366 days.
pub const MAX_SPAN: Span = Span(366 * 86_400_000);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    #[must_use]
    pub const fn secs(secs: i64) -> Self {
        Self(secs * 1000)
    }

    /// A span of whole minutes.
    #[must_use]
    pub const fn mins(mins: i64) -> Self {
        Self(mins * 60_000)
    }
}

impl FromStr for Span {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError::Span(text.chars().take(64).collect());
        let (mut total, mut number, mut digits) = (0_i64, 0_i64, false);
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        while let Some(next) = rest.chars().next() {
            if let Some(digit) = next.to_digit(10) {
                number = number.checked_mul(10).and_then(|n| n.checked_add(i64::from(digit))).ok_or_else(bad)?;
                digits = true;
                rest = &rest[1..];
                continue;
            }
            if !digits {
                return Err(bad());
            }
            let (unit, width) = match (next, rest.get(..2)) {
                (_, Some("ms")) => (1, 2),
                ('s', _) => (1_000, 1),
                ('m', _) => (60_000, 1),
                ('h', _) => (3_600_000, 1),
                ('d', _) => (86_400_000, 1),
                _ => return Err(bad()),
            };
            total = number.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(bad)?;
            (number, digits, rest) = (0, false, &rest[width..]);
        }
        if digits || text.trim().is_empty() || total > MAX_SPAN.0 { Err(bad()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest % 1000 != 0 {
            return write!(f, "{rest}ms");
        }
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if rest >= ms {
                write!(f, "{}{unit}", rest / ms)?;
                rest %= ms;
            }
        }
        Ok(())
    }
}

impl From<Span> for SignedDuration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not a time or a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("`{0}` is not a time like 2026-03-01T14:05:00Z")]
    Timestamp(String),
    /// Not a span, or longer than [`MAX_SPAN`].
    #[error("`{0}` is not a length of time like 90s, 5m, 1h30m or 2d, at most 366d")]
    Span(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_instant_whatever_its_offset() {
        let utc = Timestamp::parse("2026-03-01T14:05:00.1239Z").unwrap();
        assert_eq!(Timestamp::parse("2026-03-01T16:05:00.123999999+02:00"), Ok(utc));
        assert_eq!(utc.to_string(), "2026-03-01T14:05:00.123Z");
        assert_eq!(Timestamp::parse_unless_zero("0001-01-01T00:00:00Z"), Ok(None));
        assert!(Timestamp::parse("yesterday").is_err());
    }

    #[test]
    fn spans_read_back_as_written() {
        for (text, ms) in [("0s", 0), ("90s", 90_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("250ms", 250)] {
            assert_eq!(text.parse(), Ok(Span(ms)));
            assert_eq!(Span(ms).to_string().parse(), Ok(Span(ms)));
        }
        for bad in ["", "5", "m", "-5m", "5 m", "367d", "99999999999999999999s", "5m3"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        let late = Timestamp::parse("2026-03-28T23:30:00Z").unwrap();
        let day = late.day_in(&paris);
        assert_eq!(Timestamp::start_of_day(day, &paris).to_string(), "2026-03-28T23:00:00.000Z");
        assert_eq!(Timestamp::start_of_day(day + 1, &paris).to_string(), "2026-03-29T22:00:00.000Z", "a day of 23 hours");
    }
}
