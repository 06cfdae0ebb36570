//! Silence: which integrations are to be missed, and when they were last heard of.

use domain::{IntegrationId, SilentAfter, Span, Timestamp};

use crate::{Connection, StorageError, db::sql};

/// What stands for a sender's own habit.
const HABIT: i64 = -1;

pub(crate) fn from_column(value: Option<i64>) -> Option<SilentAfter> {
    value.map(|value| if value == HABIT { SilentAfter::Habit } else { SilentAfter::Span(Span(value)) })
}

pub(crate) fn to_column(silent_after: Option<SilentAfter>) -> Option<i64> {
    silent_after.map(|after| match after {
        SilentAfter::Habit => HABIT,
        SilentAfter::Span(span) => span.0,
    })
}

/// An integration whose silence matters, or mattered.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Which.
    pub integration: IntegrationId,
    /// The provider's slug.
    pub provider: String,
    /// After how long its silence is a signal; `None` if it is not any more.
    pub silent_after: Option<SilentAfter>,
    /// When something came last; when it was made, if nothing ever has.
    pub heard_at: Timestamp,
    /// Whether its silence is a signal that fires.
    pub told: bool,
}

#[derive(sqlx::FromRow)]
struct WatchedRow {
    integration_id: i64,
    provider: String,
    silent_after: Option<i64>,
    heard_at: i64,
    told: bool,
}

/// The integrations that are switched on and whose silence matters, or fires still. Deliveries whose ids begin with one of `except` are our own,
/// and so is what is said of `fingerprint`.
///
/// # Errors
/// What the database said.
pub async fn watched(conn: &mut Connection, except: [&str; 2], fingerprint: &str) -> Result<Vec<Watched>, StorageError> {
    let rows: Vec<WatchedRow> = sql!(conn, c => sqlx::query_as(
        "select w.integration_id, w.provider, w.silent_after, w.told, coalesce((
             select d.received_at from delivery d where d.integration_id = w.integration_id and d.external_id not like $1
               and d.external_id not like $3
             order by d.delivery_id desc limit 1
         ), w.created_at) as heard_at
         from (
             select i.integration_id, i.provider, i.silent_after, i.created_at, exists (
                 select 1 from alert a where a.integration_id = i.integration_id and a.fingerprint = $2 and a.firing
             ) as told from integration i where i.enabled
         ) w where w.silent_after is not null or w.told",
    )
    .bind(format!("{}%", except[0]))
    .bind(fingerprint)
    .bind(format!("{}%", except[1]))
    .fetch_all(&mut *c)
    .await)?;
    let watched = |row: WatchedRow| Watched {
        integration: IntegrationId(row.integration_id),
        provider: row.provider,
        silent_after: from_column(row.silent_after),
        heard_at: Timestamp(row.heard_at),
        told: row.told,
    };
    Ok(rows.into_iter().map(watched).collect())
}
