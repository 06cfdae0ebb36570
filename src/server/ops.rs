//! What operators and orchestrators ask: `/healthz`, `/readyz` and `/metrics`, on an address of their own.

use std::{sync::Arc, time::Duration};

use domain::Span;
use jobs::{Clock, evaluator::Health, queue::Queue};
use poem::{
    IntoResponse, Response, Route, get, handler,
    http::{StatusCode, header},
    web::{Data, Json},
};
use serde_json::json;
use storage::{Db, StorageError, fates, ledger, notifications};
use tokio::time::timeout;

use crate::page::headers::RESOURCE_POLICY;

/// An evaluator that has not gone round for this long does not work.
const MAX_EVALUATOR_AGE: Span = Span::secs(10);

/// How long the database and the queue may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the answers are made from.
#[derive(Clone)]
pub struct Ops {
    /// The database.
    pub db: Db,
    /// The queue.
    pub queue: Queue,
    /// This process's evaluator.
    pub health: Arc<Health>,
    /// What time it is.
    pub clock: Clock,
    /// Gives the metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// The endpoint for `FANAL_OPS_LISTEN`.
#[must_use]
pub fn routes(ops: Ops) -> impl poem::Endpoint<Output = Response> {
    use poem::{EndpointExt, middleware::SetHeader};
    // Nothing here is a document: whoever makes a browser take it for one gets nowhere.
    let inert = SetHeader::new()
        .overriding(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
        .overriding(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .overriding(RESOURCE_POLICY, "same-origin");
    Route::new()
        .at("/healthz", get(healthz))
        .at("/readyz", get(readyz))
        .at("/metrics", get(metrics))
        .data(ops)
        .with(inert)
        .map_to_response()
}

/// The process runs and answers.
#[handler]
fn healthz() -> &'static str {
    "ok\n"
}

/// The process can do its work: the database and the queue answer, and somebody evaluates.
#[handler]
async fn readyz(Data(ops): Data<&Ops>) -> Response {
    let reading = async { ledger::read(&mut ops.db.read().await?).await };
    let (reading, queue) = tokio::join!(timeout(PATIENCE, reading), timeout(PATIENCE, ops.queue.outstanding()));
    let reading = reading.unwrap_or(Err(StorageError::Overloaded));
    let (database, queue) = (reading.is_ok(), queue.is_ok_and(|outstanding| outstanding.is_ok()));
    let now = ops.clock.now();
    let age = now.since(ops.health.seen_at());
    let elsewhere = reading.as_ref().is_ok_and(|reading| reading.lease_until >= now.0);
    let evaluator = if ops.health.leads() { age <= MAX_EVALUATOR_AGE } else { elsewhere };
    let ready = database && queue && evaluator;
    let body = json!({
        "ready": ready, "database": database, "queue": queue,
        "evaluator": { "ok": evaluator, "here": ops.health.leads(), "age_seconds": age.0 / 1000 },
    });
    Json(body).with_status(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }).into_response()
}

#[handler]
async fn metrics(Data(ops): Data<&Ops>) -> Response {
    // Without the database the counts are those of a while ago, and the rest is as new as ever.
    let _ = timeout(PATIENCE, count(&ops.db)).await;
    (ops.metrics)().with_content_type("text/plain; version=0.0.4; charset=utf-8").into_response()
}

async fn count(db: &Db) -> Result<(), StorageError> {
    let mut conn = db.read().await?;
    let (owed, pending) = (notifications::n_open(&mut conn).await?, fates::n_pending(&mut conn, 100_000).await?);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    {
        ::metrics::gauge!("fanal_notifications_open").set(owed as f64);
        ::metrics::gauge!("fanal_deliveries_pending").set(pending as f64);
    }
    Ok(())
}
