//! `serve` and `work`: puts the parts together, and takes them apart in order when told to stop.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use domain::Span;
use jobs::{
    Clock,
    audit_stream::AuditStream,
    channels::Channels,
    confirmations::Confirmations,
    egress::{Egress, EgressPolicy},
    evaluator::{Evaluator, Health},
    heartbeats::Heartbeats,
    housekeeping::Housekeeping,
    notify::{self, Courier},
    poll::{Poller, Rounds},
    queue::{Handler, Job, Queue, QueueUrl},
    shared_limits::SharedLimits,
    silence::Silence,
    sweep::Sweep,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use secrecy::ExposeSecret;
use server::{
    Hub, Letters, Subscriptions,
    admin::{Admin, Operations},
    console::{self, Console, Machinery},
    feed,
    listener::{self, Limits},
    ops,
    page::{Page, Setup},
};
use storage::{Db, Inbox, SecretBox, Wake, audit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{actor, config::Config};

/// Notifications tried at once: an endpoint that does not answer holds a place for 15 s.
const N_COURIERS: usize = 256;
/// How long a stop may take before what is under way is left to the next start.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once on `FANAL_OPS_LISTEN`.
const OPS_CONNECTIONS: usize = 256;
/// Buckets of every histogram of seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: Config, serve: bool) -> anyhow::Result<()> {
    run_until(config, serve, stop_on_signal(), || {}).await
}

/// Is cancelled by SIGTERM or SIGINT.
pub(crate) fn stop_on_signal() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        stop.cancel();
        info!("Stopping");
    });
    shutdown
}

/// Runs until `shutdown`; calls `ready` once everything is served.
pub(crate) async fn run_until(config: Config, serve: bool, shutdown: CancellationToken, ready: impl FnOnce()) -> anyhow::Result<()> {
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?.install_recorder()?;
    let base_url = config.base_url()?;
    let secrets = config.secrets()?;
    let oidc = config.oidc()?.map(Arc::new);
    let db = config.open().await?;
    let clock = Clock::default();
    let wake = Wake::new(db.clone());
    // Without mail there is nobody who could be told.
    storage::owner::set(&db, config.owner_email.as_deref().filter(|_| config.smtp_url.is_some())).await?;
    let queue_url: QueueUrl = config.queue_url().expose_secret().parse()?;
    let queue = Queue::connect(&queue_url).await.context("FANAL_QUEUE_URL")?;
    let email = config.email()?;
    let mail = email.is_some();
    let egress = Egress::new(config.egress_policy())?;
    let channels = Arc::new(Channels::new(egress.clone(), email, &base_url));

    let evaluator = Evaluator::new(db.clone(), wake.clone(), secrets.clone(), clock.clone(), process_name());
    let health = evaluator.health();
    let sweep = Sweep { db: db.clone(), queue: queue.clone(), clock: clock.clone(), wake: wake.clone(), health: health.clone() };
    let courier = Courier {
        db: db.clone(),
        secrets: secrets.clone(),
        channels: channels.clone(),
        clock: clock.clone(),
        wake: wake.clone(),
        owner: config.owner_email.clone(),
        turns: notify::turns(&db),
    };
    let housekeeping = Housekeeping {
        db: db.clone(),
        clock: clock.clone(),
        health: health.clone(),
        delivery_retention: Span(i64::from(config.delivery_retention_days) * 86_400_000),
        secrets: secrets.clone(),
        audit_retention: Span(i64::from(config.audit_retention_days) * 86_400_000),
        audit_is_streamed: config.audit_sink.is_some(),
    };
    note_start(&config, &db, &secrets, serve).await?;
    let mut tasks = JoinSet::new();
    if let Some(stream) = audit_stream(&config, &db, &clock, &health)? {
        tasks.spawn(stream.run(shutdown.clone()));
    }
    let announcements = wake.clone();
    let listening = tokio::spawn(async move { announcements.listen().await });
    tasks.spawn(evaluator.run(shutdown.clone()));
    tasks.spawn(sweep.run(shutdown.clone()));
    tasks.spawn(housekeeping.run(shutdown.clone()));
    let (inbox, _) = Inbox::open(db.clone(), wake.clone());
    let silence = Silence { db: db.clone(), clock: clock.clone(), health: health.clone(), inbox: inbox.clone() };
    tasks.spawn(silence.run(shutdown.clone()));
    let rounds = Rounds { db: db.clone(), queue: queue.clone(), clock: clock.clone(), wake: wake.clone(), health: health.clone() };
    tasks.spawn(rounds.run(shutdown.clone()));
    let heartbeats = Heartbeats { db: db.clone(), inbox: inbox.clone(), clock: clock.clone(), health: health.clone() };
    tasks.spawn(heartbeats.run(shutdown.clone()));
    let confirmations =
        Confirmations { db: db.clone(), secrets: secrets.clone(), egress: egress.clone(), clock: clock.clone(), health: health.clone() };
    tasks.spawn(confirmations.run(shutdown.clone()));
    let shared_limits = SharedLimits::open(&queue_url).context("FANAL_QUEUE_URL")?;
    let poller = Poller::new(db.clone(), secrets.clone(), egress.clone(), inbox.clone(), clock.clone(), shared_limits.clone());
    let handler: Handler = Arc::new(move |job| {
        let (courier, poller) = (courier.clone(), poller.clone());
        Box::pin(async move {
            match job {
                Job::Send(task) => courier.run(task).await,
                Job::Poll { integration, round } => poller.run(integration, round).await,
            }
        })
    });
    let (worker, until) = (queue.clone(), shutdown.clone());
    tasks.spawn(async move { worker.run(handler, N_COURIERS, until).await });

    if serve {
        let hub = Hub::open(db.clone(), secrets.clone(), inbox, egress, clock.clone()).await?;
        let page = Page::new(
            feed::first(&db, &clock, &base_url).await?,
            Setup { archive: Some(db.clone()), security_contacts: config.security_contacts.clone() },
            shutdown.clone(),
        );
        let letters = Letters { channels: channels.clone(), page: page.clone(), base_url: base_url.clone() };
        let admin = Admin {
            db: db.clone(),
            secrets: secrets.clone(),
            wake: wake.clone(),
            base_url: base_url.clone(),
            clock: || Clock::default().now(),
            token_requests_per_second: config.token_requests_per_second,
            shared_limits,
            letters: letters.clone(),
            settings: Arc::new(config.shown(db.kind(), queue.kind())?),
        };
        let console = Console {
            db: db.clone(),
            secrets: secrets.clone(),
            wake: wake.clone(),
            base_url: base_url.clone(),
            clock: clock.clone(),
            page: page.clone(),
            letters,
            oidc,
            factor_roles: config.factor_roles.clone().into(),
            operations: Operations::new(&admin),
            machinery: Machinery { queue: queue.kind() },
        };
        let subscriptions = Subscriptions::new(db.clone(), channels, mail, base_url.clone(), page.clone(), clock.clone());
        tasks.spawn(feed::follow(page.clone(), db.clone(), wake.clone(), clock.clone(), base_url.clone(), shutdown.clone()));
        tasks.spawn(hub.clone().keep_up(wake, shutdown.clone()));
        let public = bind(config.listen, "FANAL_LISTEN").await?;
        let app = server::app(&page, hub, subscriptions, admin, console, &base_url, &config.trusted_proxies);
        let limits = Limits::new(listener::allow_connections());
        page.leave_room(limits.connections);
        tasks.spawn(listener::listen(public, app, limits, shutdown.clone()));
        if let Some(link) = console::set_up_link(&db, &secrets, &base_url, clock.now()).await? {
            crate::commands::print(&format!(
                "Nobody can sign in yet. Open this link within 15 minutes and become the owner:\n\n  {link}\n"
            ));
        }
        info!(%base_url, database = db.kind(), queue = queue.kind(), mail, "Fanal serves");
    }
    // Last, so that nobody is told that we are ready before the page and the hooks are served.
    let metrics = Arc::new(move || recorder.render());
    let answers = ops::Ops { db: db.clone(), queue: queue.clone(), health, clock, metrics };
    let ops_listener = bind(config.ops_listen, "FANAL_OPS_LISTEN").await?;
    tasks.spawn(listener::listen(ops_listener, ops::routes(answers), Limits::new(OPS_CONNECTIONS), shutdown.clone()));
    ready();
    shutdown.cancelled().await;
    if tokio::time::timeout(PATIENCE, async { while tasks.join_next().await.is_some() {} }).await.is_err() {
        warn!("Something took too long to stop; its rows are taken up at the next start");
    }
    listening.abort();
    tasks.shutdown().await;
    let _ = tokio::time::timeout(Duration::from_secs(2), db.close()).await;
    Ok(())
}

