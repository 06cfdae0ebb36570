//! Reads the state that the evaluator folds on.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    ALERT_MEMORY, Alert, Cause, ComponentId, DeliveryId, Expression, IncidentId, IntegrationId, MAX_COOL_OFF, MetricId, Route, RouteId,
    Signal, Span, State, Swing, Timestamp,
};
use jiff::tz::TimeZone;
use tracing::error;

use crate::{
    Connection, Entry, StorageError, combine,
    db::sql,
    dependencies, past,
    rows::{self, Incidents, Maintenances, RouteRow, json, named},
    series,
    waiting::{self, Which},
};

/// Reads the state, as it was when `entry` began.
///
/// # Errors
/// What the database said.
pub async fn load(entry: &mut Entry) -> Result<State, StorageError> {
    let conn = &mut entry.tx;
    let settings = rows::page_settings(conn).await?;
    let mut state = State::empty();
    state.zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
    state.next_id = entry.next_id;
    state.clock = entry.clock;
    state.components = rows::components(conn).await?.into_iter().map(|component| (component.id, component)).collect();
    state.combine = combine::all(conn).await?;
    state.dependencies = dependencies::all(conn).await?;
    state.past = past::load(conn, Timestamp(entry.clock.0.saturating_sub(ALERT_MEMORY.0))).await?;
    for route in routes(conn).await? {
        state.add_route(route);
    }
    load_alerts(conn, &mut state).await?;
    for cause in causes(conn, Causes::All).await? {
        state.set_cause(cause);
    }
    state.swings = swings(conn).await?;
    let since = Timestamp(entry.clock.0.saturating_sub(MAX_COOL_OFF.0));
    state.incidents = rows::incidents(conn, Incidents::OpenOrEndedSince(since)).await?.into_iter().map(|i| (i.id, i)).collect();
    load_waiting(conn, &mut state).await?;
    state.maintenances = rows::maintenances(conn, Maintenances::Open).await?.into_iter().map(|m| (m.id, m)).collect();
    state.series = series::load(conn, &state.zone, entry.clock).await?;
    Ok(state)
}

/// What waits before it leaves, with the incidents that it is about, however long ago they ended.
async fn load_waiting(conn: &mut Connection, state: &mut State) -> Result<(), StorageError> {
    for act in waiting::list(conn, Which::Waiting).await? {
        if !act.opens && !state.incidents.contains_key(&act.incident) {
            let found = rows::incidents(conn, Incidents::One(act.incident)).await?;
            state.incidents.extend(found.into_iter().map(|incident| (incident.id, incident)));
        }
        state.waiting.insert(act.id, act);
    }
    Ok(())
}

/// What routes that damp flapping remember.
async fn swings(conn: &mut Connection) -> Result<BTreeMap<RouteId, Vec<Swing>>, StorageError> {
    let rows: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select route_id, swings from route_swing").fetch_all(&mut *c).await)?;
    rows.into_iter().map(|(route, text)| Ok((RouteId(route), json(&text, "route_swing", "swings")?))).collect()
}

/// Every route of an enabled integration, compiled, in order.
async fn routes(conn: &mut Connection) -> Result<Vec<Route>, StorageError> {
    let keys: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select integration_id, key from integration where enabled")
        .fetch_all(&mut *c)
        .await)?;
    let keys: HashMap<i64, String> = keys.into_iter().collect();
    let mut parts: BTreeMap<i64, Vec<ComponentId>> = BTreeMap::new();
    for (route, component) in rows::route_components(conn, None).await? {
        parts.entry(route).or_default().push(ComponentId(component));
    }
    let rows = rows::routes(conn, None).await?;
    let mut routes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(key) = keys.get(&row.integration_id) else { continue };
        let id = row.route_id;
        match route(key, row, parts.remove(&id).unwrap_or_default()) {
            Ok(route) => routes.push(route),
            // Checked when it was saved, so this means that the language changed. The other routes must go on.
            Err(error) => error!(route = id, error = ?error, "A route cannot be used and is left out"),
        }
    }
    Ok(routes)
}

