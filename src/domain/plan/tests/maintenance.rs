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
fn a_component_taken_out_of_a_running_maintenance_is_itself_again() {
    let mut world = World::new([auto(&[API])]);
    world.acts(world.maintenance_in("1h", "2h", &[API, WEB]));
    world.after("1h");
    world.fires("cpu", Critical);
    world.acts(edited(world.maintenance(), MaintenanceEdit { components: Some(vec![WEB]), ..MaintenanceEdit::default() }));
    assert_eq!((world.status(API), world.status(WEB), world.state.incidents.len()), (MajorOutage, UnderMaintenance, 1));
}
