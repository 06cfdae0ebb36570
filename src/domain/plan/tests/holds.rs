//! What publishes itself later, and what a person says to that.

use super::*;
use crate::{DayTime, PublishHours, Weekday};

fn policy(publish_after: &str) -> Policy {
    Policy { publish_after: publish_after.parse().unwrap(), ..Policy::default() }
}

fn held(publish_after: &str, components: &[ComponentId]) -> Route {
    Route { policy: policy(publish_after), ..auto(components) }
}

fn hours(from: &str, to: &str) -> Option<PublishHours> {
    let time = |text: &str| text.parse::<DayTime>().unwrap();
    Some(PublishHours { days: Weekday::ALL.iter().copied().collect(), from: time(from), to: time(to), outside: false })
}

fn veto(world: &World) -> Act {
    Act::Veto { incident: world.incident().id }
}

fn newest(world: &World) -> &Incident {
    world.state.incidents.values().next_back().unwrap()
}

#[test]
fn an_incident_publishes_itself_when_nobody_has_vetoed_it() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Critical);
    let due = world.now.plus(Span::mins(5));
    let incident = world.incident();
    assert_eq!((incident.published, incident.pending(), world.state.next_timer()), (false, Some(due), Some(due)));
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
    let pending = "publication.pending Problem with API: We are investigating a problem with API.";
    assert_eq!(world.told(), [pending]);
    world.after("4m");
    assert_eq!(world.decided(), []);
    world.after("1m");
    let started_at = world.incident().started_at;
    assert_eq!(world.status(API), MajorOutage);
    let why: Vec<_> = world.log.iter().map(|recorded| recorded.why.text.as_str()).collect();
    assert!(why.iter().all(|why| why.contains("Nobody has vetoed") && why.contains("route-1")), "{why:?}");
    assert_eq!(
        world.told(),
        [
            "component.status_changed API major_outage",
            "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]",
        ]
    );
    let incident = world.incident();
    assert_eq!((incident.published, incident.publishes_at, incident.started_at), (true, None, started_at));
    // What comes now is about what readers know already.
    world.fires("disk", Critical);
    assert_eq!(world.told(), [] as [&str; 0]);
    world.resolves("cpu");
    world.resolves("disk");
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: API has recovered. [API operational]"]);
}

#[test]
fn what_is_over_before_it_is_due_was_never_public() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Critical);
    world.after("2m");
    world.told();
    world.resolves("cpu");
    world.after("1h");
    let incident = world.incident();
    assert_eq!((incident.published, incident.status, incident.pending()), (false, IncidentStatus::Resolved, None));
    assert!(world.told().is_empty());
    assert!(!world.log.iter().any(|recorded| matches!(recorded.change, Change::Incident { update: Some(_), .. })));
}

#[test]
fn what_ends_at_the_moment_at_which_it_is_due_is_not_published() {
    let mut world = World::new([Route { expire_after: Span::mins(5), ..held("5m", &[API]) }]);
    world.fires("cpu", Critical);
    world.told();
    world.after("10m");
    assert!(world.told().is_empty() && !world.incident().published);
}

#[test]
fn within_the_cool_off_the_same_draft_is_held_anew_and_the_same_incident_comes_back_at_once() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Critical);
    world.after("3m");
    world.resolves("cpu");
    world.after("3m");
    world.fires("cpu", Critical);
    assert_eq!(world.incident().pending(), Some(world.now.plus(Span::mins(5))));
    world.after("5m");
    world.resolves("cpu");
    world.told();
    world.after("3m");
    world.fires("cpu", Critical);
    assert_eq!(world.told_people(), ["incident.reopened Problem with API: The problem with API is back. [API major_outage]"]);
}

#[test]
fn a_vetoed_incident_is_a_draft_until_it_gets_worse() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Warning);
    world.acts(veto(&world));
    world.told();
    world.after("1h");
    assert!(!world.incident().published && world.incident().vetoed);
    assert!(matches!(world.tries(veto(&world)), Err(ActError::Invalid { field: "publishes_at", .. })));
    // The same again, and another that is no worse.
    world.fires("disk", Warning);
    world.resolves("cpu");
    world.fires("cpu", Warning);
    world.resolves("cpu");
    world.resolves("disk");
    world.fires("cpu", Warning);
    assert_eq!((world.incident().pending(), world.status(API)), (None, Operational));
    assert!(world.told().is_empty());
    world.fires("disk", Critical);
    let worse = newest(&world);
    assert_eq!((world.state.incidents.len(), worse.pending()), (2, Some(world.now.plus(Span::mins(5)))));
    assert_eq!(world.told().len(), 1, "the owner is asked again");
    world.after("5m");
    assert_eq!(world.status(API), MajorOutage);
    // A person may publish what was vetoed all the same.
    let vetoed = *world.state.incidents.keys().next().unwrap();
    world.acts(publish(vetoed));
    assert!(!world.state.incidents[&vetoed].vetoed);
}

