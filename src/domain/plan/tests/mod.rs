//! Scenarios: what is said and done in a small world, and what readers and subscribers then see.
//!
//! After every step the world checks what must always hold: the state is the fold of its changes, and no notice gives away what is hidden.

mod acts;
mod causes;
mod incidents;
mod maintenance;
mod notices;
mod reconfigured;
mod signals;
mod timers;
mod visibility;

use super::{Act, ActError, IncidentEdit, MaintenanceEdit, plan_act, plan_reconfigured, plan_signal, plan_timers};
use crate::{
    Change, Component, ComponentId, DeliveryId, Expression, Incident, IncidentId, IncidentStatus, IntegrationId, Maintenance,
    MaintenanceId, MaintenanceStatus, MetricId, Notice, NoticeAbout, Override, Phase, Publish, Recorded, Route, RouteId, Sample, Severity,
    Signal, SignalState, Span, State, Status, StatusMap, Timestamp,
};
use Severity::{Critical, Error, Info, Warning};
use Status::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};

const API: ComponentId = ComponentId(1);
const WEB: ComponentId = ComponentId(2);
const DB: ComponentId = ComponentId(3);
/// Hidden from readers.
const VAULT: ComponentId = ComponentId(4);

const ALERTS: IntegrationId = IntegrationId(1);
const CI: IntegrationId = IntegrationId(2);

/// A state with its clock, and everything that was decided in it.
struct World {
    state: State,
    /// Sees the changes only: what a replay, or the database, would hold.
    mirror: State,
    now: Timestamp,
    n_deliveries: i64,
    /// What was decided since the last time somebody looked.
    log: Vec<Recorded>,
}

impl World {
    /// Four components, one of them hidden, and these routes, numbered from 1.
    fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let mut world = Self { state: State::empty(), mirror: State::empty(), now, n_deliveries: 0, log: Vec::new() };
        for (id, name) in [(API, "API"), (WEB, "Web"), (DB, "Database"), (VAULT, "Vault")] {
            world.configure(|state| drop(state.components.insert(id, component(id, name, id == VAULT))));
        }
        for route in routes {
            world.add(route);
        }
        world
    }

    fn add(&mut self, route: Route) -> RouteId {
        let id = RouteId(self.state.routes.keys().next_back().map_or(1, |last| last.0 + 1));
        let route = Route { id, label: format!("route-{id}"), ..route };
        self.mirror.add_route(copy(&route));
        self.state.add_route(route);
        id
    }

    /// Changes what configuration governs, behind the planner's back.
    fn configure(&mut self, change: impl Fn(&mut State)) {
        change(&mut self.state);
        change(&mut self.mirror);
    }

    fn say(&mut self, signal: Signal) {
        self.say_from(ALERTS, signal);
    }

    /// Delivers a signal; one without an event time happens now.
    fn say_from(&mut self, integration: IntegrationId, mut signal: Signal) {
        if signal.occurred_at == NOW {
            signal.occurred_at = self.now;
        }
        self.n_deliveries += 1;
        let changes = plan_signal(&mut self.state, integration, DeliveryId(self.n_deliveries), &signal, self.now);
        self.took(changes);
    }

    fn fires(&mut self, what: &str, severity: Severity) {
        self.say(firing(what, severity));
    }

    fn resolves(&mut self, what: &str) {
        self.say(resolved(what));
    }

    /// Lets time pass; the evaluator sleeps and then does what has become due.
    fn after(&mut self, span: &str) {
        self.now = self.now.plus(span.parse().unwrap());
        let changes = plan_timers(&mut self.state, self.now);
        self.took(changes);
    }

    fn acts(&mut self, act: Act) {
        self.tries(act).unwrap();
    }

    fn tries(&mut self, act: Act) -> Result<(), ActError> {
        let changes = plan_act(&mut self.state, "ada", act, self.now)?;
        self.took(changes);
        Ok(())
    }

    fn reconfigured(&mut self) {
        let changes = plan_reconfigured(&mut self.state, "ada", self.now);
        self.took(changes);
    }

    fn took(&mut self, changes: Vec<Recorded>) {
        for recorded in &changes {
            self.mirror.apply(&recorded.change);
            if let Change::Notice(notice) = &recorded.change {
                check_for_readers(notice);
            }
        }
        check_fold(&self.state, &self.mirror);
        self.log.extend(changes);
    }

    fn status(&self, id: ComponentId) -> Status {
        self.state.components[&id].status
    }

    fn internal(&self, id: ComponentId) -> Status {
        self.state.components[&id].internal_status
    }

    /// The only incident there is.
    fn incident(&self) -> &Incident {
        let incidents: Vec<&Incident> = self.state.incidents.values().collect();
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        incidents[0]
    }

    fn maintenance(&self) -> MaintenanceId {
        *self.state.maintenances.keys().next().unwrap()
    }

    /// What was decided since the last look.
    fn decided(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log).into_iter().map(|recorded| recorded.change).collect()
    }

    /// What subscribers were told since the last look, one line each.
    fn told(&mut self) -> Vec<String> {
        let notices = |change| if let Change::Notice(notice) = change { Some(line(&notice)) } else { None };
        self.decided().into_iter().filter_map(notices).collect()
    }

    /// The same, without what only machines are told.
    fn told_people(&mut self) -> Vec<String> {
        let mut told = self.told();
        told.retain(|line| !line.starts_with("component."));
        told
    }
}

/// An event time that means "at the time of delivery".
const NOW: Timestamp = Timestamp(i64::MIN);

fn signal(what: &str, state: SignalState, severity: Severity) -> Signal {
    Signal { severity, summary: format!("{what}: an internal matter"), ..Signal::new(what, state, what, NOW) }
}

