//! Facts that come late: what was over before it was heard of.

use super::*;
use crate::{Combine, PastSpan};

fn at(world: &World, minutes: i64) -> Timestamp {
    Timestamp(world.now.0 - minutes * 60_000)
}

/// What was in quarantine since is taken up now: it fired from so many minutes ago to so many minutes ago.
fn replays(world: &mut World, what: &str, severity: Severity, from: i64, to: i64) {
    let signals =
        [Signal { occurred_at: at(world, from), ..firing(what, severity) }, Signal { occurred_at: at(world, to), ..resolved(what) }];
    for (signal, arrived) in signals.into_iter().zip([from, to]) {
        world.replays(ALERTS, &signal, &format!("{arrived}m"));
    }
}

fn past(world: &World, id: ComponentId) -> Vec<(i64, i64, Status)> {
    let ago = |at: Timestamp| (world.now.0 - at.0) / 60_000;
    world.state.past.of(id).map(|span: PastSpan| (ago(span.since), ago(span.until), span.status)).collect()
}

#[test]
fn trouble_that_was_over_before_it_was_heard_of_corrects_the_past_and_is_news_for_nobody() {
    let mut world = World::new([auto(&[API])]);
    replays(&mut world, "cpu", Critical, 60, 40);
    assert_eq!((world.status(API), past(&world, API)), (Operational, vec![(60, 40, MajorOutage)]));
    let incident = world.incident().clone();
    assert_eq!((incident.started_at, incident.resolved_at), (at(&world, 60), Some(at(&world, 40))));
    assert_eq!((incident.status, incident.added_at, incident.impact), (IncidentStatus::Resolved, Some(world.now), Impact::Critical));
    assert_eq!(world.told(), Vec::<String>::new());
    replays(&mut world, "cpu", Critical, 60, 40);
    world.after("1h");
    assert_eq!((world.state.incidents.len(), world.status(API)), (1, Operational), "the same again changes nothing");
}

#[test]
fn trouble_that_goes_on_counts_a_moment_later() {
    let mut world = World::new([auto(&[API])]);
    let signal = Signal { occurred_at: at(&world, 60), ..firing("cpu", Critical) };
    world.replays(ALERTS, &signal, "1h");
    assert_eq!(world.status(API), Operational);
    world.after("2m");
    assert_eq!((world.status(API), world.told_people().len()), (MajorOutage, 1));
    world.resolves("cpu");
    assert_eq!(past(&world, API), [], "it counted for no time");
}

#[test]
fn what_is_heard_in_time_never_waits() {
    let mut world = World::new([auto(&[API])]);
    let signal = Signal { occurred_at: at(&world, 60), ..firing("cpu", Critical) };
    world.replays(ALERTS, &signal, "59s");
    assert_eq!(world.status(API), MajorOutage, "it fires for an hour, and was heard of now");
}

#[test]
fn only_what_readers_did_not_see_is_corrected() {
    let mut world = World::new([auto(&[API])]);
    world.fires("disk", Warning);
    world.after("10m");
    world.resolves("disk");
    world.after("50m");
    world.told();
    // Degraded from 60 to 50 minutes ago.
    replays(&mut world, "cpu", Critical, 55, 45);
    assert_eq!(past(&world, API), [(60, 55, DegradedPerformance), (55, 50, MajorOutage), (50, 45, MajorOutage)]);
    let added = world.state.incidents.values().last().unwrap();
    assert_eq!((added.started_at, added.resolved_at), (at(&world, 50), Some(at(&world, 45))), "the rest had its incident");
    let corrected =
        world.decided().into_iter().find_map(|change| if let Change::Past { pieces, .. } = change { Some(pieces) } else { None });
    let pieces: Vec<_> = corrected.unwrap().iter().map(|piece| piece.status).collect();
    assert_eq!(pieces, [DegradedPerformance, Operational]);
    replays(&mut world, "memory", Warning, 58, 46);
    assert_eq!(world.state.incidents.len(), 2, "milder than what is known");
}

#[test]
fn several_late_alerts_of_one_outage_make_one_incident() {
    let mut world = World::new([auto(&[API])]);
    replays(&mut world, "cpu", Warning, 60, 40);
    replays(&mut world, "disk", Critical, 62, 35);
    let incident = world.incident();
    assert_eq!((incident.started_at, incident.resolved_at), (at(&world, 62), Some(at(&world, 35))));
    assert_eq!(past(&world, API), [(62, 60, MajorOutage), (60, 40, MajorOutage), (40, 35, MajorOutage)]);
    replays(&mut world, "cpu2", Critical, 20, 15);
    assert_eq!(world.state.incidents.len(), 2, "one that is further away is another");
}

#[test]
fn a_hold_and_what_counts_on_count_in_the_past_too() {
    let mut world = World::new([Route { hold: Span::mins(5), keep_firing_for: Span::mins(3), ..auto(&[API]) }]);
    replays(&mut world, "short", Critical, 60, 56);
    replays(&mut world, "long", Critical, 40, 30);
    assert_eq!(past(&world, API), [(35, 27, MajorOutage)]);
}

#[test]
fn what_does_not_publish_by_itself_changes_no_bars() {
    for route in [draft(&[API]), shadow(&[API])] {
        let mut world = World::new([route]);
        replays(&mut world, "cpu", Critical, 60, 40);
        assert_eq!((past(&world, API), world.state.incidents.len()), (vec![], 0));
        let is_past = |change: &Change| matches!(change, Change::Past { pieces, .. } if pieces.is_empty());
        assert!(world.decided().iter().any(is_past), "the team's history says it");
    }
    let mut world = World::new([auto(&[API])]);
    world.combine(API, Combine::Quorum(2));
    replays(&mut world, "cpu", Critical, 60, 40);
    assert_eq!(past(&world, API), [], "nobody knows what the others would have said");
}

#[test]
fn maintenance_of_then_stays_maintenance() {
    let mut world = World::new([auto(&[API])]);
    world.acts(world.maintenance_in("1m", "11m", &[API]));
    world.after("60m");
    // Under maintenance from 59 to 49 minutes ago.
    replays(&mut world, "cpu", Critical, 55, 45);
    assert_eq!(past(&world, API), [(59, 49, UnderMaintenance), (49, 45, MajorOutage)]);
}
