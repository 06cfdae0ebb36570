//! Pages of what is too old for the snapshot: read from the database when asked for, and kept while nothing changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{IncidentId, MaintenanceId};
use storage::{Db, StorageError};
use tokio::sync::Semaphore;
use tracing::warn;

use super::{
    Resource, Snapshot,
    document::Document,
    snapshot::clean,
    view::{History, IncidentPage, MaintenancePage, html},
};

/// Reads at once: strangers who walk through old pages leave connections for everybody else.
const MAX_READS: usize = 2;
/// How long a reader waits for a place and for the database.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is kept at most.
const MAX_KEPT: usize = 256;
const MAX_KEPT_BYTES: usize = 8 << 20;

/// A page that may be too old for the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Older {
    Incident(IncidentId),
    Maintenance(MaintenanceId),
    /// The first page is number 1.
    History(usize),
}

impl Older {
    /// The same page in the snapshot, if it is there.
    pub(super) const fn resource(self) -> Option<Resource> {
        match self {
            Self::Incident(id) => Some(Resource::Incident(id)),
            Self::Maintenance(id) => Some(Resource::Maintenance(id)),
            Self::History(1) => Some(Resource::History),
            Self::History(_) => None,
        }
    }
}

/// What came of a search.
pub(super) enum Found {
    Page(Arc<Document>),
    /// Readers may see no such thing.
    Nothing,
    /// The database does not answer, or too many ask.
    OutOfReach,
}

/// Old pages, and those that were asked for lately.
#[derive(Debug)]
pub(super) struct Archive {
    db: Db,
    places: Semaphore,
    kept: Mutex<Kept>,
}

impl Archive {
    pub(super) fn new(db: Db) -> Self {
        Self { db, places: Semaphore::new(MAX_READS), kept: Mutex::default() }
    }

    /// The page as of `snapshot`'s version. Does not ask a database that is known to be out of reach.
    pub(super) async fn find(&self, wanted: Older, snapshot: &Arc<Snapshot>) -> Found {
        if let Some(document) = self.kept(wanted, snapshot) {
            return Found::Page(document);
        }
        if snapshot.announced().stale {
            return Found::OutOfReach;
        }
        match tokio::time::timeout(PATIENCE, self.read(wanted, snapshot)).await {
            Ok(Ok(Some(document))) => Found::Page(document),
            Ok(Ok(None)) => Found::Nothing,
            Ok(Err(failed)) => {
                warn!(error = ?failed, "An old page cannot be read");
                Found::OutOfReach
            }
            Err(_) => Found::OutOfReach,
        }
    }

    async fn read(&self, wanted: Older, snapshot: &Arc<Snapshot>) -> Result<Option<Arc<Document>>, StorageError> {
        let Ok(_place) = self.places.acquire().await else { return Ok(None) };
        // Somebody may have read it while we waited.
        if let Some(document) = self.kept(wanted, snapshot) {
            return Ok(Some(document));
        }
        let Some(page) = load(&self.db, wanted).await? else { return Ok(None) };
        let shown = snapshot.clone();
        let rendered = tokio::task::spawn_blocking(move || Arc::new(render(&page, &shown))).await;
        let Ok(document) = rendered else { return Ok(None) };
        self.keep(wanted, snapshot, &document);
        Ok(Some(document))
    }

    fn kept(&self, wanted: Older, snapshot: &Snapshot) -> Option<Arc<Document>> {
        let kept = self.kept.lock().ok()?;
        // Yesterday's page is better than none.
        let current = kept.version == snapshot.version() && (kept.today == snapshot.site().today() || snapshot.announced().stale);
        current.then(|| kept.documents.get(&wanted).cloned()).flatten()
    }

    fn keep(&self, wanted: Older, snapshot: &Snapshot, document: &Arc<Document>) {
        let Ok(mut kept) = self.kept.lock() else { return };
        let (version, today) = (snapshot.version(), snapshot.site().today());
        let full = kept.documents.len() >= MAX_KEPT || kept.n_bytes + document.n_bytes() > MAX_KEPT_BYTES;
        if kept.version != version || kept.today != today || full {
            *kept = Kept { version, today, ..Kept::default() };
        }
        kept.n_bytes += document.n_bytes();
        kept.documents.insert(wanted, document.clone());
    }
}

/// Pages of one version and day; another version may hide what these show, so they go all at once.
#[derive(Debug, Default)]
struct Kept {
    version: i64,
    today: i32,
    n_bytes: usize,
    documents: HashMap<Older, Arc<Document>>,
}

enum OldPage {
    Incident(domain::PageIncident),
    Maintenance(domain::Maintenance),
    History(usize, domain::PageHistory),
}

async fn load(db: &Db, wanted: Older) -> Result<Option<OldPage>, StorageError> {
    Ok(match wanted {
        Older::Incident(id) => storage::page::incident(db, id).await?.map(|mut shown| {
            clean::incident(&mut shown);
            OldPage::Incident(shown)
        }),
        Older::Maintenance(id) => storage::page::maintenance(db, id).await?.map(|mut shown| {
            clean::maintenance(&mut shown);
            OldPage::Maintenance(shown)
        }),
        Older::History(page) => {
            let mut history = storage::page::history(db, page).await?;
            history.incidents.iter_mut().for_each(clean::incident);
            history.maintenances.iter_mut().for_each(clean::maintenance);
            let any = !history.incidents.is_empty() || !history.maintenances.is_empty();
            any.then_some(OldPage::History(page, history))
        }
    })
}

fn render(page: &OldPage, snapshot: &Snapshot) -> Document {
    snapshot.render_older(|view| match page {
        OldPage::Incident(shown) => html(&IncidentPage::new(shown, view)),
        OldPage::Maintenance(shown) => html(&MaintenancePage::new(shown, view)),
        OldPage::History(page, history) => html(&History::older(*page, history, view)),
    })
}
