//! Browsers from which somebody has signed in: those that are known are not reported, and wrong passwords from elsewhere do not hold them up.

use domain::{Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    secrets::{hash_token, random_token},
};

/// The most browsers remembered for one person.
const MAX_DEVICES: i64 = 20;

/// Whether somebody has signed in from the browser that holds this secret.
///
/// # Errors
/// What the database said.
pub async fn is_known(conn: &mut Connection, user: UserId, secret: &SecretString) -> Result<bool, StorageError> {
    let n: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from device where account_id = $1 and hash = $2")
        .bind(user.0)
        .bind(hash_token(secret.expose_secret()))
        .fetch_one(&mut *c)
        .await)?;
    Ok(n > 0)
}

/// How many browsers somebody is known from.
///
/// # Errors
/// What the database said.
pub async fn count(conn: &mut Connection, user: UserId) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar("select count(*) from device where account_id = $1").bind(user.0).fetch_one(&mut *c).await)?)
}

/// Notes that a known browser was used.
///
/// # Errors
/// What the database said.
pub async fn touch(conn: &mut Connection, user: UserId, secret: &SecretString, now: Timestamp) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update device set seen_at = $3 where account_id = $1 and hash = $2")
            .bind(user.0)
            .bind(hash_token(secret.expose_secret()))
            .bind(now.0)
    )?;
    Ok(())
}

/// Remembers a browser; gives the secret it is known by. Of too many the one used least recently is forgotten.
///
/// # Errors
/// What the database said.
pub async fn remember(conn: &mut Connection, user: UserId, now: Timestamp) -> Result<SecretString, StorageError> {
    let secret = SecretString::from(random_token());
    execute!(
        conn,
        sqlx::query("insert into device (account_id, hash, seen_at) values ($1, $2, $3)")
            .bind(user.0)
            .bind(hash_token(secret.expose_secret()))
            .bind(now.0)
    )?;
    execute!(
        conn,
        sqlx::query(
            "delete from device where account_id = $1 and device_id not in
             (select device_id from device where account_id = $1 order by seen_at desc, device_id desc limit $2)"
        )
        .bind(user.0)
        .bind(MAX_DEVICES)
    )?;
    Ok(secret)
}

/// Forgets every browser of somebody: what gets in from there is new again.
///
/// # Errors
/// What the database said.
pub async fn forget_all(conn: &mut Connection, user: UserId) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from device where account_id = $1").bind(user.0))?;
    Ok(())
}
