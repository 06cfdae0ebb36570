//! Finds incidents and maintenances that readers may see, among ever so many.
//!
//! What they may see is decided by `for_readers` in `domain`, through which everything goes that leaves here. The conditions in SQL say the
//! same, so that pages of the history are full and searches end early.

use std::collections::{HashMap, HashSet};

use domain::{
    ComponentId, HISTORY_PAGE, Incident, IncidentId, IncidentUpdate, Maintenance, MaintenanceId, PageHistory, PageIncident, Timestamp,
};

use super::DAY_MS;
use crate::{Connection, Db, StorageError, db::sql, rows};

/// `Incident::is_visible`, on a row of `incident`.
const INCIDENT: &str = "published and (
    not scoped
    or exists (
        select 1 from incident_component part join component on component.component_id = part.component_id
        where part.incident_id = incident.incident_id and not component.hidden
    )
)";
/// The same on a row of `maintenance`.
const MAINTENANCE: &str = "(
    not scoped
    or exists (
        select 1 from maintenance_component part join component on component.component_id = part.component_id
        where part.maintenance_id = maintenance.maintenance_id and not component.hidden
    )
)";

/// How many of a kind the page holds besides the open ones, in a time when everything breaks.
const MAX_RECENT: i64 = 500;
/// One page of the history, and one more that tells whether there are older ones.
const NEWEST: i64 = HISTORY_PAGE as i64 + 1;
/// What took longer than this, and is over, may be missing from the details of bars. Keeps the search within an index.
const MAX_LENGTH_MS: i64 = 90 * DAY_MS;
/// Pages of the history that can be asked for.
const MAX_PAGES: i64 = 100_000;

/// The open ones, those that ended at or after `since`, and the newest of all time; newest first.
pub(super) async fn recent_incidents(
    conn: &mut Connection,
    since: Timestamp,
    shown: &impl Fn(ComponentId) -> bool,
) -> Result<Vec<PageIncident>, StorageError> {
    let newest = "order by started_at desc, incident_id desc limit";
    let text = format!(
        "select incident_id from incident where resolved_at is null and {INCIDENT}
         union select incident_id from (select incident_id from incident where resolved_at is not null and {INCIDENT} {newest} $1) newest
         union select incident_id from (
             select incident_id from incident where started_at >= $2 and resolved_at >= $3 and {INCIDENT} {newest} $4
         ) lately"
    );
    let ids = recent(conn, &text, since).await?;
    with_updates(conn, &ids, shown).await
}

/// The same for maintenances.
pub(super) async fn recent_maintenances(
    conn: &mut Connection,
    since: Timestamp,
    shown: &impl Fn(ComponentId) -> bool,
) -> Result<Vec<Maintenance>, StorageError> {
    let newest = "order by starts_at desc, maintenance_id desc limit";
    let text = format!(
        "select maintenance_id from maintenance where status in ('scheduled', 'in_progress') and {MAINTENANCE}
         union select maintenance_id from (
             select maintenance_id from maintenance where status = 'completed' and {MAINTENANCE} {newest} $1
         ) newest
         union select maintenance_id from (
             select maintenance_id from maintenance where starts_at >= $2 and ends_at >= $3 and {MAINTENANCE} {newest} $4
         ) lately"
    );
    let ids = recent(conn, &text, since).await?;
    with_components(conn, &ids, shown).await
}

async fn recent(conn: &mut Connection, text: &str, since: Timestamp) -> Result<Vec<i64>, StorageError> {
    sql!(conn, c => Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(text))
        .bind(NEWEST)
        .bind(since.0 - MAX_LENGTH_MS)
        .bind(since.0)
        .bind(MAX_RECENT)
        .fetch_all(&mut *c)
        .await?))
}

/// One incident, however old.
///
/// # Errors
/// What the database said.
pub async fn incident(db: &Db, id: IncidentId) -> Result<Option<PageIncident>, StorageError> {
    let conn = &mut db.read().await?;
    let text = format!("select incident_id from incident where incident_id = $1 and {INCIDENT}");
    let ids = one(conn, &text, id.0).await?;
    let shown = components(conn).await?;
    Ok(with_updates(conn, &ids, &|id| shown.contains(&id)).await?.pop())
}

