//! What became of deliveries. A row of `pending` says that the evaluator has yet to look; a row of `fate`, what it made of it.
//!
//! Both stand beside the delivery and not in it, so that headers and body are written once and never moved.

use domain::{DeliveryId, IntegrationId, Signal, Timestamp};
use sqlx::{QueryBuilder, SqliteConnection};

use crate::{
    Connection, StorageError,
    db::{Raw, execute, sql},
    deliveries::{Delivery, DeliveryFilter, DeliveryState, MAX_IDS, Row, columns, delete_from, narrow},
    insight,
    link::Link,
    rows::{json, push_ids, to_json},
};

type PendingRow = (i64, i64, String, i64, String, Vec<u8>);

/// The oldest deliveries from the id `from` on that nobody has looked at, at most `limit`, and no more once they have `max_bytes` of body.
///
/// # Errors
/// What the database said.
pub async fn pending(conn: &mut Connection, from: DeliveryId, limit: i64, max_bytes: i64) -> Result<Vec<Delivery>, StorageError> {
    let rows = match conn.raw() {
        Raw::Sqlite(c) => pending_in_sqlite(c, from, limit, max_bytes).await?,
        Raw::Postgres(c) => pending_in_postgres(c, from, limit, max_bytes).await?,
    };
    let delivery = |(id, integration, external_id, received_at, headers, body): PendingRow| {
        Ok(Delivery {
            id: DeliveryId(id),
            integration: IntegrationId(integration),
            external_id,
            received_at: Timestamp(received_at),
            headers: json(&headers, "delivery", "headers")?,
            body,
            state: DeliveryState::Pending,
            reason: None,
            evaluated_at: None,
            signals: Vec::new(),
        })
    };
    rows.into_iter().map(delivery).collect()
}

async fn pending_in_sqlite(
    c: &mut SqliteConnection,
    from: DeliveryId,
    limit: i64,
    max_bytes: i64,
) -> Result<Vec<PendingRow>, StorageError> {
    let query = sqlx::query_as(
        "select delivery_id, integration_id, external_id, received_at, headers, body from delivery where delivery_id in (
             select delivery_id from (
                 select delivery_id, sum(n_bytes) over (order by delivery_id) - n_bytes as bytes_before from (
                     select p.delivery_id, length(d.body) as n_bytes from pending p join delivery d on d.delivery_id = p.delivery_id
                     where p.delivery_id >= $1 order by p.delivery_id limit $2
                 ) as oldest
             ) as counted where bytes_before < $3
         ) order by delivery_id",
    );
    Ok(query.bind(from.0).bind(limit).bind(max_bytes).fetch_all(c).await?)
}

/// Ids first: PostgreSQL would merge `pending` with `delivery` from its first row on, however many rows ago that was. The second statement is
/// planned each time, since a plan that was made while the table was small reads all of it.
async fn pending_in_postgres(c: &mut Link, from: DeliveryId, limit: i64, max_bytes: i64) -> Result<Vec<PendingRow>, StorageError> {
    let oldest = sqlx::query_scalar("select delivery_id from pending where delivery_id >= $1 order by delivery_id limit $2");
    let ids: Vec<i64> = oldest.bind(from.0).bind(limit).fetch_all(&mut *c).await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_as(
        "select d.delivery_id, d.integration_id, d.external_id, d.received_at, d.headers, d.body from delivery d join (
             select delivery_id, sum(length(body)) over (order by delivery_id) - length(body) as bytes_before
             from delivery where delivery_id = any($1)
         ) as counted on counted.delivery_id = d.delivery_id
         where d.delivery_id = any($1) and counted.bytes_before < $2 order by d.delivery_id",
    );
    Ok(query.bind(ids).bind(max_bytes).persistent(false).fetch_all(c).await?)
}

