//! `/console/confirm`: somebody who is signed in proves again who they are, before what gives power away or cannot be undone.

use askama::Template;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Query},
};
use secrecy::SecretString;
use serde::Deserialize;
use storage::{
    passwords::{self, Verdict},
    sessions, users,
};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    login::Way,
    session::{self, Origin, Person},
};

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/confirm", Needs::signed_in(), form).post("/console/confirm", Needs::signed_in(), confirm)
}

#[derive(Template)]
#[template(path = "console/confirm.html")]
struct Confirm<'a> {
    frame: &'a Frame,
    email: &'a str,
    next: &'a str,
    error: Option<&'a str>,
}

#[handler]
fn form(person: Person, frame: Frame, Query(way): Query<Way>) -> Response {
    show(StatusCode::OK, &Confirm { frame: &frame, email: &person.email, next: way.path(), error: None })
}

#[derive(Deserialize)]
struct Proof {
    #[serde(default)]
    password: SecretString,
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
    let stored = users::password(&mut console.db.read().await?, person.user_id).await?;
    if passwords::verify(&proof.password, stored.as_deref()).await? == Verdict::Wrong {
        console.record("session.proof_refused", person.actor(), &origin, format!("session:{}", person.session)).await?;
        let error = Some("The password is wrong.");
        return Ok(show(StatusCode::UNAUTHORIZED, &Confirm { frame: &frame, email: &person.email, next: proof.way.path(), error }));
    }
    let mut tx = console.db.begin().await?;
    let secret = sessions::prove(&mut tx, person.session, console.now()).await?;
    tx.commit().await?;
    let mut response = see_other(proof.way.path());
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}
