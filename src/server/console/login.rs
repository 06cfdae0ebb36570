//! `/console/log-in`, `/console/log-out`.

use askama::Template;
use domain::mail_address;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use secrecy::SecretString;
use serde::Deserialize;
use storage::{
    passwords::{self, Verdict},
    security::{self, Actor},
    sessions::{self, Stage},
    users::{self, User},
};

use super::{
    Console, event,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table, local_path},
    session::{self, Origin, Person},
};

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/log-in", Needs::nothing(), form).post("/console/log-in", Needs::nothing(), log_in).post(
        "/console/log-out",
        Needs::signed_in(),
        log_out,
    )
}

#[derive(Template)]
#[template(path = "console/login.html")]
struct LogIn<'a> {
    frame: &'a Frame,
    email: &'a str,
    next: &'a str,
    error: Option<&'a str>,
}

#[derive(Default, Deserialize)]
pub(super) struct Way {
    #[serde(default)]
    next: String,
}

impl Way {
    /// Where to go then: only ever a page of the console.
    pub(super) fn path(&self) -> &str {
        local_path(&self.next).unwrap_or("/console/")
    }
}

#[handler]
fn form(frame: Frame, Query(way): Query<Way>) -> Response {
    if frame.person.is_some() {
        return see_other(way.path());
    }
    show(StatusCode::OK, &LogIn { frame: &frame, email: "", next: way.path(), error: None })
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
    let Some(user) = check(console, &given, &origin).await? else {
        let error = Some("The mail address or the password is wrong.");
        return Ok(show(StatusCode::UNAUTHORIZED, &LogIn { frame: &frame, email: &given.email, next: given.way.path(), error }));
    };
    let now = console.now();
    let mut tx = console.db.begin().await?;
    // Whoever was signed in here before is not any more.
    if let Some(before) = &frame.person {
        sessions::end(&mut tx, before.user_id, before.session).await?;
    }
    sessions::prune(&mut tx, now).await?;
    let (session, secret) = sessions::begin(&mut tx, user.id, Stage::Full, origin.visit(), now).await?;
    let actor = Actor::Session { user: user.id, email: user.email, session };
    security::record(&mut tx, &event("session.begun", actor, &origin, format!("session:{session}"))).await?;
    tx.commit().await?;
    let mut response = see_other(given.way.path());
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

/// Whose password this is.
async fn check(console: &Console, given: &Credentials, origin: &Origin) -> Result<Option<User>, Failure> {
    let email = mail_address(&given.email).unwrap_or_default();
    let mut conn = console.db.read().await?;
    let user = users::find_by_email(&mut conn, &email).await?.filter(|user| user.disabled_at.is_none());
    let stored = users::password(&mut conn, user.as_ref().map_or(domain::UserId(0), |user| user.id)).await?;
    drop(conn);
    let verdict = passwords::verify(&given.password, stored.as_deref()).await?;
    match (verdict, user, stored) {
        (Verdict::Right, Some(user), _) => Ok(Some(user)),
        (Verdict::RightButOld, Some(user), Some(old)) => {
            let hash = passwords::hash(&given.password).await?;
            let mut tx = console.db.begin().await?;
            users::rehash(&mut tx, user.id, &old, &hash).await?;
            tx.commit().await?;
            Ok(Some(user))
        }
        _ => {
            console.record("session.refused", Actor::Visitor(email), origin, "session".to_owned()).await?;
            Ok(None)
        }
    }
}

#[handler]
async fn log_out(person: Person, origin: Origin, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    sessions::end(&mut tx, person.user_id, person.session).await?;
    security::record(&mut tx, &event("session.ended", person.actor(), &origin, format!("session:{}", person.session))).await?;
    tx.commit().await?;
    let mut response = see_other("/console/log-in");
    session::clear_cookie(console, &mut response);
    Ok(response)
}
