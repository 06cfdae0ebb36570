//! Deliveries: every request a sender made, exactly as it came, and what became of it.
//!
//! Rows are written once by the [`crate::Inbox`] and never changed; what becomes of them stands beside them, in [`crate::fates`].

use domain::{DeliveryId, IntegrationId, NewDelivery, Signal, Timestamp, UnknownName};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    inbox, insight,
    order::{Key, Slice, Sorted, push_slice},
    rows::{json, named},
};

/// Ids in one statement.
pub(crate) const MAX_IDS: usize = 500;

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
pub(crate) struct Row {
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

/// Deliveries with what became of them, to add conditions to.
macro_rules! columns {
    () => {
        "select d.delivery_id, d.integration_id, d.external_id, d.received_at, d.headers, d.body, coalesce(f.state, 'pending') as state,
                f.reason, f.evaluated_at, f.signals
         from delivery d left join fate f on f.delivery_id = d.delivery_id "
    };
}
pub(crate) use columns;

/// One delivery with everything.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: DeliveryId) -> Result<Option<Delivery>, StorageError> {
    let row: Option<Row> =
        sql!(conn, c => sqlx::query_as(concat!(columns!(), "where d.delivery_id = $1")).bind(id.0).fetch_optional(&mut *c).await)?;
    row.map(Delivery::try_from).transpose()
}

/// Stores a delivery in the caller's transaction; its id, or `None` if its integration is gone.
///
/// # Errors
/// What the database said.
pub async fn insert(conn: &mut Connection, new: &NewDelivery) -> Result<Option<DeliveryId>, StorageError> {
    inbox::insert_all(conn, &[new]).await?;
    let id: Option<i64> = sql!(conn, c => sqlx::query_scalar(
        "select delivery_id from delivery where integration_id = $1 and external_id = $2",
    )
    .bind(new.integration.0)
    .bind(new.external_id.as_str())
    .fetch_optional(&mut *c)
    .await)?;
    Ok(id.map(DeliveryId))
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

impl DeliveryFilter {
    /// Which of delivery `d` and fate `f` has the index that finds these deliveries: what is rare in a state is found by its fate.
    const fn first_table(&self) -> &'static str {
        match self.state {
            None | Some(DeliveryState::Pending) => "d",
            Some(_) => "f",
        }
    }

    /// What to look for them in. Where nothing is asked of a delivery itself, that is the fates alone: PostgreSQL would otherwise walk both tables
    /// in step, past everything that is not asked for.
    pub(crate) const fn tables(&self) -> &'static str {
        match (self.state, self.from, self.to) {
            (Some(DeliveryState::Processed | DeliveryState::Quarantined | DeliveryState::Ignored), None, None) => "fate f",
            _ => "delivery d left join fate f on f.delivery_id = d.delivery_id",
        }
    }
}

/// Adds the conditions of a filter to a query that has one already; the integration is that of the table `$first`.
macro_rules! narrow {
    ($query:ident, $filter:expr, $first:expr) => {
        if let Some(integration) = $filter.integration {
            $query.push(" and ").push($first).push(".integration_id = ").push_bind(integration.0);
        }
        match $filter.state {
            None => {}
            Some(DeliveryState::Pending) => {
                $query.push(" and d.delivery_id in (select delivery_id from pending)");
            }
            // Spelled out, not bound, so that the indexes of the rare ones are of use.
            Some(state) => {
                $query.push(" and f.state = '").push(state.as_str()).push("'");
            }
        }
        if let Some(from) = $filter.from {
            $query.push(" and d.received_at >= ").push_bind(from.0);
        }
        if let Some(to) = $filter.to {
            $query.push(" and d.received_at < ").push_bind(to.0);
        }
    };
}
pub(crate) use narrow;

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

