//! Security headers of the public page.

use poem::{
    Endpoint, IntoResponse, Middleware, Request, Response, Result,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        },
    },
};
use url::Url;

/// Only our own scripts, styles and requests; nothing inline, no frame around us, and no string becomes markup except through `fanal`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fanal";
/// The same for what any site may frame. It has no forms.
const FRAMED_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors *; require-trusted-types-for 'script'; trusted-types fanal";
/// An owner's picture, opened by itself: a drawing may style itself, and cannot run, fetch or reach anything.
pub(super) const IMAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";
pub(crate) const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
    midi=(), payment=(), usb=(), browsing-topics=()";
const TWO_YEARS: &str = "max-age=63072000; includeSubDomains";

pub(crate) const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
pub(crate) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
pub(crate) const EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
pub(crate) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Who may read a document from another site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Only pages of this site: HTML, scripts, styles.
    SameSite,
    /// Every site, in a frame.
    Frames,
    /// Every site: the JSON API, feeds and badges.
    Everyone,
}

/// Adds every security header that `headers` lacks.
pub(super) fn add(headers: &mut HeaderMap, audience: Audience, https: bool) {
    let common = [
        (CONTENT_SECURITY_POLICY, if audience == Audience::Frames { FRAMED_POLICY } else { POLICY }),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (PERMISSIONS_POLICY, PERMISSIONS),
        (OPENER_POLICY, "same-origin"),
    ];
    let resource = match audience {
        Audience::SameSite => "same-origin",
        Audience::Frames | Audience::Everyone => "cross-origin",
    };
    for (name, value) in common.into_iter().chain([(RESOURCE_POLICY, resource)]) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if audience == Audience::Everyone {
        headers.entry(ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    }
    if audience == Audience::Frames {
        // Pages that isolate themselves may only frame what does so too.
        headers.entry(EMBEDDER_POLICY).or_insert(HeaderValue::from_static("require-corp"));
    }
    if https {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(TWO_YEARS));
    }
}

/// Adds what every answer of the public APIs carries to one that is given in their place.
pub(crate) fn add_for_everyone(headers: &mut HeaderMap, https: bool) {
    add(headers, Audience::Everyone, https);
}

/// A middleware that adds the public page's security headers to responses that bring none.
///
/// Documents of the snapshot carry theirs already; this is for forms, errors and everything else. `Strict-Transport-Security` is sent
/// only when `base_url` is https. Put it outermost: an error that reaches it becomes its plain response.
#[must_use]
pub fn headers(base_url: &Url) -> SecurityHeaders {
    SecurityHeaders { https: base_url.scheme() == "https" }
}

/// See [`headers`].
#[derive(Clone, Copy, Debug)]
pub struct SecurityHeaders {
    https: bool,
}

impl<E: Endpoint> Middleware<E> for SecurityHeaders {
    type Output = SecurityHeadersEndpoint<E>;

    fn transform(&self, endpoint: E) -> Self::Output {
        SecurityHeadersEndpoint { endpoint, https: self.https }
    }
}

/// An endpoint behind [`SecurityHeaders`].
#[derive(Debug)]
pub struct SecurityHeadersEndpoint<E> {
    endpoint: E,
    https: bool,
}

impl<E: Endpoint> Endpoint for SecurityHeadersEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = match self.endpoint.call(request).await {
            Ok(output) => output.into_response(),
            Err(error) => error.into_response(),
        };
        if response.status() == StatusCode::NOT_MODIFIED {
            // What the client holds has its headers; others would replace them, and shut out whom the document is for.
        } else if response.headers().contains_key(CONTENT_SECURITY_POLICY) {
            if self.https {
                response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(TWO_YEARS));
            }
        } else {
            add(response.headers_mut(), Audience::SameSite, self.https);
        }
        Ok(response)
    }
}
