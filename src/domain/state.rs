//! The state: what all deliveries, timers and people's acts so far add up to.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{
    Alert, AlertKey, Alerts, Change, Combine, Component, ComponentId, DeliveryId, Dependencies, Incident, IncidentId, IntegrationId,
    MAX_COOL_OFF, Maintenance, MaintenanceId, MaintenanceStatus, Past, PastSpan, Route, RouteId, Series, SeriesId, Signal, Status, Swing,
    Timestamp, UNREADABLE_FINGERPRINT, UnknownName, WaitState, WaitingAct, WaitingActId, status::named,
};

/// Names an alert taken up by a route.
pub type CauseKey = (IntegrationId, String, RouteId);

/// How far an alert has come on its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fires, but not yet for long enough.
    Pending,
    /// Counts.
    Active,
    /// Resolved, but still counts for a while.
    Keeping,
}

named!(Phase { Pending = "pending", Active = "active", Keeping = "keeping" });

/// An alert that a route took up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The integration that speaks.
    pub integration: IntegrationId,
    /// The thing it speaks of.
    pub fingerprint: String,
    /// The route that took it up.
    pub route: RouteId,
    /// What it means for the route's components.
    pub status: Status,
    /// How far it has come.
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Timestamp,
    /// When the phase ends by itself.
    pub due_at: Option<Timestamp>,
    /// When it is given up if nothing is heard of it.
    pub expires_at: Option<Timestamp>,
    /// The incident it belongs to.
    pub incident: Option<IncidentId>,
    /// Set when a person ended its incident while it still counted: readers see nothing of it any more, until it gets worse than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_up_to: Option<Status>,
    /// The delivery that last changed it.
    pub delivery: Option<DeliveryId>,
    /// The signal's sentence, for the team.
    pub summary: String,
}

impl Cause {
    /// What names it.
    #[must_use]
    pub fn key(&self) -> CauseKey {
        (self.integration, self.fingerprint.clone(), self.route)
    }

    /// Whether all it says is that its source cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.fingerprint == UNREADABLE_FINGERPRINT
    }

    /// What names the thing it is about.
    #[must_use]
    pub fn alert_key(&self) -> AlertKey {
        (self.integration, self.fingerprint.clone())
    }

    /// Whether it counts for its components now.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self.phase, Phase::Active | Phase::Keeping)
    }

    /// Whether a person's end of its incident keeps it from readers.
    #[must_use]
    pub const fn is_muted(&self) -> bool {
        self.muted_up_to.is_some()
    }

    /// When something about it happens by itself.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        match (self.due_at, self.expires_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// What all deliveries, timers and people's acts so far add up to.
///
/// A fold: `plan` changes it only through [`State::apply`], so the same inputs in the same order give the same state.
#[derive(Debug)]
pub struct State {
    /// The zone in which the page's days begin.
    pub zone: TimeZone,
    /// The next id to give to an incident, an update, a notice or a change.
    pub next_id: i64,
    /// The newest time anything was decided at; never goes back.
    pub clock: Timestamp,
    /// Everything the page may show, hidden ones too.
    pub components: BTreeMap<ComponentId, Component>,
    /// How the sources of components add up, where it is not the worst of them that decides.
    pub combine: BTreeMap<ComponentId, Combine>,
    /// What depends on what.
    pub dependencies: Dependencies,
    /// What readers saw of components lately.
    pub past: Past,
    /// All routes.
    pub routes: BTreeMap<RouteId, Route>,
    /// The routes of each integration, in order.
    pub routes_of: HashMap<IntegrationId, Vec<RouteId>>,
    /// The newest about each thing.
    pub alerts: Alerts,
    /// The newest signal of each thing that fires: an incident may open long after it was heard, and its title be made of it.
    pub signals: HashMap<AlertKey, Arc<Signal>>,
    /// Alerts that routes took up.
    pub causes: BTreeMap<CauseKey, Cause>,
    /// The latest changes of what routes say, where their policy counts them.
    pub swings: BTreeMap<RouteId, Vec<Swing>>,
    /// Open incidents, and those resolved, or added afterwards, within [`crate::MAX_COOL_OFF`].
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Scheduled and running maintenances.
    pub maintenances: BTreeMap<MaintenanceId, Maintenance>,
    /// Maintenances that come back.
    pub series: BTreeMap<SeriesId, Series>,
    /// What people said about incidents and may still take back.
    pub waiting: BTreeMap<WaitingActId, WaitingAct>,
}

