//! What happens by itself.

use super::*;

/// What timers decided, with the time at which they did.
fn times(world: &mut World) -> Vec<(i64, &'static str)> {
    let start = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
    let what = |change: &Change| match change {
        Change::CauseSet { cause, moved: true } if cause.phase == Phase::Active => Some("counts"),
        Change::CauseEnded { .. } => Some("ends"),
        Change::Override { overridden: None, .. } => Some("word is over"),
        Change::Maintenance { maintenance: Maintenance { status: MaintenanceStatus::InProgress, .. } } => Some("begins"),
        Change::Maintenance { .. } => Some("is completed"),
        _ => None,
    };
    let log = std::mem::take(&mut world.log);
    log.iter().filter_map(|recorded| Some((recorded.at.since(start).0 / 60_000, what(&recorded.change)?))).collect()
}

#[test]
fn an_evaluator_that_slept_does_each_thing_at_the_time_it_was_due() {
    let mut world = World::new([Route { hold: Span::mins(5), expire_after: Span::mins(30), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.acts(set(WEB, PartialOutage, Some(world.now.plus(Span::mins(10)))));
    world.acts(world.maintenance_in("3m", "20m", &[DB]));
    world.decided();
    world.after("2d");
    let expected = [(3, "begins"), (5, "counts"), (10, "word is over"), (20, "is completed"), (30, "ends")];
    assert_eq!(times(&mut world), expected);
    let minute = |at: i64| Timestamp(Timestamp::parse("2026-03-01T12:00:00Z").unwrap().0 + at * 60_000);
    let incident = world.incident();
    assert_eq!((incident.started_at, incident.resolved_at), (minute(5), Some(minute(30))));
    assert_eq!(world.state.next_timer(), None);
}

#[test]
fn nothing_is_done_before_its_time_nor_twice() {
    let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API]) }]);
    world.fires("cpu", Critical);
    world.decided();
    world.after("4m");
    assert_eq!(world.decided(), []);
    world.after("1m");
    assert_eq!(times(&mut world), [(5, "counts")]);
    world.after("1h");
    assert_eq!(world.decided(), []);
}

#[test]
fn time_never_goes_back() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    let then = world.now;
    world.now = Timestamp(then.0 - 3_600_000);
    world.fires("disk", Critical);
    assert!(world.log.iter().all(|recorded| recorded.at == then));
}

#[test]
fn things_due_at_the_same_time_are_done_in_one_order() {
    let run = || {
        let mut world = World::new([Route { hold: Span::mins(5), ..auto(&[API, WEB]) }]);
        for what in ["d", "b", "a", "c"] {
            world.fires(what, Warning);
        }
        world.acts(world.maintenance_in("5m", "10m", &[WEB]));
        world.after("1h");
        world.log
    };
    assert_eq!(run(), run());
}
