//! Commands about tokens, the keys of secrets, and the audit log.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use domain::{Span, TokenId};
use ipnet::IpNet;
use jobs::Clock;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use storage::{
    Connection, Db, SecretBox, audit,
    order::{Order, Slice},
    sealed, tokens,
};

use crate::{actor, commands::print, config::Config};

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
        networks: Vec<IpNet>,
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

/// Works on secrets at rest.
#[derive(clap::Subcommand)]
pub(crate) enum SecretsCommand {
    /// Print a new key, as `FANAL_SECRET_KEY` takes it.
    NewKey,
    /// Put every stored secret under the first key of `FANAL_SECRET_KEY`, while servers run. May be stopped and run again.
    Rotate,
}

/// Says what is known of the audit log.
#[derive(clap::Args)]
pub(crate) struct VerifyAuditArguments {
    /// Number and hash of a row that were noted elsewhere, such as `120:3f9a…`: the row must still be there, unchanged.
    #[arg(long, value_name = "NUMBER:HASH")]
    expect: Option<String>,
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
            ("token.create", token.id, json!({ "name": token.name, "scopes": scopes, "expires_at": expires, "networks": networks }))
        }
        TokenCommand::List => {
            for token in tokens::list(&mut tx, &tokens::TokenFilter::default(), &Slice::first(Order::oldest(), 200)).await? {
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
            ("token.rotate", TokenId(id), json!({ "grace": grace.to_string() }))
        }
        TokenCommand::Revoke { id } => {
            if !tokens::revoke(&mut tx, TokenId(id), now).await? {
                bail!("there is no valid token of this number");
            }
            ("token.delete", TokenId(id), Value::Null)
        }
    };
    let by = actor::at_the_command_line();
    audit::record(&mut tx, &secrets, &actor::act(&by, action, Some(format!("token:{id}")), after)).await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}

async fn create_token(
    tx: &mut Connection,
    name: &str,
    scopes: &[String],
    expires_in: Option<Span>,
    networks: &[IpNet],
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
    let after = json!({ "n": n, "failed": n_failed, "places": rotated, "first": key });
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

/// Which keys secrets lie under; wrong if one of them is not there, or one that is there is not needed any more.
pub(crate) async fn keys_in_use(db: &Db, secrets: &SecretBox) -> Result<String, String> {
    let usage = async { sealed::usage(&mut db.read().await?).await }.await.map_err(|error| error.to_string())?;
    let known = secrets.key_ids();
    let mut n_under: BTreeMap<&str, i64> = known.iter().map(|key| (key.as_str(), 0)).collect();
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
