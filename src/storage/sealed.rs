//! Every place where a secret lies encrypted, and how all of them come under another key while everything runs.
//!
//! Secrets are encrypted directly under the instance's key, and not each under a key of its own that is wrapped by it. What such an
//! envelope is for holds here too: a key is exchanged without a pause and then gone, since [`rotate`] puts every row under the new
//! one, which for secrets of at most a few kilobytes costs as much as wrapping keys anew; a ciphertext opens at its place only, since
//! table, row and column are authenticated with it; and random nonces of 192 bits do not repeat, however much one key encrypts.

use serde::Serialize;
use sqlx::AssertSqlSafe;

use crate::{
    Connection, Db, SecretBox, StorageError, audit,
    db::{execute, sql},
};

/// Rows put under another key in one transaction: others wait for it no longer than for their own.
const AT_ONCE: i64 = 200;

/// A column that holds what [`SecretBox::seal`] made.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    /// A column of integers by which rows are walked through; need not be unique.
    key: &'static str,
    /// The place that a row's secret is bound to, in SQL.
    bound_to: &'static str,
    /// The column with the secret's fingerprint, if it has one.
    fingerprint: Option<&'static str>,
}

/// All of them. A test looks through the schema for others.
pub(crate) const PLACES: &[Place] = &[
    Place {
        table: "integration_secret",
        column: "ciphertext",
        key: "secret_id",
        bound_to: "'integration:' || integration_id || ':secret'",
        fingerprint: Some("fingerprint"),
    },
    Place {
        table: "subscriber",
        column: "secret",
        key: "subscriber_id",
        bound_to: "'subscriber:' || subscriber_id || ':secret'",
        fingerprint: Some("secret_fingerprint"),
    },
    Place { table: "totp", column: "secret", key: "account_id", bound_to: "'totp:' || account_id || ':secret'", fingerprint: None },
    Place {
        table: "idempotency",
        column: "body",
        key: "token_id",
        bound_to: "'idempotency:' || token_id || ':' || key",
        fingerprint: None,
    },
    Place {
        table: "confirmation",
        column: "url",
        key: "confirmation_id",
        bound_to: "'confirmation:' || integration_id || ':' || subject",
        fingerprint: None,
    },
    Place { table: "kept_form", column: "ciphertext", key: "session_id", bound_to: "'kept_form:' || session_id", fingerprint: None },
];

/// How many secrets of one place lie under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Table and column.
    pub place: String,
    /// The key's id, in hexadecimal.
    pub key: String,
    /// How many.
    pub n: i64,
}

/// Which keys are in use, and where; the seal of the audit log too.
///
/// # Errors
/// What the database said.
pub async fn usage(conn: &mut Connection) -> Result<Vec<Usage>, StorageError> {
    let mut found = Vec::new();
    let heads = Place { table: "audit_head", column: "seal", key: "head_id", bound_to: "''", fingerprint: None };
    for Place { table, column, .. } in PLACES.iter().chain([&heads]) {
        let text = format!("select substr({column}, 1, 4), count(*) from {table} where {column} is not null group by 1 order by 1");
        let rows: Vec<(Vec<u8>, i64)> = sql!(conn, c => sqlx::query_as(AssertSqlSafe(text.as_str())).fetch_all(&mut *c).await)?;
        found.extend(rows.into_iter().map(|(key, n)| Usage { place: format!("{table}.{column}"), key: hex::encode(key), n }));
    }
    Ok(found)
}

/// What came of [`rotate`] at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Table and column.
    pub place: String,
    /// How many secrets lie under the first key now that lay under another before.
    pub n: u64,
    /// How many could not be opened, because their key is not there or somebody changed them.
    pub n_failed: u64,
}

/// Puts every secret under the first key, a few rows at a time, and seals the audit log with it. May be stopped, run again, and run while
/// servers write: a row that somebody else has changed meanwhile is looked at again.
///
/// `progress` is told after each step.
///
/// # Errors
/// What the database said; what was done before stays done.
pub async fn rotate(db: &Db, secrets: &SecretBox, mut progress: impl FnMut(&Rotated)) -> Result<Vec<Rotated>, StorageError> {
    let mut all = Vec::new();
    for place in PLACES {
        let mut rotated = Rotated { place: format!("{}.{}", place.table, place.column), n: 0, n_failed: 0 };
        loop {
            let mut tx = db.begin().await?;
            let n_before = rotated.n + rotated.n_failed;
            step(&mut tx, secrets, place, &mut rotated).await?;
            tx.commit().await?;
            progress(&rotated);
            if rotated.n + rotated.n_failed == n_before {
                break;
            }
        }
        all.push(rotated);
    }
    let mut tx = db.begin().await?;
    audit::reseal(&mut tx, secrets).await?;
    tx.commit().await?;
    Ok(all)
}

async fn step(tx: &mut Connection, secrets: &SecretBox, place: &Place, rotated: &mut Rotated) -> Result<(), StorageError> {
    let Place { table, column, key, bound_to, fingerprint } = place;
    // Those that failed come first every time, and are left out.
    let text = format!(
        "select {key}, {bound_to}, {column} from {table}
         where {column} is not null and substr({column}, 1, 4) <> $1 order by {key}, {column} limit $2 offset $3"
    );
    let rows: Vec<(i64, String, Vec<u8>)> = sql!(tx, c => sqlx::query_as(AssertSqlSafe(text.as_str()))
        .bind(secrets.key_id())
        .bind(AT_ONCE)
        .bind(i64::try_from(rotated.n_failed).unwrap_or(i64::MAX))
        .fetch_all(&mut *c)
        .await)?;
    let print = fingerprint.map_or_else(String::new, |column| format!(", {column} = $4"));
    let text = format!("update {table} set {column} = $3{print} where {key} = $1 and {column} = $2");
    for (id, bound_to, sealed) in rows {
        let Ok(secret) = secrets.open(&bound_to, &sealed) else {
            rotated.n_failed += 1;
            continue;
        };
        let fresh = secrets.seal(&bound_to, &secret);
        rotated.n += match fingerprint {
            Some(_) => execute!(
                tx,
                sqlx::query(AssertSqlSafe(text.as_str()))
                    .bind(id)
                    .bind(sealed.as_slice())
                    .bind(fresh.as_slice())
                    .bind(secrets.fingerprint(&secret))
            )?,
            None => execute!(tx, sqlx::query(AssertSqlSafe(text.as_str())).bind(id).bind(sealed.as_slice()).bind(fresh.as_slice()))?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests;
