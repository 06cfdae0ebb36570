//! The zone in which whoever asks reads and writes times: their own, or that of the page.

use std::fmt;

use askama::{FastWritable, Values, filters::HtmlSafe};
use domain::Timestamp;
use jiff::{ZonedDateTime, civil::DateTime, tz::TimeZone};

use super::{Console, session::Person};

tokio::task_local! {
    /// For everything that is made while one request is answered.
    static ZONE: TimeZone;
}

/// The zone of this person; the page's for visitors and for whoever has chosen none.
pub(super) fn of(console: &Console, person: Option<&Person>) -> TimeZone {
    let own = person.and_then(|person| person.time_zone.as_deref()).and_then(|name| TimeZone::get(name).ok());
    own.unwrap_or_else(|| console.page.zone())
}

/// What a zone is called.
pub(super) fn name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// The names of zones that are offered: places, and UTC.
pub(super) fn offered() -> Vec<String> {
    let places = jiff::tz::db().available().map(|name| name.to_string()).filter(|name| name.contains('/') && name != "Etc/UTC");
    ["UTC".to_owned()].into_iter().chain(places).collect()
}

/// Answers a request in a zone.
pub(super) async fn within<F: Future>(zone: TimeZone, answer: F) -> F::Output {
    ZONE.scope(zone, answer).await
}

/// The same for what is made later than the rest of an answer.
pub(super) fn within_now<T>(zone: TimeZone, make: impl FnOnce() -> T) -> T {
    ZONE.sync_scope(zone, make)
}

/// The zone of whoever is answered.
pub(super) fn current() -> TimeZone {
    ZONE.try_with(Clone::clone).unwrap_or(TimeZone::UTC)
}

/// A time as people read it: an element in templates, words elsewhere. There may be none; then it is empty.
#[derive(Clone, Debug)]
pub(super) struct When(Option<ZonedDateTime>);

/// A time in the zone of whoever is answered.
pub(super) fn time(at: Timestamp) -> When {
    When(Some(at.to_jiff().to_zoned_datetime(current())))
}

impl When {
    /// No time.
    pub(super) const NONE: Self = Self(None);
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |at| write!(f, "{}", at.strftime("%-d %b %Y, %H:%M %Z")))
    }
}

/// Digits, names of months and zones: nothing that could be markup.
impl HtmlSafe for When {}

impl FastWritable for When {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        let Some(at) = &self.0 else { return Ok(()) };
        write!(dest, "<time datetime=\"{}\">{self}</time>", at.timestamp())?;
        Ok(())
    }
}

/// A time as the field of a browser has it: `2026-11-24T17:05`.
pub(super) fn to_field(at: Timestamp) -> String {
    at.to_jiff().to_zoned_datetime(current()).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Reads the same; `None` if it is no such time. Where clocks go forward, a time that they leave out is as much later.
pub(super) fn from_field(text: &str) -> Option<Timestamp> {
    let at = text.contains('T').then(|| text.parse::<DateTime>().ok()).flatten()?;
    at.to_zoned_datetime(current()).ok().map(|at| Timestamp(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paris<T>(make: impl FnOnce() -> T) -> T {
        within_now(TimeZone::get("Europe/Paris").unwrap(), make)
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn times_are_read_and_written_in_one_zone() {
        let (winter, summer) = (at("2026-11-24T16:05:00Z"), at("2026-07-01T16:05:00Z"));
        assert_eq!(
            paris(|| (time(winter).to_string(), time(summer).to_string())),
            ("24 Nov 2026, 17:05 CET".into(), "1 Jul 2026, 18:05 CEST".into())
        );
        assert_eq!(time(winter).to_string(), "24 Nov 2026, 16:05 UTC");
        assert_eq!(paris(|| (to_field(winter), from_field("2026-11-24T17:05"))), ("2026-11-24T17:05".to_owned(), Some(winter)));
        assert_eq!(paris(|| from_field("2026-07-01T18:05:30")), Some(at("2026-07-01T16:05:30Z")));
        assert_eq!(from_field("2026-11-24T16:05"), Some(winter));
        // On 29 March there is no half past two, on 25 October there are two.
        assert_eq!(paris(|| from_field("2026-03-29T02:30")), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(paris(|| from_field("2026-10-25T02:30")), Some(at("2026-10-25T00:30:00Z")));
        for wrong in ["", "tomorrow", "2026-11-24", "2026-13-01T00:00", "2026-11-24T25:00", "2026-11-24T17:05Z"] {
            assert_eq!(paris(|| from_field(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_template_gets_an_element_that_programs_read() {
        #[derive(askama::Template)]
        #[template(source = "{{ at }}|{{ none }}", ext = "html")]
        struct Shown {
            at: When,
            none: When,
        }
        let shown = paris(|| Shown { at: time(at("2026-11-24T16:05:00Z")), none: When::NONE });
        let html = askama::Template::render(&shown).unwrap();
        assert_eq!(html, "<time datetime=\"2026-11-24T16:05:00Z\">24 Nov 2026, 17:05 CET</time>|");
    }
}
