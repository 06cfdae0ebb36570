//! The public page: rendered once per version, then only looked up.
//!
//! [`Snapshot::render`] turns [`domain::PageData`] into documents; [`Page`] holds the snapshot that is served now; [`routes`] serves it.
//! No request for a document of the snapshot touches a database, so the page answers when the database does not. Only what is too old for
//! the snapshot is read when it is asked for.

mod archive;
pub(crate) mod assets;
mod badge;
mod calendar;
mod document;
mod embed;
mod events;
mod feeds;
mod forms;
pub(crate) mod headers;
mod look;
mod markdown;
mod negotiate;
mod routes;
mod security_txt;
mod short_id;
mod site;
mod snapshot;
#[cfg(test)]
mod tests;
mod v2;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::Timestamp;
use storage::Db;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use archive::Archive;
pub use embed::Theme;
pub use events::MAX_STREAMS;
pub use forms::{PublicationPage, SubscribePage, SubscriptionPage, SubscriptionState, subscribe_form};
pub use headers::{SecurityHeaders, headers};
pub use markdown::markdown;
pub use routes::{DocumentsFirst, DocumentsFirstEndpoint, documents_first, routes};
pub use security_txt::SecurityContact;
pub use short_id::{IdKind, short_id};
pub(crate) use site::span_words;
pub use snapshot::{Resource, Snapshot};
pub use v2::Indicator;
pub(crate) use view::Chart;

/// What is served, as told to open pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The version of the data.
    pub version: i64,
    /// Whether the database could not be reached when it was made.
    pub stale: bool,
}

/// What a page has besides its snapshot.
#[derive(Debug, Default)]
pub struct Setup {
    /// Where to read what is too old for the snapshot; without one it does not exist.
    pub archive: Option<Db>,
    /// Whom `/.well-known/security.txt` names; without any there is no such file.
    pub security_contacts: Vec<SecurityContact>,
}

/// The page that is served now, shared by every request.
#[derive(Debug)]
pub struct Page {
    snapshot: ArcSwap<Snapshot>,
    announced: watch::Sender<Announced>,
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
    archive: Option<Archive>,
    security_contacts: Vec<SecurityContact>,
}

impl Page {
    /// Serves `first`; open event streams end when `shutdown` is cancelled.
    #[must_use]
    pub fn new(first: Snapshot, setup: Setup, shutdown: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            archive: setup.archive.map(Archive::new),
            security_contacts: setup.security_contacts,
            announced: watch::Sender::new(first.announced()),
            snapshot: ArcSwap::from_pointee(first),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            shutdown,
        })
    }

    /// Keeps half of so many connections free of event streams, so that new readers always find a place. Call it once, before serving.
    pub fn leave_room(&self, connections: usize) {
        self.streams.forget_permits(MAX_STREAMS.saturating_sub(connections / 2));
    }

    /// What is served now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The page's name.
    pub(crate) fn name(&self) -> String {
        self.snapshot.load().site().name.clone()
    }

    /// The zone in which its days begin.
    pub(crate) fn zone(&self) -> jiff::tz::TimeZone {
        self.snapshot.load().site().zone.clone()
    }

    /// Serves `next` from now on and tells open pages, unless only its time of loading is new.
    ///
    /// Publishing ends staleness. Bars, "last checked" and the days depend on [`domain::PageData::as_of`]: publish at least once a minute.
    pub fn publish(&self, next: Snapshot) {
        let announced = next.announced();
        self.snapshot.store(Arc::new(next));
        self.announced.send_if_modified(|current| std::mem::replace(current, announced) != announced);
    }

    /// Makes every document say that the database has been out of reach since `since`. Does nothing if they say so already.
    pub fn mark_stale(&self, since: Timestamp) {
        let current = self.snapshot.load();
        if !current.announced().stale {
            self.publish(current.as_stale(since));
        }
    }

    /// A receiver of what is served; it changes with every version.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<Announced> {
        self.announced.subscribe()
    }
}
