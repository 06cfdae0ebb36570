//! What changes something: each becomes requests to the admin API.

mod components;
mod incidents;
mod metrics;
mod schedules;
mod subscribers;

use std::net::IpAddr;

use domain::{ComponentId, GroupId, IncidentId, MaintenanceId, MetricId};
use poem::{
    Endpoint, Request, Response,
    endpoint::BoxEndpoint,
    http::{Method, StatusCode, header},
};
use serde_json::Value;
use storage::{Connection, Db, StorageError};
use url::Url;

use super::{failure::Failure, input::Input, number, objects::Shape};

/// The longest answer of the admin API that is read: far more than one thing takes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Acts with the client's token.
pub(super) struct Writes<'a> {
    pub(super) db: &'a Db,
    pub(super) admin: &'a BoxEndpoint<'static, Response>,
    pub(super) shape: Shape,
    pub(super) token: String,
    pub(super) client: Option<IpAddr>,
    pub(super) address: Url,
}

/// The answer; nothing for what was removed.
type Answer = Result<Option<Value>, Failure>;

impl Writes<'_> {
    pub(super) async fn act(&self, method: &Method, steps: &[&str], input: Input) -> Answer {
        self.prove(method, steps).await?;
        match (method.as_str(), steps) {
            ("GET", ["subscribers"]) => self.subscribers(&input).await,
            ("POST", ["components"]) => self.add_component(input).await,
            ("PUT", ["components", id]) => self.change_component(number(id, ComponentId)?, input).await,
            ("POST", ["components", "groups"]) => self.add_group(input).await,
            ("PUT", ["components", "groups", id]) => self.change_group(number(id, GroupId)?, input).await,
            ("DELETE", ["components", "groups", id]) => self.remove("groups", id).await,
            ("DELETE", ["components", id]) => self.remove("components", id).await,
            ("POST", ["incidents"]) => self.add_incident(input).await,
            ("PUT", ["incidents", id]) => self.change_incident(number(id, IncidentId)?, input).await,
            ("DELETE", ["incidents", id]) => self.remove("incidents", id).await,
            ("POST", ["incidents", id, "updates"]) => self.add_update(number(id, IncidentId)?, input).await,
            ("POST", ["metrics"]) => self.add_metric(input).await,
            ("PUT", ["metrics", id]) => self.change_metric(number(id, MetricId)?, input).await,
            ("DELETE", ["metrics", id]) => self.remove("metrics", id).await,
            ("POST", ["metrics", id, "points"]) => self.add_point(number(id, MetricId)?, input).await,
            ("POST", ["schedules"]) => self.add_schedule(input).await,
            ("PUT", ["schedules", id]) => self.change_schedule(number(id, MaintenanceId)?, input).await,
            ("DELETE", ["schedules", id]) => self.remove("maintenances", id).await,
            ("POST", ["subscribers"]) => self.add_subscriber(input).await,
            ("DELETE", ["subscribers", id]) => self.remove("subscribers", id).await,
            _ => Err(StatusCode::METHOD_NOT_ALLOWED.into()),
        }
    }

    /// Makes sure that the token is good for this before anything is looked up: what is not there must not be told to strangers.
    async fn prove(&self, method: &Method, steps: &[&str]) -> Result<(), Failure> {
        let resource = match steps {
            ["components", "groups", ..] => "groups",
            ["components" | "incidents" | "metrics" | "subscribers", ..] => steps[0],
            ["schedules", ..] => "maintenances",
            _ => return Err(StatusCode::NOT_FOUND.into()),
        };
        let needed = format!("{resource}:{}", if *method == Method::GET { "read" } else { "write" });
        let me = self.ask(Method::GET, "/me", None).await?;
        let may = me["scopes"].as_array().is_some_and(|scopes| scopes.iter().any(|scope| *scope == "*" || *scope == *needed));
        if may {
            Ok(())
        } else {
            Err(Failure { details: vec![format!("This token lacks the scope {needed}.")], ..StatusCode::FORBIDDEN.into() })
        }
    }

    async fn remove(&self, resource: &str, id: &str) -> Answer {
        let id: i64 = number(id, |id| id)?;
        self.ask(Method::DELETE, &format!("/{resource}/{id}"), None).await.map(|_| None)
    }

    /// Asks the admin API, in the client's name and for its address.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let uri = format!("/v1{path}").parse().map_err(|_| StatusCode::NOT_FOUND)?;
        let request = Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let mut request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.finish(),
        };
        if let Some(client) = self.client {
            request.set_data(client);
        }
        let response = self.admin.get_response(request).await;
        let (status, retry_after) = (response.status(), response.headers().get(header::RETRY_AFTER).cloned());
        let body = response.into_body().into_bytes_limit(MAX_ANSWER_BYTES).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() { Ok(answer) } else { Err(Failure::of(status, &answer, retry_after)) }
    }

    async fn read(&self) -> Result<Connection, Failure> {
        self.db.read().await.map_err(out_of_reach)
    }
}

fn out_of_reach(error: StorageError) -> Failure {
    tracing::warn!(?error, "The database does not answer a client of Cachet's API");
    StatusCode::SERVICE_UNAVAILABLE.into()
}

fn id_of(answer: &Value) -> Result<i64, Failure> {
    Ok(answer["id"].as_i64().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?)
}

/// What the number in a field stands for, if it is there.
fn wanted<T>(input: &mut Input, name: &str, of: impl Fn(i64) -> Option<T>) -> Option<T> {
    let number = input.integer(name)?;
    let found = of(number);
    if found.is_none() {
        input.refuse(format!("The selected {} is invalid.", name.replace('_', " ")));
    }
    found
}

fn position(input: &mut Input) -> Option<(String, Value)> {
    let order = input.integer("order")?;
    Some(("position".to_owned(), order.into()))
}
