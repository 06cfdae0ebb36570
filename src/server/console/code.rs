//! `/console/log-in/code`: the second step, for those who have a second factor.

use askama::Template;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use serde::Deserialize;
use storage::{
    factors::{self, Seed},
    tries,
};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    login::{Way, too_soon},
    session::{HalfPerson, Origin, Person},
    sign_in::{self, Entering},
};

/// Codes that may be tried before the next has to wait.
const FREE_TRIES: i32 = 5;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/log-in/code", Needs::password(), form).post("/console/log-in/code", Needs::password(), enter)
}

#[derive(Template)]
#[template(path = "console/code.html")]
struct Code<'a> {
    frame: &'a Frame,
    csrf: &'a str,
    next: &'a str,
    passkey_host: Option<&'a str>,
    error: Option<&'a str>,
}

#[handler]
fn form(HalfPerson(person): HalfPerson, frame: Frame, Query(way): Query<Way>, Data(console): Data<&Console>) -> Response {
    show(StatusCode::OK, &Code { frame: &frame, csrf: &person.csrf, next: way.path(), passkey_host: console.passkey_host(), error: None })
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    code: String,
    #[serde(flatten)]
    way: Way,
}

#[handler]
async fn enter(
    HalfPerson(person): HalfPerson,
    frame: Frame,
    origin: Origin,
    Form(given): Form<Given>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let page = |status, error: &str| {
        show(
            status,
            &Code { frame: &frame, csrf: &person.csrf, next: given.way.path(), passkey_host: console.passkey_host(), error: Some(error) },
        )
    };
    let mut tx = console.db.begin_lazily().await?;
    if let Err(wait) = tries::take(&mut tx, &tries::of_proof(person.user_id), FREE_TRIES, console.now()).await? {
        return Ok(too_soon(wait, |error| page(StatusCode::TOO_MANY_REQUESTS, error)));
    }
    tx.commit().await?;
    let mut tx = console.db.begin().await?;
    let Some(kind) = take_code(console, &mut tx, &person, &given.code).await? else {
        drop(tx);
        console.record("session.code_refused", person.actor(), &origin, format!("session:{}", person.session)).await?;
        return Ok(page(StatusCode::UNAUTHORIZED, "This code is wrong, too old, or was used already. Each code works once."));
    };
    tries::forget(&mut tx, &tries::of_proof(person.user_id)).await?;
    let left = factors::recovery_codes_left(&mut tx, person.user_id).await?;
    let entering = Entering::by_password(person.user_id, &person.email, Some(person.session));
    let entered = sign_in::enter(console, &mut tx, &entering, &origin).await?;
    tx.commit().await?;
    if kind == Kind::Recovery {
        let text = format!("One of your recovery codes was used to sign in, from the address {}. {left} are left.", origin.address);
        console.letters.tell(&person.email, "A recovery code was used", text);
    }
    Ok(sign_in::welcome(console, &entered, &person.email, &origin, given.way.path()))
}

/// What kind of code somebody gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of their app.
    App,
    /// Of their list.
    Recovery,
}

/// Takes a code of the app or of the list, if it is right and was not taken before.
pub(super) async fn take_code(
    console: &Console,
    tx: &mut storage::Connection,
    person: &Person,
    code: &str,
) -> Result<Option<Kind>, Failure> {
    if factors::take_totp(tx, &console.secrets, person.user_id, Seed::Enrolled, code, console.now()).await? {
        return Ok(Some(Kind::App));
    }
    Ok(factors::take_recovery_code(tx, person.user_id, code).await?.then_some(Kind::Recovery))
}
