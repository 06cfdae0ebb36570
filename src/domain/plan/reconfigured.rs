//! What follows from new routes and components for what goes on.

use super::{Planner, incidents::Ending};
use crate::{Cause, CauseKey, Change, ComponentId, Incident, IncidentId, Maintenance, Publish, Why};

impl Planner<'_> {
    pub(super) fn reconfigured(&mut self, why: &Why) {
        self.forget_removed_components(why);
        self.lay_all(why);
        self.end_orphans(why);
        self.end_flapping(why);
        self.release_incidents(why);
        self.release_held(why);
        let keys: Vec<CauseKey> = self.state.causes.values().filter(|cause| cause.counts()).map(Cause::key).collect();
        let components: Vec<ComponentId> = self.state.components.keys().copied().collect();
        self.attach_all(keys, why);
        let changes = self.set_statuses(&components, why);
        let mut told = Vec::new();
        let idle: Vec<IncidentId> = self.state.incidents.keys().copied().filter(|id| self.is_idle(*id)).collect();
        for id in idle {
            told.extend(self.resolve_incident(id, Ending::Silent, why));
        }
        self.follow_incidents(&changes, &told, None, why);
    }

    /// Nothing may speak of components that are gone: the databases hold no rows for them any more.
    fn forget_removed_components(&mut self, why: &Why) {
        let components = &self.state.components;
        let incidents: Vec<Incident> = (self.state.incidents.values())
            .filter(|incident| incident.components.keys().any(|id| !components.contains_key(id)))
            .cloned()
            .map(|mut incident| {
                incident.components.retain(|id, _| components.contains_key(id));
                incident
            })
            .collect();
        let maintenances: Vec<Maintenance> = (self.state.maintenances.values())
            .filter(|maintenance| maintenance.components.iter().any(|id| !components.contains_key(id)))
            .cloned()
            .map(|mut maintenance| {
                maintenance.components.retain(|id| components.contains_key(id));
                maintenance
            })
            .collect();
        for incident in incidents {
            self.emit(Change::Incident { incident, update: None }, why);
        }
        for maintenance in maintenances {
            self.emit(Change::Maintenance { maintenance }, why);
        }
    }

    fn end_orphans(&mut self, why: &Why) {
        let is_orphan = |cause: &&Cause| self.state.routes.get(&cause.route).is_none_or(|route| route.components.is_empty());
        let orphans: Vec<Cause> = self.state.causes.values().filter(is_orphan).cloned().collect();
        for cause in orphans {
            self.emit(Change::CauseEnded { cause }, why);
        }
    }

    /// Causes that may no longer have an incident let go of theirs.
    fn release_incidents(&mut self, why: &Why) {
        let in_shadow = |cause: &&Cause| {
            cause.incident.is_some() && self.state.routes.get(&cause.route).is_some_and(|route| route.publish == Publish::Shadow)
        };
        let released: Vec<Cause> = self.state.causes.values().filter(in_shadow).cloned().collect();
        for cause in released {
            self.bind(&cause, None, why);
        }
    }
}
