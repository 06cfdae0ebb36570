//! The queue in an SQLite file of its own.

use std::{path::Path, time::Duration};

use apalis::prelude::{BackendExt, TaskSink, WorkerBuilder};
use apalis_sqlite::{Config, SqliteStorage};
use storage::queue::{self as tables, SqlitePool};

use super::{BATCH_SIZE, HEARTBEAT, Job, MISSED_HEARTBEATS, QUEUE, QueueError, WorkerRun};

/// Nobody but this process pushes, so wake-ups do not get lost.
const IDLE: Duration = Duration::from_secs(1);
/// The migrations of apalis are kept apart from others.
const MIGRATIONS_TABLE: &str = "_apalis_migrations";

#[derive(Clone)]
pub(super) struct Sqlite {
    pool: SqlitePool,
    storage: SqliteStorage<Job>,
}

impl Sqlite {
    pub(super) async fn connect(path: &Path) -> Result<Self, QueueError> {
        let pool = tables::open_sqlite(path).await.map_err(QueueError::open)?;
        let mut migrations = SqliteStorage::migrations();
        migrations.dangerous_set_table_name(MIGRATIONS_TABLE);
        tables::migrate_sqlite(&pool, &migrations).await.map_err(QueueError::open)?;
        tables::tune_sqlite(&pool).await.map_err(QueueError::open)?;
        let config = Config::default()
            .queue(QUEUE)
            .batch_size(BATCH_SIZE)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false);
        Ok(Self { storage: SqliteStorage::new(&pool).with_config(config), pool })
    }

    pub(super) async fn push(&self, tasks: Vec<Job>) -> Result<(), QueueError> {
        self.storage.clone().push_bulk(tasks).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn outstanding(&self) -> Result<u64, QueueError> {
        tables::outstanding_sqlite(&self.pool, QUEUE).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn prune(&self) -> Result<u64, QueueError> {
        tables::prune_sqlite(&self.pool).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn work(&self, run: &WorkerRun) -> Result<(), QueueError> {
        let backend = self.storage.clone().poll_with_strategy(run.wake.looks(IDLE));
        let worker = WorkerBuilder::new(&run.context).backend(backend).build(run.runner());
        run.until_stopped(worker.run()).await
    }
}
