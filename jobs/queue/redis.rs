//! The queue in Redis.

use std::time::Duration;

use apalis::prelude::{BackendExt, TaskSink, WorkerBuilder};
use apalis_redis::{Config, RedisStorage};
use futures::StreamExt;
use redis::{
    Client, Pipeline, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};

use super::{BATCH_SIZE, HEARTBEAT, Job, MISSED_HEARTBEATS, QUEUE, QueueError, WorkerRun, wake::Wake};

/// Pushes of other processes are announced; this is the net below.
const IDLE: Duration = Duration::from_secs(1);
/// The driver's half second is too short for a Redis that saves its data.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before listening again after the connection was lost.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// At about 8,000 due tasks apalis' script fails, and never gets over it.
const MAX_OUTSTANDING: u64 = 4000;
/// Tasks forgotten by one round trip.
const PRUNE_AT_ONCE: usize = 500;

#[derive(Clone)]
pub(super) struct Redis {
    client: Client,
    conn: ConnectionManager,
    storage: RedisStorage<Job>,
    config: Config,
}

impl Redis {
    /// All keys of the queue begin with `prefix`. Connects when it is first asked for something.
    pub(super) fn open(url: &SecretString, prefix: &str) -> Result<Self, QueueError> {
        let client = Client::open(url.expose_secret()).map_err(QueueError::open)?;
        let timeouts = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_max_delay(Duration::from_secs(1));
        let conn = ConnectionManager::new_lazy_with_config(client.clone(), timeouts).map_err(QueueError::open)?;
        let config = Config::default()
            .queue(format!("{prefix}:{QUEUE}"))
            .batch_size(BATCH_SIZE)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .lock_tasks(false)
            .emit_events(false);
        Ok(Self { client, storage: RedisStorage::new(conn.clone()).with_config(config.clone()), conn, config })
    }

    pub(super) async fn push(&self, tasks: Vec<Job>) -> Result<(), QueueError> {
        if self.outstanding().await? >= MAX_OUTSTANDING {
            return Err(QueueError::Full);
        }
        self.storage.clone().push_bulk(tasks).await.map_err(QueueError::unavailable)?;
        redis::cmd("PUBLISH").arg(self.channel()).arg("").query_async::<()>(&mut self.conn.clone()).await.map_err(QueueError::unavailable)
    }

    pub(super) async fn outstanding(&self) -> Result<u64, QueueError> {
        self.count().await.map_err(QueueError::unavailable)
    }

    async fn count(&self) -> Result<u64, RedisError> {
        let (mut conn, config) = (self.conn.clone(), &self.config);
        let (scheduled, active, workers): (u64, u64, Vec<String>) = Pipeline::new()
            .zcard(config.scheduled_jobs_set())
            .llen(config.active_jobs_list())
            .zrange(config.workers_set(), 0, -1)
            .query_async(&mut conn)
            .await?;
        if workers.is_empty() {
            return Ok(scheduled + active);
        }
        let mut inflight = Pipeline::new();
        for worker in workers {
            inflight.scard(format!("{}:{worker}", config.inflight_jobs_set()));
        }
        let inflight: Vec<u64> = inflight.query_async(&mut conn).await?;
        Ok(scheduled + active + inflight.iter().sum::<u64>())
    }

    pub(super) async fn prune(&self) -> Result<u64, QueueError> {
        let mut n_deleted = 0;
        for set in [self.config.done_jobs_set(), self.config.dead_jobs_set()] {
            n_deleted += self.forget(&set).await.map_err(QueueError::unavailable)?;
        }
        Ok(n_deleted)
    }

    /// apalis never deletes what is done.
    async fn forget(&self, set: &str) -> Result<u64, RedisError> {
        let (mut conn, mut n_deleted) = (self.conn.clone(), 0);
        loop {
            let ids: Vec<String> = redis::cmd("SPOP").arg(set).arg(PRUNE_AT_ONCE).query_async(&mut conn).await?;
            if ids.is_empty() {
                return Ok(n_deleted);
            }
            let mut forget = Pipeline::new();
            forget.hdel(self.config.job_data_hash(), &ids).ignore();
            forget.del(ids.iter().map(|id| format!("{}:{id}", self.config.job_meta_hash())).collect::<Vec<_>>()).ignore();
            forget.query_async::<()>(&mut conn).await?;
            n_deleted += ids.len() as u64;
        }
    }

    fn channel(&self) -> String {
        format!("{}:wake", self.config.queue)
    }

    /// Passes on the announcements of all processes, for ever. A push through apalis wakes nobody by itself.
    pub(super) async fn listen(&self, wake: &Wake) {
        loop {
            if let Ok(mut pubsub) = self.client.get_async_pubsub().await
                && pubsub.subscribe(self.channel()).await.is_ok()
            {
                let mut announcements = pubsub.on_message();
                while announcements.next().await.is_some() {
                    wake.wake();
                }
            }
            tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    pub(super) async fn work(&self, run: &WorkerRun) -> Result<(), QueueError> {
        let backend = self.storage.clone().poll_with_strategy(run.wake.looks(IDLE));
        let worker = WorkerBuilder::new(&run.context).backend(backend).build(run.runner());
        let ended = run.until_stopped(worker.run()).await;
        self.forget_worker(run.context.name()).await;
        ended
    }

    /// A worker that has nothing left in flight is struck off; apalis would remember it for ever.
    async fn forget_worker(&self, name: &str) {
        let (mut conn, config) = (self.conn.clone(), &self.config);
        let inflight = format!("{}:{name}", config.inflight_jobs_set());
        if let Ok(0) = redis::cmd("SCARD").arg(inflight).query_async::<u64>(&mut conn).await {
            let metadata = format!("{}:workers:metadata:{name}", config.queue);
            let forgotten = Pipeline::new().zrem(config.workers_set(), name).del(metadata).exec_async(&mut conn).await;
            if let Err(error) = forgotten {
                tracing::debug!(%error, "Could not strike off a worker");
            }
        }
    }
}
