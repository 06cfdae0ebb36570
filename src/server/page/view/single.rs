//! The pages of one thing, and errors.

use askama::Template;
use domain::{BAR_DAYS, Maintenance, PageComponent, PageIncident, Status};

use super::{View, components::Row, incidents::IncidentCard, maintenances::MaintenanceCard};
use crate::page::site::{Site, span_words};

/// `/incidents/{id}`.
#[derive(Template)]
#[template(path = "page/incident.html")]
pub(crate) struct IncidentPage<'a> {
    site: &'a Site,
    incident: IncidentCard<'a>,
}

impl<'a> IncidentPage<'a> {
    pub(crate) fn new(shown: &'a PageIncident, view: &View<'a>) -> Self {
        Self { site: view.site, incident: IncidentCard::new(shown, view) }
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
    days: Vec<TroubledDay>,
    incidents: Vec<IncidentCard<'a>>,
}

/// One day's line in the table; a cell is empty where there was no such time.
struct TroubledDay {
    date: String,
    class: &'static str,
    major: String,
    partial: String,
    degraded: String,
    unknown: String,
    maintenance: String,
}

impl<'a> ComponentPage<'a> {
    pub(crate) fn new(shown: &'a PageComponent, view: &View<'a>) -> Self {
        let component = &shown.component;
        let row = Row::new(shown, view);
        let concerned = view.data.incidents.iter().filter(|candidate| candidate.incident.components.contains_key(&component.id));
        Self {
            site: view.site,
            group: view.group_path(component.group, " / "),
            since: view.site.time(&component.status_since),
            n_days: BAR_DAYS - row.bars.from,
            days: troubled(shown, view.site),
            incidents: concerned.map(|candidate| IncidentCard::new(candidate, view)).collect(),
            row,
        }
    }
}

fn troubled(shown: &PageComponent, site: &Site) -> Vec<TroubledDay> {
    let cell = |span: domain::Span| if span.0 > 0 { span_words(span) } else { String::new() };
    let visible = shown.days.iter().rev().filter(|day| day.worst() != Status::Operational && day.day > site.today() - BAR_DAYS);
    visible
        .map(|day| TroubledDay {
            date: site.date_words(day.day),
            class: day.worst().as_str(),
            major: cell(day.major_outage),
            partial: cell(day.partial_outage),
            degraded: cell(day.degraded_performance),
            unknown: cell(day.unknown),
            maintenance: cell(day.under_maintenance),
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
