//! Asks the sources that do not send: [`Rounds`] hands out what is due, [`Poller`] asks one source once.
//!
//! An answer is stored as a delivery only if it differs from the one before, so a source that has nothing new costs one small row. After
//! [`ROUNDS_TO_LOSE`] rounds without a readable answer the evaluator is told, once, that the source cannot be read.

mod ask;
mod hosts;
mod next;
mod round;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::{IntegrationId, Span, Timestamp};
use integrations::{
    Provider, Settings,
    poll::{self, Answer, Ask},
};
use metrics::{counter, histogram};
use reqwest::header::{ETAG, HeaderMap, LAST_MODIFIED};
use sha2::{Digest, Sha256};
use storage::{
    Db, Inbox, SecretBox, StorageError, Topic, Wake, hub,
    polls::{self, Due, Memory, Source},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    Clock,
    egress::Egress,
    evaluator::Health,
    queue::{Job, Queue},
    retry_after,
    shared_limits::SharedLimits,
};
use ask::{Asked, Way};
use hosts::Hosts;

/// After so many rounds without a readable answer what a source feeds is unknown.
pub const ROUNDS_TO_LOSE: i32 = 3;
/// Sources asked at once by one process; they leave room for notifications in the queue.
const N_AT_ONCE: usize = 64;
/// Sources that wait in one process for their turn to be asked; with those asked at once they leave room for notifications too.
const N_WAITING: usize = 128;
/// Tasks handed out and not yet finished: as many as one process takes, so that none is turned away and pushed again only when it counts
/// as lost.
const MAX_OUTSTANDING: usize = N_AT_ONCE + N_WAITING;
/// After this long a task that nobody finished is taken for lost and pushed again.
const PUSH_AGAIN_AFTER: Span = Span::secs(30);
/// How often to look without being woken.
const TICK: Duration = Duration::from_secs(1);
/// How often the configuration is compared with what is asked.
const COMPARE_EVERY: Span = Span::secs(1);
/// How soon to look again while more is due than is handed out.
const BACKLOG_TICK: Duration = Duration::from_millis(50);

/// Hands out the sources that are due. Only the process that evaluates does so.
pub struct Rounds {
    /// Where sources are written.
    pub db: Db,
    /// Where tasks go.
    pub queue: Queue,
    /// What time it is.
    pub clock: Clock,
    /// Tells when the configuration changes.
    pub wake: Wake,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
}

impl Rounds {
    /// Hands out until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut changed = self.wake.waiter(Topic::Changes);
        let mut pushed: HashMap<Due, Timestamp> = HashMap::new();
        let mut compared = Timestamp(0);
        while !shutdown.is_cancelled() {
            let patience = match self.hand_out(&mut pushed, &mut compared).await {
                Ok(patience) => patience,
                Err(failed) => {
                    warn!(error = ?failed, "Could not hand out polls; trying again");
                    TICK
                }
            };
            tokio::select! { () = changed.wait(patience) => {}, () = shutdown.cancelled() => {} }
        }
    }

    async fn hand_out(&self, pushed: &mut HashMap<Due, Timestamp>, compared: &mut Timestamp) -> Result<Duration, StorageError> {
        if !self.health.leads() {
            pushed.clear();
            return Ok(TICK);
        }
        let now = self.clock.now();
        if now.since(*compared) >= COMPARE_EVERY {
            self.compare(now).await?;
            *compared = now;
        }
        let mut conn = self.db.read().await?;
        let due = polls::due(&mut conn, now, i64::try_from(MAX_OUTSTANDING).unwrap_or(i64::MAX)).await?;
        let backlog = due.len() == MAX_OUTSTANDING;
        let still: HashSet<&Due> = due.iter().collect();
        pushed.retain(|task, at| still.contains(task) && now.since(*at) < PUSH_AGAIN_AFTER);
        let fresh: Vec<Due> = due.into_iter().filter(|task| !pushed.contains_key(task)).collect();
        if !fresh.is_empty() {
            let tasks: Vec<Job> = fresh.iter().map(|due| Job::Poll { integration: due.integration.0, round: due.round }).collect();
            if let Err(failed) = self.queue.push(&tasks).await {
                info!(error = %failed, n = tasks.len(), "The queue takes nothing now; the polls wait");
                return Ok(TICK);
            }
            pushed.extend(fresh.into_iter().map(|task| (task, now)));
        }
        if backlog {
            return Ok(BACKLOG_TICK);
        }
        let next = polls::next_after(&mut conn, now).await?;
        let until = next.filter(|at| *at > now).map_or(TICK, |at| Duration::from_millis(u64::try_from(at.since(now).0).unwrap_or(0)));
        Ok(until.clamp(Duration::from_millis(50), TICK))
    }

    /// Brings the table of sources in line with the configuration.
    async fn compare(&self, now: Timestamp) -> Result<(), StorageError> {
        let mut conn = self.db.read().await?;
        let mut asked: HashMap<IntegrationId, String> = polls::sources(&mut conn).await?.into_iter().collect();
        let wanted = polls::integrations(&mut conn).await?;
        drop(conn);
        let mut new = Vec::new();
        for (integration, provider, settings) in wanted {
            if integrations::find(&provider).is_none_or(|provider| provider.poll.is_none()) {
                continue;
            }
            let source = hex::encode(Sha256::digest(format!("{provider}\n{settings}")));
            if asked.remove(&integration).as_ref() != Some(&source) {
                new.push(Source { integration, source, first_at: now });
            }
        }
        let spread = next::spread(new.len());
        for source in &mut new {
            source.first_at = now.plus(Span(rand::random_range(0..spread.0)));
        }
        if new.is_empty() && asked.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for source in &new {
            polls::begin(&mut tx, source).await?;
        }
        for integration in asked.keys() {
            polls::end(&mut tx, *integration).await?;
        }
        tx.commit().await
    }
}

