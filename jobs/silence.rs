//! Silence: tells operators which integrations have been silent for longer than is their habit.
//!
//! For most it is a metric and no more: a sender that has nothing to say makes nothing unknown. Where the integration asks for it, a delivery of our
//! own says so, as with heartbeats, and its signal goes the way of all others.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{HABIT_DELIVERIES, IntegrationId, MIN_SILENCE, SilentAfter, Span, Timestamp, is_silent};
use integrations::silence::{FINGERPRINT, NOT_HEARD, over, silent};
use metrics::gauge;
use storage::{
    Connection, Db, Inbox, StorageError, insight,
    integrations::keys,
    polls,
    silence::{self, Watched},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Clock, evaluator::Health};

/// How often to look: silence lasts an hour at least.
const EVERY: Duration = Duration::from_secs(300);
/// How often to ask whether this process should look, and to look for silence that is a signal.
const ASK: Duration = Duration::from_secs(2);
/// After a start, or when this process takes over, senders get so long to come back before they are missed, or as long as they may be silent if
/// that is less.
const GRACE: Span = Span::mins(5);
const METRIC: &str = "fanal_integration_silent";

/// Watches how long integrations have been silent. Only the process that evaluates does so.
pub struct Silence {
    /// Where deliveries are.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
    /// Where a silence that is a signal becomes durable.
    pub inbox: Inbox,
}

impl Silence {
    /// Looks now and then until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut told: BTreeSet<String> = BTreeSet::new();
        let mut silent: BTreeSet<String> = BTreeSet::new();
        let (mut leads_since, mut looked): (Option<Timestamp>, Option<Instant>) = (None, None);
        loop {
            let now = self.clock.now();
            leads_since = self.health.leads().then(|| leads_since.unwrap_or(now));
            if let Some(since) = leads_since
                && let Err(failed) = self.signal(since).await
            {
                warn!(error = ?failed, "Could not look for silence that is a signal; trying again");
            }
            if looked.is_some_and(|at| leads_since.is_some() && at.elapsed() < EVERY) {
                tokio::select! { () = tokio::time::sleep(ASK) => continue, () = shutdown.cancelled() => return }
            }
            looked = leads_since.map(|_| Instant::now());
            let found = if leads_since.is_some() { self.look().await } else { Ok(Vec::new()) };
            match found {
                Ok(found) => {
                    tell(&found, &mut told);
                    let now: BTreeSet<String> = found.into_iter().filter(|(_, silent)| *silent).map(|(key, _)| key).collect();
                    for integration in now.difference(&silent) {
                        info!(integration, "An integration has been silent for longer than is its habit");
                    }
                    silent = now;
                }
                Err(failed) => warn!(error = ?failed, "Could not look for silent integrations; trying again later"),
            }
            tokio::select! { () = tokio::time::sleep(ASK) => {}, () = shutdown.cancelled() => return }
        }
    }

    /// Every integration that is switched on, by key, and whether it is silent. One that has no habit is not.
    ///
    /// # Errors
    /// What the database said.
    pub async fn look(&self) -> Result<Vec<(String, bool)>, StorageError> {
        let mut conn = self.db.read().await?;
        let keys = keys(&mut conn).await?;
        let wanted = polls::integrations(&mut conn).await?;
        drop(conn);
        let mut found = Vec::with_capacity(wanted.len());
        for (id, provider, _) in wanted {
            let Some(key) = keys.get(&id) else { continue };
            let is_asked = integrations::find(&provider).is_some_and(|provider| provider.poll.is_some());
            // A connection for each, so that others get their turn.
            let silent = self.is_silent(&mut self.db.read().await?, id, is_asked).await?;
            found.push((key.clone(), silent));
        }
        Ok(found)
    }

    /// Tells once of each silence that has lasted too long, and of its end. `watched_since` is since when this process has looked.
    ///
    /// # Errors
    /// What the database said.
    pub async fn signal(&self, watched_since: Timestamp) -> Result<(), StorageError> {
        let watched = silence::watched(&mut self.db.read().await?, NOT_HEARD, FINGERPRINT).await?;
        for one in watched {
            let now = self.clock.now();
            match self.silent_for(&one, watched_since, now).await? {
                Some(after) if !one.told => {
                    info!(integration = %one.integration, %after, "An integration is silent, and that is a signal");
                    self.inbox.insert(silent(one.integration, one.heard_at, after, now)).await?;
                }
                None if one.told => {
                    self.inbox.insert(over(one.integration, now)).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// How long its silence may last, if it lasts longer now.
    async fn silent_for(&self, one: &Watched, watched_since: Timestamp, now: Timestamp) -> Result<Option<Span>, StorageError> {
        let is_sender = integrations::find(&one.provider).is_some_and(|provider| provider.refuses_silence().is_none());
        let (Some(silent_after), true) = (one.silent_after, is_sender) else { return Ok(None) };
        let lasts = now.since(one.heard_at);
        if silent_after == SilentAfter::Habit && lasts <= MIN_SILENCE {
            return Ok(None); // No habit is shorter.
        }
        let arrivals = match silent_after {
            SilentAfter::Habit => insight::arrivals(&mut self.db.read().await?, one.integration, NOT_HEARD, HABIT_DELIVERIES).await?,
            SilentAfter::Span(_) => Vec::new(),
        };
        let is_too_long = |after: &Span| lasts > *after && (one.told || now.since(watched_since) > (*after).min(GRACE));
        Ok(silent_after.span(&arrivals).filter(is_too_long))
    }

    /// A source that is asked is silent if it cannot be read: equal answers are not stored, so its deliveries make no habit.
    async fn is_silent(&self, conn: &mut Connection, id: IntegrationId, is_asked: bool) -> Result<bool, StorageError> {
        if is_asked {
            return Ok(polls::find(conn, id).await?.is_some_and(|memory| memory.lost));
        }
        let arrivals = insight::arrivals(conn, id, NOT_HEARD, HABIT_DELIVERIES).await?;
        Ok(is_silent(&arrivals, self.clock.now()).unwrap_or(false))
    }
}

/// What is no longer looked at here is not silent here.
fn tell(found: &[(String, bool)], told: &mut BTreeSet<String>) {
    for gone in told.iter().filter(|key| !found.iter().any(|(known, _)| known == *key)) {
        gauge!(METRIC, "integration" => gone.clone()).set(0.0);
    }
    for (key, silent) in found {
        gauge!(METRIC, "integration" => key.clone()).set(f64::from(u8::from(*silent)));
        told.insert(key.clone());
    }
}
