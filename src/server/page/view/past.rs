//! What happened on past days, newest first, with empty days folded.

use std::collections::BTreeMap;

use domain::{BAR_DAYS, Maintenance, MaintenanceStatus, PAST_DAYS, PageIncident};

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
    let oldest = oldest_day(view);
    let incidents = over(view).filter(|shown| view.site.day(shown.incident.started_at) >= oldest);
    let maintenances = completed(view).filter(|maintenance| view.site.day(maintenance.starts_at) >= oldest);
    let mut days = by_day(incidents, maintenances, view);
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
    if list.is_empty() {
        return vec![Past::Quiet(format!("No incidents in the last {PAST_DAYS} days"))];
    }
    list.extend(quiet_until.map(|until| quiet(oldest, until, view)));
    list
}

/// The first of the days that are listed.
fn oldest_day(view: &View<'_>) -> i32 {
    view.site.today() - i32::try_from(PAST_DAYS).unwrap_or(15) + 1
}

fn over<'a>(view: &View<'a>) -> impl Iterator<Item = &'a PageIncident> + use<'a> {
    view.data.incidents.iter().filter(|shown| shown.incident.status.is_over())
}

fn completed<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Maintenance> + use<'a> {
    view.data.maintenances.iter().filter(|maintenance| maintenance.status == MaintenanceStatus::Completed)
}

/// A link to what is too old for the list of past days and yet within the bars, whose details name it.
#[derive(Debug)]
pub(crate) struct Earlier<'a> {
    pub(crate) href: String,
    pub(crate) title: &'a str,
    /// The first and last day it touched.
    pub(crate) days: (i32, i32),
    /// Ids of the affected components, separated by spaces.
    pub(crate) ids: String,
}

/// Everything that is too old for the list of past days and yet within the bars.
pub(crate) fn earlier<'a>(view: &View<'a>) -> Vec<Earlier<'a>> {
    let (site, oldest) = (view.site, oldest_day(view));
    let within = |days: (i32, i32)| days.0 < oldest && days.1 > site.today() - BAR_DAYS;
    let incidents = over(view).map(|shown| Earlier {
        href: format!("/incidents/{}", shown.incident.id),
        title: &shown.incident.title,
        days: view.days(shown.incident.started_at, shown.incident.resolved_at),
        ids: view.ids(shown.incident.components.keys()),
    });
    let maintenances = completed(view).map(|maintenance| Earlier {
        href: format!("/maintenances/{}", maintenance.id),
        title: &maintenance.title,
        days: view.days(maintenance.starts_at, Some(maintenance.ends_at)),
        ids: view.ids(&maintenance.components),
    });
    incidents.chain(maintenances).filter(|earlier| within(earlier.days) && !earlier.ids.is_empty()).collect()
}

/// These, by the day they began on.
pub(crate) fn by_day<'a>(
    incidents: impl Iterator<Item = &'a PageIncident>,
    maintenances: impl Iterator<Item = &'a Maintenance>,
    view: &View<'a>,
) -> BTreeMap<i32, PastDay<'a>> {
    let mut days: BTreeMap<i32, PastDay<'a>> = BTreeMap::new();
    let site = view.site;
    for shown in incidents {
        days.entry(site.day(shown.incident.started_at)).or_default().incidents.push(IncidentCard::new(shown, view));
    }
    for maintenance in maintenances {
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
