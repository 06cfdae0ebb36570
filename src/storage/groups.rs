//! Headings over components.

use domain::{Group, GroupId};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// Adds a group; its `id` is not looked at.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(conn: &mut Connection, group: &Group) -> Result<GroupId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into component_group (key, name, parent_id, position) values ($1, $2, $3, $4) returning group_id",
    )
    .bind(group.key.as_str())
    .bind(group.name.as_str())
    .bind(group.parent.map(|id| id.0))
    .bind(group.position)
    .fetch_one(&mut *c)
    .await);
    id.map(GroupId).map_err(|error| StorageError::taken(error, "key"))
}

/// Changes a group's name, parent and position.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, group: &Group) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update component_group set name = $2, parent_id = $3, position = $4 where group_id = $1")
            .bind(group.id.0)
            .bind(group.name.as_str())
            .bind(group.parent.map(|id| id.0))
            .bind(group.position)
    )?;
    Ok(())
}

/// Removes a group; what stands in it stands in none then. Tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: GroupId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from component_group where group_id = $1").bind(id.0))? > 0)
}
