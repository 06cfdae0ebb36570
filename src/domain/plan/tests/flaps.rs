//! What goes up and down again and again.

use proptest::prelude::*;

use super::*;
use crate::{Cause, FLAPPING_FINGERPRINT, Flapping};

const FLAPPING: Flapping = Flapping { changes: 5, within: Span::mins(30), calm: Span::mins(15) };

fn damped(route: Route) -> Route {
    Route { policy: Policy { flapping: Some(FLAPPING), ..route.policy.clone() }, ..route }
}

fn is_flapping(world: &World) -> bool {
    world.state.causes.values().any(Cause::is_flapping)
}

/// Down, up, down, up, down: five changes in eight minutes.
fn flap(world: &mut World) {
    for _ in 0..2 {
        world.fires("cpu", Critical);
        world.after("2m");
        world.resolves("cpu");
        world.after("2m");
    }
    world.fires("cpu", Critical);
}

#[test]
fn what_flaps_stays_down_until_it_has_been_calm_and_says_so_once() {
    let mut world = World::new([damped(auto(&[API]))]);
    flap(&mut world);
    assert!(is_flapping(&world));
    let told = world.told_people();
    assert_eq!(told.len(), 6, "opened, resolved, reopened, resolved, reopened, and why it stays so: {told:#?}");
    assert_eq!(told[5], "incident.updated Problem with API: API goes up and down. We show the worst until it has been calm for 15m.");
    for _ in 0..20 {
        world.after("2m");
        world.resolves("cpu");
        assert_eq!((world.status(API), world.incident().status), (MajorOutage, IncidentStatus::Investigating));
        world.after("10m");
        world.fires("cpu", Warning);
    }
    assert_eq!(world.told(), [] as [&str; 0]);
    world.resolves("cpu");
    world.after("14m");
    assert_eq!(world.told(), [] as [&str; 0]);
    world.after("1m");
    assert_eq!(world.status(API), Operational);
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: API has recovered. [API operational]"]);
    assert!(world.state.swings.is_empty());
    // Counted from nothing.
    world.fires("cpu", Critical);
    assert!(!is_flapping(&world));
}

#[test]
fn things_that_take_turns_flap_as_one_does() {
    let mut world = World::new([damped(auto(&[API, WEB]))]);
    for what in ["pod-1", "pod-2", "pod-3", "pod-4"] {
        world.fires(what, Error);
        world.after("1m");
        world.resolves(what);
        world.after("1m");
    }
    assert!(is_flapping(&world));
    assert_eq!((world.status(API), world.status(WEB)), (PartialOutage, PartialOutage));
}

#[test]
fn it_gets_worse_at_once_and_better_when_calm_though_something_still_fires() {
    let mut world = World::new([damped(auto(&[API]))]);
    for severity in [Warning, Error, Warning, Error, Warning] {
        world.fires("cpu", severity);
        world.after("1m");
    }
    assert!(is_flapping(&world));
    assert_eq!(world.status(API), PartialOutage);
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API is now in a major outage. [API major_outage]"]);
    world.fires("cpu", Warning);
    world.after("15m");
    let better = "incident.updated Problem with API: API now has degraded performance. [API degraded_performance]";
    assert_eq!(world.told_people(), [better]);
    assert_eq!((world.status(API), world.incident().status), (DegradedPerformance, IncidentStatus::Investigating));
    world.resolves("cpu");
    assert_eq!(world.status(API), Operational);
}

#[test]
fn changes_that_are_far_apart_are_no_flapping() {
    let mut world = World::new([damped(auto(&[API]))]);
    for _ in 0..10 {
        world.fires("cpu", Critical);
        world.after("8m");
        world.resolves("cpu");
        world.after("8m");
    }
    assert!(!is_flapping(&world));
}

#[test]
fn a_person_who_ends_the_incident_ends_what_readers_see() {
    let mut world = World::new([damped(auto(&[API]))]);
    flap(&mut world);
    world.resolves("cpu");
    world.acts(resolve(world.incident().id));
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
    world.told();
    // It fires again, and goes on as before.
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.told_people().len()), (MajorOutage, 1));
    world.resolves("cpu");
    world.after("15m");
    assert_eq!(world.status(API), Operational);
}

#[test]
fn a_route_that_no_longer_damps_ends_it() {
    let mut world = World::new([damped(auto(&[API]))]);
    flap(&mut world);
    world.resolves("cpu");
    world.configure(|state| state.routes.get_mut(&RouteId(1)).unwrap().policy = Policy::default());
    world.reconfigured();
    assert_eq!((world.status(API), world.state.swings.len(), world.incident().status), (Operational, 0, IncidentStatus::Resolved));
}

#[test]
fn only_fanal_speaks_of_flapping() {
    let mut world = World::new([damped(auto(&[API]))]);
    world.fires(FLAPPING_FINGERPRINT, Critical);
    assert!(world.state.causes.is_empty() && matches!(world.decided()[..], [Change::Refused { .. }]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes and goes, people hear of so much in any half an hour: the changes until it is called flapping, each of which may be told as
    /// an end and as a beginning, that it is, that it got worse (three times at most), and that it is over.
    #[test]
    fn however_often_it_swings_people_are_told_little(
        steps in prop::collection::vec((0..3_u8, any::<bool>(), prop::sample::select(vec![Warning, Error, Critical]), 1..240_i64), 50..250),
        cool_off in prop::sample::select(vec![Span::ZERO, Span::mins(10)]),
    ) {
        let mut world = World::new([damped(Route { cool_off, ..auto(&[API]) })]);
        let mut told: Vec<Timestamp> = Vec::new();
        for (what, fires, severity, secs) in steps {
            let (before, held) = (told.len(), world.state.causes.values().find(|cause| cause.is_flapping()).cloned());
            let what = format!("pod-{what}");
            if fires { world.fires(&what, severity) } else { world.resolves(&what) }
            let people = |recorded: &&Recorded| matches!(&recorded.change, Change::Notice(notice) if notice.kind.is_for_people());
            told.extend(world.log.iter().filter(people).map(|recorded| recorded.at));
            world.log.clear();
            if let Some(held) = held {
                prop_assert!(told.len() == before || world.status(API) > held.status, "told of a swing while it flaps");
            }
            world.wait_until(world.now.plus(Span::secs(secs)));
        }
        let most = 2 * usize::from(FLAPPING.changes) + 5;
        for (i, from) in told.iter().enumerate() {
            let n = told[i..].iter().take_while(|at| at.since(*from) < FLAPPING.within).count();
            prop_assert!(n <= most, "{n} times within half an hour");
        }
    }
}
