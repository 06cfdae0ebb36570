//! Stores what was decided: the state's rows, the history, and the notifications owed, in the caller's one transaction.

use std::collections::HashMap;

use domain::{
    Cause, Change, ComponentId, Day, Incident, IncidentUpdate, Maintenance, Notice, NoticeAbout, Override, Recorded, Sample, Span, State,
    Status, Timestamp,
};
use sqlx::QueryBuilder;

use crate::{
    Connection, Entry, StorageError,
    db::{execute, sql},
    rows::to_json,
};

mod alerts;

/// Rows in one statement.
const MAX_ROWS: usize = 32;

/// Stores what was decided and gives every transition its place in the history. `state` hands out the ids.
///
/// # Errors
/// What the database said.
pub async fn apply(entry: &mut Entry, state: &mut State, recorded: &[Recorded]) -> Result<(), StorageError> {
    entry.visible |= is_visible(recorded);
    alerts::store(&mut entry.tx, recorded).await?;
    insert_samples(&mut entry.tx, recorded).await?;
    for Recorded { change, at, .. } in recorded {
        store(&mut entry.tx, state, change, *at).await?;
    }
    insert_history(entry, state, recorded).await
}

/// Whether `recorded` holds anything that readers or the team can see, or that is owed to a subscriber.
#[must_use]
pub fn is_visible(recorded: &[Recorded]) -> bool {
    let unseen = |change: &Change| {
        matches!(
            change,
            Change::Alert { .. } | Change::AlertForgotten { .. } | Change::Refused { .. } | Change::CauseSet { moved: false, .. }
        )
    };
    recorded.iter().any(|recorded| !unseen(&recorded.change))
}

/// Whether `recorded` owes anything to subscribers.
#[must_use]
pub fn owes(recorded: &[Recorded]) -> bool {
    recorded.iter().any(|recorded| matches!(recorded.change, Change::Notice(_)))
}

async fn store(conn: &mut Connection, state: &State, change: &Change, at: Timestamp) -> Result<(), StorageError> {
    match change {
        Change::Alert { .. } | Change::AlertExpired { .. } | Change::AlertForgotten { .. } => Ok(()), // Stored above,
        Change::Sample { .. } => Ok(()),                                                              // many at once.
        Change::Refused { .. } => Ok(()),                                                             // Told with the delivery.
        Change::CauseSet { cause, .. } => upsert_cause(conn, cause).await,
        Change::CauseEnded { cause } => delete_cause(conn, cause).await,
        Change::ComponentStatus { component, from, to, internal_to, since, .. } => {
            set_status(conn, *component, (from != to).then_some((*to, at)), *internal_to).await?;
            if from != to { add_days(conn, state, *component, *from, *since, at).await } else { Ok(()) }
        }
        Change::Override { component, overridden } => set_override(conn, *component, overridden.as_ref()).await,
        Change::Incident { incident, update } => {
            upsert_incident(conn, incident).await?;
            if let Some(update) = update { insert_update(conn, update).await } else { Ok(()) }
        }
        Change::IncidentDeleted { incident } => {
            execute!(conn, sqlx::query("delete from incident where incident_id = $1").bind(incident.0))?;
            Ok(())
        }
        Change::Maintenance { maintenance } => upsert_maintenance(conn, maintenance).await,
        Change::Notice(notice) => owe(conn, notice).await,
    }
}

async fn upsert_cause(conn: &mut Connection, cause: &Cause) -> Result<(), StorageError> {
    execute!(conn, sqlx::query(
        "insert into cause (integration_id, fingerprint, route_id, status, phase, since, due_at, expires_at, incident_id, delivery_id, summary,
             muted_up_to)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         on conflict (integration_id, fingerprint, route_id) do update set status = excluded.status, phase = excluded.phase,
             since = excluded.since, due_at = excluded.due_at, expires_at = excluded.expires_at, incident_id = excluded.incident_id,
             delivery_id = excluded.delivery_id, summary = excluded.summary, muted_up_to = excluded.muted_up_to",
    )
    .bind(cause.integration.0)
    .bind(cause.fingerprint.as_str())
    .bind(cause.route.0)
    .bind(cause.status.as_str())
    .bind(cause.phase.as_str())
    .bind(cause.since.0)
    .bind(cause.due_at.map(|at| at.0))
    .bind(cause.expires_at.map(|at| at.0))
    .bind(cause.incident.map(|id| id.0))
    .bind(cause.delivery.map(|id| id.0))
    .bind(cause.summary.as_str())
    .bind(cause.muted_up_to.map(|status| status.as_str())))?;
    Ok(())
}

async fn delete_cause(conn: &mut Connection, cause: &Cause) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("delete from cause where integration_id = $1 and fingerprint = $2 and route_id = $3")
            .bind(cause.integration.0)
            .bind(cause.fingerprint.as_str())
            .bind(cause.route.0)
    )?;
    Ok(())
}

