//! What is kept, for how long, and handed on to whom.

use domain::Timestamp;

use super::{
    Actor,
    chain::HASH_BYTES,
    hash_of,
    head::Head,
    list::{self, Filter, Recorded},
};
use crate::{
    Connection, SecretBox, StorageError,
    db::{execute, sql},
};

/// Takes an actor's names out of the log for good; the pseudonym stays, and the log still proves itself. Record the act beside it.
///
/// # Errors
/// What the database said.
pub async fn erase(tx: &mut Connection, actor: Actor) -> Result<(), StorageError> {
    execute!(tx, sqlx::query("update audit_actor set name = null, salt = null where actor = $1").bind(actor.to_string()))?;
    Ok(())
}

/// Removes at most `limit` rows from the beginning of the log: those older than `before`, and with `only_sent` only what was handed on.
/// Returns how many. The head remembers where the rest begins, so that it still proves itself.
///
/// # Errors
/// What the database said.
pub async fn prune(tx: &mut Connection, secrets: &SecretBox, before: Timestamp, only_sent: bool, limit: i64) -> Result<u64, StorageError> {
    let mut head = Head::take(tx).await?;
    if !head.is_genuine(secrets) {
        // Somebody changed it: nothing of the evidence is removed.
        return Ok(0);
    }
    let newest = if only_sent { head.last_id.min(sent(tx).await?) } else { head.last_id };
    // Always a beginning: the first row that is to stay ends it. The newest row stays in any case.
    let first_kept: Option<i64> = sql!(tx, c => sqlx::query_scalar("select min(audit_id) from audit where at >= $1")
        .bind(before.0)
        .fetch_one(&mut *c)
        .await)?;
    let until = first_kept.unwrap_or(head.last_id).min(newest + 1).min(head.last_id).min(head.base_id + limit + 1) - 1;
    if until <= head.base_id {
        return Ok(0);
    }
    let hash: Option<Vec<u8>> =
        sql!(tx, c => sqlx::query_scalar("select hash from audit where audit_id = $1").bind(until).fetch_optional(&mut *c).await)?;
    let Some(hash) = hash else { return Ok(0) };
    let hash: [u8; HASH_BYTES] = hash_of(&hash, "audit", "hash")?;
    let n = execute!(tx, sqlx::query("delete from audit where audit_id <= $1").bind(until))?;
    (head.base_id, head.base_hash) = (until, hash);
    head.store(tx, secrets).await?;
    Ok(n)
}

/// Seals the head anew under the first key, if it was sealed with a key that we have.
pub(crate) async fn reseal(tx: &mut Connection, secrets: &SecretBox) -> Result<(), StorageError> {
    let head = Head::take(tx).await?;
    if head.seal.is_some() && head.is_genuine(secrets) {
        head.store(tx, secrets).await?;
    }
    Ok(())
}

async fn sent(conn: &mut Connection) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select sent_id from audit_stream").fetch_one(&mut *c).await)?)
}

/// What was not handed on yet, oldest first.
///
/// # Errors
/// What the database said.
pub async fn unsent(conn: &mut Connection, limit: i64) -> Result<Vec<Recorded>, StorageError> {
    let sent = sent(conn).await?;
    list::select(conn, &Filter::default(), list::From::Above(sent), limit).await
}

/// Notes that everything up to this row was handed on.
///
/// # Errors
/// What the database said.
pub async fn mark_sent(tx: &mut Connection, id: i64) -> Result<(), StorageError> {
    execute!(tx, sqlx::query("update audit_stream set sent_id = $1 where sent_id < $1").bind(id))?;
    Ok(())
}