/// Asks single sources.
#[derive(Clone)]
pub struct Poller {
    /// Where sources are written.
    pub db: Db,
    /// Opens the sources' secrets.
    pub secrets: SecretBox,
    /// The way out.
    pub egress: Egress,
    /// Where answers become durable.
    pub inbox: Inbox,
    /// What time it is.
    pub clock: Clock,
    under_way: Arc<Mutex<HashSet<IntegrationId>>>,
    /// For those that are asked, and for those and whoever waits.
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    hosts: Arc<Hosts>,
}

impl Poller {
    /// A poller for this process, which takes turns at hosts with all others that share these limits.
    #[must_use]
    pub fn new(db: Db, secrets: SecretBox, egress: Egress, inbox: Inbox, clock: Clock, shared: Option<SharedLimits>) -> Self {
        let [places, room] = [N_AT_ONCE, MAX_OUTSTANDING].map(|n| Arc::new(Semaphore::new(n)));
        Self { db, secrets, egress, inbox, clock, under_way: Arc::default(), places, room, hosts: Arc::new(Hosts::new(shared)) }
    }

    /// Asks one source once.
    ///
    /// Safe to run twice, late or never: the row decides, and what nobody ran is handed out again.
    pub async fn run(&self, integration: i64, round: i64) {
        let due = Due { integration: IntegrationId(integration), round };
        let Ok(_room) = self.room.try_acquire() else { return };
        if !self.set_under_way(due.integration, true) {
            return;
        }
        let Ok(_place) = self.places.acquire().await else { return };
        if let Err(failed) = self.round(due).await {
            error!(integration, error = ?failed, "Could not ask a source; it is asked again");
        }
        self.set_under_way(due.integration, false);
    }

    fn set_under_way(&self, integration: IntegrationId, begins: bool) -> bool {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if begins { under_way.insert(integration) } else { under_way.remove(&integration) }
    }

