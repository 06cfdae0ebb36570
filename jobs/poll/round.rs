//! One round of a check of our own: tried, judged, and stored only if it says something new.

use domain::{IntegrationId, Span, Timestamp};
use integrations::{
    Provider, Settings,
    check::{self, Check, Judged, Probe},
};
use sha2::{Digest, Sha256};
use storage::{StorageError, polls, polls::Memory};

use super::Poller;

/// A round that says nothing new is stored this often, for metrics.
const SAMPLE_EVERY: Span = Span::secs(60);

impl Poller {
    /// Tries a check once; tells how that went, in a word, and why it could not be tried, if so.
    pub(super) async fn try_check(
        &self,
        integration: IntegrationId,
        provider: &'static Provider,
        check: &Check,
        settings: &Settings,
        probe: &Probe,
        memory: &mut Memory,
    ) -> Result<(&'static str, Option<String>), StorageError> {
        let now = self.clock.now();
        let measured = match crate::check::measure(&self.egress, probe, now).await {
            Ok(measured) => measured,
            Err(refused) => return Ok(("failed", Some(refused.to_string()))),
        };
        // As of the end: what arrived meanwhile happened before.
        let at = self.clock.now();
        let Judged { delivery, verdicts, reason } = match check::judged(check, integration, settings, &measured, &memory.verdicts, at) {
            Ok(judged) => judged,
            Err(error) => return Ok(("failed", Some(error.to_string()))),
        };
        let result = if reason == "ok" { "ok" } else { "bad" };
        let hash = hex::encode(Sha256::digest(format!("{}\n{verdicts}\n{reason}", provider.slug)));
        let is_new = memory.body_hash.as_ref() != Some(&hash) || memory.failures > 0;
        if is_new || self.wants_sample(integration, memory, at).await? {
            self.inbox.insert(delivery).await?;
            memory.stored_at = Some(at.0);
            memory.body_hash = Some(hash);
        }
        memory.verdicts = verdicts;
        Ok((result, None))
    }

    async fn wants_sample(&self, integration: IntegrationId, memory: &Memory, now: Timestamp) -> Result<bool, StorageError> {
        // Rounds vary by a tenth: a check that is tried every minute is to give a sample every minute.
        let is_time = memory.stored_at.is_none_or(|at| now.since(Timestamp(at)).0 >= SAMPLE_EVERY.0 * 8 / 10);
        Ok(is_time && polls::feeds_metric(&mut self.db.read().await?, integration).await?)
    }
}
