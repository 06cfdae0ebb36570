//! Deliveries: every request a sender made, exactly as it came, and what became of it.
//!
//! Rows are written once by the [`crate::Inbox`]; only their fate is added: state, reason, place in the order of decisions, signals.

use domain::{DeliveryId, IntegrationId, Signal, Timestamp, UnknownName};
use sqlx::{QueryBuilder, SqliteConnection};

use crate::{
    Connection, StorageError,
    db::{Raw, execute, sql},
    insight,
    link::Link,
    rows::{json, named, to_json},
};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not looked at yet.
    Pending,
    /// Its signals were taken in.
    Processed,
    /// Verified, but its body does not fit its schema.
    Quarantined,
    /// Says nothing about health.
    Ignored,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Pending, Self::Processed, Self::Quarantined, Self::Ignored];

    /// The name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Quarantined => "quarantined",
            Self::Ignored => "ignored",
        }
    }
}

impl std::str::FromStr for DeliveryState {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| UnknownName {
            value: text.chars().take(64).collect(),
            allowed: "pending, processed, quarantined, ignored".to_owned(),
        })
    }
}

/// A stored delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Whom it was sent to.
    pub integration: IntegrationId,
    /// The sender's id of it.
    pub external_id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Vec<u8>,
    /// What became of it.
    pub state: DeliveryState,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// The evaluator's time when it was looked at.
    pub evaluated_at: Option<Timestamp>,
    /// What it said; not read in lists.
    pub signals: Vec<Signal>,
}

#[derive(sqlx::FromRow)]
struct Row {
    delivery_id: i64,
    integration_id: i64,
    external_id: String,
    received_at: i64,
    headers: String,
    body: Vec<u8>,
    state: String,
    reason: Option<String>,
    evaluated_at: Option<i64>,
    signals: Option<String>,
}

impl TryFrom<Row> for Delivery {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: DeliveryId(row.delivery_id),
            integration: IntegrationId(row.integration_id),
            external_id: row.external_id,
            received_at: Timestamp(row.received_at),
            headers: json(&row.headers, "delivery", "headers")?,
            body: row.body,
            state: named(&row.state, "delivery", "state")?,
            reason: row.reason,
            evaluated_at: row.evaluated_at.map(Timestamp),
            signals: row.signals.map(|text| json(&text, "delivery", "signals")).transpose()?.unwrap_or_default(),
        })
    }
}

macro_rules! columns {
    () => {
        "select delivery_id, integration_id, external_id, received_at, headers, body, state, reason, evaluated_at, signals from delivery "
    };
}

/// The oldest deliveries that nobody has looked at, at most `limit`, and no more once they have `max_bytes` of body.
///
/// # Errors
/// What the database said.
pub async fn pending(conn: &mut Connection, limit: i64, max_bytes: i64) -> Result<Vec<Delivery>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(concat!(
        columns!(),
        "where delivery_id in (
             select delivery_id from (
                 select delivery_id, sum(length(body)) over (order by delivery_id) - length(body) as bytes_before from (
                     select delivery_id, body from delivery where state = 'pending' order by delivery_id limit $1
                 ) as oldest
             ) as counted where bytes_before < $2
         ) order by delivery_id",
    ))
    .bind(limit)
    .bind(max_bytes)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(Delivery::try_from).collect()
}

/// How many deliveries nobody has looked at yet, counted up to `at_most`.
///
/// # Errors
/// What the database said.
pub async fn n_pending(conn: &mut Connection, at_most: i64) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from (select 1 from delivery where state = 'pending' limit $1) as waiting")
        .bind(at_most)
        .fetch_one(&mut *c)
        .await)?)
}

/// What became of one delivery.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Which.
    pub delivery: DeliveryId,
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
    let mut query = QueryBuilder::new("with fate (id, state, reason, signals, position, at) as (");
    query.push_values(fates, |mut row, fate| {
        row.push_bind(fate.delivery.0)
            .push_bind(fate.state.as_str())
            .push_bind(fate.reason.as_deref())
            .push_bind(to_json(&fate.signals))
            .push_bind(fate.position)
            .push_bind(fate.evaluated_at.0);
    });
    query.push(
        ") update delivery set state = fate.state, reason = fate.reason, signals = fate.signals, position = fate.position,
           evaluated_at = fate.at from fate where delivery.delivery_id = fate.id",
    );
    query.build().execute(c).await?;
    Ok(())
}

