//! Components as people edit them. Their statuses are the evaluator's: see [`crate::changes`].

use std::collections::HashMap;

use domain::{Component, ComponentId, GroupId, Timestamp};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    order::{Key, Slice, Sorted, Value},
    rows::{self, Components},
};

/// What people say of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentEdit {
    /// Its name on the page.
    pub name: String,
    /// One or two sentences for readers.
    pub description: String,
    /// The group it stands in.
    pub group: Option<GroupId>,
    /// Order within its group.
    pub position: i32,
    /// Whether readers may not see it.
    pub hidden: bool,
}

impl From<Component> for ComponentEdit {
    fn from(component: Component) -> Self {
        let Component { name, description, group, position, hidden, .. } = component;
        Self { name, description, group, position, hidden }
    }
}

/// One component.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: ComponentId) -> Result<Option<Component>, StorageError> {
    Ok(rows::components_where(conn, Components::One(id)).await?.pop())
}

impl Sorted for Component {
    const ID: &'static str = "component_id";
    const KEYS: &'static [Key<Self>] = &[
        Key { name: "name", column: "name", folds: true, is_text: true, value: |component| Value::Text(component.name.clone()) },
        Key {
            name: "status_since",
            column: "status_since",
            folds: false,
            is_text: false,
            value: |component| Value::Number(component.status_since.0),
        },
    ];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// A page of the components.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, slice: &Slice<Component>) -> Result<Vec<Component>, StorageError> {
    rows::components_listed(conn, slice).await
}

/// The key of every component.
///
/// # Errors
/// What the database said.
pub async fn keys(conn: &mut Connection) -> Result<HashMap<ComponentId, String>, StorageError> {
    let rows: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select component_id, key from component").fetch_all(&mut *c).await)?;
    Ok(rows.into_iter().map(|(id, key)| (ComponentId(id), key)).collect())
}

/// Key and name of every component, in the order of the page.
///
/// # Errors
/// What the database said.
pub async fn names(conn: &mut Connection) -> Result<Vec<(String, String)>, StorageError> {
    let text = "select c.key, c.name from component c left join component_group g on g.group_id = c.group_id
         order by g.position, g.group_id, c.position, c.component_id";
    Ok(sql!(conn, c => sqlx::query_as(text).fetch_all(&mut *c).await)?)
}

/// How many components there are.
///
/// # Errors
/// What the database said.
pub async fn count(conn: &mut Connection) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from component").fetch_one(&mut *c).await)?)
}

/// The position behind all others.
///
/// # Errors
/// What the database said.
pub async fn next_position(conn: &mut Connection) -> Result<i32, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_scalar("select cast(coalesce(max(position), -1) + 1 as integer) from component").fetch_one(&mut *c).await)?,
    )
}

/// Adds a component, operational until signals say otherwise.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(conn: &mut Connection, key: &str, edit: &ComponentEdit, now: Timestamp) -> Result<ComponentId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into component (key, name, description, group_id, position, hidden, status_since, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7) returning component_id",
    )
    .bind(key)
    .bind(edit.name.as_str())
    .bind(edit.description.as_str())
    .bind(edit.group.map(|id| id.0))
    .bind(edit.position)
    .bind(edit.hidden)
    .bind(now.0)
    .fetch_one(&mut *c)
    .await);
    id.map(ComponentId).map_err(|error| StorageError::taken(error, "key"))
}

/// Changes what people say of a component.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, id: ComponentId, edit: &ComponentEdit) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update component set name = $2, description = $3, group_id = $4, position = $5, hidden = $6 where component_id = $1")
            .bind(id.0)
            .bind(edit.name.as_str())
            .bind(edit.description.as_str())
            .bind(edit.group.map(|id| id.0))
            .bind(edit.position)
            .bind(edit.hidden)
    )?;
    Ok(())
}

/// Removes a component with its days; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: ComponentId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from component where component_id = $1").bind(id.0))? > 0)
}
