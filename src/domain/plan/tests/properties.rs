//! What holds for anything that may be said and done, in any order. The world checks the fold and the notices after every step.

use proptest::prelude::*;

use super::*;
use crate::{ALERT_MEMORY, Cause, Combine, Effect, Flapping, MAX_COOL_OFF, PublishHours, Weekday};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Say { integration: IntegrationId, what: u8, state: SignalState, severity: Severity, team: u8, ago: i64, whole_group: bool },
    Wait(i64),
    Override(ComponentId, Option<(Status, Option<i64>)>),
    Open(ComponentId, Status, bool),
    Edit { nth: usize, status: Option<IncidentStatus>, publish: bool },
    WriteToWait { nth: Option<usize>, status: Option<IncidentStatus>, seconds: i64 },
    TakeBack(usize),
    Delete(usize),
    Veto(usize),
    Maintain(ComponentId, i64, i64),
    EndMaintenance,
    Publish(RouteId, Publish),
    Combine(ComponentId, Combine),
    Depend(ComponentId, ComponentId, Effect),
    Replay { what: u8, state: SignalState, severity: Severity, minutes: i64 },
}

fn combine() -> impl Strategy<Value = Combine> {
    let weights = BTreeMap::from([(ALERTS, 2)]);
    let thresholds = BTreeMap::from([(DegradedPerformance, 1), (PartialOutage, 2), (MajorOutage, 3)]);
    prop::sample::select(vec![Combine::Worst, Combine::Quorum(2), Combine::Weighted { weights, thresholds }])
}

