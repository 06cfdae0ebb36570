//! Flapping: what goes up and down again and again is shown as down until it has been calm.
//!
//! **The rule.** What a route says of its components is the worst of what counts on it; where that changes as often as its policy allows within
//! the policy's time, the route is flapping. A cause of its own then holds the worst there was: the component keeps its status and the incident
//! stays open, with one entry that says why, however often things come and go. Every further change puts off the end; when there was none for as
//! long as the policy asks, the cause ends, and what follows is what really counts. Of each route no more changes are remembered than its policy
//! counts.

use serde::{Deserialize, Serialize};

use super::{
    Planner,
    entries::Entry,
    holds::{Standing, standing},
    wording,
};
use crate::{Cause, CauseKey, Change, Flapping, Incident, IncidentId, NoticeKind, Phase, Publish, Route, RouteId, Status, Timestamp, Why};

/// The fingerprint of the cause that holds while a route flaps.
pub const FLAPPING_FINGERPRINT: &str = "fanal:flapping";

/// A change of what a route says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swing {
    /// When.
    pub at: Timestamp,
    /// What it says from then on.
    pub to: Status,
}

impl Cause {
    /// Whether it stands for a route that flaps.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.fingerprint == FLAPPING_FINGERPRINT
    }
}

impl Planner<'_> {
    /// Takes account of what a route says after one of its causes has changed, or ended.
    pub(super) fn swing(&mut self, cause: &Cause, why: &Why) {
        let Some((flapping, key)) = self.damped(cause) else { return };
        let to = self.level(cause.route);
        let known = self.state.swings.get(&cause.route).cloned().unwrap_or_default();
        let from = known.last().map_or(Status::Operational, |swing| swing.to);
        if from == to {
            return;
        }
        let recent = |swing: &Swing| self.now.since(swing.at) <= flapping.within;
        let mut swings: Vec<Swing> = known.into_iter().filter(recent).collect();
        swings.push(Swing { at: self.now, to });
        let n_changes = swings.len();
        swings.drain(..n_changes.saturating_sub(usize::from(flapping.changes)));
        let worst = swings.iter().map(|swing| swing.to).max().unwrap_or_default();
        self.emit(Change::Swings { route: cause.route, swings }, why);
        let incident = self.state.causes.get(&cause.key()).map_or(cause.incident, |cause| cause.incident);
        if let Some(held) = self.state.causes.get(&key).cloned() {
            self.go_on(&held, flapping, (from, to), incident, why);
        } else if n_changes >= usize::from(flapping.changes) {
            self.begin_flapping(key, cause, flapping, worst, incident, why);
        }
    }

    /// The policy and the key of the cause for a route that damps flapping.
    fn damped(&self, cause: &Cause) -> Option<(Flapping, CauseKey)> {
        let flapping = self.state.routes.get(&cause.route)?.policy.flapping?;
        let key = (cause.integration, FLAPPING_FINGERPRINT.to_owned(), cause.route);
        Some((flapping, key)).filter(|_| !cause.is_flapping())
    }

    /// The worst that counts on a route now. That its source cannot be read says nothing of what is in it.
    fn level(&self, route: RouteId) -> Status {
        let counts = |cause: &&Cause| cause.route == route && cause.counts() && !cause.is_unreadable() && !cause.is_flapping();
        self.state.causes.values().filter(counts).map(|cause| cause.status).max().unwrap_or_default()
    }

    fn begin_flapping(
        &mut self,
        (integration, fingerprint, route): CauseKey,
        cause: &Cause,
        flapping: Flapping,
        worst: Status,
        incident: Option<IncidentId>,
        why: &Why,
    ) {
        let Some(found) = self.state.routes.get(&route) else { return };
        if incident.is_none() && found.publish != Publish::Shadow {
            return; // Excused: nobody sees it swing.
        }
        let text = format!(
            "Route {} has changed what it says {} times within {}: flapping, until it has not for {}",
            found.label, flapping.changes, flapping.within, flapping.calm
        );
        let summary = format!("route {} is flapping", found.label);
        let held = Cause {
            integration,
            fingerprint,
            route,
            status: worst,
            phase: Phase::Keeping,
            since: self.now,
            due_at: Some(self.now.plus(flapping.calm)),
            expires_at: None,
            incident,
            muted_up_to: cause.muted_up_to,
            delivery: cause.delivery,
            summary,
        };
        let why = Why { text, route: Some(route), ..why.clone() };
        self.emit(Change::CauseSet { cause: held, moved: true }, &why);
        if let Some(incident) = incident {
            self.say_flapping(incident, flapping, &why);
        }
    }

    /// Says once why the incident stays open. What is held has no timeline yet.
    fn say_flapping(&mut self, id: IncidentId, flapping: Flapping, why: &Why) {
        let open = |incident: &&Incident| !incident.status.is_over() && standing(incident) != Standing::Held;
        let Some(before) = self.state.incidents.get(&id).filter(open).cloned() else { return };
        let ids: Vec<_> = before.components.keys().copied().collect();
        let body = wording::flapping(&self.names(&ids), ids.len(), flapping.calm);
        let incident = Incident { updated_at: self.now, ..before };
        self.entries.push(Entry::new(id, NoticeKind::IncidentUpdated, body, Vec::new(), why));
        self.emit(Change::Incident { incident, update: None }, why);
    }

    /// A change while the route flaps: its end is put off. What a person has muted counts again once something fires anew.
    fn go_on(&mut self, held: &Cause, flapping: Flapping, (from, to): (Status, Status), incident: Option<IncidentId>, why: &Why) {
        let due_at = Some(self.now.plus(flapping.calm));
        let after = if held.is_muted() && to > from {
            Cause { status: to, muted_up_to: None, incident, due_at, ..held.clone() }
        } else {
            Cause { status: held.status.max(to), due_at, ..held.clone() }
        };
        let moved = after.status != held.status;
        self.emit(Change::CauseSet { cause: after, moved }, why);
    }

    /// After a route has been calm its changes are counted from nothing.
    pub(super) fn calmed(&mut self, route: RouteId, why: &Why) {
        let to = self.level(route);
        let swings = if to == Status::Operational { Vec::new() } else { vec![Swing { at: Timestamp(0), to }] };
        self.emit(Change::Swings { route, swings }, why);
    }

    /// What no route asks for any more is over.
    pub(super) fn end_flapping(&mut self, why: &Why) {
        let damps = |route: RouteId| self.state.routes.get(&route).is_some_and(|route: &Route| route.policy.flapping.is_some());
        let over: Vec<Cause> = self.state.causes.values().filter(|cause| cause.is_flapping() && !damps(cause.route)).cloned().collect();
        let forgotten: Vec<RouteId> = self.state.swings.keys().copied().filter(|route| !damps(*route)).collect();
        for cause in over {
            self.emit(Change::CauseEnded { cause }, why);
        }
        for route in forgotten {
            self.emit(Change::Swings { route, swings: Vec::new() }, why);
        }
    }
}
