//! Documents that requests are verified with, such as the certificates of a sender: fetched, kept for a while, and fetched once at a time.
//!
//! An unproven request says which one it needs. The provider lets it name nothing but the sender's own places; here it is kept from making
//! us fetch much, or keep much.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jobs::egress::{Egress, HeaderMap, Method, Request};
use tokio::sync::Semaphore;
use tracing::warn;
use url::Url;

/// How long a document is used without being fetched again.
const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a document that could not be fetched is not tried again.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a request waits for its document. Senders give up after some 15 s.
const PATIENCE: Duration = Duration::from_secs(5);
/// Documents kept at once.
const MAX_DOCUMENTS: usize = 64;
/// Documents fetched at once.
const MAX_FETCHES: usize = 8;
/// The largest document.
const MAX_BYTES: usize = 32 << 10;

/// The document cannot be had now.
#[derive(Debug)]
pub(crate) struct Unavailable;

/// Documents by their address.
pub(crate) struct Documents {
    egress: Egress,
    known: Mutex<HashMap<String, Arc<Place>>>,
    fetches: Semaphore,
}

/// Locked while it is fetched.
type Place = tokio::sync::Mutex<Option<Fetched>>;

struct Fetched {
    at: Instant,
    content: Option<Arc<Vec<u8>>>,
}

impl Fetched {
    fn is_current(&self) -> bool {
        self.at.elapsed() < if self.content.is_some() { LIFETIME } else { PAUSE }
    }
}

impl Documents {
    pub(crate) fn new(egress: Egress) -> Self {
        Self { egress, known: Mutex::default(), fetches: Semaphore::new(MAX_FETCHES) }
    }

    /// The document at `url`.
    ///
    /// # Errors
    /// It cannot be fetched now, or too many others are being fetched.
    pub(crate) async fn get(&self, url: &str) -> Result<Arc<Vec<u8>>, Unavailable> {
        let place = self.place(url)?;
        let look = async {
            let mut fetched = place.lock().await;
            if let Some(current) = fetched.as_ref().filter(|fetched| fetched.is_current()) {
                return current.content.clone().ok_or(Unavailable);
            }
            let _permit = self.fetches.try_acquire().map_err(|_| Unavailable)?;
            let content = self.fetch(url).await.map(Arc::new);
            *fetched = Some(Fetched { at: Instant::now(), content: content.clone() });
            content.ok_or(Unavailable)
        };
        tokio::time::timeout(PATIENCE * 2, look).await.unwrap_or(Err(Unavailable))
    }

    fn place(&self, url: &str) -> Result<Arc<Place>, Unavailable> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DOCUMENTS && !known.contains_key(url) {
            // What failed or is out of date goes first; what is being fetched stays.
            known.retain(|_, place| {
                place.try_lock().map_or(true, |fetched| fetched.as_ref().is_some_and(|f| f.content.is_some() && f.is_current()))
            });
        }
        if known.len() >= MAX_DOCUMENTS && !known.contains_key(url) {
            return Err(Unavailable);
        }
        Ok(known.entry(url.to_owned()).or_default().clone())
    }

    async fn fetch(&self, url: &str) -> Option<Vec<u8>> {
        let request = Request {
            method: Method::GET,
            url: Url::parse(url).ok()?,
            headers: HeaderMap::new(),
            body: Vec::new(),
            timeout: PATIENCE,
            max_response_bytes: MAX_BYTES,
        };
        match self.egress.send(request).await {
            Ok(answer) if answer.status == 200 && answer.body.len() < MAX_BYTES => return Some(answer.body),
            Ok(answer) => warn!(url, status = answer.status, "A document that a webhook is verified with was not given"),
            Err(error) => warn!(url, %error, "A document that a webhook is verified with could not be fetched"),
        }
        None
    }
}
