//! Thousands of webhooks whose outcome does not depend on when they arrive: many things on many components fail and recover, in the
//! order of their own component, and every event says when it happened.

use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use serde_json::json;
use standardwebhooks::Webhook;
use tokio::task::JoinSet;

use crate::{app::App, road::WEBHOOK_SECRET};

const SECRET: &str = "whsec_c3Rvcm1zIG9mIHdlYmhvb2tzIG9mIHRoZSB0ZXN0cw==";
/// Each sends the events of its own components one after the other.
const N_SENDERS: usize = 10;

/// A storm: on each component, one thing fails a little, the others badly; then all recover, the last first.
#[derive(Clone)]
pub(crate) struct Storm {
    pub(crate) n_components: usize,
    pub(crate) n_outages: usize,
    pub(crate) n_things: usize,
    /// Of the first event.
    began: jiff::Timestamp,
}

/// What of a storm has been acknowledged so far.
#[derive(Default)]
pub(crate) struct Progress {
    n_acknowledged: AtomicUsize,
    n_failed: AtomicUsize,
}

impl Progress {
    pub(crate) fn n_acknowledged(&self) -> usize {
        self.n_acknowledged.load(Ordering::Relaxed)
    }

    /// Tries that were not acknowledged.
    pub(crate) fn n_failed(&self) -> usize {
        self.n_failed.load(Ordering::Relaxed)
    }
}

impl Storm {
    pub(crate) fn new(n_components: usize, n_outages: usize, n_things: usize) -> Self {
        Self { n_components, n_outages, n_things, began: jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2) }
    }

    pub(crate) const fn n_webhooks(&self) -> usize {
        self.n_components * self.n_outages * self.n_things * 2
    }

    /// Half of the components get a new incident for every outage, on the others the first is reopened.
    pub(crate) fn configuration(&self, webhook: &str) -> String {
        let (mut components, mut routes) = (String::new(), String::new());
        for n in 0..self.n_components {
            let cool_off = if n % 2 == 0 { "0s" } else { "1h" };
            let _ = writeln!(components, "  - {{ key: c{n}, name: Component {n} }}");
            let _ = writeln!(
                routes,
                "      - {{ when: 'signal.labels.component == \"c{n}\"', components: [c{n}], publish: auto, cool_off: {cool_off}, \
                 status: {{ critical: major_outage, warning: degraded_performance }} }}"
            );
        }
        format!(
            r#"
page: {{ name: Acme, time_zone: UTC }}
components:
{components}
integrations:
  - key: storm
    provider: standard_webhooks
    secrets: [{{ value: "{SECRET}" }}]
    settings:
      fingerprint: body.thing
      state: body.state
      firing: [down]
      resolved: [up]
      severity: body.severity
      occurred_at: body.at
      labels: {{ component: body.component }}
    routes:
{routes}
subscribers:
  - {{ channel: email, address: ops@example.com }}
  - {{ channel: webhook, url: "{webhook}", secret: {{ value: "{WEBHOOK_SECRET}" }} }}
"#
        )
    }

    /// The id and the body of a component's `step`-th event.
    fn event(&self, component: usize, step: usize) -> (String, String) {
        let within = step % (self.n_things * 2);
        let (state, thing) = if within < self.n_things { ("down", within) } else { ("up", 2 * self.n_things - 1 - within) };
        let at = self.began + jiff::SignedDuration::from_secs(step as i64);
        let severity = if thing == 0 { "warning" } else { "critical" };
        let body = json!({
            "component": format!("c{component}"), "thing": format!("c{component}/{thing}"), "state": state, "severity": severity,
            "at": at.to_string(),
        });
        (format!("storm-{component}-{step}"), body.to_string())
    }

    /// Sends everything to `apps`, in turn, trying again until it is acknowledged.
    pub(crate) fn send(&self, bases: &[String], http: &reqwest::Client, progress: &Arc<Progress>) -> JoinSet<Result<()>> {
        let mut senders = JoinSet::new();
        for sender in 0..N_SENDERS {
            let (storm, bases, http, progress) = (self.clone(), bases.to_vec(), http.clone(), progress.clone());
            senders.spawn(async move {
                for step in 0..storm.n_outages * storm.n_things * 2 {
                    for component in (sender..storm.n_components).step_by(N_SENDERS) {
                        let (id, body) = storm.event(component, step);
                        let mut tries = bases.iter().cycle().skip(component + step);
                        while !post(&http, tries.next().map_or("", String::as_str), &id, &body).await? {
                            progress.n_failed.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        progress.n_acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            });
        }
        senders
    }

    /// Sends everything, undisturbed.
    pub(crate) async fn pass_over(&self, app: &App) -> Result<()> {
        let mut senders = self.send(std::slice::from_ref(&app.base), &app.http, &Arc::default());
        while let Some(sent) = senders.join_next().await {
            sent??;
        }
        Ok(())
    }
}

/// Tries once, and tells whether it was acknowledged.
async fn post(http: &reqwest::Client, base: &str, id: &str, body: &str) -> Result<bool> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed();
    let signature = Webhook::new(SECRET)?.sign(id, now, body.as_bytes())?;
    let request = http.post(format!("{base}/hooks/storm")).header("content-type", "application/json").timeout(Duration::from_secs(2));
    let request = request.header("webhook-id", id).header("webhook-timestamp", now).header("webhook-signature", signature);
    match request.body(body.to_owned()).send().await {
        Ok(answer) if answer.status() == 202 => Ok(true),
        Ok(answer) => {
            ensure!(answer.status() == 503, "{id} is answered {}", answer.status());
            Ok(false)
        }
        Err(_) => Ok(false),
    }
}
