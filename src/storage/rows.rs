//! Rows that several queries read, and how they become domain types.

use std::{collections::BTreeMap, str::FromStr};

use domain::{
    Component, ComponentId, Group, GroupId, Incident, IncidentId, IncidentUpdate, Maintenance, MaintenanceId, Override, PageSettings,
    RouteId, Status, Timestamp, UpdateId,
};
use serde::de::DeserializeOwned;

use crate::{Connection, StorageError, db::sql};

mod routes;

pub(crate) use routes::{RouteRow, route_components, routes};

pub(crate) fn named<T: FromStr<Err: std::fmt::Display>>(text: &str, table: &'static str, column: &'static str) -> Result<T, StorageError> {
    text.parse().map_err(|error| StorageError::corrupt(table, column, error))
}

pub(crate) fn json<T: DeserializeOwned>(text: &str, table: &'static str, column: &'static str) -> Result<T, StorageError> {
    serde_json::from_str(text).map_err(|error| StorageError::corrupt(table, column, error))
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have text keys and serialise")
}

/// The page's settings.
///
/// # Errors
/// What the database said.
pub async fn page_settings(conn: &mut Connection) -> Result<PageSettings, StorageError> {
    let text: String = sql!(conn, c => sqlx::query_scalar("select settings from page").fetch_one(&mut *c).await)?;
    json(&text, "page", "settings")
}

#[derive(sqlx::FromRow)]
struct ComponentRow {
    component_id: i64,
    key: String,
    name: String,
    description: String,
    group_id: Option<i64>,
    position: i32,
    hidden: bool,
    status: String,
    status_since: i64,
    internal_status: String,
    override_status: Option<String>,
    override_until: Option<i64>,
    override_by: Option<String>,
    created_at: i64,
}

impl TryFrom<ComponentRow> for Component {
    type Error = StorageError;

    fn try_from(row: ComponentRow) -> Result<Self, StorageError> {
        let overridden = match row.override_status {
            None => None,
            Some(status) => Some(Override {
                status: named(&status, "component", "override_status")?,
                until: row.override_until.map(Timestamp),
                by: row.override_by.unwrap_or_default(),
            }),
        };
        Ok(Self {
            id: ComponentId(row.component_id),
            key: row.key,
            name: row.name,
            description: row.description,
            group: row.group_id.map(GroupId),
            position: row.position,
            hidden: row.hidden,
            status: named(&row.status, "component", "status")?,
            status_since: Timestamp(row.status_since),
            internal_status: named(&row.internal_status, "component", "internal_status")?,
            overridden,
            created_at: Timestamp(row.created_at),
        })
    }
}

/// Every component, hidden ones too, in page order.
///
/// # Errors
/// What the database said.
pub async fn components(conn: &mut Connection) -> Result<Vec<Component>, StorageError> {
    components_where(conn, Components::All).await
}

/// Which components to read.
pub(crate) enum Components {
    /// All of them, in page order.
    All,
    /// One.
    One(ComponentId),
    /// A page of a list, by id: ids above `after`.
    Page { after: i64, limit: i64 },
}

pub(crate) async fn components_where(conn: &mut Connection, which: Components) -> Result<Vec<Component>, StorageError> {
    let (condition, a, limit) = match which {
        Components::All => ("component_id > $1 order by position, component_id", i64::MIN, i64::MAX),
        Components::One(id) => ("component_id = $1 order by component_id", id.0, 1),
        Components::Page { after, limit } => ("component_id > $1 order by component_id", after, limit),
    };
    let text = format!(
        "select component_id, key, name, description, group_id, position, hidden, status, status_since, internal_status,
                override_status, override_until, override_by, created_at
         from component where {condition} limit $2"
    );
    let rows: Vec<ComponentRow> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(limit).fetch_all(&mut *c).await)?;
    rows.into_iter().map(Component::try_from).collect()
}

