//! `/console/forgot`: a link by mail, to choose a new password. The answer is the same for those who are known and those who are not.

use askama::Template;
use domain::mail_address;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form},
};
use serde::Deserialize;
use storage::{
    entry_links::Purpose,
    security::{self, Actor},
    tries,
    users::{self, User},
};

use super::{
    Console, entry_link, event,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    login::too_soon,
    session::Origin,
};
use crate::letters::Words;

/// Mails to one account before the next has to wait.
const FREE_MAILS: i32 = 3;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/forgot", Needs::nothing(), form).post("/console/forgot", Needs::nothing(), ask)
}

#[derive(Template)]
#[template(path = "console/forgot.html")]
struct Forgot<'a> {
    frame: &'a Frame,
    mail: bool,
    sent: bool,
    email: &'a str,
    error: Option<&'a str>,
}

#[handler]
fn form(frame: Frame, Data(console): Data<&Console>) -> Response {
    let mail = console.letters.are_sent();
    show(StatusCode::OK, &Forgot { frame: &frame, mail, sent: false, email: "", error: None })
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    email: String,
}

#[handler]
async fn ask(frame: Frame, origin: Origin, Form(given): Form<Given>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mail = console.letters.are_sent();
    let page = |status, sent, error: Option<&str>| show(status, &Forgot { frame: &frame, mail, sent, email: &given.email, error });
    if !mail {
        return Ok(page(StatusCode::OK, false, None));
    }
    let Some(email) = mail_address(&given.email) else {
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, false, Some("This is not a mail address like name@example.com.")));
    };
    let now = console.now();
    let mut tx = console.db.begin_lazily().await?;
    if let Err(wait) = tries::take(&mut tx, &format!("forgot {}", tries::of_address(&origin.address)), tries::FREE_PER_ADDRESS, now).await?
    {
        return Ok(too_soon(wait, |error| page(StatusCode::TOO_MANY_REQUESTS, false, Some(error))));
    }
    let may = tries::take(&mut tx, &format!("forgot {}", tries::of_account(&email)), FREE_MAILS, now).await?.is_ok();
    tx.commit().await?;
    if may {
        let console = console.clone();
        // Not awaited: the time it takes would tell whether the address is known.
        tokio::spawn(async move {
            if let Err(failed) = send(&console, &email, &origin).await {
                tracing::error!(error = ?failed, "Could not make a link to choose a new password");
            }
        });
    }
    Ok(page(StatusCode::OK, true, None))
}

async fn send(console: &Console, email: &str, origin: &Origin) -> Result<(), Failure> {
    let mut tx = console.db.begin().await?;
    // Whoever comes from a provider alone has an address that may never have been verified: its mailbox opens nothing.
    let may = |user: &User| user.disabled_at.is_none() && console.lets_in_alone(user.role) && (user.has_password || !user.has_identity);
    let Some(user) = users::find_by_email(&mut tx, email).await?.filter(may) else { return Ok(()) };
    let link = entry_link(&mut tx, &Purpose::Password { user: user.id }, &console.base_url, console.now()).await?;
    let actor = Actor::Visitor(email.to_owned());
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.password_link_sent", actor, origin, format!("user:{}", user.id)),
    )
    .await?;
    tx.commit().await?;
    let words = Words {
        subject: "Choose a new password",
        text: "Somebody, most likely you, asked for a link to choose a new password. It works once, for 30 minutes:".to_owned(),
        link,
        foot: "If it was not you, ignore this mail: your password stays as it is.",
    };
    console.letters.write(email, words);
    Ok(())
}
