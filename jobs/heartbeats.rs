//! Watches heartbeats: tells when a ping is overdue.
//!
//! Pings are deliveries like any others, and each one's deadline follows from it. When a deadline passes a delivery of our own says so, once.
//! Deadlines are kept in the database, and so is when somebody last watched: pings that may have been lost while Fanal was down are not
//! missed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::{IntegrationId, Span, Timestamp};
use integrations::heartbeat::{self, Deadline, OVERDUE_PREFIX, Overdue, SLUG, Times};
use storage::{
    Db, Inbox, StorageError,
    heartbeats::{self, Heartbeat},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{Clock, evaluator::Health};

/// How often to look.
const TICK: Duration = Duration::from_secs(1);
/// After a deadline a ping that came in time may still be on its way into the database.
const SETTLED_AFTER: Span = Span::secs(2);
/// How often to write down that somebody watches.
const MARK_EVERY: Span = Span::secs(5);
/// Who was not seen watching for this long was not there: shorter than what senders try again for.
const DOWN_AFTER: Span = Span::secs(12);

/// Watches every heartbeat. Only the process that evaluates does so.
pub struct Heartbeats {
    /// Where deadlines are kept.
    pub db: Db,
    /// Where what is overdue becomes durable.
    pub inbox: Inbox,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
}

impl Heartbeats {
    /// Watches until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if self.health.leads()
                && let Err(failed) = self.look().await
            {
                warn!(error = ?failed, "Could not look after heartbeats; trying again");
            }
            tokio::select! { () = tokio::time::sleep(TICK) => {}, () = shutdown.cancelled() => {} }
        }
    }

    /// Looks once: takes account of new pings, and tells what is overdue.
    ///
    /// # Errors
    /// What the database said.
    pub async fn look(&self) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut conn = self.db.read().await?;
        let configured = heartbeats::configured(&mut conn, SLUG, OVERDUE_PREFIX).await?;
        let known = heartbeats::all(&mut conn).await?;
        if configured.is_empty() && known.is_empty() {
            return Ok(());
        }
        let watched = heartbeats::watched_at(&mut conn).await?;
        let down = watched.filter(|at| now.since(*at) >= DOWN_AFTER);
        if let Some(down) = down {
            info!(since = %down, "Nobody has watched over heartbeats; those that may have been lost are not missed");
        }
        let mut known: HashMap<i64, Heartbeat> = known.into_iter().map(|heartbeat| (heartbeat.integration_id, heartbeat)).collect();
        let (mut changed, mut overdue) = (Vec::new(), Vec::new());
        for (integration, settings, newest) in configured {
            let before = known.remove(&integration.0);
            let Some(times) = serde_json::from_str(&settings).ok().and_then(|json| heartbeat::times(&json).ok()) else { continue };
            let mut heartbeat = before.clone().unwrap_or_else(|| unknown(integration, &settings));
            if newest.map(|id| id.0) > heartbeat.ping_id
                && let Some(pinged) = heartbeats::newest(&mut conn, integration, OVERDUE_PREFIX).await?
            {
                heartbeat.ping_id = Some(pinged.id.0);
                heartbeat.pinged_at = Some(pinged.at.0);
                set(&mut heartbeat, heartbeat::ping_of(&pinged.headers).and_then(|ping| times.after(ping, pinged.at)));
            }
            // After the pings: the newest may have come just before Fanal went down.
            if let (Some(down), Some(deadline)) = (down, deadline(&heartbeat)) {
                set(&mut heartbeat, Some(times.put_off(deadline, down, now)));
            }
            if heartbeat.source != settings {
                heartbeat.source = settings;
                adapt(&mut heartbeat, &times, now);
            }
            if let Some(deadline) = deadline(&heartbeat).filter(|deadline| now.since(deadline.at) >= SETTLED_AFTER) {
                overdue.push((integration, deadline));
                set(&mut heartbeat, None);
            }
            if before.as_ref() != Some(&heartbeat) {
                changed.push(heartbeat);
            }
        }
        drop(conn);
        // First what is told, then that it was: told twice it is stored once.
        for (integration, deadline) in overdue {
            info!(%integration, kind = deadline.kind.as_str(), "A heartbeat is overdue");
            self.inbox.insert(heartbeat::overdue(integration, deadline, now)).await?;
        }
        let is_marked = watched.is_some_and(|at| now.since(at) < MARK_EVERY);
        if is_marked && changed.is_empty() && known.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for heartbeat in &changed {
            heartbeats::put(&mut tx, heartbeat).await?;
        }
        for gone in known.keys() {
            heartbeats::forget(&mut tx, *gone).await?;
        }
        heartbeats::set_watched_at(&mut tx, now).await?;
        tx.commit().await
    }
}

/// Nothing is awaited before the first ping.
fn unknown(integration: IntegrationId, settings: &str) -> Heartbeat {
    let source = settings.to_owned();
    Heartbeat { integration_id: integration.0, source, ping_id: None, pinged_at: None, due_at: None, overdue: None }
}

fn deadline(heartbeat: &Heartbeat) -> Option<Deadline> {
    Some(Deadline { at: Timestamp(heartbeat.due_at?), kind: Overdue::from_name(heartbeat.overdue.as_deref()?)? })
}

fn set(heartbeat: &mut Heartbeat, deadline: Option<Deadline>) {
    heartbeat.due_at = deadline.map(|deadline| deadline.at.0);
    heartbeat.overdue = deadline.map(|deadline| deadline.kind.as_str().to_owned());
}

/// With new settings another deadline, and at least one grace for whoever has not heard of them yet.
fn adapt(heartbeat: &mut Heartbeat, times: &Times, now: Timestamp) {
    let (Some(old), Some(pinged_at)) = (deadline(heartbeat), heartbeat.pinged_at) else { return };
    let new = times.of(old.kind, Timestamp(pinged_at));
    set(heartbeat, Some(Deadline { at: new.at.max(now.plus(times.grace)), ..new }));
}
