//! What a component's status is: a person's word, else a running maintenance, else the worst of everything that counts.

use super::Planner;
use crate::{Cause, Change, ComponentId, NoticeAbout, NoticeKind, Publish, Signal, Status, StatusChange, Why};

impl Planner<'_> {
    /// Works out what follows from a cause that began or ceased to count: incidents first (they decide what is published), then statuses.
    pub(super) fn reconcile(&mut self, cause: &Cause, signal: Option<&Signal>, why: &Why) {
        let components = self.state.routes.get(&cause.route).map(|route| route.components.clone()).unwrap_or_default();
        self.attach(&cause.key(), signal, why);
        let changes = self.set_statuses(&components, why);
        self.follow_incidents(&changes, cause.incident, why);
    }

    /// The same, for components whose override or maintenance changed.
    pub(super) fn reconcile_components(&mut self, components: &[ComponentId], why: &Why) {
        let waiting: Vec<_> = (self.state.causes.values())
            .filter(|cause| cause.counts() && cause.incident.is_none())
            .filter(|cause| {
                self.state.routes.get(&cause.route).is_some_and(|route| route.components.iter().any(|id| components.contains(id)))
            })
            .map(Cause::key)
            .collect();
        for key in waiting {
            self.attach(&key, None, why);
        }
        let changes = self.set_statuses(components, why);
        self.follow_incidents(&changes, None, why);
    }

    /// The same, for everything: routes or components were changed. Causes of routes that are gone end.
    pub(super) fn reconcile_all(&mut self, why: &Why) {
        let orphans: Vec<Cause> =
            self.state.causes.values().filter(|cause| !self.state.routes.contains_key(&cause.route)).cloned().collect();
        for cause in orphans {
            self.end(cause, why);
        }
        let components: Vec<ComponentId> = self.state.components.keys().copied().collect();
        self.reconcile_components(&components, why);
        self.resolve_idle_incidents(why);
    }

    /// Brings the statuses of `components` up to date; returns what readers see change.
    pub(super) fn set_statuses(&mut self, components: &[ComponentId], why: &Why) -> Vec<StatusChange> {
        let mut changed = Vec::new();
        for &id in components {
            let Some(component) = self.state.components.get(&id) else { continue };
            let (from, internal_from, since) = (component.status, component.internal_status, component.status_since);
            let (to, internal_to) = (self.published_status(id), self.internal_status(id));
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
            if self.visible(change.component).is_some() {
                self.notify(NoticeKind::ComponentStatusChanged, NoticeAbout::Component { change: *change }, [change.component], why);
            }
        }
        changed
    }

    fn published_status(&self, id: ComponentId) -> Status {
        let Some(component) = self.state.components.get(&id) else { return Status::Unknown };
        if let Some(word) = &component.overridden {
            return word.status;
        }
        if self.state.under_maintenance(id) {
            return Status::UnderMaintenance;
        }
        let from_causes = self.causes_on(id).filter(|cause| self.is_published(cause)).map(|cause| cause.status);
        let from_people = (self.state.incidents.values())
            .filter(|incident| incident.opened_by.is_none() && incident.published && !incident.status.is_over())
            .filter_map(|incident| incident.components.get(&id).copied());
        from_causes.chain(from_people).max().unwrap_or_default()
    }

    fn internal_status(&self, id: ComponentId) -> Status {
        self.causes_on(id).map(|cause| cause.status).max().unwrap_or_default()
    }

    /// The causes that count for a component.
    fn causes_on(&self, id: ComponentId) -> impl Iterator<Item = &Cause> {
        let counts =
            move |cause: &&Cause| cause.counts() && self.state.routes.get(&cause.route).is_some_and(|route| route.components.contains(&id));
        self.state.causes.values().filter(counts)
    }

    fn is_published(&self, cause: &Cause) -> bool {
        match self.state.routes.get(&cause.route).map(|route| route.publish) {
            Some(Publish::Auto) => true,
            Some(Publish::Draft) => cause.incident.and_then(|id| self.state.incidents.get(&id)).is_some_and(|incident| incident.published),
            Some(Publish::Shadow) | None => false,
        }
    }
}
