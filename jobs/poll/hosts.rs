//! Spacing: one host is not asked by many integrations at the same instant.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use integrations::check::{Probe, What};
use tokio::time::Instant;
use url::Url;

/// Between two requests to one host, from this process.
const SPACING: Duration = Duration::from_millis(20);
/// Hosts that are kept in mind; beyond that, those whose turn has passed are forgotten.
const MAX_HOSTS: usize = 4096;

/// When each host may be asked next.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Instant>>);

impl Hosts {
    /// Waits for a check's turn.
    pub(super) async fn wait_for(&self, probe: &Probe) {
        let host = match &probe.what {
            What::Http(http) => Url::parse(&http.request.url).ok().and_then(|url| url.host_str().map(str::to_owned)),
            What::Tcp(tcp) => Some(tcp.host.clone()),
            What::Tls(tls) => Some(tls.host.clone()),
            What::Icmp(icmp) => Some(icmp.host.clone()),
            What::Dns(dns) => dns.resolver.clone(),
        };
        if let Some(wait) = self.turn(host.unwrap_or_default(), Instant::now()) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes the next turn at a URL's host; tells how long to wait for it.
    pub(super) fn take(&self, url: &Url, now: Instant) -> Option<Duration> {
        self.turn(url.host_str().unwrap_or_default().to_owned(), now)
    }

    fn turn(&self, host: String, now: Instant) -> Option<Duration> {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= MAX_HOSTS {
            next.retain(|_, at| *at > now);
        }
        let turn = next.entry(host).or_insert(now);
        let at = (*turn).max(now);
        *turn = at + SPACING;
        Some(at - now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_one_host_keep_their_distance_and_those_to_others_do_not_wait() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        let url = |text: &str| Url::parse(text).unwrap();
        assert_eq!(hosts.take(&url("https://a.example/1"), now), None);
        assert_eq!(hosts.take(&url("https://a.example/2"), now), Some(SPACING));
        assert_eq!(hosts.take(&url("https://b.example/"), now), None);
        assert_eq!(hosts.take(&url("https://a.example/3"), now + SPACING * 3), None);
    }
}
