//! The evaluator: the one loop that turns deliveries and timers into changes.
//!
//! Exactly one runs per database. It takes deliveries in the order in which they arrived, lets timers happen at the time at which
//! they are due in between, and stores everything that follows in one transaction per batch.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{Change, DeliveryId, IntegrationId, Recorded, Signal, State, Timestamp, plan_signal, plan_timers};
use integrations::{Inbound, Settings, example};
use metrics::{counter, gauge, histogram};
use storage::{
    Db, Entry, Lease, Office, SecretBox, StorageError, Topic, Wake, changes,
    deliveries::{Delivery, DeliveryState},
    fates::{self, Fate},
    hub, ledger, state,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Clock;

/// Deliveries in one transaction: enough to share its cost, few enough not to keep other writers waiting.
const MAX_BATCH: i64 = 256;
/// Bytes of their bodies, likewise: PostgreSQL undoes a transaction whose process does not get on for some seconds.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// How far below the oldest of the last batch the next look begins: ids do not commit in order.
const DISORDER: i64 = 4096;
/// How often the lease is renewed and the whole inbox looked at, woken or not.
const TICK: Duration = Duration::from_secs(1);
/// How often a process that does not evaluate asks whether it should.
const ASK: Duration = Duration::from_millis(500);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(500);

/// The evaluator of one process. It works only while it holds the office.
pub struct Evaluator {
    db: Db,
    wake: Wake,
    secrets: SecretBox,
    clock: Clock,
    office: Office,
    known: Option<Known>,
    /// Where the last look at the inbox began, and when the whole of it was looked at: the beginning of its index is slow to read while
    /// many rows come and go.
    from: DeliveryId,
    looked_at: Option<Instant>,
    /// Whether the last batch was a full one.
    more: bool,
    /// When nothing was left to be looked at, the last time. What arrived before and is to be looked at has been looked at already.
    caught_up: Option<Timestamp>,
    health: Arc<Health>,
}

/// What the evaluator keeps in memory as long as nobody else makes history.
struct Known {
    version: i64,
    state: State,
    providers: HashMap<IntegrationId, (String, Settings)>,
}

/// What other tasks may know of the evaluator.
#[derive(Debug, Default)]
pub struct Health {
    /// When the loop last went round, in milliseconds since 1970.
    seen_at: AtomicI64,
    /// 1 while this process evaluates.
    leads: AtomicI64,
}

impl Health {
    /// When the loop last went round.
    #[must_use]
    pub fn seen_at(&self) -> Timestamp {
        Timestamp(self.seen_at.load(Ordering::Relaxed))
    }

    /// Whether this process evaluates.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed) == 1
    }
}

impl Evaluator {
    /// An evaluator for this process. `holder` names the process and is new at every start.
    #[must_use]
    pub fn new(db: Db, wake: Wake, secrets: SecretBox, clock: Clock, holder: String) -> Self {
        let office = Office::new(db.clone(), holder);
        Self {
            db,
            wake,
            secrets,
            clock,
            office,
            known: None,
            from: DeliveryId(0),
            looked_at: None,
            more: false,
            caught_up: None,
            health: Arc::default(),
        }
    }

