//! One question to a source, and what comes back.

use std::time::Duration;

use domain::Span;
use integrations::poll::{self, MAX_ANSWER_BYTES};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION},
};
use secrecy::ExposeSecret;
use storage::polls::Memory;
use tokio::time::Instant;
use url::Url;

use super::hosts::Hosts;
use crate::egress::{self, Egress, EgressError, GivenFor, Request, Response};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Redirects followed for one answer; each goes through the same guard.
const MAX_REDIRECTS: usize = 3;

/// What asking once gave.
pub(super) enum Asked {
    /// Nothing new since the last answer.
    Unchanged,
    /// An answer.
    Answer(Response),
    /// None.
    Failed { why: String, wait: Option<Span> },
}

/// Asks a source once.
pub(super) async fn ask(egress: &Egress, hosts: &Hosts, request: &poll::Request, memory: &Memory) -> Asked {
    let failed = |why: String| Asked::Failed { why, wait: None };
    let mut url = match egress.check_url(&request.url) {
        Ok(url) => url,
        Err(error) => return failed(error.to_string()),
    };
    let mut secrets = GivenFor::new(&url);
    for _ in 0..=MAX_REDIRECTS {
        if let Some(wait) = hosts.take(&url, Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let known = secrets.may_go_to(&url);
        let headers = match headers(request, memory, known) {
            Ok(headers) => headers,
            Err(error) => return failed(error.to_string()),
        };
        let body = request.body.clone();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let sent = Request {
            method,
            url: url.clone(),
            headers,
            body: body.unwrap_or_default(),
            timeout: TIMEOUT,
            max_response_bytes: MAX_ANSWER_BYTES + 1,
        };
        let response = match egress.send(sent).await {
            Ok(response) => response,
            Err(error) => return failed(error.to_string()),
        };
        match (response.status, redirect(&response, &url)) {
            (304, _) => return Asked::Unchanged,
            (300..=399, Some(next)) if request.body.is_none() => match egress.check_url(next.as_str()) {
                Ok(next) => url = next,
                Err(error) => return failed(format!("the source has moved: {error}")),
            },
            (status @ (401 | 403), _) if !known && request.headers.iter().any(|(name, _)| name != "accept") => {
                let place = url.origin().ascii_serialization();
                let why = "its secret goes only where it was given for, so set the new address";
                return failed(format!("the source has moved to {place}, which answered {status}: {why}"));
            }
            _ if response.body.len() > MAX_ANSWER_BYTES => {
                return failed(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes"));
            }
            _ => return Asked::Answer(response),
        }
    }
    failed(format!("more than {MAX_REDIRECTS} redirects"))
}

fn redirect(response: &Response, from: &Url) -> Option<Url> {
    from.join(response.headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// The headers of a request; those of the settings only where they were given for.
fn headers(request: &poll::Request, memory: &Memory, known: bool) -> Result<HeaderMap, EgressError> {
    let bad = || EgressError::Url("a header holds characters that cannot be sent".to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| known || *name == "accept") {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, value);
    }
    let conditions = [(IF_NONE_MATCH, &memory.etag), (IF_MODIFIED_SINCE, &memory.last_modified)];
    for (name, value) in conditions {
        // After a failure the whole answer is wanted: it has to end what the failure said.
        if let Some(value) = value.as_deref().filter(|_| memory.failures == 0 && request.body.is_none()) {
            headers.insert(name, egress::header(value)?);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