    async fn round(&self, due: Due) -> Result<(), StorageError> {
        let mut conn = self.db.read().await?;
        let Some(mut memory) = polls::open(&mut conn, due).await? else { return Ok(()) };
        let Some(found) = hub::find(&mut conn, &self.secrets, due.integration).await? else { return Ok(()) };
        drop(conn);
        let Some((provider, ask)) = integrations::find(&found.provider).and_then(|found| Some((found, found.poll.as_ref()?))) else {
            return Ok(());
        };
        let settings = Settings::new(found.settings);
        #[expect(clippy::cast_precision_loss, reason = "a delay in milliseconds")]
        histogram!("fanal_poll_lateness_seconds").record(self.clock.now().since(Timestamp(memory.next_at)).0.max(0) as f64 / 1000.0);
        let every = ask.interval(&settings);
        let invalid = |error| format!("the settings are invalid: {error}");
        let (result, failure, wait) = match ask {
            Ask::Source(poll) => {
                let way = Way { egress: &self.egress, hosts: &self.hosts, clock: &self.clock };
                let asked = match (poll.request)(&settings, &found.secrets) {
                    Ok(request) => way.ask(poll, &request, &memory).await,
                    Err(error) => Asked::Failed { why: invalid(error), wait: None },
                };
                self.take(due.integration, provider, &settings, &mut memory, asked).await?
            }
            Ask::Check(check) => match (check.probe)(&settings, &found.secrets) {
                Ok(probe) => {
                    self.hosts.wait_for(&probe).await;
                    let (result, failure) = self.try_check(due.integration, provider, check, &settings, &probe, &mut memory).await?;
                    (result, failure, None)
                }
                Err(error) => ("failed", Some(invalid(error)), None),
            },
        };
        self.conclude(due.integration, provider, &mut memory, every, failure.map(|why| (why, wait))).await?;
        memory.next_at = next::round(self.clock.now(), every, memory.failures, wait, rand::random()).0;
        counter!("fanal_polls_total", "provider" => provider.slug, "result" => result).increment(1);
        let mut tx = self.db.begin().await?;
        polls::record(&mut tx, due, &memory).await?;
        tx.commit().await
    }

    /// Stores what is new; tells how that went, in a word, why the source could not be read, if so, and how long it asks to be left alone.
    async fn take(
        &self,
        integration: IntegrationId,
        provider: &'static Provider,
        settings: &Settings,
        memory: &mut Memory,
        asked: Asked,
    ) -> Result<(&'static str, Option<String>, Option<Span>), StorageError> {
        let (response, n_pages) = match asked {
            Asked::Unchanged => return Ok(("unchanged", None, None)),
            Asked::Failed { why, wait } => return Ok(("failed", Some(why), wait)),
            Asked::Answer { response, n_pages } => (response, n_pages),
        };
        let hash = hex::encode(Sha256::digest(&response.body));
        let headers = to_domain(&response.headers);
        let answer = Answer { status: response.status, headers: &headers, body: &response.body, n_pages, at: self.clock.now() };
        let (delivery, read) = poll::answered(provider, integration, settings, answer);
        // The first readable answer after a failure is always stored: it ends what the failure said.
        let is_new = memory.body_hash.as_ref() != Some(&hash) || (memory.failures > 0 && read.is_ok());
        if is_new {
            self.inbox.insert(delivery).await?;
            memory.body_hash = Some(hash);
        }
        let kept = |name| response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned).filter(|_| read.is_ok());
        (memory.etag, memory.last_modified) = (kept(ETAG), kept(LAST_MODIFIED));
        Ok(match read {
            Err(why) => ("unreadable", Some(why), retry_after::read(&response.headers, self.clock.now())),
            Ok(()) if is_new => ("new", None, None),
            Ok(()) => ("unchanged", None, None),
        })
    }

    /// Counts rounds without an answer, and tells the evaluator, once, when they are too many.
    async fn conclude(
        &self,
        integration: IntegrationId,
        provider: &'static Provider,
        memory: &mut Memory,
        every: Span,
        failure: Option<(String, Option<Span>)>,
    ) -> Result<(), StorageError> {
        let now = self.clock.now();
        let Some((why, wait)) = failure else {
            (memory.failures, memory.last_error, memory.lost, memory.answered_at) = (0, None, false, Some(now.0));
            return Ok(());
        };
        memory.failures = memory.failures.saturating_add(1);
        if next::is_lost(memory.failures, every, wait) && !memory.lost {
            warn!(%integration, provider = provider.slug, why, "A source cannot be read");
            self.inbox.insert(poll::unreadable(integration, &why, now)).await?;
            memory.lost = true;
        }
        memory.last_error = Some(why);
        Ok(())
    }
}

fn to_domain(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}
