//! What waits before it leaves reads back, leaves once, and is known for as long as is said.

use domain::{WaitState, WaitingAct};

use super::*;
use crate::waiting::{self, Which};

const TEN: Span = Span::secs(10);

impl Fixture {
    async fn waiting(&self, which: Which) -> Vec<WaitingAct> {
        waiting::list(&mut self.db.read().await.unwrap(), which).await.unwrap()
    }

    /// Lets time pass, as the evaluator does.
    async fn pass(&self, until: Timestamp) -> State {
        self.decide(|state| plan_timers(state, until)).await
    }
}

fn edit() -> IncidentEdit {
    let components = [(ComponentId(1), Status::MajorOutage)].into();
    IncidentEdit {
        title: Some("Down".to_owned()),
        body: Some("We *see* it".to_owned()),
        components: Some(components),
        ..IncidentEdit::default()
    }
}

#[tokio::test]
async fn what_waits_reads_back_and_leaves_for_every_process_at_once() {
    let fixture = Fixture::new().await;
    fixture.act(Act::Wait { incident: None, edit: edit(), wait: TEN }).await;
    let stored = fixture.load().await;
    let act = stored.waiting.values().next().unwrap().clone();
    assert_eq!((&act.edit, act.opens, act.leaves_at, act.stood_at), (&edit(), true, NOW.plus(TEN), None));
    assert_eq!(
        (stored.next_timer(), stored.incidents.len(), stored.components[&ComponentId(1)].status),
        (Some(NOW.plus(TEN)), 0, Status::Operational)
    );
    assert!(fixture.page().await.incidents.is_empty());
    let memory = fixture.pass(NOW.plus(TEN)).await;
    let stored = fixture.load().await;
    assert_same(&memory, &stored);
    assert_eq!((stored.waiting.len(), stored.incidents.keys().next()), (0, Some(&act.incident)));
    let left = fixture.waiting(Which::One(act.id)).await;
    assert_eq!((left[0].state, fixture.waiting(Which::Open).await.len()), (WaitState::Left, 0));
}

#[tokio::test]
async fn what_is_refused_is_kept_until_it_is_put_by_and_what_is_over_for_a_day() {
    let fixture = Fixture::new().await;
    let memory = fixture.decide(|state| says(state, "cpu", SignalState::Firing, NOW)).await;
    let incident = *memory.incidents.keys().next().unwrap();
    let edit = IncidentEdit { status: Some(IncidentStatus::Monitoring), ..IncidentEdit::default() };
    fixture.act(Act::Wait { incident: Some(incident), edit, wait: TEN }).await;
    assert_eq!(fixture.waiting(Which::About(incident)).await.len(), 1);
    fixture.decide(|state| says(state, "cpu", SignalState::Resolved, NOW.plus(Span::secs(1)))).await;
    fixture.pass(NOW.plus(TEN)).await;
    let refused = fixture.waiting(Which::Open).await.pop().unwrap();
    assert_eq!((refused.state, refused.stood_at), (WaitState::Refused, Some(IncidentStatus::Investigating)));
    assert!(refused.reason.unwrap().contains("resolved meanwhile") && fixture.load().await.waiting.is_empty());
    fixture.act(Act::TakeBack { waiting: refused.id }).await;
    assert_eq!(fixture.waiting(Which::Open).await, []);
    let again = history::act(&fixture.db, "ada", Act::TakeBack { waiting: refused.id }, NOW).await;
    assert!(again.is_err(), "it is put by once");
    fixture.act(Act::Wait { incident: None, edit: self::edit(), wait: TEN }).await;
    for (before, kept) in [(NOW.plus(TEN), 2), (NOW.plus(Span::mins(1)), 1)] {
        let mut tx = fixture.db.begin().await.unwrap();
        waiting::prune(&mut tx, before).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(fixture.waiting(Which::Page { before: i64::MAX, limit: 10 }).await.len(), kept, "what waits stays");
    }
}

#[tokio::test]
async fn an_incident_of_long_ago_is_known_while_something_waits_about_it() {
    let fixture = Fixture::new().await;
    fixture.act(Act::OpenIncident(edit())).await;
    let incident = *fixture.load().await.incidents.keys().next().unwrap();
    fixture.resolve(incident).await;
    let later = NOW.plus(Span::mins(3 * 24 * 60));
    history::act(&fixture.db, "ada", Act::OpenIncident(edit()), later).await.unwrap();
    assert!(!fixture.load().await.incidents.contains_key(&incident));
    let said = IncidentEdit { body: Some("It was the cable.".to_owned()), ..IncidentEdit::default() };
    history::act(&fixture.db, "ada", Act::Wait { incident: Some(incident), edit: said, wait: TEN }, later).await.unwrap();
    assert!(fixture.load().await.incidents.contains_key(&incident));
    fixture.pass(later.plus(TEN)).await;
    let updates = rows::incident_updates(&mut fixture.db.read().await.unwrap(), &[incident]).await.unwrap();
    assert_eq!(updates[0].body, "It was the cable.");
}
