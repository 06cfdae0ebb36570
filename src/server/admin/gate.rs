//! What every request passes before an operation sees it: rate, token, scope, parameters, size, and whether it was answered before.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{TokenId, UserId};
use jobs::shared_limits::Taken;
use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use secrecy::SecretString;
use storage::{
    audit::{Actor, By, Via},
    tokens::{self, TOKEN_PREFIX, Token},
};
use tracing::error;

use crate::{
    attempts::Attempts,
    limits::{self, Allowance, FAILURES_PER_ADDRESS, Limiter, Rate},
    proxies,
};

use super::{
    Admin,
    conventions::MAX_FILTER_CHARS,
    cursor, once,
    problem::Problem,
    reply,
    rules::{self, Match, Rule},
    schema::quoted,
    trail::{self, Trail},
};

/// The longest body.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;
/// The longest token looked up.
const MAX_TOKEN_CHARS: usize = 200;

/// As draft-ietf-httpapi-ratelimit-headers has them.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Who asks. Every operation gets it as `Data<&Caller>`.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) token: Token,
    /// What the request leaves in the audit log.
    pub(super) trail: Trail,
}

impl Caller {
    /// The name that stands in the history.
    pub(super) fn name(&self) -> &str {
        &self.token.name
    }

    /// The person who asks, if it is one and no token.
    pub(super) fn user(&self) -> Option<UserId> {
        match self.trail.by().actor {
            Actor::User(id) => Some(UserId(id)),
            _ => None,
        }
    }
}

/// A token, for the audit log.
fn by(token: &Token, address: Option<IpAddr>) -> By {
    By { actor: Actor::Token(token.id), name: token.name.clone(), via: Via::Token(token.id), address }
}

/// The names of the query parameters of every operation, by method and path.
pub(super) type QueryNames = BTreeMap<(String, String), BTreeSet<String>>;

pub(super) struct Gate {
    admin: Admin,
    operations: Arc<BoxEndpoint<'static>>,
    query_names: QueryNames,
    token_rate: Rate,
    per_token: Limiter<TokenId>,
    per_address: Limiter<Option<IpAddr>>,
    failures: Limiter<Option<IpAddr>>,
    attempts: Attempts,
}

impl Gate {
    pub(super) fn new(admin: Admin, operations: BoxEndpoint<'static>, query_names: QueryNames) -> Self {
        let token_rate = limits::per_token(admin.token_requests_per_second);
        Self {
            attempts: Attempts::new(admin.db.clone(), admin.secrets.clone(), admin.clock),
            admin,
            operations: Arc::new(operations),
            query_names,
            token_rate,
            per_token: Limiter::new(token_rate),
            per_address: Limiter::new(limits::per_address(token_rate)),
            failures: Limiter::new(FAILURES_PER_ADDRESS),
        }
    }

    async fn answer(&self, mut request: Request) -> Result<(Response, Allowance), Problem> {
        let (address, now) = (proxies::client(&request), Instant::now());
        self.per_address.take(&address, now).map_err(|wait| too_many(wait, "address", limits::per_address(self.token_rate)))?;
        refuse_token_in_query(&request)?;
        let rule = rule(&request)?;
        let token = self.authenticate(&request, address, now).await?;
        let allowance = self.allow(token.id, now).await.map_err(|wait| too_many(wait, "token", self.token_rate))?;
        check_scope(rule, &token).inspect_err(|_| self.attempts.failed("authorization.failed", address))?;
        self.check_query(rule, &request)?;
        let body = request.take_body().into_bytes_limit(MAX_BODY_BYTES).await.map_err(|error| body_problem(&error))?;
        let key = once::key(&request, token.id, &body)?;
        request.set_body(body);
        let known = request.headers().clone();
        let trail = Trail::new(by(&token, address), rule, request.uri().path());
        request.set_data(Caller { token, trail: trail.clone() });
        let response = match key {
            Some(key) => {
                let (admin, operations) = (self.admin.clone(), self.operations.clone());
                // Goes on to its end when the client goes away: that is when it will ask again.
                let task = tokio::spawn(async move { once::run(&admin, &key, run(&operations, request)).await });
                task.await.map_err(|_| Problem::internal())??
            }
            None => run(&self.operations, request).await,
        };
        check_recorded(rule, &trail, &response);
        Ok((not_modified(response, &known), allowance))
    }

    async fn authenticate(&self, request: &Request, address: Option<IpAddr>, now: Instant) -> Result<Token, Problem> {
        if let Some(wait) = self.failures.must_wait(&address, now) {
            return Err(too_many(wait, "failures", FAILURES_PER_ADDRESS));
        }
        let Some(secret) = bearer(request) else {
            return Err(unauthorized("a token is needed: `Authorization: Bearer fanal_…`", "Bearer realm=\"fanal\""));
        };
        let found = tokens::authenticate(&self.admin.db, &secret, self.admin.now()).await?;
        if found.as_ref().is_some_and(|token| !token.may_come_from(address)) {
            self.attempts.failed("authorization.failed", address);
            return Err(Problem::new(StatusCode::FORBIDDEN, "this token may not be used from this address"));
        }
        found.ok_or_else(|| {
            // The next request of this address is told to wait, if this was one too many.
            let _ = self.failures.take(&address, now);
            self.attempts.failed("authentication.failed", address);
            unauthorized("this token is not valid, or no longer", "Bearer realm=\"fanal\", error=\"invalid_token\"")
        })
    }

