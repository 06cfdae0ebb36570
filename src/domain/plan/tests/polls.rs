//! What answers of a polled source say: everything they name, and that everything else is over.

use super::*;

fn polled(mut signal: Signal) -> Signal {
    signal.group = Some("poll".to_owned());
    signal
}

/// An answer: what it names, then the end of everything else.
fn answer(named: impl IntoIterator<Item = Signal>) -> Vec<Signal> {
    let end = Signal { whole_group: true, ..polled(resolved("fanal:answered")) };
    named.into_iter().map(polled).chain([end]).collect()
}

fn unreadable() -> Signal {
    polled(Signal::unreadable("no answer in time", NOW))
}

#[test]
fn an_answer_ends_what_it_no_longer_names_and_nothing_else() {
    let mut world = World::new([
        Route { condition: when(r#"signal.subject == "a""#), ..auto(&[API]) },
        Route { condition: when(r#"signal.subject == "b""#), ..auto(&[WEB]) },
    ]);
    world.says_all(answer([firing("a", Critical), firing("b", Warning)]));
    assert_eq!((world.status(API), world.status(WEB)), (MajorOutage, DegradedPerformance));
    world.after("1m");
    world.log.clear();
    world.says_all(answer([firing("b", Warning)]));
    assert_eq!((world.status(API), world.status(WEB)), (Operational, DegradedPerformance));
    let moved = |recorded: &&Recorded| matches!(recorded.change, Change::ComponentStatus { component: WEB, .. });
    assert_eq!(world.log.iter().filter(moved).count(), 0, "what is still named did not flap");
}

#[test]
fn a_source_that_cannot_be_read_makes_all_it_feeds_unknown_without_an_incident_until_the_next_answer() {
    let route = Route { condition: when(r#"signal.subject == "a""#), hold: Span::mins(5), ..auto(&[API]) };
    let mut world = World::new([route]);
    world.says_all(answer([]));
    world.says_all([unreadable()]);
    assert_eq!(world.status(API), Status::Unknown);
    assert!(world.state.incidents.is_empty());
    world.after("1m");
    world.says_all(answer([]));
    assert_eq!(world.status(API), Operational);
}

#[test]
fn what_was_known_before_the_source_went_silent_still_counts_if_it_is_worse() {
    let mut world = World::new([auto(&[API])]);
    world.says_all(answer([firing("a", Critical)]));
    world.says_all([unreadable()]);
    assert_eq!(world.status(API), MajorOutage);
    world.says_all(answer([]));
    assert_eq!(world.status(API), Operational);
}
