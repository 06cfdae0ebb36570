//! Hands the audit log on, row by row in its order, to where nobody who has broken in here can change it.
//!
//! Acts do not wait for it: the log itself is what is handed on, and a row in the database says up to where. That row moves after the
//! other side has taken something, so nothing is lost and something may come twice, with the same number.

mod syslog;
#[cfg(test)]
mod tests;

use std::{str::FromStr, sync::Arc, time::Duration};

use reqwest::Method;
use secrecy::SecretString;
use serde_json::json;
use storage::{
    Db, StorageError,
    audit::{self, Recorded},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use crate::{
    Clock,
    channels::webhook,
    egress::{Egress, MAX_RESPONSE_BYTES, Request},
    evaluator::Health,
};
use syslog::Syslog;

/// How often to look for new rows.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait after the other side did not take something, at most.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Rows handed on at once.
const AT_ONCE: i64 = 100;
/// How long the other side may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the log is handed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// RFC 5424 in datagrams.
    SyslogUdp(String),
    /// RFC 5424 on a connection, each message behind its length (RFC 6587).
    SyslogTcp(String),
    /// RFC 5424 in datagrams on a socket of this machine.
    SyslogUnix(std::path::PathBuf),
    /// POSTs signed as <https://www.standardwebhooks.com> says.
    Webhook(Url),
}

/// A text does not say where to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write syslog+udp://host:514, syslog+tcp://host:601, syslog+unix:///dev/log or https://…")]
pub struct SinkError;

impl FromStr for Sink {
    type Err = SinkError;

    fn from_str(text: &str) -> Result<Self, SinkError> {
        let url = Url::parse(text).map_err(|_| SinkError)?;
        let place = |default: u16| {
            let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SinkError)?;
            Ok(format!("{host}:{}", url.port().unwrap_or(default)))
        };
        match url.scheme() {
            "syslog+udp" => place(514).map(Self::SyslogUdp),
            "syslog+tcp" => place(601).map(Self::SyslogTcp),
            "syslog+unix" if url.path().len() > 1 => Ok(Self::SyslogUnix(url.path().into())),
            "https" | "http" => Ok(Self::Webhook(url)),
            _ => Err(SinkError),
        }
    }
}

/// Hands the log on. Only the process that evaluates does so.
pub struct AuditStream {
    /// Where the log is.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Whether this process evaluates.
    pub health: Arc<Health>,
    /// Where to.
    pub sink: Sink,
    /// What webhooks are signed with.
    pub secret: Option<SecretString>,
    /// The door to the outside.
    pub egress: Egress,
    /// The name of this machine in what is handed on.
    pub host: String,
}

/// Why something was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Said(String),
    #[error("the database")]
    Storage(#[from] StorageError),
}

impl AuditStream {
    /// Hands on what there is, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let (mut syslog, mut pause) = (Syslog::new(self.host.clone()), EVERY);
        loop {
            tokio::select! { () = tokio::time::sleep(pause) => {}, () = shutdown.cancelled() => return }
            if !self.health.leads() {
                continue;
            }
            match self.hand_on(&mut syslog).await {
                Ok(_) => {
                    if pause > EVERY {
                        info!("The audit log is handed on again");
                    }
                    pause = EVERY;
                }
                Err(refusal) => {
                    if pause == EVERY {
                        warn!(error = %refusal, "The audit log cannot be handed on; nothing is lost, trying again");
                    }
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Hands on everything that waits; returns how much.
    async fn hand_on(&self, syslog: &mut Syslog) -> Result<usize, Refusal> {
        let mut total = 0;
        loop {
            let rows = audit::unsent(&mut self.db.read().await?, AT_ONCE).await?;
            let Some(last) = rows.last().map(|row| row.id) else { return Ok(total) };
            let taken = match &self.sink {
                Sink::Webhook(url) => self.post(url, &rows).await,
                sink => match tokio::time::timeout(TIMEOUT, syslog.send(sink, &rows)).await {
                    Ok(sent) => sent.map_err(|error| error.to_string()),
                    Err(_) => Err("nothing was taken in time".to_owned()),
                },
            };
            taken.map_err(Refusal::Said)?;
            let mut tx = self.db.begin().await?;
            audit::mark_sent(&mut tx, last).await?;
            tx.commit().await?;
            total += rows.len();
        }
    }

    async fn post(&self, url: &Url, rows: &[Recorded]) -> Result<(), String> {
        let secret = self.secret.as_ref().ok_or("there is no secret to sign with")?;
        let body = json!({ "type": "audit", "entries": rows.iter().map(entry).collect::<Vec<_>>() }).to_string().into_bytes();
        // The same rows have the same id, so that a receiver can drop what comes twice.
        let id = format!("audit_{}_{}", rows.first().map_or(0, |row| row.id), rows.last().map_or(0, |row| row.id));
        let headers = webhook::signed(&id, std::slice::from_ref(secret), &body, self.clock.now())?;
        let request =
            Request { method: Method::POST, url: url.clone(), headers, body, timeout: TIMEOUT, max_response_bytes: MAX_RESPONSE_BYTES };
        let answer = self.egress.send(request).await.map_err(|error| error.to_string())?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(format!("the receiver answered {}", answer.status)) }
    }
}

/// A row as it is handed on, in the admin API's words.
fn entry(row: &Recorded) -> serde_json::Value {
    json!({
        "id": row.id, "at": row.at.to_string(), "actor": row.actor, "name": row.name, "via": row.via, "address": row.address,
        "action": row.action, "resource": row.resource, "before": row.before, "after": row.after, "hash": row.hash,
    })
}
