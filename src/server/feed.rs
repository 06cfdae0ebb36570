//! Keeps the page up to date: loads what is new, renders it, and swaps it in.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use jobs::Clock;
use metrics::{gauge, histogram};
use storage::{Db, StorageError, Topic, Wake, ledger};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::page::{Page, Snapshot};

/// How often to look for a new version without being woken.
const TICK: Duration = Duration::from_secs(1);
/// A database that has not answered for this long is out of reach, for all that readers need to know.
const SILENCE: Duration = Duration::from_secs(3);
/// Renderings of one page lie at least this far apart: many changes become one version for readers.
const MIN_PAUSE: Duration = Duration::from_millis(40);
/// Bars, days and "last checked" depend on the time, so the page is rendered this often at least.
const MAX_AGE: Duration = Duration::from_secs(30);

/// Loads and renders the page as it is now.
///
/// # Errors
/// What the database said.
pub async fn first(db: &Db, clock: &Clock, base_url: &Url) -> Result<Snapshot, StorageError> {
    let data = storage::page::load(db, clock.now()).await?;
    Ok(Snapshot::render(&data, base_url))
}

/// Follows the newest version until `shutdown`.
pub async fn follow(page: Arc<Page>, db: Db, wake: Wake, clock: Clock, base_url: Url, shutdown: CancellationToken) {
    let mut changed = wake.waiter(Topic::Changes);
    let mut rendered_at = Instant::now();
    let mut out_of_reach_since: Option<Timestamp> = None;
    while !shutdown.is_cancelled() {
        tokio::select! { () = changed.wait(TICK) => {}, () = shutdown.cancelled() => break }
        let overdue = rendered_at.elapsed() >= MAX_AGE || out_of_reach_since.is_some();
        let mut attempt = std::pin::pin!(render_if_new(&page, &db, &clock, &base_url, overdue));
        let attempted = match tokio::time::timeout(SILENCE, &mut attempt).await {
            Ok(attempted) => attempted,
            Err(_) => {
                let since = *out_of_reach_since.get_or_insert_with(|| clock.now());
                page.mark_stale(since);
                attempt.await
            }
        };
        match attempted {
            Ok(rendered) => {
                out_of_reach_since = None;
                if rendered {
                    rendered_at = Instant::now();
                    tokio::time::sleep(MIN_PAUSE).await;
                }
            }
            Err(failed) => {
                warn!(error = ?failed, "The page cannot be brought up to date");
                let since = *out_of_reach_since.get_or_insert_with(|| clock.now());
                page.mark_stale(since);
            }
        }
    }
}

async fn render_if_new(page: &Arc<Page>, db: &Db, clock: &Clock, base_url: &Url, overdue: bool) -> Result<bool, StorageError> {
    let mut conn = db.read().await?;
    let newest = ledger::read(&mut conn).await?.page_version;
    drop(conn);
    if newest == page.snapshot().version() && !overdue {
        return Ok(false);
    }
    let began = Instant::now();
    let data = storage::page::load(db, clock.now()).await?;
    let (base_url, before) = (base_url.clone(), page.snapshot());
    let rendered = tokio::task::spawn_blocking(move || {
        let snapshot = Snapshot::render(&data, &base_url);
        snapshot.prepare_like(&before);
        snapshot
    });
    let rendered = rendered.await;
    let Ok(snapshot) = rendered else { return Ok(false) };
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    gauge!("fanal_page_version").set(snapshot.version() as f64);
    page.publish(snapshot);
    histogram!("fanal_page_render_seconds").record(began.elapsed().as_secs_f64());
    Ok(true)
}
