//! Stores what was decided: the state's rows, the history, and the notifications owed, in the caller's one transaction.

mod alerts;
mod causes;
mod incidents;
mod notices;
mod statuses;
mod swings;

use std::collections::HashMap;

use domain::{Change, ComponentId, Maintenance, Override, Recorded, Sample, State};
use sqlx::QueryBuilder;

use crate::{
    Connection, Entry, StorageError,
    db::{execute, sql},
    dependencies,
    rows::to_json,
    series, waiting,
};

pub(crate) use notices::insert as insert_notices;
pub use statuses::days_of;

/// Rows in one statement.
const MAX_ROWS: usize = 32;

/// Stores what was decided and gives every transition its place in the history. `state` hands out the ids.
///
/// What a batch leaves behind is stored once, however often it changed in between, and many rows share a statement: a storm costs a
/// number of statements that hardly grows with it.
///
/// # Errors
/// What the database said.
pub async fn apply(entry: &mut Entry, state: &mut State, recorded: &[Recorded]) -> Result<(), StorageError> {
    entry.visible |= is_visible(recorded);
    alerts::store(&mut entry.tx, recorded).await?;
    insert_samples(&mut entry.tx, recorded).await?;
    incidents::store(&mut entry.tx, recorded).await?;
    causes::store(&mut entry.tx, recorded).await?;
    swings::store(&mut entry.tx, recorded).await?;
    statuses::store(&mut entry.tx, state, recorded).await?;
    for Recorded { change, .. } in recorded {
        store(&mut entry.tx, change).await?;
    }
    notices::store(&mut entry.tx, recorded).await?;
    insert_history(entry, state, recorded).await
}

/// The rows in portions for one statement each; powers of two keep the number of prepared statements small.
pub(crate) fn portions<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let n = MAX_ROWS.min(1 << rest.len().checked_ilog2()?);
        let (portion, later) = rest.split_at(n);
        rest = later;
        Some(portion)
    })
}

/// Whether `recorded` holds anything that readers or the team can see, or that is owed to a subscriber.
#[must_use]
pub fn is_visible(recorded: &[Recorded]) -> bool {
    let unseen = |change: &Change| {
        matches!(
            change,
            Change::Alert { .. }
                | Change::AlertForgotten { .. }
                | Change::Refused { .. }
                | Change::CauseSet { moved: false, .. }
                | Change::Swings { .. }
                | Change::SeriesLaid { .. }
        )
    };
    recorded.iter().any(|recorded| !unseen(&recorded.change))
}

/// Whether `recorded` owes anything to subscribers.
#[must_use]
pub fn owes(recorded: &[Recorded]) -> bool {
    recorded.iter().any(|recorded| matches!(recorded.change, Change::Notice(_)))
}

/// What seldom comes in numbers.
async fn store(conn: &mut Connection, change: &Change) -> Result<(), StorageError> {
    match change {
        Change::Override { component, overridden } => set_override(conn, *component, overridden.as_ref()).await,
        Change::Maintenance { maintenance } => upsert_maintenance(conn, maintenance).await,
        Change::MaintenanceRemoved { maintenance } => {
            execute!(conn, sqlx::query("delete from maintenance where maintenance_id = $1").bind(maintenance.0))?;
            Ok(())
        }
        Change::SeriesLaid { series, lay_at } => series::set_lay_at(conn, *series, *lay_at).await,
        Change::Waiting { act } => waiting::store(conn, act).await,
        Change::Quiet { component, upstream, until } => dependencies::set_quiet(conn, *component, *upstream, *until).await,
        // Stored above and below, many at once.
        Change::Alert { .. }
        | Change::AlertExpired { .. }
        | Change::AlertForgotten { .. }
        | Change::Sample { .. }
        | Change::CauseSet { .. }
        | Change::CauseEnded { .. }
        | Change::Swings { .. }
        | Change::ComponentStatus { .. }
        | Change::Past { .. }
        | Change::Incident { .. }
        | Change::EntryRemoved { .. }
        | Change::IncidentDeleted { .. }
        | Change::Notice(_) => Ok(()),
        Change::Refused { .. } => Ok(()), // Told with the delivery.
    }
}

