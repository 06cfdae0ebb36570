//! Hours of the week, by the clock on the page's wall.

use std::collections::BTreeSet;

use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Timestamp, UnknownName, status::named};

/// Further ahead than the next time that any hours begin.
const DAYS_AHEAD: i64 = 9;
const MINUTES_OF_DAY: u16 = 24 * 60;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "their names say it")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

named!(Weekday { Mon = "mon", Tue = "tue", Wed = "wed", Thu = "thu", Fri = "fri", Sat = "sat", Sun = "sun" });

impl Weekday {
    fn of(date: Date) -> Self {
        Self::ALL[usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default() % 7]
    }
}

/// A time of day, to the minute: `08:00`, and `24:00` for the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayTime(u16);

impl DayTime {
    /// When a day begins.
    pub const MIDNIGHT: Self = Self(0);
    /// When it ends.
    pub const END: Self = Self(MINUTES_OF_DAY);
}

/// A text that is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time of day: two digits each for hours and minutes, as in \"08:00\", at most \"24:00\"")]
pub struct DayTimeError(String);

impl std::str::FromStr for DayTime {
    type Err = DayTimeError;

    fn from_str(text: &str) -> Result<Self, DayTimeError> {
        let number = |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<u16>().ok()).flatten();
        let parts = text.split_once(':').and_then(|(hours, minutes)| Some((number(hours)?, number(minutes)?)));
        let minutes = parts.filter(|(_, minutes)| *minutes < 60).map(|(hours, minutes)| hours * 60 + minutes);
        let found = minutes.filter(|minutes| *minutes <= MINUTES_OF_DAY);
        found.map(Self).ok_or_else(|| DayTimeError(text.chars().take(64).collect()))
    }
}

impl std::fmt::Display for DayTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for DayTime {
    type Error = DayTimeError;

    fn try_from(text: String) -> Result<Self, DayTimeError> {
        text.parse()
    }
}

impl From<DayTime> for String {
    fn from(time: DayTime) -> Self {
        time.to_string()
    }
}

/// Hours of the week, or all but them.
///
/// They go by the clock on the wall: where it is put forward, what it skips is in no hours; where it is put back, what it shows twice is in them
/// twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishHours {
    /// The days on which they begin.
    pub days: BTreeSet<Weekday>,
    /// When they begin.
    pub from: DayTime,
    /// When they end: on the next day if this is not later than `from`, so that equal times are a day and a night.
    pub to: DayTime,
    /// All times but these are meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

impl PublishHours {
    /// Whether there is any time that is meant.
    #[must_use]
    pub fn is_ever(&self) -> bool {
        // Minute by minute of a week without changes of the clock.
        let monday = Date::constant(2024, 1, 1);
        (0..7).any(|day| (0..MINUTES_OF_DAY).any(|minute| self.include(monday.saturating_add(day.days()), minute)))
    }

    /// Whether they contain `at`.
    #[must_use]
    pub fn contain(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = zone.to_datetime(at.to_jiff());
        let minute = u16::try_from(local.hour()).unwrap_or_default() * 60 + u16::try_from(local.minute()).unwrap_or_default();
        self.include(local.date(), minute)
    }

    /// The first time they contain that is not before `at`.
    #[must_use]
    pub fn next(&self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        if self.contain(at, zone) {
            return at;
        }
        let today = zone.to_datetime(at.to_jiff()).date();
        let mut edges: Vec<Timestamp> = (-1..=DAYS_AHEAD)
            .map(|day| today.saturating_add(day.days()))
            .flat_map(|date| [self.from, self.to, DayTime::END].map(|time| (date, time)))
            .flat_map(|(date, time)| instants(date, time, zone))
            .collect();
        // Where the clock is put forward over the moment at which they begin, they begin then.
        let horizon = at.plus(crate::Span(DAYS_AHEAD * 86_400_000));
        let changes = zone.following(at.to_jiff()).map(|change| Timestamp(change.timestamp().as_millisecond()));
        edges.extend(changes.take_while(|change| *change <= horizon));
        edges.sort_unstable();
        edges.into_iter().find(|edge| *edge > at && self.contain(*edge, zone)).unwrap_or(horizon)
    }

    fn include(&self, date: Date, minute: u16) -> bool {
        let begin_on = |date: Date| self.days.contains(&Weekday::of(date));
        let (from, to) = (self.from.0, self.to.0);
        let inside = if from < to {
            begin_on(date) && (from..to).contains(&minute)
        } else {
            (begin_on(date) && minute >= from) || (begin_on(date.saturating_sub(1.day())) && minute < to)
        };
        inside != self.outside
    }
}

impl std::fmt::Display for PublishHours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days: Vec<&str> = self.days.iter().map(|day| day.as_str()).collect();
        write!(f, "{}{} {}-{}", if self.outside { "outside " } else { "" }, days.join(" "), self.from, self.to)
    }
}

