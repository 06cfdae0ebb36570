//! Planned windows.

use super::*;

fn edited(maintenance: MaintenanceId, edit: MaintenanceEdit) -> Act {
    Act::UpdateMaintenance { maintenance, edit }
}

fn to(status: MaintenanceStatus) -> MaintenanceEdit {
    MaintenanceEdit { status: Some(status), ..MaintenanceEdit::default() }
}

#[test]
fn a_maintenance_is_announced_begins_and_ends_by_itself() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    assert_eq!(world.told(), ["maintenance.scheduled Upgrade"]);
    world.after("1h");
    assert_eq!(world.told(), ["maintenance.started Upgrade", "component.status_changed API under_maintenance"]);
    world.after("1h");
    assert_eq!(world.told(), ["maintenance.completed Upgrade", "component.status_changed API operational"]);
    assert!(world.state.maintenances.is_empty());
}

#[test]
fn a_running_maintenance_outranks_signals_and_keeps_incidents_from_opening() {
    let mut world = World::new([auto(&[API])]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    world.told();
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.internal(API), world.told()), (UnderMaintenance, MajorOutage, vec![]));
    world.resolves("cpu");
    world.after("1h");
    assert_eq!((world.status(API), world.state.incidents.len()), (Operational, 0));
}

#[test]
fn what_still_fires_after_a_maintenance_opens_an_incident() {
    let title = Some("{{ signal.subject }} on {{ components }}".to_owned());
    let mut world = World::new([Route { title, ..auto(&[API]) }]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    world.fires("cpu", Critical);
    world.told();
    world.after("1h");
    assert_eq!(
        world.told(),
        [
            "maintenance.completed Upgrade",
            "component.status_changed API major_outage",
            "incident.opened cpu on API: We are investigating a problem with API. [API major_outage]",
        ]
    );
}

#[test]
fn an_incident_speaks_only_of_components_that_are_not_under_maintenance() {
    let mut world = World::new([auto(&[API, WEB])]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    world.told();
    world.fires("network", Critical);
    assert_eq!(world.told_people(), ["incident.opened Problem with Web: We are investigating a problem with Web. [Web major_outage]"]);
    world.after("1h");
    assert_eq!(
        world.told_people(),
        ["maintenance.completed Upgrade", "incident.updated Problem with Web: API is now in a major outage. [API major_outage]"],
        "the one that comes out of maintenance joins"
    );
    world.resolves("network");
    assert_eq!((world.status(API), world.status(WEB), world.incident().status), (Operational, Operational, IncidentStatus::Resolved));
}

#[test]
fn an_open_incident_rests_while_its_component_is_under_maintenance() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.told();
    world.after("1h");
    assert_eq!(
        world.told_people(),
        ["maintenance.started Upgrade", "incident.updated Problem with API: API is now under maintenance. [API under_maintenance]"]
    );
    world.fires("cpu", Critical);
    assert_eq!(world.told(), Vec::<String>::new());
    world.after("1h");
    assert_eq!(
        world.told_people(),
        ["maintenance.completed Upgrade", "incident.updated Problem with API: API is now in a major outage. [API major_outage]"]
    );
    assert_eq!(world.incident().impact, Impact::Critical);
}

#[test]
fn an_incident_that_ends_during_a_maintenance_does_not_speak_of_recovery() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    world.told();
    world.resolves("cpu");
    assert_eq!(
        world.told_people(),
        ["incident.resolved Problem with API: No problem with API is reported any more. [API under_maintenance]"]
    );
}

#[test]
fn a_persons_word_outranks_a_maintenance() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.acts(set(API, PartialOutage, None));
    world.after("1h");
    assert_eq!(world.status(API), PartialOutage);
}

#[test]
fn a_maintenance_may_begin_and_end_early() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    let id = world.maintenance();
    world.acts(edited(id, to(MaintenanceStatus::InProgress)));
    assert_eq!(world.status(API), UnderMaintenance);
    world.acts(edited(id, to(MaintenanceStatus::Completed)));
    assert_eq!(world.status(API), Operational);
    assert_eq!(world.told_people(), ["maintenance.scheduled Upgrade", "maintenance.started Upgrade", "maintenance.completed Upgrade"]);
    world.after("3h");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_maintenance_may_be_called_off_before_it_begins_but_not_after() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.acts(edited(world.maintenance(), to(MaintenanceStatus::Cancelled)));
    assert_eq!(world.told(), ["maintenance.scheduled Upgrade", "maintenance.cancelled Upgrade"]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    let call_off = edited(world.maintenance(), to(MaintenanceStatus::Cancelled));
    assert!(matches!(world.tries(call_off), Err(ActError::Invalid { field: "status", .. })));
}

#[test]
fn subscribers_hear_of_new_times_and_not_of_new_wording() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.told();
    let id = world.maintenance();
    world.acts(edited(id, MaintenanceEdit { body: Some("New disks.".to_owned()), ..MaintenanceEdit::default() }));
    assert_eq!(world.told(), Vec::<String>::new());
    let ends_at = Some(world.now.plus(Span::mins(180)));
    world.acts(edited(id, MaintenanceEdit { ends_at, ..MaintenanceEdit::default() }));
    assert_eq!(world.told(), ["maintenance.scheduled Upgrade"]);
    world.acts(edited(id, MaintenanceEdit { ends_at, ..MaintenanceEdit::default() }));
    assert_eq!(world.decided(), [], "nothing was changed");
}

#[test]
fn a_component_taken_out_of_a_running_maintenance_is_itself_again() {
    let mut world = World::new([auto(&[API])]);
    world.acts(world.maintenance_in("1h", "2h", &[API, WEB]));
    world.after("1h");
    world.fires("cpu", Critical);
    world.acts(edited(world.maintenance(), MaintenanceEdit { components: Some(vec![WEB]), ..MaintenanceEdit::default() }));
    assert_eq!((world.status(API), world.status(WEB), world.state.incidents.len()), (MajorOutage, UnderMaintenance, 1));
}

#[test]
fn a_maintenance_that_names_a_component_twice_names_it_once() {
    let mut world = World::new([]);
    world.acts(world.maintenance_in("1h", "2h", &[API, API]));
    assert_eq!(world.state.maintenances[&world.maintenance()].components, [API]);
}