async fn insert_samples(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut newest: HashMap<(i64, i64), Sample> = HashMap::new();
    for Recorded { change, .. } in recorded {
        if let Change::Sample { metric, sample } = change {
            newest.insert((metric.0, sample.at.0), *sample);
        }
    }
    let rows: Vec<_> = newest.into_iter().collect();
    for chunk in portions(&rows) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into sample (metric_id, at, value) ");
            query.push_values(chunk, |mut row, ((metric, at), sample)| {
                row.push_bind(*metric).push_bind(*at).push_bind(sample.value);
            });
            query.push(" on conflict (metric_id, at) do update set value = excluded.value");
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(())
}

async fn set_override(conn: &mut Connection, component: ComponentId, word: Option<&Override>) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update component set override_status = $2, override_until = $3, override_by = $4 where component_id = $1")
            .bind(component.0)
            .bind(word.map(|word| word.status.as_str()))
            .bind(word.and_then(|word| word.until).map(|until| until.0))
            .bind(word.map(|word| word.by.as_str()))
    )?;
    Ok(())
}

async fn upsert_maintenance(conn: &mut Connection, maintenance: &Maintenance) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into maintenance (maintenance_id, title, body, status, starts_at, ends_at, created_at, updated_at, scoped, series_id,
             occurrence, apart, announce_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         on conflict (maintenance_id) do update set title = excluded.title, body = excluded.body, status = excluded.status,
             starts_at = excluded.starts_at, ends_at = excluded.ends_at, updated_at = excluded.updated_at,
             scoped = excluded.scoped, series_id = excluded.series_id, occurrence = excluded.occurrence, apart = excluded.apart,
             announce_at = excluded.announce_at",
        )
        .bind(maintenance.id.0)
        .bind(maintenance.title.as_str())
        .bind(maintenance.body.as_str())
        .bind(maintenance.status.as_str())
        .bind(maintenance.starts_at.0)
        .bind(maintenance.ends_at.0)
        .bind(maintenance.created_at.0)
        .bind(maintenance.updated_at.0)
        .bind(maintenance.scoped)
        .bind(maintenance.occurrence.map(|occurrence| occurrence.series.0))
        .bind(maintenance.occurrence.map(|occurrence| occurrence.on.to_string()))
        .bind(maintenance.occurrence.is_some_and(|occurrence| occurrence.apart))
        .bind(maintenance.announce_at.map(|at| at.0))
    )?;
    let id = maintenance.id.0;
    execute!(conn, sqlx::query("delete from maintenance_component where maintenance_id = $1").bind(id))?;
    for component in &maintenance.components {
        execute!(
            conn,
            sqlx::query("insert into maintenance_component (maintenance_id, component_id) values ($1, $2) on conflict do nothing",)
                .bind(id)
                .bind(component.0)
        )?;
    }
    Ok(())
}

