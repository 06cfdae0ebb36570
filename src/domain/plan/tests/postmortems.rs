//! What was learned: published, written anew, and taken back.

use super::*;
use crate::{IncidentUpdate, MAX_BODY_CHARS};

fn publish(world: &World, entry: Option<IncidentUpdate>, body: &str, notify: bool) -> Act {
    Act::PublishPostmortem { incident: world.incident().id, entry, body: body.to_owned(), notify }
}

/// The last entry that a timeline got, or that was written anew.
fn last_entry(world: &World) -> IncidentUpdate {
    let entry = |recorded: &Recorded| match &recorded.change {
        Change::Incident { update, .. } => update.clone(),
        _ => None,
    };
    world.log.iter().rev().find_map(entry).unwrap()
}

fn over() -> World {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.told();
    world
}

#[test]
fn a_postmortem_is_an_entry_that_people_are_told_of_if_it_is_wished() {
    let mut world = over();
    world.acts(publish(&world, None, "It was the *cable*.", false));
    assert_eq!((world.incident().status, world.told()), (IncidentStatus::Postmortem, Vec::new()));
    let mut world = over();
    world.acts(publish(&world, None, "It was the *cable*.", true));
    assert_eq!(world.told_people(), ["incident.updated Problem with API: It was the *cable*."]);
}

#[test]
fn what_is_written_anew_stays_in_its_place() {
    let mut world = over();
    world.acts(publish(&world, None, "It was the cable.", false));
    let first = last_entry(&world);
    world.after("1h");
    world.acts(publish(&world, Some(first.clone()), "It was the plug.", false));
    let again = last_entry(&world);
    assert_eq!((again.id, again.at, again.edited_at, again.body.as_str()), (first.id, first.at, Some(world.now), "It was the plug."));
}

#[test]
fn what_is_taken_back_leaves_a_resolved_incident_and_nobody_is_told() {
    let mut world = over();
    world.acts(publish(&world, None, "It was the cable.", false));
    let entry = last_entry(&world).id;
    world.acts(Act::WithdrawPostmortem { incident: world.incident().id, entry });
    assert!(world.log.iter().any(|recorded| matches!(recorded.change, Change::EntryRemoved { update, .. } if update == entry)));
    assert_eq!((world.incident().status, world.told()), (IncidentStatus::Resolved, Vec::new()));
}

#[test]
fn nothing_is_learned_from_what_goes_on_or_with_no_words() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    assert!(world.tries(publish(&world, None, "Too early.", true)).is_err());
    world.resolves("cpu");
    assert!(world.tries(publish(&world, None, " ", true)).is_err());
    assert!(world.tries(publish(&world, None, &"x".repeat(MAX_BODY_CHARS + 1), true)).is_err());
    world.acts(publish(&world, None, &"x".repeat(MAX_BODY_CHARS), true));
}
