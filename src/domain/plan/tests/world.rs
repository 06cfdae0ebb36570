//! A small world: a state, its clock, and a mirror that sees the changes only.

use super::*;
use crate::{Combine, Dependency, EVALUATOR, Effect, MAX_COOL_OFF, NoticeKind};

/// A state with its clock, and everything that was decided in it.
pub(super) struct World {
    pub(super) state: State,
    /// Sees the changes only: what a replay, or the database, would hold.
    mirror: State,
    pub(super) now: Timestamp,
    n_deliveries: i64,
    /// What was decided since the last time somebody looked.
    pub(super) log: Vec<Recorded>,
}

impl World {
    /// Four components, one of them hidden, and these routes, numbered from 1.
    pub(super) fn new(routes: impl IntoIterator<Item = Route>) -> Self {
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

    pub(super) fn add(&mut self, route: Route) -> RouteId {
        let id = RouteId(self.state.routes.keys().next_back().map_or(1, |last| last.0 + 1));
        let route = Route { id, label: format!("route-{id}"), ..route };
        self.mirror.add_route(copy(&route));
        self.state.add_route(route);
        id
    }

    /// Changes what configuration governs, behind the planner's back.
    pub(super) fn configure(&mut self, change: impl Fn(&mut State)) {
        change(&mut self.state);
        change(&mut self.mirror);
    }

    pub(super) fn combine(&mut self, id: ComponentId, combine: Combine) {
        self.configure(|state| drop(state.combine.insert(id, combine.clone())));
    }

    pub(super) fn depends(&mut self, component: ComponentId, on: ComponentId, effect: Effect) {
        let dependency = || Dependency { component: on, effect, settle: Span::mins(5) };
        self.configure(|state| state.dependencies.add(component, dependency()));
    }

    pub(super) fn say(&mut self, signal: Signal) {
        self.say_from(ALERTS, signal);
    }

    /// Takes a delivery up that arrived so long ago.
    pub(super) fn replays(&mut self, integration: IntegrationId, signal: &Signal, ago: &str) {
        // As the evaluator does with what it has seen before.
        self.wait_until(self.now);
        (self.state.clock, self.mirror.clock) = (self.now, self.now);
        self.n_deliveries += 1;
        let arrived = Timestamp(self.now.0 - ago.parse::<Span>().unwrap().0);
        let changes = plan_signal(&mut self.state, integration, DeliveryId(self.n_deliveries), signal, arrived);
        self.took(changes);
    }

    /// Delivers a signal; one without an event time happens now.
    pub(super) fn say_from(&mut self, integration: IntegrationId, mut signal: Signal) {
        if signal.occurred_at == NOW {
            signal.occurred_at = self.now;
        }
        self.n_deliveries += 1;
        let changes = plan_signal(&mut self.state, integration, DeliveryId(self.n_deliveries), &signal, self.now);
        self.took(changes);
    }

    /// One delivery that speaks of several things.
    pub(super) fn says_all(&mut self, signals: impl IntoIterator<Item = Signal>) {
        self.n_deliveries += 1;
        for mut signal in signals {
            if signal.occurred_at == NOW {
                signal.occurred_at = self.now;
            }
            let changes = plan_signal(&mut self.state, ALERTS, DeliveryId(self.n_deliveries), &signal, self.now);
            self.took(changes);
        }
    }

    pub(super) fn fires(&mut self, what: &str, severity: Severity) {
        self.say(firing(what, severity));
    }

    pub(super) fn resolves(&mut self, what: &str) {
        self.say(resolved(what));
    }

    /// Lets time pass; the evaluator sleeps and then does what has become due.
    pub(super) fn after(&mut self, span: &str) {
        self.wait_until(self.now.plus(span.parse().unwrap()));
    }

    /// The same, timer by timer, so that what is told is checked against what was true when it was told.
    pub(super) fn wait_until(&mut self, now: Timestamp) {
        self.now = now;
        loop {
            let due = self.state.next_timer().filter(|due| *due <= now);
            let changes = plan_timers(&mut self.state, due.unwrap_or(now));
            self.took(changes);
            if due.is_none() {
                return;
            }
        }
    }

    pub(super) fn acts(&mut self, act: Act) {
        self.tries(act).unwrap();
    }

    pub(super) fn tries(&mut self, act: Act) -> Result<(), ActError> {
        let changes = plan_act(&mut self.state, "ada", act, self.now)?;
        self.took(changes);
        Ok(())
    }

    pub(super) fn reconfigured(&mut self) {
        let changes = plan_reconfigured(&mut self.state, "ada", self.now);
        self.took(changes);
    }

    pub(super) fn took(&mut self, changes: Vec<Recorded>) {
        for recorded in &changes {
            self.mirror.apply(&recorded.change);
            if let Change::Notice(notice) = &recorded.change {
                check_for_readers(notice);
            }
        }
        check_fold(&self.state, &self.mirror);
        check_told(&self.state, &changes);
        self.log.extend(changes);
    }

    /// Stores the state and reads it back, as another process would.
    pub(super) fn restart(&mut self) {
        self.mirror.clock = self.state.clock;
        self.state = read_back(&self.state);
        self.mirror = read_back(&self.mirror);
    }

    pub(super) fn status(&self, id: ComponentId) -> Status {
        self.state.components[&id].status
    }

    pub(super) fn internal(&self, id: ComponentId) -> Status {
        self.state.components[&id].internal_status
    }

    /// The only incident there is.
    pub(super) fn incident(&self) -> &Incident {
        let incidents: Vec<&Incident> = self.state.incidents.values().collect();
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        incidents[0]
    }

    pub(super) fn maintenance(&self) -> MaintenanceId {
        *self.state.maintenances.keys().next().unwrap()
    }

    /// What was decided since the last look.
    pub(super) fn decided(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log).into_iter().map(|recorded| recorded.change).collect()
    }

