//! `/console/profile`: what is somebody's own: name, password, second factor, sessions.

use askama::Template;
use domain::{MIN_PASSWORD_CHARS, MIN_SOLE_PASSWORD_CHARS, SessionId};
use jiff::tz::TimeZone;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use storage::{
    audit, devices, entry_links, factors, passwords, security,
    sessions::{self, Session},
    tries,
    users::{self, NewPassword},
};

use super::{
    Console, confirm,
    entry::{name_error, password_error, stands_alone},
    event,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    session::{self, Origin, Person},
    zone::{self, When, time},
};

const PATH: &str = "/console/profile";

pub(super) fn routes(table: Table) -> Table {
    let needs = Needs::signed_in().before_factor();
    table
        .get(PATH, needs, profile)
        .post("/console/profile/name", needs, rename)
        .post("/console/profile/time-zone", needs, change_zone)
        .post("/console/profile/password", needs, change_password)
        .post("/console/profile/sessions/end-others", needs.fresh(), end_others)
        .post("/console/profile/sessions/:id/end", needs.fresh(), end)
}

#[derive(Template)]
#[template(path = "console/profile.html")]
struct Profile<'a> {
    frame: &'a Frame,
    person: &'a Person,
    sessions: Vec<Stay>,
    codes_left: i64,
    /// What the identity provider is called.
    provider: &'a str,
    min_chars: usize,
    errors: &'a Errors,
    /// The zone as it is, or as it was typed.
    time_zone: &'a str,
    page_zone: String,
    zones: Vec<String>,
    now: When,
}

/// What is wrong with what was typed, by field.
#[derive(Default)]
struct Errors {
    name: Option<&'static str>,
    /// A zone that there is not.
    time_zone: Option<String>,
    current: Option<String>,
    password: Option<String>,
}

/// A session as it is listed.
struct Stay {
    id: SessionId,
    here: bool,
    browser: String,
    address: String,
    seen: When,
    began: When,
}

impl Stay {
    fn new(session: Session, here: SessionId) -> Self {
        Self {
            id: session.id,
            here: session.id == here,
            seen: time(session.seen_at),
            began: time(session.created_at),
            browser: if session.user_agent.is_empty() { "Unknown browser".to_owned() } else { session.user_agent },
            address: session.address,
        }
    }
}

async fn page(console: &Console, person: &Person, frame: &Frame, errors: &Errors) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let sessions = sessions::list(&mut conn, person.user_id, console.now()).await?;
    let sessions = sessions.into_iter().map(|session| Stay::new(session, person.session)).collect();
    let codes_left = factors::recovery_codes_left(&mut conn, person.user_id).await?;
    let min_chars = if person.has_factor { MIN_PASSWORD_CHARS } else { MIN_SOLE_PASSWORD_CHARS };
    let provider = console.provider_name().unwrap_or("an identity provider");
    let Errors { name, time_zone, current, password } = errors;
    let wrong = name.is_some() || time_zone.is_some() || current.is_some() || password.is_some();
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let time_zone = time_zone.as_deref().or(person.time_zone.as_deref()).unwrap_or_default();
    let (page_zone, zones, now) = (zone::name(&console.page.zone()), zone::offered(), time(console.now()));
    Ok(show(status, &Profile { frame, person, sessions, codes_left, provider, min_chars, errors, time_zone, page_zone, zones, now }))
}

#[handler]
async fn profile(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, &Errors::default()).await
}

#[derive(Deserialize)]
struct NewName {
    #[serde(default)]
    name: String,
}

#[handler]
async fn rename(person: Person, frame: Frame, Form(new): Form<NewName>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    if let Some(error) = name_error(&new.name) {
        return page(console, &person, &frame, &Errors { name: Some(error), ..Errors::default() }).await;
    }
    let mut tx = console.db.begin().await?;
    users::rename(&mut tx, person.user_id, new.name.trim()).await?;
    // It stands in the histories, so that who was called what has to be known.
    let renamed = audit::Entry {
        by: &person.by(),
        action: "user.renamed",
        resource: Some(format!("user:{}", person.user_id)),
        before: json!({ "name": person.name }),
        after: json!({ "name": new.name.trim() }),
        at: console.now(),
    };
    audit::record(&mut tx, &console.secrets, &renamed).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}