/// Every group, in page order.
///
/// # Errors
/// What the database said.
pub async fn groups(conn: &mut Connection) -> Result<Vec<Group>, StorageError> {
    let rows: Vec<(i64, String, String, Option<i64>, i32)> = sql!(conn, c => sqlx::query_as(
        "select group_id, key, name, parent_id, position from component_group order by position, group_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let group = |(id, key, name, parent, position): (i64, _, _, Option<i64>, _)| Group {
        id: GroupId(id),
        key,
        name,
        parent: parent.map(GroupId),
        position,
    };
    Ok(rows.into_iter().map(group).collect())
}

#[derive(sqlx::FromRow)]
pub(crate) struct IncidentRow {
    incident_id: i64,
    title: String,
    status: String,
    impact: String,
    published: bool,
    opened_by: Option<i64>,
    scoped: bool,
    started_at: i64,
    resolved_at: Option<i64>,
    updated_at: i64,
}

impl IncidentRow {
    fn into_incident(self, components: BTreeMap<ComponentId, Status>) -> Result<Incident, StorageError> {
        Ok(Incident {
            id: IncidentId(self.incident_id),
            title: self.title,
            status: named(&self.status, "incident", "status")?,
            impact: named(&self.impact, "incident", "impact")?,
            published: self.published,
            opened_by: self.opened_by.map(RouteId),
            scoped: self.scoped,
            components,
            started_at: Timestamp(self.started_at),
            resolved_at: self.resolved_at.map(Timestamp),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// Which incidents to read.
#[derive(Clone, Copy, Debug)]
pub enum Incidents {
    /// The open ones, and those that ended at or after a time.
    OpenOrEndedSince(Timestamp),
    /// One.
    One(IncidentId),
    /// A page of a list, newest first: ids below `before`.
    Page {
        /// `i64::MAX` for the first page.
        before: i64,
        /// At most this many.
        limit: i64,
    },
}

/// Incidents with their components, newest first.
///
/// # Errors
/// What the database said.
pub async fn incidents(conn: &mut Connection, which: Incidents) -> Result<Vec<Incident>, StorageError> {
    const COLUMNS: &str =
        "select incident_id, title, status, impact, published, opened_by, scoped, started_at, resolved_at, updated_at from incident";
    let (condition, a, b) = match which {
        Incidents::OpenOrEndedSince(since) => ("(resolved_at is null or resolved_at >= $1) and incident_id < $2", since.0, i64::MAX),
        Incidents::One(id) => ("incident_id = $1 and incident_id < $2", id.0, i64::MAX),
        Incidents::Page { before, .. } => ("incident_id >= $1 and incident_id < $2", i64::MIN, before),
    };
    let limit = if let Incidents::Page { limit, .. } = which { limit } else { i64::MAX };
    let text = format!("{COLUMNS} where {condition} order by incident_id desc limit $3");
    let rows: Vec<IncidentRow> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(b).bind(limit).fetch_all(&mut *c).await)?;
    let ids: Vec<i64> = rows.iter().map(|row| row.incident_id).collect();
    let mut parts: BTreeMap<i64, BTreeMap<ComponentId, Status>> = BTreeMap::new();
    for (incident, component, worst) in incident_components(conn, &ids).await? {
        parts.entry(incident).or_default().insert(ComponentId(component), named(&worst, "incident_component", "worst")?);
    }
    rows.into_iter()
        .map(|row| {
            let of = parts.remove(&row.incident_id).unwrap_or_default();
            row.into_incident(of)
        })
        .collect()
}

async fn incident_components(conn: &mut Connection, ids: &[i64]) -> Result<Vec<(i64, i64, String)>, StorageError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new("select incident_id, component_id, worst from incident_component where incident_id in (");
            push_ids(&mut query, chunk);
            found.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    Ok(found)
}

/// How many ids stand in one `in (…)`.
pub(crate) const MAX_IN: usize = 500;

/// Appends `$1, $2, …)` to a query that ends in `in (`.
pub(crate) fn push_ids<DB>(query: &mut sqlx::QueryBuilder<DB>, ids: &[i64])
where
    DB: sqlx::Database,
    i64: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
{
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(*id);
    }
    query.push(")");
}

/// The timelines of incidents, newest entry first.
///
/// # Errors
/// What the database said.
pub async fn incident_updates(conn: &mut Connection, ids: &[IncidentId]) -> Result<Vec<IncidentUpdate>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut rows: Vec<(i64, i64, String, String, String, i64, String)> = Vec::new();
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new(
                "select update_id, incident_id, status, body, components, at, author from incident_update where incident_id in (",
            );
            push_ids(&mut query, chunk);
            query.push(" order by update_id desc");
            rows.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    let update = |(id, incident, status, body, components, at, by): (i64, i64, String, String, String, i64, String)| {
        Ok(IncidentUpdate {
            id: UpdateId(id),
            incident: IncidentId(incident),
            status: named(&status, "incident_update", "status")?,
            body,
            components: json(&components, "incident_update", "components")?,
            at: Timestamp(at),
            by,
        })
    };
    rows.into_iter().map(update).collect()
}

/// Which maintenances to read.
#[derive(Clone, Copy, Debug)]
pub enum Maintenances {
    /// Scheduled or running.
    Open,
    /// The open ones, and those that end at or after a time.
    EndingSince(Timestamp),
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
        Maintenances::EndingSince(since) => {
            ("(status in ('scheduled', 'in_progress') or ends_at >= $1) and maintenance_id < $2", since.0, i64::MAX)
        }
        Maintenances::One(id) => ("maintenance_id = $1 and maintenance_id < $2", id.0, i64::MAX),
        Maintenances::Page { before, .. } => ("maintenance_id >= $1 and maintenance_id < $2", i64::MIN, before),
    };
    let limit = if let Maintenances::Page { limit, .. } = which { limit } else { i64::MAX };
    let text = format!(
        "select maintenance_id, title, body, status, scoped, starts_at, ends_at, created_at, updated_at from maintenance
         where {condition} order by maintenance_id desc limit $3"
    );
    type Row = (i64, String, String, String, bool, i64, i64, i64, i64);
    let rows: Vec<Row> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(b).bind(limit).fetch_all(&mut *c).await)?;
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
    let maintenance = |(id, title, body, status, scoped, starts_at, ends_at, created_at, updated_at): Row| {
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
