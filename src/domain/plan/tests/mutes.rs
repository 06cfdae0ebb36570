//! What a person's end of an incident means for what still fires.

use super::*;
use crate::still_firing;

/// A muted world: "cpu" fires on the API, and a person resolved its incident.
fn resolved_by_hand(route: Route) -> World {
    let mut world = World::new([route]);
    world.fires("cpu", Error);
    world.acts(resolve(world.incident().id));
    world
}

fn seen(world: &World) -> (Status, Status) {
    (world.status(API), world.internal(API))
}

#[test]
fn what_a_person_resolves_while_it_fires_is_over_for_readers_and_goes_on_for_the_team() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Error);
    world.told();
    world.acts(resolve(world.incident().id));
    assert_eq!(seen(&world), (Operational, PartialOutage));
    assert_eq!(
        world.told(),
        ["component.status_changed API operational", "incident.resolved Problem with API: The problem with API is over. [API operational]"]
    );
    for severity in [Error, Warning, Error] {
        world.after("1h");
        world.fires("cpu", severity);
    }
    assert_eq!((seen(&world), world.told()), ((Operational, PartialOutage), vec![]), "as bad as the person saw it, nobody is told again");
}

#[test]
fn what_is_muted_says_so_wherever_somebody_asks_why() {
    let mut world = resolved_by_hand(auto(&[API]));
    let id = world.incident().id;
    let text = |world: &World, part: &str| world.log.iter().any(|recorded| recorded.why.text.contains(part));
    assert!(text(&world, &format!("ada resolved incident #{id} while cpu still fires on route route-1: muted until")), "{:#?}", world.log);
    assert!(text(&world, "; alerts that still fire, and are muted now: 1"));
    world.fires("cpu", Warning);
    assert!(text(&world, &format!("(muted since a person ended incident #{id})")));
    let causes: Vec<_> = world.state.causes.values().cloned().collect();
    let told = still_firing(&causes).unwrap();
    assert!(told.starts_with("1 alert still fires: cpu: an internal matter. Muted for readers until"), "{told}");
    world.resolves("cpu");
    assert_eq!(still_firing(&world.state.causes.values().cloned().collect::<Vec<_>>()), None);
}

#[test]
fn what_is_muted_counts_again_when_it_fires_again() {
    let mut world = resolved_by_hand(auto(&[API]));
    world.told();
    world.resolves("cpu");
    assert_eq!((seen(&world), world.told()), ((Operational, Operational), vec![]));
    world.fires("cpu", Error);
    assert_eq!((seen(&world), world.incident().status), ((PartialOutage, PartialOutage), IncidentStatus::Investigating));
}

#[test]
fn what_is_muted_and_kept_counts_again_when_it_fires_again() {
    let mut world = resolved_by_hand(Route { keep_firing_for: Span::mins(5), ..auto(&[API]) });
    world.resolves("cpu");
    assert_eq!(seen(&world), (Operational, PartialOutage), "kept, and still muted");
    world.fires("cpu", Warning);
    assert_eq!((seen(&world), world.incident().status), ((DegradedPerformance, DegradedPerformance), IncidentStatus::Investigating));
}

#[test]
fn what_is_muted_counts_again_when_it_gets_worse_than_the_person_saw_it() {
    let mut world = resolved_by_hand(auto(&[API]));
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(seen(&world), (MajorOutage, MajorOutage));
    assert_eq!(
        world.told(),
        [
            "component.status_changed API major_outage",
            "incident.reopened Problem with API: The problem with API is back. [API major_outage]",
        ]
    );
    let mut late = resolved_by_hand(auto(&[API]));
    late.after("1h");
    late.fires("cpu", Critical);
    assert_eq!(late.state.incidents.len(), 2, "after the cool-off it is a new incident");
}

#[test]
fn another_thing_reopens_the_incident_and_leaves_the_muted_one_muted() {
    let mut world = resolved_by_hand(auto(&[API]));
    world.fires("disk", Warning);
    assert_eq!((seen(&world), world.incident().status), ((DegradedPerformance, PartialOutage), IncidentStatus::Investigating));
    world.resolves("disk");
    assert_eq!((seen(&world), world.incident().status), ((Operational, PartialOutage), IncidentStatus::Resolved));
}

#[test]
fn a_person_who_reopens_the_incident_takes_the_mute_back() {
    let mut world = resolved_by_hand(auto(&[API]));
    world.told();
    let id = world.incident().id;
    world.acts(move_to(id, IncidentStatus::Identified));
    assert_eq!(seen(&world), (PartialOutage, PartialOutage));
    assert_eq!(world.told_people().len(), 1);
    assert!(world.incident().opened_by.is_some(), "it goes on as before");
    world.resolves("cpu");
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn what_joined_a_persons_incident_is_over_with_it() {
    let mut world = World::new([auto(&[API, WEB])]);
    world.acts(open([(API, PartialOutage)]));
    world.fires("cpu", Warning);
    assert_eq!((world.status(API), world.status(WEB), world.state.incidents.len()), (PartialOutage, DegradedPerformance, 1));
    world.told();
    world.acts(resolve(world.incident().id));
    assert_eq!((world.status(API), world.status(WEB), world.internal(API)), (Operational, Operational, DegradedPerformance));
    assert_eq!(world.told_people(), ["incident.resolved Login is slow: The problem with API is over. [API operational] [Web operational]"]);
}

#[test]
fn what_fires_in_a_deleted_incident_is_muted_too() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Error);
    world.acts(Act::DeleteIncident { incident: world.incident().id });
    world.fires("cpu", Error);
    assert_eq!((seen(&world), world.state.incidents.len()), ((Operational, PartialOutage), 0));
    world.fires("cpu", Critical);
    assert_eq!((seen(&world), world.state.incidents.len()), ((MajorOutage, MajorOutage), 1));
}

#[test]
fn what_does_not_count_yet_is_not_muted() {
    let held = Route { hold: Span::mins(5), condition: when("signal.subject == 'disk'"), ..auto(&[API]) };
    let mut world = World::new([Route { condition: when("signal.subject == 'cpu'"), ..auto(&[API]) }, held]);
    world.fires("cpu", Error);
    world.fires("disk", Warning);
    world.acts(resolve(world.incident().id));
    world.after("5m");
    assert_eq!((seen(&world), world.incident().status), ((DegradedPerformance, PartialOutage), IncidentStatus::Investigating));
}

#[test]
fn a_draft_that_a_person_sets_aside_opens_no_other() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Error);
    world.acts(resolve(world.incident().id));
    world.fires("cpu", Warning);
    world.reconfigured();
    assert_eq!((world.state.incidents.len(), world.told()), (1, vec![]));
}
