//! Connections: how many, how long they may keep us waiting, and how they end.
//!
//! poem's own server has no timeout for reading headers and no cap on connections, so a few thousand silent clients could take every file
//! handle. Here hyper serves poem's endpoint directly.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::poll_immediate;
use http_body_util::combinators::BoxBody;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::TokioIo,
    server::graceful::{GracefulShutdown, Watcher},
};
use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{
        StatusCode,
        header::{CONNECTION, HeaderValue},
        uri::Scheme,
    },
    web::{LocalAddr, RemoteAddr},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::idle_timer::IdleTimer;

/// Open connections at once on one address; those beyond wait to be accepted. Fewer where the system allows fewer open files.
pub const MAX_CONNECTIONS: usize = 16_384;
/// Open files that are left to databases, queues and outgoing requests.
const RESERVED_FILES: usize = 256;
/// The largest request line with its headers, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 << 10;
/// How long accepting pauses after an error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What one address grants its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections at once.
    pub connections: usize,
    /// How long a connection may take until the headers of its next request are complete, idling included. Longer than the 60 s for which proxies
    /// usually keep a connection, so that none is closed while a request travels.
    pub headers: Duration,
    /// How long a request may take, its body included.
    pub request: Duration,
    /// How long written bytes may stay unacknowledged.
    pub write: Duration,
    /// How long connections that idle are kept when told to stop: closing them at once would cut off, unread, what is just being sent.
    pub farewell: Duration,
    /// How long requests under way may take after that.
    pub drain: Duration,
}

impl Limits {
    /// The limits of an address with at most so many connections.
    #[must_use]
    pub const fn new(connections: usize) -> Self {
        Self {
            connections,
            headers: Duration::from_secs(65),
            request: Duration::from_secs(30),
            write: Duration::from_secs(30),
            farewell: Duration::from_millis(1500),
            drain: Duration::from_secs(8),
        }
    }
}

/// Lets the process open as many files as the system allows, and says how many connections that makes.
#[must_use]
pub fn allow_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Without a hard limit there is nothing to raise it to.
    if let Some(maximum) = limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(maximum), maximum: Some(maximum) })
    {
        debug!(%error, "The limit on open files stays as it is");
    }
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(RESERVED_FILES).clamp(16, MAX_CONNECTIONS)
}

/// Serves `endpoint` until `shutdown`, then lets nobody in any more and what was let in finish: every answer from then on says that it
/// is the last on its connection.
pub async fn listen<E>(listener: TcpListener, endpoint: E, limits: Limits, shutdown: CancellationToken)
where
    E: Endpoint<Output = Response> + 'static,
{
    let Ok(local) = listener.local_addr() else { return };
    let server = Arc::new(Server { endpoint, limits, local, shutdown: shutdown.clone() });
    let permits = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            // First, so that whoever has connected before the stop is let in.
            biased;
            accepted = accept(&listener, &permits) => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, remote, permit)) => {
                let (server, watcher) = (server.clone(), graceful.watcher());
                tokio::spawn(async move { server.connection(stream, remote, watcher, permit).await });
            }
            Err(error) => {
                warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    for (stream, remote, permit) in waiting(listener, &permits) {
        let (server, watcher) = (server.clone(), graceful.watcher());
        tokio::spawn(async move { server.connection(stream, remote, watcher, permit).await });
    }
    if permits.available_permits() < limits.connections {
        tokio::time::sleep(limits.farewell).await;
    }
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        warn!("Some requests took too long to finish and were cut off");
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    Ok((stream, remote, permit))
}

/// Connections that the system has accepted for us and the runtime has not heard of: closing the address would reset them, with what their
/// clients have sent.
fn waiting(listener: TcpListener, permits: &Arc<Semaphore>) -> Vec<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let next = || {
        let permit = permits.clone().try_acquire_owned().ok()?;
        let (stream, remote) = listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, remote, permit))
    };
    std::iter::from_fn(next).collect()
}

