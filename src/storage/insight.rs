//! What the stored deliveries of one integration tell: read in portions, never on the connection that writes.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use domain::{ComponentId, DeliveryId, Incident, IntegrationId, Signal, Span, Timestamp};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::sql,
    deliveries::{Delivery, DeliveryState},
    rows::{MAX_IN, incidents_of, json, named, push_ids},
};

/// Ids are given in the order of arrival, but for what arrived within this time of each other, or while a clock was set back.
const DISORDER: Span = Span::mins(10);
/// Signals of one delivery that have more bytes than this are not worth reading for a look at what usually comes.
const MAX_SIGNALS_BYTES: i64 = 64 << 10;
/// How many of the newest deliveries are looked through for some with signals.
const MAX_LOOKED_AT: i64 = 1_000;

/// The deliveries of one integration that arrived in a time.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    integration: IntegrationId,
    from: Timestamp,
    to: Timestamp,
    after: i64,
    last: i64,
}

/// Finds where a time begins and ends among the deliveries, `to` not included.
///
/// # Errors
/// What the database said.
pub async fn stretch(conn: &mut Connection, integration: IntegrationId, from: Timestamp, to: Timestamp) -> Result<Stretch, StorageError> {
    let (after, last) = ids_between(conn, Some(from), Some(to)).await?;
    Ok(Stretch { integration, from, to, after, last })
}

/// The bounds of the ids of what arrived between `from` and `to`: above the one, up to the other. Roughly, so `received_at` is still to be
/// compared.
pub(crate) async fn ids_between(conn: &mut Connection, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(i64, i64), StorageError> {
    let after = match from {
        Some(from) => first_since(conn, Timestamp(from.0.saturating_sub(DISORDER.0))).await?.map_or(i64::MAX, |id| id - 1),
        None => i64::MIN,
    };
    let last = match to {
        Some(to) => first_since(conn, to.plus(DISORDER)).await?,
        None => None,
    };
    Ok((after, last.unwrap_or(i64::MAX)))
}

async fn first_since(conn: &mut Connection, at: Timestamp) -> Result<Option<i64>, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_scalar("select delivery_id from delivery where received_at >= $1 order by received_at, delivery_id limit 1")
        .bind(at.0)
        .fetch_optional(&mut *c)
        .await)?,
    )
}

/// How many deliveries a stretch has; more than `max` are not counted.
///
/// # Errors
/// What the database said.
pub async fn n_in(conn: &mut Connection, stretch: &Stretch, max: usize) -> Result<usize, StorageError> {
    let n: i64 = sql!(conn, c => sqlx::query_scalar(
        "select count(*) from (
             select 1 from delivery
             where integration_id = $1 and delivery_id > $2 and delivery_id <= $3 and received_at >= $4 and received_at < $5 limit $6
         ) as counted",
    )
    .bind(stretch.integration.0)
    .bind(stretch.after)
    .bind(stretch.last)
    .bind(stretch.from.0)
    .bind(stretch.to.0)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_one(&mut *c)
    .await)?;
    Ok(usize::try_from(n).unwrap_or_default())
}

type PortionRow = (i64, i64, String, Vec<u8>);

