//! `/events`: tells open pages that there is a new version.

use std::{sync::Arc, time::Duration};

use futures::stream;
use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{
        StatusCode,
        header::{ORIGIN, RETRY_AFTER},
    },
    web::sse::{Event, SSE},
};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::{Announced, Page};

/// Open event streams at once; beyond this, pages ask again later.
pub const MAX_STREAMS: usize = 10_000;
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a refused page should wait, in seconds.
const RETRY_SECS: &str = "30";
/// How long a page whose stream broke should wait, so that a restart is not a stampede.
const RECONNECT: Duration = Duration::from_secs(3);

/// The endpoint of `/events`.
pub(super) struct Events {
    pub(super) page: Arc<Page>,
}

impl Endpoint for Events {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        // A browser names the origin of every request from another site; a page of ours sends none with a plain GET.
        let foreign =
            request.headers().get(ORIGIN).is_some_and(|origin| origin.as_bytes() != self.page.snapshot.load().origin().as_bytes());
        if foreign {
            return Ok(StatusCode::FORBIDDEN.into_response());
        }
        let Ok(permit) = self.page.streams.clone().try_acquire_owned() else {
            return Ok(StatusCode::SERVICE_UNAVAILABLE.with_header(RETRY_AFTER, RETRY_SECS).into_response());
        };
        let stream = Versions { receiver: self.page.versions(), shutdown: self.page.shutdown.clone(), first: true, _permit: permit };
        let events = stream::once(async { Event::Retry { retry: RECONNECT.as_millis() as u64 } });
        let versions = stream::unfold(stream, Versions::next);
        Ok(SSE::new(futures::StreamExt::chain(events, versions)).keep_alive(HEARTBEAT).into_response())
    }
}

/// One reader's stream; holds its place among [`MAX_STREAMS`] until it is dropped.
struct Versions {
    receiver: watch::Receiver<Announced>,
    shutdown: CancellationToken,
    first: bool,
    _permit: OwnedSemaphorePermit,
}

impl Versions {
    /// What is served now, then every change; versions that follow each other faster than the reader reads are told as one.
    async fn next(mut self) -> Option<(Event, Self)> {
        if !std::mem::take(&mut self.first) {
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.receiver.changed() => changed.ok()?,
            }
        }
        let Announced { version, stale } = *self.receiver.borrow_and_update();
        let event = Event::message(version.to_string()).id(version.to_string()).event_type(if stale { "stale" } else { "version" });
        Some((event, self))
    }
}
