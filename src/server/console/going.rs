//! A page that is sent while the work behind it goes on: how far it has come stands in it from the start, and each newer word hides the one
//! before (`console.css`), without scripts.
//!
//! The work belongs to the answer. Who leaves the page, or presses **Stop**, closes the connection; the answer is dropped then, and the work
//! with it. So nothing is kept on any server, and every process can do it.

use std::{io, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream};
use poem::{
    Body, Response,
    http::{HeaderName, StatusCode, header},
};
use tokio::sync::watch;

use super::zone;
use crate::admin::{Progress, Refused, Watcher};

/// Where in a page the words go in. No text of a page can hold it: `<` is escaped in every one.
pub(super) const PLACE: &str = "<!--going-->";
/// How often it is told how far the work has come.
const PACE: Duration = Duration::from_millis(300);

/// Work that has begun.
pub(super) struct Going<T> {
    work: BoxFuture<'static, Result<T, Refused>>,
    seen: watch::Receiver<Option<Progress>>,
}

/// What is known of work next.
pub(super) enum Next<T> {
    /// How far it has come.
    Progress(Progress),
    /// It is done, or cannot be done.
    Done(Result<T, Refused>),
}

impl<T: Send + 'static> Going<T> {
    /// Begins. `work` gets the one to tell how far it has come.
    pub(super) fn new<W: Future<Output = Result<T, Refused>> + Send + 'static>(work: impl FnOnce(Watcher) -> W) -> Self {
        let (watcher, seen) = Watcher::new();
        Self { work: Box::pin(zone::within(zone::current(), work(watcher))), seen }
    }

    /// Waits until more is known. Work that is refused says so before it says how far it has come.
    pub(super) async fn next(&mut self, pace: Duration) -> Next<T> {
        let seen = &mut self.seen;
        let more = async {
            tokio::time::sleep(pace).await;
            seen.changed().await.ok()?;
            *seen.borrow_and_update()
        };
        tokio::select! {
            biased;
            done = &mut self.work => Next::Done(done),
            Some(progress) = more => Next::Progress(progress),
        }
    }

    /// Waits for the first word, which is there at once.
    pub(super) async fn first(&mut self) -> Next<T> {
        self.next(Duration::ZERO).await
    }

    /// The page `html` with the words in their place, as they come: `first`, how far the work comes, and at last what `end` makes of it.
    pub(super) fn answer(self, html: &str, first: Next<T>, end: impl Fn(Result<T, Refused>) -> String + Send + Sync + 'static) -> Response {
        let (before, behind) = html.split_once(PLACE).unwrap_or((html, ""));
        let (before, behind) = (before.to_owned(), behind.to_owned());
        let zone = zone::current();
        let words = stream::unfold(Some((self, Some(first))), move |state| {
            let words = |next: &Next<T>| matches!(next, Next::Progress(_));
            async move {
                let (mut going, first) = state?;
                let next = match first {
                    Some(first) => first,
                    None => going.next(PACE).await,
                };
                let goes_on = words(&next);
                Some((next, goes_on.then_some((going, None))))
            }
        });
        let words = words.map(move |next| match next {
            Next::Progress(progress) => progress_words(progress),
            Next::Done(done) => zone::within_now(zone.clone(), || end(done)),
        });
        let pieces = stream::iter([before]).chain(words).chain(stream::iter([behind])).map(Ok::<_, io::Error>);
        Response::builder()
            .status(StatusCode::OK)
            .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            // A proxy that gathers an answer before it hands it on would show nothing until the end.
            .header(HeaderName::from_static("x-accel-buffering"), "no")
            .body(Body::from_bytes_stream(pieces))
    }
}

fn progress_words(Progress { looked_at, of }: Progress) -> String {
    let max = of.max(looked_at).max(1);
    format!(
        "<p class=\"going\">Looked at {} of about {} deliveries. <progress max=\"{max}\" value=\"{looked_at}\" aria-label=\"How far it has come\"></progress></p>\n",
        grouped(looked_at),
        grouped(of.max(looked_at))
    )
}

/// `12000` as `12,000`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_how_far_work_has_come_in_numbers_that_can_be_read() {
        assert_eq!([0, 999, 1_000, 45_000, 1_234_567].map(grouped), ["0", "999", "1,000", "45,000", "1,234,567"]);
        let words = progress_words(Progress { looked_at: 12_000, of: 45_000 });
        assert!(
            words.contains("Looked at 12,000 of about 45,000 deliveries.") && words.contains("max=\"45000\" value=\"12000\""),
            "{words}"
        );
        // More arrived than were counted.
        assert!(progress_words(Progress { looked_at: 7, of: 5 }).contains("7 of about 7"));
    }
}
