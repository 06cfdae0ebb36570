//! Notifications: what is owed to whom. The row is the truth; a queue only wakes somebody up to look at it.
//!
//! Here is what people see and do of them; [`due`] says whose turn it is, [`claim`] how a try begins and ends.

mod about;
mod claim;
mod due;

use domain::{IncidentId, NoticeId, NotificationId, SubscriberId, Timestamp, UnknownName};
use sqlx::QueryBuilder;

pub use self::{
    about::About,
    claim::{CLAIM, Ended, Next, claim, give_up, keep_claim, record, secret_place},
    due::{Due, due, first_due, n_open, next_due, under_way},
};
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    order::{Key, Slice, Sorted, push_slice},
    rows::{MAX_IN, named, push_ids},
};

/// How far a notification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationState {
    /// Waits for its next try.
    Due,
    /// Is being tried.
    Sending,
    /// Was taken by the other side.
    Delivered,
    /// Will not be tried again by itself.
    Dead,
    /// Its subscriber is gone or switched off.
    Cancelled,
}

impl NotificationState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Due, Self::Sending, Self::Delivered, Self::Dead, Self::Cancelled];

    /// The name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for NotificationState {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().copied().find(|state| state.as_str() == text).ok_or_else(|| UnknownName {
            value: text.chars().take(64).collect(),
            allowed: "due, sending, delivered, dead, cancelled".to_owned(),
        })
    }
}

/// How many of those that were made at this time or later were given up.
///
/// # Errors
/// What the database said.
pub async fn n_dead(conn: &mut Connection, since: Timestamp) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from notification where state = 'dead' and created_at >= $1")
        .bind(since.0)
        .fetch_one(&mut *c)
        .await)?)
}

/// Owes a dead or delivered notification once more, from the first try; tells whether there is such a one.
///
/// # Errors
/// What the database said.
pub async fn resend(conn: &mut Connection, id: NotificationId, now: Timestamp) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query(
            // A new number, so that what the queue still holds of the old tries finds nothing to claim.
            "update notification set state = 'due', attempt = 1, next_at = $2, done_at = null, last_error = null
             where notification_id = $1 and state in ('dead', 'delivered')",
        )
        .bind(id.0)
        .bind(now.0)
    )?;
    Ok(n > 0)
}

/// Owes every dead notification made at or after `since` once more, from `at` on; returns how many.
///
/// # Errors
/// What the database said.
pub async fn resend_dead(conn: &mut Connection, since: Timestamp, at: Timestamp) -> Result<u64, StorageError> {
    Ok(execute!(
        conn,
        sqlx::query(
            "update notification set state = 'due', attempt = 1, next_at = $2, done_at = null, last_error = null
             where state = 'dead' and created_at >= $1"
        )
        .bind(since.0)
        .bind(at.0)
    )?)
}

/// Owes those of these notifications once more that are dead, from `at` on; returns how many.
///
/// # Errors
/// What the database said.
pub async fn resend_these(conn: &mut Connection, ids: &[NotificationId], at: Timestamp) -> Result<u64, StorageError> {
    let mut n = 0;
    for some in ids.chunks(MAX_IN) {
        let some: Vec<i64> = some.iter().map(|id| id.0).collect();
        n += sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("update notification set state = 'due', attempt = 1, done_at = null, last_error = null, next_at = ");
            query.push_bind(at.0).push(" where state = 'dead' and notification_id in (");
            push_ids(&mut query, &some);
            query.build().execute(&mut *c).await?.rows_affected()
        });
    }
    Ok(n)
}

/// Why a notification is dead whose sending again was taken back.
const TAKEN_BACK: &str = "was to be sent again, and that was taken back";

/// Gives up again what [`resend_dead`] owes from `at` on and nobody has tried yet; returns how many. `now` is before `at`.
///
/// # Errors
/// What the database said.
pub async fn take_back(conn: &mut Connection, at: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
    // What is owed from then on and is new was made then; what is owed again was made before now.
    Ok(execute!(
        conn,
        sqlx::query(
            "update notification set state = 'dead', done_at = $2, last_error = $3
             where done_at is null and next_at = $1 and state = 'due' and attempt = 1 and created_at <= $2"
        )
        .bind(at.0)
        .bind(now.0)
        .bind(TAKEN_BACK)
    )?)
}

/// A notification, for lists.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// What it tells.
    pub notice: NoticeId,
    /// The notice's kind, e.g. `incident.opened`.
    pub kind: String,
    /// What the notice is about.
    pub about: About,
    /// Whom.
    pub subscriber: SubscriberId,
    /// How.
    pub channel: String,
    /// Where.
    pub address: String,
    /// How far it has come.
    pub state: NotificationState,
    /// The number of the next try, or of the last one if it is done with.
    pub attempt: i32,
    /// When the next try is due.
    pub next_at: Timestamp,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was done with.
    pub done_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct NotificationRow {
    notification_id: i64,
    notice_id: i64,
    kind: String,
    subscriber_id: i64,
    channel: String,
    address: String,
    state: String,
    attempt: i32,
    next_at: i64,
    last_error: Option<String>,
    created_at: i64,
    done_at: Option<i64>,
}

