//! Incidents and maintenances in Statuspage's shape.

use domain::{Impact, IncidentStatus, IncidentUpdate, Maintenance, MaintenanceStatus, PageIncident, Timestamp, postmortem_of};
use serde::Serialize;

use super::{ComponentObject, PER_PAGE, known, leaf, page_id};
use crate::page::{
    short_id::{IdKind, short_id},
    view::View,
};

#[derive(Serialize)]
pub(in crate::page) struct Incident<'a> {
    id: String,
    name: &'a str,
    status: &'static str,
    created_at: String,
    updated_at: String,
    monitoring_at: Option<String>,
    resolved_at: Option<String>,
    impact: &'static str,
    shortlink: String,
    started_at: String,
    page_id: String,
    incident_updates: Vec<Update<'a>>,
    components: Vec<ComponentObject<'a>>,
    reminder_intervals: Option<()>,
    #[serde(flatten)]
    postmortem: Option<Postmortem<'a>>,
}

/// What was learned, once it is published. Incidents without one do not carry these keys.
#[derive(Serialize)]
struct Postmortem<'a> {
    postmortem_body: &'a str,
    postmortem_body_last_updated_at: String,
    postmortem_ignored: bool,
    postmortem_published_at: String,
}

impl<'a> From<&'a IncidentUpdate> for Postmortem<'a> {
    fn from(entry: &'a IncidentUpdate) -> Self {
        Self {
            postmortem_body: &entry.body,
            postmortem_body_last_updated_at: entry.edited_at.unwrap_or(entry.at).to_string(),
            postmortem_ignored: false,
            postmortem_published_at: entry.at.to_string(),
        }
    }
}

/// An incident with a planned window.
#[derive(Serialize)]
pub(in crate::page) struct ScheduledMaintenance<'a> {
    #[serde(flatten)]
    incident: Incident<'a>,
    scheduled_for: String,
    scheduled_until: String,
}

#[derive(Serialize)]
struct Update<'a> {
    id: String,
    status: &'static str,
    body: &'a str,
    incident_id: String,
    created_at: String,
    updated_at: String,
    display_at: String,
    affected_components: Option<Vec<AffectedComponent>>,
    deliver_notifications: bool,
    custom_tweet: Option<()>,
    tweet_id: Option<()>,
}

#[derive(Serialize)]
struct AffectedComponent {
    code: String,
    name: String,
    old_status: &'static str,
    new_status: &'static str,
}

/// One document's worth of incidents; the first is number 1.
pub(super) fn page<'a>(view: &View<'a>, page: usize) -> Vec<Incident<'a>> {
    view.data.incidents.iter().skip(page.saturating_sub(1) * PER_PAGE).take(PER_PAGE).map(|shown| incident(shown, view)).collect()
}

pub(super) fn unresolved<'a>(view: &View<'a>) -> Vec<Incident<'a>> {
    view.data.incidents.iter().filter(|shown| !shown.incident.status.is_over()).map(|shown| incident(shown, view)).collect()
}

/// The newest maintenances whose status is `wanted`.
pub(super) fn scheduled<'a>(view: &View<'a>, wanted: impl Fn(&str) -> bool) -> Vec<ScheduledMaintenance<'a>> {
    let told = view.data.maintenances.iter().filter_map(|maintenance| Some((maintenance, status(maintenance.status)?)));
    let mut list: Vec<_> = told.filter(|(_, status)| wanted(status)).collect();
    list.sort_by_key(|(maintenance, _)| std::cmp::Reverse(maintenance.starts_at));
    list.into_iter().take(PER_PAGE).map(|(maintenance, status)| scheduled_maintenance(maintenance, status, view)).collect()
}

fn incident<'a>(shown: &'a PageIncident, view: &View<'a>) -> Incident<'a> {
    let incident = &shown.incident;
    let id = short_id(IdKind::Incident, incident.id.0);
    let mended = incident.status >= IncidentStatus::Monitoring;
    let monitoring = shown.updates.iter().find(|update| mended && update.status == IncidentStatus::Monitoring);
    Incident {
        name: &incident.title,
        status: incident.status.as_str(),
        created_at: incident.started_at.to_string(),
        updated_at: incident.updated_at.to_string(),
        monitoring_at: monitoring.map(|update| update.at.to_string()),
        resolved_at: incident.resolved_at.map(|at| at.to_string()),
        impact: incident.impact.as_str(),
        shortlink: format!("{}/incidents/{}", view.site.base, incident.id),
        started_at: incident.started_at.to_string(),
        page_id: page_id(),
        incident_updates: shown.updates.iter().map(|each| update(each, &id, view)).collect(),
        components: incident.components.keys().filter_map(|id| view.component(*id)).map(|component| leaf(view, component)).collect(),
        reminder_intervals: None,
        postmortem: postmortem_of(&shown.updates).map(Postmortem::from),
        id,
    }
}

