//! Planned windows that come back.

use std::collections::BTreeSet;

use super::*;
use crate::{Maintenance, SERIES_HORIZON, Schedule, Series, SeriesId};

const DB_SERIES: SeriesId = SeriesId(1);

fn weekly() -> Series {
    // The world begins on Sunday 1 March 2026 at noon.
    let schedule = Schedule {
        starts_at: "2026-03-03T02:00".parse().unwrap(),
        duration: Span::mins(120),
        rule: "FREQ=WEEKLY;BYDAY=TU".parse().unwrap(),
        except: BTreeSet::new(),
    };
    Series {
        id: DB_SERIES,
        key: "db".to_owned(),
        title: "Upkeep".to_owned(),
        body: "We tidy up.".to_owned(),
        schedule,
        announce: Span::mins(24 * 60),
        scoped: true,
        components: vec![API],
        lay_at: Some(Timestamp(0)),
        closed: BTreeSet::new(),
    }
}

fn with(series: Series) -> World {
    let mut world = World::new([]);
    world.configure(|state| drop(state.series.insert(series.id, series.clone())));
    world.reconfigured();
    world
}

/// Changes the series as its owner does.
fn change(world: &mut World, change: impl Fn(&mut Series)) {
    world.configure(|state| change(state.series.get_mut(&DB_SERIES).unwrap()));
    world.reconfigured();
}

fn coming(world: &World) -> Vec<&Maintenance> {
    let mut all: Vec<&Maintenance> = world.state.maintenances.values().collect();
    all.sort_by_key(|maintenance| maintenance.starts_at);
    all
}

fn starts(world: &World) -> Vec<String> {
    coming(world).iter().map(|maintenance| maintenance.starts_at.to_string().replace(":00.000Z", "")).collect()
}

fn first(world: &World) -> MaintenanceId {
    coming(world)[0].id
}

fn edited(maintenance: MaintenanceId, edit: MaintenanceEdit) -> Act {
    Act::UpdateMaintenance { maintenance, edit }
}

fn call_off(world: &mut World, id: MaintenanceId) {
    world.acts(edited(id, MaintenanceEdit { status: Some(MaintenanceStatus::Cancelled), ..MaintenanceEdit::default() }));
}

#[test]
fn windows_are_made_ahead_of_time_and_each_once() {
    let mut world = with(weekly());
    assert_eq!(world.state.maintenances.len(), 9, "as far as is looked ahead: {:?}", starts(&world));
    assert_eq!(starts(&world)[..2], ["2026-03-03T02:00", "2026-03-10T02:00"]);
    assert_eq!(world.told(), Vec::<String>::new(), "nobody is told of what is weeks away");
    world.reconfigured();
    world.restart();
    world.reconfigured();
    assert_eq!((world.state.maintenances.len(), world.decided()), (9, vec![]), "what is there is not made again");
    world.after("7d");
    let last = world.now.plus(SERIES_HORIZON);
    assert_eq!(world.state.maintenances.len(), 9, "one is over, and one more in sight");
    assert!(coming(&world).iter().all(|maintenance| maintenance.starts_at <= last));
}

#[test]
fn each_window_is_announced_begins_and_ends() {
    let mut world = with(weekly());
    world.after("14h");
    assert_eq!(world.told(), ["maintenance.scheduled Upkeep"], "a day before it begins");
    world.after("1d");
    assert_eq!(world.told_people(), ["maintenance.started Upkeep"]);
    assert_eq!(world.status(API), UnderMaintenance);
    world.after("2h");
    assert_eq!(world.told_people(), ["maintenance.completed Upkeep"]);
    world.after("7d");
    assert_eq!(world.told_people(), ["maintenance.scheduled Upkeep", "maintenance.started Upkeep", "maintenance.completed Upkeep"]);
}

#[test]
fn what_is_near_is_announced_at_once() {
    let mut world = with(Series { announce: Span::mins(5 * 24 * 60), ..weekly() });
    assert_eq!(world.told(), ["maintenance.scheduled Upkeep"], "the first is less than five days away");
}

#[test]
fn the_next_window_is_made_however_far_away_it_is() {
    let mut series = weekly();
    series.schedule.rule = "FREQ=MONTHLY;INTERVAL=6;COUNT=3".parse().unwrap();
    series.schedule.starts_at = "2026-09-03T02:00".parse().unwrap();
    let mut world = with(series);
    assert_eq!(starts(&world), ["2026-09-03T02:00"]);
    let first = world.maintenance();
    call_off(&mut world, first);
    assert_eq!(starts(&world), ["2027-03-03T02:00"]);
    world.after("366d");
    world.after("1d");
    assert_eq!(starts(&world), ["2027-09-03T02:00"]);
    world.after("366d");
    assert_eq!((starts(&world), world.state.series[&DB_SERIES].lay_at), (vec![], None), "three times are over");
}

#[test]
fn one_window_is_called_off_alone_and_does_not_come_back() {
    let mut world = with(weekly());
    let id = first(&world);
    call_off(&mut world, id);
    assert_eq!(world.told(), Vec::<String>::new(), "nobody knew of it");
    world.restart();
    change(&mut world, |series| series.title = "Care".to_owned());
    assert_eq!(starts(&world)[0], "2026-03-10T02:00");
    world.after("9d");
    assert_eq!(world.told_people(), ["maintenance.scheduled Care", "maintenance.started Care", "maintenance.completed Care"]);
}

