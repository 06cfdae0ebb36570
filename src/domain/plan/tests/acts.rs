//! What people do.

use super::*;

#[test]
fn a_persons_word_outranks_the_signals_until_it_is_taken_back() {
    let mut world = World::new([auto(&[API])]);
    world.acts(set(API, Operational, None));
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.internal(API)), (Operational, MajorOutage));
    assert_eq!(world.told(), Vec::<String>::new(), "while it stands, nothing is the matter");
    world.acts(unset(API));
    assert_eq!(world.status(API), MajorOutage);
    assert_eq!(world.told().len(), 2, "then an incident opens");
}

#[test]
fn a_persons_word_ends_when_it_was_said_to() {
    let mut world = World::new([]);
    world.acts(set(API, PartialOutage, Some(world.now.plus(Span::mins(30)))));
    assert_eq!(world.state.components[&API].overridden.as_ref().unwrap().by, "ada");
    world.after("29m");
    assert_eq!(world.status(API), PartialOutage);
    world.after("1m");
    assert_eq!(world.status(API), Operational);
    assert!(world.tries(set(API, MajorOutage, Some(world.now))).is_err(), "that would be over at once");
}

#[test]
fn giving_the_same_word_twice_changes_nothing() {
    let mut world = World::new([]);
    world.acts(unset(API));
    world.acts(set(API, PartialOutage, None));
    world.decided();
    world.acts(set(API, PartialOutage, None));
    assert_eq!(world.decided(), []);
}

#[test]
fn an_open_incident_tells_when_a_persons_word_is_given_and_taken_back() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.told();
    world.acts(set(API, DegradedPerformance, None));
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API now has degraded performance. [API degraded_performance]"]);
    world.acts(unset(API));
    assert_eq!(world.told_people(), ["incident.updated Problem with API: API is now in a major outage. [API major_outage]"]);
}

#[test]
fn an_incident_that_people_opened_drives_its_components() {
    let mut world = World::new([]);
    world.acts(open([(API, PartialOutage), (WEB, DegradedPerformance)]));
    assert_eq!((world.status(API), world.status(WEB), world.internal(API)), (PartialOutage, DegradedPerformance, Operational));
    assert_eq!(
        world.told(),
        [
            "component.status_changed API partial_outage",
            "component.status_changed Web degraded_performance",
            "incident.opened Login is slow: We are looking into it. [API partial_outage] [Web degraded_performance]",
        ]
    );
    let id = world.incident().id;
    let components = Some([(API, DegradedPerformance)].into());
    world.acts(Act::UpdateIncident { incident: id, edit: IncidentEdit { components, ..edit() } });
    assert_eq!((world.status(API), world.status(WEB), world.incident().impact), (DegradedPerformance, Operational, Impact::Major));
    assert_eq!(
        world.told_people(),
        [
            "incident.updated Login is slow: API now has degraded performance. Web is operational again. [API degraded_performance] [Web operational]"
        ]
    );
    world.acts(resolve(id));
    assert_eq!(
        (world.status(API), world.told_people()),
        (Operational, vec!["incident.resolved Login is slow: The problem with API is over. [API operational]".to_owned()])
    );
}

#[test]
fn an_incident_is_never_without_words() {
    let mut world = World::new([]);
    world.acts(Act::OpenIncident(IncidentEdit { title: Some("Slow".to_owned()), ..edit() }));
    assert_eq!(world.told(), ["incident.opened Slow: We are investigating a problem."]);
    let incident = world.incident().id;
    for status in [IncidentStatus::Identified, IncidentStatus::Resolved] {
        world.acts(move_to(incident, status));
    }
    assert_eq!(
        world.told(),
        ["incident.updated Slow: We know what causes the problem, and are working on it.", "incident.resolved Slow: The problem is over."]
    );
}

#[test]
fn an_unpublished_incident_of_a_person_moves_nothing() {
    let mut world = World::new([]);
    let Act::OpenIncident(draft) = open([(API, MajorOutage)]) else { unreachable!() };
    world.acts(Act::OpenIncident(IncidentEdit { published: Some(false), ..draft }));
    assert_eq!((world.status(API), world.told()), (Operational, vec![]));
    world.acts(publish(world.incident().id));
    assert_eq!(
        world.told(),
        [
            "component.status_changed API major_outage",
            "incident.opened Login is slow: We are investigating a problem with API. [API major_outage]",
        ]
    );
}

