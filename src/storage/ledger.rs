//! The ledger: one row through which everything that makes history goes, one after the other.
//!
//! It numbers versions, hands out ids, keeps the evaluator's clock, and says which process evaluates.

use std::{fs::File, path::Path};

use domain::{Span, State, Timestamp};

use crate::{
    Connection, Db, StorageError,
    db::{execute, sql},
    presence::{Presence, holder_that_is_gone},
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
    /// Whether readers may see something else afterwards: the page is rendered again then.
    pub visible: bool,
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
    Ok(Entry { tx, version, next_id, clock: Timestamp(clock), position, visible: false })
}

impl Entry {
    /// Stores the ids used and the clock, and makes everything lasting.
    ///
    /// # Errors
    /// The database refused; nothing was kept.
    pub async fn commit(mut self, state: &State) -> Result<(), StorageError> {
        execute!(
            self.tx,
            sqlx::query(
                "update ledger set next_id = $1, clock = $2, position = $3, page_version = case when $4 then version else page_version end"
            )
            .bind(state.next_id)
            .bind(state.clock.0)
            .bind(self.position)
            .bind(self.visible)
        )?;
        self.tx.commit().await
    }
}

/// Makes a version in `tx` for something that readers see and that changes no status: samples, the page's own name.
///
/// # Errors
/// What the database said.
pub async fn touch(tx: &mut Connection) -> Result<(), StorageError> {
    execute!(tx, sqlx::query("update ledger set version = version + 1, page_version = version + 1"))?;
    Ok(())
}

/// Takes one id outside [`domain::State`]. Makes a version, so that the evaluator learns that the id is taken.
///
/// # Errors
/// What the database said.
pub(crate) async fn take_id(tx: &mut Connection) -> Result<i64, StorageError> {
    Ok(sql!(tx, c => sqlx::query_scalar("update ledger set version = version + 1, next_id = next_id + 1 returning next_id - 1")
        .fetch_one(&mut *c)
        .await)?)
}

/// Where a process asks for the evaluator's office and renews its hold on it.
#[derive(Debug)]
pub struct Office {
    db: Db,
    holder: String,
    /// On SQLite: the lock on a file beside the database, which the system takes back the moment the process ends.
    lock: Option<File>,
    /// On PostgreSQL: what shows the others that this process lives, however long it sleeps.
    presence: Option<Presence>,
    lease: Option<Lease>,
}

impl Office {
    /// An office for a process that calls itself `holder`; the name must be new at every start.
    #[must_use]
    pub const fn new(db: Db, holder: String) -> Self {
        Self { db, holder, lock: None, presence: None, lease: None }
    }

    /// Takes or renews the lease; `None` while another process holds it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hold(&mut self, now: Timestamp) -> Result<Option<Lease>, StorageError> {
        self.lease = match self.db.file() {
            Some(_) if self.lock.is_some() && self.lease.is_some() => return Ok(self.lease.clone()),
            Some(file) => self.hold_file(&file).await?,
            None => self.hold_lease(now).await?,
        };
        Ok(self.lease.clone())
    }

    async fn hold_lease(&mut self, now: Timestamp) -> Result<Option<Lease>, StorageError> {
        self.show_presence().await?;
        let gone = if self.lease.is_none() { holder_that_is_gone(&mut self.db.read().await?).await? } else { None };
        lease(&self.db, &self.holder, now, now.plus(LEASE), &gone.map_or(Others::MayLive, Others::HasDied)).await
    }

    async fn show_presence(&mut self) -> Result<(), StorageError> {
        if let Some(presence) = &mut self.presence
            && presence.is_up().await
        {
            return Ok(());
        }
        self.presence = Presence::show(&self.db, &self.holder).await?;
        Ok(())
    }

    async fn hold_file(&mut self, database: &Path) -> Result<Option<Lease>, StorageError> {
        if self.lock.is_none() {
            let path = database.with_extension("evaluator-lock");
            let open = File::options().create(true).truncate(false).write(true).open(&path);
            let file = open.map_err(|error| StorageError::Url(format!("{}: {error}", path.display())))?;
            if file.try_lock().is_err() {
                return Ok(None);
            }
            self.lock = Some(file);
        }
        // Whoever has the lock is alone, whatever the row says of somebody who died.
        lease(&self.db, &self.holder, Timestamp(0), Timestamp(i64::MAX), &Others::None).await
    }

    /// Gives the lease back, so that another process need not wait for it to run out.
    ///
    /// # Errors
    /// What the database said.
    pub async fn leave(&mut self) -> Result<(), StorageError> {
        (self.lock, self.presence) = (None, None);
        let Some(lease) = self.lease.take() else { return Ok(()) };
        let mut tx = self.db.begin().await?;
        execute!(
            tx,
            sqlx::query("update ledger set lease_holder = null, lease_until = 0 where lease_holder = $1 and lease_epoch = $2")
                .bind(lease.holder.as_str())
                .bind(lease.epoch)
        )?;
        tx.commit().await
    }
}

/// What is known of whoever else may hold the lease.
enum Others {
    /// Nothing: the lease must have run out.
    MayLive,
    /// This holder has died.
    HasDied(String),
    /// There is nobody else.
    None,
}

async fn lease(db: &Db, holder: &str, now: Timestamp, until: Timestamp, others: &Others) -> Result<Option<Lease>, StorageError> {
    let gone = if let Others::HasDied(gone) = others { Some(gone.as_str()) } else { None };
    let mut tx = db.begin().await?;
    let epoch: Option<i64> = sql!(tx, c => sqlx::query_scalar(
        "update ledger set
             lease_epoch = case when lease_holder = $1 then lease_epoch else lease_epoch + 1 end,
             lease_holder = $1,
             lease_until = $2
         where lease_holder = $1 or lease_holder is null or lease_until < $3 or lease_holder = $4 or $5
         returning lease_epoch",
    )
    .bind(holder)
    .bind(until.0)
    .bind(now.0)
    .bind(gone)
    .bind(matches!(others, Others::None))
    .fetch_optional(&mut *c)
    .await)?;
    tx.commit().await?;
    Ok(epoch.map(|epoch| Lease { holder: holder.to_owned(), epoch }))
}

/// What anybody may ask of the ledger.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Reading {
    /// The newest version.
    pub version: i64,
    /// The newest version with something new for readers.
    pub page_version: i64,
    /// When the evaluator's lease runs out, in milliseconds since 1970.
    pub lease_until: i64,
    /// The evaluator's clock, in milliseconds since 1970.
    pub clock: i64,
}

/// Reads the ledger.
///
/// # Errors
/// What the database said.
pub async fn read(conn: &mut Connection) -> Result<Reading, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as("select version, page_version, lease_until, clock from ledger").fetch_one(&mut *c).await)?)
}
