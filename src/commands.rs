//! Commands that do one thing and end.

use std::{path::PathBuf, process};

use anyhow::{Context, bail};
use configuration::Problem;
use domain::{Desired, NotificationId, Secret, SecretRef, Span, Timestamp};
use jobs::Clock;
use secrecy::{ExposeSecret, SecretString};
use storage::{Db, SecretBox, Topic, Wake, audit, history, notifications};

use crate::{actor, config::Config};

/// The largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Said where only a look was asked for, and there is nothing to look at.
const NOTHING_YET: &str = "There is no database yet: this is about an empty one. `fanal apply`, `fanal migrate` and `fanal serve` make it.";

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

/// `fanal plan`: exits with 0 either way; what would change is printed. Nothing is made, not even where nothing is.
pub(crate) async fn plan(config: &Config, file: &FileArgument) -> anyhow::Result<()> {
    let current = configured(config).await?;
    // Where no secret is kept, no key is missing.
    let secrets = if current.secret_fingerprints().is_empty() { config.secrets_of_nothing()? } else { config.kept_secrets()? };
    let desired = read(&current, &secrets, file)?;
    print(configuration::diff(&current, &desired).to_string().trim_end());
    Ok(())
}

/// `fanal apply`.
pub(crate) async fn apply(config: &Config, file: &FileArgument) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let current = storage::configuration::load(&mut db.read().await?).await?;
    let desired = read(&current, &secrets, file)?;
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
    print(configuration::export(&configured(config).await?).trim_end());
    Ok(())
}

/// What is configured, for whoever only looks.
async fn configured(config: &Config) -> anyhow::Result<Desired> {
    let Some(db) = config.open_to_read().await? else {
        eprintln!("{NOTHING_YET}");
        return Ok(storage::configuration::empty());
    };
    let desired = storage::configuration::load(&mut db.read().await?).await?;
    db.close().await;
    Ok(desired)
}

fn read(current: &Desired, secrets: &SecretBox, file: &FileArgument) -> anyhow::Result<Desired> {
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
    match parse(&text, secrets, current) {
        Ok(desired) => Ok(desired),
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