/// The next deliveries of a stretch, at most `limit`, and no more once they have `max_bytes` of body; without what was made of them. The
/// stretch goes on behind them afterwards.
///
/// # Errors
/// What the database said.
pub async fn portion(conn: &mut Connection, stretch: &mut Stretch, limit: i64, max_bytes: i64) -> Result<Vec<Delivery>, StorageError> {
    let rows: Vec<PortionRow> = sql!(conn, c => sqlx::query_as(
        "select delivery_id, received_at, headers, body from delivery where delivery_id in (
             select delivery_id from (
                 select delivery_id, sum(n_bytes) over (order by delivery_id) - n_bytes as bytes_before from (
                     select delivery_id, length(body) as n_bytes from delivery
                     where integration_id = $1 and delivery_id > $2 and delivery_id <= $3 and received_at >= $4 and received_at < $5
                     order by delivery_id limit $6
                 ) as oldest
             ) as counted where bytes_before < $7
         ) order by delivery_id",
    )
    .bind(stretch.integration.0)
    .bind(stretch.after)
    .bind(stretch.last)
    .bind(stretch.from.0)
    .bind(stretch.to.0)
    .bind(limit)
    .bind(max_bytes)
    .fetch_all(&mut *c)
    .await)?;
    if let Some((last, ..)) = rows.last() {
        stretch.after = *last;
    }
    let delivery = |(id, received_at, headers, body): PortionRow| {
        Ok(Delivery {
            id: DeliveryId(id),
            integration: stretch.integration,
            external_id: String::new(),
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

/// When the newest deliveries of an integration arrived, newest first, at most `limit`. Those whose ids begin with `except` are our own.
///
/// # Errors
/// What the database said.
pub async fn arrivals(
    conn: &mut Connection,
    integration: IntegrationId,
    except: [&str; 2],
    limit: usize,
) -> Result<Vec<Timestamp>, StorageError> {
    let rows: Vec<i64> = sql!(conn, c => sqlx::query_scalar(
        "select received_at from delivery where integration_id = $1 and external_id not like $3 and external_id not like $4
         order by delivery_id desc limit $2",
    )
    .bind(integration.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .bind(format!("{}%", except[0]))
    .bind(format!("{}%", except[1]))
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(Timestamp).collect())
}

/// A delivery that said something.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which.
    pub delivery: DeliveryId,
    /// When it arrived.
    pub at: Timestamp,
    /// What it said.
    pub signals: Vec<Signal>,
}

/// The newest deliveries of an integration that said something, at most `limit`, newest first. Very long ones are left out.
///
/// # Errors
/// What the database said.
pub async fn said(conn: &mut Connection, integration: IntegrationId, limit: i64) -> Result<Vec<Said>, StorageError> {
    let rows: Vec<(i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select newest.delivery_id, newest.received_at, f.signals from (
             select delivery_id, received_at from delivery where integration_id = $1 order by delivery_id desc limit $2
         ) as newest join fate f on f.delivery_id = newest.delivery_id
         where f.state = 'processed' and length(f.signals) <= $3 order by newest.delivery_id desc limit $4",
    )
    .bind(integration.0)
    .bind(MAX_LOOKED_AT)
    .bind(MAX_SIGNALS_BYTES)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    let said = |(id, at, signals): (i64, i64, String)| {
        Ok(Said { delivery: DeliveryId(id), at: Timestamp(at), signals: json(&signals, "fate", "signals")? })
    };
    rows.into_iter().map(said).collect()
}

/// How many deliveries of an integration came to which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The state.
    pub state: DeliveryState,
    /// How many arrived at or after the one time.
    pub n_recent: i64,
    /// How many at or after the other, which is earlier.
    pub n_all: i64,
    /// When the oldest of those arrived.
    pub oldest_at: Timestamp,
}

/// Counts the newest deliveries of an integration that arrived at or after `since`, at most `limit` of each state, and those among them that
/// arrived at or after `recent`. Only indexes are read, in the order of ids: what arrived while a clock was set back may be counted on the wrong
/// side of a time.
///
/// # Errors
/// What the database said.
pub async fn tally(
    conn: &mut Connection,
    integration: IntegrationId,
    since: Timestamp,
    recent: Timestamp,
    limit: i64,
) -> Result<Vec<Tally>, StorageError> {
    let (Some(first), first_recent) = (first_since(conn, since).await?, first_since(conn, recent).await?) else { return Ok(Vec::new()) };
    let rows: Vec<(String, i64, i64, i64)> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("select t.state, t.n_recent, t.n_all, d.received_at from (");
        for (i, state) in DeliveryState::ALL.iter().enumerate() {
            query.push(if i == 0 { "" } else { " union all " });
            query.push("select '").push(state.as_str()).push("' as state, min(delivery_id) as oldest, count(*) as n_all, cast(sum(case when delivery_id >= ");
            query.push_bind(first_recent.unwrap_or(i64::MAX)).push(" then 1 else 0 end) as bigint) as n_recent from (");
            if *state == DeliveryState::Pending {
                query.push("select p.delivery_id from (select delivery_id from pending where delivery_id >= ").push_bind(first);
                query.push(" order by delivery_id desc limit ").push_bind(limit);
                query.push(") as p join delivery d on d.delivery_id = p.delivery_id where d.integration_id = ").push_bind(integration.0);
            } else {
                query.push("select delivery_id from fate where integration_id = ").push_bind(integration.0);
                query.push(" and state = '").push(state.as_str()).push("' and delivery_id >= ").push_bind(first);
                query.push(" order by delivery_id desc limit ").push_bind(limit);
            }
            query.push(") as newest");
        }
        query.push(") as t join delivery d on d.delivery_id = t.oldest order by t.state");
        query.build_query_as().fetch_all(&mut *c).await?
    });
    let tally = |(state, n_recent, n_all, oldest): (String, i64, i64, i64)| {
        Ok(Tally { state: named(&state, "delivery", "state")?, n_recent, n_all, oldest_at: Timestamp(oldest) })
    };
    rows.into_iter().map(tally).collect()
}

