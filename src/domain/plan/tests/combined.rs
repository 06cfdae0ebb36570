//! Components of which several sources say something, and not the worst of them decides.

use super::*;
use crate::Combine;

/// Three integrations with a route each to the API, which two of them must agree on.
fn two_of_three(publish: [Publish; 3]) -> World {
    let route = |(i, publish): (usize, Publish)| Route { integration: IntegrationId(i as i64 + 1), publish, ..auto(&[API]) };
    let mut world = World::new(publish.into_iter().enumerate().map(route));
    world.combine(API, Combine::Quorum(2));
    world
}

const ALL_AUTO: [Publish; 3] = [Publish::Auto; 3];
const THIRD: IntegrationId = IntegrationId(3);

fn why_of_the_status(world: &World) -> String {
    let is_status = |recorded: &&Recorded| matches!(recorded.change, Change::ComponentStatus { .. });
    world.log.iter().rev().find(is_status).unwrap().why.text.clone()
}

#[test]
fn one_of_three_opens_nothing_and_the_second_opens_the_incident_of_both() {
    let mut world = two_of_three(ALL_AUTO);
    world.fires("a", Critical);
    world.fires("another of the same integration", Critical);
    assert_eq!((world.status(API), world.internal(API), world.told().len()), (Operational, Operational, 0));
    world.say_from(CI, firing("b", Warning));
    assert_eq!(
        why_of_the_status(&world),
        "b (warning) fires on route route-2: degraded performance; of 3 sources: #1 says major outage, #2 says degraded performance"
    );
    assert_eq!(
        world.told_people(),
        ["incident.opened Problem with API: We are investigating a problem with API. [API degraded_performance]"]
    );
    assert_eq!((world.status(API), world.incident().components[&API]), (DegradedPerformance, DegradedPerformance));
    assert!(world.state.causes.values().all(|cause| cause.incident == Some(world.incident().id)), "both made it");
}

#[test]
fn an_incident_gets_worse_with_what_its_sources_agree_on_and_ends_when_too_few_do() {
    let mut world = two_of_three(ALL_AUTO);
    world.fires("a", Critical);
    world.say_from(CI, firing("b", Warning));
    world.told();
    world.say_from(THIRD, firing("c", Error));
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API is now in a partial outage. [API partial_outage]"]);
    world.resolves("a");
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API now has degraded performance. [API degraded_performance]"]);
    world.say_from(CI, resolved("b"));
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: API has recovered. [API operational]"]);
    let left = world.state.causes.values().next().unwrap();
    assert_eq!((left.fingerprint.as_str(), left.incident), ("c", None), "it fires, and belongs to nothing");
    world.fires("a", Critical);
    assert_eq!(
        world.told_people(),
        ["incident.reopened Problem with API: The problem with API is back. [API partial_outage]"],
        "within the cool-off it is the same incident"
    );
}

#[test]
fn what_is_said_more_mildly_ends_the_incident_too() {
    let mut world = two_of_three(ALL_AUTO);
    let thresholds = BTreeMap::from([(DegradedPerformance, 1), (MajorOutage, 3)]);
    world.combine(API, Combine::Weighted { weights: BTreeMap::from([(ALERTS, 1), (CI, 2), (THIRD, 0)]), thresholds });
    world.fires("a", Critical);
    assert_eq!(world.status(API), PartialOutage, "what has no threshold of its own needs as much as the milder");
    world.say_from(THIRD, firing("c", Critical));
    assert_eq!(world.status(API), PartialOutage, "what weighs nothing counts for nothing");
    world.say_from(CI, firing("b", Critical));
    assert_eq!(world.status(API), MajorOutage);
    world.say_from(CI, firing("b", Info));
    world.fires("a", Info);
    assert_eq!((world.status(API), world.incident().status), (Operational, IncidentStatus::Resolved));
}

#[test]
fn readers_hear_of_what_those_say_who_may_speak_to_them() {
    let mut world = two_of_three([Publish::Auto, Publish::Draft, Publish::Shadow]);
    world.fires("a", Critical);
    world.say_from(THIRD, firing("c", Critical));
    assert_eq!((world.internal(API), world.status(API), world.state.incidents.len()), (MajorOutage, Operational, 0), "a shadow has no say");
    world.say_from(CI, firing("b", Critical));
    assert_eq!((world.status(API), world.incident().published), (Operational, false), "a draft has a say among drafts");
    world.acts(publish(world.incident().id));
    assert_eq!(world.status(API), MajorOutage);
    assert_eq!(world.told_people().len(), 1);
    world.resolves("a");
    assert_eq!((world.status(API), world.incident().status), (Operational, IncidentStatus::Resolved));
}

#[test]
fn a_person_who_ends_the_incident_mutes_all_that_made_it() {
    let mut world = two_of_three(ALL_AUTO);
    world.fires("a", Critical);
    world.say_from(CI, firing("b", Critical));
    world.acts(resolve(world.incident().id));
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
    world.told();
    world.say_from(THIRD, firing("c", Critical));
    assert_eq!((world.status(API), world.told().len()), (Operational, 0), "the others are muted, and one is too few");
    world.say_from(CI, resolved("b"));
    world.say_from(CI, firing("b", Critical));
    assert_eq!(world.status(API), MajorOutage, "what fires again has its say again");
}

#[test]
fn what_a_route_says_of_others_does_not_wait_for_a_quorum() {
    let mut world = World::new([auto(&[API, WEB]), Route { integration: CI, ..auto(&[API]) }]);
    world.combine(API, Combine::Quorum(2));
    world.fires("a", Critical);
    assert_eq!((world.status(API), world.status(WEB)), (Operational, MajorOutage));
    assert_eq!(world.incident().components.keys().collect::<Vec<_>>(), [&WEB]);
    world.say_from(CI, firing("b", Warning));
    assert_eq!(world.incident().components, BTreeMap::from([(API, DegradedPerformance), (WEB, MajorOutage)]));
    world.say_from(CI, resolved("b"));
    assert_eq!((world.status(API), world.incident().status.is_over()), (Operational, false));
}

#[test]
fn what_cannot_be_read_is_not_taken_for_health() {
    let mut world = two_of_three(ALL_AUTO);
    let unreadable =
        || Signal { severity: Severity::Unknown, ..Signal::new(crate::UNREADABLE_FINGERPRINT, SignalState::Firing, "source", NOW) };
    world.fires("a", Critical);
    world.say_from(CI, unreadable());
    assert_eq!(world.status(API), Status::Unknown, "one says so, one cannot be asked");
    world.resolves("a");
    assert_eq!(world.status(API), Operational, "two of three find nothing");
    world.say(unreadable());
    world.say_from(THIRD, unreadable());
    assert_eq!(world.status(API), Status::Unknown);
    world.configure(|state| drop(state.combine.insert(API, Combine::Quorum(9))));
    world.reconfigured();
    assert_eq!(world.status(API), Status::Unknown, "all there are agree that nothing is known");
}

#[test]
fn another_way_to_add_up_acts_at_once() {
    let mut world = two_of_three(ALL_AUTO);
    world.fires("a", Critical);
    world.combine(API, Combine::Worst);
    world.reconfigured();
    assert_eq!(world.status(API), MajorOutage);
    assert_eq!(world.told_people().len(), 1);
    world.combine(API, Combine::Quorum(2));
    world.reconfigured();
    assert_eq!((world.status(API), world.incident().status), (Operational, IncidentStatus::Resolved));
}
