//! Rate limits and turns that all processes share, through the Redis that carries the queue.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    Client, FromRedisValue, Script, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::ExposeSecret;
use tracing::{info, warn};

use crate::queue::{QueueError, QueueUrl};

/// How long a request waits for Redis; one that needs longer is counted in this process alone.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long Redis is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// A token bucket on Redis' own clock, which all processes see alike. Forgotten once it would be full again.
const BUCKET: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local burst, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(stored[1]) or burst
level = math.min(burst, level + math.max(0, now - (tonumber(stored[2]) or now)) * rate)
local taken = 0
if level >= 1 then
  level = level - 1
  taken = 1
end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return { taken, string.format('%.6f', level) }
";

/// The next turn at something, in microseconds from now: at least so long after the one before. Forgotten once it lies that long back.
const TURN: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local spacing = tonumber(ARGV[1])
local at = math.max(now, tonumber(redis.call('GET', KEYS[1])) or now)
redis.call('SET', KEYS[1], string.format('%.0f', at + spacing), 'PX', math.ceil((at + spacing - now) / 1000) + 1000)
return at - now
";

/// What a shared bucket said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Taken {
    /// There was room; so much is left.
    Room(f64),
    /// It is empty, up to this part of one.
    Empty(f64),
}

/// Buckets in Redis. Cheap to clone.
#[derive(Clone)]
pub struct SharedLimits {
    conn: ConnectionManager,
    bucket: Arc<Script>,
    turn: Arc<Script>,
    prefix: String,
    /// Since when Redis does not answer.
    away_since: Arc<Mutex<Option<Instant>>>,
}

impl std::fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLimits").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl SharedLimits {
    /// In the queue's Redis; `None` if the queue is elsewhere. Connects when it is first asked for something.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn open(url: &QueueUrl) -> Result<Option<Self>, QueueError> {
        let QueueUrl::Redis { url, prefix } = url else { return Ok(None) };
        let client = Client::open(url.expose_secret()).map_err(QueueError::open)?;
        let timeouts = ConnectionManagerConfig::new()
            .set_response_timeout(Some(PATIENCE))
            .set_connection_timeout(Some(PAUSE))
            .set_max_delay(Duration::from_secs(1));
        let conn = ConnectionManager::new_lazy_with_config(client, timeouts).map_err(QueueError::open)?;
        let [bucket, turn] = [BUCKET, TURN].map(|script| Arc::new(Script::new(script)));
        Ok(Some(Self { conn, bucket, turn, prefix: format!("{prefix}:limit"), away_since: Arc::default() }))
    }

    /// Takes one out of the bucket of `client`. `None` if Redis does not answer: count in this process then.
    pub async fn take(&self, client: &str, burst: u32, per_sec: f64) -> Option<Taken> {
        let mut bucket = self.bucket.key(format!("{}:{client}", self.prefix));
        bucket.arg(burst).arg(per_sec);
        let (taken, level): (u8, String) = self.ask(&bucket).await?;
        let level = level.parse().ok()?;
        Some(if taken == 1 { Taken::Room(level) } else { Taken::Empty(level) })
    }

    /// Takes the next turn at `what`, at least `spacing` after the one before, whoever took it; tells how long to wait for it. `None` if Redis
    /// does not answer: take turns in this process then.
    pub async fn turn(&self, what: &str, spacing: Duration) -> Option<Duration> {
        let mut turn = self.turn.key(format!("{}:turn:{what}", self.prefix));
        turn.arg(u64::try_from(spacing.as_micros()).unwrap_or(u64::MAX));
        self.ask(&turn).await.map(Duration::from_micros)
    }

    async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        if self.away_since().is_some_and(|since| since.elapsed() < PAUSE) {
            return None;
        }
        let mut conn = self.conn.clone();
        let answer = tokio::time::timeout(PATIENCE, script.invoke_async(&mut conn)).await.ok().and_then(Result::ok);
        let mut away = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (answer.is_some(), away.is_some()) {
            (true, true) => info!("Rate limits and turns are shared again"),
            (false, false) => warn!("Redis does not answer; every process counts rate limits and takes turns by itself"),
            _ => {}
        }
        *away = answer.is_none().then(Instant::now);
        answer
    }

    fn away_since(&self) -> Option<Instant> {
        *self.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_no_redis_counts_by_itself_and_does_not_wait() {
        let sqlite: QueueUrl = "sqlite://queue.db".parse().unwrap();
        assert!(SharedLimits::open(&sqlite).unwrap().is_none());
        // Port 9 takes nothing.
        let limits = SharedLimits::open(&"redis://127.0.0.1:9".parse().unwrap()).unwrap().unwrap();
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(limits.take("token:1", 100, 20.0).await, None);
        }
        assert!(began.elapsed() < PAUSE, "only the first waits");
    }
}
