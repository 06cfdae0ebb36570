//! A limit for those who ask the public APIs without end. The page itself is not counted: it costs less than counting.

use std::{net::IpAddr, sync::Arc, time::Instant};

use poem::{
    Endpoint, Middleware, Request, Response, Result,
    http::{HeaderName, StatusCode, header},
};

use url::Url;

use crate::{
    limits::{Limiter, PUBLIC_API_PER_ADDRESS},
    page::headers,
    proxies::TrustedProxies,
};

/// Where the public APIs are.
const PREFIX: &str = "/api/v";

/// Counts requests to the public APIs, by address.
pub(crate) struct PublicLimit {
    per_address: Arc<Limiter<IpAddr>>,
    proxies: TrustedProxies,
    https: bool,
}

impl PublicLimit {
    pub(crate) fn new(proxies: &TrustedProxies, base_url: &Url) -> Self {
        let per_address = Arc::new(Limiter::new(PUBLIC_API_PER_ADDRESS));
        Self { per_address, proxies: proxies.clone(), https: base_url.scheme() == "https" }
    }
}

impl<E: Endpoint<Output = Response>> Middleware<E> for PublicLimit {
    type Output = LimitedEndpoint<E>;

    fn transform(&self, endpoint: E) -> Self::Output {
        LimitedEndpoint { endpoint, per_address: self.per_address.clone(), proxies: self.proxies.clone(), https: self.https }
    }
}

/// An endpoint behind [`PublicLimit`].
pub(crate) struct LimitedEndpoint<E> {
    endpoint: E,
    per_address: Arc<Limiter<IpAddr>>,
    proxies: TrustedProxies,
    https: bool,
}

impl<E: Endpoint<Output = Response>> Endpoint for LimitedEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if request.uri().path().starts_with(PREFIX)
            && let Some(client) = self.proxies.client_of(&request)
            && let Some(mut refusal) = refuse(&self.per_address, client)
        {
            headers::add_for_everyone(refusal.headers_mut(), self.https);
            return Ok(refusal);
        }
        self.endpoint.call(request).await
    }
}

fn refuse(per_address: &Limiter<IpAddr>, client: IpAddr) -> Option<Response> {
    if is_inside(client) {
        return None;
    }
    let wait = per_address.take(&client, Instant::now()).err()?;
    Some(too_many(wait.as_secs_f64().ceil().max(1.0)))
}

/// Strangers do not come from private networks. Whoever does is one of ours, or a proxy that nobody told us of: to count all readers
/// behind it as one would shut them out in the middle of an outage.
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

fn too_many(seconds: f64) -> Response {
    let limit = HeaderName::from_static("ratelimit");
    Response::builder()
        .status(StatusCode::TOO_MANY_REQUESTS)
        .content_type("application/json")
        .header(header::RETRY_AFTER, seconds.to_string())
        .header(limit, format!("\"address\";r=0;t={seconds}"))
        .header(HeaderName::from_static("ratelimit-policy"), PUBLIC_API_PER_ADDRESS.policy("address"))
        .header(header::CACHE_CONTROL, "no-store")
        .body(r#"{"error":"too many requests"}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_who_goes_mad_is_told_to_wait_and_nobody_else() {
        let per_address = Limiter::new(PUBLIC_API_PER_ADDRESS);
        let refused = |address: &str| refuse(&per_address, address.parse().unwrap());
        let refusal = (0..2 * PUBLIC_API_PER_ADDRESS.burst).find_map(|_| refused("198.51.100.1")).unwrap();
        assert_eq!(refusal.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refusal.headers()["retry-after"], "1");
        assert_eq!(refusal.headers()["ratelimit-policy"], "\"address\";q=600;w=10");
        assert!(refused("198.51.100.2").is_none());
        for _ in 0..2 * PUBLIC_API_PER_ADDRESS.burst {
            assert!(refused("10.1.2.3").is_none() && refused("::ffff:127.0.0.1").is_none() && refused("fd00::1").is_none());
        }
    }
}
