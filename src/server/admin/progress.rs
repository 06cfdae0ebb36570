//! How far long work has come, for whoever in this process waits for it.

use poem::{FromRequest, Request, RequestBody, Result};
use tokio::sync::watch;

/// How far work on deliveries has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) looked_at: usize,
    /// How many there are to look at, about.
    pub(crate) of: usize,
}

/// Tells how far work has come, where somebody wants to know: requests from outside have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watcher(Option<watch::Sender<Option<Progress>>>);

impl Watcher {
    /// One with somebody who watches.
    pub(crate) fn new() -> (Self, watch::Receiver<Option<Progress>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(Some(sender)), receiver)
    }

    /// Whether somebody watches.
    pub(super) const fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn tell(&self, progress: Progress) {
        if let Some(sender) = &self.0 {
            sender.send_replace(Some(progress));
        }
    }
}

impl<'a> FromRequest<'a> for Watcher {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(request.data::<Self>().cloned().unwrap_or_default())
    }
}
