//! What a person says and may take back before it leaves.

use super::*;
use crate::{MAX_WAIT, MAX_WAITING_ACTS, WaitState, WaitingAct, WaitingActId};

const TEN: Span = Span::secs(10);

/// The same act, after ten seconds.
fn waits(act: Act) -> Act {
    match act {
        Act::OpenIncident(edit) => Act::Wait { incident: None, edit, wait: TEN },
        Act::UpdateIncident { incident, edit } => Act::Wait { incident: Some(incident), edit, wait: TEN },
        act => act,
    }
}

fn says(incident: IncidentId, text: &str) -> Act {
    Act::UpdateIncident { incident, edit: IncidentEdit { body: Some(text.to_owned()), ..edit() } }
}

/// The only act that waits.
fn waiting(world: &World) -> WaitingActId {
    assert_eq!(world.state.waiting.len(), 1);
    *world.state.waiting.keys().next().unwrap()
}

/// What became of the last act that waited.
fn became(world: &mut World) -> WaitingAct {
    let ended = |change| if let Change::Waiting { act } = change { Some(act) } else { None };
    world.decided().into_iter().filter_map(ended).next_back().unwrap()
}

#[test]
fn nothing_has_happened_until_it_leaves_and_then_it_happens_once() {
    let mut world = World::new([]);
    world.acts(waits(open([(API, PartialOutage)])));
    assert_eq!((world.status(API), world.state.incidents.len(), world.told().len()), (Operational, 0, 0));
    let id = waiting(&world);
    world.after("9s");
    assert_eq!((world.told().len(), world.state.next_timer()), (0, Some(world.now.plus(Span::secs(1)))));
    world.after("1s");
    assert_eq!(world.told_people(), ["incident.opened Login is slow: We are looking into it. [API partial_outage]"]);
    assert_eq!((world.status(API), world.incident().id), (PartialOutage, IncidentId(id.0)), "under the number that was kept for it");
    assert_eq!(world.incident().started_at, world.now);
    world.after("1h");
    assert_eq!((world.told().len(), world.state.waiting.len()), (0, 0));
}

#[test]
fn what_is_taken_back_never_leaves() {
    let mut world = World::new([]);
    world.acts(waits(open([(API, MajorOutage)])));
    let id = waiting(&world);
    world.after("9s");
    world.acts(Act::TakeBack { waiting: id });
    assert_eq!(became(&mut world).state, WaitState::TakenBack);
    world.after("1h");
    assert_eq!((world.status(API), world.state.incidents.len(), world.decided()), (Operational, 0, vec![]));
    for again in [Act::TakeBack { waiting: id }, Act::LeaveNow { waiting: id }] {
        assert_eq!(world.tries(again), Err(ActError::NotFound("waiting act")));
    }
}

#[test]
fn what_is_due_can_be_taken_back_as_long_as_nobody_has_let_it_leave() {
    let mut world = World::new([]);
    world.acts(waits(open([])));
    world.now = world.now.plus(Span::mins(5));
    world.acts(Act::TakeBack { waiting: waiting(&world) });
    world.after("1s");
    assert_eq!(world.state.incidents.len(), 0);
}

#[test]
fn an_update_and_a_draft_wait_alike_and_leave_at_once_if_somebody_wishes() {
    let mut world = World::new([draft(&[API])]);
    world.fires("cpu", Critical);
    let id = world.incident().id;
    world.acts(waits(publish(id)));
    assert_eq!((world.incident().published, world.told().len()), (false, 0));
    world.acts(Act::LeaveNow { waiting: waiting(&world) });
    assert_eq!((world.incident().published, world.status(API), world.told_people().len()), (true, MajorOutage, 1));
    world.acts(waits(says(id, "The disk is full.")));
    world.after("10s");
    assert_eq!(world.told_people(), ["incident.updated Problem with API: The disk is full."]);
}

#[test]
fn it_is_told_by_whoever_wrote_it_whoever_lets_it_leave() {
    let mut world = World::new([]);
    world.acts(waits(open([])));
    let id = waiting(&world);
    let changes = plan_act(&mut world.state, "bob", Act::LeaveNow { waiting: id }, world.now).unwrap();
    let entry = |recorded: &Recorded| if let Change::Incident { update, .. } = &recorded.change { update.clone() } else { None };
    assert_eq!(changes.iter().find_map(entry).unwrap().by, "ada");
    assert_eq!(changes.last().unwrap().why.text, "bob let it leave at once");
}

#[test]
fn what_would_undo_what_came_meanwhile_is_refused_and_keeps_its_words() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let id = world.incident().id;
    let edit = IncidentEdit { body: Some("A patch is out.".to_owned()), status: Some(IncidentStatus::Monitoring), ..edit() };
    world.acts(Act::Wait { incident: Some(id), edit: edit.clone(), wait: TEN });
    world.resolves("cpu");
    world.told();
    world.after("10s");
    let refused = became(&mut world);
    assert_eq!((refused.state, refused.edit, world.incident().status), (WaitState::Refused, edit, IncidentStatus::Resolved));
    assert!(refused.reason.unwrap().contains("has become resolved meanwhile"));
}

#[test]
fn a_status_that_is_only_repeated_brings_nothing_back() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let id = world.incident().id;
    let edit = IncidentEdit { body: Some("We see it.".to_owned()), status: Some(IncidentStatus::Investigating), ..IncidentEdit::default() };
    world.acts(Act::Wait { incident: Some(id), edit, wait: TEN });
    world.resolves("cpu");
    world.told();
    world.after("10s");
    assert_eq!(world.told_people(), ["incident.updated Problem with API: We see it."]);
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn what_cannot_be_said_is_refused_at_once_and_so_is_what_waits_too_long_or_is_too_much() {
    let mut world = World::new([]);
    let blames = |result: Result<(), ActError>| if let Err(ActError::Invalid { field, .. }) = result { field } else { "nothing" };
    assert_eq!(blames(world.tries(Act::Wait { incident: None, edit: edit(), wait: TEN })), "title");
    assert_eq!(blames(world.tries(waits(open([(ComponentId(99), MajorOutage)])))), "components");
    assert_eq!(world.tries(waits(publish(IncidentId(99)))), Err(ActError::NotFound("incident")));
    let Act::OpenIncident(edit) = open([]) else { unreachable!() };
    for (wait, blamed) in [(MAX_WAIT, "nothing"), (Span(MAX_WAIT.0 + 1), "wait_seconds"), (Span::ZERO, "wait_seconds")] {
        assert_eq!(blames(world.tries(Act::Wait { incident: None, edit: edit.clone(), wait })), blamed, "{wait:?}");
    }
    for _ in 1..MAX_WAITING_ACTS {
        world.acts(waits(open([])));
    }
    assert_eq!(blames(world.tries(waits(open([])))), "wait_seconds");
}

#[test]
fn what_waits_about_an_incident_goes_with_it_and_an_old_incident_is_kept_for_it() {
    let mut world = World::new([]);
    world.acts(open([]));
    let id = world.incident().id;
    world.acts(waits(says(id, "More.")));
    world.acts(Act::DeleteIncident { incident: id });
    let gone = became(&mut world);
    assert_eq!((gone.state, gone.reason.as_deref()), (WaitState::TakenBack, Some("the incident was deleted")));

    world.acts(open([]));
    let old = world.incident().id;
    world.acts(resolve(old));
    world.after("23h59m55s");
    world.acts(waits(says(old, "It was the cable.")));
    world.after("6s");
    world.acts(open([]));
    world.restart();
    world.told();
    world.after("10s");
    assert_eq!(world.told_people(), ["incident.updated Login is slow: It was the cable."]);
}
