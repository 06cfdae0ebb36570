//! The queue in PostgreSQL, in apalis' own schema.

use std::time::{Duration, SystemTime};

use apalis::prelude::{BackendExt, TaskBuilder, TaskSink, WorkerBuilder};
use apalis_postgres::{Config, PgListener, PostgresStorage};
use futures::stream;
use secrecy::SecretString;
use storage::queue::{self as tables, PgPool};

use super::{BATCH_SIZE, HEARTBEAT, Job, MISSED_HEARTBEATS, QUEUE, QueueError, WorkerRun, wake::Wake};

/// Pushes of other processes are announced; this is the net below.
const IDLE: Duration = Duration::from_secs(1);
/// What apalis' trigger announces new tasks on.
const CHANNEL: &str = "apalis::job::insert";
/// How long to wait before listening again after the connection was lost.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Tasks are due by the database's clock, which may be behind ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(super) struct Postgres {
    pool: PgPool,
    storage: PostgresStorage<Job>,
}

impl Postgres {
    pub(super) async fn connect(url: &SecretString) -> Result<Self, QueueError> {
        let pool = tables::open_postgres(url).await.map_err(QueueError::open)?;
        tables::migrate_postgres(&pool, &PostgresStorage::migrations()).await.map_err(QueueError::open)?;
        let config = Config::default()
            .queue(QUEUE)
            .batch_size(BATCH_SIZE)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false);
        Ok(Self { storage: PostgresStorage::new(&pool).with_config(config), pool })
    }

    pub(super) async fn push(&self, tasks: Vec<Job>) -> Result<(), QueueError> {
        let due = SystemTime::now() - CLOCK_SKEW;
        let tasks = stream::iter(tasks.into_iter().map(|task| TaskBuilder::new(task).run_at_time(due).build()));
        self.storage.clone().push_all(tasks).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn outstanding(&self) -> Result<u64, QueueError> {
        tables::outstanding_postgres(&self.pool, QUEUE).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn prune(&self) -> Result<u64, QueueError> {
        tables::prune_postgres(&self.pool).await.map_err(QueueError::unavailable)
    }

    /// Passes on the announcements of all processes, for ever.
    pub(super) async fn listen(&self, wake: &Wake) {
        loop {
            if let Ok(mut listener) = PgListener::connect_with(&self.pool).await
                && listener.listen(CHANNEL).await.is_ok()
            {
                while listener.recv().await.is_ok() {
                    wake.wake();
                }
            }
            tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    pub(super) async fn work(&self, run: &WorkerRun) -> Result<(), QueueError> {
        let backend = self.storage.clone().poll_with_strategy(run.wake.looks(IDLE));
        let worker = WorkerBuilder::new(&run.context).backend(backend).build(run.runner());
        run.until_stopped(worker.run()).await
    }
}
