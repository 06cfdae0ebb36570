//! The ledger: one row through which everything that makes history goes, one after the other.
//!
//! It numbers versions, hands out ids, keeps the evaluator's clock, and says which process evaluates.

use domain::{Span, State, Timestamp};

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
};

/// How long a lease holds without being renewed. Another process takes over after that.
pub const LEASE: Span = Span::secs(3);

/// A transaction that makes history, with what the ledger said when it began.
#[derive(Debug)]
pub struct Entry {
    /// The open transaction.
    pub tx: Connection,
    /// The version it makes.
    pub version: i64,
    /// The next free id; [`Entry::commit`] stores how many were used.
    pub next_id: i64,
    /// The evaluator's clock.
    pub clock: Timestamp,
    /// The position that the next evaluated delivery gets.
    pub position: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    version: i64,
    next_id: i64,
    clock: i64,
    position: i64,
}

/// A process's hold on the evaluator's office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The process.
    pub holder: String,
    /// How often the office had changed hands when this process got it.
    pub epoch: i64,
}

/// Begins to make history: waits for whoever does so now, then has the ledger to itself until the transaction ends.
///
/// With a lease, fails with [`StorageError::LeaseLost`] if another process has taken over: a process that slept past its lease
/// cannot write what it decided before.
///
/// # Errors
/// As said, or what the database said.
pub async fn begin(db: &Db, lease: Option<&Lease>) -> Result<Entry, StorageError> {
    let mut tx = db.begin().await?;
    let row: Option<Row> = sql!(tx, c => {
        let query = match lease {
            Some(lease) => sqlx::query_as(
                "update ledger set version = version + 1 where lease_holder = $1 and lease_epoch = $2 returning version, next_id, clock, position",
            )
            .bind(lease.holder.as_str())
            .bind(lease.epoch),
            None => sqlx::query_as("update ledger set version = version + 1 returning version, next_id, clock, position"),
        };
        query.fetch_optional(&mut *c).await?
    });
    let Row { version, next_id, clock, position } = row.ok_or(StorageError::LeaseLost)?;
    Ok(Entry { tx, version, next_id, clock: Timestamp(clock), position })
}

impl Entry {
    /// Stores the ids used and the clock, and makes everything lasting.
    ///
    /// # Errors
    /// The database refused; nothing was kept.
    pub async fn commit(mut self, state: &State) -> Result<(), StorageError> {
        let (next_id, clock, position) = (state.next_id, state.clock.0, self.position);
        execute!(
            self.tx,
            sqlx::query("update ledger set next_id = $1, clock = $2, position = $3").bind(next_id).bind(clock).bind(position)
        )?;
        self.tx.commit().await
    }
}

/// Takes or renews the lease until `now` + [`LEASE`]; `None` while another process holds it.
///
/// # Errors
/// What the database said.
pub async fn lease(db: &Db, holder: &str, now: Timestamp) -> Result<Option<Lease>, StorageError> {
    let mut tx = db.begin().await?;
    let epoch: Option<i64> = sql!(tx, c => sqlx::query_scalar(
        "update ledger set
             lease_epoch = case when lease_holder = $1 then lease_epoch else lease_epoch + 1 end,
             lease_holder = $1,
             lease_until = $2
         where lease_holder = $1 or lease_holder is null or lease_until < $3
         returning lease_epoch",
    )
    .bind(holder)
    .bind(now.plus(LEASE).0)
    .bind(now.0)
    .fetch_optional(&mut *c)
    .await)?;
    tx.commit().await?;
    Ok(epoch.map(|epoch| Lease { holder: holder.to_owned(), epoch }))
}

/// Gives the lease back, so that another process need not wait for it to run out.
///
/// # Errors
/// What the database said.
pub async fn release(db: &Db, lease: &Lease) -> Result<(), StorageError> {
    let mut tx = db.begin().await?;
    execute!(
        tx,
        sqlx::query("update ledger set lease_holder = null, lease_until = 0 where lease_holder = $1 and lease_epoch = $2")
            .bind(lease.holder.as_str())
            .bind(lease.epoch)
    )?;
    tx.commit().await
}

/// The newest version, and when the lease runs out.
///
/// # Errors
/// What the database said.
pub async fn read(conn: &mut Connection) -> Result<(i64, Timestamp), StorageError> {
    let (version, until): (i64, i64) = sql!(conn, c => sqlx::query_as("select version, lease_until from ledger").fetch_one(&mut *c).await)?;
    Ok((version, Timestamp(until)))
}
