//! `/console/setup/{token}`: the first owner, once.

use askama::Template;
use domain::{MIN_SOLE_PASSWORD_CHARS, Role, check_password, mail_address};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use storage::{
    entry_links::{self, Purpose},
    passwords,
    security::{self, Actor, Event},
    sessions::{self, Stage},
    users::{self, NewPassword, NewUser},
};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    session::{self, Origin},
};

/// The longest name of a person.
pub(super) const MAX_NAME_CHARS: usize = 100;
const GONE: Failure = Failure::NotFound("This link was used already, or has run out.");

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/setup/:token", Needs::nothing(), form).post("/console/setup/:token", Needs::nothing(), set_up)
}

#[derive(Template)]
#[template(path = "console/setup.html")]
struct SetUp<'a> {
    frame: &'a Frame,
    wish: &'a Wish,
    errors: &'a Errors,
    min_chars: usize,
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
}

impl Wish {
    /// The mail address in its one spelling, and what is wrong.
    pub(super) fn check(&self, page_name: &str) -> (Option<String>, Errors) {
        let email = mail_address(&self.email);
        let name = self.name.trim();
        let personal = [name, self.email.as_str(), page_name];
        let odd_name = name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control);
        let password = check_password(self.password.expose_secret(), true, &personal).err();
        let errors = Errors {
            name: odd_name.then_some("Please give a name of at most 100 characters."),
            email: email.is_none().then_some("This is not a mail address like name@example.com."),
            password: password.map(|error| format!("The password {error}.")),
        };
        (email, errors)
    }
}

#[handler]
async fn form(Path(token): Path<String>, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    good(console, &token).await?;
    Ok(page(&frame, StatusCode::OK, &Wish::default(), &Errors::default()))
}

fn page(frame: &Frame, status: StatusCode, wish: &Wish, errors: &Errors) -> Response {
    show(status, &SetUp { frame, wish, errors, min_chars: MIN_SOLE_PASSWORD_CHARS })
}

async fn good(console: &Console, token: &str) -> Result<(), Failure> {
    let mut conn = console.db.read().await?;
    let link = entry_links::find(&mut conn, token, console.now()).await?;
    if link.is_none_or(|link| link.purpose != Purpose::SetUp) || users::is_set_up(&mut conn).await? {
        return Err(GONE);
    }
    Ok(())
}

#[handler]
async fn set_up(
    Path(token): Path<String>,
    frame: Frame,
    origin: Origin,
    Form(wish): Form<Wish>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    good(console, &token).await?;
    let (email, errors) = wish.check(&frame.page_name);
    let Some(email) = email.filter(|_| errors.is_empty()) else {
        return Ok(page(&frame, StatusCode::UNPROCESSABLE_ENTITY, &wish, &errors));
    };
    let hash = passwords::hash(&wish.password).await?;
    let (now, password) = (console.now(), NewPassword { hash: &hash, sole: true });
    let owner = NewUser { email: &email, name: wish.name.trim(), role: Role::Owner, password: Some(password) };
    let mut tx = console.db.begin().await?;
    entry_links::take(&mut tx, &token, now).await?.filter(|link| link.purpose == Purpose::SetUp).ok_or(GONE)?;
    let user = users::set_up(&mut tx, &owner, now).await?.ok_or(GONE)?;
    let (_, secret) = sessions::begin(&mut tx, user, Stage::Full, origin.visit(), now).await?;
    let event = Event {
        action: "user.created",
        actor: Actor::Visitor("set-up link".to_owned()),
        address: Some(&origin.address),
        subject: format!("user:{user}"),
        before: json!(null),
        after: json!({ "email": email, "role": Role::Owner }),
    };
    security::record(&mut tx, &event).await?;
    tx.commit().await?;
    let mut response = see_other("/console/");
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}
