//! `/console/log-in`, `/console/log-out`.

use askama::Template;
use domain::{Span, UserId, mail_address};
use poem::{
    Response, handler,
    http::{HeaderValue, StatusCode, header},
    web::{Data, Form, Query},
};
use secrecy::SecretString;
use serde::Deserialize;
use storage::{
    Connection, devices,
    passwords::{self, Verdict},
    security::{self, Actor},
    sessions::{self, Means, Stage},
    tries,
    users::{self, User},
};

use super::{
    Console, event,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table, local_path},
    session::{self, Origin, Person},
    sign_in::{self, Entering},
};

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/log-in", Needs::nothing(), form).post("/console/log-in", Needs::nothing(), log_in).post(
        "/console/log-out",
        Needs::signed_in().before_factor(),
        log_out,
    )
}

#[derive(Template)]
#[template(path = "console/login.html")]
struct LogIn<'a> {
    frame: &'a Frame,
    email: &'a str,
    next: &'a str,
    passkey_host: Option<&'a str>,
    /// The identity provider.
    provider: Option<&'a str>,
    /// Where its button leads.
    provider_path: String,
    /// Whether all but owners sign in with it alone.
    only_provider: bool,
    error: Option<&'a str>,
}

/// The form by which people sign in.
pub(super) fn page(console: &Console, frame: &Frame, email: &str, next: &str, status: StatusCode, error: Option<&str>) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    let shown = LogIn {
        frame,
        email,
        next,
        passkey_host: console.passkey_host(),
        provider: console.provider_name(),
        provider_path: format!("/console/log-in/oidc?{query}"),
        only_provider: console.only_provider(),
        error,
    };
    show(status, &shown)
}

/// A page of the console, whatever the text says.
pub(super) fn local(next: &str) -> &str {
    local_path(next).unwrap_or("/console/")
}

#[derive(Default, Deserialize)]
pub(super) struct Way {
    #[serde(default)]
    next: String,
    /// Not empty if a form was sent there and not taken.
    #[serde(default)]
    again: String,
}

impl Way {
    /// Whether what was sent has to be sent once more.
    pub(super) fn is_again(&self) -> bool {
        !self.again.is_empty()
    }

    /// Where to go then: only ever a page of the console.
    pub(super) fn path(&self) -> &str {
        local(&self.next)
    }
}

#[handler]
fn form(frame: Frame, Query(way): Query<Way>, Data(console): Data<&Console>) -> Response {
    if frame.person.is_some() {
        return see_other(way.path());
    }
    page(console, &frame, "", way.path(), StatusCode::OK, None)
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: SecretString,
    #[serde(flatten)]
    way: Way,
}

/// Says and takes the same for people who are not known, are shut out, or have no password.
#[handler]
async fn log_in(frame: Frame, origin: Origin, Form(given): Form<Credentials>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let page = |status, error: &str| page(console, &frame, &given.email, given.way.path(), status, Some(error));
    let account = Account::look_up(console, &given.email, &origin).await?;
    if let Some(wait) = account.take_try(console, &origin).await? {
        return Ok(too_soon(wait, |error| page(StatusCode::TOO_MANY_REQUESTS, error)));
    }
    let checked = account.check(console, &given.password).await?;
    let Some(user) = checked.filter(|user| console.lets_in_alone(user.role)) else {
        console.record("session.refused", Actor::Visitor(account.email), &origin, "session".to_owned()).await?;
        return Ok(page(StatusCode::UNAUTHORIZED, "The mail address or the password is wrong."));
    };
    let now = console.now();
    let mut tx = console.db.begin().await?;
    tries::forget(&mut tx, &account.subject).await?;
    tries::give_back(&mut tx, &tries::of_address(&origin.address)).await?;
    // Whoever was signed in here before is not any more.
    if let Some(before) = &frame.person {
        sessions::end(&mut tx, before.user_id, before.session).await?;
    }
    sessions::prune(&mut tx, now).await?;
    tries::prune(&mut tx, now).await?;
    if user.has_factor {
        let (_, secret) = sessions::begin(&mut tx, user.id, Stage::Factor, &Means::Password, origin.visit(), now).await?;
        tx.commit().await?;
        let next = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", given.way.path()).finish();
        let mut response = see_other(&format!("/console/log-in/code?{next}"));
        session::set_cookie(console, &mut response, &secret);
        return Ok(response);
    }
    let entering = Entering::by_password(user.id, &user.email, None);
    let entered = sign_in::enter(console, &mut tx, &entering, &origin).await?;
    tx.commit().await?;
    Ok(sign_in::welcome(console, &entered, &user.email, &origin, given.way.path()))
}