impl Sorted for Summary {
    const ID: &'static str = "d.delivery_id";
    const KEYS: &'static [Key<Self>] = &[];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// A page of the deliveries that pass the filter.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: DeliveryFilter, slice: &Slice<Summary>) -> Result<Vec<Summary>, StorageError> {
    let first = filter.first_table();
    let (_, direction) = slice.direction();
    let is_of_a_time = filter.from.is_some() || filter.to.is_some();
    let between = if is_of_a_time { Some(insight::ids_between(conn, filter.from, filter.to).await?) } else { None };
    let rows: Vec<SummaryRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select d.delivery_id, d.integration_id, d.external_id, d.received_at, coalesce(f.state, 'pending'), f.reason, f.evaluated_at,
                    cast(length(d.body) as bigint) from (select ",
        );
        query.push(first).push(".delivery_id from ").push(filter.tables()).push(" where true");
        if let Some((after, last)) = between {
            query.push(" and ").push(first).push(".delivery_id > ").push_bind(after);
            query.push(" and ").push(first).push(".delivery_id <= ").push_bind(last);
        }
        narrow!(query, filter, first);
        push_slice!(query, slice, format!("{first}.delivery_id"));
        query.push(
            ") as page join delivery d on d.delivery_id = page.delivery_id left join fate f on f.delivery_id = d.delivery_id
             order by d.delivery_id",
        );
        query.push(direction);
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

/// Removes settled deliveries that arrived before `before`, at most `limit`; returns how many.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StorageError> {
    let ids: Vec<i64> = sql!(conn, c => sqlx::query_scalar(
        "select delivery_id from delivery d where received_at < $1
         and not exists (select 1 from pending p where p.delivery_id = d.delivery_id) order by received_at limit $2",
    )
    .bind(before.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    remove(conn, &ids).await
}

/// Removes deliveries of these providers that arrived before `before` and changed nothing, at most `limit`; returns how many. What an alert or
/// a cause still refers to stays.
///
/// # Errors
/// What the database said.
pub async fn prune_idle(conn: &mut Connection, providers: &[&str], before: Timestamp, limit: i64) -> Result<u64, StorageError> {
    let ids: Vec<i64> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select d.delivery_id from integration i join delivery d on d.integration_id = i.integration_id
             join fate f on f.delivery_id = d.delivery_id where i.provider in (",
        );
        let mut names = query.separated(", ");
        for provider in providers {
            names.push_bind((*provider).to_owned());
        }
        query.push(") and d.received_at < ").push_bind(before.0);
        query.push(
            " and f.state in ('processed', 'ignored')
             and not exists (select 1 from change c where c.delivery_id = d.delivery_id)
             and not exists (select 1 from alert a where a.integration_id = d.integration_id and a.delivery_id = d.delivery_id)
             and not exists (select 1 from cause u where u.integration_id = d.integration_id and u.delivery_id = d.delivery_id)
             order by d.received_at limit ",
        );
        query.push_bind(limit);
        query.build_query_scalar().fetch_all(&mut *c).await?
    });
    remove(conn, &ids).await
}

/// Removes deliveries with what became of them.
async fn remove(conn: &mut Connection, ids: &[i64]) -> Result<u64, StorageError> {
    for some in ids.chunks(MAX_IDS) {
        for table in ["fate", "pending", "delivery"] {
            delete_from(conn, table, some).await?;
        }
    }
    Ok(ids.len() as u64)
}

/// Removes rows of one of the tables that are about deliveries; at most [`MAX_IDS`].
pub(crate) async fn delete_from(conn: &mut Connection, table: &'static str, ids: &[i64]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("delete from ");
        query.push(table).push(" where delivery_id in (");
        let mut listed = query.separated(", ");
        for id in ids {
            listed.push_bind(*id);
        }
        query.push(")");
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

/// Removes everything an integration ever sent.
///
/// # Errors
/// What the database said.
pub(crate) async fn remove_all(conn: &mut Connection, integration: i64) -> Result<(), StorageError> {
    for statement in [
        "delete from fate where delivery_id in (select delivery_id from delivery where integration_id = $1)",
        "delete from pending where delivery_id in (select delivery_id from delivery where integration_id = $1)",
        "delete from delivery where integration_id = $1",
    ] {
        execute!(conn, sqlx::query(statement).bind(integration))?;
    }
    Ok(())
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
