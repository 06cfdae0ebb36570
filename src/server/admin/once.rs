//! `Idempotency-Key`: a POST that a client repeats, because it does not know whether it arrived, is done once and answered twice.

use domain::TokenId;
use poem::{
    IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use storage::idempotency::{self, Answer, Claim};
use tracing::error;

use super::{Admin, problem::Problem};

/// The name of the header.
pub(super) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest key.
const MAX_KEY_CHARS: usize = 255;
/// On an answer that was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// How long to wait for a request that is being answered.
const RETRY_AFTER_SECS: u64 = 1;

/// A request that is to be done once.
pub(super) struct Once {
    token: TokenId,
    key: String,
    /// A hash of what is asked.
    request: String,
}

/// The key of a request, if it has one and the method heeds it.
pub(super) fn key(request: &Request, token: TokenId, body: &[u8]) -> Result<Option<Once>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST) else { return Ok(None) };
    let bad = || Problem::malformed(IDEMPOTENCY_KEY, format!("must be 1 to {MAX_KEY_CHARS} visible ASCII characters"));
    let key = value.to_str().ok().filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len())).ok_or_else(bad)?;
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad());
    }
    let digest = Sha256::new().chain_update(request.uri().to_string()).chain_update([0]).chain_update(body).finalize();
    let request = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Once { token, key: key.to_owned(), request }))
}

/// Runs the request, or answers as it was answered before.
pub(super) async fn run(admin: &Admin, once: &Once, answer: impl Future<Output = Response>) -> Result<Response, Problem> {
    let key = idempotency::Key { token: once.token, key: &once.key };
    match idempotency::claim(&admin.db, &admin.secrets, key, &once.request, admin.now()).await? {
        Claim::New => Ok(keep(admin, key, answer.await).await),
        Claim::Answered(answer) => Ok(again(&answer)),
        Claim::Running => Err(Problem::conflict("the request of this Idempotency-Key is still being answered")
            .with_header(header::RETRY_AFTER, RETRY_AFTER_SECS.to_string())),
        Claim::Other => Err(Problem::field(IDEMPOTENCY_KEY, "was used for another request; use a new one")),
    }
}

/// Keeps an answer to something that was done; what was refused changed nothing and may be tried again under the same key.
async fn keep(admin: &Admin, key: idempotency::Key<'_>, mut response: Response) -> Response {
    let kept = if response.status().is_success() {
        let text = match response.take_body().into_string().await {
            Ok(text) => text,
            Err(error) => {
                error!(%error, "An answer could not be read back");
                return Problem::internal().into_response();
            }
        };
        let text_of = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (location, etag) = (text_of(header::LOCATION), text_of(header::ETAG));
        let answer = Answer { status: response.status().as_u16(), location, etag, body: SecretString::from(text.clone()) };
        response.set_body(text);
        idempotency::finish(&admin.db, &admin.secrets, key, &answer).await
    } else {
        idempotency::abandon(&admin.db, key).await
    };
    if let Err(error) = kept {
        error!(error = ?error, "An answer under an Idempotency-Key could not be kept");
    }
    response
}

fn again(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = Response::builder().status(status).header(REPLAYED, HeaderValue::from_static("true"));
    if status != StatusCode::NO_CONTENT {
        response = response.content_type("application/json");
    }
    if let Some(location) = &answer.location {
        response = response.header(header::LOCATION, location);
    }
    if let Some(etag) = &answer.etag {
        response = response.header(header::ETAG, etag);
    }
    response.body(answer.body.expose_secret().to_owned())
}