fn firing(what: &str, severity: Severity) -> Signal {
    signal(what, SignalState::Firing, severity)
}

fn resolved(what: &str) -> Signal {
    signal(what, SignalState::Resolved, Severity::Unknown)
}

/// A route of `ALERTS` that takes every signal and publishes by itself at once.
fn auto(components: &[ComponentId]) -> Route {
    Route {
        id: RouteId(0),
        integration: ALERTS,
        label: String::new(),
        condition: when("true"),
        status: StatusMap::default(),
        components: components.to_vec(),
        hold: Span::ZERO,
        keep_firing_for: Span::ZERO,
        expire_after: Span::ZERO,
        cool_off: Span::mins(10),
        publish: Publish::Auto,
        title: None,
        body: None,
        metric: None,
        value: None,
    }
}

fn draft(components: &[ComponentId]) -> Route {
    Route { publish: Publish::Draft, ..auto(components) }
}

fn shadow(components: &[ComponentId]) -> Route {
    Route { publish: Publish::Shadow, ..auto(components) }
}

fn when(source: &str) -> Expression {
    Expression::compile(source).unwrap()
}

fn component(id: ComponentId, name: &str, hidden: bool) -> Component {
    Component {
        id,
        key: name.to_lowercase(),
        name: name.to_owned(),
        description: String::new(),
        group: None,
        position: 0,
        hidden,
        status: Operational,
        status_since: Timestamp(0),
        internal_status: Operational,
        overridden: None,
        created_at: Timestamp(0),
    }
}

fn edit() -> IncidentEdit {
    IncidentEdit::default()
}

fn publish(incident: IncidentId) -> Act {
    Act::UpdateIncident { incident, edit: IncidentEdit { published: Some(true), ..edit() } }
}

fn resolve(incident: IncidentId) -> Act {
    move_to(incident, IncidentStatus::Resolved)
}

fn move_to(incident: IncidentId, status: IncidentStatus) -> Act {
    Act::UpdateIncident { incident, edit: IncidentEdit { status: Some(status), ..edit() } }
}

/// A person's incident: "Login is slow", with these components.
fn open(components: impl IntoIterator<Item = (ComponentId, Status)>) -> Act {
    Act::OpenIncident(IncidentEdit {
        title: Some("Login is slow".to_owned()),
        body: Some("We are looking into it.".to_owned()),
        components: Some(components.into_iter().collect()),
        ..edit()
    })
}

fn set(component: ComponentId, status: Status, until: Option<Timestamp>) -> Act {
    Act::Override { component, overridden: Some(Override { status, until, by: String::new() }) }
}

fn unset(component: ComponentId) -> Act {
    Act::Override { component, overridden: None }
}

impl World {
    /// A maintenance "Upgrade", from and to so long after now.
    fn maintenance_in(&self, from: &str, to: &str, components: &[ComponentId]) -> Act {
        let at = |span: &str| Some(self.now.plus(span.parse().unwrap()));
        Act::ScheduleMaintenance(MaintenanceEdit {
            title: Some("Upgrade".to_owned()),
            starts_at: at(from),
            ends_at: at(to),
            components: Some(components.to_vec()),
            ..MaintenanceEdit::default()
        })
    }
}

/// A notice in one line.
fn line(notice: &Notice) -> String {
    let name = |id: &ComponentId| notice.components.get(id).map_or_else(|| format!("?{id}"), |component| component.name.clone());
    match &notice.about {
        NoticeAbout::Incident { incident, update } => {
            let to: Vec<String> = update.components.iter().map(|change| format!(" [{} {}]", name(&change.component), change.to)).collect();
            format!("{} {}: {}{}", notice.kind, incident.title, update.body, to.concat())
        }
        NoticeAbout::Component { change } => format!("{} {} {}", notice.kind, name(&change.component), change.to),
        NoticeAbout::Maintenance { maintenance } => format!("{} {}", notice.kind, maintenance.title),
        NoticeAbout::Endpoint { address, .. } => format!("{} {address}", notice.kind),
    }
}

/// No notice names what is hidden, nor holds what a signal said.
fn check_for_readers(notice: &Notice) {
    let named = match &notice.about {
        NoticeAbout::Incident { incident, update } => {
            incident.components.keys().copied().chain(update.components.iter().map(|change| change.component)).collect()
        }
        NoticeAbout::Component { change } => vec![change.component],
        NoticeAbout::Maintenance { maintenance } => maintenance.components.clone(),
        NoticeAbout::Endpoint { .. } => Vec::new(),
    };
    assert!(!named.contains(&VAULT), "{notice:#?}");
    let text = serde_json::to_string(notice).unwrap();
    assert!(!text.contains("Vault") && !text.contains("an internal matter"), "{text}");
}

/// The state is the fold of its changes.
fn check_fold(state: &State, mirror: &State) {
    assert_eq!(state.components, mirror.components);
    assert_eq!(state.alerts, mirror.alerts);
    assert_eq!(state.causes, mirror.causes);
    assert_eq!(state.incidents, mirror.incidents);
    assert_eq!(state.maintenances, mirror.maintenances);
    assert_eq!(state.next_timer(), mirror.next_timer());
}

fn copy(route: &Route) -> Route {
    Route {
        id: route.id,
        integration: route.integration,
        label: route.label.clone(),
        condition: when(route.condition.source()),
        status: route.status.clone(),
        components: route.components.clone(),
        hold: route.hold,
        keep_firing_for: route.keep_firing_for,
        expire_after: route.expire_after,
        cool_off: route.cool_off,
        publish: route.publish,
        title: route.title.clone(),
        body: route.body.clone(),
        metric: route.metric,
        value: route.value.as_ref().map(|value| when(value.source())),
    }
}
