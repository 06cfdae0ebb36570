//! New routes and components under what goes on.

use super::*;

fn without_route(world: &mut World, id: RouteId) {
    world.configure(|state| {
        state.routes.remove(&id);
        state.routes_of.values_mut().for_each(|routes| routes.retain(|route| *route != id));
    });
    world.reconfigured();
}

fn with_route(world: &mut World, id: RouteId, change: impl Fn(&mut Route)) {
    world.configure(|state| change(state.routes.get_mut(&id).unwrap()));
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
fn what_a_route_held_up_ends_with_it() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.told();
    without_route(&mut world, RouteId(1));
    assert_eq!((world.status(API), world.state.causes.len()), (Operational, 0));
    assert_eq!(
        world.told(),
        [
            "component.status_changed API operational",
            "incident.resolved Problem with API: No problem with API is reported any more. [API operational]"
        ]
    );
}

#[test]
fn an_incident_held_up_by_another_route_stays() {
    let mut world = World::new([auto(&[API]), auto(&[API])]);
    world.fires("cpu", Critical);
    without_route(&mut world, RouteId(1));
    assert_eq!((world.status(API), world.incident().status), (MajorOutage, IncidentStatus::Investigating));
}

#[test]
fn a_removed_component_leaves_incidents_and_maintenances() {
    let mut world = World::new([auto(&[API, WEB])]);
    world.fires("cpu", Critical);
    world.acts(world.maintenance_in("1h", "2h", &[WEB, DB]));
    world.configure(|state| {
        state.components.remove(&WEB);
        state.routes.get_mut(&RouteId(1)).unwrap().components.retain(|id| *id != WEB);
    });
    world.reconfigured();
    assert_eq!(world.incident().components.keys().copied().collect::<Vec<_>>(), [API]);
    assert_eq!(world.state.maintenances[&world.maintenance()].components, [DB]);
    world.resolves("cpu");
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn an_incident_whose_only_component_is_removed_is_over() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.configure(|state| {
        state.components.remove(&API);
        state.routes.get_mut(&RouteId(1)).unwrap().components.clear();
    });
    world.reconfigured();
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn a_route_sent_to_another_component_takes_its_causes_there() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.told();
    with_route(&mut world, RouteId(1), |route| route.components = vec![WEB]);
    assert_eq!((world.status(API), world.status(WEB)), (Operational, MajorOutage));
    assert_eq!(
        world.told_people(),
        ["incident.updated Problem with API: Web is now in a major outage. API is operational again. [API operational] [Web major_outage]"]
    );
}

#[test]
fn a_route_put_into_the_shadow_takes_back_what_it_published() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    with_route(&mut world, RouteId(1), |route| route.publish = Publish::Shadow);
    assert_eq!((world.status(API), world.internal(API), world.incident().status), (Operational, MajorOutage, IncidentStatus::Resolved));
}

#[test]
fn a_route_allowed_to_publish_does_so_with_what_waits() {
    for before in [Publish::Shadow, Publish::Draft] {
        let mut world = World::new([Route { publish: before, ..auto(&[API]) }]);
        world.fires("cpu", Critical);
        with_route(&mut world, RouteId(1), |route| route.publish = Publish::Auto);
        assert_eq!(
            world.told(),
            [
                "component.status_changed API major_outage",
                "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]",
            ]
        );
        let open: Vec<bool> = world.state.incidents.values().filter(|one| !one.status.is_over()).map(|one| one.published).collect();
        assert_eq!(open, [true], "no draft is left behind");
    }
}
