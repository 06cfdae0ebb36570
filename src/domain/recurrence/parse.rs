//! Reads a rule. What is not taken is refused by name.

use std::str::FromStr;

use jiff::civil::{Date, DateTime, Weekday};

use super::{Frequency, NthWeekday, Recurrence, Until};
use crate::Timestamp;

/// The longest rule, in characters.
pub const MAX_RULE_CHARS: usize = 500;
/// The longest step from one period to the next.
pub const MAX_INTERVAL: i32 = 1_000;
/// The most times that a rule may count.
pub const MAX_COUNT: u32 = 10_000;

/// What is wrong with a rule, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecurrenceError(String);

fn refuse<T>(message: impl Into<String>) -> Result<T, RecurrenceError> {
    Err(RecurrenceError(message.into()))
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.chars().take(64).collect::<String>())
}

impl FromStr for Recurrence {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, RecurrenceError> {
        let n_chars = text.chars().count();
        if n_chars > MAX_RULE_CHARS {
            return refuse(format!("has {n_chars} characters, at most {MAX_RULE_CHARS} are allowed"));
        }
        let text = text.trim().to_ascii_uppercase();
        let text = text.strip_prefix("RRULE:").unwrap_or(&text);
        let mut parts = Parts::default();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            parts.take(part)?;
        }
        parts.into_rule()
    }
}

/// What was said so far.
#[derive(Default)]
struct Parts {
    seen: Vec<String>,
    frequency: Option<Frequency>,
    interval: Option<i32>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    days: Vec<NthWeekday>,
    places: Vec<i16>,
    week_start: Option<Weekday>,
    count: Option<u32>,
    until: Option<Until>,
}

impl Parts {
    fn take(&mut self, part: &str) -> Result<(), RecurrenceError> {
        let Some((name, value)) = part.split_once('=') else {
            return refuse(format!("{} is no part of a rule: one looks like FREQ=WEEKLY, and `;` stands between two", quoted(part)));
        };
        if self.seen.iter().any(|seen| seen == name) {
            return refuse(format!("{} stands in it twice", quoted(name)));
        }
        self.seen.push(name.to_owned());
        match name {
            "FREQ" => self.frequency = Some(frequency(value)?),
            "INTERVAL" => self.interval = Some(number("INTERVAL", value, 1, MAX_INTERVAL)?),
            "COUNT" => self.count = Some(number("COUNT", value, 1, MAX_COUNT)?),
            "UNTIL" => self.until = Some(until(value)?),
            "BYMONTH" => self.months = numbers("BYMONTH", value, 1, 12)?,
            "BYMONTHDAY" => self.month_days = signed("BYMONTHDAY", value, 31)?,
            "BYSETPOS" => self.places = signed("BYSETPOS", value, 366)?,
            "BYDAY" => self.days = days(value)?,
            "WKST" => self.week_start = Some(weekday(value)?),
            "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                return refuse(format!("{name} is not taken: every window begins at the time of the day at which the first one does"));
            }
            "BYYEARDAY" | "BYWEEKNO" => {
                return refuse(format!("{name} is not taken: name the days with BYMONTH, BYMONTHDAY and BYDAY"));
            }
            _ => {
                return refuse(format!(
                    "{} is not taken; known here: FREQ, INTERVAL, BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS, WKST, COUNT, UNTIL",
                    quoted(name)
                ));
            }
        }
        Ok(())
    }

    fn into_rule(self) -> Result<Recurrence, RecurrenceError> {
        let Some(frequency) = self.frequency else { return refuse("needs FREQ, such as FREQ=WEEKLY") };
        if self.count.is_some() && self.until.is_some() {
            return refuse("ends by COUNT or by UNTIL, not by both");
        }
        if frequency == Frequency::Weekly && !self.month_days.is_empty() {
            return refuse("BYMONTHDAY goes with FREQ=DAILY, MONTHLY and YEARLY, not with weeks");
        }
        if self.days.iter().any(|day| day.nth.is_some()) && !matches!(frequency, Frequency::Monthly | Frequency::Yearly) {
            return refuse("a number before a day, as in 1SU, goes with FREQ=MONTHLY, or with FREQ=YEARLY and BYMONTH");
        }
        if frequency == Frequency::Yearly && !self.days.is_empty() && self.months.is_empty() {
            return refuse("BYDAY with FREQ=YEARLY needs BYMONTH, which says in which month");
        }
        if !self.places.is_empty() && self.months.is_empty() && self.month_days.is_empty() && self.days.is_empty() {
            return refuse("BYSETPOS chooses among days, so BYDAY or BYMONTHDAY must name some");
        }
        Ok(Recurrence {
            frequency,
            interval: self.interval.unwrap_or(1),
            months: self.months,
            month_days: self.month_days,
            days: self.days,
            places: self.places,
            week_start: self.week_start.unwrap_or(Weekday::Monday),
            count: self.count,
            until: self.until,
        })
    }
}