/// An incident that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The incident.
    pub incident: Incident,
    /// Who wrote the first entry of its timeline.
    pub by: String,
}

/// The published incidents that were open at some time between `from` and `to`, and are about one of these components or were opened by a
/// present route of the integration; newest first, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn published(
    conn: &mut Connection,
    integration: IntegrationId,
    components: &[ComponentId],
    from: Timestamp,
    to: Timestamp,
    limit: i64,
) -> Result<Vec<Published>, StorageError> {
    let components: Vec<i64> = components.iter().map(|id| id.0).collect();
    let mut found: BTreeSet<Reverse<(i64, i64)>> = BTreeSet::new();
    // With no components at all, those of the routes alone.
    for some in components.chunks(MAX_IN).chain(components.is_empty().then_some(&[] as &[i64])) {
        let rows: Vec<(i64, i64)> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("select started_at, incident_id from incident where published and started_at <= ");
            query.push_bind(to.0).push(" and (resolved_at is null or resolved_at >= ").push_bind(from.0);
            query.push(") and (opened_by in (select route_id from route where integration_id = ").push_bind(integration.0).push(")");
            if !some.is_empty() {
                query.push(" or incident_id in (select incident_id from incident_component where component_id in (");
                push_ids(&mut query, some);
                query.push(")");
            }
            query.push(") order by started_at desc limit ").push_bind(limit);
            query.build_query_as().fetch_all(&mut *c).await?
        });
        found.extend(rows.into_iter().map(Reverse));
    }
    let ids: Vec<i64> = found.into_iter().take(usize::try_from(limit).unwrap_or(0)).map(|Reverse((_, id))| id).collect();
    let mut authors = first_authors(conn, &ids).await?;
    let by = |incident: Incident| Published { by: authors.remove(&incident.id.0).unwrap_or_default(), incident };
    Ok(incidents_of(conn, &ids).await?.into_iter().map(by).collect())
}

/// Who wrote the first entry of each of these incidents' timelines.
async fn first_authors(conn: &mut Connection, ids: &[i64]) -> Result<HashMap<i64, String>, StorageError> {
    let mut authors = HashMap::new();
    for some in ids.chunks(MAX_IN) {
        let rows: Vec<(i64, String)> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new(
                "select incident_id, author from incident_update where update_id in (select min(update_id) from incident_update where incident_id in (",
            );
            push_ids(&mut query, some);
            query.push(" group by incident_id)");
            query.build_query_as().fetch_all(&mut *c).await?
        });
        authors.extend(rows);
    }
    Ok(authors)
}
