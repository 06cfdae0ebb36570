//! Passkeys: keys that somebody's device signs with. Only public halves are kept.

use domain::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::{json, to_json},
    secrets::hash_token,
};

/// The most that one person has.
pub const MAX_PASSKEYS: usize = 20;

/// What a signature is checked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// As COSE numbers it: -7, -8 or -257.
    pub algorithm: i32,
    /// DER of its `SubjectPublicKeyInfo`, in base 64 for URLs.
    pub spki: String,
    /// How often the device says it has signed; 0 if it does not count.
    pub n_signed: u32,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub user: UserId,
    /// What the device calls it, in base 64 for URLs.
    pub credential_id: String,
    /// What a signature is checked with.
    pub key: PublicKey,
    /// What its owner calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When somebody last signed in with it.
    pub last_used_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    passkey_id: i64,
    account_id: i64,
    credential_id: String,
    data: String,
    name: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl TryFrom<Row> for Passkey {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.passkey_id,
            user: UserId(row.account_id),
            credential_id: row.credential_id,
            key: json(&row.data, "passkey", "data")?,
            name: row.name,
            created_at: Timestamp(row.created_at),
            last_used_at: row.last_used_at.map(Timestamp),
        })
    }
}

macro_rules! columns {
    () => {
        "select passkey_id, account_id, credential_id, data, name, created_at, last_used_at from passkey "
    };
}

/// Adds a passkey.
///
/// # Errors
/// [`StorageError::Taken`] if it is somebody's already, or what the database said.
pub async fn add(
    conn: &mut Connection,
    user: UserId,
    credential_id: &str,
    key: &PublicKey,
    name: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let added = execute!(
        conn,
        sqlx::query("insert into passkey (account_id, credential_id, data, name, created_at) values ($1, $2, $3, $4, $5)")
            .bind(user.0)
            .bind(credential_id)
            .bind(to_json(key))
            .bind(name)
            .bind(now.0)
    );
    added.map(|_| ()).map_err(|error| StorageError::taken(error, "credential_id"))
}

/// Somebody's passkeys, oldest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, user: UserId) -> Result<Vec<Passkey>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(concat!(columns!(), "where account_id = $1 order by passkey_id"))
        .bind(user.0)
        .fetch_all(&mut *c)
        .await)?;
    rows.into_iter().map(Passkey::try_from).collect()
}

/// The passkey that a device calls so.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, credential_id: &str) -> Result<Option<Passkey>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(concat!(columns!(), "where credential_id = $1"))
        .bind(credential_id)
        .fetch_optional(&mut *c)
        .await)?;
    row.map(Passkey::try_from).transpose()
}

/// Notes that it has signed, unless another signature was taken since it was read: tells whether it is noted.
///
/// # Errors
/// What the database said.
pub async fn used(conn: &mut Connection, passkey: &Passkey, n_signed: u32, now: Timestamp) -> Result<bool, StorageError> {
    let key = PublicKey { n_signed, ..passkey.key.clone() };
    let n = execute!(
        conn,
        sqlx::query("update passkey set data = $3, last_used_at = $4 where passkey_id = $1 and data = $2")
            .bind(passkey.id)
            .bind(to_json(&passkey.key))
            .bind(to_json(&key))
            .bind(now.0)
    )?;
    Ok(n > 0)
}

/// Removes one of somebody's; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn remove(conn: &mut Connection, user: UserId, id: i64) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from passkey where account_id = $1 and passkey_id = $2").bind(user.0).bind(id))? > 0)
}

/// Notes that a challenge was answered; tells whether this was the first answer.
///
/// # Errors
/// What the database said.
pub async fn answer_challenge(conn: &mut Connection, challenge: &str, expires_at: Timestamp, now: Timestamp) -> Result<bool, StorageError> {
    execute!(conn, sqlx::query("delete from answered_challenge where expires_at <= $1").bind(now.0))?;
    let n = execute!(
        conn,
        sqlx::query("insert into answered_challenge (hash, expires_at) values ($1, $2) on conflict (hash) do nothing")
            .bind(hash_token(challenge))
            .bind(expires_at.0)
    )?;
    Ok(n > 0)
}
