//! `/console/join/{token}` and `/console/password/{token}`: what links lead to that let somebody in once. Opening one uses nothing up: mail
//! scanners follow links.

use askama::Template;
use domain::{MIN_SOLE_PASSWORD_CHARS, UserId, check_password, mail_address};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{
    devices,
    entry_links::{self, Purpose},
    passwords,
    security::{self, Actor, Event},
    sessions, tries,
    users::{self, NewPassword, NewUser, User},
};

use super::{
    Console, event,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    login,
    session::Origin,
    sign_in::{self, Entering},
};

/// The longest name of a person.
const MAX_NAME_CHARS: usize = 100;
pub(super) const GONE: Failure = Failure::NotFound("This link was used already, or has run out. Ask for a new one.");

pub(super) fn routes(table: Table) -> Table {
    table
        .get("/console/join/:token", Needs::nothing(), join_form)
        .post("/console/join/:token", Needs::nothing(), join)
        .get("/console/password/:token", Needs::nothing(), password_form)
        .post("/console/password/:token", Needs::nothing(), choose_password)
}

/// The form by which somebody gets a name and a password.
#[derive(Template)]
#[template(path = "console/entry.html")]
pub(super) struct EntryForm<'a> {
    pub(super) frame: &'a Frame,
    pub(super) title: &'a str,
    pub(super) intro: &'a str,
    pub(super) asks_name: bool,
    pub(super) asks_email: bool,
    pub(super) wish: &'a Wish,
    pub(super) errors: &'a Errors,
    pub(super) button: &'a str,
}

impl EntryForm<'_> {
    const fn min_chars(&self) -> usize {
        MIN_SOLE_PASSWORD_CHARS
    }
}

/// What somebody types to be known by.
#[derive(Default, Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) password: SecretString,
}

/// What is wrong with it, by field.
#[derive(Default)]
pub(super) struct Errors {
    pub(super) name: Option<&'static str>,
    pub(super) email: Option<&'static str>,
    pub(super) password: Option<String>,
}

impl Errors {
    pub(super) const fn is_empty(&self) -> bool {
        self.name.is_none() && self.email.is_none() && self.password.is_none()
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { name: self.name.or(other.name), email: self.email.or(other.email), password: self.password.or(other.password) }
    }
}

impl Wish {
    /// The mail address in its one spelling.
    pub(super) fn address(&self) -> Option<String> {
        mail_address(&self.email)
    }

    pub(super) fn check_name(&self) -> Errors {
        Errors { name: name_error(&self.name), ..Errors::default() }
    }

    pub(super) fn check_email(&self) -> Errors {
        Errors { email: self.address().is_none().then_some("This is not a mail address like name@example.com."), ..Errors::default() }
    }

    pub(super) fn check_password(&self, sole: bool, personal: &[&str]) -> Errors {
        Errors { password: password_error(&self.password, sole, personal), ..Errors::default() }
    }
}

pub(super) fn name_error(name: &str) -> Option<&'static str> {
    let name = name.trim();
    let odd = name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control);
    odd.then_some("Please give a name of at most 100 characters.")
}

pub(super) fn password_error(password: &SecretString, sole: bool, personal: &[&str]) -> Option<String> {
    check_password(password.expose_secret(), sole, personal).err().map(|error| format!("The password {error}."))
}

/// Whether the password could stand without a second factor.
pub(super) fn stands_alone(password: &SecretString) -> bool {
    password.expose_secret().chars().count() >= MIN_SOLE_PASSWORD_CHARS
}

async fn link(console: &Console, token: &str) -> Result<Purpose, Failure> {
    let link = entry_links::find(&mut console.db.read().await?, token, console.now()).await?;
    Ok(link.ok_or(GONE)?.purpose)
}

fn join_page(frame: &Frame, status: StatusCode, purpose: &Purpose, wish: &Wish, errors: &Errors) -> Result<Response, Failure> {
    let Purpose::Invitation { email, role, invited_by } = purpose else { return Err(GONE) };
    let title = format!("Join {}", frame.page_name);
    let intro = format!("{invited_by} invites {email} as {role}. This link works once.");
    let form = EntryForm {
        frame,
        title: &title,
        intro: &intro,
        asks_name: true,
        asks_email: false,
        wish,
        errors,
        button: "Accept the invitation",
    };
    Ok(show(status, &form))
}

/// Sends people to the provider, where it is the only way in.
fn only_by_provider(console: &Console, frame: &Frame, purpose: &Purpose) -> Option<Response> {
    let Purpose::Invitation { role, .. } = purpose else { return None };
    let words = "You are invited. Log in with the provider, under the address that was invited.";
    (!console.lets_in_alone(*role)).then(|| login::page(console, frame, "", "/console/", StatusCode::FORBIDDEN, Some(words)))
}

