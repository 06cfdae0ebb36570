//! `/integrations/{id}/back-test`: what routes would have made of the deliveries of a time.
//!
//! The deliveries are read in portions on connections that only read, and folded on a thread of their own, in a state of their own.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{BackTest, ComponentId, Findings, Impact, Incident, IntegrationId, Signal, Span, Status, StatusSpan, Timestamp};
use integrations::Settings;
use jiff::tz::TimeZone;
use jobs::evaluator;
use poem::http::{StatusCode, header};
use poem_openapi::Object;
use storage::{deliveries::Delivery, insight, rows};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    super::{
        fields::Fields,
        types::{Name, Time},
    },
    Admin, Problem, RouteBody, configured, off_thread, routes_to_try,
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
    routes: Option<Vec<RouteBody>>,
    /// 30 days before its end if it is left out; at most 90 days before.
    from: Option<Time>,
    /// Now if it is left out.
    to: Option<Time>,
}

/// What would have happened.
#[derive(Object)]
#[oai(rename = "BackTestResult")]
pub(super) struct BackTestView {
    from: Time,
    to: Time,
    /// Up to when it was worked out: `to`, unless it was cut.
    until: Time,
    /// Why it was cut: `deliveries` after 50,000 of them, `seconds` after 10 of them.
    #[oai(nullable)]
    cut: Option<String>,
    /// How many deliveries were folded.
    deliveries: u64,
    /// How many of them could not be read with the settings of now.
    quarantined: u64,
    /// How many signals they had.
    signals: u64,
    /// How many notices would have been made, each for all subscribers whom it concerns.
    notices: u64,
    /// How many incidents would have been opened.
    n_incidents: u64,
    /// Those, oldest first, at most 200.
    incidents: Vec<WouldBe>,
    /// When components would not have been well.
    components: Vec<ComponentSpans>,
    /// How many spans were left out of `components`: it has at most 200 for each.
    spans_left_out: u64,
    /// What really was published: incidents of that time that the present routes of this integration opened, newest first, at most 200.
    published: Vec<Published>,
}

/// An incident that would have been opened.
#[derive(Object)]
struct WouldBe {
    title: String,
    impact: Name<Impact>,
    /// False for a draft.
    published: bool,
    started_at: Time,
    /// Null if it would still be open at the end.
    #[oai(nullable)]
    resolved_at: Option<Time>,
    components: Vec<Affected>,
    /// The ids of the published incidents that were open at the same time about one of the same components.
    overlaps: Vec<i64>,
}

/// A component of an incident.
#[derive(Object)]
#[oai(rename = "BackTestComponent")]
struct Affected {
    /// Its key.
    component: String,
    /// At its worst.
    status: Name<Status>,
}

/// When a component would not have been well.
#[derive(Object)]
struct ComponentSpans {
    /// Its key.
    component: String,
    /// Oldest first.
    spans: Vec<SpanView>,
}

/// A time in which the status of a component would not have changed.
#[derive(Object)]
#[oai(rename = "StatusSpan")]
struct SpanView {
    /// What readers would have seen.
    status: Name<Status>,
    /// What the signals say, published or not.
    internal_status: Name<Status>,
    from: Time,
    /// Null if it would still be so at the end.
    #[oai(nullable)]
    to: Option<Time>,
}

/// An incident that was published.
#[derive(Object)]
#[oai(rename = "BackTestPublished")]
struct Published {
    id: i64,
    title: String,
    impact: Name<Impact>,
    started_at: Time,
    #[oai(nullable)]
    resolved_at: Option<Time>,
    components: Vec<Affected>,
}

pub(super) async fn run(admin: &Admin, places: &Arc<Semaphore>, id: IntegrationId, body: BackTestBody) -> Result<BackTestView, Problem> {
    let place = places.clone().try_acquire_owned().map_err(|_| busy())?;
    let mut fields = Fields::default();
    let (from, to) = window(&mut fields, &body, admin.now());
    let mut conn = admin.db.read().await?;
    let integration = configured::find(&mut conn, id).await?;
    let routes = routes_to_try(&mut fields, &integration, &configured::targets(&mut conn).await?, body.routes);
    fields.done()?;
    let zone = TimeZone::get(&rows::page_settings(&mut conn).await?.time_zone).unwrap_or(TimeZone::UTC);
    let components = rows::components(&mut conn).await?;
    let keys: Keys = components.iter().map(|component| (component.id, component.key.clone())).collect();
    let published = insight::published(&mut conn, id, from, to, MAX_PUBLISHED).await?;
    drop(conn);
    let run = Run {
        test: BackTest::new(id, components, routes, zone, from),
        provider: integration.provider,
        settings: Settings::new(integration.edit.settings),
        began: Instant::now(),
        n_deliveries: 0,
        n_quarantined: 0,
        n_signals: 0,
        cut: None,
        _place: place,
    };
    let run = fold(admin, run, id, from, to).await?;
    Ok(view(run, (from, to), &keys, published))
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
    _place: OwnedSemaphorePermit,
}

