//! Planned windows.

use std::collections::BTreeMap;

use domain::{ComponentId, Maintenance, MaintenanceId, Timestamp};

use super::{MAX_IN, named, push_ids};
use crate::{Connection, StorageError, db::sql};

const MAINTENANCE: &str =
    "select maintenance_id, title, body, status, scoped, starts_at, ends_at, created_at, updated_at from maintenance where ";

type MaintenanceRow = (i64, String, String, String, bool, i64, i64, i64, i64);

/// Which maintenances to read.
#[derive(Clone, Copy, Debug)]
pub enum Maintenances {
    /// Scheduled or running.
    Open,
    /// One.
    One(MaintenanceId),
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
        Maintenances::One(id) => ("maintenance_id = $1 and maintenance_id < $2", id.0, i64::MAX),
        Maintenances::Page { before, .. } => ("maintenance_id >= $1 and maintenance_id < $2", i64::MIN, before),
    };
    let limit = if let Maintenances::Page { limit, .. } = which { limit } else { i64::MAX };
    let text = format!("{MAINTENANCE} {condition} order by maintenance_id desc limit $3");
    let rows: Vec<MaintenanceRow> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(b).bind(limit).fetch_all(&mut *c).await)?;
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
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    with_their_components(conn, rows).await
}

async fn with_their_components(conn: &mut Connection, rows: Vec<MaintenanceRow>) -> Result<Vec<Maintenance>, StorageError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
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
    let maintenance = |(id, title, body, status, scoped, starts_at, ends_at, created_at, updated_at): MaintenanceRow| {
        Ok(Maintenance {
            id: MaintenanceId(id),
            title,
            body,
            status: named(&status, "maintenance", "status")?,
            starts_at: Timestamp(starts_at),
            ends_at: Timestamp(ends_at),
            scoped,
            components: parts.remove(&id).unwrap_or_default(),
            created_at: Timestamp(created_at),
            updated_at: Timestamp(updated_at),
        })
    };
    rows.into_iter().map(maintenance).collect()
}
