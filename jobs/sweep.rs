//! Hands what is owed to the queue, a fair part of it at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use domain::{Span, SubscriberId, Timestamp};
use storage::{
    Connection, Db, StorageError, Topic, Wake,
    notifications::{self, Due},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Clock,
    evaluator::Health,
    fairness::{Admission, Places},
    queue::{Job, Queue, SendNotification},
};

/// What is looked at, oldest first, at one time.
const WINDOW: usize = 2000;
/// Subscribers looked at, in turn, when the window is full of what has to wait.
const ROUND: i32 = 500;
/// After this long a task that nobody took up is taken for lost and pushed again.
const PUSH_AGAIN_AFTER: Span = Span::secs(30);
/// How often to look without being woken.
const TICK: Duration = Duration::from_secs(5);

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

/// What a sweep remembers for the next.
#[derive(Default)]
struct Memory {
    /// What lies in the queue and was not taken up yet, and since when.
    pushed: HashMap<SendNotification, Timestamp>,
    /// Where the next round begins.
    after: Option<SubscriberId>,
}

/// What a look at the notifications that are due has found.
#[derive(Default)]
struct Found {
    fresh: Vec<SendNotification>,
    /// Waits for others, and why.
    held: HashSet<Admission>,
}

impl Sweep {
    /// Sweeps until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut owed = self.wake.waiter(Topic::Notifications);
        let mut memory = Memory::default();
        while !shutdown.is_cancelled() {
            let patience = match self.sweep(&mut memory).await {
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
    async fn sweep(&self, memory: &mut Memory) -> Result<Duration, StorageError> {
        if !self.health.leads() {
            *memory = Memory::default();
            return Ok(Duration::from_millis(200));
        }
        let now = self.clock.now();
        let mut conn = self.db.read().await?;
        let window = notifications::due(&mut conn, now, WINDOW as i64).await?;
        let full = window.len() == WINDOW;
        let Found { fresh, held } = look(&mut conn, memory, window, now).await?;
        if !fresh.is_empty() {
            if let Err(failed) = self.queue.push(&fresh.iter().copied().map(Job::Send).collect::<Vec<_>>()).await {
                info!(error = %failed, n = fresh.len(), "The queue takes nothing now; the notifications wait");
                return Ok(Duration::from_secs(1));
            }
            memory.pushed.extend(fresh.iter().map(|task| (*task, now)));
        }
        if !held.is_empty() {
            return Ok(patience(&held, !fresh.is_empty()));
        }
        if full {
            return Ok(Duration::from_millis(20));
        }
        let next = notifications::next_due(&mut conn, now).await?;
        let until = next.map_or(TICK, |at| Duration::from_millis(u64::try_from(at.since(now).0).unwrap_or(0)));
        Ok(until.clamp(Duration::from_millis(5), TICK))
    }
}

/// How long what is held may wait until somebody looks whether it still has to. Nobody is told when a try has ended.
fn patience(held: &HashSet<Admission>, going_on: bool) -> Duration {
    Duration::from_millis(match () {
        () if going_on => 10,
        () if held.contains(&Admission::NoPlace) => 50,
        () if held.contains(&Admission::Behind) => 100,
        () => 250,
    })
}

async fn look(conn: &mut Connection, memory: &mut Memory, window: Vec<Due>, now: Timestamp) -> Result<Found, StorageError> {
    let mut places = Places::default();
    for (subscriber, failing, n) in notifications::under_way(conn, now).await? {
        places.take(subscriber, failing, n);
    }
    let full = window.len() == WINDOW;
    let lost = |at: &Timestamp| now.since(*at) >= PUSH_AGAIN_AFTER;
    // What is no longer due was taken up.
    let was_pushed = std::mem::take(&mut memory.pushed);
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut admit = |due: &[Due], memory: &mut Memory, found: &mut Found| {
        let waits = |due: &&Due| was_pushed.get(&task(due)).filter(|at| !lost(at));
        let (waiting, others): (Vec<&Due>, Vec<&Due>) = due.iter().filter(|due| seen.insert(due.id)).partition(|due| waits(due).is_some());
        for due in waiting {
            places.take(due.subscriber, due.failing, 1);
            memory.pushed.extend(waits(&due).map(|at| (task(due), *at)));
        }
        for due in others {
            match places.admit(due) {
                Admission::Now => found.fresh.push(task(due)),
                why => drop(found.held.insert(why)),
            }
        }
    };
    admit(&window, memory, &mut found);
    if full && !found.held.is_empty() {
        // Behind what has to wait there may be others who need not.
        let (round, last) = notifications::first_due(conn, now, memory.after, ROUND).await?;
        memory.after = last;
        admit(&round, memory, &mut found);
    }
    Ok(found)
}

const fn task(due: &Due) -> SendNotification {
    SendNotification { notification: due.id.0, attempt: due.attempt }
}
