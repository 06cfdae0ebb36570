//! Where the incident of a cause belongs: one that is open, one that has just ended, or a new one; shown, held, vetoed or a draft.

use super::{
    Planner,
    holds::{Standing, standing},
    incidents::Affected,
};
use crate::{Cause, ComponentId, Incident, IncidentId, IncidentStatus, Publish, Route, Timestamp};

/// Where the incident of a cause may stand.
pub(super) struct Places<'a> {
    affected: &'a Affected,
    auto: bool,
    /// Whether the route may publish by itself at this time of day.
    may_publish: bool,
    /// When an incident that it opens now publishes itself, if not at once.
    pub(super) held_until: Option<Timestamp>,
}

impl Places<'_> {
    /// Whether a new incident is published at once.
    pub(super) fn at_once(&self) -> bool {
        self.auto && self.held_until.is_none()
    }

    /// Whether the cause may join an incident, or bring it back.
    pub(super) fn take(&self, incident: &Incident) -> bool {
        match standing(incident) {
            Standing::Published => self.auto && self.may_publish,
            Standing::Held => self.auto && self.held_until.is_some(),
            Standing::Vetoed => !self.auto || !self.is_worse_than(incident),
            Standing::Draft => !self.auto,
        }
    }

    fn is_worse_than(&self, incident: &Incident) -> bool {
        self.affected.0.iter().any(|(id, status)| incident.components.get(id).is_none_or(|worst| status > worst))
    }
}

impl Planner<'_> {
    pub(super) fn places<'a>(&self, route: &Route, affected: &'a Affected) -> Places<'a> {
        let (now, zone) = (self.now, &self.state.zone);
        Places {
            affected,
            auto: route.publish == Publish::Auto,
            may_publish: route.policy.may_publish_at(now, zone),
            held_until: route.held_until(now, zone),
        }
    }

    /// The incident that a cause belongs to, if it is open and the cause may stay there: not in a draft of before the route could publish.
    pub(super) fn own(&self, cause: &Cause, route: &Route) -> Option<IncidentId> {
        let incident = self.state.incidents.get(&cause.incident?)?;
        let may_stay = incident.published || route.publish != Publish::Auto || standing(incident) != Standing::Draft;
        (!incident.status.is_over() && may_stay).then_some(incident.id)
    }

    pub(super) fn find_open(&self, cause: &Cause, places: &Places<'_>, affected: &Affected) -> Option<IncidentId> {
        let open = |incident: &&Incident| !incident.status.is_over() && places.take(incident);
        let about_the_same = |incident: &&Incident| self.is_about_the_same(incident, cause, &affected.ids());
        self.state.incidents.values().rev().filter(open).find(about_the_same).map(|incident| incident.id)
    }

    pub(super) fn find_recent(&self, cause: &Cause, places: &Places<'_>, affected: &Affected) -> Option<IncidentId> {
        let cool_off = self.state.routes.get(&cause.route)?.cool_off;
        let recent = |incident: &&Incident| {
            incident.opened_by.is_some()
                && incident.added_at.is_none()
                && places.take(incident)
                && incident.status == IncidentStatus::Resolved
                && incident.resolved_at.is_some_and(|at| cool_off.0 > 0 && self.now.since(at) <= cool_off)
        };
        let about_the_same = |incident: &&Incident| self.is_about_the_same(incident, cause, &affected.ids());
        self.state.incidents.values().rev().filter(recent).find(about_the_same).map(|incident| incident.id)
    }

    /// What concerns hidden components alone never touches an incident that readers see.
    pub(super) fn is_about_the_same(&self, incident: &Incident, cause: &Cause, affected: &[ComponentId]) -> bool {
        let shares = incident.opened_by == Some(cause.route) || affected.iter().any(|id| incident.components.contains_key(id));
        shares && affected.iter().any(|id| self.shows(*id)) == self.shows_something(incident)
    }
}