    /// What other tasks may know of it.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Evaluates until `shutdown`, then finishes the batch under way and gives the office back.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut arrived = self.wake.waiter(Topic::Deliveries);
        let mut renewed: Option<Instant> = None;
        let mut lease: Option<Lease> = None;
        while !shutdown.is_cancelled() {
            self.health.seen_at.store(self.clock.now().0, Ordering::Relaxed);
            if renewed.is_none_or(|at| at.elapsed() >= if lease.is_some() { TICK } else { ASK }) {
                lease = self.renew(lease.is_some()).await;
                renewed = Some(Instant::now());
            }
            let more = match &lease {
                Some(lease) => self.step(lease).await,
                None => Ok(false),
            };
            match more {
                Ok(true) => continue,
                Ok(false) => {}
                Err(StorageError::LeaseLost) => {
                    warn!("Another process has taken over evaluation");
                    lease = None;
                    self.tell_whether_leading(false);
                }
                Err(failed) => {
                    error!(error = ?failed, "Could not evaluate; trying again");
                    self.known = None;
                    tokio::select! { () = tokio::time::sleep(PAUSE) => {}, () = shutdown.cancelled() => {} }
                }
            }
            let patience = if lease.is_some() { self.patience() } else { ASK };
            tokio::select! { () = arrived.wait(patience) => {}, () = shutdown.cancelled() => {} }
        }
        if let Err(failed) = self.office.leave().await {
            warn!(error = ?failed, "Could not give the evaluator's office back; it falls vacant by itself");
        }
    }

    async fn renew(&mut self, held: bool) -> Option<Lease> {
        let lease = match self.office.hold(self.clock.now()).await {
            Ok(lease) => lease,
            Err(failed) => {
                warn!(error = ?failed, "Could not ask for the evaluator's office");
                None
            }
        };
        if lease.is_some() && !held {
            info!("This process evaluates now");
        }
        self.tell_whether_leading(lease.is_some());
        lease
    }

    fn tell_whether_leading(&mut self, leads: bool) {
        if !leads {
            self.known = None;
            self.caught_up = None;
        }
        self.health.leads.store(i64::from(leads), Ordering::Relaxed);
        gauge!("fanal_evaluator_leads").set(if leads { 1.0 } else { 0.0 });
    }

    /// Until the next timer, and at most a tick.
    fn patience(&self) -> Duration {
        let next = self.known.as_ref().and_then(|known| known.state.next_timer());
        let wait = next.map_or(TICK, |at| Duration::from_millis(u64::try_from(at.since(self.clock.now()).0).unwrap_or(0)));
        wait.clamp(Duration::from_millis(1), TICK)
    }

    /// Evaluates one batch; tells whether there may be more.
    async fn step(&mut self, lease: &Lease) -> Result<bool, StorageError> {
        if self.looked_at.is_none_or(|at| at.elapsed() >= TICK) {
            self.looked_at = Some(Instant::now());
            self.from = DeliveryId(0);
        }
        let now = self.clock.now();
        if !std::mem::take(&mut self.more) && !self.has_work().await? {
            if self.from == DeliveryId(0) {
                self.caught_up = Some(now);
            }
            return Ok(false);
        }
        let began = Instant::now();
        let mut entry = ledger::begin(&self.db, Some(lease)).await?;
        let mut known = self.known(&mut entry).await?;
        let batch = fates::pending(&mut entry.tx, self.from, MAX_BATCH, MAX_BATCH_BYTES as i64).await?;
        let mut recorded = Vec::new();
        let mut fates = Vec::with_capacity(batch.len());
        for delivery in &batch {
            if self.caught_up.is_some_and(|at| delivery.received_at < at) {
                // Looked at again, so what it says is decided now.
                recorded.extend(plan_timers(&mut known.state, self.clock.now()));
                known.state.clock = known.state.clock.max(self.clock.now());
            }
            fates.push(evaluate(&mut known, delivery, entry.position, &mut recorded));
            entry.position += 1;
        }
        recorded.extend(plan_timers(&mut known.state, self.clock.now()));
        fates::settle(&mut entry.tx, &fates).await?;
        changes::apply(&mut entry, &mut known.state, &recorded).await?;
        known.version = entry.version;
        entry.commit(&known.state).await?;
        self.known = Some(known);
        if let Some(oldest) = batch.first() {
            self.from = DeliveryId(oldest.id.0 - DISORDER);
        }
        self.tell(&recorded, &fates, began);
        let n_bytes: usize = batch.iter().map(|delivery| delivery.body.len()).sum();
        self.more = batch.len() as i64 == MAX_BATCH || n_bytes >= MAX_BATCH_BYTES;
        Ok(self.more)
    }

    /// Whether a batch would do anything: nothing is written while nothing happens.
    async fn has_work(&self) -> Result<bool, StorageError> {
        let Some(known) = &self.known else { return Ok(true) };
        if known.state.next_timer().is_some_and(|at| at <= self.clock.now()) {
            return Ok(true);
        }
        let mut conn = self.db.read().await?;
        if ledger::read(&mut conn).await?.version != known.version {
            return Ok(true);
        }
        fates::is_any_pending(&mut conn, self.from).await
    }

    /// The state in memory if nobody else has made history since, else the state as stored. Kept again once the batch is committed.
    async fn known(&mut self, entry: &mut Entry) -> Result<Known, StorageError> {
        if let Some(known) = self.known.take().filter(|known| known.version + 1 == entry.version) {
            return Ok(known);
        }
        let state = state::load(entry).await?;
        let integrations = hub::load(&mut entry.tx, &self.secrets).await?;
        let providers = integrations.into_iter().map(|i| (i.id, (i.provider, Settings::new(i.settings)))).collect();
        Ok(Known { version: entry.version, state, providers })
    }

    fn tell(&self, recorded: &[Recorded], fates: &[Fate], began: Instant) {
        if changes::is_visible(recorded) {
            self.wake.wake_soon(Topic::Changes);
        }
        if changes::owes(recorded) {
            self.wake.wake_soon(Topic::Notifications);
        }
        for fate in fates {
            counter!("fanal_deliveries_evaluated_total", "state" => fate.state.as_str()).increment(1);
        }
        histogram!("fanal_evaluator_batch_seconds").record(began.elapsed().as_secs_f64());
    }
}

