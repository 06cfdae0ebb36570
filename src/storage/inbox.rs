//! The inbox: deliveries become durable here, many in one commit.
//!
//! A sync to disk costs far more than a row, so whoever waits for one shares it: while a batch commits, the next one gathers.

use std::{collections::HashSet, sync::Arc, time::Duration};

use domain::NewDelivery;
use sqlx::{QueryBuilder, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::error;

use crate::{Connection, Db, StorageError, Topic, Wake, db::Raw, link::Link};

/// Deliveries that may wait for their commit at once; one more is turned away.
pub const MAX_WAITING: usize = 4096;
/// Deliveries in one commit.
const MAX_BATCH: usize = 512;
/// Body bytes in one commit.
const MAX_BATCH_BYTES: usize = 8 << 20;
/// Rows in one statement, on SQLite; powers of two below keep the number of prepared statements small.
const MAX_ROWS: usize = 64;
/// Kibibytes of bodies that may wait at once.
const MAX_WAITING_KIB: usize = 128 << 10;
/// How long a delivery may wait for its commit before its sender is told to come again.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A delivery, whom to tell what became of it, and its place among those that wait.
type Waiting = (NewDelivery, oneshot::Sender<Result<Arrival, StorageError>>, OwnedSemaphorePermit);

/// How a delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// For the first time.
    New,
    /// Once more; the first is kept.
    Again,
}

/// Takes deliveries in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    sender: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

impl Inbox {
    /// Opens the inbox; its task ends when the last clone is dropped and what waits is stored.
    #[must_use]
    pub fn open(db: Db, wake: Wake) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let task = tokio::spawn(run(db, wake, receiver));
        (Self { sender, room: Arc::new(Semaphore::new(MAX_WAITING_KIB)) }, task)
    }

    /// Stores a delivery, unless its integration has already sent it; it is on disk when this returns.
    ///
    /// # Errors
    /// [`StorageError::Overloaded`] if too many wait already or the database takes too long, else what the database said.
    pub async fn insert(&self, delivery: NewDelivery) -> Result<Arrival, StorageError> {
        let (done, stored) = oneshot::channel();
        let kib = u32::try_from(delivery.body.len() / 1024 + 1).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| StorageError::Overloaded)?;
        self.sender.try_send((delivery, done, room)).map_err(|_| StorageError::Overloaded)?;
        match tokio::time::timeout(PATIENCE, stored).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(StorageError::Overloaded),
        }
    }
}

async fn run(db: Db, wake: Wake, mut receiver: mpsc::Receiver<Waiting>) {
    // The others gather while one waits for the disk; on PostgreSQL the next is on its way by then.
    let n_at_once: u8 = if db.file().is_some() { 1 } else { 2 };
    let places = Arc::new(Semaphore::new(usize::from(n_at_once)));
    let mut batch: Vec<Waiting> = Vec::with_capacity(MAX_BATCH);
    while let Ok(place) = places.clone().acquire_owned().await
        && receiver.recv_many(&mut batch, MAX_BATCH).await > 0
    {
        let (db, wake, mut rest) = (db.clone(), wake.clone(), std::mem::take(&mut batch));
        tokio::spawn(async move {
            let _place = place;
            // Whoever was told to come again, or has hung up, comes again: stored now, it would be there twice.
            rest.retain(|(_, done, _)| !done.is_closed());
            while !rest.is_empty() {
                let n = fitting(&rest);
                let later = rest.split_off(n);
                store(&db, rest, &wake).await;
                rest = later;
            }
        });
    }
    let _ = places.acquire_many(u32::from(n_at_once)).await;
}

/// How many of `waiting` go into one commit.
fn fitting(waiting: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fits = waiting.iter().take_while(|(delivery, ..)| {
        bytes += delivery.body.len();
        bytes <= MAX_BATCH_BYTES
    });
    fits.count().max(1)
}

async fn store(db: &Db, batch: Vec<Waiting>, wake: &Wake) {
    match store_all(db, batch.iter().map(|(delivery, ..)| delivery).collect()).await {
        Ok(arrivals) => {
            for ((_, done, _), arrival) in batch.into_iter().zip(arrivals) {
                let _ = done.send(Ok(arrival)); // A sender that has hung up will send it again; it is stored all the same.
            }
            wake.wake_soon(Topic::Deliveries);
        }
        // One row that the database refuses must not turn away the others.
        Err(failed) if !failed.is_transient() && batch.len() > 1 => {
            for (delivery, done, _) in batch {
                let stored = store_all(db, vec![&delivery]).await;
                let _ = done.send(stored.map(|arrivals| arrivals.first().copied().unwrap_or(Arrival::Again)));
            }
            wake.wake_soon(Topic::Deliveries);
        }
        Err(failed) => {
            error!(error = ?failed, n = batch.len(), "Could not store deliveries");
            for (_, done, _) in batch {
                let _ = done.send(Err(StorageError::Overloaded));
            }
        }
    }
}