async fn insert_samples(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut newest: HashMap<(i64, i64), Sample> = HashMap::new();
    for Recorded { change, .. } in recorded {
        if let Change::Sample { metric, sample } = change {
            newest.insert((metric.0, sample.at.0), *sample);
        }
    }
    let rows: Vec<_> = newest.into_iter().collect();
    for chunk in rows.chunks(MAX_ROWS) {
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

async fn set_status(
    conn: &mut Connection,
    component: ComponentId,
    published: Option<(Status, Timestamp)>,
    internal: Status,
) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "update component set internal_status = $2, status = coalesce($3, status), status_since = coalesce($4, status_since)
         where component_id = $1",
        )
        .bind(component.0)
        .bind(internal.as_str())
        .bind(published.map(|(status, _)| status.as_str()))
        .bind(published.map(|(_, at)| at.0))
    )?;
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

/// Counts the time from `since` to `until` for the days it fell on, if it was not a good time.
async fn add_days(
    conn: &mut Connection,
    state: &State,
    component: ComponentId,
    status: Status,
    since: Timestamp,
    until: Timestamp,
) -> Result<(), StorageError> {
    if status == Status::Operational {
        return Ok(());
    }
    for (day, span) in split_by_day(state, since, until) {
        let mut counted = Day { day, ..Day::default() };
        counted.add(status, span);
        execute!(conn, sqlx::query(
            "insert into component_day as d (component_id, day, under_maintenance, unknown, degraded_performance, partial_outage, major_outage)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (component_id, day) do update set
                 under_maintenance = d.under_maintenance + excluded.under_maintenance,
                 unknown = d.unknown + excluded.unknown,
                 degraded_performance = d.degraded_performance + excluded.degraded_performance,
                 partial_outage = d.partial_outage + excluded.partial_outage,
                 major_outage = d.major_outage + excluded.major_outage",
        )
        .bind(component.0)
        .bind(counted.day)
        .bind(counted.under_maintenance.0)
        .bind(counted.unknown.0)
        .bind(counted.degraded_performance.0)
        .bind(counted.partial_outage.0)
        .bind(counted.major_outage.0))?;
    }
    Ok(())
}

fn split_by_day(state: &State, since: Timestamp, until: Timestamp) -> Vec<(i32, Span)> {
    let (first, last) = (since.day_in(&state.zone), until.day_in(&state.zone));
    (first..=last)
        .map(|day| {
            let begin = Timestamp::start_of_day(day, &state.zone).max(since);
            let end = Timestamp::start_of_day(day + 1, &state.zone).min(until);
            (day, end.since(begin))
        })
        .filter(|(_, span)| span.0 > 0)
        .collect()
}

async fn upsert_incident(conn: &mut Connection, incident: &Incident) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into incident (incident_id, title, status, impact, published, opened_by, started_at, resolved_at, updated_at, scoped)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (incident_id) do update set title = excluded.title, status = excluded.status, impact = excluded.impact,
             published = excluded.published, opened_by = excluded.opened_by, resolved_at = excluded.resolved_at,
             updated_at = excluded.updated_at, scoped = excluded.scoped",
        )
        .bind(incident.id.0)
        .bind(incident.title.as_str())
        .bind(incident.status.as_str())
        .bind(incident.impact.as_str())
        .bind(incident.published)
        .bind(incident.opened_by.map(|id| id.0))
        .bind(incident.started_at.0)
        .bind(incident.resolved_at.map(|at| at.0))
        .bind(incident.updated_at.0)
        .bind(incident.scoped)
    )?;
    execute!(conn, sqlx::query("delete from incident_component where incident_id = $1").bind(incident.id.0))?;
    for (component, worst) in &incident.components {
        execute!(
            conn,
            sqlx::query("insert into incident_component (incident_id, component_id, worst) values ($1, $2, $3)")
                .bind(incident.id.0)
                .bind(component.0)
                .bind(worst.as_str())
        )?;
    }
    Ok(())
}

