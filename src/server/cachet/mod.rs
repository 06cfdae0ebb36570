//! The API of Cachet 2 under `/api/v1`, so that scripts and clients written for it keep working.
//!
//! What is read is what readers of the page see, from its snapshot. What writes, and the list of subscribers, becomes requests to the admin
//! API with the token of `X-Cachet-Token`: scopes, limits, checks and the audit log are the same there. What differs from Cachet stands in
//! `docs/cachet.md`.

mod failure;
mod input;
mod list;
mod objects;
mod writes;

use std::{sync::Arc, time::Duration};

use domain::{Component, ComponentId, GroupId, IncidentId, MaintenanceId, PageData, PageIncident, PageMetric, Status};
use jiff::tz::TimeZone;
use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    endpoint::BoxEndpoint,
    http::{HeaderValue, Method, StatusCode, header},
};
use serde_json::{Value, json};
use storage::{Db, ledger, metrics};
use url::Url;

use self::{
    failure::Failure,
    input::Input,
    objects::{Shape, single},
    writes::Writes,
};
use crate::{
    page::{Page, Snapshot, headers},
    proxies,
};

/// The version that clients are told: they ask whether it begins with `2.4`.
const VERSION: &str = "2.4.1";
/// From this part of components with a major outage on, the system as a whole has one, as in Cachet's settings.
const MAJOR_OUTAGE_PERCENT: usize = 50;
/// The newest points of a metric that are listed; all that came before is in its chart.
const MAX_POINTS: i64 = 10_000;
/// How long an answer waits for the page.
const PATIENCE: Duration = Duration::from_secs(1);
const TOKEN: &str = "x-cachet-token";

/// Everything below `/api/v1`.
pub(crate) struct Cachet {
    page: Arc<Page>,
    /// `/v1/…` of the admin API, behind its gate.
    admin: Arc<BoxEndpoint<'static, Response>>,
    db: Db,
    base: Url,
}

impl Cachet {
    pub(crate) const fn new(page: Arc<Page>, admin: Arc<BoxEndpoint<'static, Response>>, db: Db, base: Url) -> Self {
        Self { page, admin, db, base }
    }

    async fn answer(&self, mut request: Request) -> Result<Response, Failure> {
        if !accepts_json(&request) {
            return Err(StatusCode::NOT_ACCEPTABLE.into());
        }
        let path = request.uri().path().trim_matches('/').to_owned();
        let steps: Vec<&str> = path.split('/').collect();
        let input = Input::read(&mut request).await?;
        let snapshot = self.page.snapshot();
        let shape = Shape { zone: zone(&request)?.unwrap_or_else(|| snapshot.site().zone.clone()), base: self.base.clone() };
        let mut address = self.base.clone();
        address.set_path(&format!("{}/api/v1/{path}", self.base.path().trim_end_matches('/')));
        address.set_query(request.uri().query());
        if *request.method() == Method::GET && steps != ["subscribers"] {
            let reads = Reads { db: &self.db, snapshot: &snapshot, shape, input, address };
            return Ok(json_response(StatusCode::OK, &reads.find(&steps).await?));
        }
        let token = request.header(TOKEN).map(str::to_owned).ok_or(StatusCode::UNAUTHORIZED)?;
        let address_of_client = proxies::client(&request);
        let writes = Writes { db: &self.db, admin: &self.admin, shape, token, client: address_of_client, address };
        let answer = writes.act(request.method(), &steps, input).await?;
        self.catch_up().await;
        Ok(answer.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |answer| json_response(StatusCode::OK, &answer)))
    }

    /// Waits until the page shows what was written, though not for long: clients read what they have just made.
    async fn catch_up(&self) {
        let Ok(mut conn) = self.db.read().await else { return };
        let Ok(ledger) = ledger::read(&mut conn).await else { return };
        drop(conn);
        let mut announced = self.page.versions();
        let shown = announced.wait_for(|announced| announced.version >= ledger.page_version);
        if tokio::time::timeout(PATIENCE, shown).await.is_err() {
            tracing::debug!(version = ledger.page_version, "The page does not show yet what a client of Cachet's API wrote");
        }
    }
}