#[test]
fn an_incident_that_a_person_reopens_when_nothing_fires_is_theirs_from_then_on() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.resolves("cpu");
    world.told();
    let id = world.incident().id;
    let components = Some([(API, DegradedPerformance)].into());
    let status = Some(IncidentStatus::Monitoring);
    world.acts(Act::UpdateIncident { incident: id, edit: IncidentEdit { status, components, ..edit() } });
    assert_eq!((world.incident().opened_by, world.status(API)), (None, DegradedPerformance));
    assert_eq!(
        world.told_people(),
        ["incident.reopened Problem with API: The problem with API is mended, and we are watching it. [API degraded_performance]"]
    );
    world.acts(set(API, Operational, None));
    world.acts(unset(API));
    assert_eq!(world.incident().status, IncidentStatus::Monitoring, "signals do not end it");
}

#[test]
fn components_of_an_incident_that_signals_opened_follow_from_signals() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let components = Some([(API, Operational)].into());
    let act = Act::UpdateIncident { incident: world.incident().id, edit: IncidentEdit { components, ..edit() } };
    assert!(matches!(world.tries(act), Err(ActError::Invalid { field: "components", .. })));
}

#[test]
fn a_new_wording_tells_nobody_and_a_new_text_tells_everybody() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.told();
    let incident = world.incident().id;
    world.acts(Act::UpdateIncident { incident, edit: IncidentEdit { title: Some("API is down".to_owned()), ..edit() } });
    assert_eq!(world.told(), Vec::<String>::new());
    let text = |text: &str| Act::UpdateIncident { incident, edit: IncidentEdit { body: Some(text.to_owned()), ..edit() } };
    world.acts(text("A switch broke."));
    assert_eq!(world.told(), ["incident.updated API is down: A switch broke."]);
    world.acts(move_to(incident, IncidentStatus::Investigating));
    assert_eq!(world.decided(), [], "nothing was changed, so nothing is recorded");
}

#[test]
fn a_published_incident_cannot_be_hidden_but_deleted() {
    let mut world = World::new([auto(&[WEB])]);
    world.acts(open([(API, MajorOutage)]));
    let incident = world.incident().id;
    let hide = Act::UpdateIncident { incident, edit: IncidentEdit { published: Some(false), ..edit() } };
    assert!(matches!(world.tries(hide), Err(ActError::Invalid { field: "published", .. })));
    world.acts(Act::DeleteIncident { incident });
    assert_eq!((world.status(API), world.state.incidents.len()), (Operational, 0));
}

#[test]
fn an_act_that_does_not_fit_changes_nothing_and_names_its_field() {
    let mut world = World::new([]);
    let unknown = ComponentId(99);
    let refused = [
        (set(unknown, MajorOutage, None), None),
        (resolve(IncidentId(99)), None),
        (Act::DeleteIncident { incident: IncidentId(99) }, None),
        (Act::UpdateMaintenance { maintenance: MaintenanceId(99), edit: MaintenanceEdit::default() }, None),
        (open([(unknown, MajorOutage)]), Some("components")),
        (Act::OpenIncident(edit()), Some("title")),
        (Act::OpenIncident(IncidentEdit { title: Some(" ".to_owned()), ..edit() }), Some("title")),
        (Act::OpenIncident(IncidentEdit { title: Some("x".repeat(201)), ..edit() }), Some("title")),
        (Act::OpenIncident(IncidentEdit { title: Some("a\u{7}b".to_owned()), ..edit() }), Some("title")),
        (Act::OpenIncident(IncidentEdit { title: Some("Slow".to_owned()), body: Some("x".repeat(20_001)), ..edit() }), Some("body")),
        (world.maintenance_in("2h", "1h", &[]), Some("ends_at")),
        (world.maintenance_in("1h", "2h", &[unknown]), Some("components")),
    ];
    for (act, field) in refused {
        let error = world.tries(act.clone()).unwrap_err();
        match (&error, field) {
            (ActError::NotFound(_), None) => {}
            (ActError::Invalid { field: named, .. }, Some(field)) if *named == field => {}
            _ => panic!("{act:?}: {error:?}"),
        }
    }
    assert_eq!((world.decided(), world.state.next_id), (vec![], 1));
}