impl State {
    /// Nothing known, nothing configured.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            zone: TimeZone::UTC,
            next_id: 1,
            clock: Timestamp(0),
            components: BTreeMap::new(),
            combine: BTreeMap::new(),
            dependencies: Dependencies::default(),
            past: Past::default(),
            routes: BTreeMap::new(),
            routes_of: HashMap::new(),
            alerts: Alerts::default(),
            signals: HashMap::new(),
            causes: BTreeMap::new(),
            swings: BTreeMap::new(),
            incidents: BTreeMap::new(),
            maintenances: BTreeMap::new(),
            series: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Adds a route behind the others of its integration.
    pub fn add_route(&mut self, route: Route) {
        self.routes_of.entry(route.integration).or_default().push(route.id);
        self.routes.insert(route.id, route);
    }

    /// Puts the newest about a thing in.
    pub fn set_alert(&mut self, key: &AlertKey, alert: Alert) {
        if self.alerts.insert(key, alert) {
            for _ in 0..self.causes_of(key).count() {
                self.alerts.hold(key);
            }
        }
    }

    /// Puts a cause in.
    pub fn set_cause(&mut self, cause: Cause) {
        let key = cause.alert_key();
        if self.causes.insert(cause.key(), cause).is_none() {
            self.alerts.hold(&key);
        }
    }

    /// Takes one change in.
    pub fn apply(&mut self, change: &Change) {
        self.next_id = self.next_id.max(newest_id(change) + 1);
        match change {
            Change::Alert { integration, alert, signal } => {
                let key = (*integration, signal.fingerprint.clone());
                if !alert.firing {
                    self.signals.remove(&key);
                } else if self.signals.get(&key).is_none_or(|known| **known != **signal) {
                    self.signals.insert(key.clone(), Arc::new((**signal).clone()));
                }
                self.set_alert(&key, alert.clone());
            }
            Change::AlertExpired { integration, fingerprint, alert } => {
                let key = (*integration, fingerprint.clone());
                self.signals.remove(&key);
                self.set_alert(&key, alert.clone());
            }
            Change::AlertForgotten { integration, fingerprint } => {
                let key = (*integration, fingerprint.clone());
                self.signals.remove(&key);
                self.alerts.remove(&key);
            }
            Change::CauseSet { cause, .. } => self.set_cause(cause.clone()),
            Change::CauseEnded { cause } => {
                if self.causes.remove(&cause.key()).is_some() {
                    self.alerts.release(&cause.alert_key());
                }
            }
            Change::Swings { route, swings } if swings.is_empty() => {
                self.swings.remove(route);
            }
            Change::Swings { route, swings } => {
                self.swings.insert(*route, swings.clone());
            }
            Change::ComponentStatus { component, from, to, internal_to, since, at, .. } => {
                if from != to {
                    self.past.add(*component, PastSpan { since: *since, until: *at, status: *from });
                }
                if let Some(component) = self.components.get_mut(component) {
                    if component.status != *to {
                        component.status_since = *at;
                    }
                    component.status = *to;
                    component.internal_status = *internal_to;
                }
            }
            Change::Override { component, overridden } => {
                if let Some(component) = self.components.get_mut(component) {
                    component.overridden.clone_from(overridden);
                }
            }
            Change::Past { component, span, pieces } => {
                for piece in pieces {
                    self.past.replace(*component, PastSpan { status: span.status, ..*piece });
                }
            }
            Change::Quiet { component, upstream, until } => self.dependencies.set_quiet(*component, *upstream, *until),
            Change::Incident { incident, .. } => {
                let (id, oldest) = (incident.id, Timestamp(incident.updated_at.0.saturating_sub(MAX_COOL_OFF.0)));
                self.incidents.insert(id, incident.clone());
                let waiting = &self.waiting;
                let is_needed = |id: IncidentId| waiting.values().any(|act| act.incident == id);
                self.incidents
                    .retain(|other, incident| *other == id || incident.last_news().is_none_or(|at| at >= oldest) || is_needed(*other));
            }
            Change::IncidentDeleted { incident } => {
                self.incidents.remove(incident);
            }
            Change::Waiting { act } if act.state == WaitState::Waiting => {
                self.waiting.insert(act.id, act.clone());
            }
            Change::Waiting { act } => {
                self.waiting.remove(&act.id);
            }
            Change::Maintenance { maintenance } => {
                if matches!(maintenance.status, MaintenanceStatus::Scheduled | MaintenanceStatus::InProgress) {
                    self.maintenances.insert(maintenance.id, maintenance.clone());
                } else {
                    self.maintenances.remove(&maintenance.id);
                    self.close(maintenance);
                }
            }
            Change::MaintenanceRemoved { maintenance } => {
                self.maintenances.remove(maintenance);
            }
            Change::SeriesLaid { series, lay_at } => {
                if let Some(series) = self.series.get_mut(series) {
                    series.lay_at = *lay_at;
                }
            }
            Change::EntryRemoved { .. } | Change::Sample { .. } | Change::Notice(_) | Change::Refused { .. } => {}
        }
    }

