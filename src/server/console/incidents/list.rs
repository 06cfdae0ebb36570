//! Incidents in lists.

use std::collections::HashMap;

use domain::{ComponentId, Incident, IncidentId};
use storage::{Connection, StorageError, rows};

use super::worst;
use crate::console::{
    Console, words,
    zone::{When, time},
};

/// The most open incidents that are listed.
pub(in crate::console) const MAX_OPEN: i64 = 200;

/// What components are called.
pub(in crate::console) type Names = HashMap<ComponentId, String>;

pub(in crate::console) async fn names(conn: &mut Connection) -> Result<Names, StorageError> {
    Ok(rows::components(conn).await?.into_iter().map(|component| (component.id, component.name)).collect())
}

/// An incident in a list.
pub(in crate::console) struct Line {
    pub(in crate::console) id: IncidentId,
    pub(in crate::console) title: String,
    pub(in crate::console) status: &'static str,
    pub(in crate::console) class: &'static str,
    /// Whether readers do not see it.
    pub(in crate::console) is_draft: bool,
    /// Whether a route opened it.
    pub(in crate::console) by_route: bool,
    /// What becomes of a draft by itself.
    pub(in crate::console) publication: Option<String>,
    /// Whether it can still be kept from publishing itself.
    pub(in crate::console) is_held: bool,
    pub(in crate::console) affected: String,
    pub(in crate::console) began: When,
    pub(in crate::console) updated: String,
}

impl Line {
    pub(in crate::console) fn new(incident: Incident, names: &Names, console: &Console) -> Self {
        let affected: Vec<&str> = incident.components.keys().filter_map(|id| names.get(id).map(String::as_str)).collect();
        let more = affected.len().saturating_sub(3);
        let mut shown = affected.into_iter().take(3).collect::<Vec<_>>().join(", ");
        if more > 0 {
            shown.push_str(&format!(" and {more} more"));
        }
        Self {
            id: incident.id,
            status: words::incident_status(&incident.status),
            class: worst(&incident),
            is_draft: !incident.published,
            by_route: incident.opened_by.is_some(),
            publication: words::publication(&incident, console.now()).filter(|_| !incident.published),
            is_held: incident.publishes_at.is_some() && !incident.vetoed,
            affected: shown,
            began: time(incident.started_at),
            updated: words::ago(incident.updated_at, console.now()),
            title: incident.title,
        }
    }
}
