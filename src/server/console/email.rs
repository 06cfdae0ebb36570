//! `/console/profile/email` and `/console/email/{token}`: somebody gives their account another mail address. It counts once a link that was
//! sent to it is opened by whoever is signed in to the account; the old address is told.

use askama::Template;
use domain::mail_address;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde::Deserialize;
use serde_json::json;
use storage::{
    StorageError,
    entry_links::{self, Purpose},
    security::{self, Event},
    sessions, tries, users,
};

use super::{
    Console,
    entry::GONE,
    entry_link,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    session::{self, Origin, Person},
};
use crate::letters::Words;

const PATH: &str = "/console/profile/email";
/// Mails by one person before the next has to wait.
const FREE_MAILS: i32 = 5;

pub(super) fn routes(table: Table) -> Table {
    let own = Needs::signed_in().fresh();
    table.get(PATH, own, form).post(PATH, own, ask).get("/console/email/:token", Needs::signed_in(), look).post(
        "/console/email/:token",
        Needs::signed_in(),
        take,
    )
}

#[derive(Template)]
#[template(path = "console/email.html")]
struct EmailPage<'a> {
    frame: &'a Frame,
    person: &'a Person,
    mail: bool,
    email: &'a str,
    /// Where the link was sent.
    sent: bool,
    error: Option<&'a str>,
}

fn page(console: &Console, person: &Person, frame: &Frame, (email, sent): (&str, bool), error: Option<&str>) -> Response {
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    show(status, &EmailPage { frame, person, mail: console.letters.are_sent(), email, sent, error })
}

#[handler]
fn form(person: Person, frame: Frame, Data(console): Data<&Console>) -> Response {
    page(console, &person, &frame, ("", false), None)
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    email: String,
}

/// Says the same whether the new address is somebody's or not.
#[handler]
async fn ask(
    person: Person,
    frame: Frame,
    origin: Origin,
    Form(wanted): Form<Wanted>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    if !console.letters.are_sent() {
        return Ok(page(console, &person, &frame, ("", false), None));
    }
    let Some(email) = mail_address(&wanted.email) else {
        return Ok(page(console, &person, &frame, (&wanted.email, false), Some("This is not a mail address like name@example.com.")));
    };
    if email == person.email {
        return Ok(page(console, &person, &frame, (&wanted.email, false), Some("This is your address already.")));
    }
    let mut tx = console.db.begin().await?;
    if let Err(wait) = tries::take(&mut tx, &format!("email {}", person.user_id), FREE_MAILS, console.now()).await? {
        return Err(Failure::TooMany(u64::try_from(wait.0).unwrap_or_default().div_ceil(1000)));
    }
    let taken = users::find_by_email(&mut tx, &email).await?.is_some();
    let purpose = Purpose::Email { user: person.user_id, email: email.clone() };
    let link = entry_link(&mut tx, &purpose, &console.base_url, console.now()).await?;
    let event = Event {
        action: "user.email_asked",
        actor: person.actor(),
        address: Some(&origin.address),
        subject: format!("user:{}", person.user_id),
        before: serde_json::Value::Null,
        after: json!({ "email": email }),
    };
    security::record(&mut tx, &console.secrets, console.now(), &event).await?;
    tx.commit().await?;
    if !taken {
        let words = Words {
            subject: "Confirm your new mail address",
            text: format!("{} wants to sign in under this address from now on. The link works once, for a day:", person.email),
            link,
            foot: "If you do not know what this is about, ignore this mail: nothing changes.",
        };
        console.letters.write(&email, words);
    }
    Ok(page(console, &person, &frame, (&email, true), None))
}

#[derive(Template)]
#[template(path = "console/email_confirm.html")]
struct ConfirmPage<'a> {
    frame: &'a Frame,
    person: &'a Person,
    email: &'a str,
    token: &'a str,
}

/// The address of a link, if it is this person's.
async fn wanted(console: &Console, person: &Person, token: &str) -> Result<String, Failure> {
    let link = entry_links::find(&mut console.db.read().await?, token, console.now()).await?.ok_or(GONE)?;
    match link.purpose {
        Purpose::Email { user, email } if user == person.user_id => Ok(email),
        _ => Err(GONE),
    }
}

/// Opening the link changes nothing: mail scanners follow links.
#[handler]
async fn look(person: Person, frame: Frame, Path(token): Path<String>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let email = wanted(console, &person, &token).await?;
    Ok(show(StatusCode::OK, &ConfirmPage { frame: &frame, person: &person, email: &email, token: &token }))
}

#[handler]
async fn take(person: Person, origin: Origin, Path(token): Path<String>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let email = wanted(console, &person, &token).await?;
    let now = console.now();
    let mut tx = console.db.begin().await?;
    let purpose = Purpose::Email { user: person.user_id, email: email.clone() };
    entry_links::take(&mut tx, &token, now).await?.filter(|link| link.purpose == purpose).ok_or(GONE)?;
    match users::set_email(&mut tx, person.user_id, &email).await {
        Ok(()) => {}
        Err(StorageError::Taken { .. }) => {
            return Err(Failure::Conflict("This address is somebody else's by now.".to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    // Links that were sent to the old address lead nowhere any more.
    entry_links::delete_of(&mut tx, person.user_id).await?;
    sessions::end_all(&mut tx, person.user_id, Some(person.session)).await?;
    let event = Event {
        action: "user.email_changed",
        actor: person.actor(),
        address: Some(&origin.address),
        subject: format!("user:{}", person.user_id),
        before: json!({ "email": person.email }),
        after: json!({ "email": email }),
    };
    security::record(&mut tx, &console.secrets, now, &event).await?;
    let secret = sessions::renew(&mut tx, person.session).await?;
    tx.commit().await?;
    let text = format!("It is {email} now. This is the last letter to this address. All other sessions have ended.");
    console.letters.tell(&person.email, "Your mail address was changed", text);
    let mut response = see_other("/console/profile");
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}
