//! Planned windows.

use domain::{Maintenance, MaintenanceStatus, SeriesId, Status};

use super::{View, incidents::Affected};
use crate::page::{markdown, site::span_words};

/// A maintenance as every page shows it.
#[derive(Debug)]
pub(crate) struct MaintenanceCard<'a> {
    pub(crate) id: i64,
    pub(crate) title: &'a str,
    pub(crate) status: &'static str,
    /// `<time>` elements.
    pub(crate) window: String,
    pub(crate) length: String,
    /// Clean HTML.
    pub(crate) body: String,
    pub(crate) affected: Vec<Affected<'a>>,
    /// The first and last day it touched, for the details of bars.
    pub(crate) days: (i32, i32),
    /// Ids of the affected components, separated by spaces, for the details of bars.
    pub(crate) ids: String,
    /// The series that it belongs to.
    pub(crate) series: Option<SeriesId>,
}

impl<'a> MaintenanceCard<'a> {
    pub(crate) fn new(maintenance: &'a Maintenance, view: &View<'a>) -> Self {
        let affected = maintenance.components.iter().filter_map(|id| Affected::new(view, *id, Status::UnderMaintenance)).collect();
        Self {
            id: maintenance.id.0,
            title: &maintenance.title,
            status: match maintenance.status {
                MaintenanceStatus::Scheduled => "Scheduled",
                MaintenanceStatus::InProgress => "In progress",
                MaintenanceStatus::Completed => "Completed",
                MaintenanceStatus::Cancelled => "Cancelled",
            },
            window: view.site.window(maintenance.starts_at, maintenance.ends_at),
            length: span_words(maintenance.ends_at.since(maintenance.starts_at)),
            body: markdown(&maintenance.body),
            affected,
            days: view.days(maintenance.starts_at, Some(maintenance.ends_at)),
            ids: view.ids(&maintenance.components),
            series: maintenance.occurrence.map(|occurrence| occurrence.series),
        }
    }
}