/// Whether there is one from the id `from` on that nobody has looked at.
///
/// # Errors
/// What the database said.
pub async fn is_any_pending(conn: &mut Connection, from: DeliveryId) -> Result<bool, StorageError> {
    // With an order, so that the index is read however little PostgreSQL knows of the table.
    let first: Option<i64> = sql!(conn, c => sqlx::query_scalar("select delivery_id from pending where delivery_id >= $1 order by delivery_id limit 1")
        .bind(from.0)
        .fetch_optional(&mut *c)
        .await)?;
    Ok(first.is_some())
}

/// How many deliveries nobody has looked at yet, counted up to `at_most`.
///
/// # Errors
/// What the database said.
pub async fn n_pending(conn: &mut Connection, at_most: i64) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from (select 1 from pending limit $1) as waiting")
        .bind(at_most)
        .fetch_one(&mut *c)
        .await)?)
}

/// What became of one delivery.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Which.
    pub delivery: DeliveryId,
    /// Whose it was.
    pub integration: IntegrationId,
    /// What became of it.
    pub state: DeliveryState,
    /// Why.
    pub reason: Option<String>,
    /// What it said.
    pub signals: Vec<Signal>,
    /// Its place in the order of decisions.
    pub position: i64,
    /// The evaluator's time then.
    pub evaluated_at: Timestamp,
}

/// Rows in one statement, on SQLite.
const MAX_ROWS: usize = 64;

/// Stores what became of deliveries.
///
/// # Errors
/// What the database said.
pub async fn settle(conn: &mut Connection, fates: &[Fate]) -> Result<(), StorageError> {
    match conn.raw() {
        Raw::Sqlite(c) => {
            let mut rest = fates;
            while !rest.is_empty() {
                let n = MAX_ROWS.min(1 << rest.len().ilog2());
                settle_in_sqlite(c, &rest[..n]).await?;
                rest = &rest[n..];
            }
            Ok(())
        }
        Raw::Postgres(c) if !fates.is_empty() => settle_in_postgres(c, fates).await,
        Raw::Postgres(_) => Ok(()),
    }
}

async fn settle_in_sqlite(c: &mut SqliteConnection, fates: &[Fate]) -> Result<(), StorageError> {
    let mut query =
        QueryBuilder::new("insert or replace into fate (delivery_id, integration_id, state, reason, signals, position, evaluated_at) ");
    query.push_values(fates, |mut row, fate| {
        row.push_bind(fate.delivery.0)
            .push_bind(fate.integration.0)
            .push_bind(fate.state.as_str())
            .push_bind(fate.reason.as_deref())
            .push_bind(to_json(&fate.signals))
            .push_bind(fate.position)
            .push_bind(fate.evaluated_at.0);
    });
    query.build().execute(&mut *c).await?;
    let mut query = QueryBuilder::new("delete from pending where delivery_id in (");
    let mut ids = query.separated(", ");
    for fate in fates {
        ids.push_bind(fate.delivery.0);
    }
    query.push(")");
    query.build().execute(c).await?;
    Ok(())
}

/// However many they are, the statement is the same, and is planned once.
async fn settle_in_postgres(c: &mut Link, fates: &[Fate]) -> Result<(), StorageError> {
    let settle = "with done as (delete from pending where delivery_id = any($1::bigint[]))
        insert into fate (delivery_id, integration_id, state, reason, signals, position, evaluated_at)
        select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
        on conflict (delivery_id) do update set integration_id = excluded.integration_id, state = excluded.state, reason = excluded.reason, signals = excluded.signals,
            position = excluded.position, evaluated_at = excluded.evaluated_at";
    sqlx::query(settle)
        .bind(fates.iter().map(|fate| fate.delivery.0).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.integration.0).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.state.as_str()).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.reason.as_deref()).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| to_json(&fate.signals)).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.position).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.evaluated_at.0).collect::<Vec<_>>())
        .execute(c)
        .await?;
    Ok(())
}

/// Lets the evaluator look at a delivery again, as one that has just arrived; tells whether there is such a delivery that it is done with.
///
/// # Errors
/// What the database said.
pub async fn replay(conn: &mut Connection, id: DeliveryId) -> Result<bool, StorageError> {
    let n = execute!(conn, sqlx::query("delete from fate where delivery_id = $1").bind(id.0))?;
    if n > 0 {
        execute!(conn, sqlx::query("insert into pending (delivery_id) values ($1) on conflict (delivery_id) do nothing").bind(id.0))?;
    }
    Ok(n > 0)
}

