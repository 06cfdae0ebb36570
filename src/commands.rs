//! Commands that do one thing and end.

use std::{path::PathBuf, process};

use anyhow::{Context, bail};
use configuration::Problem;
use domain::{Desired, NotificationId, Secret, SecretRef, Span, State, Timestamp, TokenId, plan_timers};
use jobs::{
    Clock,
    egress::{Egress, EgressPolicy, HeaderMap, MAX_RESPONSE_BYTES, Method, Request},
    evaluator,
};
use secrecy::{ExposeSecret, SecretString};
use storage::{Db, SecretBox, Topic, Wake, audit, fates, history, hub, ledger, notifications, rows, sealed, state, tokens};

use crate::{actor, config::Config};

/// The largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Works on API tokens.
#[derive(clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, and nothing else. It is not shown again.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// `<resource>:read`, `<resource>:write` or `*`; may be given several times.
        #[arg(long = "scope", required = true, num_args = 1..)]
        scopes: Vec<String>,
        /// How long it is good for, e.g. `90d`; for ever if it is left out.
        #[arg(long)]
        expires_in: Option<Span>,
        /// An address or network from which it may be used; may be given several times. From everywhere if it is left out.
        #[arg(long = "network")]
        networks: Vec<ipnet::IpNet>,
    },
    /// List the tokens.
    List,
    /// Give a token another secret and print it, and nothing else. The secret before counts for a while.
    Rotate {
        /// Its number.
        #[arg(long)]
        id: i64,
        /// How long the secret before goes on counting: at most a week.
        #[arg(long, default_value = "1d")]
        grace: Span,
    },
    /// End a token for good.
    Revoke {
        /// Its number.
        #[arg(long)]
        id: i64,
    },
}

/// Names a configuration file.
#[derive(clap::Args)]
pub(crate) struct FileArgument {
    /// The file, `-` for standard input.
    #[arg(short, long)]
    file: PathBuf,
}

/// Works on secrets at rest.
#[derive(clap::Subcommand)]
pub(crate) enum SecretsCommand {
    /// Print a new key, as FANAL_SECRET_KEY takes it.
    NewKey,
    /// Put every stored secret under the first key of FANAL_SECRET_KEY, while servers run. May be stopped and run again.
    Rotate,
}

/// Says what is known of the audit log.
#[derive(clap::Args)]
pub(crate) struct VerifyAuditArguments {
    /// Number and hash of a row that were noted elsewhere, such as `120:3f9a…`: the row must still be there, unchanged.
    #[arg(long, value_name = "NUMBER:HASH")]
    expect: Option<String>,
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
    eprintln!("The schema is up to date.");
    Ok(())
}

/// `fanal token …`.
pub(crate) async fn token(config: &Config, command: TokenCommand) -> anyhow::Result<()> {
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let mut tx = db.begin().await?;
    let now = Clock::default().now();
    let (action, id, after) = match command {
        TokenCommand::Create { name, scopes, expires_in, networks } => {
            let (token, secret) = create_token(&mut tx, &name, &scopes, expires_in, &networks).await?;
            print(secret.expose_secret());
            let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
            let expires = token.expires_at.map(|at| at.to_string());
            let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
            (
                "token.create",
                token.id,
                serde_json::json!({ "name": token.name, "scopes": scopes, "expires_at": expires, "networks": networks }),
            )
        }
        TokenCommand::List => {
            for token in tokens::list(&mut tx, 0, 200).await? {
                print(&format!("{}\t{}\t…{}", token.id, token.name, token.hint));
            }
            return Ok(());
        }
        TokenCommand::Rotate { id, grace } => {
            if grace > tokens::MAX_GRACE {
                bail!("--grace may be {} at most", tokens::MAX_GRACE);
            }
            let secret = tokens::rotate(&mut tx, TokenId(id), now.plus(grace), now).await?;
            print(secret.context("there is no valid token of this number")?.expose_secret());
            ("token.rotate", TokenId(id), serde_json::json!({ "grace": grace.to_string() }))
        }
        TokenCommand::Revoke { id } => {
            if !tokens::revoke(&mut tx, TokenId(id), now).await? {
                bail!("there is no valid token of this number");
            }
            ("token.delete", TokenId(id), serde_json::Value::Null)
        }
    };
    let by = actor::at_the_command_line();
    audit::record(&mut tx, &secrets, &actor::act(&by, action, Some(format!("token:{id}")), after)).await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}

