//! Series of maintenances. Their windows are the evaluator's to make: see [`domain::Series`].

use std::collections::{BTreeMap, BTreeSet};

use domain::{ComponentId, Recurrence, Schedule, Series, SeriesId, Span, Timestamp};
use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::{json, named, to_json},
};

#[derive(sqlx::FromRow)]
struct SeriesRow {
    series_id: i64,
    key: String,
    title: String,
    body: String,
    starts_at: String,
    duration: i64,
    rule: String,
    except_on: String,
    announce: i64,
    scoped: bool,
    lay_at: Option<i64>,
}

impl SeriesRow {
    fn into_series(self, components: Vec<ComponentId>) -> Result<Series, StorageError> {
        let days: Vec<String> = json(&self.except_on, "maintenance_series", "except_on")?;
        let days = days.iter().map(|day| named(day, "maintenance_series", "except_on")).collect::<Result<BTreeSet<Date>, _>>()?;
        let rule: Recurrence = named(&self.rule, "maintenance_series", "rule")?;
        let starts_at = named(&self.starts_at, "maintenance_series", "starts_at")?;
        Ok(Series {
            id: SeriesId(self.series_id),
            key: self.key,
            title: self.title,
            body: self.body,
            schedule: Schedule { starts_at, duration: Span(self.duration), rule, except: days },
            announce: Span(self.announce),
            scoped: self.scoped,
            components,
            lay_at: self.lay_at.map(Timestamp),
            closed: BTreeSet::new(),
        })
    }
}

/// Every series, by id, without the days that are closed.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<Vec<Series>, StorageError> {
    let rows: Vec<SeriesRow> = sql!(conn, c => sqlx::query_as(
        "select series_id, key, title, body, starts_at, duration, rule, except_on, announce, scoped, lay_at
         from maintenance_series order by series_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let pairs: Vec<(i64, i64)> = sql!(conn, c => sqlx::query_as(
        "select series_id, component_id from maintenance_series_component order by series_id, component_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut parts: BTreeMap<i64, Vec<ComponentId>> = BTreeMap::new();
    for (series, component) in pairs {
        parts.entry(series).or_default().push(ComponentId(component));
    }
    rows.into_iter()
        .map(|row| {
            let components = parts.remove(&row.series_id).unwrap_or_default();
            row.into_series(components)
        })
        .collect()
}

/// Every series as the evaluator knows it.
pub(crate) async fn load(conn: &mut Connection, zone: &TimeZone, clock: Timestamp) -> Result<BTreeMap<SeriesId, Series>, StorageError> {
    let mut found: BTreeMap<SeriesId, Series> = all(conn).await?.into_iter().map(|series| (series.id, series)).collect();
    if found.is_empty() {
        return Ok(found);
    }
    let yesterday = zone.to_datetime(clock.to_jiff()).date().saturating_sub(1.day());
    let closed: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as(
        "select series_id, occurrence from maintenance
         where series_id is not null and occurrence >= $1 and status in ('completed', 'cancelled')",
    )
    .bind(yesterday.to_string())
    .fetch_all(&mut *c)
    .await)?;
    for (series, day) in closed {
        if let Some(series) = found.get_mut(&SeriesId(series)) {
            series.closed.insert(named(&day, "maintenance", "occurrence")?);
        }
    }
    Ok(found)
}

/// One series, without the days that are closed.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: SeriesId) -> Result<Option<Series>, StorageError> {
    Ok(all(conn).await?.into_iter().find(|series| series.id == id))
}

/// Adds a series; its `id`, `lay_at` and `closed` are not looked at.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(conn: &mut Connection, series: &Series) -> Result<SeriesId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into maintenance_series (key, title, body, starts_at, duration, rule, except_on, announce, scoped, lay_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) returning series_id",
    )
    .bind(series.key.as_str())
    .bind(series.title.as_str())
    .bind(series.body.as_str())
    .bind(series.schedule.starts_at.to_string())
    .bind(series.schedule.duration.0)
    .bind(series.schedule.rule.to_string())
    .bind(days(&series.schedule.except))
    .bind(series.announce.0)
    .bind(series.scoped)
    .fetch_one(&mut *c)
    .await);
    let id = SeriesId(id.map_err(|error| StorageError::taken(error, "key"))?);
    insert_components(conn, id, &series.components).await?;
    Ok(id)
}

/// Changes a series; its key stays, and more windows are due.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, series: &Series) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "update maintenance_series set title = $2, body = $3, starts_at = $4, duration = $5, rule = $6, except_on = $7, announce = $8,
                 scoped = $9, lay_at = 0
             where series_id = $1",
        )
        .bind(series.id.0)
        .bind(series.title.as_str())
        .bind(series.body.as_str())
        .bind(series.schedule.starts_at.to_string())
        .bind(series.schedule.duration.0)
        .bind(series.schedule.rule.to_string())
        .bind(days(&series.schedule.except))
        .bind(series.announce.0)
        .bind(series.scoped)
    )?;
    execute!(conn, sqlx::query("delete from maintenance_series_component where series_id = $1").bind(series.id.0))?;
    insert_components(conn, series.id, &series.components).await
}

fn days(days: &BTreeSet<Date>) -> String {
    to_json(&days.iter().map(ToString::to_string).collect::<Vec<_>>())
}

async fn insert_components(conn: &mut Connection, id: SeriesId, components: &[ComponentId]) -> Result<(), StorageError> {
    for component in components {
        execute!(
            conn,
            sqlx::query("insert into maintenance_series_component (series_id, component_id) values ($1, $2) on conflict do nothing")
                .bind(id.0)
                .bind(component.0)
        )?;
    }
    Ok(())
}

/// Removes a series; what becomes of its windows is for [`domain::plan_reconfigured`] to say. Tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: SeriesId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from maintenance_series where series_id = $1").bind(id.0))? > 0)
}

/// Lets the windows before a day go their own way: changes of the series leave them as they are.
///
/// # Errors
/// What the database said.
pub async fn set_apart_before(conn: &mut Connection, id: SeriesId, day: Date) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update maintenance set apart = true where series_id = $1 and status = 'scheduled' and occurrence < $2")
            .bind(id.0)
            .bind(day.to_string())
    )?;
    Ok(())
}

/// Lets the windows before a day stand alone: they stay as they are when the series goes.
///
/// # Errors
/// What the database said.
pub async fn set_free_before(conn: &mut Connection, id: SeriesId, day: Date) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "update maintenance set series_id = null, occurrence = null, apart = false
             where series_id = $1 and status = 'scheduled' and occurrence < $2"
        )
        .bind(id.0)
        .bind(day.to_string())
    )?;
    Ok(())
}

pub(crate) async fn set_lay_at(conn: &mut Connection, id: SeriesId, lay_at: Option<Timestamp>) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update maintenance_series set lay_at = $2 where series_id = $1").bind(id.0).bind(lay_at.map(|at| at.0)))?;
    Ok(())
}
