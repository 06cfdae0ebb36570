//! Mapping without code: what a delivery would do, what routes would have done, and how each integration is.
//!
//! Nothing here changes or sends anything.

mod back_test;
mod dry_run;
mod health;
mod suggestions;

use std::sync::Arc;

use domain::{ComponentId, DeliveryId, IntegrationId, MetricId, Route, RouteId, RouteSpec, Signal, SignalState};
use integrations::{Settings, example};
use jobs::evaluator;
use poem_openapi::{OpenApi, param::Path, payload::Json};
use storage::{
    Connection,
    deliveries::{self, Delivery},
};
use tokio::sync::Semaphore;

use super::{
    Admin,
    body::Body,
    fields::Fields,
    integrations as configured,
    problem::Problem,
    progress::{Progress, Watcher},
    routes::{self, RouteBody, Targets},
};
use back_test::{BackTestBody, BackTestView};
pub(super) use dry_run::{DryRunBody, DryRunView, run as dry_run};
use health::HealthView;
use suggestions::SuggestionsView;

/// Back-tests at once in one process: each keeps a core busy.
const N_BACK_TESTS: usize = 1;

pub(super) struct InsightApi {
    admin: Admin,
    places: Arc<Semaphore>,
}

impl InsightApi {
    pub(super) fn new(admin: Admin) -> Self {
        Self { admin, places: Arc::new(Semaphore::new(N_BACK_TESTS)) }
    }
}

#[OpenApi]
impl InsightApi {
    /// Makes routes from what a delivery says. Each can be stored by PATCH of its integration as it is, once its component is there.
    #[oai(path = "/deliveries/:id/suggestions", method = "get")]
    async fn suggestions(&self, id: Path<i64>) -> Result<Json<SuggestionsView>, Problem> {
        suggestions::make(&self.admin, DeliveryId(id.0)).await.map(Json)
    }

    /// Says what settings and routes make of a stored delivery. Changes and sends nothing.
    #[oai(path = "/integrations/:id/dry-run", method = "post")]
    async fn dry_run(&self, id: Path<i64>, body: Body<DryRunBody>) -> Result<Json<DryRunView>, Problem> {
        dry_run::run(&self.admin, IntegrationId(id.0), body.0).await.map(Json)
    }

    /// Says what routes would have made of the stored deliveries of a time: the incidents, and when components would not have been well,
    /// beside the incidents that were published. Changes and sends nothing. One at a time.
    #[oai(path = "/integrations/:id/back-test", method = "post")]
    async fn back_test(&self, watcher: Watcher, id: Path<i64>, body: Body<BackTestBody>) -> Result<Json<BackTestView>, Problem> {
        back_test::run(&self.admin, &self.places, IntegrationId(id.0), body.0, watcher).await.map(Json)
    }

    /// Says how an integration is: what comes in, what is turned away, how asking goes, and whether it is silent.
    #[oai(path = "/integrations/:id/health", method = "get")]
    async fn health(&self, id: Path<i64>) -> Result<Json<HealthView>, Problem> {
        health::look(&self.admin, IntegrationId(id.0)).await.map(Json)
    }
}

type AllTargets = Targets<ComponentId, MetricId>;

/// The routes that were given, else those that are stored, ready to be tried. All that is wrong with them goes to `fields`.
fn routes_to_try(
    fields: &mut Fields,
    integration: &storage::integrations::Integration,
    targets: &AllTargets,
    given: Option<Vec<RouteBody>>,
) -> Vec<Route> {
    let specs = match given {
        Some(given) => routes::read(fields, targets, given),
        None => integration.routes.clone(),
    };
    let mut compiled = Vec::with_capacity(specs.len());
    for (i, spec) in specs.iter().enumerate() {
        match compile(integration, i, spec, targets) {
            Ok(route) => compiled.push(route),
            // Routes that were given have said so already, with the field.
            Err(error) if fields.is_fine() => fields.refuse(format!("routes[{i}]"), error.to_string()),
            Err(_) => {}
        }
    }
    compiled
}

fn compile(
    integration: &storage::integrations::Integration,
    i: usize,
    spec: &RouteSpec,
    targets: &AllTargets,
) -> Result<Route, domain::ExpressionError> {
    let id = RouteId(i64::try_from(i).unwrap_or(i64::MAX).saturating_add(1));
    let components = spec.components.iter().filter_map(|key| targets.components.get(key).copied()).collect();
    let metric = spec.metric.as_ref().and_then(|feed| targets.metrics.get(&feed.key).copied());
    Route::compile(id, integration.id, format!("{}[{i}]", integration.key), spec, components, metric)
}

async fn find_delivery(conn: &mut Connection, id: DeliveryId) -> Result<Delivery, Problem> {
    deliveries::find(conn, id).await?.ok_or_else(|| Problem::not_found("delivery"))
}

/// What a delivery says, or why it is quarantined, and of a test what it would say; away from the threads that serve, since expressions may take their time.
async fn read(provider: String, settings: serde_json::Value, delivery: Delivery) -> Result<Result<Vec<Signal>, String>, Problem> {
    let delivery = Delivery { headers: example::without_mark(delivery.headers), ..delivery };
    off_thread(move || evaluator::parse(&provider, &Settings::new(settings), &delivery)).await
}

/// The first signal of a delivery that fires, else its first; `None` if there is no such delivery, or it says nothing.
pub(super) async fn first_signal(admin: &Admin, id: DeliveryId) -> Result<Option<Signal>, Problem> {
    let mut conn = admin.db.read().await?;
    let Some(delivery) = deliveries::find(&mut conn, id).await? else { return Ok(None) };
    let integration = configured::find(&mut conn, delivery.integration).await?;
    drop(conn);
    let signals = read(integration.provider, integration.edit.settings, delivery).await?.unwrap_or_default();
    let firing = signals.iter().position(|signal| signal.state == SignalState::Firing);
    Ok(signals.into_iter().nth(firing.unwrap_or_default()))
}

pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "Work for the admin API failed");
        Problem::internal()
    })
}
