//! `/ping/{key}`: heartbeats say that they are alive. Answered once that is durable.

use std::{net::IpAddr, sync::Arc, time::Instant};

use domain::{IntegrationId, Timestamp};
use integrations::heartbeat::{self, MAX_BODY_BYTES, OVERDUE_PREFIX, Ping};
use metrics::counter;
use poem::{
    Body, IntoResponse, Request, Response, Route, RouteMethod, handler,
    http::{StatusCode, header},
    web::{Data, Path},
};
use storage::{StorageError, heartbeats};
use tokio::io::AsyncReadExt;
use tracing::error;

use crate::{
    hub::Hub,
    limits::{Limiter, Rate},
    proxies::client,
};

/// What one address may send: many jobs may share it.
const PER_ADDRESS: Rate = Rate { burst: 200, per_sec: 20.0 };
/// How many keys one address may guess.
const UNKNOWN_PER_ADDRESS: Rate = Rate { burst: 20, per_sec: 0.2 };
/// What one heartbeat may send: every ping is stored.
const PER_HEARTBEAT: Rate = Rate { burst: 30, per_sec: 1.0 };
/// Read and thrown away, since a sender that is still writing when the connection closes never sees the answer.
const MAX_THROWN_AWAY: u64 = 8 << 20;

struct Limits {
    per_address: Limiter<Option<IpAddr>>,
    unknown: Limiter<Option<IpAddr>>,
    per_heartbeat: Limiter<IntegrationId>,
}

/// The addresses, under `/ping`.
pub(crate) fn routes() -> impl poem::Endpoint<Output = Response> {
    use poem::EndpointExt;
    let limits = Arc::new(Limits {
        per_address: Limiter::new(PER_ADDRESS),
        unknown: Limiter::new(UNKNOWN_PER_ADDRESS),
        per_heartbeat: Limiter::new(PER_HEARTBEAT),
    });
    let plain = RouteMethod::new().get(take).post(take).head(take);
    let saying = RouteMethod::new().get(take_saying).post(take_saying).head(take_saying);
    Route::new().at("/:key", plain).at("/:key/:what", saying).data(limits)
}

#[handler]
async fn take(
    Path(key): Path<String>,
    request: &Request,
    body: Body,
    Data(hub): Data<&Arc<Hub>>,
    Data(limits): Data<&Arc<Limits>>,
) -> Response {
    accept(hub, limits, &key, None, client(request), body).await
}

#[handler]
async fn take_saying(
    Path((key, what)): Path<(String, String)>,
    request: &Request,
    body: Body,
    Data(hub): Data<&Arc<Hub>>,
    Data(limits): Data<&Arc<Limits>>,
) -> Response {
    accept(hub, limits, &key, Some(&what), client(request), body).await
}

/// Neither the key nor anything it stands in is logged.
async fn accept(hub: &Arc<Hub>, limits: &Limits, key: &str, what: Option<&str>, from: Option<IpAddr>, body: Body) -> Response {
    let now = Instant::now();
    if let Err(wait) = limits.per_address.take(&from, now) {
        return too_many(wait);
    }
    if let Some(wait) = limits.unknown.must_wait(&from, now) {
        return too_many(wait);
    }
    let (found, body) = (hub.find_heartbeat(key).await, read(body).await);
    let integration = match found {
        Ok(Some(integration)) => integration,
        Ok(None) => {
            let _ = limits.unknown.take(&from, now);
            return text(StatusCode::NOT_FOUND, "There is no such heartbeat.\n");
        }
        Err(_) => return come_again(),
    };
    let Some(ping) = Ping::from_path(what) else {
        return text(StatusCode::NOT_FOUND, "After the key may stand nothing, `start`, `fail`, or an exit status from 0 to 255.\n");
    };
    let Ok(body) = body else { return text(StatusCode::BAD_REQUEST, "The body ended too early.\n") };
    if let Err(wait) = limits.per_heartbeat.take(&integration.id, now) {
        return too_many(wait);
    }
    let at = hub.clock.now();
    let started = if ping == Ping::Start { None } else { hub.began(integration.id).await };
    match hub.inbox.insert(heartbeat::pinged(integration.id, ping, started, &body, at)).await {
        Ok(_) => {
            counter!("fanal_pings_total").increment(1);
            text(StatusCode::OK, "OK")
        }
        Err(failed) => {
            if !matches!(failed, StorageError::Overloaded) {
                error!(error = ?failed, "Could not store a ping");
            }
            come_again()
        }
    }
}

/// The beginning of the body; a long one is no reason to miss a heartbeat.
async fn read(body: Body) -> std::io::Result<Vec<u8>> {
    let mut reader = body.into_async_read();
    let mut start = Vec::new();
    (&mut reader).take(MAX_BODY_BYTES as u64).read_to_end(&mut start).await?;
    tokio::io::copy(&mut reader.take(MAX_THROWN_AWAY), &mut tokio::io::sink()).await?;
    Ok(start)
}

fn text(status: StatusCode, text: &'static str) -> Response {
    Response::builder().status(status).content_type("text/plain; charset=utf-8").header(header::CACHE_CONTROL, "no-store").body(text)
}

fn come_again() -> Response {
    text(StatusCode::SERVICE_UNAVAILABLE, "Not stored; please send it again.\n").with_header(header::RETRY_AFTER, "5").into_response()
}

fn too_many(wait: std::time::Duration) -> Response {
    let secs = wait.as_secs() + 1;
    text(StatusCode::TOO_MANY_REQUESTS, "Too many pings.\n").with_header(header::RETRY_AFTER, secs).into_response()
}

impl Hub {
    /// When the run began that a ping ends, if the newest one says that one has begun. Only for how long it took: whoever cannot tell,
    /// does not.
    async fn began(&self, integration: IntegrationId) -> Option<Timestamp> {
        let mut conn = self.db.read().await.ok()?;
        let newest = heartbeats::newest(&mut conn, integration, OVERDUE_PREFIX).await.ok()??;
        (heartbeat::ping_of(&newest.headers) == Some(Ping::Start)).then_some(newest.at)
    }
}