#[test]
fn a_person_publishes_what_is_held_in_the_words_of_its_route() {
    let body = Some("{{ components }} has a {{ status }}.".to_owned());
    let mut world = World::new([Route { body, ..held("5m", &[API]) }]);
    world.fires("cpu", Critical);
    world.told();
    world.acts(publish(world.incident().id));
    assert_eq!(world.told_people(), ["incident.opened Problem with API: API has a major outage. [API major_outage]"]);
    world.after("1h");
    assert!(world.told().is_empty());
}

#[test]
fn what_a_person_ends_or_brings_back_does_not_publish_itself() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Critical);
    let id = world.incident().id;
    world.acts(resolve(id));
    world.after("1h");
    world.acts(move_to(id, IncidentStatus::Investigating));
    world.after("1h");
    assert!(!world.incident().published && world.status(API) == Operational);
}

#[test]
fn a_draft_and_a_held_publication_are_kept_apart() {
    let mut world = World::new([draft(&[API]), held("5m", &[API])]);
    world.fires("cpu", Critical);
    world.after("10m");
    let published: Vec<bool> = world.state.incidents.values().map(|incident| incident.published).collect();
    assert_eq!(published, [false, true]);
}

#[test]
fn maintenance_comes_before_what_is_held_and_what_outlasts_it_is_held_anew() {
    let mut world = World::new([held("5m", &[API])]);
    world.acts(world.maintenance_in("2m", "20m", &[API]));
    world.fires("cpu", Critical);
    world.told();
    world.after("10m");
    assert!(!world.incident().published && world.incident().status.is_over());
    world.after("10m");
    assert_eq!(newest(&world).pending(), Some(world.now.plus(Span::mins(5))));
    world.after("5m");
    assert_eq!((newest(&world).published, world.status(API)), (true, MajorOutage));
}

#[test]
fn a_route_that_does_not_publish_by_itself_any_more_leaves_a_draft() {
    let mut world = World::new([held("5m", &[API])]);
    world.fires("cpu", Critical);
    world.configure(|state| state.routes.get_mut(&RouteId(1)).unwrap().publish = Publish::Draft);
    world.reconfigured();
    world.after("1h");
    assert_eq!((world.incident().published, world.incident().publishes_at), (false, None));
}

#[test]
fn outside_its_hours_a_route_waits_for_them() {
    let policy = Policy { publish_hours: hours("14:00", "18:00"), publish_after: Span::mins(5), ..Policy::default() };
    let mut world = World::new([Route { policy, ..auto(&[API]) }]);
    world.fires("cpu", Critical); // At noon.
    world.after("1h");
    assert!(!world.incident().published);
    world.after("1h");
    assert!(world.incident().published, "as soon as they begin: it was held for long enough");
    world.resolves("cpu");
    world.wait_until(Timestamp::parse("2026-03-01T17:58:00Z").unwrap());
    world.fires("cpu", Critical);
    let tomorrow = Timestamp::parse("2026-03-02T14:00:00Z").unwrap();
    assert_eq!(newest(&world).pending(), Some(tomorrow));
}

#[test]
fn what_readers_see_already_is_not_joined_outside_the_hours() {
    let policy = Policy { publish_hours: hours("11:00", "12:30"), ..Policy::default() };
    let mut world = World::new([Route { policy, ..auto(&[API]) }]);
    world.fires("cpu", Warning);
    world.after("1h");
    world.fires("disk", Critical);
    assert_eq!((world.status(API), world.internal(API), world.state.incidents.len()), (DegradedPerformance, MajorOutage, 2));
}

#[test]
fn less_severe_signals_do_not_count_but_unknown_ones_do() {
    let policy = Policy { minimum_severity: Some(Error), ..Policy::default() };
    let mut world = World::new([Route { policy, ..auto(&[API]) }]);
    world.fires("cpu", Warning);
    assert!(world.state.causes.is_empty() && world.state.alerts.len() == 1);
    world.fires("cpu", Critical);
    assert_eq!(world.status(API), MajorOutage);
    world.fires("cpu", Info);
    assert_eq!(world.status(API), Operational);
    world.fires("cpu", Severity::Unknown);
    assert_eq!(world.status(API), Status::Unknown);
    world.say(Signal::unreadable("gone", world.now));
    world.resolves("cpu");
    assert_eq!(world.status(API), Status::Unknown);
}
