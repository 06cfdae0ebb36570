//! What happens by itself: holds that are over, signals given up, windows that begin and end.

use super::{Planner, incidents::Ending};
use crate::{Alert, Cause, Change, ComponentId, Maintenance, Phase, Why};

impl Planner<'_> {
    /// Does everything that is due at `now`, in a fixed order.
    pub(super) fn timers(&mut self) {
        let due: Vec<Cause> =
            self.state.causes.values().filter(|cause| cause.next_at().is_some_and(|at| at <= self.now)).cloned().collect();
        for cause in due {
            self.cause_is_due(cause);
        }
        let over: Vec<ComponentId> = (self.state.components.values())
            .filter(|component| component.overridden.as_ref().is_some_and(|word| word.until.is_some_and(|until| until <= self.now)))
            .map(|component| component.id)
            .collect();
        for component in over {
            let why = Why { text: "The manual status has run out".to_owned(), ..Why::default() };
            self.emit(Change::Override { component, overridden: None }, &why);
            self.reconcile_components(&[component], &why);
        }
        let is_due = |maintenance: &&Maintenance| {
            let at = if maintenance.is_scheduled() { maintenance.starts_at } else { maintenance.ends_at };
            at.min(maintenance.announce_at.unwrap_or(at)) <= self.now
        };
        let windows: Vec<Maintenance> = self.state.maintenances.values().filter(is_due).cloned().collect();
        for maintenance in windows {
            self.window(maintenance);
        }
        self.lay_due();
        self.end_silences();
        self.leave_due();
        // Last: what ends at the same time is not published any more.
        self.publications();
    }

    fn cause_is_due(&mut self, cause: Cause) {
        let route = self.state.routes.get(&cause.route).map_or_else(String::new, |route| route.label.clone());
        let why = |text: String| Why {
            text,
            delivery: cause.delivery,
            integration: Some(cause.integration),
            fingerprint: Some(cause.fingerprint.clone()),
            route: Some(cause.route),
            actor: None,
        };
        if cause.expires_at.is_some_and(|at| at <= self.now) {
            let why = why(format!("Nothing was heard of {} for as long as route {route} waits; given up", cause.fingerprint));
            self.expire_alert(&cause, &why);
            self.end(cause, Ending::Silent, &why);
        } else if cause.phase == Phase::Pending {
            let why = why(format!("Fired for as long as route {route} asks: {}", cause.status.words()));
            let cause = Cause { phase: Phase::Active, since: self.now, due_at: None, ..cause.clone() };
            self.emit(Change::CauseSet { cause: cause.clone(), moved: true }, &why);
            self.reconcile(&cause, &why);
        } else if cause.is_flapping() {
            let why = why(format!("What route {route} says has not changed for as long as it asks: no longer flapping"));
            self.end(cause.clone(), Ending::Resolved, &why);
        } else {
            let why = why(format!("Resolved for as long as route {route} asks"));
            self.end(cause.clone(), Ending::Resolved, &why);
        }
    }

    /// What the last of its routes has given up fires no more.
    fn expire_alert(&mut self, cause: &Cause, why: &Why) {
        let key = (cause.integration, cause.fingerprint.clone());
        let believed_elsewhere = self.state.causes_of(&key).any(|other| other.route != cause.route && other.phase != Phase::Keeping);
        let Some(alert) = self.state.alerts.get(&key).filter(|alert| alert.firing && !believed_elsewhere) else { return };
        let alert = Alert { firing: false, since: self.now, ..alert.clone() };
        self.emit(Change::AlertExpired { integration: key.0, fingerprint: key.1, alert }, why);
    }
}