impl Endpoint for Cachet {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = self.answer(request).await.unwrap_or_else(IntoResponse::into_response);
        headers::add_for_everyone(response.headers_mut(), self.base.scheme() == "https");
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    Response::builder().status(status).content_type("application/json").body(body.to_string())
}

fn accepts_json(request: &Request) -> bool {
    let accepted = request.header(header::ACCEPT.as_str()).unwrap_or("*/*").to_ascii_lowercase();
    ["*/*", "application/*", "application/json"].iter().any(|media_type| accepted.contains(media_type))
}

/// The zone that the client wants times in.
fn zone(request: &Request) -> Result<Option<TimeZone>, Failure> {
    let Some(name) = request.header("time-zone") else { return Ok(None) };
    TimeZone::get(name).map(Some).map_err(|_| Failure::bad(vec!["The Time-Zone is not known.".to_owned()]))
}

fn number<T>(text: &str, id: impl Fn(i64) -> T) -> Result<T, Failure> {
    text.parse().map(id).map_err(|_| StatusCode::NOT_FOUND.into())
}

/// What only reads.
struct Reads<'a> {
    db: &'a Db,
    snapshot: &'a Snapshot,
    shape: Shape,
    input: Input,
    /// The address that was asked, for links to other pages.
    address: Url,
}

