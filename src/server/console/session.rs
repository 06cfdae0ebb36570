//! Who asks: the session cookie, and the person behind it.

use domain::{Permission, Role, SessionId, Timestamp, UserId};
use poem::{
    FromRequest, Request, RequestBody, Response, Result,
    http::{HeaderValue, header},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use storage::{
    audit::By,
    security::Actor,
    sessions::{self, Means, Session, Stage, Visit},
};
use subtle::ConstantTimeEq;

use crate::proxies;

use super::{Console, failure::Failure, oidc::PATIENCE};

/// The session's cookie where we are reached over TLS: a browser takes one of this name only from this very host, over TLS, for all paths.
const COOKIE: &str = "__Host-fanal";
/// Its name over plain HTTP, where browsers refuse the other: for trying things out on the own machine.
const PLAIN_COOKIE: &str = "fanal-session";
/// Where a browser keeps that somebody has signed in with it.
const DEVICE_COOKIE: &str = "__Host-fanal-device";
const PLAIN_DEVICE_COOKIE: &str = "fanal-device";
/// Where a browser keeps a sign-in that it has begun with a provider.
const FLOW_COOKIE: &str = "__Host-fanal-oidc";
const PLAIN_FLOW_COOKIE: &str = "fanal-oidc";
/// As long as browsers keep anything.
const DEVICE_SECS: u32 = 400 * 86_400;
/// The longest cookie looked up.
const MAX_COOKIE_CHARS: usize = 100;
/// The longest that holds a sign-in.
const MAX_FLOW_CHARS: usize = 2000;

/// Somebody who is signed in. Handlers take it as an argument.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user_id: UserId,
    pub(crate) email: String,
    /// What the history calls them.
    pub(crate) name: String,
    /// From where they ask.
    pub(crate) address: String,
    pub(crate) role: Role,
    pub(crate) session: SessionId,
    /// Goes into every form as `csrf`, or into the header `x-csrf-token`.
    pub(crate) csrf: String,
    /// When they last proved who they are.
    pub(crate) proved_at: Timestamp,
    /// Whether they have a second factor.
    pub(crate) has_factor: bool,
    pub(crate) has_password: bool,
    /// Whether an identity provider knows them.
    pub(crate) has_identity: bool,
    /// Whether their role needs one that they do not have: nothing else may be done then.
    pub(crate) lacks_factor: bool,
    /// The zone that they read and write times in, if they have chosen one.
    pub(crate) time_zone: Option<String>,
}

impl Person {
    /// Whether their role permits it. Decides what is offered; what is done is decided by the gate.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// Who did it, for the record.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Session { user: self.user_id, email: self.email.clone(), session: self.session }
    }

    /// The same for the audit log.
    pub(crate) fn by(&self) -> By {
        self.actor().by(Some(&self.address))
    }
}

impl<'a> FromRequest<'a> for Person {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let missing = || Failure::Forbidden("Please sign in first.".to_owned()).into();
        request.data::<Self>().cloned().ok_or_else(missing)
    }
}

/// Whoever has given the right password and not yet the second factor.
#[derive(Clone, Debug)]
pub(crate) struct HalfPerson(pub(crate) Person);

impl<'a> FromRequest<'a> for HalfPerson {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let missing = || Failure::Forbidden("Please give your password first.".to_owned()).into();
        request.data::<Self>().cloned().ok_or_else(missing)
    }
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) address: String,
    pub(crate) user_agent: String,
    /// What the browser is known by, if it claims to be.
    pub(crate) device: Option<SecretString>,
}

impl Origin {
    pub(crate) fn visit(&self) -> Visit<'_> {
        Visit { address: &self.address, user_agent: &self.user_agent }
    }
}

impl<'a> FromRequest<'a> for Origin {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let address = client(request);
        let https = request.data::<Console>().is_none_or(Console::https);
        let device = cookie(request, if https { DEVICE_COOKIE } else { PLAIN_DEVICE_COOKIE });
        Ok(Self { address, user_agent: request.header(header::USER_AGENT).unwrap_or_default().to_owned(), device })
    }
}

fn client(request: &Request) -> String {
    proxies::client(request).map(|address| address.to_string()).unwrap_or_default()
}

/// Who is found behind the cookie.
pub(super) enum Found {
    Nobody,
    Half(Person),
    Full(Person),
}

