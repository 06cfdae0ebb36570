//! One question to a source, and what comes back: through redirects, and page by page.

use std::time::Duration;

use domain::Span;
use integrations::poll::{self, Joined, MAX_ANSWER_BYTES, Pages, Poll};
use reqwest::{
    Method,
    header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION},
};
use secrecy::ExposeSecret;
use storage::polls::Memory;
use url::Url;

use super::{PUSH_AGAIN_AFTER, hosts::Hosts};
use crate::{
    Clock,
    egress::{self, Egress, EgressError, GivenFor, Request, Response},
    retry_after,
};

/// How long one exchange may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long an answer may take with all its redirects and pages.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(25);
const _: () = assert!((WHOLE_TIMEOUT.as_millis() as i64) < PUSH_AGAIN_AFTER.0, "nobody else begins before this one has ended");
/// Redirects followed for one answer; each goes through the same guard.
const MAX_REDIRECTS: usize = 3;

/// What asking gave.
pub(super) enum Asked {
    /// Nothing new since the last answer.
    Unchanged,
    /// An answer: all of its pages, as one.
    Answer { response: Response, n_pages: usize },
    /// None.
    Failed { why: String, wait: Option<Span> },
}

impl Asked {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), wait: None }
    }
}

/// The way to the sources.
pub(super) struct Way<'a> {
    pub(super) egress: &'a Egress,
    pub(super) hosts: &'a Hosts,
    pub(super) clock: &'a Clock,
}

impl Way<'_> {
    /// Asks a source for its whole answer.
    pub(super) async fn ask(&self, poll: &Poll, request: &poll::Request, memory: &Memory) -> Asked {
        let whole = async {
            let conditions = conditions(request, memory);
            let first = match self.exchange(request, &conditions, MAX_ANSWER_BYTES).await {
                Ok(first) if first.status == 304 && !conditions.is_empty() => return Asked::Unchanged,
                Ok(first) => first,
                Err(why) => return Asked::failed(why),
            };
            if first.body.len() > MAX_ANSWER_BYTES {
                return Asked::failed(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes"));
            }
            match &poll.pages {
                Some(pages) if is_success(&first) => self.read_on(pages, request, first).await,
                _ => Asked::Answer { response: first, n_pages: 1 },
            }
        };
        let late = |_| Asked::failed(format!("the answer was not complete within {} seconds", WHOLE_TIMEOUT.as_secs()));
        tokio::time::timeout(WHOLE_TIMEOUT, whole).await.unwrap_or_else(late)
    }

    /// Asks for the pages after the first, if there are any. One that fails fails them all: half an answer says nothing of what it lacks.
    async fn read_on(&self, pages: &Pages, request: &poll::Request, first: Response) -> Asked {
        // Whoever reads what is no page says why it is none.
        let Ok(mut joined) = Joined::begin(pages, &first.body) else { return Asked::Answer { response: first, n_pages: 1 } };
        while let Some(next) = joined.next(request) {
            let number = joined.n_pages() + 1;
            let failed = |why: String, wait| Asked::Failed { why: format!("page {number}: {why}"), wait };
            // Unconditionally: that one page is as it was says nothing of the others.
            let page = match self.exchange(&next, &HeaderMap::new(), joined.room()).await {
                Ok(page) if is_success(&page) => page,
                Ok(Response { status, headers, .. }) => {
                    return failed(format!("the source answered {status}"), retry_after::read(&headers, self.clock.now()));
                }
                Err(why) => return failed(why, None),
            };
            match joined.add(&page.body) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return failed(error.to_string(), None),
            }
        }
        let n_pages = joined.n_pages();
        if n_pages == 1 {
            return Asked::Answer { response: first, n_pages };
        }
        let Response { status, mut headers, .. } = first;
        for of_one_page in [ETAG, LAST_MODIFIED] {
            headers.remove(of_one_page);
        }
        Asked::Answer { response: Response { status, headers, body: joined.into_body() }, n_pages }
    }

    /// One request and its answer, through redirects. An answer longer than `max_bytes` comes with one byte more.
    async fn exchange(&self, request: &poll::Request, conditions: &HeaderMap, max_bytes: usize) -> Result<Response, String> {
        let text = |error: EgressError| error.to_string();
        let mut url = self.egress.check_url(&request.url).map_err(text)?;
        let mut secrets = GivenFor::new(&url);
        for _ in 0..=MAX_REDIRECTS {
            self.hosts.wait_at(url.host_str().unwrap_or_default()).await;
            let known = secrets.may_go_to(&url);
            let mut headers = headers(request, known).map_err(text)?;
            headers.extend(conditions.clone());
            let sent = Request {
                method: if request.body.is_some() { Method::POST } else { Method::GET },
                url: url.clone(),
                headers,
                body: request.body.clone().unwrap_or_default(),
                timeout: TIMEOUT,
                max_response_bytes: max_bytes + 1,
            };
            let response = self.egress.send(sent).await.map_err(text)?;
            match (response.status, redirect(&response, &url)) {
                (300..=399, Some(next)) if response.status != 304 && request.body.is_none() => {
                    url = self.egress.check_url(next.as_str()).map_err(|error| format!("the source has moved: {error}"))?;
                }
                (status @ (401 | 403), _) if !known && request.headers.iter().any(|(name, _)| name != "accept") => {
                    let place = url.origin().ascii_serialization();
                    let why = "its secret goes only where it was given for, so set the new address";
                    return Err(format!("the source has moved to {place}, which answered {status}: {why}"));
                }
                _ => return Ok(response),
            }
        }
        Err(format!("more than {MAX_REDIRECTS} redirects"))
    }
}

fn is_success(response: &Response) -> bool {
    (200..=299).contains(&response.status)
}

fn redirect(response: &Response, from: &Url) -> Option<Url> {
    from.join(response.headers.get(LOCATION)?.to_str().ok()?).ok()
}

/// The headers of a request; those of the settings only where they were given for.
fn headers(request: &poll::Request, known: bool) -> Result<HeaderMap, EgressError> {
    let bad = || EgressError::Url("a header holds characters that cannot be sent".to_owned());
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| known || *name == "accept") {
        let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, value);
    }
    Ok(headers)
}

/// Asks only for something new, where that is known. After a failure the whole answer is wanted: it has to end what the failure said.
fn conditions(request: &poll::Request, memory: &Memory) -> HeaderMap {
    if memory.failures > 0 || request.body.is_some() {
        return HeaderMap::new();
    }
    let known = [(IF_NONE_MATCH, &memory.etag), (IF_MODIFIED_SINCE, &memory.last_modified)];
    known.into_iter().filter_map(|(name, value)| Some((name, egress::header(value.as_deref()?).ok()?))).collect()
}

#[cfg(test)]
mod tests;
