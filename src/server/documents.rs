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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use jobs::egress::EgressPolicy;
    use poem::{
        EndpointExt, Request as Asked, Server, endpoint,
        http::StatusCode,
        listener::{Acceptor, Listener, TcpListener},
    };

    use super::*;

    /// A sender's place, and how often it was asked. What begins with `/no` is not there.
    async fn place() -> (String, Arc<AtomicUsize>) {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let app = endpoint::make(move |request: Asked| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                match request.uri().path() {
                    path if path.starts_with("/no") => Err(poem::Error::from_status(StatusCode::NOT_FOUND)),
                    "/long" => Ok("x".repeat(MAX_BYTES)),
                    path => Ok(path.to_owned()),
                }
            }
        });
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app.map_to_response()));
        (format!("http://{address}"), asked)
    }

    fn documents() -> Documents {
        Documents::new(Egress::new(EgressPolicy { allow_private: true, require_tls: false }).unwrap())
    }

    #[tokio::test]
    async fn a_document_is_fetched_once_however_many_ask() {
        let ((base, asked), documents) = (place().await, documents());
        let url = format!("{base}/a.pem");
        for found in futures::future::join_all((0..20).map(|_| documents.get(&url))).await {
            assert_eq!(found.unwrap().as_slice(), b"/a.pem");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_asked_for_again_at_once_and_takes_no_room_from_what_is() {
        let ((base, asked), documents) = (place().await, documents());
        let kept = format!("{base}/a.pem");
        documents.get(&kept).await.unwrap();
        for _ in 0..3 {
            assert!(documents.get(&format!("{base}/no")).await.is_err());
        }
        assert!(documents.get(&format!("{base}/long")).await.is_err(), "cut, it would be another document");
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        for number in 0..MAX_DOCUMENTS * 2 {
            assert!(documents.get(&format!("{base}/no{number}")).await.is_err());
        }
        assert!(documents.known.lock().unwrap().len() <= MAX_DOCUMENTS);
        let before = asked.load(Ordering::SeqCst);
        documents.get(&kept).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), before, "it is still there");
    }

    #[tokio::test]
    async fn only_so_many_are_fetched_at_once() {
        let ((base, asked), documents) = (place().await, documents());
        let urls: Vec<String> = (0..MAX_FETCHES * 3).map(|number| format!("{base}/{number}.pem")).collect();
        let found = futures::future::join_all(urls.iter().map(|url| documents.get(url))).await;
        assert_eq!(found.iter().filter(|found| found.is_ok()).count(), MAX_FETCHES);
        assert_eq!(asked.load(Ordering::SeqCst), MAX_FETCHES);
        assert!(documents.get(&urls[MAX_FETCHES]).await.is_ok(), "who was not let through may come again at once");
    }
}
