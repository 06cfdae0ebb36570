//! Rate limits that all processes share, through the Redis that carries the queue.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    Client, Script,
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
    script: Arc<Script>,
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
        let (script, prefix) = (Arc::new(Script::new(BUCKET)), format!("{prefix}:limit"));
        Ok(Some(Self { conn, script, prefix, away_since: Arc::default() }))
    }

    /// Takes one out of the bucket of `client`. `None` if Redis does not answer: count in this process then.
    pub async fn take(&self, client: &str, burst: u32, per_sec: f64) -> Option<Taken> {
        if self.away_since().is_some_and(|since| since.elapsed() < PAUSE) {
            return None;
        }
        let mut conn = self.conn.clone();
        let mut bucket = self.script.key(format!("{}:{client}", self.prefix));
        bucket.arg(burst).arg(per_sec);
        let answer = tokio::time::timeout(PATIENCE, bucket.invoke_async::<(u8, String)>(&mut conn)).await;
        let taken = answer.ok().and_then(Result::ok).and_then(|(taken, level)| {
            let level = level.parse().ok()?;
            Some(if taken == 1 { Taken::Room(level) } else { Taken::Empty(level) })
        });
        let mut away = self.away_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (taken.is_some(), away.is_some()) {
            (true, true) => info!("Rate limits are shared again"),
            (false, false) => warn!("Redis does not answer; every process counts rate limits by itself"),
            _ => {}
        }
        *away = taken.is_none().then(Instant::now);
        taken
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