fn component_id() -> impl Strategy<Value = ComponentId> {
    prop::sample::select(vec![API, WEB, DB, VAULT])
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(Severity::ALL.to_vec())
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn said() -> impl Strategy<Value = Step> {
    let states = vec![SignalState::Firing, SignalState::Firing, SignalState::Resolved, SignalState::Sample];
    let parts = (0..2_i64, 0..4_u8, prop::sample::select(states), severity(), 0..2_u8, 0..3_i64, prop::bool::weighted(0.1));
    parts.prop_map(|(integration, what, state, severity, team, ago, whole_group)| {
        let integration = IntegrationId(integration + 1);
        Step::Say { integration, what, state, severity, team, ago: ago * 30_000, whole_group }
    })
}

fn replayed() -> impl Strategy<Value = Step> {
    let states = prop::sample::select(vec![SignalState::Firing, SignalState::Resolved]);
    (0..4_u8, states, severity(), 5..90_i64).prop_map(|(what, state, severity, minutes)| Step::Replay { what, state, severity, minutes })
}

fn waiting() -> impl Strategy<Value = Step> {
    let status = prop::option::of(prop::sample::select(IncidentStatus::ALL.to_vec()));
    (prop::option::of(0..4_usize), status, 1..=60_i64).prop_map(|(nth, status, seconds)| Step::WriteToWait { nth, status, seconds })
}

fn step() -> impl Strategy<Value = Step> {
    let edited = prop::option::of(prop::sample::select(IncidentStatus::ALL.to_vec()));
    prop_oneof![
        10 => said(),
        5 => (1..900_000_i64).prop_map(Step::Wait),
        1 => (1..9_i64, 0..2_i64).prop_map(|(days, ms)| Step::Wait(days * 86_400_000 - ms)),
        1 => (component_id(), prop::option::of((status(), prop::option::of(1..900_000_i64)))).prop_map(|(id, word)| Step::Override(id, word)),
        1 => (component_id(), status(), any::<bool>()).prop_map(|(id, status, published)| Step::Open(id, status, published)),
        2 => (0..4_usize, edited, any::<bool>()).prop_map(|(nth, status, publish)| Step::Edit { nth, status, publish }),
        1 => waiting(),
        1 => (0..2_usize).prop_map(Step::TakeBack),
        1 => (0..4_usize).prop_map(Step::Delete),
        1 => (0..4_usize).prop_map(Step::Veto),
        1 => (component_id(), 0..600_000_i64, 1..600_000_i64).prop_map(|(id, from, length)| Step::Maintain(id, from, length)),
        1 => Just(Step::EndMaintenance),
        1 => (1..8_i64, prop::sample::select(Publish::ALL.to_vec())).prop_map(|(id, publish)| Step::Publish(RouteId(id), publish)),
        2 => replayed(),
        1 => (component_id(), combine()).prop_map(|(id, combine)| Step::Combine(id, combine)),
        2 => (component_id(), component_id(), prop::sample::select(Effect::ALL.to_vec())).prop_map(|(a, b, effect)| Step::Depend(a, b, effect)),
    ]
}

/// All the day but the half hour after ten past twelve.
fn but_lunch() -> PublishHours {
    let time = |text: &str| text.parse().unwrap();
    PublishHours { days: Weekday::ALL.iter().copied().collect(), from: time("12:10"), to: time("12:40"), outside: true }
}

fn damped(changes: u8, within: i64, calm: i64) -> Policy {
    Policy { flapping: Some(Flapping { changes, within: Span::mins(within), calm: Span::mins(calm) }), ..Policy::default() }
}

fn world() -> World {
    World::new([
        Route { keep_firing_for: Span::mins(2), policy: damped(3, 20, 6), ..auto(&[API, VAULT]) },
        Route { hold: Span::mins(1), expire_after: Span::mins(6), condition: when("signal.labels.team == '0'"), ..auto(&[WEB]) },
        Route { expire_after: Span::mins(9), policy: damped(4, 30, 2), ..draft(&[API, DB]) },
        Route { policy: damped(3, 60, 30), ..shadow(&[DB, WEB]) },
        Route { integration: CI, title: Some("{{ signal.labels.team }} in {{ components }}".to_owned()), ..auto(&[API, WEB]) },
        Route { integration: CI, policy: Policy { publish_after: Span::mins(3), ..damped(3, 20, 9) }, ..auto(&[DB, API]) },
        Route {
            policy: Policy { publish_hours: Some(but_lunch()), minimum_severity: Some(Error), ..Policy::default() },
            ..auto(&[WEB, VAULT])
        },
    ])
}

impl World {
    fn take(&mut self, step: &Step) {
        let in_ms = |at: i64| Timestamp(self.now.0 + at);
        match step.clone() {
            Step::Say { integration, what, state, severity, team, ago, whole_group } => {
                let mut signal = signal(&format!("thing-{what}"), state, severity);
                signal.labels.insert("team".to_owned(), team.to_string());
                (signal.group, signal.whole_group) = (Some(format!("group-{}", what / 2)), whole_group);
                (signal.occurred_at, signal.value) = (in_ms(-ago), Some(f64::from(what)));
                self.say_from(integration, signal);
            }
            Step::Wait(ms) => self.wait_until(in_ms(ms)),
            Step::Override(id, None) => self.acts(unset(id)),
            Step::Override(id, Some((status, until))) => self.acts(set(id, status, until.map(in_ms))),
            Step::Open(id, status, published) => {
                let Act::OpenIncident(edit) = open([(id, status)]) else { unreachable!() };
                self.acts(Act::OpenIncident(IncidentEdit { published: Some(published), ..edit }));
            }
            Step::Edit { nth, status, publish } => {
                let Some(incident) = self.known_incident(nth) else { return };
                self.acts(Act::UpdateIncident { incident, edit: IncidentEdit { status, published: publish.then_some(true), ..edit() } });
            }
            Step::WriteToWait { nth, status, seconds } => {
                let incident = nth.and_then(|nth| self.known_incident(nth));
                let title = incident.is_none().then(|| "Login is slow".to_owned());
                let edit = IncidentEdit { title, status, published: Some(true), ..edit() };
                self.acts(Act::Wait { incident, edit, wait: Span::secs(seconds) });
            }
            Step::TakeBack(nth) => {
                let Some(waiting) = self.state.waiting.keys().nth(nth).copied() else { return };
                self.acts(Act::TakeBack { waiting });
            }
            Step::Delete(nth) => {
                let Some(incident) = self.known_incident(nth) else { return };
                self.acts(Act::DeleteIncident { incident });
            }
            Step::Veto(nth) => {
                let Some(incident) = self.known_incident(nth) else { return };
                let is_pending = self.state.incidents[&incident].pending().is_some();
                assert_eq!(self.tries(Act::Veto { incident }).is_ok(), is_pending);
            }
            Step::Maintain(id, from, length) => {
                let edit = MaintenanceEdit {
                    title: Some("Upgrade".to_owned()),
                    starts_at: Some(in_ms(from)),
                    ends_at: Some(in_ms(from + length)),
                    components: Some(vec![id]),
                    ..MaintenanceEdit::default()
                };
                self.acts(Act::ScheduleMaintenance(edit));
            }
            Step::EndMaintenance => {
                let Some(maintenance) = self.state.maintenances.keys().next().copied() else { return };
                let edit = MaintenanceEdit { status: Some(MaintenanceStatus::Completed), ..MaintenanceEdit::default() };
                self.acts(Act::UpdateMaintenance { maintenance, edit });
            }
            Step::Publish(id, publish) => {
                self.configure(|state| state.routes.get_mut(&id).unwrap().publish = publish);
                self.reconfigured();
            }
            Step::Replay { what, state, severity, minutes } => {
                let mut signal = signal(&format!("thing-{what}"), state, severity);
                signal.labels.insert("team".to_owned(), "0".to_owned());
                signal.occurred_at = in_ms(-minutes * 60_000);
                self.replays(ALERTS, &signal, &format!("{minutes}m"));
            }
            Step::Depend(a, b, effect) => {
                let (id, on) = (a.min(b), a.max(b)); // No cycles.
                if a != b && !self.state.dependencies.with(id, effect).any(|one| one.component == on) {
                    self.depends(id, on, effect);
                    self.reconfigured();
                }
            }
            Step::Combine(id, combine) => {
                self.combine(id, combine);
                self.reconfigured();
            }
        }
    }

    /// One of the incidents that every process knows of, however long it has run.
    fn known_incident(&self, nth: usize) -> Option<IncidentId> {
        let since = Timestamp(self.state.clock.0 - MAX_COOL_OFF.0);
        let mut known = self.state.incidents.values().filter(|incident| incident.last_news().is_none_or(|at| at >= since));
        known.nth(nth).map(|incident| incident.id)
    }

    /// What the sources of a component say together, of what `heard` lets through.
    fn together(&self, id: ComponentId, heard: impl Fn(&Cause) -> bool) -> Status {
        let of = |route: &Route| route.components.contains(&id);
        let mut said = BTreeMap::new();
        for cause in self.state.causes.values().filter(|cause| cause.counts() && heard(cause) && of(&self.state.routes[&cause.route])) {
            let word = said.entry(cause.integration).or_insert(Operational);
            *word = cause.status.max(*word);
        }
        let feeding = self.state.routes.values().filter(|route| of(route)).map(|route| route.integration).collect();
        self.state.combine.get(&id).cloned().unwrap_or_default().status(&said, &feeding)
    }

    /// Whether the trouble of a component opens no incident.
    fn is_silent(&self, id: ComponentId) -> bool {
        let is_quiet = |on: ComponentId| self.state.dependencies.quiet_until(id, on).is_some_and(|until| until > self.state.clock);
        let silences = |on: ComponentId| self.status(on).is_fault() || is_quiet(on) || self.is_silent(on);
        self.state.dependencies.with(id, Effect::Silence).any(|one| silences(one.component))
    }

    /// What is true of every state.
    fn check(&self) {
        for (key, alert) in self.state.alerts.iter() {
            let held = self.state.causes_of(key).next().is_some();
            assert!(
                held || self.state.clock.since(alert.seen_at.max(alert.since)) < ALERT_MEMORY,
                "remembered too long: {key:?} {alert:?}"
            );
        }
        for (route, swings) in &self.state.swings {
            assert!(swings.len() <= usize::from(self.state.routes[route].policy.flapping.unwrap().changes), "{swings:?}");
        }
        for cause in self.state.causes.values() {
            assert!(!cause.is_muted() || (cause.counts() && cause.incident.is_some()), "{cause:#?}");
        }
        for component in self.state.components.values() {
            let id = component.id;
            assert_eq!(component.internal_status, self.together(id, |_| true));
            let by_people = self.state.incidents.values().any(|incident| {
                incident.opened_by.is_none() && incident.published && !incident.status.is_over() && incident.components.contains_key(&id)
            });
            match &component.overridden {
                Some(word) => assert_eq!(component.status, word.status),
                None if self.state.under_maintenance(id) => assert_eq!(component.status, UnderMaintenance),
                None if !by_people && self.state.dependencies.with(id, Effect::Inherit).next().is_none() => {
                    assert!(component.status <= component.internal_status, "{component:#?}");
                    let speaks_of = |incident: &Incident| {
                        let is_of =
                            |cause: &Cause| cause.incident == Some(incident.id) && self.state.routes[&cause.route].components.contains(&id);
                        incident.components.contains_key(&id) || self.state.causes.values().any(is_of)
                    };
                    let tells = |incident: &Incident| incident.published && !incident.status.is_over() && speaks_of(incident);
                    let is_told = self.state.incidents.values().any(tells);
                    assert!(
                        is_told || !component.status.is_fault() || component.hidden || self.is_silent(id),
                        "nobody tells of {component:#?}"
                    );
                }
                None => {}
            }
            for cap in self.state.dependencies.with(id, Effect::Cap).filter(|_| !by_people && component.overridden.is_none()) {
                let upstream = self.status(cap.component);
                assert!(component.status <= upstream || !upstream.is_fault(), "{component:#?}");
            }
        }
        for incident in self.state.incidents.values() {
            let holds = |cause: &Cause| {
                let says_so = |id: &ComponentId| self.together(*id, |cause| !cause.is_muted()) != Operational;
                let is_in = cause.counts() && !cause.is_muted() && cause.incident == Some(incident.id);
                is_in && self.state.routes[&cause.route].components.iter().any(says_so)
            };
            let held = self.state.causes.values().any(holds);
            assert_eq!(incident.status.is_over(), incident.resolved_at.is_some());
            assert!(incident.opened_by.is_none() || incident.status.is_over() || held, "open, and nothing keeps it so: {incident:#?}");
        }
        assert!(self.state.next_timer().is_none_or(|at| at > self.state.clock), "everything due is done");
    }
}

/// The state's alerts, as far as they do not depend on when something was heard, and what signals say of components.
fn said_so_far(world: &World) -> impl PartialEq + std::fmt::Debug + use<> {
    let alert = |(key, alert): (&crate::AlertKey, &crate::Alert)| (key.clone(), (alert.firing, alert.severity, alert.occurred_at));
    let alerts: BTreeMap<_, _> = world.state.alerts.iter().map(alert).collect();
    let statuses: Vec<Status> = world.state.components.values().map(|component| component.internal_status).collect();
    (alerts, statuses)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_state_stays_sound(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = world();
        for step in &steps {
            world.take(step);
            world.take(&Step::Wait(0));
            world.check();
        }
    }

    #[test]
    fn the_same_in_gives_the_same_out(steps in prop::collection::vec(step(), 1..40)) {
        let run = || {
            let mut world = world();
            steps.iter().for_each(|step| world.take(step));
            format!("{:?}", world.log)
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn a_restart_between_any_two_steps_changes_nothing(steps in prop::collection::vec((step(), any::<bool>()), 1..40)) {
        let run = |restarts: bool| {
            let mut world = world();
            for (step, restart) in &steps {
                world.take(step);
                if restarts && *restart {
                    world.restart();
                }
            }
            world.restart(); // Forgets the incidents that no other process would know of.
            format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", world.log, world.state.causes, world.state.incidents, said_so_far(&world))
        };
        prop_assert_eq!(run(true), run(false));
    }

    #[test]
    fn late_news_never_move_anything(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = world();
        // The newest that was ever said of each thing, and when it was last heard of.
        let mut newest: BTreeMap<crate::AlertKey, (Timestamp, Timestamp)> = BTreeMap::new();
        for step in &steps {
            world.decided();
            world.take(step);
            for (key, alert) in world.state.alerts.iter() {
                let (before, _) = *newest.get(key).unwrap_or(&(Timestamp(i64::MIN), Timestamp(i64::MIN)));
                let heard = alert.seen_at.max(alert.since);
                let forgotten = newest.get(key).is_some_and(|(_, heard)| world.now.since(*heard) >= ALERT_MEMORY);
                prop_assert!(alert.occurred_at >= before || forgotten, "{key:?} went back: {alert:?}");
                newest.insert(key.clone(), (alert.occurred_at.max(if forgotten { Timestamp(i64::MIN) } else { before }), heard));
            }
        }
        let told: Vec<_> = newest.iter().map(|(key, (at, _))| (key.clone(), *at)).collect();
        for ((integration, what), at) in told {
            if world.state.alerts.get(&(integration, what.clone())).is_none() {
                continue;
            }
            world.decided();
            for state in [SignalState::Firing, SignalState::Resolved] {
                world.say_from(integration, Signal { occurred_at: Timestamp(at.0 - 1), ..signal(&what, state, Critical) });
            }
            prop_assert_eq!(world.decided(), vec![]);
        }
    }

    #[test]
    fn repeats_and_any_order_of_delivery_end_in_the_same_state(
        (said, shuffled) in prop::collection::vec((0..3_u8, any::<bool>(), severity()), 1..20).prop_flat_map(|said| {
            let order: Vec<usize> = (0..said.len()).chain(0..said.len()).collect();
            (Just(said), Just(order).prop_shuffle())
        })
    ) {
        let start = World::new([]).now;
        let signal = |at: usize| {
            let (what, fires, severity) = said[at];
            let state = if fires { SignalState::Firing } else { SignalState::Resolved };
            let occurred_at = Timestamp(start.0 - 1_000 + at as i64);
            Signal { occurred_at, ..signal(&format!("thing-{what}"), state, severity) }
        };
        let hear = |order: &mut dyn Iterator<Item = usize>| {
            let mut world = World::new([auto(&[API, VAULT]), draft(&[API, WEB]), shadow(&[DB])]);
            order.for_each(|at| world.say(signal(at)));
            said_so_far(&world)
        };
        prop_assert_eq!(hear(&mut (0..said.len())), hear(&mut shuffled.into_iter()));
    }
}

/// The silence keeps the second component out of the incident, which a maintenance of the first then ends unpublished.
#[test]
fn what_flapped_in_an_incident_that_is_not_published_counts_on_no_component_any_more() {
    let say = |what, state, severity| Step::Say { integration: CI, what, state, severity, team: 0, ago: 0, whole_group: false };
    let mut world = world();
    for step in [
        Step::Depend(API, WEB, Effect::Silence),
        say(3, SignalState::Firing, Severity::Warning),
        say(3, SignalState::Resolved, Severity::Unknown),
        say(0, SignalState::Firing, Severity::Unknown),
        Step::Maintain(DB, 0, 180_001),
        Step::Wait(180_000),
    ] {
        world.take(&step);
        world.take(&Step::Wait(0));
        world.check();
    }
}
