//! Whom an identity provider knows an account as. Found by issuer and subject alone: everything else a provider says may change, or be reused.

use domain::{Timestamp, UserId};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// Somebody as a provider knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What it calls them, for ever.
    pub subject: &'a str,
}

/// Whose it is.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, identity: Identity<'_>) -> Result<Option<UserId>, StorageError> {
    let id: Option<i64> = sql!(conn, c => sqlx::query_scalar("select account_id from identity where issuer = $1 and subject = $2")
        .bind(identity.issuer)
        .bind(identity.subject)
        .fetch_optional(&mut *c)
        .await)?;
    Ok(id.map(UserId))
}

/// Gives it to an account.
///
/// # Errors
/// [`StorageError::Taken`] if it is somebody's, or what the database said.
pub async fn link(conn: &mut Connection, user: UserId, identity: Identity<'_>, now: Timestamp) -> Result<(), StorageError> {
    let linked = execute!(
        conn,
        sqlx::query("insert into identity (issuer, subject, account_id, created_at, seen_at) values ($1, $2, $3, $4, $4)")
            .bind(identity.issuer)
            .bind(identity.subject)
            .bind(user.0)
            .bind(now.0)
    );
    linked.map(|_| ()).map_err(|error| StorageError::taken(error, "subject"))
}

/// Whether somebody of this provider has the account already. One account is one person there, so that nobody else gets into it by an
/// address that was given to them later.
///
/// # Errors
/// What the database said.
pub async fn has_one_of(conn: &mut Connection, user: UserId, issuer: &str) -> Result<bool, StorageError> {
    let n: i64 = sql!(conn, c => sqlx::query_scalar("select count(*) from identity where account_id = $1 and issuer = $2")
        .bind(user.0)
        .bind(issuer)
        .fetch_one(&mut *c)
        .await)?;
    Ok(n > 0)
}

/// Notes that somebody came from there.
///
/// # Errors
/// What the database said.
pub async fn used(conn: &mut Connection, identity: Identity<'_>, now: Timestamp) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update identity set seen_at = $3 where issuer = $1 and subject = $2")
            .bind(identity.issuer)
            .bind(identity.subject)
            .bind(now.0)
    )?;
    Ok(())
}

/// Takes every identity from an account; tells how many there were.
///
/// # Errors
/// What the database said.
pub async fn unlink_all(conn: &mut Connection, user: UserId) -> Result<u64, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from identity where account_id = $1").bind(user.0))?)
}
