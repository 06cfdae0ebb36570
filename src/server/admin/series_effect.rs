//! What a change of a series would do to its windows: it is done in a transaction, looked at, and not kept.

use std::collections::BTreeMap;

use domain::{Maintenance, Series, SeriesId};
use jiff::{civil::Date, tz::TimeZone};
use poem_openapi::Object;
use storage::{
    components, history,
    rows::{self, Maintenances},
    series,
};

use super::{
    Admin,
    gate::Caller,
    problem::Problem,
    series::{SHOWN, SeriesPatch, WindowView, load, n_told, patched, view, window_view},
    types::LocalTime,
};

/// What becomes of one of its windows.
#[derive(Object)]
struct WindowChange {
    /// `added`, `moved`, `changed` (what is said of it), `called_off`, or `kept`: it was changed alone, and stays as it is.
    what: String,
    /// When it begins so far, by the clock on the page's wall; null if it is added.
    #[oai(nullable)]
    was: Option<LocalTime>,
    /// When it is to begin; null if it is called off.
    #[oai(nullable)]
    becomes: Option<LocalTime>,
    /// Whether subscribers are told at once.
    told: bool,
}

/// What a change of a series would do.
#[derive(Object)]
pub(super) struct SeriesEffect {
    /// The rule, as it would be stored.
    rule: String,
    /// The rule in words.
    rule_in_words: String,
    /// The zone in which its times of the day are.
    time_zone: String,
    /// What becomes of the windows that are planned, in the order of their days; what stays as it is does not stand here.
    changes: Vec<WindowChange>,
    /// The next windows, at most ten.
    windows: Vec<WindowView>,
    /// How many subscribers are told of each window before it begins, when it begins, and when it ends.
    subscribers: i64,
}

pub(super) async fn look(admin: &Admin, caller: &Caller, id: SeriesId, patch: SeriesPatch) -> Result<SeriesEffect, Problem> {
    let mut entry = admin.begin().await?;
    let before = rows::maintenances(&mut entry.tx, Maintenances::OpenOf(id)).await?;
    let found = load(&mut entry.tx, id).await?;
    let series = patched(&mut entry.tx, found, patch).await?;
    series::update(&mut entry.tx, &series).await?;
    let (state, _) = history::reconfigured_uncommitted(&mut entry, caller.name(), admin.now()).await?;
    // Nothing of this is kept.
    drop(entry);
    let (zone, after) = (state.zone, state.maintenances.into_values().collect());
    let mut conn = admin.db.read().await?;
    let windows = series.schedule.windows(&zone, admin.now()).take(SHOWN);
    let subscribers = n_told(&mut conn, &series).await?;
    let shown = view(&series, &components::keys(&mut conn).await?);
    Ok(SeriesEffect {
        rule: shown.rule,
        rule_in_words: shown.rule_in_words,
        time_zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        windows: windows.map(|window| window_view(&series, &window, &zone)).collect(),
        changes: changes(&series, before, after, &zone),
        subscribers,
    })
}

/// Those that have not begun, by day.
fn by_day(all: Vec<Maintenance>, id: SeriesId) -> BTreeMap<Date, Maintenance> {
    let scheduled = all.into_iter().filter(Maintenance::is_scheduled);
    scheduled.filter_map(|maintenance| Some((maintenance.day_of(id)?, maintenance))).collect()
}

fn changes(series: &Series, before: Vec<Maintenance>, after: Vec<Maintenance>, zone: &TimeZone) -> Vec<WindowChange> {
    let (before, after) = (by_day(before, series.id), by_day(after, series.id));
    let days: std::collections::BTreeSet<Date> = before.keys().chain(after.keys()).copied().collect();
    let begins = |maintenance: &Maintenance| Some(LocalTime(zone.to_datetime(maintenance.starts_at.to_jiff())));
    let change = |day: Date| {
        let (was, becomes) = (before.get(&day), after.get(&day));
        let (what, told) = match (was, becomes) {
            (None, Some(becomes)) => ("added", becomes.is_told()),
            (Some(was), None) => ("called_off", was.is_told()),
            (Some(was), Some(becomes)) if (was.starts_at, was.ends_at) != (becomes.starts_at, becomes.ends_at) => {
                ("moved", becomes.is_told())
            }
            (Some(was), Some(becomes)) if is_said_otherwise(was, becomes) => ("changed", becomes.is_told() && !was.is_told()),
            (_, Some(becomes)) if becomes.occurrence.is_some_and(|occurrence| occurrence.apart) => ("kept", false),
            _ => return None,
        };
        Some(WindowChange { what: what.to_owned(), was: was.and_then(begins), becomes: becomes.and_then(begins), told })
    };
    days.into_iter().filter_map(change).collect()
}

fn is_said_otherwise(was: &Maintenance, becomes: &Maintenance) -> bool {
    let said = |maintenance: &Maintenance| {
        (maintenance.title.clone(), maintenance.body.clone(), maintenance.components.clone(), maintenance.announce_at)
    };
    said(was) != said(becomes)
}
