//! Planned windows.

use std::collections::BTreeMap;

use domain::{ComponentId, Maintenance, MaintenanceId, MaintenanceStatus, Occurrence, SeriesId, Timestamp};

use super::{MAX_IN, named, push_ids};
use crate::{Connection, StorageError, db::sql, subscribers::holding};

const MAINTENANCE: &str =
    "select maintenance_id, title, body, status, scoped, starts_at, ends_at, series_id, occurrence, apart, announce_at, created_at, updated_at
     from maintenance where ";

#[derive(sqlx::FromRow)]
struct MaintenanceRow {
    maintenance_id: i64,
    title: String,
    body: String,
    status: String,
    scoped: bool,
    starts_at: i64,
    ends_at: i64,
    series_id: Option<i64>,
    occurrence: Option<String>,
    apart: bool,
    announce_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl MaintenanceRow {
    fn into_maintenance(self, components: Vec<ComponentId>) -> Result<Maintenance, StorageError> {
        let occurrence = match self.series_id.zip(self.occurrence) {
            None => None,
            Some((series, on)) => {
                Some(Occurrence { series: SeriesId(series), on: named(&on, "maintenance", "occurrence")?, apart: self.apart })
            }
        };
        Ok(Maintenance {
            id: MaintenanceId(self.maintenance_id),
            title: self.title,
            body: self.body,
            status: named(&self.status, "maintenance", "status")?,
            starts_at: Timestamp(self.starts_at),
            ends_at: Timestamp(self.ends_at),
            scoped: self.scoped,
            components,
            occurrence,
            announce_at: self.announce_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// Which maintenances to read.
#[derive(Clone, Copy, Debug)]
pub enum Maintenances {
    /// Scheduled or running.
    Open,
    /// One.
    One(MaintenanceId),
    /// Those of a series that are scheduled or running.
    OpenOf(SeriesId),
    /// A page of a list, newest first: ids below `before`.
    Page {
        /// `i64::MAX` for the first page.
        before: i64,
        /// At most this many.
        limit: i64,
    },
}

/// Maintenances with their components, by id, newest first.
///
/// # Errors
/// What the database said.
pub async fn maintenances(conn: &mut Connection, which: Maintenances) -> Result<Vec<Maintenance>, StorageError> {
    let (condition, a, b) = match which {
        Maintenances::Open => ("status in ('scheduled', 'in_progress') and $1 < $2", 0, 1),
        Maintenances::OpenOf(id) => ("status in ('scheduled', 'in_progress') and series_id = $1 and maintenance_id < $2", id.0, i64::MAX),
        Maintenances::One(id) => ("maintenance_id = $1 and maintenance_id < $2", id.0, i64::MAX),
        Maintenances::Page { before, .. } => ("maintenance_id >= $1 and maintenance_id < $2", i64::MIN, before),
    };
    let limit = if let Maintenances::Page { limit, .. } = which { limit } else { i64::MAX };
    let text = format!("{MAINTENANCE} {condition} order by maintenance_id desc limit $3");
    let rows: Vec<MaintenanceRow> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(b).bind(limit).fetch_all(&mut *c).await)?;
    with_their_components(conn, rows).await
}

/// Which maintenances a list shows; what is `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceFilter {
    /// Where they stand.
    pub status: Option<MaintenanceStatus>,
    /// What they are about.
    pub component: Option<ComponentId>,
    /// What their titles hold, in any case.
    pub title: Option<String>,
}

/// Maintenances that pass the filter, below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn maintenances_that(
    conn: &mut Connection,
    filter: &MaintenanceFilter,
    before: i64,
    limit: i64,
) -> Result<Vec<Maintenance>, StorageError> {
    let rows: Vec<MaintenanceRow> = sql!(conn, c => {
        let mut query = sqlx::QueryBuilder::<DB>::new(MAINTENANCE);
        query.push("maintenance_id < ").push_bind(before);
        if let Some(status) = filter.status {
            query.push(" and status = ").push_bind(status.as_str());
        }
        if let Some(component) = filter.component {
            query.push(" and maintenance_id in (select maintenance_id from maintenance_component where component_id = ");
            query.push_bind(component.0).push(")");
        }
        if let Some(title) = &filter.title {
            query.push(" and lower(title) like ").push_bind(holding(title)).push(" escape '!'");
        }
        query.push(" order by maintenance_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    with_their_components(conn, rows).await
}

/// The maintenances of these ids, newest first.
pub(crate) async fn maintenances_of(conn: &mut Connection, ids: &[i64]) -> Result<Vec<Maintenance>, StorageError> {
    let mut rows: Vec<MaintenanceRow> = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new(MAINTENANCE);
            query.push("maintenance_id in (");
            push_ids(&mut query, chunk);
            rows.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.maintenance_id));
    with_their_components(conn, rows).await
}

async fn with_their_components(conn: &mut Connection, rows: Vec<MaintenanceRow>) -> Result<Vec<Maintenance>, StorageError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.maintenance_id).collect();
    let mut parts: BTreeMap<i64, Vec<ComponentId>> = BTreeMap::new();
    for chunk in ids.chunks(MAX_IN) {
        let pairs: Vec<(i64, i64)> = sql!(conn, c => {
            let mut query =
                sqlx::QueryBuilder::<DB>::new("select maintenance_id, component_id from maintenance_component where maintenance_id in (");
            push_ids(&mut query, chunk);
            query.push(" order by component_id");
            query.build_query_as().fetch_all(&mut *c).await?
        });
        for (maintenance, component) in pairs {
            parts.entry(maintenance).or_default().push(ComponentId(component));
        }
    }
    rows.into_iter()
        .map(|row| {
            let components = parts.remove(&row.maintenance_id).unwrap_or_default();
            row.into_maintenance(components)
        })
        .collect()
}