/// A form that asks for patience.
pub(super) fn too_soon(wait: Span, page: impl FnOnce(&str) -> Response) -> Response {
    let seconds = u64::try_from(wait.0).unwrap_or_default().div_ceil(1000);
    let mut response = page(&format!("There were too many tries. Please wait {seconds} seconds and try again."));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What somebody says is theirs.
struct Account {
    email: String,
    user: Option<User>,
    stored: Option<String>,
    /// What the tries count against.
    subject: String,
}

impl Account {
    async fn look_up(console: &Console, email: &str, origin: &Origin) -> Result<Self, Failure> {
        let email = mail_address(email).unwrap_or_default();
        let mut conn = console.db.read().await?;
        let user = users::find_by_email(&mut conn, &email).await?.filter(|user| user.disabled_at.is_none());
        let id = user.as_ref().map_or(UserId(0), |user| user.id);
        let stored = users::password(&mut conn, id).await?;
        let subject = subject(&mut conn, &email, id, origin).await?;
        Ok(Self { email, user, stored, subject })
    }

    /// How long to wait before the next try, if it comes too soon.
    async fn take_try(&self, console: &Console, origin: &Origin) -> Result<Option<Span>, Failure> {
        let now = console.now();
        let mut tx = console.db.begin_lazily().await?;
        if let Err(wait) = tries::take(&mut tx, &self.subject, tries::FREE_PER_ACCOUNT, now).await? {
            return Ok(Some(wait));
        }
        if let Err(wait) = tries::take(&mut tx, &tries::of_address(&origin.address), tries::FREE_PER_ADDRESS, now).await? {
            return Ok(Some(wait));
        }
        tx.commit().await?;
        Ok(None)
    }

    async fn check(&self, console: &Console, password: &SecretString) -> Result<Option<User>, Failure> {
        let verdict = passwords::verify(password, self.stored.as_deref()).await?;
        let Some(user) = self.user.clone().filter(|_| verdict != Verdict::Wrong) else { return Ok(None) };
        if let (Verdict::RightButOld, Some(old)) = (verdict, &self.stored) {
            let hash = passwords::hash(password).await?;
            let mut tx = console.db.begin().await?;
            users::rehash(&mut tx, user.id, old, &hash).await?;
            tx.commit().await?;
        }
        Ok(Some(user))
    }
}

/// A browser that has been signed in to the account counts for itself: a stranger who tries passwords elsewhere does not keep its person out.
async fn subject(conn: &mut Connection, email: &str, user: UserId, origin: &Origin) -> Result<String, Failure> {
    if let Some(device) = &origin.device
        && devices::is_known(conn, user, device).await?
    {
        return Ok(tries::of_device(device));
    }
    Ok(tries::of_account(email))
}

#[handler]
async fn log_out(person: Person, origin: Origin, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    sessions::end(&mut tx, person.user_id, person.session).await?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("session.ended", person.actor(), &origin, format!("session:{}", person.session)),
    )
    .await?;
    tx.commit().await?;
    let mut response = see_other("/console/log-in");
    session::clear_cookie(console, &mut response);
    Ok(response)
}
