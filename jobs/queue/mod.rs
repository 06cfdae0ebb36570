//! The queue: wakes somebody to try a notification or to ask a source. It is transport only.
//!
//! The truth about a notification is its row. A task says "try this one, this time", and the row decides whether that is still wanted,
//! so a task that comes twice, late or never costs no more than time: what the queue forgets is pushed again by the sweep. Handlers
//! therefore return nothing, and nothing here retries.

mod postgres;
mod redis;
mod runner;
mod sqlite;
mod url;
mod wake;

use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use apalis::prelude::{WorkerContext, WorkerError};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::url::QueueUrl;
use self::{postgres::Postgres, redis::Redis, runner::Runner, sqlite::Sqlite, wake::Wake};

/// Stored with every task: renaming strands them.
const QUEUE: &str = "send_notification";
/// Tasks pushed at once.
const PUSH_AT_ONCE: usize = 500;
/// Tasks fetched at once.
const BATCH_SIZE: usize = 50;
/// How often a worker says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After how many of them missed its tasks go to others.
const MISSED_HEARTBEATS: usize = 3;
/// How long to wait before starting a worker again after the queue failed it.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// How long a server may take to answer; a connection that is silent for longer is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a server is asked whether it still answers.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often what is done is deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Wakes somebody to try a notification: the attempt it is about to get, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SendNotification {
    /// Its id.
    pub notification: i64,
    /// Which try.
    pub attempt: u16,
}

/// What somebody is woken for.
///
/// Told apart by their fields, so that tasks that an older version has queued are still understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Job {
    /// Try a notification.
    Send(SendNotification),
    /// Ask a source.
    Poll {
        /// The integration's id.
        integration: i64,
        /// Which round.
        round: i64,
    },
}

/// What is done with a task.
pub type Handler = Arc<dyn Fn(Job) -> BoxFuture<'static, ()> + Send + Sync>;

/// What can go wrong with the queue. Nothing is lost by it: the sweep pushes again.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Not the URL of a queue.
    #[error("FANAL_QUEUE_URL {0}")]
    Url(&'static str),
    /// It cannot be opened.
    #[error("the queue cannot be opened")]
    Open(#[source] Box<dyn Error + Send + Sync>),
    /// It does not answer, or not as it should.
    #[error("the queue does not work")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It holds as much as it can.
    #[error("the queue is full")]
    Full,
    /// It does not answer at all.
    #[error("the queue does not answer")]
    Silent,
}

impl QueueError {
    pub(crate) fn open(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Open(error.into())
    }

    fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A queue of things to do. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    url: QueueUrl,
    /// Replaced when its server has fallen silent: the connections of the old one may never say so.
    backend: Arc<RwLock<Backend>>,
    replaced: Arc<Notify>,
    wake: Wake,
}

#[derive(Clone)]
enum Backend {
    Sqlite(Sqlite),
    Redis(Box<Redis>),
    Postgres(Postgres),
}

/// Calls the same method of whichever backend it is.
macro_rules! each {
    ($backend:expr, $inner:ident => $call:expr) => {
        match &$backend {
            Backend::Sqlite($inner) => $call,
            Backend::Redis($inner) => $call,
            Backend::Postgres($inner) => $call,
        }
    };
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.kind()).finish()
    }
}

impl Queue {
    /// Opens the queue and brings its tables up to date. A Redis that is not there yet is waited for later on: notifications wait with it,
    /// and nothing else does.
    ///
    /// # Errors
    /// It cannot be reached or set up.
    pub async fn connect(url: &QueueUrl) -> Result<Self, QueueError> {
        let backend = Backend::open(url).await?;
        let queue = Self { url: url.clone(), backend: Arc::new(RwLock::new(backend)), replaced: Arc::default(), wake: Wake::default() };
        if let Err(error) = queue.outstanding().await {
            if !matches!(url, QueueUrl::Redis { .. }) {
                return Err(error);
            }
            warn!(error = describe(&error), "The queue does not answer; notifications wait until it does");
        }
        Ok(queue)
    }

    /// Brings the queue's tables up to date, where it has any.
    ///
    /// # Errors
    /// They cannot be reached or set up.
    pub async fn migrate(url: &QueueUrl) -> Result<(), QueueError> {
        match url {
            QueueUrl::Redis { .. } => Ok(()),
            QueueUrl::Sqlite(_) | QueueUrl::Postgres(_) => Backend::open(url).await.map(drop),
        }
    }

    fn backend(&self) -> Backend {
        self.backend.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `sqlite`, `redis` or `postgres`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.url {
            QueueUrl::Sqlite(_) => "sqlite",
            QueueUrl::Redis { .. } => "redis",
            QueueUrl::Postgres(_) => "postgres",
        }
    }

    /// Adds tasks and wakes a worker. Ask [`Queue::outstanding`] first, and keep it below 2,000.
    ///
    /// # Errors
    /// The queue does not work or is full. Some of the tasks may have been added.
    pub async fn push(&self, tasks: &[Job]) -> Result<(), QueueError> {
        for chunk in tasks.chunks(PUSH_AT_ONCE) {
            each!(self.backend(), queue => answered(queue.push(chunk.to_vec())).await)?;
            self.wake.wake();
        }
        Ok(())
    }