    /// What subscribers were told since the last look, one line each.
    pub(super) fn told(&mut self) -> Vec<String> {
        let notices = |change| if let Change::Notice(notice) = change { Some(line(&notice)) } else { None };
        self.decided().into_iter().filter_map(notices).collect()
    }

    /// The same, without what only machines are told.
    pub(super) fn told_people(&mut self) -> Vec<String> {
        let mut told = self.told();
        told.retain(|line| !line.starts_with("component."));
        told
    }

    /// A maintenance "Upgrade", from and to so long after now.
    pub(super) fn maintenance_in(&self, from: &str, to: &str, components: &[ComponentId]) -> Act {
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
        NoticeAbout::Publication { incident, body } => format!("{} {}: {body}", notice.kind, incident.title),
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
        NoticeAbout::Publication { incident, .. } => incident.components.keys().copied().collect(),
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
    assert_eq!(state.swings, mirror.swings);
    assert_eq!(state.incidents, mirror.incidents);
    assert_eq!(state.maintenances, mirror.maintenances);
    assert_eq!((&state.series, &state.waiting), (&mirror.series, &mirror.waiting));
    assert_eq!((&state.dependencies, &state.past), (&mirror.dependencies, &mirror.past));
    assert_eq!(state.next_timer(), mirror.next_timer());
    let signals =
        |state: &State| state.signals.iter().map(|(key, signal)| (key.clone(), format!("{signal:?}"))).collect::<BTreeMap<_, _>>();
    assert_eq!((signals(state), state.next_id), (signals(mirror), mirror.next_id));
}

/// Everything that readers can see change is told exactly once, to everyone.
fn check_told(state: &State, changes: &[Recorded]) {
    let shown = |id: ComponentId| state.components.get(&id).is_some_and(Component::is_visible);
    let (mut moved, mut told_machines, mut told_people) = (Vec::new(), Vec::new(), Vec::new());
    let (mut entries, mut told_entries, mut named_again, mut opened) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for Recorded { change, .. } in changes {
        match change {
            Change::ComponentStatus { component, from, to, .. } if from != to && shown(*component) => moved.push((*component, *to)),
            // What was over before it was heard of is news for nobody.
            // Of a postmortem people are told if that is wished.
            Change::Incident { incident, update: Some(update) }
                if incident.is_visible(shown)
                    && (incident.added_at.is_none() || update.by != EVALUATOR)
                    && update.status != IncidentStatus::Postmortem =>
            {
                entries.push(update.id);
            }
            Change::Notice(notice) => match &notice.about {
                NoticeAbout::Component { change } => told_machines.push((change.component, change.to)),
                NoticeAbout::Incident { update, .. } => {
                    if update.status != IncidentStatus::Postmortem {
                        told_entries.push(update.id);
                    }
                    if matches!(notice.kind, NoticeKind::IncidentOpened | NoticeKind::IncidentReopened) {
                        opened.push(update.incident);
                    }
                    let told = update.components.iter().map(|change| (change.component, change.to));
                    // The last entry of an incident sums up what has changed since its worst.
                    if notice.kind == NoticeKind::IncidentResolved { named_again.extend(told) } else { told_people.extend(told) }
                }
                NoticeAbout::Maintenance { .. } | NoticeAbout::Endpoint { .. } | NoticeAbout::Publication { .. } => {}
            },
            _ => {}
        }
    }
    assert_eq!(told_entries, entries, "{changes:#?}");
    assert_eq!(told_machines, moved, "{changes:#?}");
    let is_followed = |id: ComponentId| {
        let was_open = |incident: &Incident| !incident.status.is_over() && !opened.contains(&incident.id);
        let tells = |incident: &Incident| was_open(incident) && incident.is_visible(shown) && incident.components.contains_key(&id);
        state.incidents.values().any(tells)
    };
    for (i, change) in moved.iter().enumerate() {
        let n = |list: &[(ComponentId, Status)]| list.iter().filter(|told| *told == change).count();
        assert!(n(&told_people) <= n(&moved), "{change:?} is told twice: {changes:#?}");
        let told = n(&told_people) + n(&named_again);
        // What lasted for no time is told as what came of it.
        let passed = moved[i + 1..].iter().any(|later| later.0 == change.0);
        assert!(told >= 1 || passed || !is_followed(change.0), "{change:?} is not told: {changes:#?}");
    }
}

/// What storage keeps of a state, and gives back.
fn read_back(state: &State) -> State {
    let mut read = State { zone: state.zone.clone(), next_id: state.next_id, clock: state.clock, ..State::empty() };
    read.components.clone_from(&state.components);
    read.combine.clone_from(&state.combine);
    read.past.clone_from(&state.past);
    read.dependencies.clone_from(&state.dependencies);
    for route in state.routes.values() {
        read.add_route(copy(route));
    }
    let alerts: BTreeMap<_, _> = state.alerts.iter().collect();
    for (key, alert) in alerts {
        read.set_alert(key, alert.clone());
    }
    state.causes.values().for_each(|cause| read.set_cause(cause.clone()));
    read.swings.clone_from(&state.swings);
    read.signals.clone_from(&state.signals);
    let since = Timestamp(state.clock.0 - MAX_COOL_OFF.0);
    let is_needed = |id: IncidentId| state.waiting.values().any(|act| act.incident == id);
    let kept = state.incidents.iter().filter(|(id, incident)| incident.last_news().is_none_or(|at| at >= since) || is_needed(**id));
    read.incidents = kept.map(|(id, incident)| (*id, incident.clone())).collect();
    read.maintenances.clone_from(&state.maintenances);
    read.series.clone_from(&state.series);
    read.waiting.clone_from(&state.waiting);
    read
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
        policy: route.policy.clone(),
        title: route.title.clone(),
        body: route.body.clone(),
        metric: route.metric,
        value: route.value.as_ref().map(|value| when(value.source())),
    }
}
