//! `/console/setup/{token}`: the first owner, once.

use domain::Role;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde_json::{Value, json};
use storage::{
    entry_links::{self, Purpose},
    passwords,
    security::{self, Actor, Event},
    users::{self, NewPassword, NewUser},
};

use super::{
    Console,
    entry::{EntryForm, Errors, GONE, Wish},
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    session::Origin,
    sign_in::{self, Entering},
};

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/setup/:token", Needs::nothing(), form).post("/console/setup/:token", Needs::nothing(), set_up)
}

fn page(frame: &Frame, status: StatusCode, wish: &Wish, errors: &Errors) -> Response {
    let title = format!("Set up {}", frame.page_name);
    let intro = "You become the owner: everything is permitted to you, and you let others in. This link works once.";
    let shown = EntryForm { frame, title: &title, intro, asks_name: true, asks_email: true, wish, errors, button: "Create the owner" };
    show(status, &shown)
}

#[handler]
async fn form(Path(token): Path<String>, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    check(console, &token).await?;
    Ok(page(&frame, StatusCode::OK, &Wish::default(), &Errors::default()))
}

async fn check(console: &Console, token: &str) -> Result<(), Failure> {
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
    check(console, &token).await?;
    let errors = wish.check_name().and(wish.check_email()).and(wish.check_password(true, &[&wish.name, &wish.email, &frame.page_name]));
    let Some(email) = wish.address().filter(|_| errors.is_empty()) else {
        return Ok(page(&frame, StatusCode::UNPROCESSABLE_ENTITY, &wish, &errors));
    };
    let hash = passwords::hash(&wish.password).await?;
    let (now, password) = (console.now(), NewPassword { hash: &hash, sole: true });
    let owner = NewUser { email: &email, name: wish.name.trim(), role: Role::Owner, password: Some(password) };
    let mut tx = console.db.begin().await?;
    entry_links::take(&mut tx, &token, now).await?.filter(|link| link.purpose == Purpose::SetUp).ok_or(GONE)?;
    let user = users::set_up(&mut tx, &owner, now).await?.ok_or(GONE)?;
    let event = Event {
        action: "user.created",
        actor: Actor::Visitor("set-up link".to_owned()),
        address: Some(&origin.address),
        subject: format!("user:{user}"),
        before: Value::Null,
        after: json!({ "email": email, "role": Role::Owner }),
    };
    security::record(&mut tx, &console.secrets, console.now(), &event).await?;
    let entered = sign_in::enter(console, &mut tx, &Entering::by_password(user, &email, None), &origin).await?;
    tx.commit().await?;
    Ok(sign_in::welcome(console, &entered, &email, &origin, "/console/"))
}
