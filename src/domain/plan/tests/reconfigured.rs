//! New routes and components under what goes on.

use super::*;

fn without_route(world: &mut World, id: RouteId) {
    world.configure(|state| {
        state.routes.remove(&id);
        state.routes_of.values_mut().for_each(|routes| routes.retain(|route| *route != id));
    });
    world.reconfigured();
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let mut world = World::new([auto(&[API]), draft(&[WEB]), shadow(&[DB])]);
    world.fires("cpu", Critical);
    world.acts(open([(DB, PartialOutage)]));
    world.decided();
    world.reconfigured();
    assert_eq!(world.decided(), []);
}

#[test]
fn an_incident_held_up_by_another_route_stays() {
    let mut world = World::new([auto(&[API]), auto(&[API])]);
    world.fires("cpu", Critical);
    without_route(&mut world, RouteId(1));
    assert_eq!((world.status(API), world.incident().status), (MajorOutage, IncidentStatus::Investigating));
}
