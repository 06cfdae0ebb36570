//! Silence: tells operators which integrations have been silent for longer than is their habit.
//!
//! A metric and no more: a sender that has nothing to say makes nothing unknown.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{HABIT_DELIVERIES, IntegrationId, is_silent};
use metrics::gauge;
use storage::{Connection, Db, StorageError, insight, integrations::keys, polls};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Clock, evaluator::Health};

/// How often to look: silence lasts an hour at least.
const EVERY: Duration = Duration::from_secs(300);
/// How often a process that does not evaluate asks whether it should look.
const ASK: Duration = Duration::from_secs(5);
const METRIC: &str = "fanal_integration_silent";

/// Watches how long integrations have been silent. Only the process that evaluates does so.
pub struct Silence {
    /// Where deliveries are.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
}

impl Silence {
    /// Looks now and then until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut told: BTreeSet<String> = BTreeSet::new();
        let mut silent: BTreeSet<String> = BTreeSet::new();
        loop {
            let found = if self.health.leads() { self.look().await } else { Ok(Vec::new()) };
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
            let patience = if self.health.leads() { EVERY } else { ASK };
            tokio::select! { () = tokio::time::sleep(patience) => {}, () = shutdown.cancelled() => return }
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

    /// A source that is asked is silent if it cannot be read: equal answers are not stored, so its deliveries make no habit.
    async fn is_silent(&self, conn: &mut Connection, id: IntegrationId, is_asked: bool) -> Result<bool, StorageError> {
        if is_asked {
            return Ok(polls::find(conn, id).await?.is_some_and(|memory| memory.lost));
        }
        let arrivals = insight::arrivals(conn, id, HABIT_DELIVERIES).await?;
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
