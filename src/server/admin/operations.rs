//! The operations for callers in this process: the console acts through them, so that a click and a request do and refuse the same.

use std::sync::Arc;

use domain::{Permission, Role, Timestamp, TokenId};
use poem::{
    Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request,
    endpoint::BoxEndpoint,
    http::{HeaderValue, Method, StatusCode, header},
};
use poem_openapi::OpenApiService;
use serde_json::Value;
use storage::{
    audit::By,
    tokens::{Scope, Token},
};
use tracing::error;

use super::{
    Admin, apis,
    gate::{self, Caller},
    problem::Problem,
    progress::Watcher,
    rules::{self, Rule},
    trail::Trail,
};

/// The operations of the admin API, without its front door: whoever calls them has made sure who asks.
#[derive(Clone)]
pub struct Operations(Arc<BoxEndpoint<'static>>);

/// Who acts, for the history.
#[derive(Clone, Debug)]
pub(crate) struct Actor<'a> {
    /// For the audit log.
    pub(crate) by: By,
    /// For the history.
    pub(crate) name: &'a str,
    pub(crate) role: Role,
}

/// Why an operation was not done.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// In words, for people.
    pub(crate) detail: String,
    /// Every field that does not fit, as in `routes[0].for`, and what is wrong with it.
    pub(crate) fields: Vec<(String, String)>,
}

impl Operations {
    /// The operations on what `admin` works with.
    #[must_use]
    pub fn new(admin: &Admin) -> Self {
        let service = OpenApiService::new(apis(admin), "", "").into_endpoint();
        Self(Arc::new(service.map_to_response().boxed()))
    }

    /// Does one. The role is held against what the operation needs, whatever was checked before.
    pub(crate) async fn call(&self, actor: Actor<'_>, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        self.call_if(actor, method, path, body, None).await
    }

    /// The same for what takes long: `watcher` is told how far it has come. It ends when the future is dropped.
    pub(crate) async fn call_watched(
        &self,
        actor: Actor<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        watcher: Watcher,
    ) -> Result<Value, Refused> {
        self.do_one(actor, method, path, body, None, watcher).await
    }

    /// The same, unless what it changes is not as in `etag` any more.
    pub(crate) async fn call_if(
        &self,
        actor: Actor<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
    ) -> Result<Value, Refused> {
        self.do_one(actor, method, path, body, etag, Watcher::default()).await
    }

    async fn do_one(
        &self,
        actor: Actor<'_>,
        method: Method,
        path: &str,
        body: Option<&Value>,
        etag: Option<&str>,
        watcher: Watcher,
    ) -> Result<Value, Refused> {
        let uri = path.parse().map_err(|_| Refused::new(StatusCode::NOT_FOUND, "there is nothing at this path"))?;
        let mut request = Request::builder().method(method.clone()).uri(uri);
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(header::IF_MATCH, etag);
        }
        let mut request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.finish(),
        };
        let rule = check(&actor, &method, request.uri().path())?;
        let trail = Trail::new(actor.by.clone(), rule, request.uri().path());
        request.set_data(Caller { token: token(&actor), trail: trail.clone() });
        request.set_data(watcher);
        let response = self.0.call(request).await.unwrap_or_else(|error| Problem::respond(&error).into_response());
        gate::check_recorded(rule, &trail, &response);
        let (status, etag) = (response.status(), response.headers().get(header::ETAG).cloned());
        let text = response.into_body().into_string().await.map_err(|error| internal(&error))?;
        let mut answer: Value =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).map_err(|error| internal(&error))? };
        if !status.is_success() {
            return Err(Refused::of(status, &answer));
        }
        if let (Some(fields), Some(etag)) = (answer.as_object_mut(), etag.as_ref().and_then(|etag| etag.to_str().ok())) {
            fields.insert("etag".to_owned(), Value::from(etag));
        }
        Ok(answer)
    }
}

fn internal(error: &dyn std::fmt::Display) -> Refused {
    error!(%error, "An answer of an operation could not be read");
    Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong on our side; the log says what")
}

/// What the role may do, as a token of the same power.
fn token(actor: &Actor<'_>) -> Token {
    let all = Permission::all().filter(|permission| actor.role.may(*permission));
    let scopes = all.filter_map(|permission| permission.to_string().parse::<Scope>().ok());
    let scopes = if actor.role == Role::Owner { vec![Scope::ALL] } else { scopes.collect() };
    Token {
        id: TokenId(0),
        name: actor.name.to_owned(),
        hint: String::new(),
        scopes,
        created_at: Timestamp(0),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        rotated_at: None,
        previous_until: None,
        networks: None,
    }
}

fn check(actor: &Actor<'_>, method: &Method, path: &str) -> Result<&'static Rule, Refused> {
    let rule = match rules::find(method, path) {
        rules::Match::Rule(rule) => rule,
        _ => return Err(Refused::new(StatusCode::NOT_FOUND, "there is nothing at this path")),
    };
    let allowed = rule
        .permission()
        .is_none_or(|needed| Permission::all().any(|permission| permission.to_string() == needed && actor.role.may(permission)));
    if allowed { Ok(rule) } else { Err(Refused::new(StatusCode::FORBIDDEN, "your role does not permit this")) }
}

impl Refused {
    fn new(status: StatusCode, detail: &str) -> Self {
        Self { status, detail: detail.to_owned(), fields: Vec::new() }
    }

    fn of(status: StatusCode, problem: &Value) -> Self {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let errors = problem.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            status,
            detail: text(problem, "detail"),
            fields: errors.iter().map(|error| (text(error, "field"), text(error, "message"))).collect(),
        }
    }

    /// Whether somebody else has changed it since, see [`Operations::call_if`].
    pub(crate) fn is_outdated(&self) -> bool {
        self.status == StatusCode::PRECONDITION_FAILED
    }

    /// All of it, without marks that are for programs.
    pub(crate) fn in_words(&self) -> String {
        self.detail.replace('`', "")
    }

    /// What is wrong with a field, or with a part of it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let is_part = |field: &str| field.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.fields.iter().find(|(field, _)| is_part(field)).map(|(_, message)| message.as_str())
    }
}
