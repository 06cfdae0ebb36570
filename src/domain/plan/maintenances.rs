//! Maintenances: announced and changed by people, begun and ended by themselves.

use std::collections::BTreeSet;

use super::{
    Planner,
    acts::{ActError, MaintenanceEdit, body, invalid, person, title},
};
use crate::{Change, ComponentId, Maintenance, MaintenanceId, MaintenanceStatus, NoticeAbout, NoticeKind, Timestamp, Why};

impl Planner<'_> {
    pub(super) fn schedule(&mut self, by: &str, edit: MaintenanceEdit) -> Result<(), ActError> {
        let title = title(edit.title.as_deref())?.ok_or_else(|| invalid("title", "is needed"))?;
        let starts_at = edit.starts_at.ok_or_else(|| invalid("starts_at", "is needed"))?;
        let ends_at = edit.ends_at.ok_or_else(|| invalid("ends_at", "is needed"))?;
        let mut maintenance = Maintenance {
            id: MaintenanceId(self.state.next_id),
            title,
            body: body(edit.body.as_deref())?.unwrap_or_default(),
            status: edit.status.unwrap_or(MaintenanceStatus::Scheduled),
            starts_at,
            ends_at,
            scoped: edit.components.as_ref().is_some_and(|components| !components.is_empty()),
            components: each_once(edit.components.unwrap_or_default()),
            occurrence: None,
            announce_at: None,
            created_at: self.now,
            updated_at: self.now,
        };
        check_window(&maintenance)?;
        self.check_components(maintenance.components.iter())?;
        if ends_at <= self.now && maintenance.status != MaintenanceStatus::Completed {
            return Err(invalid("ends_at", "must lie in the future"));
        }
        let kind = match maintenance.status {
            MaintenanceStatus::Scheduled => Some(NoticeKind::MaintenanceScheduled),
            MaintenanceStatus::InProgress => Some(NoticeKind::MaintenanceStarted),
            MaintenanceStatus::Completed | MaintenanceStatus::Cancelled => None,
        };
        maintenance.id = MaintenanceId(self.fresh_id());
        let why = person(by, format!("{by} planned the maintenance \"{}\"", maintenance.title));
        self.set_maintenance(maintenance, kind, &why);
        Ok(())
    }

    pub(super) fn update_maintenance(&mut self, by: &str, id: MaintenanceId, edit: MaintenanceEdit) -> Result<(), ActError> {
        let before = self.state.maintenances.get(&id).cloned().ok_or(ActError::NotFound("open maintenance"))?;
        let mut maintenance = Maintenance {
            title: title(edit.title.as_deref())?.unwrap_or_else(|| before.title.clone()),
            body: body(edit.body.as_deref())?.unwrap_or_else(|| before.body.clone()),
            status: edit.status.unwrap_or(before.status),
            starts_at: edit.starts_at.unwrap_or(before.starts_at),
            ends_at: edit.ends_at.unwrap_or(before.ends_at),
            scoped: edit.components.as_ref().map_or(before.scoped, |components| !components.is_empty()),
            components: edit.components.map_or_else(|| before.components.clone(), each_once),
            updated_at: self.now,
            ..before.clone()
        };
        check_window(&maintenance)?;
        self.check_components(maintenance.components.iter().filter(|id| !before.components.contains(id)))?;
        if maintenance == (Maintenance { updated_at: self.now, ..before.clone() }) {
            return Ok(());
        }
        let moved = (before.starts_at, before.ends_at) != (maintenance.starts_at, maintenance.ends_at);
        // It is told of as long before it as it would have been; what begins, or is over, needs no announcement.
        let early = before.announce_at.map(|at| before.starts_at.since(at));
        maintenance.announce_at =
            early.filter(|_| maintenance.is_scheduled()).map(|early| Timestamp(maintenance.starts_at.0.saturating_sub(early.0)));
        if let Some(occurrence) = &mut maintenance.occurrence {
            occurrence.apart = true;
        }
        let kind = match (before.status, maintenance.status) {
            (MaintenanceStatus::Scheduled, MaintenanceStatus::Scheduled | MaintenanceStatus::Cancelled) if !before.is_told() => None,
            (MaintenanceStatus::Scheduled, MaintenanceStatus::Scheduled) if moved => Some(NoticeKind::MaintenanceScheduled),
            (from, to) if from == to => None,
            (_, MaintenanceStatus::InProgress) => Some(NoticeKind::MaintenanceStarted),
            (_, MaintenanceStatus::Completed) => Some(NoticeKind::MaintenanceCompleted),
            (MaintenanceStatus::Scheduled, MaintenanceStatus::Cancelled) => Some(NoticeKind::MaintenanceCancelled),
            (MaintenanceStatus::InProgress, _) => return Err(invalid("status", "a running maintenance can only be completed")),
            _ => return Err(invalid("status", "this step is not possible")),
        };
        let why = person(by, format!("{by} changed the maintenance \"{}\"", maintenance.title));
        self.set_maintenance(maintenance, kind, &why);
        self.reconcile_components(&before.components, &why);
        if let Some(occurrence) = before.occurrence {
            self.lay(occurrence.series, &why); // There is always a next one.
        }
        Ok(())
    }

    /// Begins, ends or announces a maintenance whose time has come.
    pub(super) fn window(&mut self, maintenance: Maintenance) {
        let (status, kind, text) = match maintenance.status {
            MaintenanceStatus::Scheduled if maintenance.starts_at <= self.now => {
                (MaintenanceStatus::InProgress, NoticeKind::MaintenanceStarted, "begins as planned")
            }
            MaintenanceStatus::InProgress if maintenance.ends_at <= self.now => {
                (MaintenanceStatus::Completed, NoticeKind::MaintenanceCompleted, "ends as planned")
            }
            MaintenanceStatus::Scheduled if maintenance.announce_at.is_some_and(|at| at <= self.now) => return self.announce(maintenance),
            _ => return,
        };
        let why = Why { text: format!("The maintenance \"{}\" {text}", maintenance.title), ..Why::default() };
        self.set_maintenance(Maintenance { status, announce_at: None, updated_at: self.now, ..maintenance }, Some(kind), &why);
    }

    /// Stores a maintenance, tells subscribers if there is something to tell, and works out what follows for its components.
    pub(super) fn set_maintenance(&mut self, maintenance: Maintenance, kind: Option<NoticeKind>, why: &Why) {
        let components = maintenance.components.clone();
        self.emit(Change::Maintenance { maintenance: maintenance.clone() }, why);
        if let (Some(kind), Some(maintenance)) = (kind, maintenance.for_readers(|id| self.shows(id))) {
            let named = maintenance.components.clone();
            self.notify(kind, NoticeAbout::Maintenance { maintenance }, named, why);
        }
        self.reconcile_components(&components, why);
    }
}

fn check_window(maintenance: &Maintenance) -> Result<(), ActError> {
    if maintenance.ends_at <= maintenance.starts_at {
        return Err(invalid("ends_at", "must be later than starts_at"));
    }
    if maintenance.ends_at.since(maintenance.starts_at) > crate::MAX_SPAN {
        return Err(invalid("ends_at", "must be within 366 days of starts_at"));
    }
    Ok(())
}

fn each_once(components: Vec<ComponentId>) -> Vec<ComponentId> {
    let mut seen = BTreeSet::new();
    components.into_iter().filter(|id| seen.insert(*id)).collect()
}
