//! A rule in words.

use jiff::civil::Weekday;

use super::{Frequency, NthWeekday, Recurrence, Until};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

impl Recurrence {
    /// The rule as people say it: `every 2 weeks on Tuesday and Thursday, 10 times`. What the first window says and the rule does not,
    /// such as the day of the week, is not in it.
    #[must_use]
    pub fn words(&self) -> String {
        let unit = match self.frequency {
            Frequency::Daily => "day",
            Frequency::Weekly => "week",
            Frequency::Monthly => "month",
            Frequency::Yearly => "year",
        };
        let mut text = if self.interval == 1 { format!("every {unit}") } else { format!("every {} {unit}s", self.interval) };
        if !self.months.is_empty() {
            text.push_str(&format!(" in {}", joined(self.months.iter().map(|month| month_name(*month).to_owned()), "and")));
        }
        let mut days: Vec<String> = Vec::new();
        if !self.month_days.is_empty() {
            days.push(format!("the {} of the month", joined(self.month_days.iter().map(|day| month_day(*day)), "or")));
        }
        if !self.days.is_empty() {
            days.push(joined(self.days.iter().map(NthWeekday::words), if self.places.is_empty() { "and" } else { "or" }));
        }
        if !days.is_empty() {
            text.push_str(&format!(" on {}", days.join(", if it is ")));
        }
        if !self.places.is_empty() {
            text.push_str(&format!(", only the {} of these", joined(self.places.iter().map(|place| ordinal(i32::from(*place))), "and")));
        }
        match (self.count, self.until) {
            (Some(1), _) => text.push_str(", once"),
            (Some(count), _) => text.push_str(&format!(", {count} times")),
            (None, Some(until)) => text.push_str(&format!(", until {}", until.words())),
            (None, None) => {}
        }
        text
    }
}

impl NthWeekday {
    fn words(&self) -> String {
        let day = match self.day {
            Weekday::Monday => "Monday",
            Weekday::Tuesday => "Tuesday",
            Weekday::Wednesday => "Wednesday",
            Weekday::Thursday => "Thursday",
            Weekday::Friday => "Friday",
            Weekday::Saturday => "Saturday",
            Weekday::Sunday => "Sunday",
        };
        self.nth.map_or_else(|| day.to_owned(), |nth| format!("the {} {day}", ordinal(i32::from(nth))))
    }
}

impl Until {
    fn words(self) -> String {
        match self {
            Self::Day(day) => day.strftime("%-d %B %Y").to_string(),
            Self::Local(at) => at.strftime("%-d %B %Y, %H:%M").to_string(),
            Self::Instant(at) => at.to_jiff().strftime("%-d %B %Y, %H:%M UTC").to_string(),
        }
    }
}

fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or_default()
}

fn month_day(day: i8) -> String {
    if day == -1 { "last day".to_owned() } else { ordinal(i32::from(day)) }
}

/// `first`, `last`, `22nd`, `3rd last`.
fn ordinal(n: i32) -> String {
    let numbered = |n: i32| {
        let suffix = match (n % 10, n % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        format!("{n}{suffix}")
    };
    match n {
        -1 => "last".to_owned(),
        n if n < 0 => format!("{} last", numbered(-n)),
        n => numbered(n),
    }
}

fn joined(items: impl Iterator<Item = String>, word: &str) -> String {
    let items: Vec<String> = items.collect();
    match items.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {word} {last}", rest.join(", ")),
    }
}
