//! The public paths. Each answers from the snapshot: a look-up and a write of bytes.

use std::sync::Arc;

use domain::{ComponentId, IncidentId, MaintenanceId};
use poem::{
    Endpoint, Middleware, Request, Response, Result, Route, RouteMethod, get,
    http::{HeaderValue, Method},
};

use super::{
    Page, Resource,
    archive::{Found, Older},
    assets,
    document::STALE_HEADER,
    embed::Theme,
    events::Events,
    look,
    security_txt::SecurityTxt,
};

/// The documents that have one address each.
const FIXED: [(&str, Resource); 12] = [
    ("/", Resource::Home),
    ("/history.atom", Resource::Atom),
    ("/history.rss", Resource::Rss),
    ("/calendar.ics", Resource::Calendar),
    ("/badge.svg", Resource::Badge),
    ("/api/v2/summary.json", Resource::Summary),
    ("/api/v2/status.json", Resource::Status),
    ("/api/v2/components.json", Resource::Components),
    ("/api/v2/incidents/unresolved.json", Resource::Unresolved),
    ("/api/v2/scheduled-maintenances.json", Resource::Maintenances),
    ("/api/v2/scheduled-maintenances/upcoming.json", Resource::UpcomingMaintenances),
    ("/api/v2/scheduled-maintenances/active.json", Resource::ActiveMaintenances),
];

/// The public documents, `/events` and `/assets`, each under its own path: nothing here catches all, so `/proxy/<host>` and every other
/// unknown path stays 404 and other parts of the server can be put beside it.
///
/// `/subscribe` and `/subscriptions/{token}` are not among them, since their other halves change the database.
#[must_use]
pub fn routes(page: &Arc<Page>) -> Route {
    use Resource::{Component, ComponentBadge};
    let mut route = Route::new();
    for (path, resource) in FIXED {
        route = route.at(path, document(page, move |_| Some(resource)));
    }
    let last_page = page.clone();
    route
        .at("/history", older(page, |request| Some(Older::History(page_number(request)))))
        .at("/incidents/:id", older(page, |request| Some(Older::Incident(IncidentId(id(request)?)))))
        .at("/maintenances/:id", older(page, |request| Some(Older::Maintenance(MaintenanceId(id(request)?)))))
        .at("/components/:id", document(page, |request| Some(Component(ComponentId(id(request)?)))))
        .at("/components/:id/badge.svg", document(page, |request| Some(ComponentBadge(ComponentId(id(request)?)))))
        .at(
            "/api/v2/incidents.json",
            document(page, move |request| {
                let last = last_page.snapshot.load().last_incidents_page();
                Some(Resource::Incidents(page_number(request).clamp(1, last)))
            }),
        )
        .at("/embed", document(page, |request| Some(Resource::Embed(Theme::of(request.uri().query())))))
        .at("/.well-known/security.txt", document_endpoint(SecurityTxt { page: page.clone() }))
        .at("/events", get(Events { page: page.clone() }))
        .at("/assets/:name", document_endpoint(Asset { page: page.clone() }))
}

/// Serves GET and HEAD with one endpoint: the server leaves the body out but keeps its length.
fn document_endpoint(endpoint: impl Endpoint<Output = Response> + 'static) -> RouteMethod {
    let endpoint = Arc::new(endpoint);
    get(endpoint.clone()).head(endpoint)
}

fn document<F>(page: &Arc<Page>, resource: F) -> RouteMethod
where
    F: Fn(&Request) -> Option<Resource> + Send + Sync + 'static,
{
    document_endpoint(DocumentEndpoint { page: page.clone(), resource })
}

/// Serves the document that `resource` makes of the request.
struct DocumentEndpoint<F> {
    page: Arc<Page>,
    resource: F,
}

