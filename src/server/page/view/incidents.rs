//! Incidents with their timelines.

use domain::{ComponentId, IncidentStatus, IncidentUpdate, PageIncident, Status};

use super::{View, label, shape};
use crate::page::{markdown, site::span_words};

/// A component that something happened to.
#[derive(Debug)]
pub(crate) struct Affected<'a> {
    pub(crate) id: i64,
    pub(crate) name: &'a str,
    pub(crate) class: &'static str,
    pub(crate) label: &'static str,
}

impl<'a> Affected<'a> {
    pub(crate) fn new(view: &View<'a>, id: ComponentId, status: Status) -> Option<Self> {
        let component = view.component(id)?;
        Some(Self { id: id.0, name: &component.name, class: status.as_str(), label: label(status) })
    }
}

/// An incident as every page shows it.
#[derive(Debug)]
pub(crate) struct IncidentCard<'a> {
    pub(crate) id: i64,
    pub(crate) href: String,
    pub(crate) title: &'a str,
    pub(crate) class: &'static str,
    pub(crate) status: &'static str,
    pub(crate) over: bool,
    /// It was over before anybody knew of it.
    pub(crate) added_later: bool,
    /// `<time>`: when it began.
    pub(crate) since: String,
    /// How long it took, once it is over.
    pub(crate) lasted: Option<String>,
    pub(crate) affected: Vec<Affected<'a>>,
    pub(crate) timeline: Vec<Entry>,
    /// The first and last day it touched, for the details of bars.
    pub(crate) days: (i32, i32),
    /// Ids of the affected components, separated by spaces, for the details of bars.
    pub(crate) ids: String,
}

/// An entry of a timeline.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) status: &'static str,
    /// `<time>`.
    pub(crate) at: String,
    /// Clean HTML.
    pub(crate) body: String,
}

impl<'a> IncidentCard<'a> {
    pub(crate) fn new(shown: &'a PageIncident, view: &View<'a>) -> Self {
        let incident = &shown.incident;
        let site = view.site;
        let affected: Vec<Affected<'a>> = incident.components.iter().filter_map(|(id, status)| Affected::new(view, *id, *status)).collect();
        let worst = incident.components.values().max().copied().filter(|status| *status != Status::Operational);
        Self {
            id: incident.id.0,
            href: format!("/incidents/{}", incident.id),
            title: &incident.title,
            class: worst.map_or(shape(incident.impact), Status::as_str),
            status: status_label(incident.status),
            added_later: incident.added_at.is_some(),
            over: incident.status.is_over(),
            since: site.time(&incident.started_at),
            lasted: incident.resolved_at.map(|end| span_words(end.since(incident.started_at))),
            affected,
            timeline: shown.updates.iter().map(|update| Entry::new(update, view)).collect(),
            days: view.days(incident.started_at, incident.resolved_at),
            ids: view.ids(incident.components.keys()),
        }
    }
}

impl Entry {
    fn new(update: &IncidentUpdate, view: &View<'_>) -> Self {
        Self { status: status_label(update.status), at: view.site.time(&update.at), body: markdown(&update.body) }
    }
}

pub(crate) const fn status_label(status: IncidentStatus) -> &'static str {
    match status {
        IncidentStatus::Investigating => "Investigating",
        IncidentStatus::Identified => "Identified",
        IncidentStatus::Monitoring => "Monitoring",
        IncidentStatus::Resolved => "Resolved",
        IncidentStatus::Postmortem => "Postmortem",
    }
}
