//! Reads the whole log and says whether it is what was written.

use super::{
    chain::{self, HASH_BYTES, Hashed},
    head::Head,
};
use crate::{Connection, Db, SecretBox, StorageError, db::sql};

/// Rows read at once.
const AT_ONCE: i64 = 500;
/// How often to look again when acts go on meanwhile.
const MAX_LOOKS: usize = 20;
/// The action that [`super::record`] adds when it meets a head whose seal is not ours.
pub(super) const BROKEN_SEAL: &str = "audit.broken_seal";

/// A log that proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many rows there are.
    pub n: i64,
    /// The number of the newest one.
    pub last_id: i64,
    /// Its hash, in hexadecimal: whoever keeps it elsewhere can tell later that nothing before it was changed.
    pub hash: String,
}

/// What is wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Nothing was ever recorded, or all of it was taken away.
    #[error("the log is empty: nothing was recorded yet, or everything was removed")]
    Empty,
    /// The row that says where the log ends is gone.
    #[error("the log's head is gone")]
    NoHead,
    /// The head was not sealed with the key we have.
    #[error("the log's head is not sealed with a key of FANAL_SECRET_KEY: it was changed, or the key is missing")]
    Seal,
    /// A row is not there.
    #[error("row {0} is missing")]
    Missing(i64),
    /// A row is not what was written, or stands behind another row than it did.
    #[error("row {0} was changed, or a row before it")]
    Changed(i64),
    /// The name beside a row is not the one it was written under.
    #[error("the name of the actor of row {0} was changed")]
    Name(i64),
    /// There is more than the head knows of.
    #[error("row {0} was not written by this program")]
    Foreign(i64),
    /// Once, a broken seal was met while something was recorded.
    #[error("row {0} says that the head was not sealed with a key of FANAL_SECRET_KEY then: rows before it may be missing or false")]
    WasBroken(i64),
    /// What the caller knows of a row is not what stands there.
    #[error("row {0} has not the hash that was expected")]
    Unexpected(i64),
}

#[derive(sqlx::FromRow)]
struct Row {
    audit_id: i64,
    at: i64,
    actor: String,
    actor_id: i64,
    name_mark: Vec<u8>,
    via: String,
    address: Option<String>,
    action: String,
    resource: Option<String>,
    before: Option<String>,
    after: Option<String>,
    hash: Vec<u8>,
    name: Option<String>,
    salt: Option<Vec<u8>>,
}

/// Reads every row. Acts may go on meanwhile. `expected` is the number and the hash of a row that was noted elsewhere.
///
/// # Errors
/// What the database said. What is wrong with the log is the inner result.
pub async fn verify(db: &Db, secrets: &SecretBox, expected: Option<(i64, &str)>) -> Result<Result<Verified, Broken>, StorageError> {
    let mut outcome = Err(Broken::NoHead);
    for _ in 0..MAX_LOOKS {
        let mut conn = db.read().await?;
        let Some(head) = Head::read(&mut conn).await? else { return Ok(Err(Broken::NoHead)) };
        outcome = check(&mut conn, secrets, &head, expected).await?;
        // What was recorded or pruned meanwhile looks like damage; damage stays when it is looked at again.
        if outcome.is_ok() || Head::read(&mut conn).await?.as_ref() == Some(&head) {
            break;
        }
    }
    Ok(outcome)
}

async fn check(
    conn: &mut Connection,
    secrets: &SecretBox,
    head: &Head,
    expected: Option<(i64, &str)>,
) -> Result<Result<Verified, Broken>, StorageError> {
    if head.seal.is_none() {
        return Ok(Err(Broken::Empty));
    }
    if !head.is_genuine(secrets) {
        return Ok(Err(Broken::Seal));
    }
    let (mut id, mut hash) = (head.base_id, head.base_hash);
    if let Some((expected, _)) = expected.filter(|(expected, _)| !(head.base_id + 1..=head.last_id).contains(expected)) {
        return Ok(Err(Broken::Missing(expected)));
    }
    loop {
        let rows = rows_after(conn, id).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            if row.audit_id > head.last_id {
                return Ok(Err(Broken::Foreign(row.audit_id)));
            }
            match next(row, id, &hash) {
                Ok(own) => (id, hash) = (row.audit_id, own),
                Err(broken) => return Ok(Err(broken)),
            }
            if expected.is_some_and(|(expected, text)| expected == id && !text.eq_ignore_ascii_case(&hex::encode(hash))) {
                return Ok(Err(Broken::Unexpected(id)));
            }
        }
    }
    if id < head.last_id {
        return Ok(Err(Broken::Missing(id + 1)));
    }
    if hash != head.last_hash {
        return Ok(Err(Broken::Changed(id)));
    }
    Ok(stray(conn, head.base_id).await?.map_or_else(|| Ok(Verified { n: id - head.base_id, last_id: id, hash: hex::encode(hash) }), Err))
}

/// A row below the beginning, which nobody of us left there.
async fn stray(conn: &mut Connection, base_id: i64) -> Result<Option<Broken>, StorageError> {
    let id: Option<i64> = sql!(conn, c => sqlx::query_scalar("select min(audit_id) from audit where audit_id <= $1")
        .bind(base_id)
        .fetch_one(&mut *c)
        .await)?;
    Ok(id.map(Broken::Foreign))
}

async fn rows_after(conn: &mut Connection, id: i64) -> Result<Vec<Row>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as(
        "select a.audit_id, a.at, a.actor, a.actor_id, a.name_mark, a.via, a.address, a.action, a.resource, a.before, a.after, a.hash,
                n.name, n.salt
         from audit a left join audit_actor n on n.actor_id = a.actor_id and n.actor = a.actor
         where a.audit_id > $1 order by a.audit_id limit $2",
    )
    .bind(id)
    .bind(AT_ONCE)
    .fetch_all(&mut *c)
    .await)?)
}

/// The hash of `row`, if it is what was written behind the row `id`.
fn next(row: &Row, id: i64, hash: &[u8; HASH_BYTES]) -> Result<[u8; HASH_BYTES], Broken> {
    if row.audit_id != id + 1 {
        return Err(Broken::Missing(id + 1));
    }
    let hashed = Hashed {
        audit_id: row.audit_id,
        at: row.at,
        actor: &row.actor,
        actor_id: row.actor_id,
        name_mark: &row.name_mark,
        via: &row.via,
        address: row.address.as_deref(),
        action: &row.action,
        resource: row.resource.as_deref(),
        before: row.before.as_deref(),
        after: row.after.as_deref(),
    };
    let own = hashed.after(hash);
    if own.as_slice() != row.hash {
        return Err(Broken::Changed(row.audit_id));
    }
    if let (Some(name), Some(salt)) = (&row.name, &row.salt)
        && chain::mark_of_name(salt, name) != row.name_mark
    {
        return Err(Broken::Name(row.audit_id));
    }
    if row.action == BROKEN_SEAL {
        return Err(Broken::WasBroken(row.audit_id));
    }
    Ok(own)
}
