//! The pages of one thing, and errors.

use askama::Template;
use domain::{BAR_DAYS, ComponentId, Maintenance, MaintenanceStatus, PageComponent, PageIncident, Status, postmortem_of};

use super::{
    View,
    components::Row,
    incidents::{Entry, IncidentCard},
    maintenances::MaintenanceCard,
    past::PastDay,
};
use crate::page::site::{Site, span_words};

/// `/incidents/{id}`.
#[derive(Template)]
#[template(path = "page/incident.html")]
pub(crate) struct IncidentPage<'a> {
    site: &'a Site,
    /// Its timeline without the postmortem.
    incident: IncidentCard<'a>,
    postmortem: Option<Entry>,
}

impl<'a> IncidentPage<'a> {
    pub(crate) fn new(shown: &'a PageIncident, view: &View<'a>) -> Self {
        let mut incident = IncidentCard::new(shown, view);
        let learned = postmortem_of(&shown.updates).and_then(|learned| shown.updates.iter().position(|update| update.id == learned.id));
        let postmortem = learned.map(|at| incident.timeline.remove(at));
        Self { site: view.site, incident, postmortem }
    }
}

/// `/maintenances/{id}`.
#[derive(Template)]
#[template(path = "page/maintenance.html")]
pub(crate) struct MaintenancePage<'a> {
    site: &'a Site,
    maintenance: MaintenanceCard<'a>,
}

impl<'a> MaintenancePage<'a> {
    pub(crate) fn new(maintenance: &'a Maintenance, view: &View<'a>) -> Self {
        Self { site: view.site, maintenance: MaintenanceCard::new(maintenance, view) }
    }
}

/// `/components/{id}`.
#[derive(Template)]
#[template(path = "page/component.html")]
pub(crate) struct ComponentPage<'a> {
    site: &'a Site,
    row: Row<'a>,
    group: String,
    /// `<time>`: since when it has its status.
    since: String,
    n_days: i32,
    days: Vec<TroubledDay<'a>>,
    open: Vec<IncidentCard<'a>>,
    past: PastDay<'a>,
    /// Maintenance that is coming or under way.
    planned: Vec<MaintenanceCard<'a>>,
}

/// One day's line in the table.
struct TroubledDay<'a> {
    date: String,
    class: &'static str,
    /// "41 min major outage", worst first.
    spans: Vec<String>,
    /// What happened: address and title.
    links: Vec<(String, &'a str)>,
}

impl<'a> ComponentPage<'a> {
    pub(crate) fn new(shown: &'a PageComponent, view: &View<'a>) -> Self {
        let component = &shown.component;
        let row = Row::new(shown, view);
        let (open, past) = incidents_of(component.id, view);
        let (planned, done) = maintenances_of(component.id, view);
        let past = PastDay { date: String::new(), incidents: past, maintenances: done };
        Self {
            site: view.site,
            group: view.group_path(component.group, " / "),
            since: view.site.clock(&component.status_since),
            n_days: BAR_DAYS - row.bars.from,
            days: troubled(shown, &open, &past, view.site),
            open,
            past,
            planned,
            row,
        }
    }
}

/// The component's open incidents, and those that the bars reach back to.
fn incidents_of<'a>(component: ComponentId, view: &View<'a>) -> (Vec<IncidentCard<'a>>, Vec<IncidentCard<'a>>) {
    let concerned = view.data.incidents.iter().filter(|shown| shown.incident.components.contains_key(&component));
    let within = concerned.filter(|shown| shown.incident.resolved_at.is_none_or(|end| view.site.day(end) > last_without_bar(view)));
    within.map(|shown| IncidentCard::new(shown, view)).partition(|card| !card.over)
}

/// The component's coming and running maintenance, and what is done and the bars reach back to, newest first.
fn maintenances_of<'a>(component: ComponentId, view: &View<'a>) -> (Vec<MaintenanceCard<'a>>, Vec<MaintenanceCard<'a>>) {
    let concerned = view.data.maintenances.iter().filter(|maintenance| maintenance.components.contains(&component));
    let within = concerned.filter(|maintenance| view.site.day(maintenance.ends_at) > last_without_bar(view));
    let told = within.filter(|maintenance| maintenance.status != MaintenanceStatus::Cancelled);
    let (done, planned): (Vec<&Maintenance>, Vec<&Maintenance>) = told.partition(|one| one.status == MaintenanceStatus::Completed);
    let card = |maintenance: &'a Maintenance| MaintenanceCard::new(maintenance, view);
    (planned.into_iter().map(card).collect(), done.into_iter().rev().map(card).collect())
}

fn last_without_bar(view: &View<'_>) -> i32 {
    view.site.today() - BAR_DAYS
}

fn troubled<'a>(shown: &PageComponent, open: &[IncidentCard<'a>], past: &PastDay<'a>, site: &Site) -> Vec<TroubledDay<'a>> {
    let links = |day: i32| -> Vec<(String, &'a str)> {
        let on = |days: (i32, i32)| (days.0..=days.1).contains(&day);
        let incidents = open.iter().chain(&past.incidents).filter(|incident| on(incident.days));
        let incidents = incidents.map(|incident| (format!("/incidents/{}", incident.id), incident.title));
        let maintenances = past.maintenances.iter().filter(|maintenance| on(maintenance.days));
        incidents.chain(maintenances.map(|maintenance| (format!("/maintenances/{}", maintenance.id), maintenance.title))).collect()
    };
    let visible = shown.days.iter().rev().filter(|day| day.worst() != Status::Operational && day.day > site.today() - BAR_DAYS);
    visible
        .map(|day| TroubledDay {
            date: site.date_words(day.day),
            class: day.worst().as_str(),
            spans: [
                (day.major_outage, "major outage"),
                (day.partial_outage, "partial outage"),
                (day.degraded_performance, "degraded performance"),
                (day.unknown, "unknown"),
                (day.under_maintenance, "maintenance"),
            ]
            .into_iter()
            .filter(|(span, _)| span.0 > 0)
            .map(|(span, words)| format!("{} {words}", span_words(span)))
            .collect(),
            links: links(day.day),
        })
        .collect()
}

/// What a reader sees instead of a page.
#[derive(Template)]
#[template(path = "page/error.html")]
pub(crate) struct ErrorPage<'a> {
    pub(crate) site: &'a Site,
    pub(crate) code: u16,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
}