    /// The day of a window that is over is not given to another one.
    fn close(&mut self, maintenance: &Maintenance) {
        let Some(occurrence) = maintenance.occurrence else { return };
        let today = self.zone.to_datetime(maintenance.updated_at.to_jiff()).date();
        if let Some(series) = self.series.get_mut(&occurrence.series).filter(|_| occurrence.on >= today) {
            series.closed.insert(occurrence.on);
            series.closed.retain(|day| *day >= today);
        }
    }

    /// The routes' causes of one thing.
    pub(crate) fn causes_of(&self, (integration, fingerprint): &AlertKey) -> impl Iterator<Item = &Cause> {
        let key = |route| (*integration, fingerprint.clone(), RouteId(route));
        self.causes.range(key(i64::MIN)..=key(i64::MAX)).map(|(_, cause)| cause)
    }

    /// When something happens by itself next.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timestamp> {
        let causes = self.causes.values().filter_map(Cause::next_at);
        let overrides = self.components.values().filter_map(|component| component.overridden.as_ref()?.until);
        let maintenances = self.maintenances.values().filter_map(|maintenance| match maintenance.status {
            MaintenanceStatus::Scheduled => Some(maintenance.announce_at.map_or(maintenance.starts_at, |at| at.min(maintenance.starts_at))),
            MaintenanceStatus::InProgress => Some(maintenance.ends_at),
            MaintenanceStatus::Completed | MaintenanceStatus::Cancelled => None,
        });
        let silences = self.dependencies.quiet().map(|(_, _, until)| until);
        let publications = self.incidents.values().filter_map(Incident::pending);
        let series = self.series.values().filter_map(|series| series.lay_at);
        let waiting = self.waiting.values().map(|act| act.leaves_at);
        causes.chain(overrides).chain(maintenances).chain(silences).chain(publications).chain(series).chain(waiting).min()
    }

    /// Whether `component` is under a running maintenance.
    #[must_use]
    pub fn under_maintenance(&self, component: ComponentId) -> bool {
        self.maintenances.values().any(|m| m.status == MaintenanceStatus::InProgress && m.components.contains(&component))
    }
}

/// The newest id that was given to something in a change.
fn newest_id(change: &Change) -> i64 {
    match change {
        Change::Incident { incident, update } => update.as_ref().map_or(0, |update| update.id.0).max(incident.id.0),
        Change::Maintenance { maintenance } => maintenance.id.0,
        Change::Waiting { act } => act.id.0,
        Change::Notice(notice) => notice.id.0,
        _ => 0,
    }
}