    /// Counts a request of a token: in all processes together if there is a Redis that answers, else in this one.
    async fn allow(&self, token: TokenId, now: Instant) -> Result<Allowance, Duration> {
        let here = self.per_token.take(&token, now);
        let Some(shared) = &self.admin.shared_limits else { return here };
        match shared.take(&format!("token:{token}"), self.token_rate.burst, self.token_rate.per_sec).await {
            Some(Taken::Room(level)) => Ok(self.token_rate.allowance(level)),
            Some(Taken::Empty(level)) => Err(self.token_rate.wait(1.0 - level)),
            None => here,
        }
    }

    fn check_query(&self, rule: &Rule, request: &Request) -> Result<(), Problem> {
        let known = self.query_names.get(&(rule.method.to_owned(), rule.path.to_owned()));
        let mut seen = BTreeSet::new();
        for (name, value) in url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
            if !known.is_some_and(|known| known.contains(&*name)) {
                let known =
                    known.map(|known| known.iter().map(String::as_str).collect::<Vec<_>>().join(", ")).filter(|known| !known.is_empty());
                let hint = known.map_or_else(|| "there are none here".to_owned(), |known| format!("known are {known}"));
                return Err(Problem::malformed(quoted(&name), format!("is not a parameter of this operation; {hint}")));
            }
            if value.contains('\0') {
                return Err(Problem::malformed(quoted(&name), "contains a NUL character, which no text here may"));
            }
            let longest = if name == "cursor" { cursor::MAX_CHARS } else { MAX_FILTER_CHARS };
            if value.chars().count() > longest {
                return Err(Problem::malformed(quoted(&name), format!("is longer than {longest} characters")));
            }
            if !seen.insert(name.clone()) {
                return Err(Problem::malformed(quoted(&name), "is given twice"));
            }
        }
        Ok(())
    }
}

impl Endpoint for Gate {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = match self.answer(request).await {
            Ok((mut response, allowance)) => {
                note_allowance(&mut response, allowance, self.token_rate);
                response
            }
            Err(problem) => problem.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok(response)
    }
}

/// A new operation that commits around [`Admin`] is found by the first test that uses it.
pub(super) fn check_recorded(rule: &Rule, trail: &Trail, response: &Response) {
    let forgotten = response.status().is_success()
        && trail::is_recorded(rule)
        && !trail.is_recorded()
        && !response.headers().contains_key(&once::REPLAYED);
    debug_assert!(!forgotten, "{} {} left nothing in the audit log", rule.method, rule.path);
    if forgotten {
        error!(method = rule.method, path = rule.path, "An operation left nothing in the audit log");
    }
}

async fn run(operations: &BoxEndpoint<'static>, request: Request) -> Response {
    operations.call(request).await.unwrap_or_else(|error| Problem::respond(&error))
}

fn rule(request: &Request) -> Result<&'static Rule, Problem> {
    match rules::find(request.method(), request.uri().path()) {
        Match::Rule(rule) => Ok(rule),
        Match::Nothing => Err(Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path")),
        Match::OtherMethods(methods) => {
            let methods = methods.join(", ");
            Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path has only {methods}")).with_header(header::ALLOW, methods))
        }
    }
}

/// What stands in an address is in logs and histories by now, so nobody may get used to it.
fn refuse_token_in_query(request: &Request) -> Result<(), Problem> {
    let pairs = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    if pairs.into_iter().any(|(_, value)| value.starts_with(TOKEN_PREFIX)) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "a token is taken from `Authorization: Bearer` only; this one stands in logs by now: revoke it",
        ));
    }
    Ok(())
}

fn bearer(request: &Request) -> Option<SecretString> {
    let (scheme, token) = request.header(header::AUTHORIZATION.as_str())?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= MAX_TOKEN_CHARS).then(|| SecretString::from(token))
}

fn check_scope(rule: &Rule, token: &Token) -> Result<(), Problem> {
    let Some(wanted) = rule.scope.filter(|wanted| !token.scopes.iter().any(|scope| scope.allows(wanted))) else { return Ok(()) };
    let challenge = format!("Bearer realm=\"fanal\", error=\"insufficient_scope\", scope=\"{wanted}\"");
    Err(Problem::new(StatusCode::FORBIDDEN, format!("this token lacks the scope `{wanted}`"))
        .with_header(header::WWW_AUTHENTICATE, challenge))
}

fn unauthorized(detail: &str, challenge: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail).with_header(header::WWW_AUTHENTICATE, challenge)
}

fn too_many(wait: Duration, name: &str, rate: Rate) -> Problem {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("too many requests; come again in {seconds} s"))
        .with_header(header::RETRY_AFTER, seconds.to_string())
        .with_header(RATE_LIMIT, format!("\"{name}\";r=0;t={seconds}"))
        .with_header(RATE_LIMIT_POLICY, rate.policy(name))
}

fn note_allowance(response: &mut Response, allowance: Allowance, rate: Rate) {
    let headers = response.headers_mut();
    let left = format!("\"token\";r={};t={}", allowance.remaining, allowance.reset.as_secs_f64().ceil());
    for (name, value) in [(RATE_LIMIT, left), (RATE_LIMIT_POLICY, rate.policy("token"))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

fn body_problem(error: &poem::error::ReadBodyError) -> Problem {
    match error {
        poem::error::ReadBodyError::PayloadTooLarge => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {MAX_BODY_BYTES} bytes"))
        }
        error => Problem::malformed("", format!("the body could not be read: {error}")),
    }
}

fn not_modified(response: Response, request_headers: &header::HeaderMap) -> Response {
    let etag = response.headers().get(header::ETAG).filter(|_| response.status() == StatusCode::OK);
    match etag.and_then(|etag| etag.to_str().ok()) {
        Some(etag) if reply::is_known(request_headers, etag) => {
            Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, etag).finish()
        }
        _ => response,
    }
}
