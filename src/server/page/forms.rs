//! The pages on which readers subscribe and unsubscribe. What they do is decided elsewhere; here is only how they look.

use std::sync::Arc;

use askama::Template;
use domain::Timestamp;
use poem::{
    Endpoint, Request, Response,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER},
    },
};

use super::{
    Page, headers,
    markdown::markdown,
    site::Site,
    view::{ErrorPage, html},
};

/// When to try again what the database did not answer.
const RETRY_SECS: &str = "10";

/// `/subscribe`: explains the ways to be told, with a form for mail.
///
/// The form posts `address` to `/subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribePage {
    /// Whether mail can be sent at all; without it the page offers feeds alone.
    pub mail: bool,
    /// What the reader typed, kept when it was refused.
    pub address: String,
    /// Why it was refused.
    pub error: Option<String>,
    /// The form was accepted and a mail is on its way. Say so for known and unknown addresses alike.
    pub sent: bool,
}

/// `/subscriptions/{token}`: confirms or ends a subscription.
///
/// A GET shows it and changes nothing, since mail scanners follow links. Its buttons post `action=confirm` or `action=unsubscribe` to the
/// address of the page itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionPage {
    /// Who is told.
    pub address: String,
    /// What about, in words: "everything" or names of components.
    pub scope: String,
    /// Where it stands.
    pub state: SubscriptionState,
}

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Not confirmed yet.
    Pending,
    /// Confirmed.
    Active,
    /// Ended.
    Ended,
}

/// `/publications/{incident}/{verdict}/{token}`: what is about to publish itself, and a button for one verdict on it.
///
/// A GET shows it and changes nothing, since mail scanners follow links. Its button posts to the address of the page itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationPage {
    /// Whether the button vetoes it; else it publishes it now.
    pub veto: bool,
    /// The title that readers would see.
    pub title: String,
    /// The text that they would, in Markdown.
    pub body: String,
    /// The components that it is about, with their status in words.
    pub components: Vec<(String, &'static str)>,
    /// When it began.
    pub since: Timestamp,
    /// When it publishes itself.
    pub due: Timestamp,
}

#[derive(Template)]
#[template(path = "page/publication.html")]
struct Publication<'a> {
    site: &'a Site,
    form: &'a PublicationPage,
    body: String,
}

#[derive(Template)]
#[template(path = "page/note.html")]
struct Note<'a> {
    site: &'a Site,
    title: &'a str,
    text: &'a str,
}

#[derive(Template)]
#[template(path = "page/subscribe.html")]
struct Subscribe<'a> {
    site: &'a Site,
    form: &'a SubscribePage,
}

#[derive(Template)]
#[template(path = "page/subscription.html")]
struct Subscription<'a> {
    site: &'a Site,
    form: &'a SubscriptionPage,
    pending: bool,
    ended: bool,
}

impl Page {
    /// The page of `/subscribe`.
    #[must_use]
    pub fn subscribe(&self, form: &SubscribePage) -> Response {
        let status = if form.error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        self.respond(status, |site| html(&Subscribe { site, form }))
    }

    /// The page of `/subscriptions/{token}`.
    #[must_use]
    pub fn subscription(&self, form: &SubscriptionPage) -> Response {
        let (pending, ended) = (form.state == SubscriptionState::Pending, form.state == SubscriptionState::Ended);
        self.respond(StatusCode::OK, |site| html(&Subscription { site, form, pending, ended }))
    }

    /// The page of `/publications/{incident}/{verdict}/{token}`.
    #[must_use]
    pub fn publication(&self, form: &PublicationPage) -> Response {
        self.respond(StatusCode::OK, |site| html(&Publication { site, form, body: markdown(&form.body) }))
    }

    /// A page that says something to one reader.
    #[must_use]
    pub fn note(&self, title: &str, text: &str) -> Response {
        self.respond(StatusCode::OK, |site| html(&Note { site, title, text }))
    }

    /// A page that says what went wrong, in the page's own design. `text` is shown to readers.
    #[must_use]
    pub fn error(&self, status: StatusCode, title: &str, text: &str) -> Response {
        self.respond(status, |site| html(&ErrorPage { site, code: status.as_u16(), title, text }))
    }

    /// The page for a path that leads nowhere.
    #[must_use]
    pub fn not_found(&self) -> Response {
        self.error(StatusCode::NOT_FOUND, "There is no such page", "It may have been removed, or the address has a typing error.")
    }

    /// The page for what lies in a database that does not answer.
    #[must_use]
    pub(super) fn out_of_reach(&self) -> Response {
        let text = "This page is older than what we keep at hand, and our database does not answer right now. The current status is up to \
            date or says that it is not. Please try again in a minute.";
        let mut response = self.error(StatusCode::SERVICE_UNAVAILABLE, "We cannot look that far back right now", text);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECS));
        response
    }

    /// A page made for one request: never stored by anyone.
    fn respond(&self, status: StatusCode, body: impl FnOnce(&Site) -> String) -> Response {
        let snapshot = self.snapshot();
        let mut response = Response::builder()
            .status(status)
            .content_type("text/html; charset=utf-8")
            .header(CACHE_CONTROL, "no-store")
            .body(body(snapshot.site()));
        headers::add(response.headers_mut(), headers::Audience::SameSite, snapshot.site().https);
        response
    }
}

/// Answers `GET /subscribe` with the empty form. `mail` says whether mail can be sent.
#[must_use]
pub fn subscribe_form(page: Arc<Page>, mail: bool) -> impl Endpoint<Output = Response> {
    poem::endpoint::make(move |_: Request| {
        let page = page.clone();
        async move { Ok::<_, poem::Error>(page.subscribe(&SubscribePage { mail, ..SubscribePage::default() })) }
    })
}
