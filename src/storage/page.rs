//! Reads what readers of the page may see: what `Incident::for_readers` and its like in `domain` let through, and nothing else.

mod visible;

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::{
    BAR_DAYS, Component, ComponentId, Day, Group, GroupId, Image, Maintenance, Metric, MetricId, PageComponent, PageData, PageIncident,
    PageMetric, PageSettings, Sample, Span, Status, Timestamp,
};
use jiff::tz::TimeZone;

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
    dependencies, images, ledger, rows,
};

pub use visible::{history, incident, maintenance};

/// Points in a metric's chart.
const MAX_POINTS: i64 = 300;
/// How far a metric's chart goes back.
const CHART: Span = Span(24 * 3_600_000);
const DAY_MS: i64 = 86_400_000;
/// How often the page is brought up to date while nothing happens.
const STEP: Span = Span::secs(30);

/// The moment up to which the page is counted at `now` if nothing has happened since. The same for a while, so that every process shows
/// the same page under the same tag.
#[must_use]
pub const fn step(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - now.0.rem_euclid(STEP.0))
}

/// Reads the page at its newest version.
///
/// # Errors
/// What the database said.
pub async fn load(db: &Db, now: Timestamp) -> Result<PageData, StorageError> {
    let mut conn = db.read().await?;
    let conn = &mut conn;
    // First, so that a change that slips in between is at worst shown early, under the older number, and again under its own.
    let version = ledger::read(conn).await?.page_version;
    let settings = rows::page_settings(conn).await?;
    let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
    let components = rows::components(conn).await?.into_iter().filter_map(Component::for_readers);
    let components: BTreeMap<ComponentId, Component> = components.map(|component| (component.id, component)).collect();
    let shown = |id: ComponentId| components.contains_key(&id);
    let counted = step(now);
    let since = Timestamp(counted.0 - i64::from(BAR_DAYS) * DAY_MS);
    let incidents = visible::recent_incidents(conn, since, &shown).await?;
    let mut maintenances = visible::recent_maintenances(conn, since, &shown).await?;
    maintenances.sort_by_key(|maintenance| (maintenance.starts_at, maintenance.id));
    let updated_at = newest(&components, &incidents, &maintenances);
    let metrics = metrics(conn, counted, now).await?;
    let sampled_at = metrics.iter().filter_map(|shown| shown.samples.last()).map(|sample| sample.at).max();
    let as_of = counted.max(updated_at).max(sampled_at.unwrap_or_default());
    let mut days = days(conn, as_of.day_in(&zone) - BAR_DAYS + 1).await?;
    let dependencies = dependencies::all(conn).await?;
    let all = if dependencies.is_empty() { BTreeMap::new() } else { components.clone() };
    let caused_by = |component: &Component| match component.status {
        Status::Operational | Status::UnderMaintenance => Vec::new(),
        _ => dependencies.causes_for_readers(component.id, |id| all.get(&id)),
    };
    let mut components: Vec<PageComponent> = components
        .into_values()
        .map(|component| {
            let days = running(&component, days.remove(&component.id).unwrap_or_default(), as_of, &zone);
            let caused_by = caused_by(&component);
            PageComponent { component, days, caused_by }
        })
        .collect();
    components.sort_by_key(|shown| (shown.component.position, shown.component.id));
    let groups = with_members(rows::groups(conn).await?, &components);
    let images = images::all(conn).await?.into_values().collect();
    Ok(PageData { version, as_of, updated_at, settings, groups, components, incidents, maintenances, metrics, images })
}

/// The groups that readers see: those that hold a component they see, if only within another group.
fn with_members(groups: Vec<Group>, components: &[PageComponent]) -> Vec<Group> {
    let parents: HashMap<GroupId, Option<GroupId>> = groups.iter().map(|group| (group.id, group.parent)).collect();
    let mut seen = HashSet::new();
    for shown in components {
        let mut next = shown.component.group;
        while let Some(id) = next.filter(|id| seen.insert(*id)) {
            next = parents.get(&id).copied().flatten();
        }
    }
    groups.into_iter().filter(|group| seen.contains(&group.id)).collect()
}

