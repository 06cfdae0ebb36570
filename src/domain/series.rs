//! Series: planned windows that come back by a rule.
//!
//! A series keeps to the clock on the page's wall: what begins at 02:00 does so in summer and in winter. Its windows are ordinary
//! maintenances, made ahead of time; the day on which one begins is its name within the series.

use std::collections::BTreeSet;

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ComponentId, Maintenance, MaintenanceStatus, Recurrence, SeriesId, Span, Timestamp, Until};

/// How far ahead windows are made. The next one is made however far away it is.
pub const SERIES_HORIZON: Span = Span(60 * DAY_MS);
/// The most series.
pub const MAX_SERIES: usize = 100;
/// The shortest window of a series.
pub const MIN_WINDOW: Span = Span::mins(1);
/// The longest window of a series.
pub const MAX_WINDOW: Span = Span(7 * DAY_MS);
/// The longest time before a window that subscribers are told of it.
pub const MAX_ANNOUNCE: Span = Span(30 * DAY_MS);
/// How long before a window subscribers are told of it, unless a series says otherwise.
pub const DEFAULT_ANNOUNCE: Span = Span(DAY_MS);
/// The most days that a series may leave out.
pub const MAX_EXCEPTIONS: usize = 366;
/// The years in which a series may begin.
pub const SERIES_YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

const DAY_MS: i64 = 86_400_000;
/// Windows that are looked at to see whether they overlap: more than two years of days, with their changes of the clock.
const N_CHECKED: usize = 800;

/// When the windows of a series are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From when on, and at which time of the day, by the clock on the page's wall.
    pub starts_at: DateTime,
    /// How long a window is, whatever the clock does meanwhile.
    pub duration: Span,
    /// On which days.
    pub rule: Recurrence,
    /// On which of them not.
    pub except: BTreeSet<Date>,
}

/// A window of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The day on which it begins, by the clock on the wall.
    pub on: Date,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// A schedule that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ScheduleError {
    /// The field to blame.
    pub field: &'static str,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Schedule {
    /// Its windows in `zone` that begin after `after`, in order.
    ///
    /// A time of the day that is left out when clocks go forward is as much later as they go; of one that comes twice, the first is meant
    /// (RFC 5545, section 3.3.5).
    pub fn windows<'s>(&'s self, zone: &'s TimeZone, after: Timestamp) -> impl Iterator<Item = Window> + 's {
        let windows = self.rule.days(self.starts_at.date()).map_while(|on| self.window(on, zone));
        windows.filter(move |window| window.starts_at > after && !self.except.contains(&window.on))
    }

    /// The window of a day of the rule; `None` if the rule has ended before.
    fn window(&self, on: Date, zone: &TimeZone) -> Option<Window> {
        let at = on.to_datetime(self.starts_at.time());
        let starts_at = Timestamp(zone.to_timestamp(at).ok()?.as_millisecond());
        let is_over = match self.rule.until() {
            None => false,
            Some(Until::Day(last)) => on > last,
            Some(Until::Local(last)) => at > last,
            Some(Until::Instant(last)) => starts_at > last,
        };
        (!is_over).then(|| Window { on, starts_at, ends_at: starts_at.plus(self.duration) })
    }

    /// Whether it makes sense: it has a window, and none overlaps the next.
    ///
    /// # Errors
    /// What does not, by the name of the field.
    pub fn check(&self, zone: &TimeZone) -> Result<(), ScheduleError> {
        let refuse = |field, message: String| Err(ScheduleError { field, message });
        if !SERIES_YEARS.contains(&self.starts_at.year()) {
            return refuse("starts_at", format!("must lie in the years {} to {}", SERIES_YEARS.start(), SERIES_YEARS.end()));
        }
        if self.duration < MIN_WINDOW || self.duration > MAX_WINDOW {
            return refuse("duration", format!("must lie between {MIN_WINDOW} and {MAX_WINDOW}"));
        }
        if self.except.len() > MAX_EXCEPTIONS {
            return refuse("except", format!("has {} entries, at most {MAX_EXCEPTIONS} are allowed", self.except.len()));
        }
        let mut before: Option<Window> = None;
        for window in self.windows(zone, Timestamp(i64::MIN)).take(N_CHECKED) {
            if let Some(before) = before.filter(|before| before.ends_at > window.starts_at) {
                let apart = window.starts_at.since(before.starts_at);
                return refuse("duration", format!("is {}, but on {} the next window begins after {apart}", self.duration, before.on));
            }
            before = Some(window);
        }
        if before.is_none() {
            return refuse("rule", "never occurs: no day fits it".to_owned());
        }
        Ok(())
    }

    /// The same from a window on: it begins on that day, and counts only what was left then.
    #[must_use]
    pub fn from(&self, on: Date) -> Self {
        let n_before = self.rule.days(self.starts_at.date()).take_while(|day| *day < on).count();
        let rule = self.rule.after(u32::try_from(n_before).unwrap_or(u32::MAX)).unwrap_or_else(|| self.rule.clone());
        Self { starts_at: on.to_datetime(self.starts_at.time()), rule, ..self.clone() }
    }
}

/// Reads a time by the clock on the wall, to the minute: `2026-12-01T02:00`.
#[must_use]
pub fn local_time(text: &str) -> Option<DateTime> {
    let is_plain = text.len() == 16 && text.as_bytes().get(10) == Some(&b'T') && text.as_bytes().get(13) == Some(&b':');
    text.parse().ok().filter(|_| is_plain)
}

/// Writes the same.
#[must_use]
pub fn local_time_text(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Planned windows that come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its id.
    pub id: SeriesId,
    /// Its name in configuration files.
    pub key: String,
    /// The title of its windows.
    pub title: String,
    /// Their text, Markdown.
    pub body: String,
    /// When they are.
    pub schedule: Schedule,
    /// How long before each subscribers are told of it.
    pub announce: Span,
    /// Whether it is about components, if only about some that are gone.
    pub scoped: bool,
    /// What is under maintenance meanwhile.
    pub components: Vec<ComponentId>,
    /// When more windows are to be made; `None` if it has no more.
    pub lay_at: Option<Timestamp>,
    /// The days of coming windows that were called off, or are over before their time: they are not made again.
    pub closed: BTreeSet<Date>,
}

/// What makes a maintenance part of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// Which series.
    pub series: SeriesId,
    /// The day of the series that it stands for, whenever it really is.
    #[serde(serialize_with = "write_day", deserialize_with = "read_day")]
    pub on: Date,
    /// Whether it goes its own way: a person changed it, and changes of the series leave it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn write_day<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

fn read_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Maintenance {
    /// The day of `series` that it stands for.
    #[must_use]
    pub fn day_of(&self, series: SeriesId) -> Option<Date> {
        self.occurrence.filter(|occurrence| occurrence.series == series).map(|occurrence| occurrence.on)
    }

    /// Whether subscribers have been told that it is planned, or it has begun.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.announce_at.is_none()
    }

    /// Whether it is planned and has not begun.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.status == MaintenanceStatus::Scheduled
    }
}
