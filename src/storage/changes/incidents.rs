//! Incidents: what a batch leaves of each, and every entry that its timeline got.

use std::collections::BTreeMap;

use domain::{Change, Incident, IncidentId, IncidentUpdate, Recorded, UpdateId};
use sqlx::QueryBuilder;

use super::portions;
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::{push_ids, to_json},
};

pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut last: BTreeMap<IncidentId, Option<&Incident>> = BTreeMap::new();
    let mut updates: Vec<&IncidentUpdate> = Vec::new();
    let mut removed: Vec<UpdateId> = Vec::new();
    for Recorded { change, .. } in recorded {
        match change {
            Change::Incident { incident, update } => {
                last.insert(incident.id, Some(incident));
                updates.retain(|known| update.as_ref().is_none_or(|update| update.id != known.id));
                updates.extend(update.as_ref());
            }
            Change::EntryRemoved { update, .. } => {
                updates.retain(|known| known.id != *update);
                removed.push(*update);
            }
            Change::IncidentDeleted { incident } => {
                last.insert(*incident, None);
                updates.retain(|update| update.incident != *incident);
            }
            _ => {}
        }
    }
    let standing: Vec<&Incident> = last.values().copied().flatten().collect();
    for portion in portions(&standing) {
        upsert(conn, portion).await?;
        replace_components(conn, portion).await?;
    }
    for portion in portions(&updates) {
        insert_updates(conn, portion).await?;
    }
    for update in removed {
        execute!(conn, sqlx::query("delete from incident_update where update_id = $1").bind(update.0))?;
    }
    for (deleted, _) in last.iter().filter(|(_, incident)| incident.is_none()) {
        execute!(conn, sqlx::query("delete from incident where incident_id = $1").bind(deleted.0))?;
    }
    Ok(())
}

async fn upsert(conn: &mut Connection, incidents: &[&Incident]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "insert into incident (incident_id, title, status, impact, published, opened_by, started_at, resolved_at, updated_at, scoped,
                 publishes_at, vetoed, added_at) ",
        );
        query.push_values(incidents, |mut row, incident| {
            row.push_bind(incident.id.0)
                .push_bind(incident.title.as_str())
                .push_bind(incident.status.as_str())
                .push_bind(incident.impact.as_str())
                .push_bind(incident.published)
                .push_bind(incident.opened_by.map(|id| id.0))
                .push_bind(incident.started_at.0)
                .push_bind(incident.resolved_at.map(|at| at.0))
                .push_bind(incident.updated_at.0)
                .push_bind(incident.scoped)
                .push_bind(incident.publishes_at.map(|at| at.0))
                .push_bind(incident.vetoed)
                .push_bind(incident.added_at.map(|at| at.0));
        });
        query.push(
            " on conflict (incident_id) do update set title = excluded.title, status = excluded.status, impact = excluded.impact,
              published = excluded.published, opened_by = excluded.opened_by, started_at = excluded.started_at, resolved_at = excluded.resolved_at,
              updated_at = excluded.updated_at, scoped = excluded.scoped,
              publishes_at = excluded.publishes_at, vetoed = excluded.vetoed, added_at = excluded.added_at",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

async fn replace_components(conn: &mut Connection, incidents: &[&Incident]) -> Result<(), StorageError> {
    let ids: Vec<i64> = incidents.iter().map(|incident| incident.id.0).collect();
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("delete from incident_component where incident_id in (");
        push_ids(&mut query, &ids);
        query.build().execute(&mut *c).await?;
    });
    let components =
        incidents.iter().flat_map(|incident| incident.components.iter().map(|(id, worst)| (incident.id.0, id.0, worst.as_str())));
    let rows: Vec<(i64, i64, &str)> = components.collect();
    for portion in portions(&rows) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into incident_component (incident_id, component_id, worst) ");
            query.push_values(portion, |mut row, (incident, component, worst)| {
                row.push_bind(*incident).push_bind(*component).push_bind(*worst);
            });
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(())
}

async fn insert_updates(conn: &mut Connection, updates: &[&IncidentUpdate]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("insert into incident_update (update_id, incident_id, status, body, components, at, author, edited_at) ",);
        query.push_values(updates, |mut row, update| {
            row.push_bind(update.id.0)
                .push_bind(update.incident.0)
                .push_bind(update.status.as_str())
                .push_bind(update.body.as_str())
                .push_bind(to_json(&update.components))
                .push_bind(update.at.0)
                .push_bind(update.by.as_str())
                .push_bind(update.edited_at.map(|at| at.0));
        });
        query.push(
            " on conflict (update_id) do update set body = excluded.body, author = excluded.author, edited_at = excluded.edited_at",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}
