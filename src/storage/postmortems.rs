//! Drafts of postmortems. A published one is an entry of its incident's timeline: see [`domain::postmortem_of`].

use domain::{IncidentId, PostmortemDraft, Timestamp};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// The draft about an incident, if there is one.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, incident: IncidentId) -> Result<Option<PostmortemDraft>, StorageError> {
    let row: Option<(String, String, i64)> = sql!(conn, c => sqlx::query_as(
        "select body, author, updated_at from postmortem_draft where incident_id = $1",
    )
    .bind(incident.0)
    .fetch_optional(&mut *c)
    .await)?;
    Ok(row.map(|(body, by, updated_at)| PostmortemDraft { incident, body, by, updated_at: Timestamp(updated_at) }))
}

/// Keeps a draft in place of the one before.
///
/// # Errors
/// What the database said.
pub async fn save(conn: &mut Connection, draft: &PostmortemDraft) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into postmortem_draft (incident_id, body, author, updated_at) values ($1, $2, $3, $4)
             on conflict (incident_id) do update set body = excluded.body, author = excluded.author, updated_at = excluded.updated_at",
        )
        .bind(draft.incident.0)
        .bind(draft.body.as_str())
        .bind(draft.by.as_str())
        .bind(draft.updated_at.0)
    )?;
    Ok(())
}

/// Removes a draft; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, incident: IncidentId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from postmortem_draft where incident_id = $1").bind(incident.0))? > 0)
}
