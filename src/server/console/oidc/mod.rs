//! Sign-in with an identity provider (OIDC): the authorization code flow with PKCE.
//!
//! `/console/log-in/oidc` sends somebody there, `/console/confirm/oidc` does so to prove again who they are, and
//! `/console/log-in/oidc/callback` takes the answer, which counts only in the browser that asked.

mod account;
mod door;
mod flow;
mod protocol;
mod proven;
mod provider;
mod settings;
mod stop;

use domain::Role;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::json;
use storage::{
    identities::{self, Identity},
    passkeys::answer_challenge,
    security::{self, Actor, Event},
    sessions::{self, Means},
    tries,
};
use tracing::{info, warn};
use url::Url;

use super::{
    Console,
    failure::Failure,
    frame::{Frame, see_other},
    gate::{Needs, Table},
    login::{self, Way},
    session::{self, HalfPerson, Origin, Person},
    sign_in::{self, Entering},
};
use account::{Admitted, Applicant};
use flow::Flow;
pub(super) use flow::PATIENCE;
use proven::Proven;
use provider::{Distrust, Provider};
pub use settings::{RoleMap, Settings};
use stop::{STRAY, Stop};

/// Where the provider's answer comes to, below the base URL.
const CALLBACK: &str = "/console/log-in/oidc/callback";
/// The longest code that is handed on.
const MAX_CODE_CHARS: usize = 4096;
pub(super) fn routes(table: Table) -> Table {
    table.get("/console/log-in/oidc", Needs::nothing(), begin).get(CALLBACK, Needs::nothing(), finish).get(
        "/console/confirm/oidc",
        Needs::signed_in().before_factor(),
        begin_again,
    )
}

/// The identity provider that people sign in with.
pub struct Oidc {
    settings: Settings,
    provider: Provider,
}

impl Oidc {
    /// `allow_private` lets places that the provider names beside itself lie inside; the provider itself may.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings, base_url: &Url, allow_private: bool) -> Result<Self, String> {
        settings.check()?;
        let redirect = format!("{}{CALLBACK}", base_url.as_str().trim_end_matches('/'));
        let provider = Provider::new(&settings, redirect, allow_private)?;
        Ok(Self { settings, provider })
    }

    /// Asks the provider for its discovery document and its keys; tells who it is.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn check(&self) -> Result<String, String> {
        self.provider.ask(false).await.map_err(|why| why.to_string())?;
        Ok(format!("{} answers", self.provider.issuer()))
    }
}

impl Console {
    /// What the button says, if there is a provider.
    pub(super) fn provider_name(&self) -> Option<&str> {
        self.oidc.as_ref().map(|oidc| oidc.settings.name.as_str())
    }

    /// Whether people of this role may sign in here, without the provider.
    pub(super) fn lets_in_alone(&self, role: Role) -> bool {
        role == Role::Owner || !self.only_provider()
    }

    /// Whether all but owners sign in with the provider alone.
    pub(super) fn only_provider(&self) -> bool {
        self.oidc.as_ref().is_some_and(|oidc| oidc.settings.only)
    }
}

const NO_PROVIDER: Failure = Failure::NotFound("There is no identity provider to sign in with.");

/// Sends the browser to the provider, with what the answer is held against in a cookie.
async fn send(console: &Console, next: &str, session: Option<&Person>) -> Result<Response, Failure> {
    let oidc = console.oidc.as_ref().ok_or(NO_PROVIDER)?;
    let question = oidc.provider.ask(session.is_some()).await.map_err(unreachable)?;
    let flow = Flow {
        state: question.state,
        nonce: question.nonce,
        verifier: question.verifier,
        next: next.to_owned(),
        session: session.map(|person| person.session),
        began_at: console.now(),
    };
    let mut response = see_other(question.url.as_str());
    session::set_flow_cookie(console, &mut response, &flow.seal(&console.secrets));
    Ok(response)
}

fn unreachable(why: Distrust) -> Failure {
    warn!(%why, "Nobody can sign in with the identity provider");
    let detail = "The identity provider does not answer. Please try again in a moment.".to_owned();
    Failure::Refused { status: StatusCode::SERVICE_UNAVAILABLE, detail }
}

#[handler]
async fn begin(frame: Frame, Query(way): Query<Way>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    if frame.person.is_some() {
        return Ok(see_other(way.path()));
    }
    send(console, way.path(), None).await
}

#[handler]
async fn begin_again(person: Person, Query(way): Query<Way>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    send(console, way.path(), Some(&person)).await
}

/// What the provider answers, by way of the browser.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    iss: Option<String>,
    error: Option<String>,
}

#[handler]
async fn finish(
    half: Option<HalfPerson>,
    frame: Frame,
    origin: Origin,
    request: &poem::Request,
    Query(answer): Query<Answer>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let oidc = console.oidc.as_ref().ok_or(NO_PROVIDER)?;
    let flow = session::flow_cookie(console, request).and_then(|cookie| Flow::open(&console.secrets, &cookie, console.now()));
    let visit = Visit { console, oidc, origin: &origin, before: frame.person.as_ref(), half: half.as_ref().map(|half| &half.0) };
    let outcome = match flow {
        Some(flow) => visit.take(answer, &flow).await,
        None => Err(Stop::Stray(STRAY)),
    };
    let mut response = match outcome {
        Ok(response) => response,
        Err(Stop::Failure(failure)) => return Err(failure),
        Err(stop) => {
            info!(reason = stop.reason(), "Somebody did not come in with the identity provider");
            visit.note_refusal(&stop).await?;
            let (status, words) = stop.words();
            login::page(console, &frame, "", "/console/", status, Some(words))
        }
    };
    session::clear_flow_cookie(console, &mut response);
    Ok(response)
}