/// Writes into the audit log that this process starts, with the settings that matter for security.
async fn note_start(config: &Config, db: &Db, secrets: &SecretBox, serve: bool) -> anyhow::Result<()> {
    let settings = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"), "role": if serve { "serve" } else { "work" }, "listen": config.listen.to_string(),
        "base_url": config.base_url()?.as_str(), "allow_private_targets": config.allow_private_targets,
        "allow_plain_http": !config.egress_policy().require_tls,
        "trusted_proxies": config.trusted_proxies.to_string(), "mail": config.smtp_url.is_some(),
        "delivery_retention_days": config.delivery_retention_days, "audit_retention_days": config.audit_retention_days,
        "audit_is_streamed": config.audit_sink.is_some(), "oidc_issuer": config.oidc_issuer, "oidc_roles": config.oidc_roles.lines(),
        "oidc_only": config.oidc_only,
    });
    let by = audit::By { actor: audit::Actor::System, ..actor::at_the_command_line() };
    audit::note(db, secrets, &actor::act(&by, "process.start", None, settings)).await?;
    Ok(())
}

fn audit_stream(config: &Config, db: &Db, clock: &Clock, health: &Arc<Health>) -> anyhow::Result<Option<AuditStream>> {
    let Some((sink, secret)) = config.audit_sink()? else { return Ok(None) };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // Whoever starts this process says where to: that may well be inside.
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false })?;
    Ok(Some(AuditStream { db: db.clone(), clock: clock.clone(), health: health.clone(), sink, secret, egress, host }))
}

async fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address).await.with_context(|| format!("{setting}: cannot listen on {address}"))
}

/// New at every start, so that nobody takes this process for one that has died.
fn process_name() -> String {
    format!("{}-{:016x}", std::process::id(), rand::random::<u64>())
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else { return };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
}
