//! Housekeeping: what has been kept for as long as promised is removed, a little at a time.

use std::{sync::Arc, time::Duration};

use domain::{ALERT_MEMORY, Span, Timestamp};
use storage::{Db, StorageError, deliveries, past};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Clock, evaluator::Health};

/// How often to look.
const EVERY: Duration = Duration::from_secs(600);
/// Rows removed in one transaction, so that other writers need not wait long.
const AT_ONCE: i64 = 500;
/// How long what a check or a heartbeat said is kept if it changed nothing: most of it says that all is as it was.
const IDLE_RETENTION: Span = Span::mins(24 * 60);

/// Removes what is too old. Only the process that evaluates does so.
pub struct Housekeeping {
    /// Where it is kept.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
    /// How long a delivery is kept after it arrived.
    pub delivery_retention: Span,
}

impl Housekeeping {
    /// Looks now and then until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = shutdown.cancelled() => return }
            if !self.health.leads() {
                continue;
            }
            match self.prune().await {
                Ok(0) => {}
                Ok(n) => info!(n, "Removed deliveries that were kept for as long as promised"),
                Err(failed) => warn!(error = ?failed, "Could not remove what is too old; trying again later"),
            }
        }
    }

    /// Removes every delivery that is too old; returns how many.
    ///
    /// # Errors
    /// What the database said.
    pub async fn prune(&self) -> Result<u64, StorageError> {
        let before = Timestamp(self.clock.now().0 - self.delivery_retention.0);
        let idle_before = Timestamp(self.clock.now().0 - IDLE_RETENTION.0);
        let measuring = integrations::PROVIDERS.iter().filter(|provider| provider.says_much()).map(|provider| provider.slug);
        let measuring: Vec<&str> = measuring.collect();
        let mut tx = self.db.begin().await?;
        past::prune(&mut tx, Timestamp(self.clock.now().0 - 2 * ALERT_MEMORY.0)).await?;
        tx.commit().await?;
        let mut total = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let mut n = deliveries::prune(&mut tx, before, AT_ONCE).await?;
            n += deliveries::prune_idle(&mut tx, &measuring, idle_before, AT_ONCE).await?;
            tx.commit().await?;
            total += n;
            if n == 0 {
                return Ok(total);
            }
        }
    }
}
