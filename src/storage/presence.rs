//! How processes on one PostgreSQL know of each other that they live.
//!
//! Each holds a lock of its own on a connection of its own. The server takes the lock back when the connection ends, which the system
//! sees to the moment a process dies, so that others need not wait until a lease runs out. Nothing rests on it but speed: a process
//! that lives and has lost its connection is fenced like one that slept past its lease.

use std::{future::Future, io, time::Duration};

use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::{Connection, Db, StorageError, db::Raw};

/// A server that takes longer has fallen silent.
const SILENCE: Duration = Duration::from_secs(2);

/// What the locks of holders are told apart from other locks by.
const LOCK_PREFIX: &str = "fanal evaluator ";

/// A lock that is held as long as the process lives.
#[derive(Debug)]
pub(crate) struct Presence(PgConnection);

impl Presence {
    /// Shows that `holder` lives. `None` on SQLite, where nobody else is there.
    pub(crate) async fn show(db: &Db, holder: &str) -> Result<Option<Self>, StorageError> {
        let Db::Postgres(pool) = db else { return Ok(None) };
        let mut conn = pool.acquire().await?.detach();
        // One that cannot be had is still held by a connection of ours that the server has not given up yet.
        let lock = "select pg_try_advisory_lock(hashtextextended($1 || $2, 0))";
        in_time(sqlx::query(lock).bind(LOCK_PREFIX).bind(holder).execute(&mut conn)).await?;
        Ok(Some(Self(conn)))
    }

    pub(crate) async fn is_up(&mut self) -> bool {
        in_time(self.0.ping()).await.is_ok()
    }
}

/// The holder of the evaluator's lease, if it has died.
pub(crate) async fn holder_that_is_gone(conn: &mut Connection) -> Result<Option<String>, StorageError> {
    let Raw::Postgres(link) = conn.raw() else { return Ok(None) };
    // The lock is given back at once, with the end of the statement.
    let free = "select lease_holder from ledger
         where lease_holder is not null and pg_try_advisory_xact_lock(hashtextextended($1 || lease_holder, 0))";
    Ok(sqlx::query_scalar(free).bind(LOCK_PREFIX).fetch_optional(&mut *link).await?)
}

async fn in_time<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(SILENCE, asked).await.unwrap_or_else(|_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into())))
}