struct Server<E> {
    endpoint: E,
    limits: Limits,
    local: SocketAddr,
    shutdown: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    async fn connection(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, watcher: Watcher, permit: OwnedSemaphorePermit) {
        // Without it an answer in two writes waits for the client's delayed acknowledgement, 40 ms.
        let prepared = stream.set_nodelay(true).and_then(|()| SockRef::from(&stream).set_tcp_user_timeout(Some(self.limits.write)));
        if let Err(error) = prepared {
            debug!(%error, "The connection went away at once");
            return;
        }
        let mut http = http1::Builder::new();
        http.timer(IdleTimer::default()).header_read_timeout(self.limits.headers).max_buf_size(MAX_HEADER_BYTES);
        let service = service_fn(|request| self.answer(request, remote));
        if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await {
            debug!(%error, "A connection broke");
        }
        drop(permit);
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        remote: SocketAddr,
    ) -> Result<hyper::Response<BoxBody<Bytes, io::Error>>, Infallible> {
        let request = Request::from((request, LocalAddr(self.local.into()), RemoteAddr(remote.into()), Scheme::HTTP));
        let mut answering = pin!(self.endpoint.get_response(request));
        let mut answer = match poll_immediate(answering.as_mut()).await {
            // What is at hand, as the page is, costs no timer.
            Some(answer) => answer,
            // The rest of a body that is still on its way must not be taken for the next request.
            None => timeout(self.limits.request, answering)
                .await
                .unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.with_header(CONNECTION, HeaderValue::from_static("close")).into_response()),
        };
        if self.shutdown.is_cancelled() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer.into())
    }
}

#[cfg(test)]
mod tests {
    use poem::{Body, Route, get, handler, post};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::JoinHandle,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    #[handler]
    fn quick() -> &'static str {
        "quick"
    }

    #[handler]
    async fn slow() -> &'static str {
        tokio::time::sleep(SHORT * 2).await;
        "slow"
    }

    #[handler]
    async fn length(body: Body) -> String {
        body.into_vec().await.map(|body| body.len()).unwrap_or_default().to_string()
    }

    struct Served {
        address: SocketAddr,
        shutdown: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn served(change: impl FnOnce(&mut Limits)) -> Served {
        let mut limits = Limits::new(2);
        change(&mut limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Route::new().at("/quick", get(quick)).at("/slow", get(slow)).at("/length", post(length));
        let endpoint = poem::EndpointExt::map_to_response(routes);
        let task = tokio::spawn(listen(listener, endpoint, limits, shutdown.clone()));
        Served { address, shutdown, task }
    }

    impl Served {
        async fn connect(&self, bytes: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream
        }
    }

    /// What comes until the server closes the connection.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        timeout(LONG, stream.read_to_string(&mut text)).await.expect("the server closes the connection").unwrap();
        text
    }

    #[tokio::test]
    async fn whoever_never_finishes_the_headers_is_closed() {
        let server = served(|limits| limits.headers = SHORT).await;
        assert_eq!(rest(server.connect("GET /quick HTTP/1.1\r\nhost: a\r\nx-dri").await).await, "");
        assert_eq!(rest(server.connect("").await).await, "", "nor may a connection stay silent");
        let idle = rest(server.connect("GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await).await;
        assert!(idle.ends_with("quick"), "an answered one is closed too, once it has been idle for long: {idle}");
    }

    #[tokio::test]
    async fn whoever_never_finishes_the_body_is_told_so_and_closed() {
        let server = served(|limits| limits.request = SHORT).await;
        let answer = rest(server.connect("POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf").await).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_beyond_the_most_waits_for_a_place() {
        let server = served(|_| ()).await;
        let (first, second) = (server.connect("").await, server.connect("").await);
        let mut third = server.connect("GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut byte = [0];
        assert!(timeout(SHORT, third.read(&mut byte)).await.is_err(), "there is no place yet");
        drop(first);
        assert_eq!(timeout(LONG, third.read(&mut byte)).await.expect("there is a place now").unwrap(), 1);
        drop(second);
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_after_the_stop_and_nothing_is_accepted() {
        let server = served(|_| ()).await;
        let stream = server.connect("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        tokio::time::sleep(SHORT / 2).await;
        server.shutdown.cancel();
        assert!(rest(stream).await.ends_with("slow"));
        timeout(LONG, server.task).await.expect("the server ends").unwrap();
        assert!(TcpStream::connect(server.address).await.is_err());
    }

    #[tokio::test]
    async fn a_request_that_comes_right_after_the_stop_on_an_open_connection_is_answered_as_the_last() {
        let server = served(|_| ()).await;
        let mut stream = server.connect("GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        server.shutdown.cancel();
        tokio::time::sleep(SHORT / 2).await;
        stream.write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let answers = rest(stream).await;
        assert_eq!(answers.matches("quick").count(), 2, "{answers}");
        assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
        timeout(LONG, server.task).await.expect("the server ends").unwrap();
    }

    #[tokio::test]
    async fn headers_have_a_largest_size() {
        let server = served(|_| ()).await;
        let padding = "x".repeat(2 * MAX_HEADER_BYTES);
        let mut stream = server.connect(&format!("GET /quick HTTP/1.1\r\nhost: a\r\nx-long: {padding}\r\n\r\n")).await;
        let mut start = [0; 13];
        timeout(LONG, stream.read_exact(&mut start)).await.expect("an answer comes").unwrap();
        assert_eq!(str::from_utf8(&start), Ok("HTTP/1.1 431 "));
    }
}
