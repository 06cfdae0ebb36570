//! The provider itself: found by its discovery document, asked through the guard, and believed only as far as its signatures go.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Span, Timestamp};
use openidconnect::{
    AccessTokenHash, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    IdTokenVerifier, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    SignatureVerificationError, SubjectIdentifier, TokenResponse, UserInfoClaims,
    core::{CoreAuthPrompt, CoreClientAuthMethod, CoreGenderClaim, CoreJwsSigningAlgorithm, CoreResponseType},
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tracing::warn;
use url::Url;

use super::{
    door::Door,
    flow::Flow,
    protocol::{Client, Metadata, Others, Tokens},
    proven::{MAX_SUBJECT_CHARS, Proven},
    settings::Settings,
};

/// How long what the provider says of itself is used without being asked for again.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long a provider that could not be asked is not asked again.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a signature by a key that is not known makes us ask for the keys again.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// How far the provider's clock may be from ours.
const SKEW: Span = Span::mins(1);

/// What an ID token may be signed with: nothing that we could have made ourselves, and never nothing at all.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why somebody is not believed to be who they say. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Distrust {
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    #[error("the provider takes no code: {0}")]
    Code(String),
    #[error("the provider gave no ID token")]
    NoToken,
    #[error("the ID token does not count: {0}")]
    Token(String),
    #[error("the user info does not count: {0}")]
    UserInfo(String),
    #[error("the provider does not say that they have just proven themselves")]
    NotFresh,
}

/// What is known of the provider.
#[derive(Default)]
struct Known {
    metadata: Option<(Arc<Metadata>, Instant)>,
    failed_at: Option<Instant>,
    /// When an unknown key last made us ask for the keys.
    asked_at: Option<Instant>,
}

/// An identity provider.
pub(super) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    groups_claim: String,
    door: Door,
    known: Mutex<Known>,
}

/// What the browser is sent off with.
pub(super) struct Question {
    pub(super) url: Url,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Provider {
    /// `redirect` is where the answer comes to; `allow_private` lets what the provider names beside itself lie inside.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(super) fn new(settings: &Settings, redirect: String, allow_private: bool) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|error| error.to_string())?;
        Ok(Self {
            door: Door::new(issuer.url(), allow_private).map_err(|error| error.to_string())?,
            issuer,
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
            redirect: RedirectUrl::new(redirect).map_err(|error| error.to_string())?,
            groups_claim: settings.groups_claim.clone(),
            known: Mutex::default(),
        })
    }