    /// How many tasks wait or are being worked on, in all processes.
    ///
    /// # Errors
    /// The queue does not work.
    pub async fn outstanding(&self) -> Result<u64, QueueError> {
        each!(self.backend(), queue => answered(queue.outstanding()).await)
    }

    /// Works on tasks, `concurrency` at once, until `shutdown`; then finishes those begun. Faults of the queue end a worker and a new
    /// one is started, under a new name: the old one counts as alive for a while.
    ///
    /// Tasks that a process took and did not finish go to others 15 s after its end.
    pub async fn run(&self, handler: Handler, concurrency: usize, shutdown: CancellationToken) {
        let permits = Arc::new(Semaphore::new(concurrency));
        let beside = async { tokio::join!(self.watch(), self.prune_now_and_then()) };
        let work = self.keep_working(&handler, &permits, &shutdown);
        tokio::select! {
            () = work => {}
            _ = beside => {}
        }
        // Tasks of workers that ended in the middle are still running.
        let all = u32::try_from(concurrency).unwrap_or(u32::MAX);
        let _ = permits.acquire_many(all).await;
    }

    async fn keep_working(&self, handler: &Handler, permits: &Arc<Semaphore>, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let run = WorkerRun {
                context: WorkerContext::new(&format!("fanal-{}-{:016x}", std::process::id(), rand::random::<u64>())),
                wake: self.wake.clone(),
                handler: Arc::clone(handler),
                permits: Arc::clone(permits),
                shutdown: shutdown.clone(),
            };
            let backend = self.backend();
            let ended = tokio::select! {
                ended = async { each!(backend, queue => queue.work(&run).await) } => ended,
                () = listen(&backend, &self.wake) => Ok(()),
                () = self.replaced.notified() => Ok(()),
            };
            if shutdown.is_cancelled() {
                break;
            }
            match ended {
                Ok(()) => warn!(worker = run.context.name(), "A queue worker ended; starting another"),
                Err(error) => warn!(worker = run.context.name(), error = describe(&error), "A queue worker failed; starting another"),
            }
            tokio::select! {
                () = tokio::time::sleep(RESTART_AFTER) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    /// Asks the server for signs of life, and opens the queue anew when it answers again after a silence. A worker whose connection was
    /// swallowed by the network would wait for ever.
    async fn watch(&self) {
        if let QueueUrl::Sqlite(_) = self.url {
            return;
        }
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            let Err(error) = self.outstanding().await else { continue };
            warn!(error = describe(&error), "The queue does not answer; notifications wait until it does");
            let fresh = loop {
                match answered(Backend::open(&self.url)).await {
                    Ok(fresh) if each!(fresh, queue => answered(queue.outstanding()).await).is_ok() => break fresh,
                    _ => tokio::time::sleep(RESTART_AFTER).await,
                }
            };
            info!("The queue answers again");
            *self.backend.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            self.replaced.notify_one();
        }
    }

    async fn prune_now_and_then(&self) {
        loop {
            tokio::time::sleep(PRUNE_EVERY).await;
            match self.prune().await {
                Ok(n_deleted) => info!(n_deleted, "Deleted finished tasks from the queue"),
                Err(error) => warn!(error = describe(&error), "Could not delete finished tasks from the queue"),
            }
        }
    }

    async fn prune(&self) -> Result<u64, QueueError> {
        each!(self.backend(), queue => queue.prune().await)
    }
}

impl Backend {
    async fn open(url: &QueueUrl) -> Result<Self, QueueError> {
        Ok(match url {
            QueueUrl::Sqlite(path) => Self::Sqlite(Sqlite::connect(path).await?),
            QueueUrl::Redis { url, prefix } => Self::Redis(Box::new(Redis::open(url, prefix)?)),
            QueueUrl::Postgres(url) => Self::Postgres(Postgres::connect(url).await?),
        })
    }
}

async fn listen(backend: &Backend, wake: &Wake) {
    match backend {
        Backend::Sqlite(_) => std::future::pending().await,
        Backend::Redis(redis) => redis.listen(wake).await,
        Backend::Postgres(postgres) => postgres.listen(wake).await,
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, QueueError>>) -> Result<T, QueueError> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(QueueError::Silent))
}

/// An error with its causes, on one line.
fn describe(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What one worker needs from start to end.
struct WorkerRun {
    context: WorkerContext,
    wake: Wake,
    handler: Handler,
    permits: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl WorkerRun {
    fn runner(&self) -> Runner {
        Runner::new(Arc::clone(&self.handler), Arc::clone(&self.permits))
    }

    /// Drives a worker until it fails or is told to stop and has finished what it began.
    async fn until_stopped(&self, worker: impl Future<Output = Result<(), WorkerError>>) -> Result<(), QueueError> {
        let mut worker = std::pin::pin!(worker);
        tokio::select! {
            // The worker first: only one that has begun can be stopped.
            biased;
            ended = &mut worker => return ended.map_err(QueueError::unavailable),
            () = self.shutdown.cancelled() => {}
        }
        if let Err(error) = self.context.stop() {
            warn!(%error, "A queue worker could not be stopped and is dropped");
            return Ok(());
        }
        worker.await.map_err(QueueError::unavailable)
    }
}

#[cfg(test)]
mod tests;
