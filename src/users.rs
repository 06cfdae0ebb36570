//! `fanal user …`: the people who sign in, from the command line. It is the way in when nobody else has one.

use anyhow::{Context, bail};
use domain::{Role, Timestamp, check_password, mail_address};
use jobs::{
    Clock,
    channels::{Channels, Letter},
    egress::Egress,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use server::{IF_NOT_YOU, console};
use storage::{
    Connection, Db,
    audit::{self, Entry},
    entry_links::Purpose,
    passwords, rows,
    users::{self, Changed, NewPassword, NewUser, User},
};

use crate::{actor, commands::print, config::Config};

/// Works on people who sign in.
#[derive(clap::Subcommand)]
pub(crate) enum UserCommand {
    /// Add somebody. Without a password, prints a link by which they choose one.
    Create {
        /// Their mail address, by which they sign in.
        #[arg(long)]
        email: String,
        /// `owner`, `admin`, `operator`, `editor` or `viewer`.
        #[arg(long)]
        role: Role,
        /// What the history calls them. Left out: what stands before the @ of the address.
        #[arg(long)]
        name: Option<String>,
        /// Read their password from standard input, up to the end of the line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List everybody.
    List,
    /// Shut somebody out, at once and everywhere.
    Disable {
        /// Their mail address.
        email: String,
    },
    /// Let somebody in again.
    Enable {
        /// Their mail address.
        email: String,
    },
    /// Take somebody's second factors and recovery codes away, who has lost them.
    ResetFactors {
        /// Their mail address.
        email: String,
    },
    /// Print a link by which somebody who is locked out chooses a new password; without an address, the link of the set-up.
    Link {
        /// Their mail address.
        email: Option<String>,
    },
}

/// Runs a command about people.
pub(crate) async fn run(config: &Config, command: UserCommand) -> anyhow::Result<()> {
    let db = config.open().await?;
    let now = Clock::default().now();
    match command {
        UserCommand::Create { email, role, name, password_stdin } => {
            let email = mail_address(&email).context("--email is not a mail address like name@example.com")?;
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            create(config, &db, (&email, name.trim(), role), password_stdin, now).await?;
        }
        UserCommand::List => list(&db).await?,
        UserCommand::Disable { email } => set_disabled(config, &db, &email, Some(now)).await?,
        UserCommand::Enable { email } => set_disabled(config, &db, &email, None).await?,
        UserCommand::ResetFactors { email } => reset_factors(config, &db, &email).await?,
        UserCommand::Link { email: Some(email) } => {
            let mut tx = db.begin().await?;
            let user = find(&mut tx, &email).await?;
            if user.disabled_at.is_some() {
                bail!("{} is disabled; enable them first", user.email)
            }
            password_link(config, &mut tx, &user, now).await?;
            tx.commit().await?;
        }
        UserCommand::Link { email: None } => {
            let link = console::set_up_link(&db, &config.secrets()?, &config.base_url()?, now).await?;
            print(&link.context("the set-up has happened; name somebody by their mail address")?);
        }
    }
    db.close().await;
    Ok(())
}

async fn create(
    config: &Config,
    db: &Db,
    (email, name, role): (&str, &str, Role),
    password_stdin: bool,
    now: Timestamp,
) -> anyhow::Result<()> {
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        bail!("--name must have 1 to 100 characters, without control characters")
    }
    let hash = if password_stdin { Some(hash_from_stdin(&[email, name]).await?) } else { None };
    let mut tx = db.begin().await?;
    let password = hash.as_deref().map(|hash| NewPassword { hash, sole: true });
    let id = users::create(&mut tx, &NewUser { email, name, role, password }, now)
        .await
        .with_context(|| format!("nobody was added as {email}"))?;
    record(config, &mut tx, "user.create", id.0, Value::Null, json!({ "email": email, "role": role })).await?;
    if hash.is_none() {
        let user = find(&mut tx, email).await?;
        password_link(config, &mut tx, &user, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn hash_from_stdin(personal: &[&str]) -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    check_password(password, true, personal).map_err(|error| anyhow::anyhow!("the password {error}"))?;
    Ok(passwords::hash(&SecretString::from(password)).await?)
}

async fn list(db: &Db) -> anyhow::Result<()> {
    let mut conn = db.read().await?;
    let mut after = 0;
    loop {
        let page = users::list(&mut conn, after, 200).await?;
        for user in &page {
            let state = if user.disabled_at.is_some() { "disabled" } else { "active" };
            let factor = if user.has_factor { "second factor" } else { "no second factor" };
            print(&format!("{}\t{}\t{}\t{}\t{state}\t{factor}", user.id, user.email, user.name, user.role));
        }
        match page.last() {
            Some(last) => after = last.id.0,
            None => return Ok(()),
        }
    }
}

async fn set_disabled(config: &Config, db: &Db, email: &str, since: Option<Timestamp>) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let user = find(&mut tx, email).await?;
    match users::set_disabled(&mut tx, user.id, since).await? {
        Changed::Yes => {}
        Changed::NoSuchUser => bail!("there is nobody of the address {email}"),
        Changed::LastOwner => bail!("{email} is the only owner who can sign in; make another one first"),
    }
    let (before, after) = (user.disabled_at.is_some(), since.is_some());
    record(config, &mut tx, "user.update", user.id.0, json!({ "disabled": before }), json!({ "disabled": after })).await?;
    tx.commit().await?;
    Ok(())
}

async fn reset_factors(config: &Config, db: &Db, email: &str) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let user = find(&mut tx, email).await?;
    storage::factors::remove_all(&mut tx, user.id).await?;
    storage::sessions::end_all(&mut tx, user.id, None).await?;
    record(config, &mut tx, "user.factor.delete", user.id.0, json!({ "factors": user.has_factor }), json!({ "factors": false })).await?;
    let page_name = rows::page_settings(&mut tx).await?.name;
    tx.commit().await?;
    match tell(config, &page_name, &user.email).await {
        Ok(()) => print(&format!("done; {} was told by mail", user.email)),
        // What was done stays done: whoever did it tells them otherwise.
        Err(error) => print(&format!("done; {} was not told by mail, tell them yourself: {error:#}", user.email)),
    }
    Ok(())
}

/// Writes to somebody that their factors are gone: if it was not them who asked for it, they are the first who must know.
async fn tell(config: &Config, page_name: &str, email: &str) -> anyhow::Result<()> {
    let base_url = config.base_url()?;
    let channels = Channels::new(Egress::new(config.egress_policy())?, config.email()?, &base_url);
    let link = format!("{}/console/profile", base_url.as_str().trim_end_matches('/'));
    let text = "Whoever runs this server took it away, since you had lost it.";
    let letter = Letter { page_name, subject: "Your second factor was removed", text, link: &link, foot: IF_NOT_YOU };
    Ok(channels.send_letter(email, letter).await?)
}

async fn find(conn: &mut Connection, email: &str) -> anyhow::Result<User> {
    let address = mail_address(email).unwrap_or_default();
    users::find_by_email(conn, &address).await?.with_context(|| format!("there is nobody of the address {email}"))
}

async fn password_link(config: &Config, conn: &mut Connection, user: &User, now: Timestamp) -> anyhow::Result<()> {
    let link = console::entry_link(conn, &Purpose::Password { user: user.id }, &config.base_url()?, now).await?;
    record(config, conn, "user.link", user.id.0, Value::Null, Value::Null).await?;
    print(&link);
    Ok(())
}

async fn record(
    config: &Config,
    conn: &mut Connection,
    action: &'static str,
    user: i64,
    before: Value,
    after: Value,
) -> anyhow::Result<()> {
    let by = actor::at_the_command_line();
    let entry = Entry { before, ..actor::act(&by, action, Some(format!("user:{user}")), after) };
    audit::record(conn, &config.secrets()?, &entry).await?;
    Ok(())
}
