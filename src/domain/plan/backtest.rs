//! Back-tests: what routes would have done with the deliveries of the past, in a state of its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::{plan_signal, plan_timers};
use crate::{
    Change, Combine, Component, ComponentId, DeliveryId, Dependencies, Incident, IncidentId, IntegrationId, Recorded, Route, Signal, State,
    Status, Timestamp,
};

/// The most incidents and the most spans of one component that are kept for showing. The rest is counted.
const MAX_KEPT: usize = 200;

/// Folds the deliveries of one integration as if nothing else had happened: no other integration, no maintenance, no person's word.
#[derive(Debug)]
pub struct BackTest {
    state: State,
    integration: IntegrationId,
    /// The newest incident there has been.
    newest: IncidentId,
    found: Findings,
}

/// What would have happened.
#[derive(Debug, Default)]
pub struct Findings {
    /// The incidents that would have been opened, oldest first, at most 200.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// How many there would have been.
    pub n_incidents: usize,
    /// When components would not have been well, oldest first, at most the first 200 spans of each.
    pub spans: BTreeMap<ComponentId, Vec<StatusSpan>>,
    /// How many spans were left out.
    pub n_left_out: usize,
    /// How many notices would have been made for subscribers.
    pub n_notices: usize,
    /// Up to when it was worked out.
    pub until: Timestamp,
}

