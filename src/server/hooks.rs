//! `POST /hooks/{integration}`: takes a webhook in and answers before anything is interpreted.
//!
//! `OPTIONS` gives leave to senders that ask for it, see
//! <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection>.

use std::sync::Arc;

use domain::NewDelivery;
use integrations::{Credentials, Inbound, Refusal};
use metrics::counter;
use poem::{
    Body, IntoResponse, Request, Response, Route, handler,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    post,
    web::{Data, Json, Path},
};
use serde_json::json;
use storage::{Arrival, StorageError};
use tokio::io::AsyncReadExt;
use tracing::{error, info};

use crate::hub::{Hub, Integration};

/// The largest body of a webhook, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// How long a sender is asked to wait when there is no room, in seconds.
const RETRY_AFTER_SECS: &str = "5";

/// The hooks, under `/hooks`.
pub(crate) fn routes() -> Route {
    Route::new()
        .at("/:integration", post(receive).options(give_leave))
        .at("/:integration/:token", post(receive_with_token).options(give_leave_with_token))
}

#[handler]
async fn give_leave(Path(key): Path<String>, request: &Request, Data(hub): Data<&Arc<Hub>>) -> Response {
    leave(hub, &key, request.headers()).await
}

#[handler]
async fn give_leave_with_token(Path((key, _)): Path<(String, String)>, request: &Request, Data(hub): Data<&Arc<Hub>>) -> Response {
    leave(hub, &key, request.headers()).await
}

/// Lets whoever asks send, at any rate: what it sends must still prove itself. An address to call back is never called.
async fn leave(hub: &Hub, key: &str, headers: &HeaderMap) -> Response {
    let provider = match hub.find(key).await {
        Ok(Some(integration)) => integrations::find(&integration.provider),
        Ok(None) => return unknown(),
        Err(_) => return come_again(),
    };
    let asks_leave = provider.is_some_and(|provider| provider.quirks.asks_leave);
    let answer = Response::builder().status(StatusCode::NO_CONTENT).header(header::ALLOW, "OPTIONS, POST");
    match headers.get("webhook-request-origin") {
        Some(origin) if asks_leave => {
            answer.header("webhook-allowed-origin", origin.clone()).header("webhook-allowed-rate", "*").status(StatusCode::OK).finish()
        }
        _ => answer.finish(),
    }
}

#[handler]
async fn receive(Path(key): Path<String>, request: &Request, body: Body, Data(hub): Data<&Arc<Hub>>) -> Response {
    accept(hub, &key, None, request.headers(), body).await
}

#[handler]
async fn receive_with_token(
    Path((key, token)): Path<(String, String)>,
    request: &Request,
    body: Body,
    Data(hub): Data<&Arc<Hub>>,
) -> Response {
    accept(hub, &key, Some(&token), request.headers(), body).await
}

