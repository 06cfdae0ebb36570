//! API tokens: shown once, stored hashed.

use domain::{Timestamp, TokenId};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    hint,
    rows::{json, to_json},
};

/// What every token begins with, so that a leaked one is known for what it is.
pub const TOKEN_PREFIX: &str = "fanal_";
const TOKEN_BYTES: usize = 32;

/// A token, without what proves it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Its last four characters.
    pub hint: String,
    /// `<resource>:read`, `<resource>:write` or `*`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    token_id: i64,
    name: String,
    hint: String,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<Row> for Token {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: TokenId(row.token_id),
            name: row.name,
            hint: row.hint,
            scopes: json(&row.scopes, "token", "scopes")?,
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
            last_used_at: row.last_used_at.map(Timestamp),
            revoked_at: row.revoked_at.map(Timestamp),
        })
    }
}

/// Makes a token. Its text is returned here and never again.
///
/// # Errors
/// What the database said.
pub async fn create(
    conn: &mut Connection,
    name: &str,
    scopes: &[String],
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(TokenId, SecretString), StorageError> {
    let mut bytes = [0; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let text = SecretString::from(format!("{TOKEN_PREFIX}{}", hex::encode(bytes)));
    let id: i64 = sql!(conn, c => sqlx::query_scalar(
        "insert into token (name, hash, hint, scopes, created_at, expires_at) values ($1, $2, $3, $4, $5, $6) returning token_id",
    )
    .bind(name)
    .bind(hash(text.expose_secret()))
    .bind(hint(&text))
    .bind(to_json(&scopes))
    .bind(now.0)
    .bind(expires_at.map(|at| at.0))
    .fetch_one(&mut *c)
    .await)?;
    Ok((TokenId(id), text))
}

/// The token of this text, if it is valid now.
///
/// # Errors
/// What the database said.
pub async fn authenticate(conn: &mut Connection, text: &str, now: Timestamp) -> Result<Option<Token>, StorageError> {
    let row: Option<Row> = sql!(conn, c => sqlx::query_as(
        "select token_id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at from token
         where hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)",
    )
    .bind(hash(text))
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    row.map(Token::try_from).transpose()
}

/// Every token, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection) -> Result<Vec<Token>, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(
        "select token_id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at from token order by token_id desc",
    )
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(Token::try_from).collect()
}

/// Ends a token; tells whether it was valid.
///
/// # Errors
/// What the database said.
pub async fn revoke(conn: &mut Connection, id: TokenId, now: Timestamp) -> Result<bool, StorageError> {
    let n =
        execute!(conn, sqlx::query("update token set revoked_at = $2 where token_id = $1 and revoked_at is null").bind(id.0).bind(now.0))?;
    Ok(n > 0)
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
