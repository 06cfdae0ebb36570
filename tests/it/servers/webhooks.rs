//! Somebody's webhook endpoint: keeps every request as it came, and misbehaves when told to.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use poem::{
    Body, Endpoint, Request, Response, Server,
    http::{HeaderMap, Method, StatusCode, Uri},
    listener::{Acceptor, Listener, TcpListener},
};
use standardwebhooks::{Webhook, WebhookError};
use tokio::{task::JoinHandle, time::Instant};

use super::wait_for;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Received {
    /// Verifies the signature with the standard's own library.
    pub(crate) fn verify(&self, secret: &str) -> Result<(), WebhookError> {
        Webhook::new(secret)?.verify(&self.body, &self.headers)
    }

    /// The id that is the same for every try.
    pub(crate) fn id(&self) -> Option<&str> {
        self.headers.get("webhook-id").and_then(|id| id.to_str().ok())
    }
}

/// How the endpoint treats who comes.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Answers with this status, after this time.
    Answer(StatusCode, Duration),
    /// Answers with this JSON.
    Say(String),
    /// Answers with the page that the parameter `page` asks for, from 1; 500 for one that is not there.
    Pages(Vec<String>),
    /// Answers with this status and asks to wait so many seconds.
    RetryAfter(StatusCode, u32),
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Keeps the connection and never answers.
    Blackhole,
}

impl Manner {
    /// 200, at once.
    pub(crate) const ACCEPT: Self = Self::Answer(StatusCode::OK, Duration::ZERO);
}

/// An endpoint on a spare port. Dropping it closes the port.
pub(crate) struct WebhookServer {
    port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    manner: Manner,
    received: Vec<Received>,
}

impl WebhookServer {
    /// Starts it, on the runtime of the test.
    pub(crate) async fn start() -> Result<Self> {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.context("no port to be had on 127.0.0.1")?;
        let address = acceptor.local_addr().into_iter().find_map(|address| address.as_socket_addr().copied());
        let port = address.context("a TCP listener has an address")?.port();
        let state = Arc::new(Mutex::new(State { manner: Manner::ACCEPT, received: Vec::new() }));
        let app = Inbox(state.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = Server::new_with_acceptor(acceptor).run(app).await {
                eprintln!("the webhook endpoint ended: {error}");
            }
        });
        Ok(Self { port, state, task })
    }

    /// Where it is reached.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in", self.port)
    }

    /// Changes how it treats who comes from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        lock(&self.state).manner = manner;
    }

    /// What has arrived so far, whatever was answered.
    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.state).received.clone()
    }

    /// Waits until at least `n` requests have arrived, and returns all.
    pub(crate) async fn wait_for_requests(&self, n: usize, timeout: Duration) -> Result<Vec<Received>> {
        wait_for(&format!("{n} requests"), timeout, || async { Some(self.received()).filter(|received| received.len() >= n) }).await
    }
}

impl Drop for WebhookServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Inbox(Arc<Mutex<State>>);

impl Endpoint for Inbox {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let (parts, body): (_, Body) = request.into_parts();
        let body = body.into_vec().await?;
        let received = Received { method: parts.method, uri: parts.uri, headers: parts.headers, body, at: Instant::now() };
        let n_page = page_of(&received.uri);
        let manner = {
            let mut state = lock(&self.0);
            state.received.push(received);
            state.manner.clone()
        };
        Ok(match manner {
            Manner::Answer(status, after) => {
                tokio::time::sleep(after).await;
                Response::builder().status(status).finish()
            }
            Manner::Say(body) => Response::builder().content_type("application/json").body(body),
            Manner::Pages(pages) => match pages.into_iter().nth(n_page - 1) {
                Some(body) => Response::builder().content_type("application/json").body(body),
                None => Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).finish(),
            },
            Manner::RetryAfter(status, secs) => Response::builder().status(status).header("retry-after", secs).finish(),
            Manner::Redirect(to) => Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header("location", to).finish(),
            Manner::Blackhole => std::future::pending().await,
        })
    }
}

/// Which page is asked for.
fn page_of(uri: &Uri) -> usize {
    let asked = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("page=")?.parse().ok());
    asked.filter(|number| *number > 0).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::servers::http_client;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    async fn post(server: &WebhookServer) -> reqwest::Result<reqwest::Response> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let signature = Webhook::new(SECRET).unwrap().sign("msg_1", now, br#"{"type":"test"}"#).unwrap();
        let request = http_client().post(server.url()).timeout(Duration::from_millis(500));
        let request = request.header("webhook-id", "msg_1").header("webhook-timestamp", now).header("webhook-signature", signature);
        request.body(r#"{"type":"test"}"#).send().await
    }

    #[tokio::test]
    async fn a_request_is_kept_as_it_came_and_its_signature_verified() -> Result<()> {
        let server = WebhookServer::start().await?;
        let before = Instant::now();
        assert_eq!(post(&server).await?.status(), 200);
        let mut received = server.wait_for_requests(1, Duration::from_secs(5)).await?.remove(0);
        assert_eq!((&received.method, received.uri.path(), received.id()), (&Method::POST, "/in", Some("msg_1")));
        assert!(received.at >= before);
        received.verify(SECRET)?;
        received.body.push(b' ');
        assert!(received.verify(SECRET).is_err());
        Ok(())
    }

    #[tokio::test]
    async fn it_misbehaves_when_told_to() -> Result<()> {
        let server = WebhookServer::start().await?;
        server.behave(Manner::Answer(StatusCode::INTERNAL_SERVER_ERROR, Duration::from_millis(50)));
        assert_eq!(post(&server).await?.status(), 500);
        server.behave(Manner::RetryAfter(StatusCode::SERVICE_UNAVAILABLE, 7));
        assert_eq!(post(&server).await?.headers()["retry-after"], "7");
        server.behave(Manner::Redirect("http://127.0.0.1:1/".to_owned()));
        assert_eq!(post(&server).await?.status(), 307);
        server.behave(Manner::Blackhole);
        assert!(post(&server).await.is_err_and(|error| error.is_timeout()));
        assert_eq!(server.received().len(), 4, "every request is kept, whatever was answered");
        Ok(())
    }
}