/// Whose delivery, and the sender's id of it.
type Name = (i64, String);

async fn store_all(db: &Db, deliveries: Vec<&NewDelivery>) -> Result<Vec<Arrival>, StorageError> {
    let mut tx = db.begin().await?;
    let arrivals = insert_all(&mut tx, &deliveries).await?;
    tx.commit().await?;
    Ok(arrivals)
}

/// Stores those that were not sent before, all of them to be looked at; tells of each how it came.
pub(crate) async fn insert_all(conn: &mut Connection, deliveries: &[&NewDelivery]) -> Result<Vec<Arrival>, StorageError> {
    let mut stored: HashSet<Name> = HashSet::with_capacity(deliveries.len());
    match conn.raw() {
        Raw::Sqlite(c) => {
            let mut rest = deliveries;
            while !rest.is_empty() {
                let n = MAX_ROWS.min(1 << rest.len().ilog2());
                stored.extend(insert_into_sqlite(c, &rest[..n]).await?);
                rest = &rest[n..];
            }
        }
        Raw::Postgres(c) => stored.extend(insert_into_postgres(c, deliveries).await?),
    }
    // Of several that are the same the first is the one that was stored.
    let arrival = |delivery: &&NewDelivery| {
        if stored.remove(&(delivery.integration.0, delivery.external_id.clone())) { Arrival::New } else { Arrival::Again }
    };
    Ok(deliveries.iter().map(arrival).collect())
}

/// The integration may be gone since we verified against it; its deliveries are gone with it.
async fn insert_into_sqlite(c: &mut SqliteConnection, rows: &[&NewDelivery]) -> Result<Vec<Name>, StorageError> {
    let mut query = QueryBuilder::new("insert into delivery (integration_id, external_id, received_at, headers, body) select * from (");
    query.push_values(rows, |mut row, delivery| {
        row.push_bind(delivery.integration.0)
            .push_bind(delivery.external_id.as_str())
            .push_bind(delivery.received_at.0)
            .push_bind(serde_json::to_string(&delivery.headers).unwrap_or_default())
            .push_bind(delivery.body.as_slice());
    });
    query.push(
        ") as arrived where column1 in (select integration_id from integration)
         on conflict (integration_id, external_id) do nothing returning delivery_id, integration_id, external_id",
    );
    let stored: Vec<(i64, i64, String)> = query.build_query_as().fetch_all(&mut *c).await?;
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::new("insert into pending (delivery_id) ");
    query.push_values(&stored, |mut row, (id, ..)| {
        row.push_bind(*id);
    });
    query.build().execute(c).await?;
    Ok(stored.into_iter().map(|(_, integration, external_id)| (integration, external_id)).collect())
}

/// However many they are, the statement is the same, and is planned once.
async fn insert_into_postgres(c: &mut Link, rows: &[&NewDelivery]) -> Result<Vec<Name>, StorageError> {
    let headers = rows.iter().map(|delivery| serde_json::to_string(&delivery.headers).unwrap_or_default());
    let insert = "with stored as (
            insert into delivery (integration_id, external_id, received_at, headers, body)
            select integration_id, external_id, received_at, headers, body
            from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bytea[]) with ordinality
                as arrived (integration_id, external_id, received_at, headers, body, n)
            where integration_id in (select integration_id from integration)
            order by n on conflict (integration_id, external_id) do nothing returning delivery_id, integration_id, external_id
        ), waiting as (insert into pending (delivery_id) select delivery_id from stored)
        select integration_id, external_id from stored";
    let stored = sqlx::query_as(insert)
        .bind(rows.iter().map(|delivery| delivery.integration.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|delivery| delivery.external_id.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|delivery| delivery.received_at.0).collect::<Vec<_>>())
        .bind(headers.collect::<Vec<_>>())
        .bind(rows.iter().map(|delivery| delivery.body.as_slice()).collect::<Vec<_>>())
        .fetch_all(c)
        .await?;
    Ok(stored)
}
