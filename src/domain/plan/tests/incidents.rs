//! Incidents that signals open, change and resolve.

use super::*;

#[test]
fn components_that_have_nothing_in_common_have_their_own_incidents() {
    let on = |what: &str, component| Route { condition: when(&format!("signal.subject == '{what}'")), ..auto(&[component]) };
    let mut world = World::new([on("cpu", API), on("disk", WEB)]);
    world.fires("cpu", Critical);
    world.fires("disk", Critical);
    assert_eq!(world.state.incidents.len(), 2);
}

#[test]
fn a_post_mortem_is_the_last_word() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.acts(move_to(world.incident().id, IncidentStatus::Postmortem));
    world.fires("cpu", Critical);
    assert_eq!(world.state.incidents.len(), 2);
}