#[test]
fn one_window_is_changed_alone_and_stays_so() {
    let mut world = with(weekly());
    let (id, starts_at) = (first(&world), Some(world.now.plus(Span::mins(72 * 60))));
    let ends_at = starts_at.map(|at| at.plus(Span::mins(30)));
    world.acts(edited(id, MaintenanceEdit { title: Some("Big one".to_owned()), starts_at, ends_at, ..MaintenanceEdit::default() }));
    assert_eq!(world.told(), Vec::<String>::new(), "it is announced in its time");
    change(&mut world, |series| series.title = "Care".to_owned());
    let titles: Vec<&str> = coming(&world).iter().map(|maintenance| maintenance.title.as_str()).collect();
    assert_eq!(titles[..3], ["Big one", "Care", "Care"]);
    world.after("2d");
    assert_eq!(world.told(), ["maintenance.scheduled Big one"]);
}

#[test]
fn a_window_that_was_put_off_past_its_day_stays() {
    let mut world = with(weekly());
    let (id, starts_at) = (first(&world), Some(world.now.plus(Span::mins(5 * 24 * 60))));
    let ends_at = starts_at.map(|at| at.plus(Span::mins(30)));
    world.acts(edited(id, MaintenanceEdit { starts_at, ends_at, ..MaintenanceEdit::default() }));
    world.after("3d");
    world.reconfigured();
    assert!(world.state.maintenances.contains_key(&id));
}

#[test]
fn a_change_of_the_series_changes_what_is_made() {
    let mut world = with(weekly());
    let ids: Vec<MaintenanceId> = coming(&world).iter().map(|maintenance| maintenance.id).collect();
    world.after("1d");
    assert_eq!(world.told(), ["maintenance.scheduled Upkeep"]);
    change(&mut world, |series| series.schedule.starts_at = "2026-03-03T04:30".parse().unwrap());
    assert_eq!(starts(&world)[..2], ["2026-03-03T04:30", "2026-03-10T04:30"]);
    let kept: Vec<MaintenanceId> = coming(&world).iter().map(|maintenance| maintenance.id).collect();
    assert_eq!(kept, ids, "a window that only moves within its day is the same window");
    assert_eq!(world.told(), ["maintenance.scheduled Upkeep"], "who knew of it hears of its new time");
    change(&mut world, |series| series.schedule.rule = "FREQ=WEEKLY;BYDAY=TH".parse().unwrap());
    assert_eq!(starts(&world)[..2], ["2026-03-05T04:30", "2026-03-12T04:30"]);
    assert_eq!(world.told(), ["maintenance.cancelled Upkeep"]);
    change(&mut world, |series| series.schedule.rule = "FREQ=WEEKLY;BYDAY=TU".parse().unwrap());
    assert_eq!(starts(&world)[..2], ["2026-03-03T04:30", "2026-03-10T04:30"], "and back");
}

#[test]
fn a_series_that_begins_anew_leaves_what_is_before_alone() {
    let mut world = with(weekly());
    let third = coming(&world)[2].occurrence.unwrap().on;
    world.configure(|state| {
        for maintenance in state.maintenances.values_mut() {
            let occurrence = maintenance.occurrence.as_mut().unwrap();
            occurrence.apart = occurrence.on < third;
        }
    });
    change(&mut world, |series| {
        series.schedule = series.schedule.from(third);
        series.title = "Care".to_owned();
        series.schedule.starts_at = "2026-03-17T05:00".parse().unwrap();
    });
    assert_eq!(starts(&world)[..4], ["2026-03-03T02:00", "2026-03-10T02:00", "2026-03-17T05:00", "2026-03-24T05:00"]);
    let titles: Vec<&str> = coming(&world).iter().map(|maintenance| maintenance.title.as_str()).collect();
    assert_eq!(titles[..4], ["Upkeep", "Upkeep", "Care", "Care"]);
}

#[test]
fn a_series_that_ends_takes_along_what_has_not_begun() {
    let mut world = with(weekly());
    world.after("39h");
    assert_eq!(world.status(API), UnderMaintenance);
    world.told();
    world.configure(|state| drop(state.series.remove(&DB_SERIES)));
    world.reconfigured();
    assert_eq!(world.state.maintenances.len(), 1, "what runs goes on");
    world.after("2h");
    assert_eq!((world.told_people(), world.status(API)), (vec!["maintenance.completed Upkeep".to_owned()], Operational));
}

#[test]
fn a_series_speaks_of_components_that_are_there() {
    let mut world = with(weekly());
    world.configure(|state| drop(state.components.remove(&API)));
    world.reconfigured();
    assert!(coming(&world).iter().all(|maintenance| maintenance.components.is_empty() && maintenance.scoped));
    world.reconfigured();
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn windows_follow_the_clock_over_its_change() {
    let mut world = World::new([]);
    world.configure(|state| {
        state.zone = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        state.series.insert(DB_SERIES, weekly());
    });
    world.reconfigured();
    let starts = starts(&world);
    assert_eq!((starts[3].as_str(), starts[4].as_str()), ("2026-03-24T01:00", "2026-03-31T00:00"), "clocks go forward on the 29th");
}