    /// Who the provider is.
    pub(super) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// What the provider says of itself, with its keys.
    async fn metadata(&self) -> Result<Arc<Metadata>, Distrust> {
        let mut known = self.known.lock().await;
        if let Some((metadata, at)) = &known.metadata
            && at.elapsed() < LIFETIME
        {
            return Ok(metadata.clone());
        }
        let old = known.metadata.as_ref().map(|(metadata, _)| metadata.clone());
        if known.failed_at.is_some_and(|at| at.elapsed() < PAUSE) {
            return old.ok_or_else(|| Distrust::Unreachable("it could not be reached a moment ago".to_owned()));
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((metadata.clone(), Instant::now()));
                Ok(metadata)
            }
            Err(why) => {
                warn!(issuer = self.issuer(), why, "The identity provider cannot be asked");
                known.failed_at = Some(Instant::now());
                old.ok_or(Distrust::Unreachable(why))
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, String> {
        let metadata = Metadata::discover_async(self.issuer.clone(), &self.door).await.map_err(|error| in_full(&error))?;
        if metadata.authorization_endpoint().url().scheme() != self.issuer.url().scheme() {
            return Err("people would be sent there without TLS".to_owned());
        }
        if metadata.token_endpoint().is_none() {
            return Err("it names no place where codes are exchanged".to_owned());
        }
        Ok(metadata)
    }

    /// The same with the keys as they are now; `None` if they were asked for a moment ago.
    async fn with_fresh_keys(&self) -> Option<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        if known.asked_at.is_some_and(|at| at.elapsed() < KEYS_EVERY) {
            return None;
        }
        known.asked_at = Some(Instant::now());
        let (metadata, at) = known.metadata.clone()?;
        match JsonWebKeySet::fetch_async(metadata.jwks_uri(), &self.door).await {
            Ok(keys) => {
                let metadata = Arc::new(Metadata::clone(&metadata).set_jwks(keys));
                known.metadata = Some((metadata.clone(), at));
                Some(metadata)
            }
            Err(error) => {
                warn!(issuer = self.issuer(), why = in_full(&error), "The identity provider does not give its keys");
                None
            }
        }
    }

    fn client(&self, metadata: &Metadata) -> Client {
        let client = Client::from_provider_metadata(metadata.clone(), self.client_id.clone(), self.client_secret.clone());
        let basic = metadata.token_endpoint_auth_methods_supported().is_none_or(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretBasic) || !methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let auth_type = if basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        client.set_auth_type(auth_type).set_redirect_uri(self.redirect.clone())
    }

    /// Where to send somebody; `again` if they must prove themselves there anew.
    ///
    /// # Errors
    /// The provider cannot be reached.
    pub(super) async fn ask(&self, again: bool) -> Result<Question, Distrust> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(AuthenticationFlow::<CoreResponseType>::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("email".to_owned()))
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge);
        // Many give groups only to those who ask, and some refuse scopes that they do not know.
        let groups = Scope::new(self.groups_claim.clone());
        if metadata.scopes_supported().is_some_and(|scopes| scopes.contains(&groups)) {
            request = request.add_scope(groups);
        }
        if again {
            request = request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, state, nonce) = request.url();
        Ok(Question { url, state: state.secret().clone(), nonce: nonce.secret().clone(), verifier: verifier.secret().clone() })
    }

    /// Whether an answer that names `issuer` (RFC 9207) can be of this provider.
    pub(super) async fn may_have_answered(&self, issuer: Option<&str>) -> bool {
        match issuer {
            Some(issuer) => issuer == self.issuer(),
            None => match self.metadata().await {
                Ok(metadata) => !metadata.additional_metadata().authorization_response_iss_parameter_supported,
                Err(_) => true,
            },
        }
    }

    /// Exchanges a code for what the provider has proven.
    ///
    /// # Errors
    /// It cannot be reached, does not take the code, or what it says does not count.
    pub(super) async fn prove(&self, code: String, flow: &Flow, now: Timestamp) -> Result<Proven, Distrust> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata);
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| Distrust::Code(error.to_string()))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
        let tokens: Tokens = exchange.request_async(&self.door).await.map_err(|error| Distrust::Code(in_full(&error)))?;
        let mut proven = match self.read(&tokens, &metadata, flow, now) {
            Err(Unproven::UnknownKey) => match self.with_fresh_keys().await {
                Some(metadata) => self.read(&tokens, &metadata, flow, now)?,
                None => return Err(Unproven::UnknownKey.into()),
            },
            read => read?,
        };
        if (proven.email.is_none() || proven.groups.is_empty()) && metadata.userinfo_endpoint().is_some() {
            self.ask_more(&client, &tokens, &mut proven).await?;
        }
        Ok(proven)
    }

    /// Checks the ID token, and reads it.
    fn read(&self, tokens: &Tokens, metadata: &Metadata, flow: &Flow, now: Timestamp) -> Result<Proven, Unproven> {
        let token = tokens.id_token().ok_or(Distrust::NoToken)?;
        let (earliest, latest) = (flow.began_at.0 - SKEW.0, now.0 + SKEW.0);
        // Without the client's secret no signature by a shared one can count, whatever the list of algorithms says.
        let verifier = IdTokenVerifier::new_public_client(self.client_id.clone(), self.issuer.clone(), metadata.jwks().clone())
            .set_allowed_algs(ALGORITHMS)
            .set_issue_time_verifier_fn(move |at| {
                let fits = (earliest..=latest).contains(&at.timestamp_millis());
                if fits { Ok(()) } else { Err("it was not made for this sign-in".to_owned()) }
            });
        let claims = token.claims(&verifier, &Nonce::new(flow.nonce.clone())).map_err(Unproven::from)?;
        if claims.authorized_party().is_some_and(|party| *party != self.client_id) {
            return Err(distrusted("it was made for somebody else"));
        }
        if let Some(hash) = claims.access_token_hash() {
            let actual = (token.signing_alg().ok().zip(token.signing_key(&verifier).ok()))
                .and_then(|(algorithm, key)| AccessTokenHash::from_token(tokens.access_token(), algorithm, key).ok());
            if actual.as_ref() != Some(hash) {
                return Err(distrusted("the access token beside it is not its own"));
            }
        }
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.chars().count() > MAX_SUBJECT_CHARS || subject.contains(char::is_control) {
            return Err(distrusted("it names nobody"));
        }
        let mut proven = Proven {
            subject: subject.to_owned(),
            authenticated_at: claims.auth_time().map(|at| Timestamp(at.timestamp_millis().min(now.0))),
            ..Proven::default()
        };
        proven.reached_at(claims.email().map(|email| email.as_str()), claims.email_verified());
        proven.called(claims.name().and_then(|name| name.get(None)).map(|name| name.as_str()));
        proven.member_of(&claims.additional_claims().all, &self.groups_claim);
        proven.proven_by(claims.auth_method_refs().into_iter().flatten().map(|method| method.as_str().to_owned()));
        Ok(proven)
    }

    /// Asks for what the ID token leaves out.
    async fn ask_more(&self, client: &Client, tokens: &Tokens, proven: &mut Proven) -> Result<(), Distrust> {
        let failed = |why: String| Distrust::UserInfo(why);
        if !tokens.access_token().secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(failed("the access token cannot be sent".to_owned()));
        }
        let subject = SubjectIdentifier::new(proven.subject.clone());
        let request = client.user_info(tokens.access_token().clone(), Some(subject)).map_err(|error| failed(error.to_string()))?;
        let info: UserInfoClaims<Others, CoreGenderClaim> =
            request.request_async(&self.door).await.map_err(|error| failed(in_full(&error)))?;
        proven.reached_at(info.email().map(|email| email.as_str()), info.email_verified());
        proven.called(info.name().and_then(|name| name.get(None)).map(|name| name.as_str()));
        proven.member_of(&info.additional_claims().all, &self.groups_claim);
        Ok(())
    }

    /// Whether the provider says that somebody has typed something there since `flow` began.
    pub(super) fn is_fresh(proven: &Proven, flow: &Flow) -> Result<(), Distrust> {
        let since = flow.began_at.0 - SKEW.0;
        if proven.authenticated_at.is_some_and(|at| at.0 >= since) { Ok(()) } else { Err(Distrust::NotFresh) }
    }
}

/// Why an ID token does not count; with other keys it may.
enum Unproven {
    UnknownKey,
    Not(Distrust),
}

fn distrusted(why: &str) -> Unproven {
    Unproven::Not(Distrust::Token(why.to_owned()))
}

impl From<ClaimsVerificationError> for Unproven {
    fn from(error: ClaimsVerificationError) -> Self {
        match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Self::UnknownKey,
            error => Self::Not(Distrust::Token(in_full(&error))),
        }
    }
}

impl From<Distrust> for Unproven {
    fn from(distrust: Distrust) -> Self {
        Self::Not(distrust)
    }
}

impl From<Unproven> for Distrust {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::UnknownKey => Self::Token("it is signed with a key that the provider does not name".to_owned()),
            Unproven::Not(distrust) => distrust,
        }
    }
}

/// An error with what lies below it.
fn in_full(error: &dyn std::error::Error) -> String {
    let below = std::iter::successors(error.source(), |error| error.source());
    below.fold(error.to_string(), |text, error| format!("{text}: {error}"))
}
