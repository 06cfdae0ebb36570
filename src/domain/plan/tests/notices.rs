//! Who is told what, and that nobody is told twice.

use super::*;
use crate::NoticeKind;

/// Every change that readers can see has one notice, and there are no others.
fn check_one_notice_per_transition(world: &mut World) {
    let (mut statuses, mut entries, mut windows) = (Vec::new(), Vec::new(), 0_i64);
    for change in world.decided() {
        match change {
            Change::ComponentStatus { component, from, to, .. } if from != to && component != VAULT => statuses.push((component, to)),
            Change::Incident { incident, update: Some(update) } if incident.published => entries.push(update.id),
            Change::Maintenance { .. } => windows += 1,
            Change::Notice(notice) => match notice.about {
                NoticeAbout::Component { change } => {
                    let at = statuses.iter().position(|owed| *owed == (change.component, change.to));
                    statuses.remove(at.expect("a status that changed"));
                }
                NoticeAbout::Incident { update, .. } => {
                    let at = entries.iter().position(|owed| *owed == update.id);
                    entries.remove(at.expect("an entry that was written"));
                }
                NoticeAbout::Maintenance { .. } => windows -= 1,
                NoticeAbout::Publication { .. } => {}
                NoticeAbout::Endpoint { .. } => panic!("not the planner's"),
            },
            _ => {}
        }
    }
    assert_eq!((statuses, entries, windows), (vec![], vec![], 0));
}

#[test]
fn every_visible_transition_is_told_exactly_once() {
    let mut world = World::new([auto(&[API, VAULT]), Route { hold: Span::mins(5), ..auto(&[WEB]) }, draft(&[DB])]);
    for severity in [Warning, Critical, Critical, Error] {
        world.fires("cpu", severity);
        world.after("3m");
    }
    world.acts(world.maintenance_in("1h", "2h", &[API]));
    world.after("1h");
    world.fires("disk", Critical);
    world.after("1h");
    world.resolves("cpu");
    world.acts(set(API, Operational, None));
    world.resolves("disk");
    world.acts(unset(API));
    check_one_notice_per_transition(&mut world);
}

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
    let [changed, opened] = notices.as_slice() else { panic!("{notices:#?}") };
    assert_eq!((opened.kind, changed.kind), (NoticeKind::IncidentOpened, NoticeKind::ComponentStatusChanged));
    assert!(opened.components.contains_key(&API) && changed.id < opened.id);
    assert_eq!(changed.components[&API].status, MajorOutage);
}

#[test]
fn every_change_says_why_and_goes_back_to_its_delivery() {
    let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.after("5m");
    for recorded in &world.log {
        assert!(!recorded.why.text.is_empty(), "{recorded:#?}");
        assert_eq!(recorded.why.delivery, Some(DeliveryId(1)), "{recorded:#?}");
        assert_eq!(recorded.why.integration, Some(ALERTS), "{recorded:#?}");
    }
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

#[test]
fn what_signals_change_within_a_persons_incident_is_told_to_people_too() {
    let mut world = World::new([auto(&[API, WEB])]);
    world.acts(open([(API, DegradedPerformance)]));
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(
        world.told(),
        [
            "component.status_changed API major_outage",
            "component.status_changed Web major_outage",
            "incident.updated Login is slow: API and Web are now in a major outage. [API major_outage] [Web major_outage]",
        ]
    );
    assert_eq!((world.incident().impact, world.incident().components.clone()), (Impact::Critical, [(API, DegradedPerformance)].into()));
    world.resolves("cpu");
    assert_eq!(
        world.told_people(),
        [
            "incident.updated Login is slow: API now has degraded performance. Web is operational again. [API degraded_performance] [Web operational]"
        ]
    );
    assert_eq!(world.incident().status, IncidentStatus::Investigating, "a person ends it");
}

#[test]
fn what_joins_a_persons_incident_and_changes_nothing_for_readers_is_not_told() {
    let mut world = World::new([auto(&[API]), draft(&[API]), shadow(&[API])]);
    world.acts(open([(API, MajorOutage)]));
    world.told();
    world.fires("cpu", Warning);
    world.resolves("cpu");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_change_about_which_two_incidents_are_open_is_told_in_one() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.acts(open([(API, DegradedPerformance)]));
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API is now in a major outage. [API major_outage]"]);
    world.resolves("cpu");
    assert_eq!(
        world.told_people(),
        ["incident.resolved Problem with API: No problem with API is reported any more. [API degraded_performance]"]
    );
    world.acts(set(API, PartialOutage, None));
    assert_eq!(world.told_people(), ["incident.updated Login is slow: API is now in a partial outage. [API partial_outage]"]);
}

#[test]
fn a_deleted_incident_leaves_word_in_the_other_that_is_open() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.acts(open([(API, MajorOutage)]));
    let persons = *world.state.incidents.keys().next_back().unwrap();
    world.told();
    world.acts(Act::DeleteIncident { incident: persons });
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API now has degraded performance. [API degraded_performance]"]);
}

#[test]
fn the_end_of_an_incident_does_not_swallow_a_change_that_it_does_not_name() {
    let mut world = World::new([auto(&[API])]);
    world.fires("x", Severity::Unknown);
    world.acts(open([(API, Status::Unknown)]));
    world.fires("y", Warning);
    assert_eq!(world.status(API), DegradedPerformance);
    // The machine's incident ends, as bad as it ever was; the person's goes on and tells.
    world.configure(|state| state.routes.get_mut(&RouteId(1)).unwrap().publish = Publish::Shadow);
    world.told();
    world.reconfigured();
    assert_eq!(world.status(API), Status::Unknown);
    assert!(world.told().iter().any(|told| told.contains("[API unknown]")), "somebody tells of it");
}
