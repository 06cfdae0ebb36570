//! Causes: what a batch leaves of each.

use std::collections::BTreeMap;

use domain::{Cause, Change, Recorded};
use sqlx::QueryBuilder;

use super::portions;
use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let mut last: BTreeMap<_, (&Cause, bool)> = BTreeMap::new();
    for Recorded { change, .. } in recorded {
        let (cause, stays) = match change {
            Change::CauseSet { cause, .. } => (cause, true),
            Change::CauseEnded { cause } => (cause, false),
            _ => continue,
        };
        last.insert((cause.integration.0, cause.fingerprint.as_str(), cause.route.0), (cause, stays));
    }
    let standing: Vec<&Cause> = last.values().filter(|(_, stays)| *stays).map(|(cause, _)| *cause).collect();
    for portion in portions(&standing) {
        upsert(conn, portion).await?;
    }
    for (cause, _) in last.values().filter(|(_, stays)| !stays) {
        delete(conn, cause).await?;
    }
    Ok(())
}

async fn upsert(conn: &mut Connection, causes: &[&Cause]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "insert into cause (integration_id, fingerprint, route_id, status, phase, since, due_at, expires_at, incident_id, delivery_id,
                 summary, muted_up_to) ",
        );
        query.push_values(causes, |mut row, cause| {
            row.push_bind(cause.integration.0)
                .push_bind(cause.fingerprint.as_str())
                .push_bind(cause.route.0)
                .push_bind(cause.status.as_str())
                .push_bind(cause.phase.as_str())
                .push_bind(cause.since.0)
                .push_bind(cause.due_at.map(|at| at.0))
                .push_bind(cause.expires_at.map(|at| at.0))
                .push_bind(cause.incident.map(|id| id.0))
                .push_bind(cause.delivery.map(|id| id.0))
                .push_bind(cause.summary.as_str())
                .push_bind(cause.muted_up_to.map(|status| status.as_str()));
        });
        query.push(
            " on conflict (integration_id, fingerprint, route_id) do update set status = excluded.status, phase = excluded.phase,
              since = excluded.since, due_at = excluded.due_at, expires_at = excluded.expires_at, incident_id = excluded.incident_id,
              delivery_id = excluded.delivery_id, summary = excluded.summary, muted_up_to = excluded.muted_up_to",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

async fn delete(conn: &mut Connection, cause: &Cause) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("delete from cause where integration_id = $1 and fingerprint = $2 and route_id = $3")
            .bind(cause.integration.0)
            .bind(cause.fingerprint.as_str())
            .bind(cause.route.0)
    )?;
    Ok(())
}