impl<F: Fn(&Request) -> Option<Resource> + Send + Sync> Endpoint for DocumentEndpoint<F> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let snapshot = self.page.snapshot.load();
        let found = (self.resource)(&request).and_then(|resource| snapshot.respond(resource, request.headers()));
        Ok(found.unwrap_or_else(|| self.page.not_found()))
    }
}

fn older<F>(page: &Arc<Page>, wanted: F) -> RouteMethod
where
    F: Fn(&Request) -> Option<Older> + Send + Sync + 'static,
{
    document_endpoint(OlderEndpoint { page: page.clone(), wanted })
}

/// Serves what `wanted` makes of the request: from the snapshot, or from the database if it is too old for that.
struct OlderEndpoint<F> {
    page: Arc<Page>,
    wanted: F,
}

impl<F: Fn(&Request) -> Option<Older> + Send + Sync> Endpoint for OlderEndpoint<F> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let Some(wanted) = (self.wanted)(&request) else { return Ok(self.page.not_found()) };
        let snapshot = self.page.snapshot();
        if let Some(found) = wanted.resource().and_then(|resource| snapshot.respond(resource, request.headers())) {
            return Ok(found);
        }
        let Some(archive) = &self.page.archive else { return Ok(self.page.not_found()) };
        Ok(match archive.find(wanted, &snapshot).await {
            Found::Page(document) => {
                let mut response = document.respond(request.headers());
                if snapshot.announced().stale {
                    response.headers_mut().insert(STALE_HEADER, HeaderValue::from_static("true"));
                }
                response
            }
            Found::Nothing => self.page.not_found(),
            Found::OutOfReach => self.page.out_of_reach(),
        })
    }
}

struct Asset {
    page: Arc<Page>,
}

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let Some(name) = request.raw_path_param("name") else { return Ok(self.page.not_found()) };
        if let Some(asset) = assets::find(name) {
            return Ok(asset.respond(request.headers()));
        }
        let snapshot = self.page.snapshot.load();
        let own = snapshot.file(name).map(|file| file.respond(request.headers()));
        let sheet = || look::sheet_named(name).map(|sheet| sheet.respond(request.headers()));
        Ok(own.or_else(sheet).unwrap_or_else(|| self.page.not_found()))
    }
}

/// The number in the path; only the plain form, so that one thing has one address.
fn id(request: &Request) -> Option<i64> {
    let text = request.raw_path_param("id")?;
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

/// The number behind `?page=`; nonsense is the first page, as if it were not there.
fn page_number(request: &Request) -> usize {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').find_map(|pair| pair.strip_prefix("page=")).and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(1)
}

/// A middleware that answers readers of the documents with one address before anything that only other requests need: routing, who asks,
/// the data of forms and hooks. Put it outermost.
#[must_use]
pub fn documents_first(page: &Arc<Page>) -> DocumentsFirst {
    DocumentsFirst { page: page.clone() }
}

/// See [`documents_first`].
#[derive(Clone, Debug)]
pub struct DocumentsFirst {
    page: Arc<Page>,
}

impl<E: Endpoint<Output = Response>> Middleware<E> for DocumentsFirst {
    type Output = DocumentsFirstEndpoint<E>;

    fn transform(&self, endpoint: E) -> Self::Output {
        DocumentsFirstEndpoint { page: self.page.clone(), endpoint }
    }
}

/// An endpoint behind [`DocumentsFirst`].
#[derive(Debug)]
pub struct DocumentsFirstEndpoint<E> {
    page: Arc<Page>,
    endpoint: E,
}

impl<E> DocumentsFirstEndpoint<E> {
    fn document(&self, request: &Request) -> Option<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let path = request.uri().path();
        let (_, resource) = FIXED.iter().find(|(fixed, _)| *fixed == path)?;
        self.page.snapshot.load().respond(*resource, request.headers())
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for DocumentsFirstEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match self.document(&request) {
            Some(response) => Ok(response),
            None => self.endpoint.call(request).await,
        }
    }
}
