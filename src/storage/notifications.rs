//! Notifications: what is owed to whom. The row is the truth; a queue only wakes somebody up to look at it.

use domain::{
    Channel, Claimed, Decision, Notice, NoticeAbout, NoticeId, NotificationId, Recipient, Span, SubscriberId, Timestamp, UnknownName,
};
use secrecy::SecretString;

use crate::{
    Connection, Db, SecretBox, StorageError,
    db::{execute, sql},
    publications::{self, Verdict},
    rows::{self, json, named},
};

/// How long a claim holds unless it is kept up with [`keep_claim`]. A process that dies keeps up nothing, and what it was trying is
/// tried again after this time.
pub const CLAIM: Span = Span::secs(20);

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

/// The place that a subscriber's secret is bound to.
#[must_use]
pub fn secret_place(subscriber: SubscriberId) -> String {
    format!("subscriber:{subscriber}:secret")
}

#[derive(sqlx::FromRow)]
struct ClaimRow {
    data: String,
    thread: Option<String>,
    subscriber_id: i64,
    channel: String,
    address: String,
    manage_token: String,
    secret: Option<Vec<u8>>,
}

/// Claims a notification for its `attempt`-th try, if that is still owed; of several claims one succeeds.
///
/// Neither this nor [`record`] waits for the disk: after a power cut a try may be made again, under the same id.
///
/// # Errors
/// What the database said, or a secret that does not open.
pub async fn claim(
    db: &Db,
    secrets: &SecretBox,
    id: NotificationId,
    attempt: u16,
    now: Timestamp,
) -> Result<Option<(Claimed, Vec<SecretString>)>, StorageError> {
    let mut tx = db.begin_lazily().await?;
    let until = now.plus(CLAIM).0;
    let n = execute!(
        tx,
        sqlx::query(
            "update notification set state = 'sending', next_at = $3
             where notification_id = $1 and attempt = $2 and (state = 'due' or (state = 'sending' and next_at <= $4))",
        )
        .bind(id.0)
        .bind(i32::from(attempt))
        .bind(until)
        .bind(now.0)
    )?;
    if n == 0 {
        return Ok(None);
    }
    let row: ClaimRow = sql!(tx, c => sqlx::query_as(
        "select o.data, n.thread, s.subscriber_id, s.channel, s.address, s.manage_token, s.secret
         from notification n join notice o on o.notice_id = n.notice_id join subscriber s on s.subscriber_id = n.subscriber_id
         where n.notification_id = $1",
    )
    .bind(id.0)
    .fetch_one(&mut *c)
    .await)?;
    let thread = first_in_thread(&mut tx, row.subscriber_id, row.thread.as_deref(), id).await?;
    let page = rows::page_settings(&mut tx).await?;
    tx.commit().await?;
    let subscriber = SubscriberId(row.subscriber_id);
    let secret = row.secret.map(|sealed| secrets.open(&secret_place(subscriber), &sealed)).transpose()?;
    let notice: Notice = json(&row.data, "notice", "data")?;
    let channel: Channel = named(&row.channel, "subscriber", "channel")?;
    let recipient = Recipient { subscriber, channel, address: row.address, manage_token: row.manage_token };
    let decision = decision(secrets, &notice);
    let claimed = Claimed { notification: id, attempt, notice, recipient, page, thread, decision };
    Ok(Some((claimed, secret.into_iter().collect())))
}

/// What lets the reader of a notice decide on a publication.
fn decision(secrets: &SecretBox, notice: &Notice) -> Option<Decision> {
    let NoticeAbout::Publication { incident, .. } = &notice.about else { return None };
    let due = incident.publishes_at?;
    let token = |verdict| publications::token(secrets, verdict, incident.id, due);
    Some(Decision { veto: token(Verdict::Veto), publish: token(Verdict::Publish) })
}

/// Lets the claim for the `attempt`-th try hold on, because the try still goes on.
///
/// # Errors
/// What the database said.
pub async fn keep_claim(db: &Db, id: NotificationId, attempt: u16, now: Timestamp) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    execute!(
        tx,
        sqlx::query("update notification set next_at = $3 where notification_id = $1 and attempt = $2 and state = 'sending'")
            .bind(id.0)
            .bind(i32::from(attempt))
            .bind(now.plus(CLAIM).0)
    )?;
    tx.commit().await
}

async fn first_in_thread(
    conn: &mut Connection,
    subscriber: i64,
    thread: Option<&str>,
    id: NotificationId,
) -> Result<Option<NotificationId>, StorageError> {
    let Some(thread) = thread else { return Ok(None) };
    let first: Option<i64> = sql!(conn, c => sqlx::query_scalar(
        "select min(notification_id) from notification where subscriber_id = $1 and thread = $2",
    )
    .bind(subscriber)
    .bind(thread)
    .fetch_one(&mut *c)
    .await)?;
    Ok(first.map(NotificationId).filter(|first| *first != id))
}

/// Gives up a notification that cannot even be read, with the reason.
///
/// # Errors
/// What the database said.
pub async fn give_up(db: &Db, id: NotificationId, attempt: u16, why: &str, now: Timestamp) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    execute!(
        tx,
        sqlx::query(
            "update notification set state = 'dead', last_error = $3, done_at = $4
             where notification_id = $1 and attempt = $2 and state in ('due', 'sending')"
        )
        .bind(id.0)
        .bind(i32::from(attempt))
        .bind(why)
        .bind(now.0)
    )?;
    tx.commit().await
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was delivered.
    Done,
    /// Another try.
    RetryAt(Timestamp),
    /// Nothing by itself: it is listed, and a person may send it again.
    Dead,
}