fn route(key: &str, row: RouteRow, components: Vec<ComponentId>) -> Result<Route, StorageError> {
    let compile = |source: &str, column| Expression::compile(source).map_err(|error| StorageError::corrupt("route", column, error));
    Ok(Route {
        id: RouteId(row.route_id),
        integration: IntegrationId(row.integration_id),
        label: format!("{key}[{}]", row.position),
        condition: compile(&row.condition, "condition")?.put_by(),
        status: row.status()?,
        components,
        hold: Span(row.for_ms),
        keep_firing_for: Span(row.keep_firing_for),
        expire_after: Span(row.expire_after),
        cool_off: Span(row.cool_off),
        publish: row.publish()?,
        policy: row.policy()?,
        title: row.title,
        body: row.body,
        metric: row.metric_id.map(MetricId),
        value: row.value.map(|source| compile(&source, "value").map(Expression::put_by)).transpose()?,
    })
}

type AlertRow = (i64, String, bool, String, i64, i64, Option<i64>);

async fn load_alerts(conn: &mut Connection, state: &mut State) -> Result<(), StorageError> {
    let rows: Vec<AlertRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, fingerprint, firing, signal, since, seen_at, delivery_id from alert",
    )
    .fetch_all(&mut *c)
    .await)?;
    for (integration, fingerprint, firing, signal, since, seen_at, delivery) in rows {
        let signal: Signal = json(&signal, "alert", "signal")?;
        let key = (IntegrationId(integration), fingerprint);
        if firing {
            state.signals.insert(key.clone(), Arc::new(signal.clone()));
        }
        let alert = Alert {
            firing,
            severity: signal.severity,
            group: signal.group,
            occurred_at: signal.occurred_at,
            since: Timestamp(since),
            seen_at: Timestamp(seen_at),
            delivery: delivery.map(DeliveryId),
        };
        state.set_alert(&key, alert);
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct CauseRow {
    integration_id: i64,
    fingerprint: String,
    route_id: i64,
    status: String,
    phase: String,
    since: i64,
    due_at: Option<i64>,
    expires_at: Option<i64>,
    incident_id: Option<i64>,
    delivery_id: Option<i64>,
    summary: String,
    muted_up_to: Option<String>,
}

/// Which causes to read.
#[derive(Clone, Copy, Debug)]
pub enum Causes {
    /// All of them.
    All,
    /// Those that were muted with an incident that a person ended.
    MutedWith(IncidentId),
}

/// Alerts that routes took up.
///
/// # Errors
/// What the database said.
pub async fn causes(conn: &mut Connection, which: Causes) -> Result<Vec<Cause>, StorageError> {
    let incident = if let Causes::MutedWith(id) = which { Some(id.0) } else { None };
    let rows: Vec<CauseRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, fingerprint, route_id, status, phase, since, due_at, expires_at, incident_id, delivery_id, summary,
                muted_up_to
         from cause where cast($1 as bigint) is null or (incident_id = $1 and muted_up_to is not null)
         order by integration_id, fingerprint, route_id",
    )
    .bind(incident)
    .fetch_all(&mut *c)
    .await)?;
    rows.into_iter().map(cause).collect()
}

fn cause(row: CauseRow) -> Result<Cause, StorageError> {
    Ok(Cause {
        integration: IntegrationId(row.integration_id),
        fingerprint: row.fingerprint,
        route: RouteId(row.route_id),
        status: named(&row.status, "cause", "status")?,
        phase: named(&row.phase, "cause", "phase")?,
        since: Timestamp(row.since),
        due_at: row.due_at.map(Timestamp),
        expires_at: row.expires_at.map(Timestamp),
        incident: row.incident_id.map(IncidentId),
        muted_up_to: row.muted_up_to.map(|status| named(&status, "cause", "muted_up_to")).transpose()?,
        delivery: row.delivery_id.map(DeliveryId),
        summary: row.summary,
    })
}
