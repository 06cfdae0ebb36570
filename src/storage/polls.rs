//! Polls: when each source is asked next, and what is remembered of its last answer.

use domain::{IntegrationId, Timestamp};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// A source that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Due {
    /// Which integration.
    pub integration: IntegrationId,
    /// Which round of it.
    pub round: i64,
}

/// What is remembered of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Memory {
    /// When it is asked next.
    pub next_at: i64,
    /// A hash of the last stored answer.
    pub body_hash: Option<String>,
    /// For asking only for something new.
    pub etag: Option<String>,
    /// For asking only for something new.
    pub last_modified: Option<String>,
    /// When it could last be read.
    pub answered_at: Option<i64>,
    /// How often since it could not.
    pub failures: i32,
    /// Why, the last time.
    pub last_error: Option<String>,
    /// Whether the evaluator was told that it cannot be read.
    pub lost: bool,
    /// Of a check: the verdicts of its last rounds.
    pub verdicts: String,
    /// Of a check: when a round was last stored.
    pub stored_at: Option<i64>,
}

impl Memory {
    /// Whether an old answer stands for one that could not be had.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.failures > 0 && !self.lost && self.answered_at.is_some()
    }
}

/// A source that ought to be asked.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which integration.
    pub integration: IntegrationId,
    /// A hash of what is asked for.
    pub source: String,
    /// When to ask for the first time.
    pub first_at: Timestamp,
}

/// The integrations that are switched on, with their provider and settings as text.
///
/// # Errors
/// What the database said.
pub async fn integrations(conn: &mut Connection) -> Result<Vec<(IntegrationId, String, String)>, StorageError> {
    let rows: Vec<(i64, String, String)> = sql!(conn, c => sqlx::query_as("select integration_id, provider, settings from integration where enabled").fetch_all(&mut *c).await)?;
    Ok(rows.into_iter().map(|(id, provider, settings)| (IntegrationId(id), provider, settings)).collect())
}

/// What is asked for now, by integration.
///
/// # Errors
/// What the database said.
pub async fn sources(conn: &mut Connection) -> Result<Vec<(IntegrationId, String)>, StorageError> {
    let rows: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select integration_id, source from poll").fetch_all(&mut *c).await)?;
    Ok(rows.into_iter().map(|(id, source)| (IntegrationId(id), source)).collect())
}

/// Begins to ask a source, or begins anew with other settings: nothing that was remembered counts.
///
/// # Errors
/// What the database said.
pub async fn begin(conn: &mut Connection, source: &Source) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into poll (integration_id, source, next_at) values ($1, $2, $3)
             on conflict (integration_id) do update set source = excluded.source, next_at = excluded.next_at, round = poll.round + 1,
               body_hash = null, etag = null, last_modified = null, failures = 0, last_error = null, verdicts = '',
               stored_at = null"
        )
        .bind(source.integration.0)
        .bind(source.source.as_str())
        .bind(source.first_at.0)
    )?;
    Ok(())
}

/// Ceases to ask a source.
///
/// # Errors
/// What the database said.
pub async fn end(conn: &mut Connection, integration: IntegrationId) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from poll where integration_id = $1").bind(integration.0))?;
    Ok(())
}

/// The sources that are due, those that have waited longest first.
///
/// # Errors
/// What the database said.
pub async fn due(conn: &mut Connection, now: Timestamp, limit: i64) -> Result<Vec<Due>, StorageError> {
    let rows: Vec<(i64, i64)> = sql!(conn, c => sqlx::query_as(
        "select integration_id, round from poll where next_at <= $1 order by next_at limit $2",
    )
    .bind(now.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, round)| Due { integration: IntegrationId(id), round }).collect())
}

/// When the next source is due that is not due yet.
///
/// # Errors
/// What the database said.
pub async fn next_after(conn: &mut Connection, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
    let at: Option<i64> =
        sql!(conn, c => sqlx::query_scalar("select min(next_at) from poll where next_at > $1").bind(now.0).fetch_one(&mut *c).await)?;
    Ok(at.map(Timestamp))
}

/// Lets a source be asked at `at`, unless that is sooner anyway; tells whether there is such a source.
///
/// # Errors
/// What the database said.
pub async fn ask_at(conn: &mut Connection, integration: IntegrationId, at: Timestamp) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("update poll set next_at = case when next_at < $2 then next_at else $2 end where integration_id = $1")
            .bind(integration.0)
            .bind(at.0)
    )?;
    Ok(n > 0)
}

macro_rules! columns {
    () => {
        "select next_at, body_hash, etag, last_modified, answered_at, failures, last_error, lost, verdicts, stored_at from poll
         where integration_id = $1"
    };
}

/// What is remembered of a source.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, integration: IntegrationId) -> Result<Option<Memory>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as(columns!()).bind(integration.0).fetch_optional(&mut *c).await)?)
}

/// What is remembered of a source, if this round of it has not been asked yet.
///
/// # Errors
/// What the database said.
pub async fn open(conn: &mut Connection, due: Due) -> Result<Option<Memory>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as(concat!(columns!(), " and round = $2"))
        .bind(due.integration.0)
        .bind(due.round)
        .fetch_optional(&mut *c)
        .await)?)
}

/// Ends a round and says when the next one is; of two that ended the same round the first counts.
///
/// # Errors
/// What the database said.
pub async fn record(conn: &mut Connection, due: Due, memory: &Memory) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query(
            "update poll set round = round + 1, next_at = $3, body_hash = $4, etag = $5, last_modified = $6, answered_at = $7, failures = $8,
               last_error = $9, lost = $10, verdicts = $11, stored_at = $12
             where integration_id = $1 and round = $2"
        )
        .bind(due.integration.0)
        .bind(due.round)
        .bind(memory.next_at)
        .bind(memory.body_hash.as_deref())
        .bind(memory.etag.as_deref())
        .bind(memory.last_modified.as_deref())
        .bind(memory.answered_at)
        .bind(memory.failures)
        .bind(memory.last_error.as_deref())
        .bind(memory.lost)
        .bind(memory.verdicts.as_str())
        .bind(memory.stored_at)
    )?;
    Ok(n > 0)
}

/// Whether an integration feeds a metric.
///
/// # Errors
/// What the database said.
pub async fn feeds_metric(conn: &mut Connection, integration: IntegrationId) -> Result<bool, StorageError> {
    let found: Option<i64> = sql!(conn, c => sqlx::query_scalar(
        "select route_id from route where integration_id = $1 and metric_id is not null limit 1",
    )
    .bind(integration.0)
    .fetch_optional(&mut *c)
    .await)?;
    Ok(found.is_some())
}
