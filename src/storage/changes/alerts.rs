//! The rows of alerts: of everything that was decided about one thing, only what it came to.

use std::collections::HashMap;

use domain::{Alert, Change, IntegrationId, Recorded, Signal};
use sqlx::QueryBuilder;

use super::MAX_ROWS;
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::to_json,
};

/// What several decisions about one thing came to. PostgreSQL refuses to touch a row twice in one statement.
enum Outcome<'a> {
    Heard(&'a Alert, &'a Signal),
    /// Given up, with the signal that is stored.
    Expired(&'a Alert),
    Forgotten,
}

type Key<'a> = (IntegrationId, &'a str);

pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let (mut heard, mut forgotten) = (Vec::new(), HashMap::<IntegrationId, Vec<&str>>::new());
    for ((integration, fingerprint), outcome) in outcomes(recorded) {
        match outcome {
            Outcome::Heard(alert, signal) => heard.push(((integration, fingerprint), (alert, signal))),
            Outcome::Expired(alert) => quieten(conn, integration, fingerprint, alert).await?,
            Outcome::Forgotten => forgotten.entry(integration).or_default().push(fingerprint),
        }
    }
    upsert(conn, &heard).await?;
    for (integration, fingerprints) in forgotten {
        delete(conn, integration, &fingerprints).await?;
    }
    Ok(())
}

fn outcomes(recorded: &[Recorded]) -> HashMap<Key<'_>, Outcome<'_>> {
    let mut outcomes = HashMap::new();
    for Recorded { change, .. } in recorded {
        match change {
            Change::Alert { integration, alert, signal } => {
                outcomes.insert((*integration, signal.fingerprint.as_str()), Outcome::Heard(alert, signal));
            }
            Change::AlertExpired { integration, fingerprint, alert } => {
                let key = (*integration, fingerprint.as_str());
                let outcome = match outcomes.get(&key) {
                    Some(Outcome::Heard(_, signal)) => Outcome::Heard(alert, signal),
                    _ => Outcome::Expired(alert),
                };
                outcomes.insert(key, outcome);
            }
            Change::AlertForgotten { integration, fingerprint } => {
                outcomes.insert((*integration, fingerprint.as_str()), Outcome::Forgotten);
            }
            _ => {}
        }
    }
    outcomes
}

async fn upsert(conn: &mut Connection, rows: &[(Key<'_>, (&Alert, &Signal))]) -> Result<(), StorageError> {
    let mut rest = rows;
    while !rest.is_empty() {
        let n = MAX_ROWS.min(1 << rest.len().ilog2());
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into alert (integration_id, fingerprint, firing, signal, since, seen_at, delivery_id) ");
            query.push_values(&rest[..n], |mut row, ((integration, fingerprint), (alert, signal))| {
                row.push_bind(integration.0)
                    .push_bind(*fingerprint)
                    .push_bind(alert.firing)
                    .push_bind(to_json(signal))
                    .push_bind(alert.since.0)
                    .push_bind(alert.seen_at.0)
                    .push_bind(alert.delivery.map(|id| id.0));
            });
            query.push(
                " on conflict (integration_id, fingerprint) do update set firing = excluded.firing, signal = excluded.signal,
                  since = excluded.since, seen_at = excluded.seen_at, delivery_id = excluded.delivery_id",
            );
            query.build().execute(&mut *c).await?;
        });
        rest = &rest[n..];
    }
    Ok(())
}

async fn quieten(conn: &mut Connection, integration: IntegrationId, fingerprint: &str, alert: &Alert) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update alert set firing = $3, since = $4 where integration_id = $1 and fingerprint = $2")
            .bind(integration.0)
            .bind(fingerprint)
            .bind(alert.firing)
            .bind(alert.since.0)
    )?;
    Ok(())
}

async fn delete(conn: &mut Connection, integration: IntegrationId, fingerprints: &[&str]) -> Result<(), StorageError> {
    for chunk in fingerprints.chunks(crate::rows::MAX_IN) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("delete from alert where integration_id = ");
            query.push_bind(integration.0).push(" and fingerprint in (");
            let mut list = query.separated(", ");
            for fingerprint in chunk {
                list.push_bind(*fingerprint);
            }
            query.push(")");
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(())
}
