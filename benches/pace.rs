//! Sends webhooks at a steady pace and notes when each was acknowledged.
//!
//! The pace does not wait for answers: a webhook is due at its time, whatever became of those before it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep_until};

use crate::{
    client::Connection,
    webhooks::{self, Event},
};

/// Components share connections so that the webhooks about one stay in order.
pub(crate) const N_CONNECTIONS: usize = 10;

/// How bad it is, step by step, round and round; the last is the end of it.
pub(crate) type Severities = &'static [Option<&'static str>];

/// A run: so many webhooks, each the next step of the next component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Steps of each component that were sent in earlier runs.
    pub(crate) first_step: usize,
    pub(crate) n_steps: usize,
    pub(crate) n_components: usize,
    /// Routes, and so components, of each integration.
    pub(crate) n_routes: usize,
    pub(crate) per_second: u32,
    pub(crate) severities: Severities,
}

/// When the webhooks of a run were acknowledged: by step, then component.
pub(crate) type Acknowledged = Arc<Mutex<Vec<Option<Instant>>>>;

impl Run {
    /// Sends everything; gives the times of acknowledgement, in the order of sending.
    pub(crate) async fn send(self, port: u16) -> Result<Vec<Instant>> {
        let n_all = self.n_steps * self.n_components;
        let acknowledged: Acknowledged = Arc::new(Mutex::new(vec![None; n_all]));
        let begun = Instant::now();
        let mut senders = tokio::task::JoinSet::new();
        for lane in 0..N_CONNECTIONS {
            let (mut connection, acknowledged) = (Connection::open(port).await?, acknowledged.clone());
            senders.spawn(async move {
                for n in (lane..n_all).step_by(N_CONNECTIONS) {
                    let request = self.request(n)?;
                    sleep_until(webhooks::due(begun, n, self.per_second)).await;
                    let status = connection.status(&request).await?;
                    ensure!(status == 202, "a webhook is answered {status}");
                    acknowledged.lock().unwrap_or_else(PoisonError::into_inner)[n] = Some(Instant::now());
                }
                Ok(())
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        let times = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().copied().collect::<Vec<_>>();
        ensure!(times.len() == n_all, "every webhook was acknowledged");
        Ok(times)
    }

    fn request(&self, n: usize) -> Result<Vec<u8>> {
        let (component, step) = (n % self.n_components, self.first_step + n / self.n_components);
        let (id, check) = (format!("step_{component}_{step}"), format!("check-{component}"));
        let (integration, severity) = (component / self.n_routes, self.severities[step % self.severities.len()]);
        webhooks::request(&Event { id: &id, check: &check, component, integration, severity })
    }
}
