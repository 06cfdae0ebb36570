//! Wake-ups: who waits for something need not poll for it. A wake-up may be lost, so every waiter also looks by itself now and then.

use std::{future::Future, sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::watch, time::timeout};
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
        Self { inner: Arc::new(Inner { db, topics: Default::default() }) }
    }

    /// Wakes this process only.
    pub fn wake_here(&self, topic: Topic) {
        self.inner.topics[topic as usize].send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Wakes every process. Failing to reach the others is no error: they look by themselves soon.
    pub async fn wake(&self, topic: Topic) {
        self.wake_here(topic);
        if let Db::Postgres(pool) = &self.inner.db
            && let Err(error) = call_out(pool, topic).await
        {
            warn!(%error, "Could not wake the other processes");
        }
    }

    /// Listens for wake-ups from now on.
    #[must_use]
    pub fn waiter(&self, topic: Topic) -> Waiter {
        Waiter(self.inner.topics[topic as usize].subscribe())
    }

    /// Passes on what other processes call out, for ever. Returns at once on SQLite, where there are none.
    pub async fn listen(&self) {
        let Db::Postgres(pool) = &self.inner.db else { return };
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

    async fn listen_on(&self, pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
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
            if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.channel() == heard.channel()) {
                self.wake_here(topic);
            }
        }
    }
}

async fn call_out(pool: &PgPool, topic: Topic) -> Result<(), sqlx::Error> {
    let mut link = Link::open(pool).await?;
    sqlx::query("select pg_notify($1, '')").bind(topic.channel()).execute(&mut link).await?;
    Ok(())
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
