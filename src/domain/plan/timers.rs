//! What happens by itself: holds that are over, signals given up, windows that begin and end.

use super::Planner;
use crate::{Alert, Cause, Change, ComponentId, Maintenance, MaintenanceStatus, NoticeAbout, NoticeKind, Phase, Why};

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
        let windows: Vec<Maintenance> = self.state.maintenances.values().cloned().collect();
        for maintenance in windows {
            self.window(maintenance);
        }
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
            let key = (cause.integration, cause.fingerprint.clone());
            if let Some(alert) = self.state.alerts.get(&key).filter(|alert| alert.firing) {
                let alert = Alert { firing: false, since: self.now, ..alert.clone() };
                self.emit(Change::AlertExpired { integration: key.0, fingerprint: key.1, alert }, &why);
            }
            self.end(cause, &why);
        } else if cause.phase == Phase::Pending {
            let why = why(format!("Fired for as long as route {route} asks: {}", cause.status.words()));
            let cause = Cause { phase: Phase::Active, since: self.now, due_at: None, ..cause.clone() };
            self.emit(Change::CauseSet { cause: cause.clone(), moved: true }, &why);
            self.reconcile(&cause, None, &why);
        } else {
            let why = why(format!("Resolved for as long as route {route} asks"));
            self.end(cause.clone(), &why);
        }
    }

    fn window(&mut self, maintenance: Maintenance) {
        let (status, kind, text) = match maintenance.status {
            MaintenanceStatus::Scheduled if maintenance.starts_at <= self.now => {
                (MaintenanceStatus::InProgress, NoticeKind::MaintenanceStarted, "begins as planned")
            }
            MaintenanceStatus::InProgress if maintenance.ends_at <= self.now => {
                (MaintenanceStatus::Completed, NoticeKind::MaintenanceCompleted, "ends as planned")
            }
            _ => return,
        };
        let why = Why { text: format!("The maintenance \"{}\" {text}", maintenance.title), ..Why::default() };
        self.set_maintenance(Maintenance { status, updated_at: self.now, ..maintenance }, Some(kind), &why);
    }

    /// Stores a maintenance, tells subscribers if there is something to tell, and works out what follows for its components.
    pub(super) fn set_maintenance(&mut self, maintenance: Maintenance, kind: Option<NoticeKind>, why: &Why) {
        let components = maintenance.components.clone();
        self.emit(Change::Maintenance { maintenance: maintenance.clone() }, why);
        if let Some(kind) = kind {
            self.notify(kind, NoticeAbout::Maintenance { maintenance }, components.clone(), why);
        }
        self.reconcile_components(&components, why);
    }
}
