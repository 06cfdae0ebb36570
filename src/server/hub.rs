//! The integrations that hooks verify against, kept in memory and read again when the configuration changes.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use domain::{IntegrationId, Timestamp};
use integrations::{Confirmation, Settings, heartbeat::SLUG};
use jobs::{Clock, egress::Egress};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use storage::{
    Db, Inbox, SecretBox, StorageError, Topic, Wake,
    confirmations::{self, NewConfirmation},
    deliveries, duplicates, hub, ledger,
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::documents::Documents;

/// How often to look for a new configuration without being woken.
const TICK: Duration = Duration::from_secs(1);
/// How long a sender may wait for us to look.
const PATIENCE: Duration = Duration::from_secs(1);
/// Looks lie at least this far apart.
const MIN_PAUSE: Duration = Duration::from_millis(50);
/// Integrations, with reasons, that something is counted for between two writes.
const MAX_COUNTED: usize = 10_000;

/// One integration, ready to verify.
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// The provider's slug.
    pub provider: String,
    /// With its schemes and expressions compiled.
    pub settings: Settings,
    /// Every secret that is valid now.
    pub secrets: Vec<SecretString>,
}

/// What hooks need.
pub struct Hub {
    pub(crate) db: Db,
    secrets: SecretBox,
    /// Where deliveries become durable.
    pub inbox: Inbox,
    /// What time it is.
    pub clock: Clock,
    /// What some requests are verified with.
    pub(crate) documents: Documents,
    known: ArcSwap<Known>,
    reading: tokio::sync::Mutex<()>,
    rejections: Mutex<HashMap<(IntegrationId, &'static str), Counted>>,
    /// Deliveries that came again; the detail is the sender's id of the last.
    again: Mutex<HashMap<IntegrationId, Counted>>,
}

#[derive(Default)]
struct Known {
    version: i64,
    stored: hub::Stored,
    by_key: HashMap<String, Arc<Integration>>,
    /// By the hash of each of their keys, which gives away nothing by how long a look takes.
    heartbeats: HashMap<[u8; 32], Arc<Integration>>,
    read_at: Option<Instant>,
}

struct Counted {
    n: i64,
    last_at: Timestamp,
    detail: String,
}

impl Hub {
    /// A hub that knows what is configured now.
    ///
    /// # Errors
    /// What the database said, or a secret that does not open.
    pub async fn open(db: Db, secrets: SecretBox, inbox: Inbox, egress: Egress, clock: Clock) -> Result<Arc<Self>, StorageError> {
        let hub = Self {
            db,
            secrets,
            inbox,
            clock,
            documents: Documents::new(egress),
            known: ArcSwap::default(),
            reading: Default::default(),
            rejections: Mutex::default(),
            again: Mutex::default(),
        };
        hub.read().await?;
        Ok(Arc::new(hub))
    }

    /// The integration of this key. One that was made a moment ago by another process is looked for in the database.
    ///
    /// # Errors
    /// It is not known, and whether there is one cannot be found out now.
    pub async fn find(&self, key: &str) -> Result<Option<Arc<Integration>>, StorageError> {
        self.look_for(|known| known.by_key.get(key).cloned()).await
    }

    /// The heartbeat whose secret this is.
    ///
    /// # Errors
    /// As [`Hub::find`].
    pub async fn find_heartbeat(&self, secret: &str) -> Result<Option<Arc<Integration>>, StorageError> {
        let hash = hash(secret);
        self.look_for(|known| known.heartbeats.get(&hash).cloned()).await
    }