/// Somebody who comes back from the provider.
struct Visit<'a> {
    console: &'a Console,
    oidc: &'a Oidc,
    origin: &'a Origin,
    /// Whoever is signed in here so far.
    before: Option<&'a Person>,
    half: Option<&'a Person>,
}

impl Visit<'_> {
    async fn take(&self, answer: Answer, flow: &Flow) -> Result<Response, Stop> {
        if !flow.is_answered_by(&answer.state) {
            return Err(Stop::Stray(STRAY));
        }
        if !self.oidc.provider.may_have_answered(answer.iss.as_deref()).await {
            return Err(Stop::Stray(STRAY));
        }
        if let Some(error) = answer.error {
            return Err(Stop::Denied(error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect()));
        }
        if answer.code.is_empty() || answer.code.len() > MAX_CODE_CHARS {
            return Err(Stop::Stray(STRAY));
        }
        self.use_up(flow).await?;
        let proven = self.oidc.provider.prove(answer.code, flow, self.console.now()).await?;
        match flow.session {
            Some(_) => self.prove_again(&proven, flow).await,
            None => self.sign_in(&proven, flow).await,
        }
    }

    /// Each question is answered once, whatever the provider thinks of its codes.
    async fn use_up(&self, flow: &Flow) -> Result<(), Stop> {
        let mut tx = self.console.db.begin().await?;
        let first = answer_challenge(&mut tx, &format!("oidc {}", flow.state), flow.ends_at(), self.console.now()).await?;
        tx.commit().await?;
        if first { Ok(()) } else { Err(Stop::Stray(STRAY)) }
    }

    fn identity<'s>(&'s self, proven: &'s Proven) -> Identity<'s> {
        Identity { issuer: self.oidc.provider.issuer(), subject: &proven.subject }
    }

    async fn sign_in(&self, proven: &Proven, flow: &Flow) -> Result<Response, Stop> {
        let console = self.console;
        let mut tx = console.db.begin().await?;
        let roles = &self.oidc.settings.roles;
        let applicant = Applicant { console, origin: self.origin, identity: self.identity(proven), proven, roles };
        let Admitted { user, linked } = match applicant.admit(&mut tx).await? {
            Ok(admitted) => admitted,
            Err(refusal) => {
                tx.commit().await?;
                return Err(Stop::Refusal(refusal));
            }
        };
        // Whoever was signed in here before is not any more.
        for person in self.before.into_iter().chain(self.half) {
            sessions::end(&mut tx, person.user_id, person.session).await?;
        }
        sessions::prune(&mut tx, console.now()).await?;
        let means = Means::Provider { methods: proven.methods.clone() };
        let entering =
            Entering { user: user.id, email: &user.email, half: None, means, proved_at: Some(proven.authenticated_at.unwrap_or_default()) };
        let entered = sign_in::enter(console, &mut tx, &entering, self.origin).await?;
        tx.commit().await?;
        if linked {
            let text = format!("From now on, whoever {} proves to be you comes into your account.", self.oidc.settings.name);
            console.letters.tell(&user.email, "Your account was linked to an identity provider", text);
        }
        Ok(sign_in::welcome(console, &entered, &user.email, self.origin, login::local(&flow.next)))
    }

    async fn prove_again(&self, proven: &Proven, flow: &Flow) -> Result<Response, Stop> {
        let console = self.console;
        let person = self.before.filter(|person| flow.session == Some(person.session)).ok_or(Stop::Stray(STRAY))?;
        Provider::is_fresh(proven, flow)?;
        let mut tx = console.db.begin().await?;
        if identities::find(&mut tx, self.identity(proven)).await? != Some(person.user_id) {
            return Err(Stop::OtherPerson);
        }
        let secret = sessions::prove(&mut tx, person.session, console.now()).await?;
        tx.commit().await?;
        let mut response = see_other(login::local(&flow.next));
        session::set_cookie(console, &mut response, &secret);
        Ok(response)
    }

    async fn note_refusal(&self, stop: &Stop) -> Result<(), Failure> {
        let console = self.console;
        let (action, actor, subject) = match self.before {
            Some(person) => ("session.proof_refused", person.actor(), format!("session:{}", person.session)),
            None => ("session.refused", Actor::Visitor("provider".to_owned()), "session".to_owned()),
        };
        let after = json!({ "issuer": self.oidc.provider.issuer(), "reason": stop.reason() });
        let event = Event { action, actor, address: Some(&self.origin.address), subject, before: serde_json::Value::Null, after };
        let mut tx = console.db.begin().await?;
        // Whoever is refused has proven who they are; anything else can be sent by anybody, without end.
        if !matches!(stop, Stop::Refusal(_)) {
            let subject = format!("provider {}", tries::of_address(&self.origin.address));
            if tries::take(&mut tx, &subject, tries::FREE_PER_ADDRESS, console.now()).await?.is_err() {
                return Ok(());
            }
        }
        security::record(&mut tx, &console.secrets, console.now(), &event).await?;
        Ok(tx.commit().await?)
    }
}