/// A try that has ended.
#[derive(Clone, Debug)]
pub struct Ended<'a> {
    /// Which notification.
    pub notification: NotificationId,
    /// Whose.
    pub subscriber: SubscriberId,
    /// Which try.
    pub attempt: u16,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Span,
    /// `delivered`, `transient`, `permanent` or `gone`.
    pub outcome: &'static str,
    /// What the other side said, or what went wrong.
    pub detail: &'a str,
    /// What follows.
    pub next: Next,
}

/// Records a try and what follows from it; keeps count of since when a subscriber has been failing, and returns that.
///
/// # Errors
/// What the database said.
pub async fn record(db: &Db, ended: &Ended<'_>) -> Result<Option<Timestamp>, StorageError> {
    let mut tx = db.begin_lazily().await?;
    let (state, attempt, next_at, done_at) = match ended.next {
        Next::Done => ("delivered", ended.attempt, None, Some(ended.at.plus(ended.took))),
        Next::RetryAt(at) => ("due", ended.attempt + 1, Some(at), None),
        Next::Dead => ("dead", ended.attempt, None, Some(ended.at.plus(ended.took))),
    };
    let error = (ended.next != Next::Done).then_some(ended.detail);
    execute!(
        tx,
        sqlx::query(
            "update notification set state = $3, attempt = $4, next_at = coalesce($5, next_at), last_error = $6, done_at = $7
             where notification_id = $1 and attempt = $2 and state = 'sending'",
        )
        .bind(ended.notification.0)
        .bind(i32::from(ended.attempt))
        .bind(state)
        .bind(i32::from(attempt))
        .bind(next_at.map(|at| at.0))
        .bind(error)
        .bind(done_at.map(|at| at.0))
    )?;
    execute!(
        tx,
        sqlx::query("insert into attempt (notification_id, n, at, duration_ms, outcome, detail) values ($1, $2, $3, $4, $5, $6)")
            .bind(ended.notification.0)
            .bind(i32::from(ended.attempt))
            .bind(ended.at.0)
            .bind(ended.took.0)
            .bind(ended.outcome)
            .bind(ended.detail)
    )?;
    if let Next::RetryAt(at) = ended.next {
        postpone_those_behind(&mut tx, ended, at).await?;
    }
    let failing_since = note_health(&mut tx, ended).await?;
    tx.commit().await?;
    Ok(failing_since)
}

/// Mail about one thing arrives in order: what comes after a mail that is to be sent again waits for it.
async fn postpone_those_behind(conn: &mut Connection, ended: &Ended<'_>, at: Timestamp) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "update notification set next_at = $3
             where subscriber_id = $1 and thread = (select thread from notification where notification_id = $2) and notification_id > $2
               and state = 'due' and next_at < $3
               and exists (select 1 from subscriber s where s.subscriber_id = $1 and s.channel = 'email')",
        )
        .bind(ended.subscriber.0)
        .bind(ended.notification.0)
        .bind(at.0)
    )?;
    Ok(())
}

async fn note_health(conn: &mut Connection, ended: &Ended<'_>) -> Result<Option<Timestamp>, StorageError> {
    if ended.next == Next::Done {
        execute!(
            conn,
            sqlx::query("update subscriber set failing_since = null where subscriber_id = $1 and failing_since is not null")
                .bind(ended.subscriber.0)
        )?;
        return Ok(None);
    }
    let since: Option<i64> = sql!(conn, c => sqlx::query_scalar(
        "update subscriber set failing_since = coalesce(failing_since, $2) where subscriber_id = $1 returning failing_since",
    )
    .bind(ended.subscriber.0)
    .bind(ended.at.0)
    .fetch_one(&mut *c)
    .await)?;
    Ok(since.map(Timestamp))
}

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
}

/// Notifications below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: NotificationFilter, before: i64, limit: i64) -> Result<Vec<Notification>, StorageError> {
    let rows: Vec<NotificationRow> = sql!(conn, c => {
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "select n.notification_id, n.notice_id, o.kind, n.subscriber_id, s.channel, s.address, n.state, n.attempt, n.next_at,
                    n.last_error, n.created_at, n.done_at
             from notification n join notice o on o.notice_id = n.notice_id join subscriber s on s.subscriber_id = n.subscriber_id
             where n.notification_id < ",
        );
        query.push_bind(before);
        if let Some(id) = filter.id {
            query.push(" and n.notification_id = ").push_bind(id.0);
        }
        if let Some(state) = filter.state {
            query.push(" and n.state = ").push_bind(state.as_str());
        }
        if let Some(subscriber) = filter.subscriber {
            query.push(" and n.subscriber_id = ").push_bind(subscriber.0);
        }
        query.push(" order by n.notification_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(notification).collect()
}

fn notification(row: NotificationRow) -> Result<Notification, StorageError> {
    Ok(Notification {
        id: NotificationId(row.notification_id),
        notice: NoticeId(row.notice_id),
        kind: row.kind,
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
