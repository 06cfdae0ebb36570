//! Commands that do one thing and end.

use std::{path::PathBuf, process};

use anyhow::{Context, bail};
use configuration::Problem;
use domain::{Desired, NotificationId, Secret, SecretRef, Span, State, Timestamp, plan_timers};
use jobs::{Clock, evaluator};
use secrecy::{ExposeSecret, SecretString};
use storage::{Db, SecretBox, Topic, Wake, audit, fates, history, hub, ledger, notifications, state};

use crate::{actor, config::Config};

/// The largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Names a configuration file.
#[derive(clap::Args)]
pub(crate) struct FileArgument {
    /// The file, `-` for standard input.
    #[arg(short, long)]
    file: PathBuf,
}

/// Says what to send again.
#[derive(clap::Args)]
pub(crate) struct ResendArguments {
    /// One notification.
    #[arg(long, conflicts_with = "since")]
    id: Option<i64>,
    /// Every dead notification made within this time, e.g. `2d`.
    #[arg(long)]
    since: Option<Span>,
}

/// `fanal migrate`.
pub(crate) async fn migrate(config: &Config) -> anyhow::Result<()> {
    config.open().await?.close().await;
    let queue = config.queue_url().expose_secret().parse()?;
    jobs::queue::Queue::migrate(&queue).await.context("FANAL_QUEUE_URL: the queue's tables cannot be brought up to date")?;
    eprintln!("The schema is up to date.");
    Ok(())
}

/// The answer of a command goes to standard output; everything else is said on standard error.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    // A reader that has gone away wants no more.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// `fanal plan`: exits with 0 either way; what would change is printed.
pub(crate) async fn plan(config: &Config, file: &FileArgument) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let (current, desired) = read(&db, &secrets, file).await?;
    print(configuration::diff(&current, &desired).to_string().trim_end());
    db.close().await;
    Ok(())
}

/// `fanal apply`.
pub(crate) async fn apply(config: &Config, file: &FileArgument) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let (current, desired) = read(&db, &secrets, file).await?;
    let plan = configuration::diff(&current, &desired);
    print(plan.to_string().trim_end());
    if !plan.is_empty() {
        configure(&db, &secrets, &desired, actor::summary(&plan)).await?;
    }
    db.close().await;
    Ok(())
}

/// Makes the database equal to `desired` and tells the running processes. `summary` stands in the audit log.
pub(crate) async fn configure(db: &Db, secrets: &SecretBox, desired: &Desired, summary: serde_json::Value) -> anyhow::Result<()> {
    let by = actor::at_the_command_line();
    let act = actor::act(&by, "configuration.apply", None, summary);
    history::configure(db, secrets, desired, "fanal apply", &act).await.context("nothing was changed")?;
    let wake = Wake::new(db.clone());
    wake.wake(Topic::Changes).await;
    wake.wake(Topic::Notifications).await;
    Ok(())
}

/// `fanal export`.
pub(crate) async fn export(config: &Config) -> anyhow::Result<()> {
    let db = config.open().await?;
    let desired = storage::configuration::load(&mut db.read().await?).await?;
    print(configuration::export(&desired).trim_end());
    db.close().await;
    Ok(())
}

async fn read(db: &Db, secrets: &SecretBox, file: &FileArgument) -> anyhow::Result<(Desired, Desired)> {
    let name = file.file.display().to_string();
    let text = if name == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input")?
    } else {
        let size = std::fs::metadata(&file.file).with_context(|| name.clone())?.len();
        if size > MAX_FILE_BYTES {
            bail!("{name} has {size} bytes, at most {MAX_FILE_BYTES} are allowed");
        }
        std::fs::read_to_string(&file.file).with_context(|| name.clone())?
    };
    let current = storage::configuration::load(&mut db.read().await?).await?;
    match parse(&text, secrets, &current) {
        Ok(desired) => Ok((current, desired)),
        Err(problems) => {
            eprint!("{}", configuration::describe(&name, &problems));
            eprintln!("{} wrong in {name}; nothing was changed.", if problems.len() == 1 { "One thing is" } else { "Several things are" });
            process::exit(1);
        }
    }
}

/// Reads a configuration, taking secrets from where it says.
pub(crate) fn parse(text: &str, secrets: &SecretBox, current: &Desired) -> Result<Desired, Vec<Problem>> {
    let kept = current.secret_fingerprints();
    let given = |value: SecretString| {
        let fingerprint = secrets.known_fingerprint(&value, |print| kept.contains(print));
        Secret { fingerprint, value: Some(value) }
    };
    configuration::parse(text, &|reference| match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(given(value.into())),
            _ => Err(format!("the environment variable `{name}` is not set")),
        },
        SecretRef::File(path) => {
            let value = std::fs::read_to_string(path).map_err(|error| format!("the file `{path}` cannot be read: {error}"))?;
            Ok(given(value.trim_end_matches(['\r', '\n']).to_owned().into()))
        }
        SecretRef::Value(value) => Ok(given(value.clone())),
        SecretRef::Kept(fingerprint) if kept.contains(fingerprint.as_str()) => Ok(Secret { fingerprint: fingerprint.clone(), value: None }),
        SecretRef::Kept(_) => Err("this instance keeps no such secret; give it by `env`, `file` or `value`".to_owned()),
    })
}

