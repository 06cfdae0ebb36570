//! Reads the state that the evaluator folds on.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    Alert, Cause, ComponentId, DeliveryId, Expression, IncidentId, IntegrationId, MAX_COOL_OFF, MetricId, Route, RouteId, Signal, Span,
    State, Timestamp,
};
use jiff::tz::TimeZone;
use tracing::error;

use crate::{
    Connection, Entry, StorageError,
    db::sql,
    rows::{self, Incidents, Maintenances, json, named},
};

/// How long a thing that no longer fires is remembered, so that a late signal cannot bring it back.
pub const ALERT_MEMORY: Span = Span(7 * 86_400_000);

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
    for route in routes(conn).await? {
        state.add_route(route);
    }
    let since = Timestamp(entry.clock.0.saturating_sub(ALERT_MEMORY.0));
    load_alerts(conn, since, &mut state).await?;
    load_causes(conn, &mut state).await?;
    let since = Timestamp(entry.clock.0.saturating_sub(MAX_COOL_OFF.0));
    state.incidents = rows::incidents(conn, Incidents::OpenOrEndedSince(since)).await?.into_iter().map(|i| (i.id, i)).collect();
    state.maintenances = rows::maintenances(conn, Maintenances::Open).await?.into_iter().map(|m| (m.id, m)).collect();
    Ok(state)
}

#[derive(sqlx::FromRow)]
struct RouteRow {
    route_id: i64,
    integration_id: i64,
    integration_key: String,
    position: i32,
    condition: String,
    status: Option<String>,
    for_ms: i64,
    keep_firing_for: i64,
    expire_after: i64,
    cool_off: i64,
    publish: String,
    title: Option<String>,
    body: Option<String>,
    metric_id: Option<i64>,
    value: Option<String>,
}

/// Every route of an enabled integration, compiled, in order.
async fn routes(conn: &mut Connection) -> Result<Vec<Route>, StorageError> {
    let rows: Vec<RouteRow> = sql!(conn, c => sqlx::query_as(
        "select r.route_id, r.integration_id, i.key as integration_key, r.position, r.condition, r.status, r.for_ms, r.keep_firing_for,
                r.expire_after, r.cool_off, r.publish, r.title, r.body, r.metric_id, r.value
         from route r join integration i on i.integration_id = r.integration_id
         where i.enabled order by r.integration_id, r.position, r.route_id",
    )
    .fetch_all(&mut *c)
    .await)?;
    let pairs: Vec<(i64, i64)> = sql!(conn, c => sqlx::query_as("select route_id, component_id from route_component order by route_id, component_id")
        .fetch_all(&mut *c)
        .await)?;
    let mut parts: BTreeMap<i64, Vec<ComponentId>> = BTreeMap::new();
    for (route, component) in pairs {
        parts.entry(route).or_default().push(ComponentId(component));
    }
    let mut routes = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.route_id;
        match route(row, parts.remove(&id).unwrap_or_default()) {
            Ok(route) => routes.push(route),
            // Checked when it was saved, so this means that the language changed. The other routes must go on.
            Err(error) => error!(route = id, error = ?error, "A route cannot be used and is left out"),
        }
    }
    Ok(routes)
}

fn route(row: RouteRow, components: Vec<ComponentId>) -> Result<Route, StorageError> {
    let compile = |source: &str, column| Expression::compile(source).map_err(|error| StorageError::corrupt("route", column, error));
    Ok(Route {
        id: RouteId(row.route_id),
        integration: IntegrationId(row.integration_id),
        label: format!("{}[{}]", row.integration_key, row.position),
        condition: compile(&row.condition, "condition")?,
        status: row.status.map(|text| json(&text, "route", "status")).transpose()?.unwrap_or_default(),
        components,
        hold: Span(row.for_ms),
        keep_firing_for: Span(row.keep_firing_for),
        expire_after: Span(row.expire_after),
        cool_off: Span(row.cool_off),
        publish: named(&row.publish, "route", "publish")?,
        title: row.title,
        body: row.body,
        metric: row.metric_id.map(MetricId),
        value: row.value.map(|source| compile(&source, "value")).transpose()?,
    })
}

type AlertRow = (i64, String, bool, String, i64, i64, Option<i64>);

async fn load_alerts(conn: &mut Connection, since: Timestamp, state: &mut State) -> Result<(), StorageError> {
    let rows: Vec<AlertRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, fingerprint, firing, signal, since, seen_at, delivery_id from alert where firing or seen_at >= $1",
    )
    .bind(since.0)
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
        state.alerts.insert(key, alert);
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
}

async fn load_causes(conn: &mut Connection, state: &mut State) -> Result<(), StorageError> {
    let rows: Vec<CauseRow> = sql!(conn, c => sqlx::query_as(
        "select integration_id, fingerprint, route_id, status, phase, since, due_at, expires_at, incident_id, delivery_id, summary from cause",
    )
    .fetch_all(&mut *c)
    .await)?;
    for row in rows {
        let cause = Cause {
            integration: IntegrationId(row.integration_id),
            fingerprint: row.fingerprint,
            route: RouteId(row.route_id),
            status: named(&row.status, "cause", "status")?,
            phase: named(&row.phase, "cause", "phase")?,
            since: Timestamp(row.since),
            due_at: row.due_at.map(Timestamp),
            expires_at: row.expires_at.map(Timestamp),
            incident: row.incident_id.map(IncidentId),
            delivery: row.delivery_id.map(DeliveryId),
            summary: row.summary,
        };
        state.causes.insert(cause.key(), cause);
    }
    Ok(())
}
