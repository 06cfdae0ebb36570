//! `/console/profile/factor`: the second factor of whoever is signed in, and the recovery codes.

use askama::Template;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form},
};
use qrcode::{EcLevel, QrCode, render::svg};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use storage::{
    Connection,
    factors::{self, Seed},
    passkeys::{self, Passkey},
    security, sessions,
    users::{self, User},
};

use super::{
    Console, event,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    passkey,
    session::{self, Origin, Person},
    zone::{When, time},
};

const PATH: &str = "/console/profile/factor";

pub(super) fn routes(table: Table) -> Table {
    let needs = Needs::signed_in().fresh().before_factor();
    table
        .get(PATH, needs, form)
        .post(PATH, needs, enrol)
        .post("/console/profile/factor/begin", needs, begin)
        .post("/console/profile/factor/remove", needs, remove)
        .post("/console/profile/recovery-codes", needs, renew)
}

#[derive(Template)]
#[template(path = "console/factor.html")]
struct FactorPage<'a> {
    frame: &'a Frame,
    person: &'a Person,
    seed: &'a str,
    qr: &'a str,
    has_app: bool,
    passkeys: Vec<Passkey>,
    /// What a new passkey is made with, where one can be made: for which host, with which challenge, as whom.
    new_passkey: Option<(&'a str, String, String)>,
    error: Option<&'a str>,
}

impl FactorPage<'_> {
    fn added(&self, passkey: &Passkey) -> When {
        time(passkey.created_at)
    }

    fn used(&self, passkey: &Passkey) -> String {
        passkey.last_used_at.map_or_else(|| "never".to_owned(), |at| time(at).to_string())
    }

    /// What a device is not asked to make again.
    fn known(&self) -> String {
        self.passkeys.iter().map(|passkey| passkey.credential_id.as_str()).collect::<Vec<_>>().join(" ")
    }
}

#[derive(Template)]
#[template(path = "console/recovery.html")]
struct RecoveryPage<'a> {
    frame: &'a Frame,
    codes: Vec<&'a str>,
    enrolled: bool,
}

#[handler]
async fn form(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, StatusCode::OK, None).await
}

async fn page(console: &Console, person: &Person, frame: &Frame, status: StatusCode, error: Option<&str>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let waiting = factors::waiting_totp(&mut conn, &console.secrets, person.user_id).await?;
    let has_app = factors::has_totp(&mut conn, person.user_id).await?;
    let passkeys = passkeys::list(&mut conn, person.user_id).await?;
    drop(conn);
    let new_passkey = console.passkey_host().map(|host| (host, console.new_challenge(&passkey::creation(person)), passkey::handle(person)));
    let seed = waiting.as_ref().map_or("", ExposeSecret::expose_secret);
    let qr = if seed.is_empty() { String::new() } else { picture(&frame.page_name, &person.email, seed)? };
    let grouped = seed.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    Ok(show(status, &FactorPage { frame, person, seed: &grouped, qr: &qr, has_app, passkeys, new_passkey, error }))
}

/// What an app's camera reads.
fn picture(issuer: &str, email: &str, seed: &str) -> Result<String, Failure> {
    let part = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    // A colon parts the issuer from the account.
    let issuer = part(&issuer.chars().filter(|c| *c != ':').take(40).collect::<String>());
    let uri = format!("otpauth://totp/{issuer}:{}?secret={seed}&issuer={issuer}&algorithm=SHA1&digits=6&period=30", part(email));
    let code = QrCode::with_error_correction_level(uri.as_bytes(), EcLevel::M);
    let code = code.map_err(|_| Failure::Conflict("Your mail address is too long for a picture.".to_owned()))?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    // The declaration belongs to files, not into a page.
    Ok(svg.split_once("?>").map_or(svg.clone(), |(_, svg)| svg.to_owned()))
}

#[handler]
async fn begin(person: Person, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    let seed = factors::begin_totp(&mut tx, &console.secrets, person.user_id, console.now()).await?;
    tx.commit().await?;
    if seed.is_none() {
        return Err(Failure::Conflict("You have an app already. Remove it first.".to_owned()));
    }
    Ok(see_other(PATH))
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    code: String,
}

/// The factor counts from the first right code on: whoever shows one has it.
#[handler]
async fn enrol(
    person: Person,
    frame: Frame,
    origin: Origin,
    Form(given): Form<Given>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    if !factors::take_totp(&mut tx, &console.secrets, person.user_id, Seed::Waiting, &given.code, console.now()).await? {
        drop(tx);
        let error = Some("This code is not of this app, or too old. Is the clock of your device right?");
        return page(console, &person, &frame, StatusCode::UNPROCESSABLE_ENTITY, error).await;
    }
    let codes = if person.has_factor { Vec::new() } else { factors::new_recovery_codes(&mut tx, person.user_id).await? };
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.factor_added", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    let secret = renew_session(console, &mut tx, &person).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "A second factor was added", "An app that shows codes is asked for from now on.".to_owned());
    if !codes.is_empty() {
        return Ok(shown_once(console, frame, &codes, true, &secret));
    }
    let mut response = see_other(PATH);
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

/// All other sessions end, and this one gets another secret.
pub(super) async fn renew_session(console: &Console, tx: &mut Connection, person: &Person) -> Result<SecretString, Failure> {
    sessions::end_all(tx, person.user_id, Some(person.session)).await?;
    Ok(sessions::prove(tx, person.session, console.now()).await?)
}

pub(super) fn shown_once(console: &Console, mut frame: Frame, codes: &[SecretString], enrolled: bool, secret: &SecretString) -> Response {
    frame.renew_csrf(secret);
    let codes = codes.iter().map(ExposeSecret::expose_secret).collect();
    let mut response = show(StatusCode::OK, &RecoveryPage { frame: &frame, codes, enrolled });
    session::set_cookie(console, &mut response, secret);
    response
}

/// Whoever has no second factor left needs a password that stands alone.
pub(super) fn check_password_alone(user: &User) -> Result<(), Failure> {
    if user.has_factor || user.password_sole || (user.has_identity && !user.has_password) {
        return Ok(());
    }
    Err(Failure::Conflict("Your password is too short to stand alone. Choose one of at least 15 characters first.".to_owned()))
}

#[handler]
async fn remove(person: Person, origin: Origin, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    factors::remove_totp(&mut tx, person.user_id).await?;
    let user = users::find(&mut tx, person.user_id).await?.ok_or(Failure::NotFound("You are gone."))?;
    check_password_alone(&user)?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.factor_removed", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    let secret = renew_session(console, &mut tx, &person).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "A second factor was removed", "The app that shows codes is asked for no longer.".to_owned());
    let mut response = see_other("/console/profile");
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

#[handler]
async fn renew(person: Person, frame: Frame, origin: Origin, Data(console): Data<&Console>) -> Result<Response, Failure> {
    if !person.has_factor {
        return Err(Failure::Conflict("Add an app first.".to_owned()));
    }
    let mut tx = console.db.begin().await?;
    let codes = factors::new_recovery_codes(&mut tx, person.user_id).await?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.recovery_codes_made", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    let secret = renew_session(console, &mut tx, &person).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "New recovery codes were made", "The old ones are worth nothing any more.".to_owned());
    Ok(shown_once(console, frame, &codes, false, &secret))
}