/// However many they are, the statement is the same, and is planned once.
async fn settle_in_postgres(c: &mut Link, fates: &[Fate]) -> Result<(), StorageError> {
    let settle = "update delivery set state = fate.state, reason = fate.reason, signals = fate.signals, position = fate.position,
            evaluated_at = fate.at
        from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
            as fate (id, state, reason, signals, position, at)
        where delivery.delivery_id = fate.id";
    sqlx::query(settle)
        .bind(fates.iter().map(|fate| fate.delivery.0).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.state.as_str()).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.reason.as_deref()).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| to_json(&fate.signals)).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.position).collect::<Vec<_>>())
        .bind(fates.iter().map(|fate| fate.evaluated_at.0).collect::<Vec<_>>())
        .execute(c)
        .await?;
    Ok(())
}

/// One delivery with everything.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: DeliveryId) -> Result<Option<Delivery>, StorageError> {
    let row: Option<Row> =
        sql!(conn, c => sqlx::query_as(concat!(columns!(), "where delivery_id = $1")).bind(id.0).fetch_optional(&mut *c).await)?;
    row.map(Delivery::try_from).transpose()
}

/// Which deliveries to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those of one integration.
    pub integration: Option<IntegrationId>,
    /// Only those of one state.
    pub state: Option<DeliveryState>,
    /// Only those that arrived then or later.
    pub from: Option<Timestamp>,
    /// Only those that arrived before.
    pub to: Option<Timestamp>,
}

/// Adds the conditions of a filter to a query that has one already.
macro_rules! narrow {
    ($query:ident, $filter:expr) => {
        if let Some(integration) = $filter.integration {
            $query.push(" and integration_id = ").push_bind(integration.0);
        }
        if let Some(state) = $filter.state {
            $query.push(" and state = ").push_bind(state.as_str());
        }
        if let Some(from) = $filter.from {
            $query.push(" and received_at >= ").push_bind(from.0);
        }
        if let Some(to) = $filter.to {
            $query.push(" and received_at < ").push_bind(to.0);
        }
    };
}

/// A delivery in a list: without what may be large.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its id.
    pub id: DeliveryId,
    /// Whom it was sent to.
    pub integration: IntegrationId,
    /// The sender's id of it.
    pub external_id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// Why, where that needs saying.
    pub reason: Option<String>,
    /// The evaluator's time when it was looked at.
    pub evaluated_at: Option<Timestamp>,
    /// How long the body is.
    pub body_bytes: i64,
}

type SummaryRow = (i64, i64, String, i64, String, Option<String>, Option<i64>, i64);

/// Deliveries below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: DeliveryFilter, before: i64, limit: i64) -> Result<Vec<Summary>, StorageError> {
    let rows: Vec<SummaryRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select delivery_id, integration_id, external_id, received_at, state, reason, evaluated_at, cast(length(body) as bigint)
             from delivery where delivery_id < ",
        );
        query.push_bind(before);
        narrow!(query, filter);
        query.push(" order by delivery_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    let summary = |(id, integration, external_id, received_at, state, reason, evaluated_at, body_bytes): SummaryRow| {
        Ok(Summary {
            id: DeliveryId(id),
            integration: IntegrationId(integration),
            external_id,
            received_at: Timestamp(received_at),
            state: named(&state, "delivery", "state")?,
            reason,
            evaluated_at: evaluated_at.map(Timestamp),
            body_bytes,
        })
    };
    rows.into_iter().map(summary).collect()
}

