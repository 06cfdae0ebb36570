//! Whose turn it is: what is due, what is under way, and when the next one is.

use domain::{NotificationId, SubscriberId, Timestamp};

use crate::{Connection, StorageError, db::sql, rows};

/// A notification whose try is due, or whose claim ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: NotificationId,
    /// Which try.
    pub attempt: u16,
    /// Whose.
    pub subscriber: SubscriberId,
    /// Whether the last try of any notification of this subscriber failed.
    pub failing: bool,
    /// Whether an earlier mail about the same thing to the same address is still open.
    pub behind: bool,
}

type DueRow = (i64, i32, i64, bool, bool);

fn read_due(rows: Vec<DueRow>) -> Vec<Due> {
    let due = |(id, attempt, subscriber, failing, behind): DueRow| Due {
        id: NotificationId(id),
        attempt: u16::try_from(attempt).unwrap_or(u16::MAX),
        subscriber: SubscriberId(subscriber),
        failing,
        behind,
    };
    rows.into_iter().map(due).collect()
}

macro_rules! due_columns {
    () => {
        "n.notification_id, n.attempt, n.subscriber_id, s.failing_since is not null,
         s.channel = 'email' and n.thread is not null and exists (
             select 1 from notification e
             where e.subscriber_id = n.subscriber_id and e.thread = n.thread and e.notification_id < n.notification_id
               and e.done_at is null) "
    };
}

/// What is due, oldest first.
///
/// # Errors
/// What the database said.
pub async fn due(conn: &mut Connection, now: Timestamp, limit: i64) -> Result<Vec<Due>, StorageError> {
    let rows: Vec<DueRow> = sql!(conn, c => sqlx::query_as(concat!(
        "select ", due_columns!(), "from notification n join subscriber s on s.subscriber_id = n.subscriber_id
         where n.done_at is null and n.next_at <= $1 order by n.next_at, n.notification_id limit $2",
    ))
    .bind(now.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    Ok(read_due(rows))
}

/// Of each of the next `limit` subscribers after `after` that wait for anything, the oldest that is due; and the last subscriber looked at,
/// or `None` if there was none left. However much one of them is owed, it costs no more than another.
///
/// # Errors
/// What the database said.
pub async fn first_due(
    conn: &mut Connection,
    now: Timestamp,
    after: Option<SubscriberId>,
    limit: i32,
) -> Result<(Vec<Due>, Option<SubscriberId>), StorageError> {
    // One step of the recursion is one look into the index `notification_waiting`.
    let rows: Vec<(i64, Option<i64>, Option<i32>)> = sql!(conn, c => sqlx::query_as(
        "with recursive waiting (subscriber_id, place) as (
             select min(subscriber_id), 1 from notification where done_at is null and subscriber_id > $2
             union all
             select (select min(n.subscriber_id) from notification n
                     where n.done_at is null and n.subscriber_id > waiting.subscriber_id), place + 1
             from waiting where subscriber_id is not null and place < $3)
         select subscriber_id,
                (select d.notification_id from notification d
                 where d.subscriber_id = waiting.subscriber_id and d.done_at is null and d.next_at <= $1
                 order by d.next_at, d.notification_id limit 1), place
         from waiting where subscriber_id is not null",
    )
    .bind(now.0)
    .bind(after.map_or(i64::MIN, |after| after.0))
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    let last =
        rows.last().filter(|_| i32::try_from(rows.len()).is_ok_and(|n| n == limit)).map(|(subscriber, ..)| SubscriberId(*subscriber));
    let ids: Vec<i64> = rows.iter().filter_map(|(_, id, _)| *id).collect();
    if ids.is_empty() {
        return Ok((Vec::new(), last));
    }
    let rows: Vec<DueRow> = sql!(conn, c => {
        let mut query = sqlx::QueryBuilder::<DB>::new(concat!(
            "select ", due_columns!(), "from notification n join subscriber s on s.subscriber_id = n.subscriber_id where n.notification_id in ("
        ));
        rows::push_ids(&mut query, &ids);
        query.push(" order by n.next_at, n.notification_id");
        query.build_query_as().fetch_all(&mut *c).await?
    });
    Ok((read_due(rows), last))
}

/// How many notifications of whom are being tried, and whether the last try of that subscriber failed.
///
/// # Errors
/// What the database said.
pub async fn under_way(conn: &mut Connection, now: Timestamp) -> Result<Vec<(SubscriberId, bool, usize)>, StorageError> {
    let rows: Vec<(i64, bool, i64)> = sql!(conn, c => sqlx::query_as(
        "select n.subscriber_id, s.failing_since is not null, count(*)
         from notification n join subscriber s on s.subscriber_id = n.subscriber_id
         where n.state = 'sending' and n.next_at > $1 group by n.subscriber_id, s.failing_since",
    )
    .bind(now.0)
    .fetch_all(&mut *c)
    .await)?;
    let count = |(subscriber, failing, n)| (SubscriberId(subscriber), failing, usize::try_from(n).unwrap_or_default());
    Ok(rows.into_iter().map(count).collect())
}

/// When the next notification that is not due yet is.
///
/// # Errors
/// What the database said.
pub async fn next_due(conn: &mut Connection, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
    let next = "select min(next_at) from notification where done_at is null and next_at > $1";
    let at: Option<i64> = sql!(conn, c => sqlx::query_scalar(next).bind(now.0).fetch_one(&mut *c).await)?;
    Ok(at.map(Timestamp))
}

/// How many notifications are not done with.
///
/// # Errors
/// What the database said.
pub async fn n_open(conn: &mut Connection) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from notification where done_at is null").fetch_one(&mut *c).await)?)
}