#[derive(Deserialize)]
struct NewZone {
    #[serde(default)]
    time_zone: String,
}

#[handler]
async fn change_zone(person: Person, frame: Frame, Form(new): Form<NewZone>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let zone = Some(new.time_zone.trim()).filter(|zone| !zone.is_empty());
    if zone.is_some_and(|zone| TimeZone::get(zone).is_err()) {
        return page(console, &person, &frame, &Errors { time_zone: Some(new.time_zone), ..Errors::default() }).await;
    }
    let mut tx = console.db.begin().await?;
    users::set_time_zone(&mut tx, person.user_id, zone).await?;
    tx.commit().await?;
    Ok(see_other("/console/profile#times"))
}

#[derive(Deserialize)]
struct Passwords {
    #[serde(default)]
    current: SecretString,
    #[serde(default)]
    password: SecretString,
}

#[handler]
async fn change_password(
    person: Person,
    frame: Frame,
    origin: Origin,
    Form(given): Form<Passwords>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    if let Some(wait) = confirm::take_try(console, &person).await? {
        return Err(Failure::TooMany(u64::try_from(wait.0).unwrap_or_default().div_ceil(1000)));
    }
    if !confirm::is_password(console, &person, &given.current).await? {
        console.record("user.password_refused", person.actor(), &origin, format!("user:{}", person.user_id)).await?;
        let errors = Errors { current: Some("This is not your password.".to_owned()), ..Errors::default() };
        return page(console, &person, &frame, &errors).await;
    }
    if let Some(error) = password_error(&given.password, !person.has_factor, &[&person.name, &person.email, &frame.page_name]) {
        return page(console, &person, &frame, &Errors { password: Some(error), ..Errors::default() }).await;
    }
    let hash = passwords::hash(&given.password).await?;
    let mut tx = console.db.begin().await?;
    users::set_password(&mut tx, person.user_id, NewPassword { hash: &hash, sole: stands_alone(&given.password) }).await?;
    // Whoever else knew the old one is out, and links that were on their way lead nowhere.
    sessions::end_all(&mut tx, person.user_id, Some(person.session)).await?;
    entry_links::delete_of(&mut tx, person.user_id).await?;
    devices::forget_all(&mut tx, person.user_id).await?;
    let device = devices::remember(&mut tx, person.user_id, console.now()).await?;
    tries::forget(&mut tx, &tries::of_proof(person.user_id)).await?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.password_changed", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    let secret = sessions::prove(&mut tx, person.session, console.now()).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "Your password was changed", "All other sessions have ended.".to_owned());
    let mut response = see_other(PATH);
    session::set_cookie(console, &mut response, &secret);
    session::set_device_cookie(console, &mut response, &device);
    Ok(response)
}

#[handler]
async fn end_others(person: Person, origin: Origin, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    sessions::end_all(&mut tx, person.user_id, Some(person.session)).await?;
    devices::forget_all(&mut tx, person.user_id).await?;
    let device = devices::remember(&mut tx, person.user_id, console.now()).await?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("session.others_ended", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    tx.commit().await?;
    let mut response = see_other(PATH);
    session::set_device_cookie(console, &mut response, &device);
    Ok(response)
}

#[handler]
async fn end(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    if !sessions::end(&mut tx, person.user_id, SessionId(id)).await? {
        return Err(Failure::NotFound("You have no such session; it may have ended by itself."));
    }
    security::record(&mut tx, &console.secrets, console.now(), &event("session.ended", person.actor(), &origin, format!("session:{id}")))
        .await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}