/// One maintenance, however old.
///
/// # Errors
/// What the database said.
pub async fn maintenance(db: &Db, id: MaintenanceId) -> Result<Option<Maintenance>, StorageError> {
    let conn = &mut db.read().await?;
    let text = format!("select maintenance_id from maintenance where maintenance_id = $1 and {MAINTENANCE}");
    let ids = one(conn, &text, id.0).await?;
    let shown = components(conn).await?;
    Ok(with_components(conn, &ids, &|id| shown.contains(&id)).await?.pop())
}

async fn one(conn: &mut Connection, text: &str, id: i64) -> Result<Vec<i64>, StorageError> {
    sql!(conn, c => Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(text)).bind(id).fetch_all(&mut *c).await?))
}

/// A page of what is over; the first is number 1. Empty behind the last one.
///
/// # Errors
/// What the database said.
pub async fn history(db: &Db, page: usize) -> Result<PageHistory, StorageError> {
    let page = i64::try_from(page).unwrap_or(i64::MAX).clamp(1, MAX_PAGES);
    let size = NEWEST - 1;
    let text = format!(
        "select kind, id from (
             select kind, id, at from (
                 select 0 as kind, incident_id as id, started_at as at from incident where resolved_at is not null and {INCIDENT}
                 order by started_at desc, incident_id desc limit $1
             ) incidents
             union all
             select kind, id, at from (
                 select 1 as kind, maintenance_id as id, starts_at as at from maintenance where status = 'completed' and {MAINTENANCE}
                 order by starts_at desc, maintenance_id desc limit $1
             ) maintenances
         ) entries
         order by at desc, kind, id desc limit $2 offset $3"
    );
    let conn = &mut db.read().await?;
    let rows: Vec<(i32, i64)> = sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str()))
        .bind(page * size + 1)
        .bind(NEWEST)
        .bind((page - 1) * size)
        .fetch_all(&mut *c)
        .await)?;
    let of = |wanted: i32| -> Vec<i64> { rows.iter().take(HISTORY_PAGE).filter(|(kind, _)| *kind == wanted).map(|(_, id)| *id).collect() };
    let components = components(conn).await?;
    let shown = |id: ComponentId| components.contains(&id);
    let mut incidents = with_updates(conn, &of(0), &shown).await?;
    incidents.sort_by_key(|shown| std::cmp::Reverse((shown.incident.started_at, shown.incident.id)));
    let mut maintenances = with_components(conn, &of(1), &shown).await?;
    maintenances.sort_by_key(|maintenance| std::cmp::Reverse((maintenance.starts_at, maintenance.id)));
    Ok(PageHistory { incidents, maintenances, older: rows.len() > HISTORY_PAGE })
}

/// The components that are not hidden.
async fn components(conn: &mut Connection) -> Result<HashSet<ComponentId>, StorageError> {
    let ids: Vec<i64> =
        sql!(conn, c => sqlx::query_scalar("select component_id from component where not hidden").fetch_all(&mut *c).await)?;
    Ok(ids.into_iter().map(ComponentId).collect())
}

/// The incidents of these ids with their timelines, newest first.
async fn with_updates(conn: &mut Connection, ids: &[i64], shown: &impl Fn(ComponentId) -> bool) -> Result<Vec<PageIncident>, StorageError> {
    let incidents = rows::incidents_of(conn, ids).await?;
    let incidents: Vec<Incident> = incidents.into_iter().filter_map(|incident| incident.for_readers(shown)).collect();
    let ids: Vec<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
    let mut of: HashMap<IncidentId, Vec<IncidentUpdate>> = HashMap::new();
    for update in rows::incident_updates(conn, &ids).await? {
        of.entry(update.incident).or_default().push(update.for_readers(shown));
    }
    let page_incident = |incident: Incident| {
        let updates = of.remove(&incident.id).unwrap_or_default();
        PageIncident { incident, updates }
    };
    Ok(incidents.into_iter().map(page_incident).collect())
}

/// The maintenances of these ids, newest first.
async fn with_components(
    conn: &mut Connection,
    ids: &[i64],
    shown: &impl Fn(ComponentId) -> bool,
) -> Result<Vec<Maintenance>, StorageError> {
    Ok(rows::maintenances_of(conn, ids).await?.into_iter().filter_map(|maintenance| maintenance.for_readers(shown)).collect())
}
