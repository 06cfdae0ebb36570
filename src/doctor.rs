//! `doctor`: what is missing, or does not fit, before somebody finds out at night. Where nothing is, it makes nothing; where a database is, only
//! the queue's own tables are brought up to date, as connecting to it does.

use std::fmt::Display;

use anyhow::{Context, bail};
use jobs::{
    egress::{self, Egress, EgressPolicy, HeaderMap, MAX_RESPONSE_BYTES, Method, Request},
    queue::{Queue, QueueUrl},
};
use secrecy::ExposeSecret;
use storage::{
    Db, SecretBox, hub,
    passwords::{self, BUDGET, MIN_MEMORY_MIB},
    rows,
};

use crate::{commands::print, config::Config, guard};

/// What was looked at, one line each.
#[derive(Default)]
struct Report {
    n_wrong: usize,
}

impl Report {
    fn say<E: Display>(&mut self, what: &str, found: Result<impl Display, E>) {
        match found {
            Ok(text) => print(&format!("ok     {what}: {text}")),
            Err(error) => {
                self.n_wrong += 1;
                // With its causes, where it has some.
                print(&format!("wrong  {what}: {error:#}"));
            }
        }
    }
}

/// `fanal doctor`: one line per thing looked at; exits with 1 if something is wrong.
pub(crate) async fn examine(config: &Config) -> anyhow::Result<()> {
    let mut report = Report::default();
    report.say("FANAL_BASE_URL", config.base_url());
    report.say("FANAL_SMTP_URL", mail(config).await);
    report.say("FANAL_OWNER_EMAIL", Ok::<_, String>(owner(config)));
    report.say("FANAL_PASSWORD_MEMORY_MIB", Ok::<_, String>(password_memory(config)));
    report.say("FANAL_OIDC_ISSUER", identity_provider(config).await);
    report.say("FANAL_AUDIT_SINK", config.audit_sink().map(|sink| if sink.is_some() { "set" } else { "not set" }));
    report.say(
        "ICMP checks",
        Ok::<_, String>(egress::echo_allowed().map_or_else(|error| format!("not possible: {error}"), |()| "possible".to_owned())),
    );
    if let Some(file) = missing_file(config) {
        report.say(
            "FANAL_DATABASE_URL",
            Ok::<_, String>(format!("there is no {file} yet: the first `fanal serve` makes it, and a key beside it")),
        );
    } else {
        report.say("FANAL_QUEUE_URL", queue(config).await);
        let secrets = config.kept_secrets();
        report.say("FANAL_SECRET_KEY", secrets.as_ref().map(|_| "usable"));
        let db = open(config).await;
        report.say("FANAL_DATABASE_URL", db.as_ref().map(|db| format!("{}, schema up to date", db.kind())));
        if let (Ok(db), Ok(secrets)) = (db, secrets) {
            report.say("stored secrets", stored(&db, &secrets).await);
            report.say("keys in use", guard::keys_in_use(&db, &secrets).await);
            db.close().await;
        }
    }
    match report.n_wrong {
        0 => Ok(()),
        1 => bail!("1 thing to mend"),
        n => bail!("{n} things to mend"),
    }
}

/// The file of the database, if there is none and it would be made.
fn missing_file(config: &Config) -> Option<String> {
    let url = config.database_url();
    let file = url.expose_secret().strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?.to_owned();
    (!std::path::Path::new(&file).exists()).then_some(file)
}

async fn open(config: &Config) -> anyhow::Result<Db> {
    let db = Db::open(config.database_url().expose_secret()).await?;
    if !db.is_migrated().await? {
        bail!("the schema is not that of this version: the next start brings it up to date, or `fanal migrate`");
    }
    Ok(db)
}

async fn queue(config: &Config) -> anyhow::Result<&'static str> {
    let url: QueueUrl = config.queue_url().expose_secret().parse()?;
    Ok(Queue::connect(&url).await?.kind())
}

async fn mail(config: &Config) -> anyhow::Result<&'static str> {
    let Some(email) = config.email()? else { return Ok("not set: mail is off") };
    email.check().await?;
    Ok("the mail server answers and lets us in")
}

fn owner(config: &Config) -> String {
    match &config.owner_email {
        Some(_) if config.smtp_url.is_none() => "set, but mail is off: nobody is told".to_owned(),
        Some(owner) => owner.clone(),
        None => "not set: nobody is told by mail of what is about to publish itself, or of endpoints that were switched off".to_owned(),
    }
}

/// How long hashing a password takes here, and how much memory it could take.
fn password_memory(config: &Config) -> String {
    let mib = config.password_memory_mib;
    // The first touches memory that the next finds ready.
    let _ = passwords::measure(mib);
    let (now, affordable) = (passwords::measure(mib), passwords::affordable(passwords::measure(MIN_MEMORY_MIB)));
    let verdict = if now > BUDGET {
        format!("; that is slow, since a quarter of a second is enough: {affordable} would do")
    } else if affordable > mib {
        format!("; this machine affords {affordable}, twice at once")
    } else {
        String::new()
    };
    format!("{mib}, a password is hashed in {} ms{verdict}", now.as_millis())
}

async fn identity_provider(config: &Config) -> anyhow::Result<String> {
    match config.oidc()? {
        Some(oidc) => oidc.check().await.map_err(anyhow::Error::msg),
        None => Ok("not set".to_owned()),
    }
}

async fn stored(db: &Db, secrets: &SecretBox) -> anyhow::Result<String> {
    let mut conn = db.read().await?;
    hub::load(&mut conn, secrets).await?;
    Ok(format!("all readable; {} components", rows::components(&mut conn).await?.len()))
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
