//! Rows that several queries read, and how they become domain types.

use std::str::FromStr;

use domain::{Component, ComponentId, Group, GroupId, Override, PageSettings, Timestamp};
use serde::de::DeserializeOwned;
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::sql,
    order::{Slice, Sorted, push_slice},
};

mod incidents;
mod maintenances;
mod routes;

pub(crate) use incidents::incidents_of;
pub use incidents::{IncidentFilter, Incidents, Standing, incident_updates, incidents, incidents_at, incidents_that};
pub(crate) use maintenances::maintenances_of;
pub use maintenances::{MaintenanceFilter, Maintenances, maintenances, maintenances_that};
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

const COMPONENT: &str = "select component_id, key, name, description, group_id, position, hidden, status, status_since, internal_status,
        override_status, override_until, override_by, created_at
 from component where ";

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
}

pub(crate) async fn components_where(conn: &mut Connection, which: Components) -> Result<Vec<Component>, StorageError> {
    let (condition, a) = match which {
        Components::All => ("component_id > $1 order by position, component_id", i64::MIN),
        Components::One(id) => ("component_id = $1", id.0),
    };
    let text = format!("{COMPONENT} {condition}");
    let rows: Vec<ComponentRow> = sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).fetch_all(&mut *c).await)?;
    rows.into_iter().map(Component::try_from).collect()
}

pub(crate) async fn components_listed(conn: &mut Connection, slice: &Slice<Component>) -> Result<Vec<Component>, StorageError> {
    let rows: Vec<ComponentRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(COMPONENT);
        query.push("true");
        push_slice!(query, slice, Component::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
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
