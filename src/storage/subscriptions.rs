//! Subscribers who come by themselves: they subscribe with a mail address, confirm, and leave.

use domain::Timestamp;

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    secrets::random_token,
};

/// What the holder of a subscription's link may see.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Subscription {
    /// Whom it reaches.
    pub address: String,
    /// Whether it is about some components only.
    pub scoped: bool,
    /// Whether the address was confirmed.
    pub confirmed: bool,
    /// Whether it has ended.
    pub disabled: bool,
}

/// Subscribes a mail address, still to be confirmed; returns the token for the link, or `None` if it is subscribed already.
///
/// # Errors
/// What the database said.
pub async fn subscribe_by_mail(conn: &mut Connection, address: &str, now: Timestamp) -> Result<Option<String>, StorageError> {
    let token: String = sql!(conn, c => sqlx::query_scalar(
        "insert into subscriber as s (channel, address, manage_token, created_at) values ('email', $1, $2, $3)
         on conflict (channel, address) do update set
             confirmed_at = case when s.disabled_at is null then s.confirmed_at else null end, disabled_at = null, disabled_reason = null
         returning manage_token",
    )
    .bind(address)
    .bind(random_token())
    .bind(now.0)
    .fetch_one(&mut *c)
    .await)?;
    let found = find_by_token(conn, &token).await?;
    Ok(found.filter(|found| !found.confirmed).map(|_| token))
}

/// Whether we could have made this token. PostgreSQL answers some texts, such as one with a NUL in it, by an error, which would look as if
/// it were out of reach.
fn is_ours(token: &str) -> bool {
    token.len() <= 64 && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The subscription that a link belongs to.
///
/// # Errors
/// What the database said.
pub async fn find_by_token(conn: &mut Connection, token: &str) -> Result<Option<Subscription>, StorageError> {
    if !is_ours(token) {
        return Ok(None);
    }
    Ok(sql!(conn, c => sqlx::query_as(
        "select address, scoped, confirmed_at is not null as confirmed, disabled_at is not null as disabled
         from subscriber where manage_token = $1",
    )
    .bind(token)
    .fetch_optional(&mut *c)
    .await)?)
}

/// Confirms a subscription.
///
/// # Errors
/// What the database said.
pub async fn confirm(conn: &mut Connection, token: &str, now: Timestamp) -> Result<(), StorageError> {
    if !is_ours(token) {
        return Ok(());
    }
    execute!(
        conn,
        sqlx::query("update subscriber set confirmed_at = coalesce(confirmed_at, $2) where manage_token = $1 and disabled_at is null")
            .bind(token)
            .bind(now.0)
    )?;
    Ok(())
}

/// Ends a subscription and cancels what is still owed to it.
///
/// # Errors
/// What the database said.
pub async fn end(conn: &mut Connection, token: &str, now: Timestamp) -> Result<(), StorageError> {
    if !is_ours(token) {
        return Ok(());
    }
    execute!(
        conn,
        sqlx::query(
            "update subscriber set disabled_at = coalesce(disabled_at, $2), disabled_reason = 'unsubscribed' where manage_token = $1"
        )
        .bind(token)
        .bind(now.0)
    )?;
    execute!(
        conn,
        sqlx::query(
            "update notification set state = 'cancelled', done_at = $2 where state in ('due', 'sending')
             and subscriber_id = (select subscriber_id from subscriber where manage_token = $1)"
        )
        .bind(token)
        .bind(now.0)
    )?;
    Ok(())
}
