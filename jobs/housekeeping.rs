//! Housekeeping: what has been kept for as long as promised is removed, a little at a time.

use std::{sync::Arc, time::Duration};

use domain::{ALERT_MEMORY, Span, Timestamp};
use storage::{Db, SecretBox, StorageError, audit, deliveries, past, waiting};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Clock, evaluator::Health};

/// How often to look.
const EVERY: Duration = Duration::from_secs(600);
/// Rows removed in one transaction, so that other writers need not wait long.
const AT_ONCE: i64 = 500;
/// How long what a check or a heartbeat said is kept if it changed nothing: most of it says that all is as it was.
const IDLE_RETENTION: Span = Span::mins(24 * 60);
/// How long it is kept what became of an act that waited.
const WAITED_RETENTION: Span = Span::mins(24 * 60);

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
    /// Seals the audit log anew when its beginning is removed.
    pub secrets: SecretBox,
    /// How long an act stands in the audit log.
    pub audit_retention: Span,
    /// Whether the audit log is handed on: then nothing is removed that was not.
    pub audit_is_streamed: bool,
}

impl Housekeeping {
    /// Looks now and then until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = shutdown.cancelled() => return }
            if !self.health.leads() {
                continue;
            }
            if let Err(failed) = self.prune_audit().await {
                warn!(error = ?failed, "Could not remove what is too old of the audit log; trying again later");
            }
            match self.prune().await {
                Ok(0) => {}
                Ok(n) => info!(n, "Removed deliveries that were kept for as long as promised"),
                Err(failed) => warn!(error = ?failed, "Could not remove what is too old; trying again later"),
            }
        }
    }

    /// Removes every act that is too old from the beginning of the audit log, and leaves a row about it; returns how many.
    ///
    /// # Errors
    /// What the database said.
    pub async fn prune_audit(&self) -> Result<u64, StorageError> {
        let now = self.clock.now();
        let before = Timestamp(now.0 - self.audit_retention.0);
        let mut total = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let n = audit::prune(&mut tx, &self.secrets, before, self.audit_is_streamed, AT_ONCE).await?;
            if n == 0 {
                return Ok(total);
            }
            total += n;
            let by = audit::By::system();
            let after = serde_json::json!({ "n": n, "older_than": before.to_string() });
            let entry = audit::Entry { by: &by, action: "audit.prune", resource: None, before: serde_json::Value::Null, after, at: now };
            audit::record(&mut tx, &self.secrets, &entry).await?;
            tx.commit().await?;
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
        waiting::prune(&mut tx, Timestamp(self.clock.now().0 - WAITED_RETENTION.0)).await?;
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
