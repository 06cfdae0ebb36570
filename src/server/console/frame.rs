//! What surrounds every page of the console: the head, the rail, who is signed in, and the headers.

use askama::Template;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Permission, Resource};
use poem::{
    FromRequest, IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderValue, StatusCode, header},
    web::Html,
};

use secrecy::SecretString;

use crate::page::{
    assets,
    headers::{OPENER_POLICY, PERMISSIONS, PERMISSIONS_POLICY, RESOURCE_POLICY},
};

use super::{
    Console,
    failure::{self, Failure},
    session::{self, Person},
    zone,
};

/// A place in the rail.
pub(super) struct Area {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    /// The heading it stands under. What stands under none is at hand on a phone too, with a drawing named after its place.
    heading: &'static str,
    /// What one must be allowed to see it.
    needs: Option<Permission>,
}

const fn area(heading: &'static str, path: &'static str, name: &'static str, resource: Resource) -> Area {
    Area { path, name, heading, needs: Some(Permission::read(resource)) }
}

impl Area {
    /// Whether this person sees it.
    pub(super) fn is_for(&self, person: &Person) -> bool {
        self.needs.is_none_or(|needed| person.may(needed))
    }
}

/// The rail, top to bottom.
pub(super) const AREAS: &[Area] = &[
    area("", "/console/", "Now", Resource::Incidents),
    area("", "/console/incidents", "Incidents", Resource::Incidents),
    area("", "/console/maintenances", "Maintenance", Resource::Maintenances),
    area("", "/console/components", "Components", Resource::Components),
    area("What comes in", "/console/integrations", "Integrations", Resource::Integrations),
    area("What comes in", "/console/deliveries", "Deliveries", Resource::Deliveries),
    area("What readers get", "/console/incident-templates", "Templates", Resource::Incidents),
    area("What readers get", "/console/page", "Page", Resource::Page),
    area("What readers get", "/console/metrics", "Metrics", Resource::Metrics),
    area("What readers get", "/console/subscribers", "Subscribers", Resource::Subscribers),
    area("What readers get", "/console/notifications", "Notifications", Resource::Notifications),
    area("Who may", "/console/team", "Team", Resource::Users),
    area("Who may", "/console/sessions", "Sessions", Resource::Users),
    area("Who may", "/console/tokens", "Tokens", Resource::Tokens),
    area("Who may", "/console/audit", "Audit", Resource::Audit),
    area("This instance", "/console/system", "System", Resource::Settings),
    Area { path: "/console/profile", name: "Profile", heading: "This instance", needs: None },
];

/// Areas under one heading.
pub(super) struct Heading {
    pub(super) name: &'static str,
    pub(super) areas: Vec<&'static Area>,
}

/// Lets one script of ours run in one answer.
#[derive(Clone, Debug)]
pub(super) struct Nonce(String);

impl Nonce {
    pub(super) fn new() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 18]>()))
    }
}

/// What the layout `console/base.html` shows. Handlers take it as an argument and hand it to their template as `frame`.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(super) page_name: String,
    pub(super) nonce: String,
    pub(super) person: Option<Person>,
    pub(super) path: String,
    /// In which times are read and written.
    pub(super) zone: String,
    pub(super) assets: &'static assets::Links,
}

impl Frame {
    pub(super) fn new(console: &Console, person: Option<&Person>, nonce: &Nonce, path: &str) -> Self {
        Self {
            page_name: console.page.name(),
            nonce: nonce.0.clone(),
            person: person.cloned(),
            path: path.to_owned(),
            zone: zone::name(&zone::of(console, person)),
            assets: assets::links(),
        }
    }

    /// The places this person sees.
    fn areas(&self) -> impl Iterator<Item = &'static Area> {
        let person = self.person.as_ref();
        AREAS.iter().filter(move |area| person.is_some_and(|person| area.is_for(person)))
    }

    /// Those that are at hand everywhere.
    pub(super) fn at_hand(&self) -> Vec<&'static Area> {
        self.areas().filter(|area| area.heading.is_empty()).collect()
    }

    /// The others, by heading.
    pub(super) fn headings(&self) -> Vec<Heading> {
        let mut headings: Vec<Heading> = Vec::new();
        for area in self.areas().filter(|area| !area.heading.is_empty()) {
            match headings.last_mut().filter(|last| last.name == area.heading) {
                Some(last) => last.areas.push(area),
                None => headings.push(Heading { name: area.heading, areas: vec![area] }),
            }
        }
        headings
    }

    /// Whether the page belongs to this area.
    pub(super) fn is_in(&self, area: &&Area) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        match area.path {
            "/console/" => self.path == area.path,
            // Their series are the same to people.
            "/console/maintenances" if self.path.starts_with("/console/maintenance-series") => true,
            path => self.path.strip_prefix(path).is_some_and(below),
        }
    }

    /// The session has got another secret while this page was made: its forms need another token.
    pub(super) fn renew_csrf(&mut self, secret: &SecretString) {
        if let Some(person) = &mut self.person {
            person.csrf = session::csrf_token(secret);
        }
    }

    /// The token for forms; empty for visitors.
    pub(super) fn csrf(&self) -> &str {
        self.person.as_ref().map_or("", |person| &person.csrf)
    }
}

impl<'a> FromRequest<'a> for Frame {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        // The gate puts it there before it calls anybody.
        request.data::<Self>().cloned().ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into())
    }
}

#[derive(Template)]
#[template(path = "console/error.html")]
struct ErrorPage<'a> {
    frame: &'a Frame,
    title: &'a str,
    text: &'a str,
}

/// The page for what went wrong.
pub(super) fn error(frame: &Frame, error: &poem::Error) -> Response {
    let (status, title, text) = failure::words(error);
    let mut response = show(status, &ErrorPage { frame, title, text: &text });
    if let Some(Failure::TooMany(seconds)) = error.downcast_ref::<Failure>() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

/// The HTML of a page of the console that is sent a piece at a time.
pub(super) fn render(template: &impl Template) -> Result<String, Failure> {
    template.render().map_err(|error| {
        tracing::error!(%error, "Could not render a page of the console");
        let detail = "This is our fault; please try again.".to_owned();
        Failure::Refused { status: StatusCode::INTERNAL_SERVER_ERROR, detail }
    })
}

/// Renders a page of the console.
pub(super) fn show(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).with_status(status).into_response(),
        Err(error) => {
            tracing::error!(%error, "Could not render a page of the console");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Leads to another page of the console.
pub(super) fn see_other(path: &str) -> Response {
    poem::web::Redirect::see_other(path).into_response()
}

/// Adds the console's headers. Only scripts of ours that carry this answer's nonce run; nothing of it is kept, framed or named to others.
pub(super) fn secure(response: &mut Response, nonce: &Nonce) {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fanal",
        nonce.0
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (PERMISSIONS_POLICY, PERMISSIONS),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