/// Lets the evaluator look again at those of these deliveries that it is done with; returns how many they are.
///
/// # Errors
/// What the database said.
pub async fn replay_these(conn: &mut Connection, ids: &[DeliveryId]) -> Result<u64, StorageError> {
    let mut settled: Vec<i64> = Vec::with_capacity(ids.len());
    for some in ids.chunks(MAX_IDS) {
        let some: Vec<i64> = some.iter().map(|id| id.0).collect();
        let found: Vec<i64> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("select delivery_id from fate where delivery_id in (");
            push_ids(&mut query, &some);
            query.push(" order by delivery_id");
            query.build_query_scalar().fetch_all(&mut *c).await?
        });
        settled.extend(found);
    }
    set_pending(conn, &settled).await?;
    Ok(settled.len() as u64)
}

/// The oldest deliveries of a kind above the id `after` that could be looked at again, at most `limit`: the id of the last of them, and how
/// many they are.
///
/// # Errors
/// What the database said.
pub async fn replayable(
    conn: &mut Connection,
    filter: DeliveryFilter,
    after: DeliveryId,
    limit: i64,
) -> Result<(Option<DeliveryId>, i64), StorageError> {
    let (first, last) = insight::ids_between(conn, filter.from, filter.to).await?;
    let (last, n): (Option<i64>, i64) = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select max(delivery_id), count(*) from (
                 select f.delivery_id from ",
        );
        query.push(filter.tables()).push(" where f.delivery_id > ").push_bind(after.0.max(first)).push(" and f.delivery_id <= ").push_bind(last);
        narrow!(query, filter, "f");
        query.push(" order by f.delivery_id limit ").push_bind(limit).push(") as oldest");
        query.build_query_as().fetch_one(&mut *c).await?
    });
    Ok((last.map(DeliveryId), n))
}

/// Lets the evaluator look again at the deliveries of a kind above the id `after`, up to `last`; returns how many.
///
/// # Errors
/// What the database said.
pub async fn replay_many(conn: &mut Connection, filter: DeliveryFilter, after: DeliveryId, last: DeliveryId) -> Result<u64, StorageError> {
    let (first, _) = insight::ids_between(conn, filter.from, None).await?;
    let ids: Vec<i64> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select f.delivery_id from ",
        );
        query.push(filter.tables()).push(" where f.delivery_id > ").push_bind(after.0.max(first)).push(" and f.delivery_id <= ").push_bind(last.0);
        narrow!(query, filter, "f");
        query.build_query_scalar().fetch_all(&mut *c).await?
    });
    set_pending(conn, &ids).await?;
    Ok(ids.len() as u64)
}

/// Forgets what became of deliveries, so that they are looked at again.
async fn set_pending(conn: &mut Connection, ids: &[i64]) -> Result<(), StorageError> {
    for some in ids.chunks(MAX_IDS) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into pending (delivery_id) ");
            query.push_values(some, |mut row, id| {
                row.push_bind(*id);
            });
            query.push(" on conflict (delivery_id) do nothing");
            query.build().execute(&mut *c).await?;
        });
        delete_from(conn, "fate", some).await?;
    }
    Ok(())
}

/// The deliveries that were evaluated, in the order in which that was done: positions above `after`, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn evaluated(conn: &mut Connection, after: i64, limit: i64) -> Result<Vec<(i64, Delivery)>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(concat!(columns!(), "where f.position > $1 order by f.position limit $2"))
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *c)
        .await)?;
    let positions: Vec<i64> = sql!(conn, c => sqlx::query_scalar("select position from fate where position > $1 order by position limit $2")
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *c)
        .await)?;
    positions.into_iter().zip(rows).map(|(position, row)| Ok((position, Delivery::try_from(row)?))).collect()
}
