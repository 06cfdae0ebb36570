//! The way to the provider: through the guard that every request leaves by.

use std::{future::Future, pin::Pin, time::Duration};

use jobs::egress::{Egress, EgressError, EgressPolicy, Request};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

/// How long an answer of the provider may take, and how long it may be.
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 256 << 10;
/// Requests to the provider. Its own host was named by whoever runs this instance, and may lie inside; whatever else it names must be a place
/// that anybody may send us to.
pub(super) struct Door {
    host: Option<String>,
    near: Egress,
    far: Egress,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error("it names no URL")]
    NoUrl,
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
}

impl Door {
    pub(super) fn new(issuer: &Url, allow_private: bool) -> Result<Self, EgressError> {
        let require_tls = issuer.scheme() == "https";
        let to = |allow_private| Egress::new(EgressPolicy { allow_private, require_tls });
        Ok(Self { host: issuer.host_str().map(str::to_owned), near: to(true)?, far: to(allow_private)? })
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Closed> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Closed::NoUrl)?;
        let egress = if url.host_str() == self.host.as_deref() { &self.near } else { &self.far };
        let (method, headers) = (parts.method, parts.headers);
        let request = Request { method, url, headers, body, timeout: TIMEOUT, max_response_bytes: MAX_ANSWER_BYTES };
        let answer = egress.send(request).await?;
        if answer.body.len() >= MAX_ANSWER_BYTES {
            return Err(Closed::TooLong);
        }
        let mut response = HttpResponse::new(answer.body);
        *response.status_mut() = answer.status.try_into().unwrap_or_default();
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Door {
    type Error = Closed;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Closed>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
