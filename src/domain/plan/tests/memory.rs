//! What is forgotten, when, and how much is taken in at all.

use super::*;
use crate::{ALERT_MEMORY, Alert, Cause, MAX_HELD_ALERTS, MAX_IDLE_ALERTS};

fn key(what: &str) -> (IntegrationId, String) {
    (ALERTS, what.to_owned())
}

fn at(signal: Signal, occurred_at: Timestamp) -> Signal {
    Signal { occurred_at, ..signal }
}

/// A state of routes without the world's checks, where there is too much to look at all of it after every step.
fn bare(route: Route) -> State {
    let mut state = State::empty();
    state.components.insert(API, component(API, "API", false));
    state.add_route(Route { id: RouteId(1), label: "route-1".to_owned(), ..route });
    state
}

fn hear(state: &mut State, signal: &Signal, at: Timestamp) -> Vec<Recorded> {
    plan_timers(state, at).into_iter().chain(plan_signal(state, ALERTS, DeliveryId(1), signal, at)).collect()
}

#[test]
fn late_news_are_late_for_as_long_as_a_thing_is_remembered() {
    let mut world = World::new([auto(&[API])]);
    let began = world.now;
    world.after("1h");
    world.resolves("cpu");
    world.now = world.now.plus(Span(ALERT_MEMORY.0 - 1));
    world.after("0s");
    world.say(at(firing("cpu", Critical), began));
    assert_eq!((world.status(API), world.state.alerts.len()), (Operational, 1), "a moment before it is forgotten");
    world.after("1ms");
    assert_eq!(world.state.alerts.len(), 0);
}

#[test]
fn a_delivery_of_long_ago_says_nothing_about_what_may_have_been_forgotten() {
    let mut world = World::new([auto(&[API])]);
    let began = world.now;
    world.after("1h");
    world.resolves("cpu");
    world.now = world.now.plus(ALERT_MEMORY);
    world.after("0s");
    let said = at(firing("cpu", Critical), began);
    let replayed = plan_signal(&mut world.state, ALERTS, DeliveryId(1), &said, began);
    assert!(
        matches!(&replayed[..], [Recorded { change: Change::Refused { .. }, why, .. }] if why.text.starts_with("cpu: ")),
        "{replayed:#?}"
    );
    let arrives = plan_signal(&mut world.state, ALERTS, DeliveryId(1), &said, began.plus(Span::mins(61)));
    assert!(!arrives.is_empty());
    plan_timers(&mut world.state, world.now.plus(Span::mins(2)));
    assert_eq!(world.status(API), MajorOutage, "what has fired for long and is new to us is believed");
}

#[test]
fn what_a_route_holds_is_not_forgotten() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.after("30d");
    assert_eq!((world.state.alerts.len(), world.status(API)), (1, MajorOutage));
    world.resolves("cpu");
    world.after("7d");
    assert_eq!((world.state.alerts.len(), world.state.signals.len()), (0, 0));
}

#[test]
fn what_fires_on_no_route_is_forgotten_too() {
    let mut world = World::new([Route { condition: when("false"), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("6d");
    world.fires("cpu", Critical);
    world.after("6d");
    assert_eq!((world.state.alerts.len(), world.state.signals.len()), (1, 1), "it was heard of since");
    world.after("1d");
    assert_eq!((world.state.alerts.len(), world.state.signals.len()), (0, 0));
}

#[test]
fn no_more_idle_things_are_remembered_than_the_limit_and_the_longest_unheard_go_first() {
    let mut state = bare(auto(&[API]));
    let now = |n: usize| Timestamp(n as i64);
    for n in 0..MAX_IDLE_ALERTS {
        hear(&mut state, &at(resolved(&format!("thing-{n}")), now(n)), now(n));
    }
    hear(&mut state, &at(resolved("thing-0"), now(MAX_IDLE_ALERTS)), now(MAX_IDLE_ALERTS));
    assert_eq!(state.alerts.len(), MAX_IDLE_ALERTS);
    hear(&mut state, &at(resolved("one more"), now(MAX_IDLE_ALERTS)), now(MAX_IDLE_ALERTS));
    assert_eq!(state.alerts.len(), MAX_IDLE_ALERTS);
    assert!(state.alerts.get(&key("thing-1")).is_none() && state.alerts.get(&key("thing-0")).is_some());
}

#[test]
fn no_more_things_are_held_than_the_limit_and_what_is_refused_says_why() {
    let mut state = bare(Route { hold: Span::mins(5), ..auto(&[API]) });
    let now = Timestamp(1);
    let say = |state: &mut State, signal: Signal| plan_signal(state, ALERTS, DeliveryId(1), &at(signal, now), now);
    for n in 0..MAX_HELD_ALERTS - 1 {
        say(&mut state, firing(&format!("thing-{n}"), Critical));
    }
    let is_refused = |recorded: &[Recorded]| recorded.iter().any(|recorded| matches!(recorded.change, Change::Refused { .. }));
    assert!(!is_refused(&say(&mut state, firing("the last", Critical))));
    let refused = say(&mut state, firing("one more", Critical));
    assert!(is_refused(&refused) && refused.iter().any(|recorded| recorded.why.text.contains("10000 things of this integration fire")));
    assert_eq!(state.causes.len(), MAX_HELD_ALERTS);
    assert!(!is_refused(&say(&mut state, firing("the last", Warning))), "what is held goes on");
    say(&mut state, resolved("the last"));
    assert!(!is_refused(&say(&mut state, firing("one more", Critical))), "and there is room again when something is over");
}

#[test]
fn a_state_that_is_read_back_holds_and_forgets_the_same() {
    let alert = |seen_at: i64| Alert {
        firing: false,
        severity: Critical,
        group: None,
        occurred_at: Timestamp(seen_at),
        since: Timestamp(seen_at),
        seen_at: Timestamp(seen_at),
        delivery: None,
    };
    let cause = Cause {
        integration: ALERTS,
        fingerprint: "held".to_owned(),
        route: RouteId(1),
        status: MajorOutage,
        phase: Phase::Active,
        since: Timestamp(0),
        due_at: None,
        expires_at: None,
        incident: None,
        muted_up_to: None,
        delivery: None,
        summary: String::new(),
    };
    for cause_first in [false, true] {
        let mut state = bare(auto(&[API]));
        if cause_first {
            state.set_cause(cause.clone());
        }
        state.set_alert(&key("held"), alert(0));
        state.set_alert(&key("idle"), alert(0));
        state.set_cause(cause.clone());
        plan_timers(&mut state, Timestamp(ALERT_MEMORY.0 - 1));
        assert_eq!(state.alerts.len(), 2);
        plan_timers(&mut state, Timestamp(ALERT_MEMORY.0));
        assert!(state.alerts.get(&key("held")).is_some() && state.alerts.get(&key("idle")).is_none());
    }
}
