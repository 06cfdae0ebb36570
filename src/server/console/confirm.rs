//! `/console/confirm`: somebody who is signed in proves again who they are, before what gives power away or cannot be undone.

use askama::Template;
use domain::Span;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use secrecy::SecretString;
use serde::Deserialize;
use storage::{
    passwords::{self, Verdict},
    sessions, tries, users,
};

use super::{
    Console, code,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    kept,
    login::{Way, too_soon},
    session::{self, Origin, Person},
};

/// Proofs that may be tried before the next has to wait.
const FREE_TRIES: i32 = 5;

pub(super) fn routes(table: Table) -> Table {
    let needs = Needs::signed_in().before_factor();
    table.get("/console/confirm", needs, form).post("/console/confirm", needs, confirm)
}

#[derive(Template)]
#[template(path = "console/confirm.html")]
struct Confirm<'a> {
    frame: &'a Frame,
    person: &'a Person,
    next: &'a str,
    /// Whether a form was sent and not taken.
    again: bool,
    /// Whether it is kept until they have proved it.
    kept: bool,
    passkey_host: Option<&'a str>,
    /// The identity provider, for those whom it knows.
    provider: Option<&'a str>,
    /// Where its button leads.
    provider_path: String,
    error: Option<&'a str>,
}

fn page(console: &Console, person: &Person, frame: &Frame, way: &Way, status: StatusCode, error: Option<&str>) -> Response {
    let next = way.path();
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    let shown = Confirm {
        frame,
        person,
        next,
        again: way.is_again(),
        kept: next == kept::PATH,
        passkey_host: console.passkey_host().filter(|_| person.has_factor),
        provider: console.provider_name().filter(|_| person.has_identity),
        provider_path: format!("/console/confirm/oidc?{query}"),
        error,
    };
    show(status, &shown)
}

#[handler]
fn form(person: Person, frame: Frame, Query(way): Query<Way>, Data(console): Data<&Console>) -> Response {
    page(console, &person, &frame, &way, StatusCode::OK, None)
}

#[derive(Deserialize)]
struct Proof {
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    code: String,
    #[serde(flatten)]
    way: Way,
}

#[handler]
async fn confirm(
    person: Person,
    frame: Frame,
    origin: Origin,
    Form(proof): Form<Proof>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let page = |status, error: &str| page(console, &person, &frame, &proof.way, status, Some(error));
    if let Some(wait) = take_try(console, &person).await? {
        return Ok(too_soon(wait, |error| page(StatusCode::TOO_MANY_REQUESTS, error)));
    }
    let code = proof.code.trim();
    let by_password = code.is_empty() && is_password(console, &person, &proof.password).await?;
    let mut tx = console.db.begin().await?;
    if !by_password && (code.is_empty() || code::take_code(console, &mut tx, &person, code).await?.is_none()) {
        drop(tx);
        console.record("session.proof_refused", person.actor(), &origin, format!("session:{}", person.session)).await?;
        return Ok(page(
            StatusCode::UNAUTHORIZED,
            if person.has_factor { "Neither your password nor a code that counts now." } else { "This is not your password." },
        ));
    }
    tries::forget(&mut tx, &tries::of_proof(person.user_id)).await?;
    let secret = sessions::prove(&mut tx, person.session, console.now()).await?;
    tx.commit().await?;
    let mut response = see_other(proof.way.path());
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

/// How long to wait before the next proof, if it comes too soon.
pub(super) async fn take_try(console: &Console, person: &Person) -> Result<Option<Span>, Failure> {
    let mut tx = console.db.begin_lazily().await?;
    let taken = tries::take(&mut tx, &tries::of_proof(person.user_id), FREE_TRIES, console.now()).await?;
    tx.commit().await?;
    Ok(taken.err())
}

/// Whether this is the password of somebody who is signed in.
pub(super) async fn is_password(console: &Console, person: &Person, password: &SecretString) -> Result<bool, Failure> {
    let stored = users::password(&mut console.db.read().await?, person.user_id).await?;
    Ok(passwords::verify(password, stored.as_deref()).await? != Verdict::Wrong)
}
