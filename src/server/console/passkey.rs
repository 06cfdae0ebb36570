//! Passkeys: added in the profile, and used instead of password and code, or to prove again who one is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Span, Timestamp};
use poem::{
    Response, handler,
    web::{Data, Form, Path},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use storage::{
    Connection, factors,
    passkeys::{self, MAX_PASSKEYS, Passkey},
    security::{self, Actor},
    sessions::{self, Means},
    users,
};

use super::{
    Console, event, factor,
    failure::Failure,
    frame::{Frame, see_other},
    gate::{Needs, Table},
    login::Way,
    session::{self, HalfPerson, Origin, Person},
    sign_in::{self, Entering},
    webauthn::{self, Expected, Made, Signed},
};

/// How long a device may take.
const PATIENCE: Span = Span::mins(10);
const MAX_NAME_CHARS: usize = 100;

pub(super) fn routes(table: Table) -> Table {
    let own = Needs::signed_in().fresh().before_factor();
    table
        .get("/console/passkeys/challenge", Needs::nothing(), fresh_challenge)
        .post("/console/log-in/passkey", Needs::nothing(), log_in)
        .post("/console/confirm/passkey", Needs::signed_in().before_factor(), confirm)
        .post("/console/profile/passkeys", own, add)
        .post("/console/profile/passkeys/:id/remove", own, remove)
}

impl Console {
    /// The host that passkeys are made for; none if people reach us by an address, for which browsers make none.
    pub(super) fn passkey_host(&self) -> Option<&str> {
        self.base_url.domain()
    }

    fn origin(&self) -> String {
        self.base_url.origin().ascii_serialization()
    }

    /// A challenge that says by itself what it is for and until when, so that nothing is stored for whoever asks.
    pub(super) fn new_challenge(&self, purpose: &str) -> String {
        let expires_at = self.now().plus(PATIENCE);
        URL_SAFE_NO_PAD.encode(self.secrets.seal(&place(purpose), &SecretString::from(expires_at.0.to_string())))
    }

    /// Until when a challenge of ours is good, if it is good now.
    fn open_challenge(&self, purpose: &str, challenge: &str) -> Option<Timestamp> {
        let sealed = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        let expires_at = self.secrets.open(&place(purpose), &sealed).ok()?;
        expires_at.expose_secret().parse().ok().map(Timestamp).filter(|at| *at > self.now())
    }
}

fn place(purpose: &str) -> String {
    format!("passkey challenge:{purpose}")
}

/// What somebody is to a device: the same for ever, and not their mail address.
pub(super) fn handle(person: &Person) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("fanal user {}", person.user_id)))
}

#[handler]
fn fresh_challenge(Data(console): Data<&Console>) -> String {
    console.new_challenge("get")
}

#[derive(Deserialize)]
struct NewPasskey {
    #[serde(default)]
    name: String,
    challenge: String,
    client_data: String,
    authenticator_data: String,
    public_key: String,
    algorithm: i32,
}

fn distrusted(why: webauthn::Distrust) -> Failure {
    Failure::Forbidden(format!("The passkey is not believed: {why}."))
}

fn stale() -> Failure {
    Failure::Conflict("The device has taken too long. Load the page again and try once more.".to_owned())
}

/// Which challenge to make a passkey with: it is worth something only in this session.
pub(super) fn creation(person: &Person) -> String {
    format!("create:{}", person.session)
}

#[handler]
async fn add(
    person: Person,
    frame: Frame,
    origin: Origin,
    Form(new): Form<NewPasskey>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let rp_id = console.passkey_host().ok_or_else(stale)?;
    let expires_at = console.open_challenge(&creation(&person), &new.challenge).ok_or_else(stale)?;
    let expected = Expected { challenge: &new.challenge, origin: &console.origin(), rp_id };
    let NewPasskey { client_data, authenticator_data, public_key, algorithm, .. } = &new;
    let made = Made { client_data, authenticator_data, public_key, algorithm: *algorithm };
    let (id, key) = webauthn::check_made(&made, expected).map_err(distrusted)?;
    let name: String = new.name.trim().chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    let name = if name.is_empty() { "Passkey" } else { &name };
    let mut tx = console.db.begin().await?;
    if !passkeys::answer_challenge(&mut tx, &new.challenge, expires_at, console.now()).await? {
        return Err(stale());
    }
    if passkeys::list(&mut tx, person.user_id).await?.len() >= MAX_PASSKEYS {
        return Err(Failure::Conflict(format!("You have {MAX_PASSKEYS} passkeys. Remove one first.")));
    }
    passkeys::add(&mut tx, person.user_id, &id, &key, name, console.now()).await?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.passkey_added", person.actor(), &origin, format!("user:{}", person.user_id)),
    )
    .await?;
    let codes = if person.has_factor { Vec::new() } else { factors::new_recovery_codes(&mut tx, person.user_id).await? };
    let secret = factor::renew_session(console, &mut tx, &person).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "A passkey was added", format!("It is called {name}, and opens your account without a password."));
    if !codes.is_empty() {
        return Ok(factor::shown_once(console, frame, &codes, true, &secret));
    }
    let mut response = see_other("/console/profile/factor");
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

