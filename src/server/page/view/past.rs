//! What happened on past days, newest first, with empty days folded.

use std::collections::BTreeMap;

use domain::{MaintenanceStatus, PAST_DAYS};

use super::{View, incidents::IncidentCard, maintenances::MaintenanceCard};

/// One day on which something happened, or several on which nothing did.
pub(crate) enum Past<'a> {
    Day(PastDay<'a>),
    /// "No incidents from 3 to 9 November".
    Quiet(String),
}

/// What began on one day.
#[derive(Default)]
pub(crate) struct PastDay<'a> {
    pub(crate) date: String,
    pub(crate) incidents: Vec<IncidentCard<'a>>,
    pub(crate) maintenances: Vec<MaintenanceCard<'a>>,
}

/// The last [`PAST_DAYS`] days.
pub(crate) fn past<'a>(view: &View<'a>) -> Vec<Past<'a>> {
    let today = view.site.today();
    let oldest = today - i32::try_from(PAST_DAYS).unwrap_or(15) + 1;
    let mut days = by_day(view);
    let (mut list, mut quiet_until) = (Vec::new(), None);
    for day in (oldest..=today).rev() {
        match days.remove(&day) {
            Some(found) => {
                list.extend(quiet_until.take().map(|until| quiet(day + 1, until, view)));
                list.push(Past::Day(found));
            }
            None => quiet_until = quiet_until.or(Some(day)),
        }
    }
    list.extend(quiet_until.map(|until| quiet(oldest, until, view)));
    list
}

/// Everything that is over, by the day it began on.
pub(crate) fn by_day<'a>(view: &View<'a>) -> BTreeMap<i32, PastDay<'a>> {
    let mut days: BTreeMap<i32, PastDay<'a>> = BTreeMap::new();
    let site = view.site;
    for shown in view.data.incidents.iter().filter(|shown| shown.incident.status.is_over()) {
        days.entry(site.day(shown.incident.started_at)).or_default().incidents.push(IncidentCard::new(shown, view));
    }
    for maintenance in view.data.maintenances.iter().filter(|maintenance| maintenance.status == MaintenanceStatus::Completed) {
        days.entry(site.day(maintenance.starts_at)).or_default().maintenances.push(MaintenanceCard::new(maintenance, view));
    }
    for (day, found) in &mut days {
        found.date = site.date_words(*day);
    }
    days
}

fn quiet(from: i32, until: i32, view: &View<'_>) -> Past<'static> {
    let site = view.site;
    let today = site.today();
    Past::Quiet(match (from == until, until == today) {
        (true, true) => "No incidents today".to_owned(),
        (true, false) => format!("No incidents on {}", site.date_words(from)),
        (false, true) => format!("No incidents since {}", site.date_words(from)),
        (false, false) if site.date(from).month() == site.date(until).month() => {
            format!("No incidents from {} to {}", site.date(from).day(), site.date_words(until))
        }
        (false, false) => format!("No incidents from {} to {}", site.date_words(from), site.date_words(until)),
    })
}