/// `fanal replay`: the fold over all stored deliveries must give the stored state.
pub(crate) async fn replay(config: &Config) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let Folded { n_deliveries, n_things, differences } = fold_again(&db, &secrets).await?;
    let after = serde_json::json!({ "deliveries": n_deliveries, "differences": differences.len() });
    audit::note(&db, &secrets, &actor::act(&actor::at_the_command_line(), "state.replay", None, after)).await?;
    db.close().await;
    for difference in &differences {
        print(difference);
    }
    if differences.is_empty() {
        print(&format!("{n_deliveries} deliveries about {n_things} things, folded again, give exactly the stored state."));
        return Ok(());
    }
    bail!("the fold differs from the stored state; people's acts and configuration changes since are not deliveries")
}

/// What folding all stored deliveries again gave.
struct Folded {
    n_deliveries: usize,
    n_things: usize,
    /// Where it differs from the stored state.
    differences: Vec<String>,
}

async fn fold_again(db: &Db, secrets: &SecretBox) -> anyhow::Result<Folded> {
    const AT_ONCE: i64 = 250;
    // In a transaction of its own that is never committed: nothing is written.
    let mut entry = ledger::begin(db, None).await?;
    let stored = state::load(&mut entry).await?;
    let mut folded = state::load(&mut entry).await?;
    forget(&mut folded);
    let providers: std::collections::HashMap<_, _> = hub::load(&mut entry.tx, secrets)
        .await?
        .into_iter()
        .map(|i| (i.id, (i.provider, integrations::Settings::new(i.settings))))
        .collect();
    let (mut after, mut n_deliveries) = (0, 0);
    loop {
        let batch = fates::evaluated(&mut entry.tx, after, AT_ONCE).await?;
        let Some((last, _)) = batch.last() else { break };
        after = *last;
        n_deliveries += batch.len();
        for (_, delivery) in &batch {
            let at = delivery.evaluated_at.unwrap_or(delivery.received_at);
            plan_timers(&mut folded, at);
            folded.clock = folded.clock.max(at);
            let Some((provider, settings)) = providers.get(&delivery.integration) else { continue };
            let signals = evaluator::parse(provider, settings, delivery).unwrap_or_default();
            evaluator::fold(&mut folded, delivery.integration, delivery.id, &signals, delivery.received_at, &mut Vec::new());
        }
    }
    plan_timers(&mut folded, stored.clock);
    Ok(Folded { n_deliveries, n_things: folded.alerts.len(), differences: compare(&stored, &folded) })
}

fn forget(state: &mut State) {
    state.alerts = domain::Alerts::default();
    state.signals.clear();
    state.causes.clear();
    state.swings.clear();
    state.incidents.clear();
    state.waiting.clear();
    state.dependencies.forget_quiet();
    state.past.clear();
    state.clock = Timestamp(0);
    for component in state.components.values_mut() {
        component.status = domain::Status::Operational;
        component.internal_status = domain::Status::Operational;
    }
}

fn compare(stored: &State, folded: &State) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, alert) in stored.alerts.iter() {
        if folded.alerts.get(key).map(|other| (other.firing, other.severity, other.occurred_at))
            != Some((alert.firing, alert.severity, alert.occurred_at))
        {
            differences.push(format!("alert {}/{}: stored {alert:?}, folded {:?}", key.0, key.1, folded.alerts.get(key)));
        }
    }
    for (id, component) in &stored.components {
        let other = &folded.components[id];
        if (component.status, component.internal_status) != (other.status, other.internal_status) {
            differences.push(format!("component {}: stored {}, folded {}", component.key, component.status, other.status));
        }
    }
    let effects = |state: &State| state.causes.iter().map(|(key, cause)| (key.clone(), cause.status, cause.phase)).collect::<Vec<_>>();
    if effects(stored) != effects(folded) {
        differences.push(format!("causes: {} stored, {} folded", stored.causes.len(), folded.causes.len()));
    }
    differences
}

/// `fanal providers`.
pub(crate) fn providers(slug: Option<&str>) -> anyhow::Result<()> {
    let Some(slug) = slug else {
        for provider in integrations::PROVIDERS {
            let way = if provider.poll.is_some() { "is asked" } else { "sends" };
            print(&format!("{:<26}{way:<10}{}", provider.slug, provider.name));
        }
        return Ok(());
    };
    let provider = integrations::find(slug).with_context(|| format!("there is no provider `{slug}`; `fanal providers` lists them"))?;
    print(provider.setup.trim_end());
    Ok(())
}

/// `fanal resend`.
pub(crate) async fn resend(config: &Config, arguments: &ResendArguments) -> anyhow::Result<()> {
    let db = config.open().await?;
    let now = Clock::default().now();
    let mut tx = db.begin().await?;
    let n = match (arguments.id, arguments.since) {
        (Some(id), _) => u64::from(notifications::resend(&mut tx, NotificationId(id), now).await?),
        (None, since) => notifications::resend_dead(&mut tx, Timestamp(now.0 - since.unwrap_or(domain::MAX_SPAN).0), now).await?,
    };
    let (by, resource) = (actor::at_the_command_line(), arguments.id.map(|id| format!("notification:{id}")));
    audit::record(&mut tx, &config.secrets()?, &actor::act(&by, "notification.resend", resource, serde_json::json!({ "n": n }))).await?;
    tx.commit().await?;
    Wake::new(db.clone()).wake(Topic::Notifications).await;
    db.close().await;
    print(&format!("{n} to be sent again."));
    Ok(())
}
