//! One version of the page: every public document, rendered at most once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use domain::{ComponentId, GroupId, Image, IncidentId, MaintenanceId, MetricId, PageData, PageSettings, Status, Timestamp};
use poem::{Response, http::HeaderMap};
use url::Url;

use super::{
    Announced, badge, calendar,
    document::{Document, Kind},
    embed::{self, Theme},
    feeds,
    look::{self, Look},
    site::Site,
    v2::{self, Body},
    view::{Chart, ComponentPage, Headline, History, Home, IncidentPage, MaintenancePage, View, html},
};

pub(super) mod clean;

/// A public document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `/`
    Home,
    /// `/history`
    History,
    /// `/incidents/{id}`
    Incident(IncidentId),
    /// `/maintenances/{id}`
    Maintenance(MaintenanceId),
    /// `/components/{id}`
    Component(ComponentId),
    /// `/embed`
    Embed(Theme),
    /// `/badge.svg`
    Badge,
    /// `/components/{id}/badge.svg`
    ComponentBadge(ComponentId),
    /// `/history.atom`
    Atom,
    /// `/history.rss`
    Rss,
    /// `/calendar.ics`
    Calendar,
    /// `/api/v2/summary.json`
    Summary,
    /// `/api/v2/status.json`
    Status,
    /// `/api/v2/components.json`
    Components,
    /// `/api/v2/incidents.json`, of which there are several documents when `?page=` is given; the first is 1.
    Incidents(usize),
    /// `/api/v2/incidents/unresolved.json`
    Unresolved,
    /// `/api/v2/scheduled-maintenances.json`
    Maintenances,
    /// `/api/v2/scheduled-maintenances/upcoming.json`
    UpcomingMaintenances,
    /// `/api/v2/scheduled-maintenances/active.json`
    ActiveMaintenances,
}

/// Documents made ahead of the first request: whoever walks through all pages must not make every version dear.
const MAX_PREPARED: usize = 64;
/// How many components a draft of the page shows.
const DRAFT_COMPONENTS: usize = 8;
/// How many incidents, and how many maintenances.
const DRAFT_EVENTS: usize = 3;

/// One version of the page.
///
/// Documents are made when first asked for, from the data held here and never from a database; see [`Snapshot::prepare_like`] for those
/// that nobody should have to wait for.
#[derive(Debug)]
pub struct Snapshot {
    site: Site,
    data: Arc<PageData>,
    base_url: Url,
    origin: String,
    /// In boxes: most of thousands are never asked for.
    documents: HashMap<Resource, OnceLock<Box<Document>>>,
    /// Logo, icon and colours, by the last part of their paths.
    files: HashMap<String, Document>,
}

impl Snapshot {
    /// Renders a version. `base_url` is where readers reach the page.
    #[must_use]
    pub fn render(data: &PageData, base_url: &Url) -> Self {
        Self::new(Arc::new(clean::clean(data.clone())), base_url.clone(), None)
    }

    /// The same version, saying that the database has been out of reach since `since`.
    pub(super) fn as_stale(&self, since: Timestamp) -> Self {
        let stale = Self::new(self.data.clone(), self.base_url.clone(), Some(since));
        stale.prepare_like(self);
        stale
    }

    fn new(data: Arc<PageData>, base_url: Url, stale: Option<Timestamp>) -> Self {
        let site = Site::new(&data, &base_url, stale);
        let documents = resources(&data).into_iter().map(|resource| (resource, OnceLock::new())).collect();
        let origin = base_url.origin().ascii_serialization();
        let files = look::files(&data.settings.brand, &data.images);
        Self { site, data, base_url, origin, documents, files }
    }

    /// Makes every document that readers have asked for of late, in the encodings they asked for. To be done before this version is served,
    /// and not where requests are answered: it may take a while.
    pub fn prepare_like(&self, before: &Self) {
        let wanted = before.documents.iter().filter_map(|(resource, slot)| Some((*resource, slot.get().filter(|made| made.is_wanted())?)));
        for (resource, made) in wanted.take(MAX_PREPARED) {
            if let Some(document) = self.document(resource) {
                document.prepare_like(made);
            }
        }
    }