#[handler]
async fn remove(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    if !passkeys::remove(&mut tx, person.user_id, id).await? {
        return Err(Failure::NotFound("You have no such passkey."));
    }
    factors::drop_idle_recovery_codes(&mut tx, person.user_id).await?;
    let user = users::find(&mut tx, person.user_id).await?.ok_or(Failure::NotFound("You are gone."))?;
    factor::check_password_alone(&user)?;
    security::record(
        &mut tx,
        &console.secrets,
        console.now(),
        &event("user.passkey_removed", person.actor(), &origin, format!("passkey:{id}")),
    )
    .await?;
    let secret = factor::renew_session(console, &mut tx, &person).await?;
    tx.commit().await?;
    console.letters.tell(&person.email, "A passkey was removed", "It opens your account no longer.".to_owned());
    let mut response = see_other("/console/profile/factor");
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}

#[derive(Deserialize)]
struct Proof {
    challenge: String,
    #[serde(flatten)]
    signed: Signed,
    #[serde(flatten)]
    way: Way,
}

/// Whose passkey has signed our challenge, for the first time.
async fn check(console: &Console, tx: &mut Connection, proof: &Proof) -> Result<Passkey, Failure> {
    let rp_id = console.passkey_host().ok_or_else(stale)?;
    let expires_at = console.open_challenge("get", &proof.challenge).ok_or_else(stale)?;
    let unknown = || Failure::Forbidden("This passkey is not known here, or no longer.".to_owned());
    let passkey = passkeys::find(tx, &proof.signed.id).await?.ok_or_else(unknown)?;
    let expected = Expected { challenge: &proof.challenge, origin: &console.origin(), rp_id };
    let n_signed = webauthn::check_signed(&proof.signed, &passkey.key, expected).map_err(distrusted)?;
    let first = passkeys::answer_challenge(tx, &proof.challenge, expires_at, console.now()).await?
        && passkeys::used(tx, &passkey, n_signed, console.now()).await?;
    if first { Ok(passkey) } else { Err(stale()) }
}

/// Takes the place of password and code: the device has made sure who holds it.
#[handler]
async fn log_in(
    half: Option<HalfPerson>,
    frame: Frame,
    origin: Origin,
    Form(proof): Form<Proof>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    let passkey = match check(console, &mut tx, &proof).await {
        Ok(passkey) => passkey,
        Err(failure) => {
            drop(tx);
            console.record("session.refused", Actor::Visitor("passkey".to_owned()), &origin, "session".to_owned()).await?;
            return Err(failure);
        }
    };
    let user = users::find(&mut tx, passkey.user).await?.filter(|user| user.disabled_at.is_none() && console.lets_in_alone(user.role));
    let user = user.ok_or_else(|| Failure::Forbidden("This passkey is not known here, or no longer.".to_owned()))?;
    for before in half.iter().map(|half| &half.0).chain(&frame.person) {
        sessions::end(&mut tx, before.user_id, before.session).await?;
    }
    let entering = Entering { means: Means::Passkey, ..Entering::by_password(user.id, &user.email, None) };
    let entered = sign_in::enter(console, &mut tx, &entering, &origin).await?;
    tx.commit().await?;
    Ok(sign_in::welcome(console, &entered, &user.email, &origin, proof.way.path()))
}

#[handler]
async fn confirm(person: Person, Form(proof): Form<Proof>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    let passkey = check(console, &mut tx, &proof).await?;
    if passkey.user != person.user_id {
        return Err(Failure::Forbidden("This passkey is somebody else's.".to_owned()));
    }
    let secret = sessions::prove(&mut tx, person.session, console.now()).await?;
    tx.commit().await?;
    let mut response = see_other(proof.way.path());
    session::set_cookie(console, &mut response, &secret);
    Ok(response)
}
