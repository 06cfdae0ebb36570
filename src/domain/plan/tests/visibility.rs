//! What is hidden stays hidden. The world checks every notice; here it is given occasion to fail.

use super::*;

#[test]
fn a_hidden_component_changes_its_status_and_nobody_hears_of_it() {
    let mut world = World::new([auto(&[VAULT])]);
    world.fires("cpu", Warning);
    world.fires("cpu", Critical);
    assert_eq!(world.status(VAULT), MajorOutage);
    world.resolves("cpu");
    world.fires("cpu", Critical);
    world.acts(set(VAULT, PartialOutage, None));
    world.acts(open([(VAULT, MajorOutage)]));
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn an_incident_about_hidden_and_visible_components_speaks_of_the_visible_ones() {
    let mut world = World::new([auto(&[API, VAULT])]);
    world.fires("network", Critical);
    assert_eq!(
        world.told(),
        [
            "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]",
            "component.status_changed API major_outage"
        ]
    );
    world.resolves("network");
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: API has recovered. [API operational]"]);
}

#[test]
fn a_hidden_component_that_gets_worse_adds_nothing_to_a_visible_incident() {
    let both = Route { condition: when("signal.subject == 'network'"), ..auto(&[API, VAULT]) };
    let hidden = Route { condition: when("signal.subject == 'disk'"), ..auto(&[VAULT]) };
    let mut world = World::new([both, hidden]);
    world.fires("network", Warning);
    world.decided();
    world.fires("disk", Critical);
    assert_eq!(world.status(VAULT), MajorOutage);
    let decided = world.decided();
    let notices = decided.iter().filter(|change| matches!(change, Change::Notice(_))).count();
    assert_eq!(notices, 0, "{decided:#?}");
    world.resolves("network");
    assert_eq!(world.told_people(), ["incident.resolved Problem with API: API has recovered. [API operational]"]);
}

#[test]
fn what_is_hidden_does_not_show_in_the_impact_either() {
    let visible = Route { condition: when("signal.subject == 'api'"), ..auto(&[API]) };
    let mut world = World::new([visible, Route { condition: when("signal.subject == 'vault'"), ..auto(&[API, VAULT]) }]);
    world.acts(set(API, DegradedPerformance, None));
    world.fires("api", Warning);
    world.acts(open([(VAULT, MajorOutage), (WEB, DegradedPerformance)]));
    let told = world.state.incidents.values().map(|incident| incident.impact).collect::<Vec<_>>();
    assert_eq!(told, [Impact::Minor, Impact::Minor]);
}

#[test]
fn a_maintenance_of_hidden_components_is_not_announced() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[VAULT]));
    world.after("3h");
    assert_eq!(world.told(), Vec::<String>::new());
    world.acts(world.maintenance_in("1h", "2h", &[VAULT, API]));
    world.after("3h");
    assert_eq!(world.told_people(), ["maintenance.scheduled Upgrade", "maintenance.started Upgrade", "maintenance.completed Upgrade"]);
}
