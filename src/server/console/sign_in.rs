//! The last step of every way in: a session begins, and whoever it is hears of it where the browser is new.

use domain::{SessionId, Timestamp, UserId};
use poem::Response;
use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{
    Connection, devices,
    security::{self, Actor, Event},
    sessions::{self, Means, Stage},
};

use super::{
    Console,
    failure::Failure,
    frame::see_other,
    session::{self, Origin},
};

/// Somebody who has given everything that is asked of them.
pub(super) struct Entering<'a> {
    pub(super) user: UserId,
    pub(super) email: &'a str,
    /// The session in which they gave their password; it becomes a full one, with another secret.
    pub(super) half: Option<SessionId>,
    /// By what.
    pub(super) means: Means,
    /// When they last gave a proof themselves, if that was not just now.
    pub(super) proved_at: Option<Timestamp>,
}

impl<'a> Entering<'a> {
    /// By password, or by what a link lets somebody choose.
    pub(super) const fn by_password(user: UserId, email: &'a str, half: Option<SessionId>) -> Self {
        Self { user, email, half, means: Means::Password, proved_at: None }
    }
}

/// What the browser is given.
pub(super) struct Entered {
    secret: SecretString,
    device: Option<SecretString>,
    report: bool,
}

/// Begins the session.
pub(super) async fn enter(console: &Console, tx: &mut Connection, entering: &Entering<'_>, origin: &Origin) -> Result<Entered, Failure> {
    let (now, user) = (console.now(), entering.user);
    let (session, secret) = match entering.half {
        Some(half) => (half, sessions::prove(tx, half, now).await?),
        None => sessions::begin(tx, user, Stage::Full, &entering.means, origin.visit(), now).await?,
    };
    if let Some(at) = entering.proved_at {
        sessions::set_proved(tx, session, at).await?;
    }
    let known = match &origin.device {
        Some(device) => devices::is_known(tx, user, device).await?,
        None => false,
    };
    let (device, report) = if let Some(device) = origin.device.as_ref().filter(|_| known) {
        devices::touch(tx, user, device, now).await?;
        (None, false)
    } else {
        let first = devices::count(tx, user).await? == 0;
        (Some(devices::remember(tx, user, now).await?), !first)
    };
    let actor = Actor::Session { user, email: entering.email.to_owned(), session };
    let mut after = json!({ "means": entering.means.as_str() });
    if let Some(methods) = entering.means.methods() {
        after["methods"] = json!(methods);
    }
    let subject = format!("session:{session}");
    let event = Event { action: "session.begun", actor, address: Some(&origin.address), subject, before: Value::Null, after };
    security::record(tx, &console.secrets, now, &event).await?;
    Ok(Entered { secret, device, report })
}

/// What follows once it is stored: the browser gets its cookies, and somebody a mail.
pub(super) fn welcome(console: &Console, entered: &Entered, email: &str, origin: &Origin, path: &str) -> Response {
    let mut response = see_other(path);
    session::set_cookie(console, &mut response, &entered.secret);
    if let Some(device) = &entered.device {
        session::set_device_cookie(console, &mut response, device);
    }
    if entered.report {
        let browser: String = origin.user_agent.chars().filter(|c| !c.is_control()).take(200).collect();
        let at = console.now().to_jiff().strftime("%-d %B %Y, %H:%M UTC").to_string();
        let text = format!("You signed in from a browser that we have not seen before: {browser}, address {}, at {at}.", origin.address);
        console.letters.tell(email, "A new browser signed in", text);
    }
    response
}
