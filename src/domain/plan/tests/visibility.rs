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
            "component.status_changed API major_outage",
            "incident.opened Problem with API: We are investigating a problem with API. [API major_outage]",
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

#[test]
fn what_a_person_says_to_be_about_nothing_in_particular_is_for_everyone_and_what_lost_its_components_for_nobody() {
    let mut world = World::new([]);
    let nothing = |_| false;
    world.acts(Act::OpenIncident(IncidentEdit { title: Some("Slow".to_owned()), ..edit() }));
    world.acts(world.maintenance_in("1h", "2h", &[]));
    assert!(world.incident().is_visible(nothing), "it never was about components");
    assert!(world.state.maintenances.values().all(|one| one.clone().for_readers(nothing).is_some()));
    world.acts(Act::DeleteIncident { incident: world.incident().id });
    world.acts(Act::UpdateMaintenance {
        maintenance: world.maintenance(),
        edit: MaintenanceEdit { components: Some(vec![API]), ..MaintenanceEdit::default() },
    });
    world.acts(open([(API, PartialOutage)]));
    world.told();
    world.configure(|state| drop(state.components.remove(&API)));
    world.reconfigured();
    let incident = world.incident().clone();
    assert!(incident.components.is_empty() && !incident.is_visible(|_| true), "its only component is gone");
    assert!(world.state.maintenances.values().all(|one| one.components.is_empty() && one.clone().for_readers(|_| true).is_none()));
    world.acts(move_to(incident.id, IncidentStatus::Identified));
    world.after("3h");
    assert_eq!(world.told(), Vec::<String>::new());
    world.acts(Act::UpdateIncident { incident: incident.id, edit: IncidentEdit { components: Some(BTreeMap::new()), ..edit() } });
    world.acts(resolve(incident.id));
    assert_eq!(world.told(), ["incident.resolved Login is slow: The problem is over."], "until a person says that it is about none");
}

#[test]
fn a_component_that_is_hidden_later_takes_its_incident_along() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.told();
    world.configure(|state| state.components.get_mut(&API).unwrap().hidden = true);
    world.reconfigured();
    world.fires("cpu", Critical);
    world.resolves("cpu");
    assert_eq!(world.told(), Vec::<String>::new());
    let shown = |id: ComponentId| world.state.components.get(&id).is_some_and(Component::is_visible);
    assert!(world.incident().clone().for_readers(shown).is_none());
}