fn frequency(value: &str) -> Result<Frequency, RecurrenceError> {
    match value {
        "DAILY" => Ok(Frequency::Daily),
        "WEEKLY" => Ok(Frequency::Weekly),
        "MONTHLY" => Ok(Frequency::Monthly),
        "YEARLY" => Ok(Frequency::Yearly),
        "SECONDLY" | "MINUTELY" | "HOURLY" => refuse(format!("FREQ={value} comes back several times a day; the shortest is FREQ=DAILY")),
        _ => refuse(format!("FREQ={} is none of DAILY, WEEKLY, MONTHLY and YEARLY", quoted(value))),
    }
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(name: &str, value: &str, least: T, most: T) -> Result<T, RecurrenceError> {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<T>().ok().filter(|number| is_number && (&least..=&most).contains(&number)) {
        Some(number) => Ok(number),
        None => refuse(format!("{name}={} is not a whole number from {least} to {most}", quoted(value))),
    }
}

/// Numbers, in order and each once.
fn numbers<T: FromStr + Ord + Copy + std::fmt::Display>(name: &str, value: &str, least: T, most: T) -> Result<Vec<T>, RecurrenceError> {
    let mut found = value.split(',').map(|each| number(name, each, least, most)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The same from `most` down to its negative, without zero.
fn signed<T>(name: &str, value: &str, most: T) -> Result<Vec<T>, RecurrenceError>
where
    T: FromStr + Ord + Copy + Default + std::fmt::Display + std::ops::Neg<Output = T>,
{
    let found = numbers(name, value, -most, most)?;
    if found.contains(&T::default()) {
        return refuse(format!("{name} counts from 1, or from -1 at the end: 0 is none"));
    }
    Ok(found)
}

fn days(value: &str) -> Result<Vec<NthWeekday>, RecurrenceError> {
    let mut found: Vec<NthWeekday> = Vec::new();
    for each in value.split(',') {
        let at = each.len().checked_sub(2).filter(|at| each.is_char_boundary(*at)).unwrap_or_default();
        let (nth, day) = each.split_at(at);
        let nth = match nth {
            "" => None,
            nth => Some(number::<i8>("BYDAY", nth, -5, 5)?)
                .filter(|nth| *nth != 0)
                .map_or_else(|| refuse("BYDAY counts from 1, or from -1 at the end: 0 is none"), |nth| Ok(Some(nth)))?,
        };
        let day = NthWeekday { nth, day: weekday(day)? };
        if !found.contains(&day) {
            found.push(day);
        }
    }
    found.sort_by_key(|each| (each.nth, each.day.to_monday_zero_offset()));
    Ok(found)
}

fn weekday(value: &str) -> Result<Weekday, RecurrenceError> {
    Ok(match value {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return refuse(format!("{} is none of MO, TU, WE, TH, FR, SA and SU", quoted(value))),
    })
}

/// `20271231`, `20271231T235959` or `20271231T235959Z`.
fn until(value: &str) -> Result<Until, RecurrenceError> {
    let bad = || RecurrenceError(format!("UNTIL={} is no day such as 20271231, nor a time such as 20271231T235959Z", quoted(value)));
    let shape: String = value.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let part = |from: usize, to: usize| value.get(from..to).and_then(|digits| digits.parse::<i16>().ok()).ok_or_else(bad);
    let small = |from: usize, to: usize| i8::try_from(part(from, to)?).map_err(|_| bad());
    let day = || Date::new(part(0, 4)?, small(4, 6)?, small(6, 8)?).map_err(|_| bad());
    let time = || {
        let day = day()?;
        DateTime::new(day.year(), day.month(), day.day(), small(9, 11)?, small(11, 13)?, small(13, 15)?, 0).map_err(|_| bad())
    };
    match shape.as_str() {
        "99999999" => Ok(Until::Day(day()?)),
        "99999999T999999" => Ok(Until::Local(time()?)),
        "99999999T999999Z" => {
            let instant = jiff::tz::TimeZone::UTC.to_timestamp(time()?).map_err(|_| bad())?;
            Ok(Until::Instant(Timestamp(instant.as_millisecond())))
        }
        _ => Err(bad()),
    }
}