    async fn look_for(&self, find: impl Fn(&Known) -> Option<Arc<Integration>>) -> Result<Option<Arc<Integration>>, StorageError> {
        if let Some(found) = find(&self.known.load()) {
            return Ok(Some(found));
        }
        let look = async {
            // One at a time, and at most once a tick: strangers must not make us read.
            let _reading = self.reading.lock().await;
            if self.known.load().read_at.is_none_or(|at| at.elapsed() >= TICK) {
                self.read().await?;
            }
            Ok(find(&self.known.load()))
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or(Err(StorageError::Overloaded))
    }

    async fn read(&self) -> Result<(), StorageError> {
        let mut conn = self.db.read().await?;
        let version = ledger::read(&mut conn).await?.version;
        let stored = hub::stored(&mut conn).await?;
        drop(conn);
        let known = self.known.load();
        // Most versions change no integration, and what is compiled stays so.
        if known.read_at.is_some() && known.stored == stored {
            self.known.store(Arc::new(Known {
                version,
                stored,
                by_key: known.by_key.clone(),
                heartbeats: known.heartbeats.clone(),
                read_at: Some(Instant::now()),
            }));
            return Ok(());
        }
        let integrations = stored.open(&self.secrets)?;
        let ready = |i: hub::Integration| {
            let settings = Settings::new(i.settings);
            (i.key, Arc::new(Integration { id: i.id, provider: i.provider, settings, secrets: i.secrets }))
        };
        let by_key: HashMap<String, Arc<Integration>> = integrations.into_iter().map(ready).collect();
        let mut heartbeats = HashMap::new();
        for integration in by_key.values().filter(|integration| integration.provider == SLUG) {
            heartbeats.extend(integration.secrets.iter().map(|secret| (hash(secret.expose_secret()), integration.clone())));
        }
        self.known.store(Arc::new(Known { version, stored, by_key, heartbeats, read_at: Some(Instant::now()) }));
        Ok(())
    }

    /// Remembers that a sender waits to be called before it begins to send; it is on disk when this returns.
    ///
    /// # Errors
    /// What the database said.
    pub(crate) async fn owe_call(&self, id: IntegrationId, external_id: &str, asked: &Confirmation) -> Result<(), StorageError> {
        let now = self.clock.now();
        let Confirmation { subject, url, valid_for } = asked;
        let new = NewConfirmation { integration: id, subject, external_id, url, ends_at: now.plus(*valid_for) };
        let mut tx = self.db.begin().await?;
        confirmations::request(&mut tx, &self.secrets, &new, now).await?;
        tx.commit().await
    }

    /// Counts a request that was not let in. Written down by [`Hub::keep_up`], so that strangers cannot make us write.
    pub fn reject(&self, integration: IntegrationId, reason: &'static str, detail: &str) {
        count(&self.rejections, (integration, reason), self.clock.now(), detail);
    }

    /// Counts a delivery that came again. Written down by [`Hub::keep_up`].
    pub(crate) fn count_again(&self, integration: IntegrationId, external_id: &str) {
        count(&self.again, integration, self.clock.now(), external_id);
    }

    /// Follows changes of the configuration and writes down what was counted, until `shutdown`.
    pub async fn keep_up(self: Arc<Self>, wake: Wake, shutdown: CancellationToken) {
        let mut changed = wake.waiter(Topic::Changes);
        while !shutdown.is_cancelled() {
            tokio::select! { () = changed.wait(TICK) => {}, () = shutdown.cancelled() => {} }
            if let Err(failed) = self.follow().await {
                warn!(error = ?failed, "Could not look for a new configuration");
            }
            // In a storm of changes, not after each of them.
            tokio::time::sleep(MIN_PAUSE).await;
        }
    }

    async fn follow(&self) -> Result<(), StorageError> {
        let mut conn = self.db.read().await?;
        let version = ledger::read(&mut conn).await?.version;
        drop(conn);
        if version != self.known.load().version {
            self.read().await?;
        }
        let (rejections, again) = (take(&self.rejections), take(&self.again));
        if rejections.is_empty() && again.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for ((integration, reason), Counted { n, last_at, detail }) in rejections {
            deliveries::count_rejection(&mut tx, integration, reason, n, last_at, &detail).await?;
        }
        for (integration, Counted { n, last_at, detail }) in again {
            duplicates::count(&mut tx, integration, n, last_at, &detail).await?;
        }
        tx.commit().await
    }
}

fn count<K: Eq + Hash>(counts: &Mutex<HashMap<K, Counted>>, key: K, at: Timestamp, detail: &str) {
    let Ok(mut counts) = counts.lock() else { return };
    if counts.len() >= MAX_COUNTED && !counts.contains_key(&key) {
        return;
    }
    let entry = counts.entry(key).or_insert(Counted { n: 0, last_at: at, detail: String::new() });
    entry.n += 1;
    entry.last_at = at;
    detail.clone_into(&mut entry.detail);
}

fn take<K>(counts: &Mutex<HashMap<K, Counted>>) -> HashMap<K, Counted> {
    counts.lock().map(|mut counts| std::mem::take(&mut *counts)).unwrap_or_default()
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}
