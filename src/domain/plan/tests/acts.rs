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
fn a_person_may_resolve_what_still_fires_and_it_stays_resolved() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Warning);
    world.acts(resolve(world.incident().id));
    world.told();
    world.fires("cpu", Critical);
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
    assert_eq!((world.status(API), world.told()), (MajorOutage, vec!["component.status_changed API major_outage".to_owned()]));
    world.resolves("cpu");
    assert_eq!(world.status(API), Operational);
    world.fires("cpu", Critical);
    assert_eq!(world.incident().status, IncidentStatus::Investigating, "a new occurrence within the cool-off reopens it");
}

#[test]
fn an_incident_that_a_person_reopens_while_it_fires_goes_on_as_before() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let id = world.incident().id;
    world.acts(resolve(id));
    world.acts(move_to(id, IncidentStatus::Identified));
    assert!(world.incident().opened_by.is_some());
    world.resolves("cpu");
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
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
