//! Atom and RSS: one entry per incident and maintenance, whose id never changes.

use std::cmp::Reverse;

use askama::Template;
use domain::{MaintenanceStatus, Timestamp};

use super::{
    site::Site,
    view::{IncidentCard, MaintenanceCard, View, html},
};

/// How many entries a feed holds.
const MAX_ENTRIES: usize = 50;

/// One entry.
struct Entry {
    /// A `tag:` address (RFC 4151): the same for as long as the page keeps its host.
    id: String,
    link: String,
    title: String,
    published: Timestamp,
    updated: Timestamp,
    /// HTML.
    content: String,
}

#[derive(Template)]
#[template(path = "page/history.atom.xml")]
struct Atom<'a> {
    site: &'a Site,
    updated: Timestamp,
    entries: &'a [Entry],
}

#[derive(Template)]
#[template(path = "page/history.rss.xml")]
struct Rss<'a> {
    site: &'a Site,
    updated: Timestamp,
    entries: &'a [Entry],
}

#[derive(Template)]
#[template(path = "page/feed_incident.html")]
struct IncidentContent<'a> {
    incident: IncidentCard<'a>,
}

#[derive(Template)]
#[template(path = "page/feed_maintenance.html")]
struct MaintenanceContent<'a> {
    maintenance: MaintenanceCard<'a>,
}

pub(super) fn atom(view: &View<'_>) -> String {
    let entries = entries(view);
    html(&Atom { site: view.site, updated: updated(view, &entries), entries: &entries })
}

pub(super) fn rss(view: &View<'_>) -> String {
    let entries = entries(view);
    html(&Rss { site: view.site, updated: updated(view, &entries), entries: &entries })
}

fn updated(view: &View<'_>, entries: &[Entry]) -> Timestamp {
    entries.iter().map(|entry| entry.updated).max().unwrap_or(view.site.updated_at)
}

fn entries(view: &View<'_>) -> Vec<Entry> {
    let site = view.site;
    let incidents = view.data.incidents.iter().map(|shown| Entry {
        id: format!("tag:{},2026:incident/{}", site.host, shown.incident.id),
        link: format!("{}/incidents/{}", site.base, shown.incident.id),
        title: shown.incident.title.clone(),
        published: shown.incident.started_at,
        updated: shown.incident.updated_at,
        content: html(&IncidentContent { incident: IncidentCard::new(shown, view) }),
    });
    let told = view.data.maintenances.iter().filter(|maintenance| maintenance.status != MaintenanceStatus::Cancelled);
    let maintenances = told.map(|maintenance| Entry {
        id: format!("tag:{},2026:maintenance/{}", site.host, maintenance.id),
        link: format!("{}/maintenances/{}", site.base, maintenance.id),
        title: format!("Maintenance: {}", maintenance.title),
        published: maintenance.created_at,
        updated: maintenance.updated_at,
        content: html(&MaintenanceContent { maintenance: MaintenanceCard::new(maintenance, view) }),
    });
    let mut entries: Vec<Entry> = incidents.chain(maintenances).collect();
    entries.sort_by_key(|entry| Reverse(entry.updated));
    entries.truncate(MAX_ENTRIES);
    entries
}
