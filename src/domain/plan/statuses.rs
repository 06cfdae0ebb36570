//! What a component's status is: a person's word, else a running maintenance, else the worst of everything that counts.

use std::collections::{BTreeMap, HashMap};

use super::{Planner, incidents::Ending};
use crate::{
    Cause, CauseKey, Change, ComponentId, Incident, MaintenanceStatus, NoticeAbout, NoticeKind, Publish, Route, RouteId, Status,
    StatusChange, Why,
};

/// What readers see of a component, and what signals say.
#[derive(Clone, Copy, Debug, Default)]
struct Statuses {
    published: Status,
    internal: Status,
}

impl Planner<'_> {
    /// Works out what follows from a cause that counts: incidents first (they decide what is published), then statuses.
    pub(super) fn reconcile(&mut self, cause: &Cause, why: &Why) {
        let components = self.components_of(cause);
        let told = self.attach(&cause.key(), why);
        self.swing(cause, why);
        let changes = self.set_statuses(&components, why);
        let home = self.state.causes.get(&cause.key()).and_then(|cause| cause.incident);
        self.follow_incidents(&changes, &told, home, why);
    }

    /// Ends a cause and works out what follows.
    pub(super) fn end(&mut self, cause: Cause, ending: Ending, why: &Why) {
        let components = self.components_of(&cause);
        self.emit(Change::CauseEnded { cause: cause.clone() }, why);
        if !cause.counts() {
            return;
        }
        if cause.is_flapping() {
            self.calmed(cause.route, why);
        }
        self.swing(&cause, why);
        let changes = self.set_statuses(&components, why);
        let told = match cause.incident.filter(|id| self.is_idle(*id)) {
            Some(id) => self.resolve_incident(id, ending, why),
            None => Vec::new(),
        };
        self.follow_incidents(&changes, &told, cause.incident, why);
    }

    fn components_of(&self, cause: &Cause) -> Vec<ComponentId> {
        self.state.routes.get(&cause.route).map(|route| route.components.clone()).unwrap_or_default()
    }

    /// Works out what follows for components whose override or maintenance changed: what waited for them gets its incident.
    pub(super) fn reconcile_components(&mut self, components: &[ComponentId], why: &Why) {
        let concerned = |cause: &&Cause| {
            cause.counts()
                && self.state.routes.get(&cause.route).is_some_and(|route| route.components.iter().any(|id| components.contains(id)))
        };
        let keys: Vec<CauseKey> = self.state.causes.values().filter(concerned).map(Cause::key).collect();
        let told = self.attach_all(keys, why);
        let changes = self.set_statuses(components, why);
        self.follow_incidents(&changes, &told, None, why);
    }

    /// Gives causes their incidents; returns of which components entries of timelines have told readers.
    pub(super) fn attach_all(&mut self, keys: Vec<CauseKey>, why: &Why) -> Vec<ComponentId> {
        keys.iter().flat_map(|key| self.attach(key, why)).collect()
    }

    /// Brings the statuses of `components` up to date; returns what readers see change.
    pub(super) fn set_statuses(&mut self, components: &[ComponentId], why: &Why) -> Vec<StatusChange> {
        let mut changed = Vec::new();
        for (id, Statuses { published: to, internal: internal_to }) in self.statuses(components, None) {
            let Some(component) = self.state.components.get(&id) else { continue };
            let (from, internal_from, since) = (component.status, component.internal_status, component.status_since);
            if (from, internal_from) == (to, internal_to) {
                continue;
            }
            let at = self.now;
            self.emit(Change::ComponentStatus { component: id, from, to, internal_from, internal_to, since, at }, why);
            if from != to {
                changed.push(StatusChange { component: id, from, to });
            }
        }
        for change in &changed {
            if self.shows(change.component) {
                self.notify(NoticeKind::ComponentStatusChanged, NoticeAbout::Component { change: *change }, [change.component], why);
            }
        }
        changed
    }

    /// What will change for readers of `components` once `incident` is stored.
    pub(super) fn published_changes(&self, incident: &Incident, components: &[ComponentId]) -> Vec<StatusChange> {
        let change = |(id, statuses): (ComponentId, Statuses)| {
            let from = self.state.components.get(&id)?.status;
            Some(StatusChange { component: id, from, to: statuses.published }).filter(|change| change.from != change.to)
        };
        self.statuses(components, Some(incident)).into_iter().filter_map(change).collect()
    }

    /// The statuses of `components`, as if `instead` were stored in the place of the incident with its id. One pass over everything,
    /// however many components are asked for.
    fn statuses(&self, components: &[ComponentId], instead: Option<&Incident>) -> BTreeMap<ComponentId, Statuses> {
        let mut found: BTreeMap<ComponentId, Statuses> = components.iter().map(|id| (*id, Statuses::default())).collect();
        let concerned = |route: &&Route| route.components.iter().any(|id| found.contains_key(id));
        let routes: HashMap<RouteId, &Route> = self.state.routes.values().filter(concerned).map(|route| (route.id, route)).collect();
        for cause in self.state.causes.values().filter(|cause| cause.counts()) {
            let Some(route) = routes.get(&cause.route) else { continue };
            for id in &route.components {
                let Some(statuses) = found.get_mut(id) else { continue };
                statuses.internal = statuses.internal.max(cause.status);
                if self.is_published(cause, route.publish, instead) {
                    statuses.published = statuses.published.max(cause.status);
                }
            }
        }
        let others = self.state.incidents.values().filter(|incident| instead.is_none_or(|instead| instead.id != incident.id));
        for incident in others.chain(instead).filter(|one| one.opened_by.is_none() && one.published && !one.status.is_over()) {
            for (id, status) in &incident.components {
                if let Some(statuses) = found.get_mut(id) {
                    statuses.published = statuses.published.max(*status);
                }
            }
        }
        for maintenance in self.state.maintenances.values().filter(|one| one.status == MaintenanceStatus::InProgress) {
            for id in &maintenance.components {
                if let Some(statuses) = found.get_mut(id) {
                    statuses.published = Status::UnderMaintenance;
                }
            }
        }
        for (id, statuses) in &mut found {
            if let Some(word) = self.state.components.get(id).and_then(|component| component.overridden.as_ref()) {
                statuses.published = word.status;
            }
        }
        found
    }

    /// A draft is published by the person who publishes its incident, until the incident is over. What is muted is not.
    fn is_published(&self, cause: &Cause, publish: Publish, instead: Option<&Incident>) -> bool {
        let incident = || {
            let id = cause.incident?;
            instead.filter(|incident| incident.id == id).or_else(|| self.state.incidents.get(&id))
        };
        match publish {
            _ if cause.is_muted() => false,
            // Held with its incident.
            Publish::Auto => incident().is_none_or(|incident| incident.published),
            Publish::Shadow => false,
            Publish::Draft => incident().is_some_and(|incident| incident.published && !incident.status.is_over()),
        }
    }
}
