//! How long a thing must fire, how long it counts on, and how several add up.

use super::*;

#[test]
fn a_thing_counts_once_it_has_fired_for_long_enough() {
    let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("4m59s");
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.internal(API), world.told().len()), (Operational, Operational, 0));
    world.after("1s");
    assert_eq!((world.status(API), world.internal(API)), (MajorOutage, MajorOutage));
}

#[test]
fn a_thing_that_resolves_while_it_is_held_never_counted() {
    let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("4m");
    world.resolves("cpu");
    world.after("1s");
    world.fires("cpu", Critical);
    world.after("4m59s");
    assert_eq!(world.told(), Vec::<String>::new(), "it began anew, and so did the hold");
    world.after("1s");
    assert_eq!(world.status(API), MajorOutage);
}

#[test]
fn a_held_thing_counts_with_the_severity_it_has_then() {
    let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Warning);
    world.after("4m");
    world.fires("cpu", Critical);
    world.after("1m");
    assert_eq!(world.status(API), MajorOutage);
}

#[test]
fn a_resolved_thing_counts_on_for_as_long_as_its_route_keeps_it() {
    let mut world = World::new([Route { keep_firing_for: Span::mins(3), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.after("2m");
    world.resolves("cpu");
    assert_eq!(world.status(API), MajorOutage);
    world.after("1m");
    assert_eq!(world.status(API), Operational, "hearing again that it is resolved does not keep it longer");
}

#[test]
fn a_kept_thing_that_fires_again_goes_on_as_if_nothing_had_been() {
    let mut world = World::new([Route { keep_firing_for: Span::mins(3), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.told();
    world.resolves("cpu");
    world.after("2m");
    world.fires("cpu", Critical);
    world.after("1h");
    assert_eq!((world.status(API), world.told()), (MajorOutage, vec![]));
}

#[test]
fn a_thing_not_heard_of_for_too_long_is_given_up() {
    let mut world = World::new([Route { expire_after: Span::mins(10), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("9m");
    world.fires("cpu", Critical);
    world.after("9m");
    assert_eq!(world.status(API), MajorOutage, "being heard of again counts from the start");
    world.after("1m");
    assert_eq!(world.status(API), Operational);
    assert!(!world.state.alerts.get(&(ALERTS, "cpu".to_owned())).unwrap().firing);
    world.fires("cpu", Critical);
    assert_eq!(world.status(API), MajorOutage, "and it may come back");
}

#[test]
fn what_its_sender_never_ends_counts_for_a_day_unless_the_route_says_otherwise() {
    for (expire_after, before, rest) in [(Span::ZERO, "1439m", "1m"), (Span::mins(2 * 24 * 60), "2879m", "1m")] {
        let mut world = World::new([Route { expire_after, ..auto(&[API]) }]);
        world.say(Signal { endless: true, ..firing("cpu", Critical) });
        world.after(before);
        assert_eq!(world.status(API), MajorOutage);
        world.after(rest);
        assert_eq!(world.status(API), Operational);
    }
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.after("30d");
    assert_eq!(world.status(API), MajorOutage, "what its sender does end waits for that");
}

#[test]
fn a_held_thing_not_heard_of_for_too_long_is_given_up() {
    let mut world = World::new([Route { hold: Span::mins(10), expire_after: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("1h");
    assert_eq!((world.state.causes.len(), world.told().len()), (0, 0));
}

#[test]
fn giving_up_on_one_route_does_not_stop_the_end_from_reaching_another() {
    let mut world = World::new([Route { expire_after: Span::mins(5), ..auto(&[API]) }, auto(&[WEB])]);
    world.say(Signal { group: Some("g".to_owned()), ..firing("cpu", Critical) });
    world.after("10m");
    assert_eq!((world.status(API), world.status(WEB)), (Operational, MajorOutage));
    assert!(world.state.alerts.get(&(ALERTS, "cpu".to_owned())).unwrap().firing, "the other route still believes it");
    world.say(Signal { group: Some("g".to_owned()), whole_group: true, ..resolved("group") });
    assert_eq!(world.status(WEB), Operational);
}

#[test]
fn the_worst_of_everything_that_counts_wins() {
    let mut world = World::new([auto(&[API])]);
    world.fires("slow", Warning);
    world.fires("down", Critical);
    world.fires("errors", Error);
    assert_eq!(world.status(API), MajorOutage);
    world.resolves("down");
    assert_eq!(world.status(API), PartialOutage);
    world.resolves("errors");
    assert_eq!(world.status(API), DegradedPerformance);
    world.resolves("slow");
    assert_eq!(world.status(API), Operational);
}

#[test]
fn a_status_follows_the_severity_up_and_down() {
    let mut world = World::new([auto(&[API])]);
    for (severity, status) in [(Warning, DegradedPerformance), (Critical, MajorOutage), (Error, PartialOutage), (Critical, MajorOutage)] {
        world.after("1m");
        world.fires("cpu", severity);
        assert_eq!(world.status(API), status);
    }
    assert_eq!(world.state.causes.len(), 1);
}

#[test]
fn shadow_routes_show_their_effect_to_the_team_alone() {
    let mut world = World::new([shadow(&[API])]);
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
    world.resolves("cpu");
    assert_eq!((world.status(API), world.internal(API)), (Operational, Operational));
    assert_eq!((world.state.incidents.len(), world.told()), (0, vec![]));
}

#[test]
fn a_draft_moves_nothing_for_readers_until_a_person_publishes_it() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.internal(API), world.incident().published), (Operational, MajorOutage, false));
    assert_eq!(world.told(), Vec::<String>::new());
    world.acts(publish(world.incident().id));
    assert_eq!(world.status(API), MajorOutage);
    assert_eq!(
        world.told(),
        [
            "component.status_changed API major_outage",
            "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]",
        ]
    );
    world.resolves("cpu");
    assert_eq!(
        world.told(),
        ["component.status_changed API operational", "incident.resolved Problem with API: API has recovered. [API operational]"]
    );
}

#[test]
fn a_draft_that_is_over_before_anyone_looked_tells_nobody() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Warning);
    world.fires("cpu", Critical);
    world.fires("disk", Critical);
    world.resolves("cpu");
    world.resolves("disk");
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_draft_route_never_adds_to_what_is_published_by_itself() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Warning);
    world.acts(publish(world.incident().id));
    world.told();
    world.fires("down", Critical);
    assert_eq!((world.status(API), world.internal(API), world.told()), (DegradedPerformance, MajorOutage, vec![]));
    assert_eq!(world.state.incidents.values().filter(|incident| !incident.published).count(), 1, "a second draft waits");
}

#[test]
fn a_person_who_resolves_a_published_draft_takes_its_status_back() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Critical);
    world.acts(publish(world.incident().id));
    world.acts(resolve(world.incident().id));
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
}
