//! Pools and statements for the queue's tables, which belong to apalis. They hold no truth: everything in them may be lost.

use std::{path::Path, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
pub use sqlx::{PgPool, SqlitePool};
use sqlx::{
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tracing::warn;

use crate::{StorageError, migrations};

/// How long to wait for a connection or a lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Worker, pushers, listener.
const N_POSTGRES_CONNECTIONS: u32 = 5;
/// Rows deleted by one statement, so that pruning never holds up the queue.
const PRUNE_AT_ONCE: i64 = 1000;
/// How long a worker that has not been heard of is remembered.
const FORGET_WORKERS_AFTER_SECS: i64 = 3600;

/// Opens the queue's own SQLite file, making it if there is none. A damaged one is replaced: the sweep fills it again.
///
/// # Errors
/// The file cannot be opened.
pub async fn open_sqlite(path: &Path) -> Result<SqlitePool, StorageError> {
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        tokio::fs::create_dir_all(folder).await.map_err(|error| StorageError::Url(format!("{}: {error}", folder.display())))?;
    }
    let pool = connect_sqlite(path);
    match sqlx::query_scalar::<_, String>("pragma quick_check(1)").fetch_one(&pool).await {
        Ok(verdict) if verdict == "ok" => return Ok(pool),
        Err(error) if !is_damage(&error) => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    warn!("The queue's file is damaged and is replaced; what it held will be pushed again");
    pool.close().await;
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match tokio::fs::remove_file(&name).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(StorageError::Database(sqlx::Error::Io(error))),
            _ => {}
        }
    }
    Ok(connect_sqlite(path))
}

fn connect_sqlite(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A power cut may take the last commits, and that is fine; it must not damage the file.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT);
    // One connection: worker and pushers queue up here and not in SQLite's busy handler.
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code().and_then(|code| code.parse::<u32>().ok()));
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}

/// Opens a pool for the queue in a PostgreSQL database. Its commits do not wait for the disk.
///
/// # Errors
/// The URL cannot be used or the server not be reached.
pub async fn open_postgres(url: &SecretString) -> Result<PgPool, StorageError> {
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|error| StorageError::Url(error.to_string()))?
        .application_name("fanal queue")
        .options([("synchronous_commit", "off")]);
    Ok(PgPoolOptions::new().max_connections(N_POSTGRES_CONNECTIONS).acquire_timeout(BUSY_TIMEOUT).connect_with(options).await?)
}

/// Brings the tables of the queue's own SQLite file up to date, one process at a time.
///
/// # Errors
/// A step failed; nothing of it is kept.
pub async fn migrate_sqlite(pool: &SqlitePool, migrator: &Migrator) -> Result<(), StorageError> {
    Ok(migrations::run_missing_alone(migrator, pool).await?)
}

/// Brings the queue's tables in a PostgreSQL database up to date. Where they are, they are only looked at.
///
/// # Errors
/// A step failed, or the role may not make tables.
pub async fn migrate_postgres(pool: &PgPool, migrator: &Migrator) -> Result<(), StorageError> {
    Ok(migrations::run_missing(migrator, pool).await?)
}

/// Drops two indexes that SQLite, knowing nothing of how full they are, prefers to better ones: taking and finishing a task would
/// each cost a walk over all tasks a worker ever did.
///
/// # Errors
/// The file cannot be written.
pub async fn tune_sqlite(pool: &SqlitePool) -> Result<(), StorageError> {
    sqlx::raw_sql("drop index if exists LIdx; drop index if exists idx_jobs_status_run_at").execute(pool).await?;
    Ok(())
}

/// Deletes what is done and forgets workers that are gone; gives the number of tasks deleted.
///
/// # Errors
/// The file cannot be written.
pub async fn prune_sqlite(pool: &SqlitePool) -> Result<u64, StorageError> {
    let mut n_deleted = 0;
    loop {
        let delete = "delete from Jobs where rowid in
            (select rowid from Jobs where status in ('Done', 'Failed', 'Killed') and done_at is not null limit $1)";
        let n = sqlx::query(delete).bind(PRUNE_AT_ONCE).execute(pool).await?.rows_affected();
        n_deleted += n;
        if n == 0 {
            break;
        }
    }
    let forget =
        "delete from Workers where last_seen < unixepoch() - $1 and id not in (select lock_by from Jobs where lock_by is not null)";
    sqlx::query(forget).bind(FORGET_WORKERS_AFTER_SECS).execute(pool).await?;
    Ok(n_deleted)
}

/// As [`prune_sqlite`].
///
/// # Errors
/// The database cannot be written.
pub async fn prune_postgres(pool: &PgPool) -> Result<u64, StorageError> {
    let mut n_deleted = 0;
    loop {
        let delete = "delete from apalis.jobs where id in
            (select id from apalis.jobs where status in ('Done', 'Failed', 'Killed') limit $1 for update skip locked)";
        let n = sqlx::query(delete).bind(PRUNE_AT_ONCE).execute(pool).await?.rows_affected();
        n_deleted += n;
        if n == 0 {
            break;
        }
    }
    let forget = "delete from apalis.workers w where last_seen < now() - make_interval(secs => $1)
        and not exists (select 1 from apalis.jobs j where j.lock_by = w.id)";
    #[expect(clippy::cast_precision_loss, reason = "an hour")]
    sqlx::query(forget).bind(FORGET_WORKERS_AFTER_SECS as f64).execute(pool).await?;
    Ok(n_deleted)
}

/// How many tasks of `queue` are waiting or under way.
///
/// # Errors
/// The file cannot be read.
pub async fn outstanding_sqlite(pool: &SqlitePool, queue: &str) -> Result<u64, StorageError> {
    let count = "select count(*) from Jobs where job_type = $1 and status in ('Pending', 'Queued', 'Running')";
    let n: i64 = sqlx::query_scalar(count).bind(queue).fetch_one(pool).await?;
    Ok(n.unsigned_abs())
}

/// As [`outstanding_sqlite`].
///
/// # Errors
/// The database cannot be read.
pub async fn outstanding_postgres(pool: &PgPool, queue: &str) -> Result<u64, StorageError> {
    let count = "select count(*) from apalis.jobs where job_type = $1 and status in ('Pending', 'Queued', 'Running')";
    let n: i64 = sqlx::query_scalar(count).bind(queue).fetch_one(pool).await?;
    Ok(n.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_queue_file_is_replaced() {
        let folder = std::env::temp_dir().join(format!("fanal-queue-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("queue.db");
        std::fs::write(&path, "this is no database, and never was one, however long one looks at it".repeat(100)).unwrap();
        let pool = open_sqlite(&path).await.unwrap();
        sqlx::raw_sql("create table t (x); insert into t values (1)").execute(&pool).await.unwrap();
        pool.close().await;
        let again = open_sqlite(&path).await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, i64>("select x from t").fetch_one(&again).await.unwrap(), 1);
        again.close().await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}
