//! `/history`: everything that is over, by month and day, in pages.

use std::cmp::Reverse;

use askama::Template;
use domain::{HISTORY_PAGE, Maintenance, MaintenanceStatus, PageHistory, PageIncident};

use super::{
    View,
    incidents::IncidentCard,
    past::{PastDay, by_day},
};
use crate::page::site::Site;

/// One page of the history.
#[derive(Template)]
#[template(path = "page/history.html")]
pub(crate) struct History<'a> {
    site: &'a Site,
    /// 1 is the newest.
    page: usize,
    open: Vec<IncidentCard<'a>>,
    months: Vec<Month<'a>>,
    /// Whether there is an older page.
    older: bool,
}

struct Month<'a> {
    /// "November 2026".
    title: String,
    /// "2026-11".
    id: String,
    /// "Nothing in October 2026": the months between this one and the one above it.
    quiet: Option<String>,
    days: Vec<PastDay<'a>>,
}

impl<'a> History<'a> {
    /// The first page, from the snapshot, which holds at least one entry more than fits here if there are that many.
    pub(crate) fn newest(view: &View<'a>) -> Self {
        let incidents = view.data.incidents.iter().filter(|shown| shown.incident.status.is_over());
        let maintenances = view.data.maintenances.iter().filter(|maintenance| maintenance.status == MaintenanceStatus::Completed);
        let mut entries: Vec<Entry<'a>> = incidents.map(Entry::Incident).chain(maintenances.map(Entry::Maintenance)).collect();
        entries.sort_by_key(Entry::order);
        let older = entries.len() > HISTORY_PAGE;
        entries.truncate(HISTORY_PAGE);
        let open = view.data.incidents.iter().filter(|shown| !shown.incident.status.is_over());
        let open = open.map(|shown| IncidentCard::new(shown, view)).collect();
        let this_month = months_since_zero(view.site, view.site.today());
        Self { site: view.site, page: 1, open, months: months(&entries, Some(this_month), view), older }
    }

    /// An older page.
    pub(crate) fn older(page: usize, history: &'a PageHistory, view: &View<'a>) -> Self {
        let entries: Vec<Entry<'a>> =
            history.incidents.iter().map(Entry::Incident).chain(history.maintenances.iter().map(Entry::Maintenance)).collect();
        Self { site: view.site, page, open: Vec::new(), months: months(&entries, None, view), older: history.older }
    }
}

/// What happened once.
enum Entry<'a> {
    Incident(&'a PageIncident),
    Maintenance(&'a Maintenance),
}

impl Entry<'_> {
    /// Newest first; the same order as in `storage::page::history`, so that pages neither overlap nor leave gaps.
    fn order(&self) -> (Reverse<i64>, u8, Reverse<i64>) {
        match self {
            Self::Incident(shown) => (Reverse(shown.incident.started_at.0), 0, Reverse(shown.incident.id.0)),
            Self::Maintenance(maintenance) => (Reverse(maintenance.starts_at.0), 1, Reverse(maintenance.id.0)),
        }
    }
}

fn months_since_zero(site: &Site, day: i32) -> i32 {
    let date = site.date(day);
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

fn words(site_month: i32) -> String {
    date(site_month).strftime("%B %Y").to_string()
}

fn date(month: i32) -> jiff::civil::Date {
    let year = i16::try_from(month.div_euclid(12)).unwrap_or(1970);
    jiff::civil::date(year, i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1), 1)
}

/// `above` is the month from which on silence is told.
fn months<'a>(entries: &[Entry<'a>], above: Option<i32>, view: &View<'a>) -> Vec<Month<'a>> {
    let incidents = entries.iter().filter_map(|entry| if let Entry::Incident(shown) = entry { Some(*shown) } else { None });
    let maintenances = entries.iter().filter_map(|entry| if let Entry::Maintenance(shown) = entry { Some(*shown) } else { None });
    let mut list: Vec<Month<'a>> = Vec::new();
    let (mut current, mut expected) = (None, above);
    for (day, found) in by_day(incidents, maintenances, view).into_iter().rev() {
        let month = months_since_zero(view.site, day);
        if current != Some(month) {
            let quiet = expected.filter(|expected| *expected > month).map(|last| quiet(month + 1, last));
            list.push(Month { title: words(month), id: date(month).strftime("%Y-%m").to_string(), quiet, days: Vec::new() });
            (current, expected) = (Some(month), Some(month - 1));
        }
        if let Some(last) = list.last_mut() {
            last.days.push(found);
        }
    }
    list
}

fn quiet(first: i32, last: i32) -> String {
    match (first == last, first.div_euclid(12) == last.div_euclid(12)) {
        (true, _) => format!("Nothing in {}", words(last)),
        (false, true) => format!("Nothing from {} to {}", date(first).strftime("%B"), words(last)),
        (false, false) => format!("Nothing from {} to {}", words(first), words(last)),
    }
}