fn update<'a>(update: &'a IncidentUpdate, incident_id: &str, view: &View<'_>) -> Update<'a> {
    let affected: Vec<AffectedComponent> = update
        .components
        .iter()
        .filter_map(|change| {
            let component = view.component(change.component)?;
            let group = view.group_path(component.group, " / ");
            Some(AffectedComponent {
                code: short_id(IdKind::Component, component.id.0),
                name: if group.is_empty() { component.name.clone() } else { format!("{group} - {}", component.name) },
                old_status: known(change.from).as_str(),
                new_status: known(change.to).as_str(),
            })
        })
        .collect();
    Update {
        id: short_id(IdKind::Update, update.id.0),
        body: &update.body,
        affected_components: (!affected.is_empty()).then_some(affected),
        updated_at: update.edited_at.unwrap_or(update.at).to_string(),
        ..entry(String::new(), update.status.as_str(), "", incident_id, update.at)
    }
}

fn entry<'a>(id: String, status: &'static str, body: &'a str, incident_id: &str, at: Timestamp) -> Update<'a> {
    let at = at.to_string();
    Update {
        id,
        status,
        body,
        incident_id: incident_id.to_owned(),
        created_at: at.clone(),
        updated_at: at.clone(),
        display_at: at,
        affected_components: None,
        deliver_notifications: true,
        custom_tweet: None,
        tweet_id: None,
    }
}

const fn status(status: MaintenanceStatus) -> Option<&'static str> {
    match status {
        MaintenanceStatus::Scheduled => Some("scheduled"),
        MaintenanceStatus::InProgress => Some("in_progress"),
        MaintenanceStatus::Completed => Some("completed"),
        MaintenanceStatus::Cancelled => None,
    }
}

fn scheduled_maintenance<'a>(maintenance: &'a Maintenance, status: &'static str, view: &View<'a>) -> ScheduledMaintenance<'a> {
    let id = short_id(IdKind::Maintenance, maintenance.id.0);
    let components = maintenance.components.iter().filter_map(|id| view.component(*id)).map(|component| leaf(view, component)).collect();
    let completed = maintenance.status == MaintenanceStatus::Completed;
    ScheduledMaintenance {
        incident: Incident {
            name: &maintenance.title,
            status,
            created_at: maintenance.created_at.to_string(),
            updated_at: maintenance.updated_at.to_string(),
            monitoring_at: None,
            resolved_at: completed.then(|| maintenance.updated_at.to_string()),
            impact: Impact::Maintenance.as_str(),
            shortlink: format!("{}/maintenances/{}", view.site.base, maintenance.id),
            started_at: maintenance.starts_at.to_string(),
            page_id: page_id(),
            incident_updates: entries(maintenance, &id),
            components,
            reminder_intervals: None,
            postmortem: None,
            id,
        },
        scheduled_for: maintenance.starts_at.to_string(),
        scheduled_until: maintenance.ends_at.to_string(),
    }
}

/// A maintenance has one text; its beginning and end are told by entries of our own, as clients expect.
fn entries<'a>(maintenance: &'a Maintenance, id: &str) -> Vec<Update<'a>> {
    let number = maintenance.id.0;
    let announced = entry(short_id(IdKind::MaintenanceScheduled, number), "scheduled", &maintenance.body, id, maintenance.created_at);
    let began = || entry(short_id(IdKind::MaintenanceStarted, number), "in_progress", "Work has begun.", id, maintenance.starts_at);
    let ended = || entry(short_id(IdKind::MaintenanceCompleted, number), "completed", "Work is done.", id, maintenance.updated_at);
    match maintenance.status {
        MaintenanceStatus::InProgress => vec![began(), announced],
        MaintenanceStatus::Completed => vec![ended(), began(), announced],
        MaintenanceStatus::Scheduled | MaintenanceStatus::Cancelled => vec![announced],
    }
}
