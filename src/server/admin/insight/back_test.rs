//! `/integrations/{id}/back-test`: what routes would have made of the deliveries of a time.
//!
//! The deliveries are read in portions on connections that only read, and folded on a thread of their own, in a state of their own.

mod view;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{BackTest, ComponentId, Findings, IntegrationId, Signal, Span, Timestamp};
use integrations::Settings;
use jiff::tz::TimeZone;
use jobs::evaluator;
use poem::http::{StatusCode, header};
use poem_openapi::Object;
use serde_json::Value;
use storage::{deliveries::Delivery, insight, rows};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub(super) use view::BackTestView;
use view::{Keys, component_spans, published_view, would_be};

use super::{
    super::{changes::Names, fields::Fields, types::Time},
    Admin, Problem, Progress, RouteBody, Watcher, configured, off_thread, routes_to_try,
};

/// The time that is looked at if the request does not say.
const DEFAULT_WINDOW: Span = Span::mins(30 * 24 * 60);
/// The longest time that is looked at.
const MAX_WINDOW: Span = Span::mins(90 * 24 * 60);
/// The most deliveries that are folded.
const MAX_DELIVERIES: usize = 50_000;
/// How long folding may take.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Deliveries read at once.
const PORTION: i64 = 250;
/// Bytes of their bodies, likewise.
const PORTION_BYTES: i64 = 4 << 20;
/// The most published incidents that are shown beside.
const MAX_PUBLISHED: i64 = 200;

/// What to try on which time.
#[derive(Object)]
#[oai(rename = "BackTest")]
pub(super) struct BackTestBody {
    /// The stored ones if they are left out.
    settings: Option<Value>,
    /// The stored ones if they are left out.
    routes: Option<Vec<RouteBody>>,
    /// 30 days before its end if it is left out; at most 90 days before.
    from: Option<Time>,
    /// Now if it is left out.
    to: Option<Time>,
}

pub(super) async fn run(
    admin: &Admin,
    places: &Arc<Semaphore>,
    id: IntegrationId,
    body: BackTestBody,
    watcher: Watcher,
) -> Result<BackTestView, Problem> {
    let place = places.clone().try_acquire_owned().map_err(|_| busy())?;
    let mut fields = Fields::default();
    let (from, to) = window(&mut fields, &body, admin.now());
    let mut conn = admin.db.read().await?;
    let integration = configured::find(&mut conn, id).await?;
    if let Some(settings) = &body.settings {
        configured::check_settings(&mut fields, integrations::find(&integration.provider), settings);
    }
    let routes = routes_to_try(&mut fields, &integration, &configured::targets(&mut conn).await?, body.routes);
    fields.done()?;
    let zone = TimeZone::get(&rows::page_settings(&mut conn).await?.time_zone).unwrap_or(TimeZone::UTC);
    let components = rows::components(&mut conn).await?;
    let keys: Keys = components.iter().map(|component| (component.id, component.key.clone())).collect();
    let (combine, dependencies) = (storage::combine::all(&mut conn).await?, storage::dependencies::all(&mut conn).await?);
    drop(conn);
    let run = Run {
        test: BackTest::new(id, components, routes, zone, from).with_sources(combine, dependencies),
        provider: integration.provider,
        settings: Settings::new(body.settings.unwrap_or(integration.edit.settings)),
        began: Instant::now(),
        n_deliveries: 0,
        n_quarantined: 0,
        n_signals: 0,
        cut: None,
        stopped: CancellationToken::new(),
        _place: place,
    };
    let run = fold(admin, run, id, (from, to), &watcher).await?;
    let concerned: Vec<ComponentId> = run.test.concerned().into_iter().collect();
    let mut conn = admin.db.read().await?;
    let published = insight::published(&mut conn, id, &concerned, from, to, MAX_PUBLISHED).await?;
    let names = Names::load(&mut conn).await?;
    Ok(view(run, (from, to), &keys, Beside { published, names: &names }))
}

fn busy() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "another back-test is running; come again when it is done")
        .with_header(header::RETRY_AFTER, MAX_TIME.as_secs().to_string())
}

fn window(fields: &mut Fields, body: &BackTestBody, now: Timestamp) -> (Timestamp, Timestamp) {
    let to = body.to.map_or(now, |to| to.0.min(now));
    let from = body.from.map_or(Timestamp(to.0.saturating_sub(DEFAULT_WINDOW.0)), |from| from.0);
    fields.window(Some(from), Some(to));
    if to.since(from) > MAX_WINDOW {
        fields.refuse("from", format!("lies more than {MAX_WINDOW} before the end"));
    }
    (from, to)
}

/// A back-test under way. It moves to the thread that folds and back, and with it the place that it takes.
struct Run {
    test: BackTest,
    provider: String,
    settings: Settings,
    began: Instant,
    n_deliveries: usize,
    n_quarantined: usize,
    n_signals: usize,
    cut: Option<&'static str>,
    /// Set once nobody waits for it any more.
    stopped: CancellationToken,
    _place: OwnedSemaphorePermit,
}

