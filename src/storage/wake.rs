//! Wake-ups: who waits for something need not poll for it. A wake-up may be lost, so every waiter also looks by itself now and then.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use tracing::warn;

use crate::{Db, link::Link};

/// What may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A delivery was stored.
    Deliveries,
    /// A version was made: the page, routes or components may be different.
    Changes,
    /// Notifications are owed.
    Notifications,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Deliveries, Self::Changes, Self::Notifications];

    const fn channel(self) -> &'static str {
        match self {
            Self::Deliveries => "fanal_deliveries",
            Self::Changes => "fanal_changes",
            Self::Notifications => "fanal_notifications",
        }
    }
}

/// Wakes waiters in this process, and over PostgreSQL in all others.
#[derive(Clone, Debug)]
pub struct Wake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    topics: [watch::Sender<u64>; 3],
    /// Goes out with every call, so that this process does not take its own for another's.
    name: String,
    /// Topics that the other processes are still to hear of, a bit each.
    owed: AtomicU8,
    owes: Notify,
}

/// How long to wait before listening again after the connection was lost.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After how long without a call the connection is asked for a sign of life, and how long it may take to give one.
const ASK_AFTER: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

impl Wake {
    /// Wake-ups around `db`. Run [`Wake::listen`] beside it to hear other processes.
    #[must_use]
    pub fn new(db: Db) -> Self {
        let name = format!("{:016x}", rand::random::<u64>());
        Self { inner: Arc::new(Inner { db, topics: Default::default(), name, owed: AtomicU8::new(0), owes: Notify::new() }) }
    }

    /// Wakes this process only.
    pub fn wake_here(&self, topic: Topic) {
        self.inner.topics[topic as usize].send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Wakes this process at once and the others soon, without waiting for that: [`Wake::listen`] tells them.
    pub fn wake_soon(&self, topic: Topic) {
        self.wake_here(topic);
        if let Db::Postgres(_) = &self.inner.db {
            self.inner.owed.fetch_or(1 << topic as u8, Ordering::Relaxed);
            self.inner.owes.notify_one();
        }
    }

    /// Wakes every process before it returns. Failing to reach the others is no error: they look by themselves soon.
    pub async fn wake(&self, topic: Topic) {
        self.wake_here(topic);
        if let Db::Postgres(pool) = &self.inner.db {
            self.call_out(pool, &[topic]).await;
        }
    }

    /// A call is no news that must outlive a power cut, so its commit does not wait for the disk.
    async fn call_out(&self, pool: &PgPool, topics: &[Topic]) {
        let channels: Vec<&str> = topics.iter().map(|topic| topic.channel()).collect();
        let called = async {
            let mut link = Link::open(pool).await?;
            let call = "select pg_notify(channel, $2), set_config('synchronous_commit', 'off', true) from unnest($1) as channel";
            sqlx::query(call).bind(channels).bind(self.inner.name.as_str()).execute(&mut link).await
        };
        if let Err(error) = called.await {
            warn!(%error, "Could not wake the other processes");
        }
    }

    /// Tells the others what [`Wake::wake_soon`] was called for; what comes while that is under way goes out together.
    async fn keep_calling(&self, pool: &PgPool) {
        loop {
            self.inner.owes.notified().await;
            let owed = self.inner.owed.swap(0, Ordering::Relaxed);
            let topics: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| owed & (1 << *topic as u8) != 0).collect();
            if !topics.is_empty() {
                self.call_out(pool, &topics).await;
            }
        }
    }

    /// Listens for wake-ups from now on.
    #[must_use]
    pub fn waiter(&self, topic: Topic) -> Waiter {
        Waiter(self.inner.topics[topic as usize].subscribe())
    }

    /// Passes on what other processes call out, and tells them what this one does, for ever. Returns at once on SQLite, where there are none.
    pub async fn listen(&self) {
        let Db::Postgres(pool) = &self.inner.db else { return };
        tokio::join!(self.keep_listening(pool), self.keep_calling(pool));
    }

    async fn keep_listening(&self, pool: &PgPool) {
        loop {
            // A connection that falls silent is never given back by the driver: it must not be one of those that others wait for.
            let own = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_TIMEOUT).test_before_acquire(false);
            let own = own.connect_lazy_with((*pool.connect_options()).clone());
            if let Err(error) = self.listen_on(&own).await {
                warn!(%error, "Lost the connection that listens for other processes");
            }
            tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    async fn listen_on(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.eager_reconnect(false);
        answered(listener.listen_all(Topic::ALL.map(Topic::channel))).await?;
        for topic in Topic::ALL {
            self.wake_here(topic); // Whatever was called out while nobody listened.
        }
        loop {
            let Ok(heard) = timeout(ASK_AFTER, listener.try_recv()).await else {
                // Nobody called out, or the connection has fallen silent.
                answered(sqlx::query("select 1").execute(&mut listener)).await?;
                continue;
            };
            let heard = heard?.ok_or(sqlx::Error::WorkerCrashed)?;
            if heard.payload() == self.inner.name {
                continue; // Our own: whoever waits here knows already.
            }
            if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.channel() == heard.channel()) {
                self.wake_here(topic);
            }
        }
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    timeout(ANSWER_TIMEOUT, answer).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Hears the wake-ups of one topic; several that come while nobody waits count as one.
#[derive(Debug)]
pub struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// Waits for a wake-up since the last wait, at most for `patience`.
    pub async fn wait(&mut self, patience: Duration) {
        // Running out of patience is the usual way to find what a lost wake-up hid.
        let _ = tokio::time::timeout(patience, self.0.changed()).await;
    }
}