async fn insert_update(conn: &mut Connection, update: &IncidentUpdate) -> Result<(), StorageError> {
    execute!(conn, sqlx::query(
        "insert into incident_update (update_id, incident_id, status, body, components, at, author) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(update.id.0)
    .bind(update.incident.0)
    .bind(update.status.as_str())
    .bind(update.body.as_str())
    .bind(to_json(&update.components))
    .bind(update.at.0)
    .bind(update.by.as_str()))?;
    Ok(())
}

async fn upsert_maintenance(conn: &mut Connection, maintenance: &Maintenance) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into maintenance (maintenance_id, title, body, status, starts_at, ends_at, created_at, updated_at, scoped)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (maintenance_id) do update set title = excluded.title, body = excluded.body, status = excluded.status,
             starts_at = excluded.starts_at, ends_at = excluded.ends_at, updated_at = excluded.updated_at,
             scoped = excluded.scoped",
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

/// What mail about the same thing threads on.
fn thread_of(notice: &Notice) -> Option<String> {
    match &notice.about {
        NoticeAbout::Incident { incident, .. } => Some(format!("incident:{}", incident.id)),
        NoticeAbout::Maintenance { maintenance } => Some(format!("maintenance:{}", maintenance.id)),
        NoticeAbout::Component { .. } | NoticeAbout::Endpoint { .. } => None,
    }
}

/// Stores a notice and what it owes to every subscriber it concerns: one statement, however many they are.
async fn owe(conn: &mut Connection, notice: &Notice) -> Result<(), StorageError> {
    insert_notice(conn, notice).await?;
    let ids: Vec<i64> = notice.components.keys().map(|id| id.0).collect();
    let people = notice.kind.is_for_people();
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "insert into notification (notice_id, subscriber_id, thread, state, attempt, next_at, created_at) select ",
        );
        query.push("cast(").push_bind(notice.id.0).push(" as bigint), s.subscriber_id, cast(").push_bind(thread_of(notice));
        query.push(" as text), 'due', 1, ");
        if let Some(thread) = thread_of(notice) {
            // Mail about one thing arrives in order, so it waits for what could not be sent yet.
            query.push("coalesce((select max(e.next_at) from notification e where s.channel = 'email' and e.subscriber_id = s.subscriber_id");
            query.push(" and e.thread = ").push_bind(thread).push(" and e.state = 'due' and e.next_at > ").push_bind(notice.at.0);
            query.push("), cast(").push_bind(notice.at.0).push(" as bigint))");
        } else {
            query.push("cast(").push_bind(notice.at.0).push(" as bigint)");
        }
        query.push(", cast(").push_bind(notice.at.0);
        query.push(" as bigint) from subscriber s where s.confirmed_at is not null and s.disabled_at is null");
        if !people {
            query.push(" and s.channel = 'webhook'");
        }
        query.push(" and (not s.scoped");
        if !ids.is_empty() {
            query.push(" or exists (select 1 from subscriber_component sc where sc.subscriber_id = s.subscriber_id and sc.component_id in (");
            crate::rows::push_ids(&mut query, &ids);
            query.push(")");
        }
        query.push(") order by s.subscriber_id");
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

pub(crate) async fn insert_notice(conn: &mut Connection, notice: &Notice) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("insert into notice (notice_id, kind, at, thread, data) values ($1, $2, $3, $4, $5)")
            .bind(notice.id.0)
            .bind(notice.kind.as_str())
            .bind(notice.at.0)
            .bind(thread_of(notice))
            .bind(to_json(notice))
    )?;
    Ok(())
}

/// What a change looks like in the history; `None` for what is no transition.
fn history(change: &Change) -> Option<(&'static str, serde_json::Value)> {
    use serde_json::json;
    Some(match change {
        Change::Alert { .. } | Change::AlertForgotten { .. } | Change::Refused { .. } | Change::CauseSet { moved: false, .. } => {
            return None;
        }
        Change::Sample { .. } | Change::Notice(_) => return None,
        Change::AlertExpired { fingerprint, .. } => ("alert_expired", json!({ "fingerprint": fingerprint })),
        Change::CauseSet { cause, .. } => ("cause_set", json!({ "cause": cause })),
        Change::CauseEnded { cause } => ("cause_ended", json!({ "cause": cause })),
        Change::ComponentStatus { component, from, to, internal_from, internal_to, .. } => (
            "component_status",
            json!({ "component": component, "from": from, "to": to, "internal_from": internal_from, "internal_to": internal_to }),
        ),
        Change::Override { component, overridden } => ("override", json!({ "component": component, "override": overridden })),
        Change::Incident { incident, update } => ("incident", json!({ "incident": incident, "update": update.as_ref().map(|u| u.id) })),
        Change::IncidentDeleted { incident } => ("incident_deleted", json!({ "incident": incident })),
        Change::Maintenance { maintenance } => ("maintenance", json!({ "maintenance": maintenance })),
    })
}

/// The component, incident and maintenance that a change is about.
fn about(change: &Change) -> (Option<i64>, Option<i64>, Option<i64>) {
    match change {
        Change::ComponentStatus { component, .. } | Change::Override { component, .. } => (Some(component.0), None, None),
        Change::Incident { incident, .. } => (None, Some(incident.id.0), None),
        Change::IncidentDeleted { incident } => (None, Some(incident.0), None),
        Change::CauseSet { cause, .. } | Change::CauseEnded { cause } => (None, cause.incident.map(|id| id.0), None),
        Change::Maintenance { maintenance } => (None, None, Some(maintenance.id.0)),
        Change::Alert { .. } | Change::AlertExpired { .. } | Change::AlertForgotten { .. } | Change::Refused { .. } => (None, None, None),
        Change::Sample { .. } | Change::Notice(_) => (None, None, None),
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
    for chunk in rows.chunks(MAX_ROWS) {
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
