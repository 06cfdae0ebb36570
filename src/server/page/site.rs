//! What every document of one version shares: the page's name, its address, and how it writes times.

use domain::{ImageMark, PageData, Span, Timestamp};
use jiff::{ZonedDateTime, civil::Date, tz::TimeZone};
use url::Url;

use super::{
    assets,
    embed::Theme,
    look::{Look, harmless_url},
};

/// What every document of one version shares.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Empty unless it leads to a web page or a mailbox.
    pub(crate) support_url: String,
    pub(crate) look: Look,
    /// The colours of a page that is only shown as it would be, without scripts; `None` for the page itself.
    pub(crate) draft: Option<Theme>,
    /// The page's address without a slash at its end.
    pub(crate) base: String,
    pub(crate) host: String,
    pub(crate) https: bool,
    pub(crate) zone: TimeZone,
    pub(crate) zone_name: String,
    pub(crate) version: i64,
    pub(crate) as_of: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Since when the database has been out of reach.
    pub(crate) stale: Option<Timestamp>,
    pub(crate) assets: &'static assets::Links,
}

impl Site {
    pub(crate) fn new(data: &PageData, base_url: &Url, stale: Option<Timestamp>) -> Self {
        let found = TimeZone::get(&data.settings.time_zone).ok();
        let zone_name = if found.is_some() { data.settings.time_zone.clone() } else { "Etc/UTC".to_owned() };
        Self {
            name: data.settings.name.clone(),
            description: data.settings.description.clone(),
            support_url: harmless_url(&data.settings.support_url).unwrap_or_default(),
            look: Look::new(&data.settings, ImageMark::path),
            draft: None,
            base: base_url.as_str().trim_end_matches('/').to_owned(),
            host: base_url.host_str().unwrap_or_default().to_owned(),
            https: base_url.scheme() == "https",
            zone: found.unwrap_or(TimeZone::UTC),
            zone_name,
            version: data.version,
            as_of: data.as_of,
            updated_at: data.updated_at,
            stale,
            assets: assets::links(),
        }
    }

    /// The colours that were chosen for a draft of the page.
    pub(crate) fn theme(&self) -> Option<&'static str> {
        self.draft.and_then(Theme::attribute)
    }

    /// The day on which the data was loaded, as days since 1970-01-01 in the page's zone.
    pub(crate) fn today(&self) -> i32 {
        self.day(self.as_of)
    }

    /// The day `at` falls on in the page's zone.
    pub(crate) fn day(&self, at: Timestamp) -> i32 {
        at.day_in(&self.zone)
    }

    /// The day's date.
    pub(crate) fn date(&self, day: i32) -> Date {
        jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(day))
    }

    /// "12 November", with the year if it is not this one.
    pub(crate) fn date_words(&self, day: i32) -> String {
        let date = self.date(day);
        let same_year = date.year() == self.date(self.today()).year();
        date.strftime(if same_year { "%-d %B" } else { "%-d %B %Y" }).to_string()
    }

    fn zoned(&self, at: &Timestamp) -> ZonedDateTime {
        at.to_jiff().to_zoned_datetime(self.zone.clone())
    }

    /// A `<time>` element: date and time in the page's zone, which scripts turn into "5 min ago" for the last day.
    pub(crate) fn time(&self, at: &Timestamp) -> String {
        format!("<time datetime=\"{at}\" data-t=\"ago\">{}</time>", self.zoned(at).strftime("%-d %b %Y, %H:%M %Z"))
    }

    /// A `<time>` element that stays absolute: "14:02", with the date if it is not today.
    pub(crate) fn clock(&self, at: &Timestamp) -> String {
        let format = if self.day(*at) == self.today() { "%H:%M" } else { "%-d %b, %H:%M" };
        format!("<time datetime=\"{at}\" data-t=\"clock\">{}</time>", self.zoned(at).strftime(format))
    }

    /// Two `<time>` elements: "28 Nov 2026, 02:00 to 04:00 CET".
    pub(crate) fn window(&self, from: Timestamp, to: Timestamp) -> String {
        let end = if self.day(from) == self.day(to) { "%H:%M %Z" } else { "%-d %b %Y, %H:%M %Z" };
        format!(
            "<time datetime=\"{from}\" data-t=\"full\">{}</time> to <time datetime=\"{to}\" data-t=\"{}\">{}</time>",
            self.zoned(&from).strftime("%-d %b %Y, %H:%M"),
            if self.day(from) == self.day(to) { "end" } else { "full" },
            self.zoned(&to).strftime(end),
        )
    }

    /// RFC 3339 with seconds, as Atom wants it.
    pub(crate) fn rfc3339(&self, at: &Timestamp) -> String {
        at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// RFC 2822, as RSS wants it.
    pub(crate) fn rfc2822(&self, at: &Timestamp) -> String {
        at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
    }
}

/// "23 min", "1 h 12 min", "2 d 3 h": the two largest units.
pub(crate) fn span_words(span: Span) -> String {
    let minutes = span.0 / 60_000;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