/// The whole body; `None` if it is larger than [`MAX_BODY_BYTES`]. A little more is read and thrown away then, since a sender that is
/// still writing when the connection closes never sees the answer.
async fn read(body: Body) -> std::io::Result<Option<Vec<u8>>> {
    const MAX_THROWN_AWAY: u64 = 8 << 20;
    let mut reader = body.into_async_read();
    let mut bytes = Vec::new();
    (&mut reader).take(MAX_BODY_BYTES as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() <= MAX_BODY_BYTES {
        return Ok(Some(bytes));
    }
    tokio::io::copy(&mut reader.take(MAX_THROWN_AWAY), &mut tokio::io::sink()).await?;
    Ok(None)
}

/// Reads top to bottom: known, small enough, proven, durable, acknowledged.
async fn accept(hub: &Arc<Hub>, key: &str, token: Option<&str>, headers: &HeaderMap, body: Body) -> Response {
    // The body is read even for nobody: an answer to a half-read request closes the connection under the sender's feet.
    let (found, body) = (hub.find(key).await, read(body).await);
    let integration = match found {
        Ok(Some(integration)) => integration,
        Ok(None) => return unknown(),
        Err(_) => return come_again(),
    };
    let body = match body {
        Ok(Some(body)) => body,
        Ok(None) => {
            hub.reject(integration.id, "too_large", "the body is larger than 1 MiB");
            return problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body may have at most 1048576 bytes.");
        }
        Err(_) => return problem(StatusCode::BAD_REQUEST, "incomplete", "The body ended too early."),
    };
    let headers = to_domain(headers);
    let inbound = Inbound { headers: &headers, path_token: token, body: &body, received_at: hub.clock.now() };
    let delivery = match verify(hub, &integration, &inbound).await {
        Ok(delivery) => delivery,
        Err(NotTaken::Later) => return come_again(),
        Err(NotTaken::Refused(refusal)) => {
            info!(integration = key, reason = refusal.code(), "Turned a webhook away");
            counter!("fanal_hooks_total", "provider" => integration.provider.clone(), "result" => refusal.code()).increment(1);
            hub.reject(integration.id, refusal.code(), &refusal.to_string());
            return refused(&refusal, &integration);
        }
    };
    match store(hub, &integration, &inbound, delivery).await {
        Ok(arrival) => {
            // One that came again is acknowledged as the first was, so that its sender is content.
            let result = if arrival == Arrival::New { "accepted" } else { "duplicate" };
            counter!("fanal_hooks_total", "provider" => integration.provider.clone(), "result" => result).increment(1);
            StatusCode::ACCEPTED.into_response()
        }
        Err(failed) => {
            if !matches!(failed, StorageError::Overloaded) {
                error!(error = ?failed, "Could not store a delivery");
            }
            come_again()
        }
    }
}

/// Makes a delivery durable, and the call that its sender may wait for.
async fn store(hub: &Hub, integration: &Integration, inbound: &Inbound<'_>, delivery: NewDelivery) -> Result<Arrival, StorageError> {
    let confirm = integrations::find(&integration.provider).and_then(|provider| provider.quirks.confirm);
    let asked = confirm.and_then(|confirm| confirm(inbound, &integration.settings));
    let external_id = delivery.external_id.clone();
    let arrival = hub.inbox.insert(delivery).await?;
    if arrival == Arrival::Again {
        hub.count_again(integration.id, &external_id);
    }
    if let Some(confirmation) = asked {
        hub.owe_call(integration.id, &external_id, &confirmation).await?;
    }
    Ok(arrival)
}

/// Why a request becomes no delivery.
enum NotTaken {
    Refused(Refusal),
    /// What it takes to verify it cannot be had now.
    Later,
}

async fn verify(hub: &Hub, integration: &Integration, inbound: &Inbound<'_>) -> Result<NewDelivery, NotTaken> {
    let settings = &integration.settings;
    let needs = integrations::find(&integration.provider).and_then(|provider| provider.quirks.document);
    let document = match needs {
        None => None,
        Some(needs) => {
            let url = needs(inbound, settings).map_err(|reason| NotTaken::Refused(reason.into()))?;
            Some(hub.documents.get(&url).await.map_err(|_| NotTaken::Later)?)
        }
    };
    let document = document.as_ref().map(|document| document.as_slice());
    let credentials = Credentials { secrets: &integration.secrets, settings, document };
    integrations::accept(&integration.provider, integration.id, &credentials, inbound).map_err(NotTaken::Refused)
}

fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "unknown_integration", "There is no such integration.")
}

fn come_again() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Not stored; please send it again.")
        .with_header(header::RETRY_AFTER, RETRY_AFTER_SECS)
        .into_response()
}

fn refused(refusal: &Refusal, integration: &Integration) -> Response {
    match refusal {
        Refusal::Unauthorized { reason } => {
            let mut response = problem(StatusCode::UNAUTHORIZED, refusal.code(), &reason.to_string());
            for challenge in integrations::challenges(&integration.provider, &integration.settings) {
                response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            response
        }
        Refusal::UnsupportedMediaType { .. } => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, refusal.code(), &refusal.to_string()),
        Refusal::UnknownProvider(_) => problem(StatusCode::NOT_FOUND, refusal.code(), &refusal.to_string()),
    }
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body =
        json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "code": code, "detail": detail });
    Json(body).with_content_type("application/problem+json").with_status(status).into_response()
}

/// Names in lower case; a value that is not text can be no signature.
fn to_domain(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}
