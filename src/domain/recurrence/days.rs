//! Which days a rule means: period by period, the days of each in order.

use jiff::{
    ToSpan,
    civil::{Date, Weekday, date},
};

use super::{Frequency, NthWeekday, Recurrence};

/// A rule that finds no day for so long finds none. The longest that a rule may rest is eight years: 29 February around 2100.
const MAX_YEARS: i16 = 40;

/// The days of a rule, in order.
#[derive(Debug)]
pub struct Days<'r> {
    rule: &'r Recurrence,
    start: Date,
    /// The next period to look at, counted from that of the start.
    period: i32,
    /// What is left of the period before.
    ready: std::vec::IntoIter<Date>,
    /// How many more there may be.
    left: u32,
    /// The last day that was found, or the start.
    last: Date,
}

impl<'r> Days<'r> {
    pub(super) fn new(rule: &'r Recurrence, start: Date) -> Self {
        Self { rule, start, period: 0, ready: Vec::new().into_iter(), left: rule.count.unwrap_or(u32::MAX), last: start }
    }
}

impl Iterator for Days<'_> {
    type Item = Date;

    fn next(&mut self) -> Option<Date> {
        while self.left > 0 {
            if let Some(day) = self.ready.by_ref().find(|day| *day >= self.start) {
                self.left -= 1;
                self.last = day;
                return Some(day);
            }
            let (first, days) = self.rule.period(self.start, self.period)?;
            if first.year() > self.last.year().saturating_add(MAX_YEARS) {
                return None;
            }
            self.period = self.period.checked_add(1)?;
            self.ready = days.into_iter();
        }
        None
    }
}

impl Recurrence {
    /// The `n`-th period: its first day, and the days that are meant in it. `None` where the calendar ends.
    fn period(&self, start: Date, n: i32) -> Option<(Date, Vec<Date>)> {
        let steps = n.checked_mul(self.interval)?;
        let (first, days) = match self.frequency {
            Frequency::Daily => {
                let day = start.checked_add(steps.days()).ok()?;
                (day, vec![day].into_iter().filter(|day| self.allows(*day)).collect())
            }
            Frequency::Weekly => {
                let into_week = start.weekday().since(self.week_start);
                let first = start.checked_sub(i32::from(into_week).days()).ok()?.checked_add(steps.checked_mul(7)?.days()).ok()?;
                (first, self.days_of_week(first, start.weekday()))
            }
            Frequency::Monthly => {
                let first = start.first_of_month().checked_add(steps.months()).ok()?;
                (first, self.days_of_month(first, start))
            }
            Frequency::Yearly => {
                let first = date(start.year(), 1, 1).checked_add(steps.years()).ok()?;
                (first, self.days_of_year(first, start))
            }
        };
        Some((first, self.in_their_places(days)))
    }

    fn allows(&self, day: Date) -> bool {
        let is_month_day = |wanted: &i8| *wanted == day.day() || *wanted == day.day() - day.days_in_month() - 1;
        self.allows_month(day)
            && (self.month_days.is_empty() || self.month_days.iter().any(is_month_day))
            && (self.days.is_empty() || self.days.iter().any(|wanted| wanted.is(day)))
    }

    fn allows_month(&self, day: Date) -> bool {
        self.months.is_empty() || self.months.contains(&day.month())
    }

    fn days_of_week(&self, first: Date, usual: Weekday) -> Vec<Date> {
        let week = (0..7_i32).filter_map(|n| first.checked_add(n.days()).ok());
        let is_meant =
            |day: &Date| if self.days.is_empty() { day.weekday() == usual && self.allows_month(*day) } else { self.allows(*day) };
        week.filter(is_meant).collect()
    }

    fn days_of_month(&self, first: Date, start: Date) -> Vec<Date> {
        if !self.allows_month(first) {
            return Vec::new();
        }
        let days = (1..=first.days_in_month()).filter_map(|day| Date::new(first.year(), first.month(), day).ok());
        let is_usual = self.days.is_empty() && self.month_days.is_empty();
        days.filter(|day| if is_usual { day.day() == start.day() } else { self.allows(*day) }).collect()
    }

    fn days_of_year(&self, first: Date, start: Date) -> Vec<Date> {
        let is_usual = self.months.is_empty() && self.month_days.is_empty();
        let months = (1..=12_i8).filter(|month| !is_usual || *month == start.month());
        let months = months.filter_map(|month| Date::new(first.year(), month, 1).ok());
        months.flat_map(|month| self.days_of_month(month, start)).collect()
    }

    fn in_their_places(&self, days: Vec<Date>) -> Vec<Date> {
        if self.places.is_empty() {
            return days;
        }
        let place = |place: &i16| {
            let from = if *place > 0 { i64::from(*place) - 1 } else { i64::try_from(days.len()).ok()? + i64::from(*place) };
            days.get(usize::try_from(from).ok()?).copied()
        };
        let mut chosen: Vec<Date> = self.places.iter().filter_map(place).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

impl NthWeekday {
    fn is(&self, day: Date) -> bool {
        let from_begin = (day.day() - 1) / 7 + 1;
        let from_end = -((day.days_in_month() - day.day()) / 7 + 1);
        self.day == day.weekday() && self.nth.is_none_or(|nth| nth == from_begin || nth == from_end)
    }
}