impl Reads<'_> {
    async fn find(&self, steps: &[&str]) -> Result<Value, Failure> {
        let data = self.snapshot.data();
        match steps {
            ["ping"] => Ok(json!({ "data": "Pong!" })),
            // The key is spelt so there.
            ["version"] => Ok(json!({
                "meta": { "on_latest": true, "latest": { "tag_name": format!("v{VERSION}"), "prelease": false, "draft": false } },
                "data": VERSION,
            })),
            ["status"] => Ok(single(status(data, self.snapshot.site().stale.is_some()))),
            ["components"] => {
                let all = components(data).map(|component| self.shape.component(component)).collect();
                Ok(self.list(all, &["id", "name", "status", "order", "group_id", "enabled"]))
            }
            ["components", "groups"] => {
                let all = data.groups.iter().map(|group| self.group(group)).collect();
                Ok(self.list(all, &["id", "name", "order", "collapsed", "visible"]))
            }
            ["components", "groups", id] => {
                let id = number(id, GroupId)?;
                let found = data.groups.iter().find(|group| group.id == id).ok_or(StatusCode::NOT_FOUND)?;
                Ok(single(self.group(found)))
            }
            ["components", id] => {
                let id = number(id, ComponentId)?;
                let found = components(data).find(|component| component.id == id).ok_or(StatusCode::NOT_FOUND)?;
                Ok(single(self.shape.component(found)))
            }
            ["incidents"] => {
                let all = data.incidents.iter().map(|shown| self.shape.incident(shown)).collect();
                Ok(self.list(
                    all,
                    &["id", "user_id", "component_id", "name", "status", "visible", "stickied", "message", "occurred_at", "created_at"],
                ))
            }
            // Ours are filled in from what is affected, and are not for strangers.
            ["incidents", "templates"] => Ok(self.list(Vec::new(), &[])),
            ["incidents", id] => Ok(single(self.shape.incident(&self.incident(id).await?))),
            ["incidents", id, "updates"] => {
                let shown = self.incident(id).await?;
                let later = shown.updates.split_last().map_or(&[][..], |(_, later)| later);
                Ok(self.list(later.iter().map(|update| self.shape.update(update)).collect(), &["id", "status", "user_id", "created_at"]))
            }
            ["incidents", id, "updates", update] => {
                let (shown, update) = (self.incident(id).await?, number(update, domain::UpdateId)?);
                let found = shown.updates.iter().find(|one| one.id == update).ok_or(StatusCode::NOT_FOUND)?;
                Ok(single(self.shape.update(found)))
            }
            ["metrics"] => {
                let all = data.metrics.iter().map(|shown| self.shape.metric(&shown.metric, &shown.samples)).collect();
                Ok(self.list(all, &["id", "name", "display_chart", "default_value", "calc_type", "order", "visible"]))
            }
            ["metrics", id] => {
                let shown = self.metric(id)?;
                Ok(single(self.shape.metric(&shown.metric, &shown.samples)))
            }
            ["metrics", id, "points"] => {
                let metric = &self.metric(id)?.metric;
                let mut conn = self.db.read().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
                let newest = metrics::newest_samples(&mut conn, metric.id, MAX_POINTS).await;
                let newest = newest.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
                let all = newest.iter().map(|sample| self.shape.point(metric, sample)).collect();
                Ok(self.list(all, &["id", "value", "created_at"]))
            }
            ["schedules"] => {
                let all = data.maintenances.iter().map(|maintenance| self.shape.schedule(maintenance)).collect();
                Ok(self.list(all, &["id", "name", "status", "scheduled_at", "completed_at", "created_at", "updated_at"]))
            }
            ["schedules", id] => Ok(single(self.shape.schedule(&self.schedule(id).await?))),
            _ => Err(StatusCode::NOT_FOUND.into()),
        }
    }

    fn list(&self, all: Vec<Value>, keys: &[&str]) -> Value {
        list::page(all, keys, &self.input, &self.address)
    }

    fn group(&self, group: &domain::Group) -> Value {
        self.shape.group(group, &components(self.snapshot.data()).collect::<Vec<_>>())
    }

    /// An incident, however old.
    async fn incident(&self, id: &str) -> Result<PageIncident, Failure> {
        let id = number(id, IncidentId)?;
        if let Some(found) = self.snapshot.data().incidents.iter().find(|shown| shown.incident.id == id) {
            return Ok(found.clone());
        }
        let found = storage::page::incident(self.db, id).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(found.ok_or(StatusCode::NOT_FOUND)?)
    }

    /// A maintenance, however old.
    async fn schedule(&self, id: &str) -> Result<domain::Maintenance, Failure> {
        let id = number(id, MaintenanceId)?;
        if let Some(found) = self.snapshot.data().maintenances.iter().find(|maintenance| maintenance.id == id) {
            return Ok(found.clone());
        }
        let found = storage::page::maintenance(self.db, id).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(found.ok_or(StatusCode::NOT_FOUND)?)
    }

    fn metric(&self, id: &str) -> Result<&PageMetric, Failure> {
        let id = number(id, domain::MetricId)?;
        Ok(self.snapshot.data().metrics.iter().find(|shown| shown.metric.id == id).ok_or(StatusCode::NOT_FOUND)?)
    }
}

fn components(data: &PageData) -> impl Iterator<Item = &Component> {
    data.components.iter().map(|shown| &shown.component)
}

/// The page as a whole. Nothing is known to be well while the page is older than the database may be.
fn status(data: &PageData, stale: bool) -> Value {
    let n = data.components.len();
    let n_down = components(data).filter(|component| component.status == Status::MajorOutage).count();
    let is_well = |component: &Component| matches!(component.status, Status::Operational | Status::UnderMaintenance);
    let is_open = data.incidents.iter().any(|shown| !shown.incident.status.is_over());
    let subject = |one: &'static str, many: &'static str| if n <= 1 { one } else { many };
    let (status, message) = if n > 0 && n_down * 100 >= MAJOR_OUTAGE_PERCENT * n {
        ("danger", subject("The system is experiencing major issues", "Some systems are experiencing major issues"))
    } else if !is_open && !stale && components(data).all(is_well) {
        ("success", subject("System operational", "All systems are operational"))
    } else {
        ("info", subject("The system is experiencing issues", "Some systems are experiencing issues"))
    };
    json!({ "status": status, "message": message })
}
