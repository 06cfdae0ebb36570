//! Heartbeats: until when each has to ping next. The pings are deliveries; here stands only what follows from them.

use domain::{DeliveryId, IntegrationId, Timestamp};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::json,
};

/// What is remembered of a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Heartbeat {
    /// Which integration.
    pub integration_id: i64,
    /// The settings that the deadline was worked out from, as text.
    pub source: String,
    /// The newest ping that was taken account of.
    pub ping_id: Option<i64>,
    /// When it came.
    pub pinged_at: Option<i64>,
    /// Until when the next has to come; `None` while nothing is awaited.
    pub due_at: Option<i64>,
    /// What is overdue then.
    pub overdue: Option<String>,
}

/// A stored ping, without its body.
#[derive(Clone, Debug)]
pub struct Pinged {
    /// Its delivery.
    pub id: DeliveryId,
    /// When it came.
    pub at: Timestamp,
    /// What it says.
    pub headers: Vec<(String, String)>,
}

/// What is remembered of all heartbeats.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<Vec<Heartbeat>, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_as("select integration_id, source, ping_id, pinged_at, due_at, overdue from heartbeat").fetch_all(&mut *c).await)?,
    )
}

/// The heartbeats that are switched on, with their settings as text and the id of the newest delivery that does not begin with `except`.
///
/// # Errors
/// What the database said.
pub async fn configured(
    conn: &mut Connection,
    provider: &str,
    except: &str,
) -> Result<Vec<(IntegrationId, String, Option<DeliveryId>)>, StorageError> {
    // Not `max`: one step down the index by integration, however many deliveries there are.
    let rows: Vec<(i64, String, Option<i64>)> = sql!(conn, c => sqlx::query_as(
        "select i.integration_id, i.settings, (
             select d.delivery_id from delivery d where d.integration_id = i.integration_id and d.external_id not like $2
             order by d.delivery_id desc limit 1
         ) from integration i where i.enabled and i.provider = $1",
    )
    .bind(provider)
    .bind(format!("{except}%"))
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, settings, newest)| (IntegrationId(id), settings, newest.map(DeliveryId))).collect())
}

/// The newest delivery to an integration whose id does not begin with `except`.
///
/// # Errors
/// What the database said.
pub async fn newest(conn: &mut Connection, integration: IntegrationId, except: &str) -> Result<Option<Pinged>, StorageError> {
    let row: Option<(i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select delivery_id, received_at, headers from delivery where integration_id = $1 and external_id not like $2
         order by delivery_id desc limit 1",
    )
    .bind(integration.0)
    .bind(format!("{except}%"))
    .fetch_optional(&mut *c)
    .await)?;
    row.map(|(id, at, headers)| Ok(Pinged { id: DeliveryId(id), at: Timestamp(at), headers: json(&headers, "delivery", "headers")? }))
        .transpose()
}

/// Remembers a heartbeat.
///
/// # Errors
/// What the database said.
pub async fn put(conn: &mut Connection, heartbeat: &Heartbeat) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into heartbeat (integration_id, source, ping_id, pinged_at, due_at, overdue) values ($1, $2, $3, $4, $5, $6)
             on conflict (integration_id) do update set source = excluded.source, ping_id = excluded.ping_id,
               pinged_at = excluded.pinged_at, due_at = excluded.due_at, overdue = excluded.overdue"
        )
        .bind(heartbeat.integration_id)
        .bind(heartbeat.source.as_str())
        .bind(heartbeat.ping_id)
        .bind(heartbeat.pinged_at)
        .bind(heartbeat.due_at)
        .bind(heartbeat.overdue.as_deref())
    )?;
    Ok(())
}

/// Forgets a heartbeat that is no more.
///
/// # Errors
/// What the database said.
pub async fn forget(conn: &mut Connection, integration: i64) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from heartbeat where integration_id = $1").bind(integration))?;
    Ok(())
}

/// When somebody last watched.
///
/// # Errors
/// What the database said.
pub async fn watched_at(conn: &mut Connection) -> Result<Option<Timestamp>, StorageError> {
    let at: Option<i64> = sql!(conn, c => sqlx::query_scalar("select watched_at from heartbeat_watch").fetch_optional(&mut *c).await)?;
    Ok(at.map(Timestamp))
}

/// Writes down that somebody watches.
///
/// # Errors
/// What the database said.
pub async fn set_watched_at(conn: &mut Connection, at: Timestamp) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into heartbeat_watch (watch_id, watched_at) values (1, $1)
             on conflict (watch_id) do update set watched_at = excluded.watched_at"
        )
        .bind(at.0)
    )?;
    Ok(())
}
