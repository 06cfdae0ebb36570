//! How often a client may ask.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Clients that are kept count of; beyond that, those that have asked least are forgotten.
const MAX_CLIENTS: usize = 20_000;

/// A rate: so many at once, then so many a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) per_sec: f64,
}

impl Rate {
    /// How long a bucket needs until so much more is in it.
    pub(crate) fn wait(&self, missing: f64) -> Duration {
        Duration::from_secs_f64(missing.max(0.0) / self.per_sec)
    }

    /// What a bucket that is filled so far leaves to a client.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the level lies between zero and the burst")]
    pub(crate) fn allowance(&self, level: f64) -> Allowance {
        Allowance {
            limit: self.burst,
            remaining: level.clamp(0.0, f64::from(self.burst)) as u32,
            reset: self.wait(f64::from(self.burst) - level),
        }
    }

    /// As `RateLimit-Policy` puts it: so many within the time in which an empty bucket fills.
    pub(crate) fn policy(&self, name: &str) -> String {
        format!("\"{name}\";q={};w={}", self.burst, self.wait(f64::from(self.burst)).as_secs_f64().ceil())
    }
}

/// What one token may do: so many a second, and five times as many at once.
pub(crate) fn per_token(per_sec: u16) -> Rate {
    Rate { burst: 5 * u32::from(per_sec), per_sec: f64::from(per_sec) }
}

/// What one address may do, with whatever tokens.
pub(crate) fn per_address(token: Rate) -> Rate {
    Rate { burst: 4 * token.burst, per_sec: 4.0 * token.per_sec }
}

/// What one address may ask the public APIs for. Far more than any client needs: it is there for those that go mad.
pub(crate) const PUBLIC_API_PER_ADDRESS: Rate = Rate { burst: 600, per_sec: 60.0 };
/// How many wrong tokens one address may try.
pub(crate) const FAILURES_PER_ADDRESS: Rate = Rate { burst: 20, per_sec: 0.2 };

/// What is left to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// How many at once.
    pub(crate) limit: u32,
    /// How many of these are left.
    pub(crate) remaining: u32,
    /// Until all of them are back.
    pub(crate) reset: Duration,
}

/// A token bucket for every client.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Counts one request of `client`.
    ///
    /// # Errors
    /// It has asked too often: how long to wait.
    pub(crate) fn take(&self, client: &K, now: Instant) -> Result<Allowance, Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_CLIENTS && !buckets.contains_key(client) {
            self.forget(&mut buckets, now);
        }
        let level = buckets.get(client).map_or(f64::from(self.rate.burst), |bucket| self.level(*bucket, now));
        if level < 1.0 {
            return Err(self.rate.wait(1.0 - level));
        }
        let level = level - 1.0;
        buckets.insert(client.clone(), Bucket { level, at: now });
        Ok(self.rate.allowance(level))
    }

    /// How long `client` has to wait, if it has; counts nothing.
    pub(crate) fn must_wait(&self, client: &K, now: Instant) -> Option<Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let level = self.level(*buckets.get(client)?, now);
        (level < 1.0).then(|| self.rate.wait(1.0 - level))
    }

    fn level(&self, bucket: Bucket, now: Instant) -> f64 {
        let refilled = bucket.level + now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate.per_sec;
        refilled.min(f64::from(self.rate.burst))
    }

    /// A full bucket says nothing; if none is full, all clients begin anew, which errs on their side.
    fn forget(&self, buckets: &mut HashMap<K, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| self.level(*bucket, now) < f64::from(self.rate.burst));
        if buckets.len() >= MAX_CLIENTS {
            buckets.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_so_often_at_once_and_then_so_often_a_second() {
        let limiter = Limiter::new(Rate { burst: 3, per_sec: 2.0 });
        let start = Instant::now();
        for remaining in [2, 1, 0] {
            assert_eq!(limiter.take(&1, start).map(|allowance| allowance.remaining), Ok(remaining));
        }
        assert_eq!(limiter.take(&1, start), Err(Duration::from_millis(500)));
        assert_eq!(limiter.must_wait(&1, start), Some(Duration::from_millis(500)));
        assert!(limiter.take(&2, start).is_ok(), "others are not held up");
        assert!(limiter.take(&1, start + Duration::from_millis(500)).is_ok());
        assert!(limiter.take(&1, start + Duration::from_millis(600)).is_err());
        assert_eq!(limiter.take(&1, start + Duration::from_secs(60)).map(|allowance| allowance.remaining), Ok(2));
    }
}
