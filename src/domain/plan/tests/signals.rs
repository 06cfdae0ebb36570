//! Which signals a route takes up, and which status they give.

use super::*;

fn with_label(what: &str, name: &str, value: &str) -> Signal {
    let mut signal = firing(what, Critical);
    signal.labels.insert(name.to_owned(), value.to_owned());
    signal
}

#[test]
fn a_route_takes_the_signals_its_condition_holds_for() {
    let api = Route { condition: when(r#"signal.labels.service == "api""#), ..auto(&[API]) };
    let mut world = World::new([api]);
    world.say(with_label("a", "service", "web"));
    world.fires("without labels", Critical);
    assert_eq!(world.status(API), Operational);
    world.say(with_label("b", "service", "api"));
    assert_eq!(world.status(API), MajorOutage);
}

#[test]
fn a_condition_that_fails_does_not_hold_and_disturbs_no_other_route() {
    let broken = Route { condition: when("signal.subject | abs"), ..auto(&[API]) };
    let mut world = World::new([broken, auto(&[WEB])]);
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.status(WEB)), (Operational, MajorOutage));
}

#[test]
fn routes_see_the_signals_of_their_integration_only() {
    let mut world = World::new([auto(&[API])]);
    world.say_from(CI, firing("build", Critical));
    assert_eq!(world.status(API), Operational);
}

#[test]
fn the_same_fingerprint_from_two_integrations_is_two_things() {
    let mut world = World::new([auto(&[API]), Route { integration: CI, ..auto(&[API]) }]);
    world.fires("x", Critical);
    world.say_from(CI, firing("x", Warning));
    world.resolves("x");
    assert_eq!(world.status(API), DegradedPerformance);
}

#[test]
fn severities_give_statuses_from_best_to_worst() {
    for (severity, status) in [(Critical, MajorOutage), (Error, PartialOutage), (Warning, DegradedPerformance), (Info, Operational)] {
        let mut world = World::new([auto(&[API])]);
        world.fires("cpu", severity);
        assert_eq!(world.status(API), status);
    }
}

#[test]
fn a_severity_nobody_knows_makes_the_component_unknown_and_never_healthy() {
    let only_critical = StatusMap { named: [(Critical, PartialOutage)].into(), default: None };
    for status in [StatusMap::default(), only_critical] {
        let mut world = World::new([Route { status, ..auto(&[API]) }]);
        world.fires("cpu", Severity::Unknown);
        assert_eq!(world.status(API), Status::Unknown);
    }
}

#[test]
fn a_severity_the_map_does_not_list_is_left_alone_unless_there_is_a_default() {
    let named = || [(Critical, PartialOutage)].into();
    let mut world = World::new([
        Route { status: StatusMap { named: named(), default: None }, ..auto(&[API]) },
        Route { status: StatusMap { named: named(), default: Some(DegradedPerformance) }, ..auto(&[WEB]) },
    ]);
    world.fires("cpu", Error);
    assert_eq!((world.status(API), world.status(WEB)), (Operational, DegradedPerformance));
    world.fires("cpu", Critical);
    assert_eq!((world.status(API), world.status(WEB)), (PartialOutage, PartialOutage));
}

#[test]
fn a_late_signal_never_moves_anything_back() {
    let mut world = World::new([auto(&[API])]);
    let long_ago = Timestamp(world.now.0 - 60_000);
    world.fires("cpu", Critical);
    world.say(Signal { occurred_at: long_ago, ..resolved("cpu") });
    world.say(Signal { occurred_at: long_ago, ..firing("cpu", Warning) });
    assert_eq!(world.status(API), MajorOutage);
    world.after("1m");
    world.resolves("cpu");
    world.decided();
    world.say(Signal { occurred_at: long_ago, ..firing("cpu", Critical) });
    assert_eq!(world.status(API), Operational);
    assert_eq!(world.decided(), []);
}

#[test]
fn a_repeated_signal_says_only_that_it_was_heard_again() {
    let mut world = World::new([auto(&[API]), draft(&[WEB]), shadow(&[DB])]);
    world.fires("cpu", Critical);
    world.decided();
    for _ in 0..3 {
        world.fires("cpu", Critical);
        let decided = world.decided();
        assert!(matches!(decided.as_slice(), [Change::Alert { .. }]), "{decided:#?}");
    }
}

#[test]
fn the_end_of_a_whole_group_ends_every_member_and_nothing_else() {
    let mut world = World::new([auto(&[API])]);
    for (what, group) in [("a", "one"), ("b", "one"), ("c", "two")] {
        world.say(Signal { group: Some(group.to_owned()), ..firing(what, Critical) });
    }
    world.after("1m");
    let end = || Signal { group: Some("one".to_owned()), whole_group: true, ..resolved("group:one") };
    world.say(Signal { occurred_at: Timestamp(world.now.0 - 90_000), ..end() });
    assert_eq!(world.state.causes.len(), 3, "late: the members fired after it");
    world.say(end());
    assert_eq!(world.state.causes.keys().map(|key| key.1.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_signal_that_no_longer_matches_its_route_counts_no_more() {
    let mut world = World::new([Route { condition: when(r#"signal.labels.team == "core""#), ..auto(&[API]) }]);
    world.say(with_label("cpu", "team", "core"));
    assert_eq!(world.status(API), MajorOutage);
    world.after("1m");
    world.say(with_label("cpu", "team", "edge"));
    assert_eq!(world.status(API), Operational);
    assert_eq!(world.incident().status, IncidentStatus::Resolved);
}

#[test]
fn a_signal_whose_severity_falls_to_harmless_counts_no_more() {
    let mut world = World::new([auto(&[API])]);
    world.fires("cpu", Critical);
    world.fires("cpu", Info);
    assert_eq!((world.status(API), world.state.causes.len()), (Operational, 0));
}

fn samples(world: &mut World) -> Vec<(MetricId, f64)> {
    let sample = |change| if let Change::Sample { metric, sample: Sample { value, .. } } = change { Some((metric, value)) } else { None };
    world.decided().into_iter().filter_map(sample).collect()
}

#[test]
fn a_metric_takes_the_values_of_its_signals() {
    let metric = |id, value: Option<&str>| Route { metric: Some(MetricId(id)), value: value.map(when), ..auto(&[]) };
    let mut world = World::new([
        metric(1, None),
        metric(2, Some("signal.value * 1000")),
        metric(3, Some("signal.annotations.p99")),
        metric(4, Some("signal.subject")),
        metric(5, Some("signal.value / 0")),
    ]);
    let mut sample = Signal { value: Some(0.25), ..signal("latency", SignalState::Sample, Severity::Unknown) };
    sample.annotations.insert("p99".to_owned(), " 12.5 ".to_owned());
    world.say(sample);
    assert_eq!(samples(&mut world), [(MetricId(1), 0.25), (MetricId(2), 250.0), (MetricId(3), 12.5)], "what is no number is no sample");
    assert!(world.state.alerts.is_empty(), "a sample says nothing about right or wrong");
    world.say(Signal { value: Some(f64::NAN), ..firing("latency", Critical) });
    assert_eq!(samples(&mut world), []);
    world.say(Signal { value: Some(3.0), ..firing("latency", Critical) });
    assert_eq!(samples(&mut world), [(MetricId(1), 3.0), (MetricId(2), 3000.0)]);
}

#[test]
fn a_route_to_a_metric_alone_has_no_causes() {
    let mut world = World::new([Route { metric: Some(MetricId(1)), ..auto(&[]) }]);
    world.say(Signal { value: Some(3.0), ..firing("latency", Critical) });
    assert!(world.state.causes.is_empty());
}
