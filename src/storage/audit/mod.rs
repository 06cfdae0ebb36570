//! The audit log: who did what that matters for security, each row proving all rows before it.
//!
//! [`record`] writes a row in the transaction of the act itself, so that there is no act without its row and no row without its act. Rows
//! hold neither secrets nor names: what callers forget to leave out is taken out here, and a name stands beside the log, where [`erase`] takes
//! it away without breaking the chain.

mod acts;
mod chain;
mod head;
mod keep;
mod list;
mod scrub;
#[cfg(test)]
mod tests;
mod verify;

use std::{fmt, net::IpAddr};

use domain::{Timestamp, TokenId};
use rand::Rng;
use serde_json::Value;

pub(crate) use acts::Told;
pub(crate) use keep::reseal;
pub use keep::{erase, mark_sent, prune, unsent};
pub use list::{Filter, Recorded, list};
pub use verify::{Broken, Verified, verify};

use crate::{
    Connection, Db, SecretBox, StorageError,
    db::{execute, sql},
};
use chain::{HASH_BYTES, Hashed};
use head::Head;

/// Bytes of salt that make a name's mark say nothing about the name.
const SALT_BYTES: usize = 16;

/// Whose act it is. Shown as a pseudonym: `user:7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person with an account.
    User(i64),
    /// A program with a token.
    Token(TokenId),
    /// Somebody at the command line: the system's number of the user.
    Command(u32),
    /// This program, of its own accord.
    System,
    /// Somebody who did not say or prove who.
    Anonymous,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Command(uid) => write!(f, "command:{uid}"),
            Self::System => f.write_str("system"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// By what the actor proved to be who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// A session of a browser, by its public number.
    Session(i64),
    /// A token.
    Token(TokenId),
    /// The command line, which can read the key and the database anyway.
    Command,
    /// Nothing outside this program.
    Machine,
    /// Nothing at all.
    Nothing,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session:{id}"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Command => f.write_str("command"),
            Self::Machine => f.write_str("machine"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// Who acts, by what, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// The name under which people know the actor; stands beside the log, and can be erased.
    pub name: String,
    /// By what.
    pub via: Via,
    /// The client's address, as the trusted proxies say.
    pub address: Option<IpAddr>,
}

impl By {
    /// This program, of its own accord.
    #[must_use]
    pub fn system() -> Self {
        Self { actor: Actor::System, name: String::new(), via: Via::Machine, address: None }
    }

    /// Somebody who did not say or prove who.
    #[must_use]
    pub const fn nobody(address: Option<IpAddr>) -> Self {
        Self { actor: Actor::Anonymous, name: String::new(), via: Via::Nothing, address }
    }
}

/// An act to be recorded.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who acts.
    pub by: &'a By,
    /// The kind of thing and the verb: `component.update`.
    pub action: &'a str,
    /// What it is done to: `component:5`.
    pub resource: Option<String>,
    /// The thing before, as its readers see it; null if it was not there. Only what is different is kept.
    pub before: Value,
    /// The thing after; null if it is gone.
    pub after: Value,
    /// When.
    pub at: Timestamp,
}

/// Records an act in the transaction that does it; returns the row's number.
///
/// Call it last, right before the commit: from here on all other acts wait. Whoever also makes history takes the ledger first, so that
/// two acts never wait for one another.
///
/// # Errors
/// What the database said.
pub async fn record(tx: &mut Connection, secrets: &SecretBox, entry: &Entry<'_>) -> Result<i64, StorageError> {
    let mut head = Head::take(tx).await?;
    if !head.is_genuine(secrets) {
        // The act goes on, in the middle of an outage perhaps; what was found stays in the log for good.
        tracing::error!(
            last_id = head.last_id,
            "The audit log's seal is broken: somebody changed it, or FANAL_SECRET_KEY lacks the key it was sealed with"
        );
        let found = serde_json::json!({ "last_id": head.last_id, "base_id": head.base_id });
        let broken =
            Entry { by: &By::system(), action: verify::BROKEN_SEAL, resource: None, before: Value::Null, after: found, at: entry.at };
        append(tx, secrets, &mut head, &broken).await?;
    }
    append(tx, secrets, &mut head, entry).await?;
    head.store(tx, secrets).await?;
    Ok(head.last_id)
}

/// Records something that has no transaction of its own: a failed log-in, a start.
///
/// # Errors
/// What the database said.
pub async fn note(db: &Db, secrets: &SecretBox, entry: &Entry<'_>) -> Result<i64, StorageError> {
    let mut tx = db.begin().await?;
    let id = record(&mut tx, secrets, entry).await?;
    tx.commit().await?;
    Ok(id)
}

async fn append(tx: &mut Connection, secrets: &SecretBox, head: &mut Head, entry: &Entry<'_>) -> Result<(), StorageError> {
    let actor = entry.by.actor.to_string();
    let (actor_id, salt) = actor_row(tx, &actor, &entry.by.name).await?;
    let mark = chain::mark_of_name(&salt, &entry.by.name);
    let (before, after) = scrub::difference(secrets, &entry.before, &entry.after);
    let (via, address) = (entry.by.via.to_string(), entry.by.address.map(|address| address.to_string()));
    let resource = entry.resource.as_deref().map(|resource| scrub::resource(secrets, resource));
    let hashed = Hashed {
        audit_id: head.last_id + 1,
        at: entry.at.0,
        actor: &actor,
        actor_id,
        name_mark: &mark,
        via: &via,
        address: address.as_deref(),
        action: entry.action,
        resource: resource.as_deref(),
        before: before.as_deref(),
        after: after.as_deref(),
    };
    let hash = hashed.after(&head.last_hash);
    execute!(
        tx,
        sqlx::query(
            "insert into audit (audit_id, at, actor, actor_id, name_mark, via, address, action, resource, before, after, hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(hashed.audit_id)
        .bind(hashed.at)
        .bind(hashed.actor)
        .bind(hashed.actor_id)
        .bind(hashed.name_mark)
        .bind(hashed.via)
        .bind(hashed.address)
        .bind(hashed.action)
        .bind(hashed.resource)
        .bind(hashed.before)
        .bind(hashed.after)
        .bind(hash.as_slice())
    )?;
    (head.last_id, head.last_hash) = (hashed.audit_id, hash);
    Ok(())
}

/// The row of an actor under this name, made if it is new. Only one transaction at a time comes here, since it holds the head.
async fn actor_row(tx: &mut Connection, actor: &str, name: &str) -> Result<(i64, Vec<u8>), StorageError> {
    let known: Option<(i64, Option<Vec<u8>>)> = sql!(tx, c => sqlx::query_as("select actor_id, salt from audit_actor where actor = $1 and name = $2")
            .bind(actor)
            .bind(name)
            .fetch_optional(&mut *c)
            .await)?;
    if let Some((id, Some(salt))) = known {
        return Ok((id, salt));
    }
    let mut salt = vec![0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let id = sql!(tx, c => sqlx::query_scalar("insert into audit_actor (actor, name, salt) values ($1, $2, $3) returning actor_id")
        .bind(actor)
        .bind(name)
        .bind(salt.as_slice())
        .fetch_one(&mut *c)
        .await)?;
    Ok((id, salt))
}

/// Reads a stored hash.
fn hash_of(bytes: &[u8], table: &'static str, column: &'static str) -> Result<[u8; HASH_BYTES], StorageError> {
    bytes.try_into().map_err(|_| StorageError::corrupt(table, column, "it has not 32 bytes"))
}
