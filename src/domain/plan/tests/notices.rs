//! Who is told what, and that nobody is told twice.

use super::*;
use crate::NoticeKind;

#[test]
fn a_status_that_only_the_team_sees_is_not_told() {
    let mut world = World::new([shadow(&[API]), draft(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_notice_carries_the_components_it_names_as_they_are_afterwards() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let notices: Vec<Box<Notice>> =
        world.decided().into_iter().filter_map(|change| if let Change::Notice(notice) = change { Some(notice) } else { None }).collect();
    let [opened, changed] = notices.as_slice() else { panic!("{notices:#?}") };
    assert_eq!((opened.kind, changed.kind), (NoticeKind::IncidentOpened, NoticeKind::ComponentStatusChanged));
    assert!(opened.components.contains_key(&API) && opened.id < changed.id);
    assert_eq!(changed.components[&API].status, MajorOutage);
}

#[test]
fn ids_are_never_given_twice() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.acts(open([(WEB, PartialOutage)]));
    world.acts(world.maintenance_in("1h", "2h", &[DB]));
    let mut ids = Vec::new();
    for recorded in &world.log {
        match &recorded.change {
            Change::Incident { update, .. } => ids.extend(update.as_ref().map(|update| update.id.0)),
            Change::Notice(notice) => ids.push(notice.id.0),
            _ => {}
        }
    }
    ids.extend(world.state.incidents.keys().map(|id| id.0).chain(world.state.maintenances.keys().map(|id| id.0)));
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n);
    assert!(ids.iter().all(|id| *id < world.state.next_id));
}