/// A time in which the status of a component did not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusSpan {
    /// What readers would have seen.
    pub status: Status,
    /// What the signals say, whether it is published or not.
    pub internal_status: Status,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None` if it would still be so at the end.
    pub until: Option<Timestamp>,
}

impl BackTest {
    /// Begins with well components. `routes` are those of `integration`, in order.
    #[must_use]
    pub fn new(integration: IntegrationId, components: Vec<Component>, routes: Vec<Route>, zone: TimeZone, from: Timestamp) -> Self {
        let mut state = State::empty();
        (state.zone, state.clock) = (zone, from);
        let fresh = |component: Component| Component {
            status: Status::Operational,
            internal_status: Status::Operational,
            status_since: from,
            overridden: None,
            ..component
        };
        state.components = components.into_iter().map(|component| (component.id, fresh(component))).collect();
        for route in routes {
            state.add_route(route);
        }
        Self { state, integration, newest: IncidentId(0), found: Findings { until: from, ..Findings::default() } }
    }

    /// Lets the sources of components add up as they do, and components depend on each other. This integration alone is heard, so where
    /// several would have to agree, it is all there are, and decides alone.
    #[must_use]
    pub fn with_sources(mut self, combine: BTreeMap<ComponentId, Combine>, mut dependencies: Dependencies) -> Self {
        dependencies.forget_quiet();
        (self.state.combine, self.state.dependencies) = (combine, dependencies);
        self
    }

    /// Takes one signal of a delivery in; deliveries come in the order in which they arrived.
    pub fn take(&mut self, delivery: DeliveryId, signal: &Signal, at: Timestamp) {
        self.pass(at);
        let recorded = plan_signal(&mut self.state, self.integration, delivery, signal, at);
        self.note(&recorded);
    }

    /// Lets time pass.
    pub fn pass(&mut self, at: Timestamp) {
        let recorded = plan_timers(&mut self.state, at);
        self.note(&recorded);
        self.found.until = self.found.until.max(at);
    }

    /// The components that it is about: those that the routes name, and those that would not have been well.
    #[must_use]
    pub fn concerned(&self) -> BTreeSet<ComponentId> {
        let named = self.state.routes.values().flat_map(|route| route.components.iter().copied());
        let affected = self.found.incidents.values().flat_map(|incident| incident.components.keys().copied());
        named.chain(affected).chain(self.found.spans.keys().copied()).collect()
    }

    /// What would have happened up to now.
    #[must_use]
    pub fn finish(self) -> Findings {
        self.found
    }

    fn note(&mut self, recorded: &[Recorded]) {
        for Recorded { change, .. } in recorded {
            match change {
                Change::Incident { incident, .. } => self.note_incident(incident),
                Change::ComponentStatus { component, to, internal_to, at, .. } => {
                    self.note_span(*component, StatusSpan { status: *to, internal_status: *internal_to, from: *at, until: None });
                }
                Change::Notice(notice) => self.found.n_notices += usize::from(!notice.kind.is_for_owner()),
                _ => {}
            }
        }
    }

    fn note_incident(&mut self, incident: &Incident) {
        let is_new = incident.id > self.newest;
        self.newest = self.newest.max(incident.id);
        self.found.n_incidents += usize::from(is_new);
        if self.found.incidents.contains_key(&incident.id) || (is_new && self.found.incidents.len() < MAX_KEPT) {
            self.found.incidents.insert(incident.id, incident.clone());
        }
    }

    fn note_span(&mut self, component: ComponentId, span: StatusSpan) {
        let spans = self.found.spans.entry(component).or_default();
        if let Some(last) = spans.last_mut().filter(|last| last.until.is_none()) {
            last.until = Some(span.from);
        }
        // What began and ended at the same moment was never there for anybody.
        spans.retain(|known| known.until != Some(known.from));
        if (span.status, span.internal_status) == (Status::Operational, Status::Operational) {
            return;
        }
        if spans.len() < MAX_KEPT {
            spans.push(span);
        } else {
            self.found.n_left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Publish, RouteId, RouteSpec, Severity, SignalState, Span};

    const START: Timestamp = Timestamp(1_780_000_000_000);
    const API: ComponentId = ComponentId(7);

    fn back_test(spec: &RouteSpec) -> BackTest {
        let component = Component {
            id: API,
            key: "api".to_owned(),
            name: "API".to_owned(),
            description: String::new(),
            group: None,
            position: 0,
            hidden: false,
            // As it is now, which says nothing about the past.
            status: Status::MajorOutage,
            status_since: START,
            internal_status: Status::MajorOutage,
            overridden: None,
            created_at: START,
        };
        let route = Route::compile(RouteId(1), IntegrationId(3), "hook[0]".to_owned(), spec, vec![API], None).unwrap();
        BackTest::new(IntegrationId(3), vec![component], vec![route], TimeZone::UTC, START)
    }

    fn after(span: Span) -> Timestamp {
        START.plus(span)
    }

    fn say(test: &mut BackTest, state: SignalState, at: Timestamp) {
        let mut signal = Signal::new("f", state, "api", at);
        signal.severity = Severity::Critical;
        test.take(DeliveryId(at.0), &signal, at);
    }

    #[test]
    fn an_outage_of_the_past_opens_its_incident_and_ends_it() {
        let mut test = back_test(&RouteSpec { publish: Publish::Auto, ..RouteSpec::default() });
        say(&mut test, SignalState::Firing, after(Span::mins(1)));
        say(&mut test, SignalState::Resolved, after(Span::mins(6)));
        test.pass(after(Span::mins(60)));
        let found = test.finish();
        let incident = found.incidents.values().next().unwrap();
        assert_eq!((found.n_incidents, incident.published, incident.started_at), (1, true, after(Span::mins(1))));
        assert_eq!((incident.resolved_at, found.until), (Some(after(Span::mins(6))), after(Span::mins(60))));
        let span = StatusSpan {
            status: Status::MajorOutage,
            internal_status: Status::MajorOutage,
            from: after(Span::mins(1)),
            until: Some(after(Span::mins(6))),
        };
        assert_eq!(found.spans[&API], [span]);
        // Opened and resolved, and the component's status there and back.
        assert_eq!(found.n_notices, 4);
    }

    #[test]
    fn sources_and_dependencies_act_as_far_as_this_integration_knows() {
        const WEB: ComponentId = ComponentId(8);
        let spec = RouteSpec { publish: Publish::Auto, ..RouteSpec::default() };
        let mut test = back_test(&spec);
        let web = Component { id: WEB, name: "Web".to_owned(), ..test.state.components[&API].clone() };
        test.state.components.insert(WEB, web);
        let mut dependencies = Dependencies::default();
        dependencies.add(WEB, crate::Dependency { component: API, effect: crate::Effect::Inherit, settle: Span::ZERO });
        let mut test = test.with_sources(BTreeMap::from([(API, Combine::Quorum(3))]), dependencies);
        assert_eq!(test.concerned(), BTreeSet::from([API]), "what the routes name");
        say(&mut test, SignalState::Firing, after(Span::mins(1)));
        assert_eq!(test.concerned(), BTreeSet::from([API, WEB]), "and what they lead to");
        let found = test.finish();
        assert_eq!((found.spans[&API][0].status, found.spans[&WEB][0].status), (Status::MajorOutage, Status::DegradedPerformance));
    }

    #[test]
    fn timers_happen_at_their_time_and_what_goes_on_has_no_end() {
        let spec = RouteSpec { hold: Span::mins(5), expire_after: Span::mins(30), publish: Publish::Auto, ..RouteSpec::default() };
        let mut test = back_test(&spec);
        say(&mut test, SignalState::Firing, after(Span::mins(1)));
        say(&mut test, SignalState::Resolved, after(Span::mins(3)));
        say(&mut test, SignalState::Firing, after(Span::mins(10)));
        test.pass(after(Span::mins(60)));
        say(&mut test, SignalState::Firing, after(Span::mins(61)));
        test.pass(after(Span::mins(70)));
        let found = test.finish();
        let spans: Vec<_> = found.spans[&API].iter().map(|span| (span.from, span.until)).collect();
        assert_eq!(spans, [(after(Span::mins(15)), Some(after(Span::mins(40)))), (after(Span::mins(66)), None)]);
        assert_eq!(found.n_incidents, 2, "the second came after the cool-off");
    }

    #[test]
    fn drafts_and_shadows_show_only_what_the_signals_say() {
        for (publish, n_incidents) in [(Publish::Draft, 1), (Publish::Shadow, 0)] {
            let mut test = back_test(&RouteSpec { publish, ..RouteSpec::default() });
            say(&mut test, SignalState::Firing, after(Span::mins(1)));
            let found = test.finish();
            assert_eq!((found.n_incidents, found.n_notices), (n_incidents, 0), "{publish}");
            let span = found.spans[&API][0];
            assert_eq!((span.status, span.internal_status), (Status::Operational, Status::MajorOutage));
        }
    }

    #[test]
    fn a_policy_is_kept_to_in_the_past_too() {
        let policy = Policy { publish_after: Span::mins(5), minimum_severity: Some(Severity::Error), ..Policy::default() };
        let mut test = back_test(&RouteSpec { publish: Publish::Auto, policy, ..RouteSpec::default() });
        say(&mut test, SignalState::Firing, after(Span::mins(1)));
        say(&mut test, SignalState::Resolved, after(Span::mins(4)));
        say(&mut test, SignalState::Firing, after(Span::mins(60)));
        test.pass(after(Span::mins(90)));
        let found = test.finish();
        let published: Vec<bool> = found.incidents.values().map(|incident| incident.published).collect();
        assert_eq!((published, found.n_notices), (vec![false, true], 2), "the incident and the status; the owner is not counted");
        assert_eq!(found.spans[&API].last().unwrap().from, after(Span::mins(65)));
    }

    #[test]
    fn what_is_shown_is_limited_and_the_rest_is_counted() {
        let mut test = back_test(&RouteSpec { publish: Publish::Auto, cool_off: Span::ZERO, ..RouteSpec::default() });
        for i in 0..250 {
            say(&mut test, SignalState::Firing, after(Span::mins(i * 10)));
            say(&mut test, SignalState::Resolved, after(Span::mins(i * 10 + 1)));
        }
        let found = test.finish();
        assert_eq!((found.n_incidents, found.incidents.len()), (250, MAX_KEPT));
        assert_eq!((found.spans[&API].len(), found.n_left_out), (MAX_KEPT, 50));
        assert!(found.incidents.values().all(|incident| incident.resolved_at.is_some()));
    }
}