    /// The version of the data.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.site.version
    }

    pub(super) fn announced(&self) -> Announced {
        Announced { version: self.site.version, stale: self.site.stale.is_some() }
    }

    /// The origin of the page's own requests, as a browser names it.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// What readers may see.
    pub(crate) fn data(&self) -> &PageData {
        &self.data
    }

    /// A metric as readers see it.
    pub(crate) fn chart(&self, id: MetricId) -> Option<Chart<'_>> {
        self.data.metrics.iter().find(|shown| shown.metric.id == id).map(|shown| Chart::new(shown, &self.site))
    }

    /// The bytes of a document, uncompressed; `None` if there is no such thing for readers.
    #[must_use]
    pub fn bytes(&self, resource: Resource) -> Option<bytes::Bytes> {
        self.document(resource).map(|document| document.plain().clone())
    }

    /// Answers a request with these headers; `None` if there is no such thing for readers.
    pub(super) fn respond(&self, resource: Resource, request: &HeaderMap) -> Option<Response> {
        self.document(resource).map(|document| document.respond(request))
    }

    /// A file of the brand.
    pub(super) fn file(&self, name: &str) -> Option<&Document> {
        self.files.get(name)
    }

    /// The front page as it would be with these settings and images: its head, its foot, and the beginning of what stands between. It holds
    /// no scripts.
    pub(crate) fn draft(&self, settings: PageSettings, images: &BTreeMap<String, Image>, theme: Theme) -> String {
        let mut data = clean::clean(PageData { settings, images: Vec::new(), ..PageData::clone(&self.data) });
        data.components.truncate(DRAFT_COMPONENTS);
        let mut held: HashSet<GroupId> = data.components.iter().filter_map(|shown| shown.component.group).collect();
        // Their ancestors, however deep: as many rounds as there are groups are enough.
        while data.groups.iter().any(|group| held.contains(&group.id) && group.parent.is_some_and(|parent| held.insert(parent))) {}
        data.groups.retain(|group| held.contains(&group.id));
        data.incidents.truncate(DRAFT_EVENTS);
        data.maintenances.truncate(DRAFT_EVENTS);
        data.metrics.clear();
        let mut site = Site::new(&data, &self.base_url, None);
        site.draft = Some(theme);
        site.look = Look::new(&data.settings, |mark| images.get(&mark.digest).map_or_else(|| mark.path(), Image::to_data_url));
        html(&Home::new(&View::new(&site, &data)))
    }

    /// A page of what is not held here, as a part of this version.
    pub(super) fn render_older(&self, body: impl FnOnce(&View<'_>) -> String) -> Document {
        Document::new(Kind::Html, body(&View::new(&self.site, &self.data)), self.site.https, false)
    }

    /// The last document of `incidents.json`: one behind the last full one, so that clients that page see an end.
    pub(super) fn last_incidents_page(&self) -> usize {
        last_incidents_page(&self.data)
    }

    fn document(&self, resource: Resource) -> Option<&Document> {
        let slot = self.documents.get(&resource)?;
        Some(slot.get_or_init(|| {
            let view = View::new(&self.site, &self.data);
            let (kind, body) = render(resource, &view);
            Box::new(Document::new(kind, body, self.site.https, self.site.stale.is_some()))
        }))
    }
}

fn last_incidents_page(data: &PageData) -> usize {
    data.incidents.len().div_ceil(v2::PER_PAGE) + 1
}

/// Everything that can be asked for.
#[cfg(test)]
pub(super) fn all(snapshot: &Snapshot) -> Vec<Resource> {
    resources(&snapshot.data)
}

/// Everything that can be asked for.
fn resources(data: &PageData) -> Vec<Resource> {
    use Resource::{
        ActiveMaintenances, Atom, Badge, Calendar, Component, ComponentBadge, Components, History, Home, Incident, Incidents, Maintenance,
        Maintenances, Rss, Status, Summary, Unresolved, UpcomingMaintenances,
    };
    let mut list = vec![
        Home,
        History,
        Badge,
        Atom,
        Rss,
        Calendar,
        Summary,
        Status,
        Components,
        Unresolved,
        Maintenances,
        UpcomingMaintenances,
        ActiveMaintenances,
    ];
    list.extend(Theme::ALL.map(Resource::Embed));
    list.extend((1..=last_incidents_page(data)).map(Incidents));
    list.extend(data.incidents.iter().map(|shown| Incident(shown.incident.id)));
    list.extend(data.maintenances.iter().map(|maintenance| Maintenance(maintenance.id)));
    list.extend(data.components.iter().flat_map(|shown| [Component(shown.component.id), ComponentBadge(shown.component.id)]));
    list
}

fn render(resource: Resource, view: &View<'_>) -> (Kind, String) {
    let json = |body: Body<'_>| (Kind::Json, body.json());
    match resource {
        Resource::Home => (Kind::Html, html(&Home::new(view))),
        Resource::History => (Kind::Html, html(&History::newest(view))),
        Resource::Incident(id) => {
            let found = view.data.incidents.iter().find(|shown| shown.incident.id == id);
            (Kind::Html, found.map(|shown| html(&IncidentPage::new(shown, view))).unwrap_or_default())
        }
        Resource::Maintenance(id) => {
            let found = view.data.maintenances.iter().find(|maintenance| maintenance.id == id);
            (Kind::Html, found.map(|maintenance| html(&MaintenancePage::new(maintenance, view))).unwrap_or_default())
        }
        Resource::Component(id) => (Kind::Html, view.shown(id).map(|shown| html(&ComponentPage::new(shown, view))).unwrap_or_default()),
        Resource::Embed(theme) => (Kind::Embed, embed::widget(view, theme)),
        Resource::Badge => (Kind::Badge, badge::badge(&view.site.name, overall(view))),
        Resource::ComponentBadge(id) => {
            let status = |known: Status| if view.site.stale.is_some() { Status::Unknown } else { known };
            let drawn = view.component(id).map(|component| badge::badge(&component.name, status(component.status)));
            (Kind::Badge, drawn.unwrap_or_default())
        }
        Resource::Atom => (Kind::Atom, feeds::atom(view)),
        Resource::Rss => (Kind::Rss, feeds::rss(view)),
        Resource::Calendar => (Kind::Calendar, calendar::calendar(view)),
        Resource::Summary => json(Body::summary(view)),
        Resource::Status => json(Body::status(view)),
        Resource::Components => json(Body::components(view)),
        Resource::Incidents(page) => json(Body::incidents(view, page)),
        Resource::Unresolved => json(Body::unresolved(view)),
        Resource::Maintenances => json(Body::scheduled(view, |_| true)),
        Resource::UpcomingMaintenances => json(Body::scheduled(view, |status| status == "scheduled")),
        Resource::ActiveMaintenances => json(Body::scheduled(view, |status| status == "in_progress")),
    }
}

/// The worst of all components, or unknown when what we have is old.
fn overall(view: &View<'_>) -> Status {
    if view.site.stale.is_some() { Status::Unknown } else { Headline::of(view.data).status }
}
