//! One try of a notification: it is claimed, kept while it goes on, and recorded with what follows from it.

use domain::{Channel, Claimed, Decision, Notice, NoticeAbout, NotificationId, Recipient, Span, SubscriberId, Timestamp};
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