/// When the clock on the wall shows this: twice where it is put back.
fn instants(date: Date, time: DayTime, zone: &TimeZone) -> Vec<Timestamp> {
    let day = i64::from(time.0 / MINUTES_OF_DAY);
    let minute = time.0 % MINUTES_OF_DAY;
    let clock = Time::midnight() + (i64::from(minute)).minutes();
    let shown = zone.to_ambiguous_timestamp(date.saturating_add(day.days()).to_datetime(clock));
    let both = [shown.earlier(), shown.later()];
    both.into_iter().flatten().map(|instant| Timestamp(instant.as_millisecond())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &[Weekday], from: &str, to: &str) -> PublishHours {
        PublishHours { days: days.iter().copied().collect(), from: from.parse().unwrap(), to: to.parse().unwrap(), outside: false }
    }

    const WEEK: [Weekday; 5] = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];

    fn paris() -> TimeZone {
        TimeZone::get("Europe/Paris").unwrap()
    }

    #[track_caller]
    fn next(hours: &PublishHours, at: &str, expected: &str) {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let found = hours.next(time(at), &paris());
        assert_eq!(found, time(expected), "after {at}");
        assert!(hours.contain(found, &paris()));
    }

    #[test]
    fn hours_begin_on_their_days_by_the_clock_on_the_wall() {
        let work = hours(&WEEK, "08:00", "18:00");
        // 2026-03-06 is a Friday.
        next(&work, "2026-03-06T12:00:00+01:00", "2026-03-06T12:00:00+01:00");
        next(&work, "2026-03-06T07:59:59.999+01:00", "2026-03-06T08:00:00+01:00");
        next(&work, "2026-03-06T18:00:00+01:00", "2026-03-09T08:00:00+01:00");
        next(&work, "2026-03-07T12:00:00+01:00", "2026-03-09T08:00:00+01:00");
        // Over the change of the clock on 2026-03-29.
        next(&work, "2026-03-27T20:00:00+01:00", "2026-03-30T08:00:00+02:00");
        let sunday = hours(&[Weekday::Sun], "00:00", "24:00");
        next(&sunday, "2026-03-09T00:00:00+01:00", "2026-03-15T00:00:00+01:00");
    }

    #[test]
    fn hours_may_go_over_midnight_and_belong_to_the_day_on_which_they_begin() {
        let night = hours(&WEEK, "18:00", "08:00");
        next(&night, "2026-03-07T07:59:00+01:00", "2026-03-07T07:59:00+01:00"); // Of Friday.
        next(&night, "2026-03-07T08:00:00+01:00", "2026-03-09T18:00:00+01:00");
        next(&night, "2026-03-09T03:00:00+01:00", "2026-03-09T18:00:00+01:00"); // Sunday has no night.
        let whole = hours(&[Weekday::Mon], "09:00", "09:00");
        next(&whole, "2026-03-10T08:59:00+01:00", "2026-03-10T08:59:00+01:00");
        next(&whole, "2026-03-10T09:00:00+01:00", "2026-03-16T09:00:00+01:00");
    }

    #[test]
    fn all_but_the_hours_begin_where_these_end() {
        let off = PublishHours { outside: true, ..hours(&WEEK, "08:00", "18:00") };
        next(&off, "2026-03-06T12:00:00+01:00", "2026-03-06T18:00:00+01:00");
        next(&off, "2026-03-07T12:00:00+01:00", "2026-03-07T12:00:00+01:00");
        next(&off, "2026-03-09T08:00:00+01:00", "2026-03-09T18:00:00+01:00");
        let seven: Vec<Weekday> = Weekday::ALL.to_vec();
        let but_nights = PublishHours { outside: true, ..hours(&seven, "22:00", "06:00") };
        next(&but_nights, "2026-03-06T23:00:00+01:00", "2026-03-07T06:00:00+01:00");
    }

    #[test]
    fn what_the_clock_skips_is_in_no_hours_and_what_it_shows_twice_is_in_them_twice() {
        let seven: Vec<Weekday> = Weekday::ALL.to_vec();
        // 2026-03-29: from 02:00 to 03:00. 2026-10-25: from 03:00 back to 02:00.
        let early = hours(&seven, "02:30", "04:00");
        next(&early, "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00");
        let skipped = hours(&seven, "02:15", "02:45");
        next(&skipped, "2026-03-29T01:00:00+01:00", "2026-03-30T02:15:00+02:00");
        next(&skipped, "2026-10-25T02:00:00+02:00", "2026-10-25T02:15:00+02:00");
        next(&skipped, "2026-10-25T02:50:00+02:00", "2026-10-25T02:15:00+01:00");
    }

    #[test]
    fn hours_that_leave_nothing_over_are_found_out() {
        let seven: Vec<Weekday> = Weekday::ALL.to_vec();
        assert!(!PublishHours { outside: true, ..hours(&seven, "00:00", "24:00") }.is_ever());
        assert!(PublishHours { outside: true, ..hours(&seven, "00:00", "23:59") }.is_ever());
        assert!(!hours(&[], "08:00", "18:00").is_ever());
        assert!(hours(&[Weekday::Sun], "08:00", "08:00").is_ever());
    }

    #[test]
    fn a_time_of_day_has_four_digits() {
        for good in ["00:00", "08:05", "23:59", "24:00"] {
            assert_eq!(good.parse::<DayTime>().unwrap().to_string(), good);
        }
        for bad in ["", "8:00", "08:60", "24:01", "08.00", "0800", "-1:00", "+8:00", "08:00:00"] {
            assert!(bad.parse::<DayTime>().is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_next_time_is_meant_and_nothing_before_it_is(
            days in proptest::collection::btree_set(proptest::sample::select(Weekday::ALL.to_vec()), 1..7),
            from in 0..MINUTES_OF_DAY,
            to in 0..=MINUTES_OF_DAY,
            outside: bool,
            minute in 0..527_040_i64,
            zone in proptest::sample::select(vec!["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
        ) {
            let hours = PublishHours { days, from: DayTime(from), to: DayTime(to), outside };
            let zone = TimeZone::get(zone).unwrap();
            let at = Timestamp(1_767_225_600_000 + minute * 60_000);
            let found = hours.next(at, &zone);
            proptest::prop_assert!(hours.contain(found, &zone) && found >= at);
            let mut earlier = at;
            while earlier < found {
                proptest::prop_assert!(!hours.contain(earlier, &zone), "{earlier} comes before {found}");
                earlier = earlier.plus(crate::Span::mins(7));
            }
            proptest::prop_assert!(found == at || !hours.contain(Timestamp(found.0 - 1), &zone));
        }
    }
}