async fn create_token(
    tx: &mut storage::Connection,
    name: &str,
    scopes: &[String],
    expires_in: Option<Span>,
    networks: &[ipnet::IpNet],
) -> anyhow::Result<(tokens::Token, SecretString)> {
    let scopes =
        scopes.iter().map(|scope| scope.parse().map_err(|error| anyhow::anyhow!("--scope: {error}"))).collect::<Result<Vec<_>, _>>()?;
    if name.trim().is_empty() || name.chars().count() > 200 {
        bail!("--name must have 1 to 200 characters");
    }
    let now = Clock::default().now();
    let networks = (!networks.is_empty()).then_some(networks);
    let new = tokens::NewToken { name: name.trim(), scopes: &scopes, expires_at: expires_in.map(|span| now.plus(span)), networks };
    Ok(tokens::insert(tx, new, now).await?)
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
    state.incidents.clear();
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

/// `fanal secrets …`.
pub(crate) async fn secrets(config: &Config, command: SecretsCommand) -> anyhow::Result<()> {
    if matches!(command, SecretsCommand::NewKey) {
        print(SecretBox::generate_key().expose_secret());
        return Ok(());
    }
    let (db, secrets) = (config.open().await?, config.secrets()?);
    let rotated = sealed::rotate(&db, &secrets, |so_far| eprintln!("{}: {} under the first key", so_far.place, so_far.n)).await?;
    let usage = sealed::usage(&mut db.read().await?).await?;
    let n: u64 = rotated.iter().map(|place| place.n).sum();
    let n_failed: u64 = rotated.iter().map(|place| place.n_failed).sum();
    let (by, key) = (actor::at_the_command_line(), secrets.key_ids().first().cloned().unwrap_or_default());
    let after = serde_json::json!({ "n": n, "failed": n_failed, "places": rotated, "first": key });
    audit::note(&db, &secrets, &actor::act(&by, "secrets.rotate", None, after)).await?;
    db.close().await;
    let others: Vec<String> =
        usage.iter().filter(|use_| use_.key != key).map(|use_| format!("{} in {} under {}", use_.n, use_.place, use_.key)).collect();
    if !others.is_empty() {
        bail!("{n} secrets were put under the key {key}; not all are: {}. Keep the other keys, and run this again", others.join(", "))
    }
    print(&format!("All secrets lie under the key {key}; {n} did not before. Any other key can be removed from FANAL_SECRET_KEY."));
    Ok(())
}

/// `fanal verify-audit`: exits with 1 if the log does not prove itself.
pub(crate) async fn verify_audit(config: &Config, arguments: &VerifyAuditArguments) -> anyhow::Result<()> {
    let expected = arguments.expect.as_deref().map(|text| {
        let read = text.split_once(':').and_then(|(id, hash)| Some((id.parse::<i64>().ok()?, hash)));
        read.context("--expect must be a number and a hash, such as 120:3f9a…")
    });
    let (expected, db, secrets) = (expected.transpose()?, config.open().await?, config.secrets()?);
    let verified = audit::verify(&db, &secrets, expected).await?;
    db.close().await;
    let audit::Verified { n, last_id, hash } =
        verified.map_err(|broken| anyhow::anyhow!("the audit log does not prove itself: {broken}"))?;
    print(&format!("{n} rows prove one another. Note this elsewhere, for --expect: {last_id}:{hash}"));
    Ok(())
}

/// `fanal doctor`: one line per thing looked at; exits with 1 if something is wrong.
pub(crate) async fn doctor(config: &Config) -> anyhow::Result<()> {
    let mut wrong = 0;
    let mut say = |what: &str, found: Result<String, String>| match found {
        Ok(text) => print(&format!("ok     {what}: {text}")),
        Err(text) => {
            wrong += 1;
            print(&format!("wrong  {what}: {text}"));
        }
    };
    say("FANAL_SECRET_KEY", config.secrets().map(|_| "usable".to_owned()).map_err(|error| format!("{error:#}")));
    say("FANAL_BASE_URL", config.base_url().map(|url| url.to_string()).map_err(|error| format!("{error:#}")));
    let db = config.open().await;
    say("FANAL_DATABASE_URL", db.as_ref().map(|db| format!("{}, schema up to date", db.kind())).map_err(|error| format!("{error:#}")));
    let url = config.queue_url().expose_secret().parse::<jobs::queue::QueueUrl>();
    let queue = match &url {
        Ok(url) => jobs::queue::Queue::connect(url).await.map(|queue| queue.kind().to_owned()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    say("FANAL_QUEUE_URL", queue);
    say("FANAL_SMTP_URL", if config.smtp_url.is_some() { Ok("set".to_owned()) } else { Ok("not set: mail is off".to_owned()) });
    if let (Ok(db), Ok(secrets)) = (&db, config.secrets()) {
        let found = async {
            let mut conn = db.read().await?;
            hub::load(&mut conn, &secrets).await?;
            rows::components(&mut conn).await.map(|components| components.len())
        };
        say("stored secrets", found.await.map(|n| format!("all readable; {n} components")).map_err(|error| error.to_string()));
        say("keys in use", keys_in_use(db, &secrets).await);
        db.close().await;
    }
    if wrong > 0 {
        bail!("{wrong} things to mend")
    }
    Ok(())
}

/// Which keys secrets lie under; wrong if one of them is not there, or one that is there is not needed any more.
async fn keys_in_use(db: &Db, secrets: &SecretBox) -> Result<String, String> {
    let usage = async { sealed::usage(&mut db.read().await?).await }.await.map_err(|error| error.to_string())?;
    let known = secrets.key_ids();
    let mut n_under: std::collections::BTreeMap<&str, i64> = known.iter().map(|key| (key.as_str(), 0)).collect();
    for place in &usage {
        *n_under.entry(place.key.as_str()).or_default() += place.n;
    }
    let text = n_under.iter().map(|(key, n)| format!("{key} ({n})")).collect::<Vec<_>>().join(", ");
    if let Some(missing) = usage.iter().find(|place| !known.contains(&place.key)) {
        return Err(format!("{text}; {} in {} lie under {}, which FANAL_SECRET_KEY lacks", missing.n, missing.place, missing.key));
    }
    let first = known.first().map(String::as_str).unwrap_or_default();
    let to_do = n_under.iter().any(|(key, n)| *key != first && *n > 0);
    Ok(if to_do { format!("{text}; `fanal secrets rotate` puts all under {first}") } else { text })
}

/// `fanal doctor --ready`: what `/readyz` of the running process says; exits with 1 unless it is ready.
pub(crate) async fn ask_ready(config: &Config) -> anyhow::Result<()> {
    let address = config.ops_listen;
    // What listens on every address listens on the loopback too.
    let host = if address.ip().is_unspecified() { std::net::Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    let url = format!("http://{}/readyz", std::net::SocketAddr::new(host, address.port())).parse()?;
    let request = Request {
        method: Method::GET,
        url,
        headers: HeaderMap::new(),
        body: Vec::new(),
        timeout: std::time::Duration::from_secs(5),
        max_response_bytes: MAX_RESPONSE_BYTES,
    };
    let egress = Egress::new(EgressPolicy { allow_private: true, require_tls: false })?;
    let answer = egress.send(request).await.with_context(|| format!("nothing answers on {address}"))?;
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status != 200 {
        bail!("not ready: {}", text.trim())
    }
    print(text.trim());
    Ok(())
}