/// What a change looks like in the history; `None` for what is no transition.
fn history(change: &Change) -> Option<(&'static str, serde_json::Value)> {
    use serde_json::json;
    Some(match change {
        Change::Alert { .. } | Change::AlertForgotten { .. } | Change::Refused { .. } | Change::CauseSet { moved: false, .. } => {
            return None;
        }
        Change::Sample { .. } | Change::Notice(_) | Change::Swings { .. } | Change::SeriesLaid { .. } => return None,
        Change::AlertExpired { fingerprint, .. } => ("alert_expired", json!({ "fingerprint": fingerprint })),
        Change::CauseSet { cause, .. } => ("cause_set", json!({ "cause": cause })),
        Change::CauseEnded { cause } => ("cause_ended", json!({ "cause": cause })),
        Change::ComponentStatus { component, from, to, internal_from, internal_to, .. } => (
            "component_status",
            json!({ "component": component, "from": from, "to": to, "internal_from": internal_from, "internal_to": internal_to }),
        ),
        Change::Override { component, overridden } => ("override", json!({ "component": component, "override": overridden })),
        Change::Past { component, span, pieces } => {
            let span = json!({ "status": span.status, "since": span.since, "until": span.until });
            ("past", json!({ "component": component, "span": span, "corrected": !pieces.is_empty() }))
        }
        Change::Quiet { component, upstream, until } => ("quiet", json!({ "component": component, "upstream": upstream, "until": until })),
        Change::Incident { incident, update } => ("incident", json!({ "incident": incident, "update": update.as_ref().map(|u| u.id) })),
        Change::EntryRemoved { incident, update } => ("entry_removed", json!({ "incident": incident, "update": update })),
        Change::IncidentDeleted { incident } => ("incident_deleted", json!({ "incident": incident })),
        // The words are history only once they have left.
        Change::Waiting { act } => {
            ("waiting_act", json!({ "waiting_act": act.id, "state": act.state, "leaves_at": act.leaves_at, "reason": act.reason }))
        }
        Change::Maintenance { maintenance } => ("maintenance", json!({ "maintenance": maintenance })),
        Change::MaintenanceRemoved { maintenance } => ("maintenance_removed", json!({ "maintenance": maintenance })),
    })
}

/// The component, incident and maintenance that a change is about.
fn about(change: &Change) -> (Option<i64>, Option<i64>, Option<i64>) {
    match change {
        Change::ComponentStatus { component, .. }
        | Change::Override { component, .. }
        | Change::Quiet { component, .. }
        | Change::Past { component, .. } => (Some(component.0), None, None),
        Change::Incident { incident, .. } => (None, Some(incident.id.0), None),
        Change::Waiting { act } => (None, Some(act.incident.0), None),
        Change::EntryRemoved { incident, .. } | Change::IncidentDeleted { incident } => (None, Some(incident.0), None),
        Change::CauseSet { cause, .. } | Change::CauseEnded { cause } => (None, cause.incident.map(|id| id.0), None),
        Change::Maintenance { maintenance } => (None, None, Some(maintenance.id.0)),
        Change::MaintenanceRemoved { maintenance } => (None, None, Some(maintenance.0)),
        Change::Alert { .. } | Change::AlertExpired { .. } | Change::AlertForgotten { .. } | Change::Refused { .. } => (None, None, None),
        Change::Sample { .. } | Change::Notice(_) | Change::Swings { .. } | Change::SeriesLaid { .. } => (None, None, None),
    }
}

async fn insert_history(entry: &mut Entry, state: &mut State, recorded: &[Recorded]) -> Result<(), StorageError> {
    let version = entry.version;
    let mut rows = Vec::new();
    for recorded in recorded {
        if let Some((kind, data)) = history(&recorded.change) {
            rows.push((state.next_id, kind, about(&recorded.change), data.to_string(), recorded));
            state.next_id += 1;
        }
    }
    let conn = &mut entry.tx;
    for chunk in portions(&rows) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new(
                "insert into change (change_id, version, at, kind, component_id, incident_id, maintenance_id, delivery_id, data, why) ",
            );
            query.push_values(chunk, |mut row, (id, kind, (component, incident, maintenance), data, recorded)| {
                row.push_bind(*id)
                    .push_bind(version)
                    .push_bind(recorded.at.0)
                    .push_bind(*kind)
                    .push_bind(*component)
                    .push_bind(*incident)
                    .push_bind(*maintenance)
                    .push_bind(recorded.why.delivery.map(|id| id.0))
                    .push_bind(data.as_str())
                    .push_bind(to_json(&recorded.why));
            });
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(())
}