/// Looks up who asks. Unless a page asks `by_itself`, their stay goes on.
pub(super) async fn look_up(console: &Console, request: &Request, by_itself: bool) -> Result<Found, Failure> {
    let Some(secret) = cookie(request, name(console.https())) else { return Ok(Found::Nobody) };
    let Some(session) = sessions::find(&console.db, &secret, console.now()).await? else { return Ok(Found::Nobody) };
    if !by_itself {
        sessions::note_use(&console.db, &session, console.now()).await?;
    }
    let stage = session.stage;
    let person = person(console, session, &secret, client(request));
    Ok(if stage == Stage::Full { Found::Full(person) } else { Found::Half(person) })
}

fn person(console: &Console, session: Session, secret: &SecretString, address: String) -> Person {
    Person {
        user_id: session.user.id,
        email: session.user.email,
        name: session.user.name,
        address,
        role: session.user.role,
        session: session.id,
        csrf: csrf_token(secret),
        proved_at: session.proved_at,
        has_factor: session.user.has_factor,
        has_password: session.user.has_password,
        has_identity: session.user.has_identity,
        time_zone: session.user.time_zone,
        // How many factors a provider asks for is its own business.
        lacks_factor: !session.user.has_factor
            && console.factor_roles.contains(&session.user.role)
            && !matches!(session.means, Means::Provider { .. }),
    }
}

/// Follows from the cookie, which other sites can send along but not read.
pub(super) fn csrf_token(secret: &SecretString) -> String {
    hex(&Sha256::new().chain_update("fanal csrf ").chain_update(secret.expose_secret()).finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn same_token(person: &Person, given: &str) -> bool {
    person.csrf.as_bytes().ct_eq(given.as_bytes()).into()
}

const fn name(https: bool) -> &'static str {
    if https { COOKIE } else { PLAIN_COOKIE }
}

/// The value of a cookie; `None` if it is there twice, since then somebody has slipped one in.
fn cookie(request: &Request, name: &str) -> Option<SecretString> {
    long_cookie(request, name, MAX_COOKIE_CHARS)
}

fn long_cookie(request: &Request, name: &str, max_chars: usize) -> Option<SecretString> {
    let headers = request.headers().get_all(header::COOKIE);
    let pairs = headers.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    let value = values.next()?;
    (values.next().is_none() && !value.is_empty() && value.len() <= max_chars).then(|| SecretString::from(value))
}

/// Gives the browser the session's secret, until it is closed.
pub(super) fn set_cookie(console: &Console, response: &mut Response, secret: &SecretString) {
    append(response, &format!("{}={}; {}", name(console.https()), secret.expose_secret(), attributes(console)));
}

/// Gives the browser what it is known by from now on.
pub(super) fn set_device_cookie(console: &Console, response: &mut Response, secret: &SecretString) {
    let name = if console.https() { DEVICE_COOKIE } else { PLAIN_DEVICE_COOKIE };
    append(response, &format!("{name}={}; {}; Max-Age={DEVICE_SECS}", secret.expose_secret(), attributes(console)));
}

/// Gives the browser a sign-in that waits for the provider's answer.
pub(super) fn set_flow_cookie(console: &Console, response: &mut Response, flow: &SecretString) {
    let seconds = PATIENCE.0 / 1000;
    append(response, &format!("{}={}; {}; Max-Age={seconds}", flow_name(console), flow.expose_secret(), attributes(console)));
}

/// The sign-in that this browser has begun.
pub(super) fn flow_cookie(console: &Console, request: &Request) -> Option<SecretString> {
    long_cookie(request, flow_name(console), MAX_FLOW_CHARS)
}

/// It is over.
pub(super) fn clear_flow_cookie(console: &Console, response: &mut Response) {
    append(response, &format!("{}=; {}; Max-Age=0", flow_name(console), attributes(console)));
}

fn flow_name(console: &Console) -> &'static str {
    if console.https() { FLOW_COOKIE } else { PLAIN_FLOW_COOKIE }
}

/// Takes the session's secret from the browser.
pub(super) fn clear_cookie(console: &Console, response: &mut Response) {
    append(response, &format!("{}=; {}; Max-Age=0", name(console.https()), attributes(console)));
}

/// `Lax`: a link in a mail leads to where it points, signed in. What acts is never a GET, and needs a token besides.
fn attributes(console: &Console) -> &'static str {
    if console.https() { "Path=/; Secure; HttpOnly; SameSite=Lax" } else { "Path=/; HttpOnly; SameSite=Lax" }
}

fn append(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
