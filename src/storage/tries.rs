//! How often signing in was tried since it last worked: each further try has to wait longer, and nobody is ever shut out for good.

use std::net::IpAddr;

use domain::{Span, Timestamp, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    secrets::hash_token,
};

/// The longest wait.
const MAX_WAIT: Span = Span::mins(15);
/// After so long nothing is held against anybody.
const FORGOTTEN_AFTER: Span = Span::mins(24 * 60);
/// Tries at one account, from browsers that have not been signed in to it, before the next has to wait.
pub const FREE_PER_ACCOUNT: i32 = 5;
/// The same from one address, at whatever accounts: many people may share it.
pub const FREE_PER_ADDRESS: i32 = 30;

/// The tries at an account: of whatever was typed, be it somebody's or nobody's.
#[must_use]
pub fn of_account(email: &str) -> String {
    format!("account:{}", hash_token(email))
}

/// The tries from a browser that is known to the account: what others do elsewhere does not count here.
#[must_use]
pub fn of_device(secret: &SecretString) -> String {
    format!("device:{}", hash_token(secret.expose_secret()))
}

/// The tries from a network address; those of one IPv6 network are one.
#[must_use]
pub fn of_address(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) => format!("address:{:x?}", &v6.segments()[..4]),
        _ => format!("address:{address}"),
    }
}

/// The tries at the second factor, or at a new proof, of somebody whose password was given.
#[must_use]
pub fn of_proof(user: UserId) -> String {
    format!("proof:{user}")
}

/// Counts a try before it is known how it ends, so that several at once are not one.
///
/// `Err` holds how long to wait; nothing is counted then.
///
/// # Errors
/// What the database said.
pub async fn take(conn: &mut Connection, subject: &str, free: i32, now: Timestamp) -> Result<Result<(), Span>, StorageError> {
    // Takes the row's lock, so that of two at once each sees what the other did.
    let (n, last_at): (i32, i64) = sql!(conn, c => sqlx::query_as(
        "insert into sign_in_try (subject, n, last_at) values ($1, 0, $2)
         on conflict (subject) do update set n = sign_in_try.n returning n, last_at",
    )
    .bind(subject)
    .bind(now.0)
    .fetch_one(&mut *c)
    .await)?;
    let since = now.since(Timestamp(last_at));
    let n = if since >= FORGOTTEN_AFTER { 0 } else { n };
    let left = Span(wait_after(n, free).0 - since.0);
    if left.0 > 0 {
        return Ok(Err(left));
    }
    execute!(
        conn,
        sqlx::query("update sign_in_try set n = $2, last_at = $3 where subject = $1").bind(subject).bind(n.saturating_add(1)).bind(now.0)
    )?;
    Ok(Ok(()))
}

/// How long to wait after so many tries: nothing at first, then a second, two, four, up to a quarter of an hour.
fn wait_after(n: i32, free: i32) -> Span {
    let Ok(doublings) = u32::try_from(n - free) else { return Span(0) };
    Span(1000_i64.saturating_mul(1_i64 << doublings.min(20)).min(MAX_WAIT.0))
}

/// Forgets the tries of a subject that has got in.
///
/// # Errors
/// What the database said.
pub async fn forget(conn: &mut Connection, subject: &str) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from sign_in_try where subject = $1").bind(subject))?;
    Ok(())
}

/// Takes one try back: it has worked, which says nothing about the others that count together with it.
///
/// # Errors
/// What the database said.
pub async fn give_back(conn: &mut Connection, subject: &str) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("update sign_in_try set n = n - 1 where subject = $1 and n > 0").bind(subject))?;
    Ok(())
}

/// Removes what is forgotten.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, now: Timestamp) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from sign_in_try where last_at <= $1").bind(now.0 - FORGOTTEN_AFTER.0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_has_an_end() {
        let seconds: Vec<i64> = (0..12).map(|n| wait_after(n, 3).0 / 1000).collect();
        assert_eq!(seconds, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
        assert_eq!([wait_after(13, 3), wait_after(i32::MAX, 3)], [MAX_WAIT, MAX_WAIT]);
    }
}