async fn fold(
    admin: &Admin,
    mut run: Run,
    id: IntegrationId,
    (from, to): (Timestamp, Timestamp),
    watcher: &Watcher,
) -> Result<Run, Problem> {
    // Whoever asks may go away: then this future is dropped, and the thread that folds ends with it.
    let _stop = run.stopped.clone().drop_guard();
    let mut conn = admin.db.read().await?;
    let mut stretch = insight::stretch(&mut conn, id, from, to).await?;
    let of = if watcher.is_watched() { insight::n_in(&mut conn, &stretch, MAX_DELIVERIES).await? } else { 0 };
    drop(conn);
    while run.cut.is_none() {
        watcher.tell(Progress { looked_at: run.n_deliveries, of });
        // A connection for each portion, so that others get their turn.
        let mut conn = admin.db.read().await?;
        let portion = insight::portion(&mut conn, &mut stretch, PORTION, PORTION_BYTES).await?;
        drop(conn);
        let is_last = portion.is_empty();
        run = off_thread(move || {
            for delivery in &portion {
                run.take(delivery);
            }
            if is_last {
                run.test.pass(to);
            }
            run
        })
        .await?;
        if is_last {
            break;
        }
    }
    Ok(run)
}

impl Run {
    fn take(&mut self, delivery: &Delivery) {
        if self.n_deliveries >= MAX_DELIVERIES {
            self.cut = Some("deliveries");
        }
        if self.is_cut() {
            return;
        }
        self.n_deliveries += 1;
        self.test.pass(delivery.received_at);
        let signals: Vec<Signal> = match evaluator::parse(&self.provider, &self.settings, delivery) {
            Ok(signals) => signals,
            Err(_) => {
                self.n_quarantined += 1;
                return;
            }
        };
        for signal in &signals {
            if self.is_cut() {
                return;
            }
            self.n_signals += 1;
            self.test.take(delivery.id, signal, delivery.received_at);
        }
    }

    fn is_cut(&mut self) -> bool {
        if self.cut.is_none() && self.began.elapsed() >= MAX_TIME {
            self.cut = Some("seconds");
        }
        if self.stopped.is_cancelled() {
            self.cut = Some("stopped"); // Nobody reads it.
        }
        self.cut.is_some()
    }
}

/// What really was, and what to call those who opened it.
struct Beside<'a> {
    published: Vec<insight::Published>,
    names: &'a Names,
}

fn view(run: Run, (from, to): (Timestamp, Timestamp), keys: &Keys, Beside { published, names }: Beside<'_>) -> BackTestView {
    let Findings { incidents, n_incidents, spans, n_left_out, n_notices, until } = run.test.finish();
    BackTestView {
        from: Time(from),
        to: Time(to),
        until: Time(until),
        cut: run.cut.map(str::to_owned),
        deliveries: run.n_deliveries as u64,
        quarantined: run.n_quarantined as u64,
        signals: run.n_signals as u64,
        notices: n_notices as u64,
        n_incidents: n_incidents as u64,
        incidents: incidents.into_values().map(|incident| would_be(incident, &published, keys)).collect(),
        components: spans.into_iter().map(|(id, spans)| component_spans(id, spans, keys)).collect(),
        spans_left_out: n_left_out as u64,
        published: published.into_iter().map(|one| published_view(one, keys, names)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use domain::DeliveryId;
    use storage::deliveries::DeliveryState;

    use super::*;

    fn run(n_deliveries: usize, ran_for: Duration) -> Run {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        Run {
            test: BackTest::new(IntegrationId(1), Vec::new(), Vec::new(), TimeZone::UTC, Timestamp(0)),
            provider: "alertmanager".to_owned(),
            settings: Settings::default(),
            began: Instant::now().checked_sub(ran_for).unwrap(),
            n_deliveries,
            n_quarantined: 0,
            n_signals: 0,
            cut: None,
            stopped: CancellationToken::new(),
            _place: place,
        }
    }

    fn delivery(at: i64) -> Delivery {
        Delivery {
            id: DeliveryId(at),
            integration: IntegrationId(1),
            external_id: String::new(),
            received_at: Timestamp(at),
            headers: Vec::new(),
            body: b"{}".to_vec(),
            state: DeliveryState::Pending,
            reason: None,
            evaluated_at: None,
            signals: Vec::new(),
        }
    }

    #[test]
    fn what_is_cut_says_why_and_up_to_when_it_holds() {
        let mut many = run(MAX_DELIVERIES - 1, Duration::ZERO);
        many.take(&delivery(5_000));
        assert_eq!((many.n_deliveries, many.n_quarantined, many.cut), (MAX_DELIVERIES, 1, None));
        many.take(&delivery(9_000));
        let nothing = Beside { published: Vec::new(), names: &Names::default() };
        let view = view(many, (Timestamp(0), Timestamp(10_000)), &Keys::new(), nothing);
        assert_eq!((view.cut.as_deref(), view.until), (Some("deliveries"), Time(Timestamp(5_000))));
        let mut long = run(7, MAX_TIME);
        long.take(&delivery(5_000));
        assert_eq!((long.n_deliveries, long.cut), (7, Some("seconds")));
        let mut left = run(7, Duration::ZERO);
        left.stopped.cancel();
        left.take(&delivery(5_000));
        assert_eq!((left.n_deliveries, left.cut), (7, Some("stopped")));
    }
}