fn newest(components: &BTreeMap<ComponentId, Component>, incidents: &[PageIncident], maintenances: &[Maintenance]) -> Timestamp {
    let components = components.values().map(|component| component.status_since);
    let incidents = incidents.iter().map(|shown| shown.incident.updated_at);
    let maintenances = maintenances.iter().map(|maintenance| maintenance.updated_at);
    components.chain(incidents).chain(maintenances).max().unwrap_or_default()
}

type DayRow = (i64, i32, i64, i64, i64, i64, i64);

async fn days(conn: &mut Connection, first: i32) -> Result<HashMap<ComponentId, Vec<Day>>, StorageError> {
    let rows: Vec<DayRow> = sql!(conn, c => sqlx::query_as(
        "select component_id, day, under_maintenance, unknown, degraded_performance, partial_outage, major_outage
         from component_day where day >= $1 order by component_id, day",
    )
    .bind(first)
    .fetch_all(&mut *c)
    .await)?;
    let mut days: HashMap<ComponentId, Vec<Day>> = HashMap::new();
    for (component, day, maintenance, unknown, degraded, partial, major) in rows {
        days.entry(ComponentId(component)).or_default().push(Day {
            day,
            under_maintenance: Span(maintenance),
            unknown: Span(unknown),
            degraded_performance: Span(degraded),
            partial_outage: Span(partial),
            major_outage: Span(major),
        });
    }
    Ok(days)
}

/// Counts the running status up to `now`.
fn running(component: &Component, days: Vec<Day>, now: Timestamp, zone: &TimeZone) -> Vec<Day> {
    if component.status == Status::Operational {
        return days;
    }
    let mut by_day: BTreeMap<i32, Day> = days.into_iter().map(|day| (day.day, day)).collect();
    let today = now.day_in(zone);
    let first = component.status_since.day_in(zone).max(today - BAR_DAYS + 1);
    for day in first..=today {
        let begin = Timestamp::start_of_day(day, zone).max(component.status_since);
        let end = Timestamp::start_of_day(day + 1, zone).min(now);
        by_day.entry(day).or_insert(Day { day, ..Day::default() }).add(component.status, end.since(begin));
    }
    by_day.into_values().collect()
}

/// Stores how the page presents itself, with those of the `images` that it shows and that are not stored yet.
///
/// # Errors
/// What the database said; an image that is neither stored nor given.
pub async fn set_settings(conn: &mut Connection, settings: &PageSettings, images: &BTreeMap<String, Image>) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update page set settings = $1").bind(rows::to_json(settings)))?;
    images::keep(conn, settings, images).await
}

/// Every metric, in page order.
///
/// # Errors
/// What the database said.
pub async fn all_metrics(conn: &mut Connection) -> Result<Vec<Metric>, StorageError> {
    let rows: Vec<(i64, String, String, String, i32)> = sql!(conn, c => sqlx::query_as(
        "select metric_id, key, name, unit, position from metric order by position, metric_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, key, name, unit, position)| Metric { id: MetricId(id), key, name, unit, position }).collect())
}

async fn metrics(conn: &mut Connection, counted: Timestamp, now: Timestamp) -> Result<Vec<PageMetric>, StorageError> {
    let mut shown = Vec::new();
    for metric in all_metrics(conn).await? {
        let samples = chart(conn, metric.id, counted, now).await?;
        shown.push(PageMetric { metric, samples });
    }
    Ok(shown)
}

/// The 24 hours before `counted` and what came since, as means over equal steps of time: however many samples there are, the chart has few points.
async fn chart(conn: &mut Connection, metric: MetricId, counted: Timestamp, now: Timestamp) -> Result<Vec<Sample>, StorageError> {
    let step = CHART.0 / MAX_POINTS;
    let rows: Vec<(i64, f64)> = sql!(conn, c => sqlx::query_as(
        "select (at / $3) * $3 as bucket, avg(value) from sample where metric_id = $1 and at > $2 and at <= $4 group by bucket order by bucket",
    )
    .bind(metric.0)
    .bind(counted.0 - CHART.0)
    .bind(step)
    .bind(now.0)
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(at, value)| Sample { at: Timestamp(at), value }).collect())
}