/// Takes one delivery in: what was due before it arrived happens first.
fn evaluate(known: &mut Known, delivery: &Delivery, position: i64, recorded: &mut Vec<Recorded>) -> Fate {
    recorded.extend(plan_timers(&mut known.state, delivery.received_at));
    let is_test = example::is_test(&delivery.headers);
    let read = match known.providers.get(&delivery.integration) {
        _ if is_test => Ok(Vec::new()),
        Some((provider, settings)) => parse(provider, settings, delivery),
        None => Err("the integration is switched off".to_owned()),
    };
    let (state, reason, signals) = match read {
        Ok(_) if is_test => (DeliveryState::Ignored, Some("a test: it changes nothing".to_owned()), Vec::new()),
        Ok(signals) if signals.is_empty() => {
            (DeliveryState::Ignored, Some("says nothing about the health of anything".to_owned()), Vec::new())
        }
        Ok(signals) => (DeliveryState::Processed, None, signals),
        Err(reason) => (DeliveryState::Quarantined, Some(reason), Vec::new()),
    };
    let n = recorded.len();
    fold(&mut known.state, delivery.integration, delivery.id, &signals, delivery.received_at, recorded);
    let reason = reason.or_else(|| refused(&recorded[n..]));
    Fate { delivery: delivery.id, integration: delivery.integration, state, reason, signals, position, evaluated_at: known.state.clock }
}

/// What of a delivery was not taken in: the first reason, and how many there are.
fn refused(recorded: &[Recorded]) -> Option<String> {
    let mut reasons =
        recorded.iter().filter(|recorded| matches!(recorded.change, Change::Refused { .. })).map(|recorded| &recorded.why.text);
    let first = reasons.next()?;
    Some(match reasons.count() {
        0 => first.clone(),
        more => format!("{first} (and {more} more)"),
    })
}

/// Takes the signals of one delivery in, at the time it arrived or, if the state is already further, then.
pub fn fold(
    state: &mut State,
    integration: IntegrationId,
    delivery: DeliveryId,
    signals: &[Signal],
    at: Timestamp,
    recorded: &mut Vec<Recorded>,
) {
    state.clock = state.clock.max(at);
    for signal in signals {
        recorded.extend(plan_signal(state, integration, delivery, signal, at));
    }
}

/// What a stored delivery says. A parser that panics is a bug of ours and must not stop the others.
///
/// # Errors
/// The reason for quarantine.
pub fn parse(provider: &str, settings: &Settings, delivery: &Delivery) -> Result<Vec<Signal>, String> {
    let inbound = Inbound { headers: &delivery.headers, path_token: None, body: &delivery.body, received_at: delivery.received_at };
    match catch_unwind(AssertUnwindSafe(|| integrations::parse(provider, &inbound, settings))) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the parser failed; this is a bug in Fanal".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use domain::Why;

    use super::*;

    #[test]
    fn what_was_not_taken_in_is_said_with_the_delivery() {
        let integration = IntegrationId(1);
        let refused_for = |text: &str| Recorded {
            change: Change::Refused { integration, fingerprint: "f".to_owned() },
            why: Why { text: text.to_owned(), ..Why::default() },
            at: Timestamp(0),
        };
        let forgotten =
            Recorded { change: Change::AlertForgotten { integration, fingerprint: "f".to_owned() }, ..refused_for("nobody asked") };
        assert_eq!(refused(std::slice::from_ref(&forgotten)), None);
        assert_eq!(refused(&[forgotten.clone(), refused_for("too many")]).as_deref(), Some("too many"));
        assert_eq!(refused(&[refused_for("too many"), forgotten, refused_for("too old")]).as_deref(), Some("too many (and 1 more)"));
    }
}