/// Lets the evaluator look at a delivery again, as one that has just arrived; tells whether there is such a delivery that it is done with.
///
/// # Errors
/// What the database said.
pub async fn replay(conn: &mut Connection, id: DeliveryId) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("update delivery set state = 'pending', reason = null, signals = null where delivery_id = $1 and state <> 'pending'",)
            .bind(id.0)
    )?;
    Ok(n > 0)
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
            "select max(delivery_id), count(*) from (select delivery_id from delivery where state <> 'pending' and delivery_id > ",
        );
        query.push_bind(after.0.max(first)).push(" and delivery_id <= ").push_bind(last);
        narrow!(query, filter);
        query.push(" order by delivery_id limit ").push_bind(limit).push(") as oldest");
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
    Ok(sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "update delivery set state = 'pending', reason = null, signals = null where state <> 'pending' and delivery_id > ",
        );
        query.push_bind(after.0.max(first)).push(" and delivery_id <= ").push_bind(last.0);
        narrow!(query, filter);
        query.build().execute(&mut *c).await?.rows_affected()
    }))
}

/// The deliveries that were evaluated, in the order in which that was done: positions above `after`, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn evaluated(conn: &mut Connection, after: i64, limit: i64) -> Result<Vec<(i64, Delivery)>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(concat!(columns!(), "where position > $1 order by position limit $2"))
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *c)
        .await)?;
    let positions: Vec<i64> = sql!(conn, c => sqlx::query_scalar("select position from delivery where position > $1 order by position limit $2")
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *c)
        .await)?;
    positions.into_iter().zip(rows).map(|(position, row)| Ok((position, Delivery::try_from(row)?))).collect()
}

/// Removes settled deliveries that arrived before `before`, at most `limit`; returns how many.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StorageError> {
    Ok(execute!(
        conn,
        sqlx::query(
            "delete from delivery where delivery_id in (
             select delivery_id from delivery where received_at < $1 and state <> 'pending' order by received_at limit $2)",
        )
        .bind(before.0)
        .bind(limit)
    )?)
}

/// Removes deliveries of these providers that arrived before `before` and changed nothing, at most `limit`; returns how many. What an alert or
/// a cause still refers to stays.
///
/// # Errors
/// What the database said.
pub async fn prune_idle(conn: &mut Connection, providers: &[&str], before: Timestamp, limit: i64) -> Result<u64, StorageError> {
    Ok(sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "delete from delivery where delivery_id in (
             select d.delivery_id from integration i join delivery d on d.integration_id = i.integration_id where i.provider in (",
        );
        let mut names = query.separated(", ");
        for provider in providers {
            names.push_bind((*provider).to_owned());
        }
        query.push(") and d.received_at < ").push_bind(before.0);
        query.push(
            " and d.state in ('processed', 'ignored')
             and not exists (select 1 from change c where c.delivery_id = d.delivery_id)
             and not exists (select 1 from alert a where a.integration_id = d.integration_id and a.delivery_id = d.delivery_id)
             and not exists (select 1 from cause u where u.integration_id = d.integration_id and u.delivery_id = d.delivery_id)
             order by d.received_at limit ",
        );
        query.push_bind(limit).push(")");
        query.build().execute(&mut *c).await?.rows_affected()
    }))
}

/// Counts a request that was not let in.
///
/// # Errors
/// What the database said.
pub async fn count_rejection(
    conn: &mut Connection,
    integration: IntegrationId,
    reason: &str,
    n: i64,
    at: Timestamp,
    detail: &str,
) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into rejection as r (integration_id, reason, n, first_at, last_at, detail) values ($1, $2, $3, $4, $4, $5)
         on conflict (integration_id, reason) do update set n = r.n + excluded.n, last_at = excluded.last_at, detail = excluded.detail",
        )
        .bind(integration.0)
        .bind(reason)
        .bind(n)
        .bind(at.0)
        .bind(detail)
    )?;
    Ok(())
}

/// Requests that were not let in, by reason.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Rejection {
    /// A stable code.
    pub reason: String,
    /// How many.
    pub n: i64,
    /// When the first came, in milliseconds since 1970.
    pub first_at: i64,
    /// When the last came.
    pub last_at: i64,
    /// What the last one lacked.
    pub detail: String,
}

/// The requests to an integration that were not let in, newest reason first.
///
/// # Errors
/// What the database said.
pub async fn rejections(conn: &mut Connection, integration: IntegrationId) -> Result<Vec<Rejection>, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_as("select reason, n, first_at, last_at, detail from rejection where integration_id = $1 order by last_at desc")
        .bind(integration.0)
        .fetch_all(&mut *c)
        .await)?,
    )
}