async fn fold(admin: &Admin, mut run: Run, id: IntegrationId, from: Timestamp, to: Timestamp) -> Result<Run, Problem> {
    let mut conn = admin.db.read().await?;
    let mut stretch = insight::stretch(&mut conn, id, from, to).await?;
    drop(conn);
    while run.cut.is_none() {
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
        self.cut.is_some()
    }
}

type Keys = HashMap<ComponentId, String>;

fn view(run: Run, (from, to): (Timestamp, Timestamp), keys: &Keys, published: Vec<Incident>) -> BackTestView {
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
        published: published.into_iter().map(|incident| published_view(incident, keys)).collect(),
    }
}

fn would_be(incident: Incident, published: &[Incident], keys: &Keys) -> WouldBe {
    let overlaps = published.iter().filter(|other| overlap(&incident, other)).map(|other| other.id.0).collect();
    WouldBe {
        overlaps,
        components: affected(&incident, keys),
        title: incident.title,
        impact: Name(incident.impact),
        published: incident.published,
        started_at: Time(incident.started_at),
        resolved_at: incident.resolved_at.map(Time),
    }
}

fn published_view(incident: Incident, keys: &Keys) -> Published {
    Published {
        id: incident.id.0,
        components: affected(&incident, keys),
        title: incident.title,
        impact: Name(incident.impact),
        started_at: Time(incident.started_at),
        resolved_at: incident.resolved_at.map(Time),
    }
}

fn overlap(a: &Incident, b: &Incident) -> bool {
    let begins_before_end = |a: &Incident, b: &Incident| b.resolved_at.is_none_or(|end| a.started_at <= end);
    begins_before_end(a, b) && begins_before_end(b, a) && a.components.keys().any(|id| b.components.contains_key(id))
}

fn affected(incident: &Incident, keys: &Keys) -> Vec<Affected> {
    incident.components.iter().map(|(id, status)| Affected { component: key_of(*id, keys), status: Name(*status) }).collect()
}

fn component_spans(id: ComponentId, spans: Vec<StatusSpan>, keys: &Keys) -> ComponentSpans {
    let span = |span: StatusSpan| SpanView {
        status: Name(span.status),
        internal_status: Name(span.internal_status),
        from: Time(span.from),
        to: span.until.map(Time),
    };
    ComponentSpans { component: key_of(id, keys), spans: spans.into_iter().map(span).collect() }
}

fn key_of(id: ComponentId, keys: &Keys) -> String {
    keys.get(&id).cloned().unwrap_or_default()
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
        let view = view(many, (Timestamp(0), Timestamp(10_000)), &Keys::new(), Vec::new());
        assert_eq!((view.cut.as_deref(), view.until), (Some("deliveries"), Time(Timestamp(5_000))));
        let mut long = run(7, MAX_TIME);
        long.take(&delivery(5_000));
        assert_eq!((long.n_deliveries, long.cut), (7, Some("seconds")));
    }

    #[test]
    fn incidents_overlap_if_they_share_a_time_and_a_component() {
        let incident = |from: i64, to: Option<i64>, component: i64| Incident {
            id: domain::IncidentId(1),
            title: String::new(),
            status: domain::IncidentStatus::Resolved,
            impact: Impact::Major,
            published: true,
            opened_by: None,
            scoped: true,
            components: [(ComponentId(component), Status::MajorOutage)].into_iter().collect(),
            started_at: Timestamp(from),
            resolved_at: to.map(Timestamp),
            updated_at: Timestamp(from),
        };
        let first = incident(100, Some(200), 1);
        for (other, expected) in [
            (incident(150, None, 1), true),
            (incident(50, Some(100), 1), true),
            (incident(50, Some(99), 1), false),
            (incident(201, None, 1), false),
            (incident(150, None, 2), false),
        ] {
            assert_eq!((overlap(&first, &other), overlap(&other, &first)), (expected, expected), "{other:?}");
        }
    }
}