/// Which notifications to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotificationFilter {
    /// Only one.
    pub id: Option<NotificationId>,
    /// Only those of one state.
    pub state: Option<NotificationState>,
    /// Only those to one subscriber.
    pub subscriber: Option<SubscriberId>,
    /// Only those that tell readers of one incident.
    pub incident: Option<IncidentId>,
}

impl Sorted for Notification {
    const ID: &'static str = "n.notification_id";
    const KEYS: &'static [Key<Self>] = &[];

    fn id(&self) -> i64 {
        self.id.0
    }
}

/// A page of the notifications that pass the filter.
///
/// # Errors
/// What the database said.
pub async fn list(
    conn: &mut Connection,
    filter: NotificationFilter,
    slice: &Slice<Notification>,
) -> Result<Vec<Notification>, StorageError> {
    let rows: Vec<NotificationRow> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select n.notification_id, n.notice_id, o.kind, n.subscriber_id, s.channel, s.address, n.state, n.attempt, n.next_at,
                    n.last_error, n.created_at, n.done_at
             from notification n join notice o on o.notice_id = n.notice_id join subscriber s on s.subscriber_id = n.subscriber_id
             where true",
        );
        if let Some(id) = filter.id {
            query.push(" and n.notification_id = ").push_bind(id.0);
        }
        if let Some(state) = filter.state {
            // Of one incident there are few: the index by state must not lead past all the others of that state.
            query.push(if filter.incident.is_some() { " and coalesce(n.state, '') = " } else { " and n.state = " }).push_bind(state.as_str());
        }
        if let Some(subscriber) = filter.subscriber {
            query.push(" and n.subscriber_id = ").push_bind(subscriber.0);
        }
        if let Some(incident) = filter.incident {
            query.push(" and n.thread = ").push_bind(format!("incident:{incident}"));
        }
        push_slice!(query, slice, Notification::ID);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    let about = about::of(conn, rows.iter().map(|row| row.notice_id).collect()).await?;
    // A notice that went meanwhile has taken its notifications with it.
    rows.into_iter().filter_map(|row| Some((about.get(&NoticeId(row.notice_id))?.clone(), row))).map(notification).collect()
}

fn notification((about, row): (About, NotificationRow)) -> Result<Notification, StorageError> {
    Ok(Notification {
        id: NotificationId(row.notification_id),
        notice: NoticeId(row.notice_id),
        kind: row.kind,
        about,
        subscriber: SubscriberId(row.subscriber_id),
        channel: row.channel,
        address: row.address,
        state: named(&row.state, "notification", "state")?,
        attempt: row.attempt,
        next_at: Timestamp(row.next_at),
        last_error: row.last_error,
        created_at: Timestamp(row.created_at),
        done_at: row.done_at.map(Timestamp),
    })
}

/// A try, for lists.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Attempt {
    /// Its number.
    pub n: i32,
    /// When it began, in milliseconds since 1970.
    pub at: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// `delivered`, `transient`, `permanent` or `gone`.
    pub outcome: String,
    /// What the other side said, or what went wrong.
    pub detail: String,
}

/// The tries of a notification, oldest first.
///
/// # Errors
/// What the database said.
pub async fn attempts(conn: &mut Connection, id: NotificationId) -> Result<Vec<Attempt>, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_as("select n, at, duration_ms, outcome, detail from attempt where notification_id = $1 order by attempt_id")
        .bind(id.0)
        .fetch_all(&mut *c)
        .await)?,
    )
}

/// Switches a subscriber off and cancels what is still owed to it; returns false if it was off already.
///
/// # Errors
/// What the database said.
pub async fn disable(conn: &mut Connection, subscriber: SubscriberId, reason: &str, now: Timestamp) -> Result<bool, StorageError> {
    let n = execute!(
        conn,
        sqlx::query("update subscriber set disabled_at = $2, disabled_reason = $3 where subscriber_id = $1 and disabled_at is null")
            .bind(subscriber.0)
            .bind(now.0)
            .bind(reason)
    )?;
    if n == 0 {
        return Ok(false);
    }
    execute!(
        conn,
        sqlx::query("update notification set state = 'cancelled', done_at = $2 where subscriber_id = $1 and state in ('due', 'sending')")
            .bind(subscriber.0)
            .bind(now.0)
    )?;
    Ok(true)
}
