//! Spacing: one host is not asked by many integrations at the same instant.
//!
//! With Redis all processes take their turns there; without, or while it does not answer, each keeps its distance by itself. PostgreSQL alone
//! hands out no turns: a row written for each request would double what polls write, for a distance of milliseconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use integrations::check::{Probe, What};
use tokio::time::Instant;
use url::Url;

use crate::shared_limits::SharedLimits;

/// Between two requests to one host.
const SPACING: Duration = Duration::from_millis(20);
/// Hosts that are kept in mind; beyond that, those whose turn has passed are forgotten.
const MAX_HOSTS: usize = 4096;

/// When each host may be asked next.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    next: Mutex<HashMap<String, Instant>>,
    shared: Option<SharedLimits>,
}

impl Hosts {
    /// Takes turns with all processes that share these limits, if they share any.
    pub(super) fn new(shared: Option<SharedLimits>) -> Self {
        Self { next: Mutex::default(), shared }
    }

    /// Waits for a check's turn.
    pub(super) async fn wait_for(&self, probe: &Probe) {
        let host = match &probe.what {
            What::Http(http) => Url::parse(&http.request.url).ok().and_then(|url| url.host_str().map(str::to_owned)),
            What::Tcp(tcp) => Some(tcp.host.clone()),
            What::Tls(tls) => Some(tls.host.clone()),
            What::Icmp(icmp) => Some(icmp.host.clone()),
            What::Dns(dns) => dns.resolver.clone(),
        };
        self.wait_at(host.as_deref().unwrap_or_default()).await;
    }

    /// Waits for the next turn at a host.
    pub(super) async fn wait_at(&self, host: &str) {
        let shared = match &self.shared {
            Some(shared) => shared.turn(host, SPACING).await,
            None => None,
        };
        let wait = shared.unwrap_or_else(|| self.turn(host, Instant::now()));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the next turn in this process; tells how long to wait for it.
    fn turn(&self, host: &str, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= MAX_HOSTS {
            next.retain(|_, at| *at > now);
        }
        let turn = next.entry(host.to_owned()).or_insert(now);
        let at = (*turn).max(now);
        *turn = at + SPACING;
        at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_one_host_keep_their_distance_and_those_to_others_do_not_wait() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let turns = [("a", 0), ("a", 0), ("b", 0), ("a", 0), ("a", 7)].map(|(host, later)| hosts.turn(host, now + SPACING * later));
        assert_eq!(turns, [Duration::ZERO, SPACING, Duration::ZERO, SPACING * 2, Duration::ZERO]);
    }

    #[tokio::test]
    async fn a_redis_that_does_not_answer_leaves_the_distance_to_each_process() {
        // Port 9 takes nothing.
        let hosts = Hosts::new(SharedLimits::open(&"redis://127.0.0.1:9".parse().unwrap()).unwrap());
        let began = Instant::now();
        for _ in 0..4 {
            hosts.wait_at("a").await;
        }
        assert!(began.elapsed() >= SPACING * 3, "{:?}", began.elapsed());
    }
}
