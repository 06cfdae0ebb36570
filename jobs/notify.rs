//! Tells subscribers: a sweep hands what is owed to the queue, and each task tries one notification once.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use domain::{Claimed, NotificationId, Outcome, Span, Timestamp};
use metrics::{counter, histogram};
use storage::{
    Db, SecretBox, StorageError, Topic, Wake,
    notifications::{self, Ended, Next},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    Clock,
    channels::Channels,
    evaluator::Health,
    queue::{Queue, SendNotification},
    schedule,
};

/// Tasks in the queue at most; the rest waits in the database.
const MAX_OUTSTANDING: usize = 2000;
/// After this long a task that nobody took up is taken for lost and pushed again.
const PUSH_AGAIN_AFTER: Span = Span::secs(30);
/// How often to look without being woken.
const TICK: Duration = Duration::from_secs(5);
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
        let failing_since = notifications::record(&self.db, &ended).await?;
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

/// Hands what is due to the queue, for ever. Only the process that evaluates sweeps; the others work on what it hands out.
pub struct Sweep {
    /// Where what is owed is written.
    pub db: Db,
    /// Where tasks go.
    pub queue: Queue,
    /// What time it is.
    pub clock: Clock,
    /// Wakes the sweep when something is owed.
    pub wake: Wake,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
}

impl Sweep {
    /// Sweeps until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut owed = self.wake.waiter(Topic::Notifications);
        let mut pushed: HashMap<SendNotification, Timestamp> = HashMap::new();
        while !shutdown.is_cancelled() {
            let patience = match self.sweep(&mut pushed).await {
                Ok(patience) => patience,
                Err(failed) => {
                    warn!(error = ?failed, "Could not hand out notifications; trying again");
                    Duration::from_secs(1)
                }
            };
            tokio::select! { () = owed.wait(patience) => {}, () = shutdown.cancelled() => {} }
        }
    }

    /// Hands out what is due; returns how long to wait for the next.
    async fn sweep(&self, pushed: &mut HashMap<SendNotification, Timestamp>) -> Result<Duration, StorageError> {
        if !self.health.leads() {
            pushed.clear();
            return Ok(Duration::from_millis(200));
        }
        let now = self.clock.now();
        let mut conn = self.db.read().await?;
        let due = notifications::due(&mut conn, now, MAX_OUTSTANDING as i64).await?;
        let due: Vec<SendNotification> = due.into_iter().map(|(id, attempt)| SendNotification { notification: id.0, attempt }).collect();
        let full = due.len() == MAX_OUTSTANDING;
        // What is no longer due was taken up.
        let still: HashMap<_, _> = due.iter().filter_map(|task| pushed.get(task).map(|at| (*task, *at))).collect();
        *pushed = still;
        let lost = |at: &Timestamp| now.since(*at) >= PUSH_AGAIN_AFTER;
        let fresh: Vec<SendNotification> = due.into_iter().filter(|task| pushed.get(task).is_none_or(lost)).collect();
        if !fresh.is_empty() {
            if let Err(failed) = self.queue.push(&fresh).await {
                info!(error = %failed, n = fresh.len(), "The queue takes nothing now; the notifications wait");
                return Ok(Duration::from_secs(1));
            }
            pushed.extend(fresh.into_iter().map(|task| (task, now)));
        }
        if full {
            return Ok(Duration::from_millis(20));
        }
        let next = notifications::next_due(&mut conn).await?;
        let until = next.filter(|at| *at > now).map_or(TICK, |at| Duration::from_millis(u64::try_from(at.since(now).0).unwrap_or(0)));
        Ok(until.clamp(Duration::from_millis(5), TICK))
    }
}
