//! Answers to requests that carried an `Idempotency-Key`: the same request under the same key is done once and answered twice.

use domain::{Span, Timestamp, TokenId};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Db, SecretBox, StorageError,
    db::{execute, sql},
};

/// How long an answer is kept.
pub const KEPT: Span = Span(24 * 3_600_000);
/// How often to try for a key that somebody else gives up all the time.
const CLAIMS: usize = 5;
/// How long a request may take; one that has taken longer was cut off and may be done again.
const PATIENCE: Span = Span::secs(60);

/// One key of one token.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Whose.
    pub token: TokenId,
    /// What the client chose.
    pub key: &'a str,
}

impl Key<'_> {
    fn place(&self) -> String {
        format!("idempotency:{}:{}", self.token, self.key)
    }
}

/// An answer as it was given.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Where what was made is found.
    pub location: Option<String>,
    /// The mark of the state it shows, with its quotes.
    pub etag: Option<String>,
    /// The body; may hold a secret that is shown once.
    pub body: SecretString,
}

/// What is known of a request under a key.
#[derive(Debug)]
pub enum Claim {
    /// Nothing: do it, then call [`finish`] or [`abandon`].
    New,
    /// It was answered.
    Answered(Answer),
    /// It is being answered.
    Running,
    /// Another request came under this key.
    Other,
}

#[derive(sqlx::FromRow)]
struct Row {
    request: String,
    status: Option<i32>,
    location: Option<String>,
    body: Option<Vec<u8>>,
}

/// Asks whether to do a request; of several at once one is told [`Claim::New`]. `request` is a hash of it.
///
/// # Errors
/// What the database said, or an answer that does not open.
pub async fn claim(db: &Db, secrets: &SecretBox, key: Key<'_>, request: &str, now: Timestamp) -> Result<Claim, StorageError> {
    let mut tx = db.begin().await?;
    execute!(
        tx,
        sqlx::query("delete from idempotency where created_at <= $1 or (status is null and created_at <= $2)")
            .bind(now.0 - KEPT.0)
            .bind(now.0 - PATIENCE.0)
    )?;
    // Whoever had the key may have given it up between the two statements.
    for _ in 0..CLAIMS {
        let n = execute!(
            tx,
            sqlx::query("insert into idempotency (token_id, key, request, created_at) values ($1, $2, $3, $4) on conflict do nothing")
                .bind(key.token.0)
                .bind(key.key)
                .bind(request)
                .bind(now.0)
        )?;
        if n > 0 {
            tx.commit().await?;
            return Ok(Claim::New);
        }
        let row: Option<Row> = sql!(tx, c => sqlx::query_as("select request, status, location, body from idempotency where token_id = $1 and key = $2")
                .bind(key.token.0)
                .bind(key.key)
                .fetch_optional(&mut *c)
                .await)?;
        if let Some(row) = row {
            return known(secrets, key, request, row);
        }
    }
    Ok(Claim::Running)
}

fn known(secrets: &SecretBox, key: Key<'_>, request: &str, row: Row) -> Result<Claim, StorageError> {
    match (row.status, row.body) {
        _ if row.request != request => Ok(Claim::Other),
        (Some(status), Some(sealed)) => {
            let status = u16::try_from(status).map_err(|error| StorageError::corrupt("idempotency", "status", error))?;
            let (etag, body) = unfold(&secrets.open(&key.place(), &sealed)?);
            Ok(Claim::Answered(Answer { status, location: row.location, etag, body }))
        }
        _ => Ok(Claim::Running),
    }
}

/// Keeps the answer to a claimed request.
///
/// # Errors
/// What the database said.
pub async fn finish(db: &Db, secrets: &SecretBox, key: Key<'_>, answer: &Answer) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    let sealed = secrets.seal(&key.place(), &fold(answer));
    execute!(
        tx,
        sqlx::query("update idempotency set status = $3, location = $4, body = $5 where token_id = $1 and key = $2")
            .bind(key.token.0)
            .bind(key.key)
            .bind(i32::from(answer.status))
            .bind(answer.location.as_deref())
            .bind(sealed.as_slice())
    )?;
    tx.commit().await
}

/// The mark stands in a line before the body. It begins with a quote, which an object or a list does not.
fn fold(answer: &Answer) -> SecretString {
    let body = answer.body.expose_secret();
    answer.etag.as_ref().map_or_else(|| body.to_owned(), |etag| format!("{etag}\n{body}")).into()
}

fn unfold(text: &SecretString) -> (Option<String>, SecretString) {
    match text.expose_secret().split_once('\n') {
        Some((etag, body)) if etag.starts_with('"') => (Some(etag.to_owned()), body.into()),
        _ => (None, text.clone()),
    }
}

/// Forgets a claimed request that changed nothing.
///
/// # Errors
/// What the database said.
pub async fn abandon(db: &Db, key: Key<'_>) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    execute!(
        tx,
        sqlx::query("delete from idempotency where token_id = $1 and key = $2 and status is null").bind(key.token.0).bind(key.key)
    )?;
    tx.commit().await
}