#[handler]
async fn join_form(Path(token): Path<String>, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let purpose = link(console, &token).await?;
    if let Some(page) = only_by_provider(console, &frame, &purpose) {
        return Ok(page);
    }
    join_page(&frame, StatusCode::OK, &purpose, &Wish::default(), &Errors::default())
}

/// The mail address and the role are the invitation's, whatever else the form may say.
#[handler]
async fn join(
    Path(token): Path<String>,
    frame: Frame,
    origin: Origin,
    Form(wish): Form<Wish>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let purpose = link(console, &token).await?;
    if let Some(page) = only_by_provider(console, &frame, &purpose) {
        return Ok(page);
    }
    let Purpose::Invitation { email, role, invited_by } = &purpose else { return Err(GONE) };
    let errors = wish.check_name().and(wish.check_password(true, &[&wish.name, email, &frame.page_name]));
    if !errors.is_empty() {
        return join_page(&frame, StatusCode::UNPROCESSABLE_ENTITY, &purpose, &wish, &errors);
    }
    let hash = passwords::hash(&wish.password).await?;
    let now = console.now();
    let new = NewUser { email, name: wish.name.trim(), role: *role, password: Some(NewPassword { hash: &hash, sole: true }) };
    let mut tx = console.db.begin().await?;
    entry_links::take(&mut tx, &token, now).await?.filter(|link| link.purpose == purpose).ok_or(GONE)?;
    let user = users::create(&mut tx, &new, now).await?;
    let event = Event {
        action: "user.joined",
        actor: Actor::Visitor(email.clone()),
        address: Some(&origin.address),
        subject: format!("user:{user}"),
        before: Value::Null,
        after: json!({ "email": email, "role": role, "invited_by": invited_by }),
    };
    security::record(&mut tx, &console.secrets, console.now(), &event).await?;
    let entered = sign_in::enter(console, &mut tx, &Entering::by_password(user, email, None), &origin).await?;
    tx.commit().await?;
    Ok(sign_in::welcome(console, &entered, email, &origin, "/console/"))
}

async fn password_owner(console: &Console, token: &str) -> Result<(Purpose, User), Failure> {
    let purpose = link(console, token).await?;
    let Purpose::Password { user } = purpose else { return Err(GONE) };
    let user = active(console, user).await?;
    Ok((purpose, user))
}

async fn active(console: &Console, user: UserId) -> Result<User, Failure> {
    let found = users::find(&mut console.db.read().await?, user).await?;
    found.filter(|user| user.disabled_at.is_none()).ok_or(GONE)
}

fn password_page(frame: &Frame, status: StatusCode, user: &User, errors: &Errors) -> Response {
    let intro = format!(
        "For {}. All sessions end then, and you log in again{}.",
        user.email,
        if user.has_factor { ", with your second factor" } else { "" }
    );
    let wish = &Wish::default();
    let form = EntryForm {
        frame,
        title: "Choose a new password",
        intro: &intro,
        asks_name: false,
        asks_email: false,
        wish,
        errors,
        button: "Set the password",
    };
    show(status, &form)
}

#[handler]
async fn password_form(Path(token): Path<String>, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (_, user) = password_owner(console, &token).await?;
    Ok(password_page(&frame, StatusCode::OK, &user, &Errors::default()))
}

/// The second factor is asked for afterwards: who reads somebody's mail is not in yet.
#[handler]
async fn choose_password(
    Path(token): Path<String>,
    frame: Frame,
    origin: Origin,
    Form(wish): Form<Wish>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (purpose, user) = password_owner(console, &token).await?;
    let errors = wish.check_password(!user.has_factor, &[&user.name, &user.email, &frame.page_name]);
    if !errors.is_empty() {
        return Ok(password_page(&frame, StatusCode::UNPROCESSABLE_ENTITY, &user, &errors));
    }
    let hash = passwords::hash(&wish.password).await?;
    let mut tx = console.db.begin().await?;
    entry_links::take(&mut tx, &token, console.now()).await?.filter(|link| link.purpose == purpose).ok_or(GONE)?;
    users::set_password(&mut tx, user.id, NewPassword { hash: &hash, sole: stands_alone(&wish.password) }).await?;
    sessions::end_all(&mut tx, user.id, None).await?;
    devices::forget_all(&mut tx, user.id).await?;
    tries::forget(&mut tx, &tries::of_account(&user.email)).await?;
    let actor = Actor::Visitor(user.email.clone());
    security::record(&mut tx, &console.secrets, console.now(), &event("user.password_reset", actor, &origin, format!("user:{}", user.id)))
        .await?;
    tx.commit().await?;
    console.letters.tell(
        &user.email,
        "Your password was changed",
        "A new password was set through a link that was sent to you.".to_owned(),
    );
    Ok(see_other("/console/log-in"))
}
