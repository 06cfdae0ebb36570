//! Tells subscribers: each task of the queue tries one notification once. What there is to try, [`crate::sweep`] hands out.

use std::{future::Future, sync::Arc, time::Duration};

use domain::{Claimed, NotificationId, Outcome, Span, Timestamp};
use metrics::{counter, histogram};
use storage::{
    Db, SecretBox, StorageError, Topic, Wake,
    notifications::{self, Ended, Next},
};
use tokio::sync::Semaphore;
use tracing::{error, warn};

use crate::{Clock, channels::Channels, queue::SendNotification, schedule};

/// Well within the time for which a claim holds.
const KEEP_CLAIM_EVERY: Duration = Duration::from_secs(6);
/// How long an endpoint may fail before it is switched off.
pub const DISABLE_AFTER: Span = Span(5 * 86_400_000);

/// Tries single notifications.
#[derive(Clone)]
pub struct Courier {
    /// Where what is owed is written.
    pub db: Db,
    /// Opens signing secrets.
    pub secrets: SecretBox,
    /// The ways to reach people and machines.
    pub channels: Arc<Channels>,
    /// What time it is.
    pub clock: Clock,
    /// Wakes the sweep when one is done.
    pub wake: Wake,
    /// The mail address that is told when an endpoint is switched off.
    pub owner: Option<String>,
    /// Lets only so many at the database at once.
    pub turns: Arc<Semaphore>,
}

/// How many couriers may be at the database at once. Whoever stores a webhook or makes history stands in the same queue as they, and must
/// not find hundreds before it.
#[must_use]
pub fn turns(db: &Db) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(if db.file().is_some() { 2 } else { 8 }))
}

impl Courier {
    /// Tries to deliver one notification once.
    ///
    /// Safe to run twice, late or never: the row decides. The claim is a compare-and-set, so of two runs one does nothing; what nobody
    /// runs is found by the sweep.
    pub async fn run(&self, task: SendNotification) {
        if let Err(failed) = self.try_once(task).await {
            error!(notification = task.notification, error = ?failed, "Could not try a notification; the sweep comes back to it");
        }
    }

    async fn try_once(&self, task: SendNotification) -> Result<(), StorageError> {
        let id = NotificationId(task.notification);
        let at = self.clock.now();
        let turn = self.turns.acquire().await;
        let claimed = notifications::claim(&self.db, &self.secrets, id, task.attempt, at).await;
        let (claimed, secrets) = match claimed {
            Ok(Some(claimed)) => claimed,
            Ok(None) => return Ok(()),
            // What does not read back today will not tomorrow: listed with its reason instead of tried for ever.
            Err(failed) if !failed.is_transient() => {
                return notifications::give_up(&self.db, id, task.attempt, &failed.to_string(), at).await;
            }
            Err(failed) => return Err(failed),
        };
        drop(turn);
        let outcome = self.holding(&claimed, self.channels.send(&claimed, &secrets)).await;
        let now = self.clock.now();
        let next = schedule::next(task.attempt, &outcome, now, rand::random());
        self.record(&claimed, &outcome, next, at, now).await
    }

    /// Keeps up the claim for as long as the try takes: a mail server may be slow, and there may be a queue in front of it.
    async fn holding(&self, claimed: &Claimed, sent: impl Future<Output = Outcome>) -> Outcome {
        let mut sent = std::pin::pin!(sent);
        loop {
            tokio::select! {
                outcome = &mut sent => return outcome,
                () = tokio::time::sleep(KEEP_CLAIM_EVERY) => {}
            }
            let kept = notifications::keep_claim(&self.db, claimed.notification, claimed.attempt, self.clock.now()).await;
            if let Err(failed) = kept {
                warn!(notification = claimed.notification.0, error = ?failed, "Could not keep up a claim; it may be tried twice");
            }
        }
    }

    async fn record(
        &self,
        claimed: &Claimed,
        outcome: &Outcome,
        next: schedule::Next,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let (name, detail) = describe(outcome);
        let ended = Ended {
            notification: claimed.notification,
            subscriber: claimed.recipient.subscriber,
            attempt: claimed.attempt,
            at,
            took: now.since(at),
            outcome: name,
            detail,
            next: match next {
                schedule::Next::Done => Next::Done,
                schedule::Next::RetryAt(at) => Next::RetryAt(at),
                schedule::Next::Dead | schedule::Next::DisableSubscriber => Next::Dead,
            },
        };
        let turn = self.turns.acquire().await;
        let failing_since = notifications::record(&self.db, &ended).await?;
        drop(turn);
        let channel = claimed.recipient.channel.as_str();
        counter!("fanal_notification_attempts_total", "channel" => channel, "outcome" => name).increment(1);
        if next == schedule::Next::Done {
            #[expect(clippy::cast_precision_loss, reason = "a delay in milliseconds")]
            histogram!("fanal_notification_delay_seconds", "channel" => channel).record(now.since(claimed.notice.at).0 as f64 / 1000.0);
        }
        let too_long = failing_since.is_some_and(|since| now.since(since) >= DISABLE_AFTER);
        if next == schedule::Next::DisableSubscriber || too_long {
            self.disable(claimed, if too_long { "every try has failed for 5 days" } else { detail }, now).await?;
        }
        Ok(())
    }

    async fn disable(&self, claimed: &Claimed, reason: &str, now: Timestamp) -> Result<(), StorageError> {
        let recipient = &claimed.recipient;
        if storage::history::disable(&self.db, recipient, reason, self.owner.as_deref(), now).await? {
            warn!(subscriber = %recipient.subscriber, channel = %recipient.channel, reason, "Switched a subscriber off");
            counter!("fanal_subscribers_disabled_total", "channel" => recipient.channel.as_str()).increment(1);
            self.wake.wake_soon(Topic::Notifications);
        }
        Ok(())
    }
}

fn describe(outcome: &Outcome) -> (&'static str, &str) {
    match outcome {
        Outcome::Delivered { detail } => ("delivered", detail),
        Outcome::Transient { why, .. } => ("transient", why),
        Outcome::Permanent { why } => ("permanent", why),
        Outcome::Gone { why } => ("gone", why),
    }
}
