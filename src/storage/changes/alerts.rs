//! The rows of alerts: of everything that was decided about one thing, only what it came to.

use std::collections::HashMap;

use domain::{Alert, Change, IntegrationId, Recorded, Signal};
use sqlx::{QueryBuilder, SqliteConnection};

use super::portions;
use crate::{
    Connection, StorageError,
    db::{Raw, execute, sql},
    link::Link,
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

const ON_CONFLICT: &str = " on conflict (integration_id, fingerprint) do update set firing = excluded.firing, signal = excluded.signal,
    since = excluded.since, seen_at = excluded.seen_at, delivery_id = excluded.delivery_id";

async fn upsert(conn: &mut Connection, rows: &[(Key<'_>, (&Alert, &Signal))]) -> Result<(), StorageError> {
    match conn.raw() {
        Raw::Sqlite(c) => {
            for portion in portions(rows) {
                upsert_in_sqlite(c, portion).await?;
            }
            Ok(())
        }
        Raw::Postgres(c) if !rows.is_empty() => upsert_in_postgres(c, rows).await,
        Raw::Postgres(_) => Ok(()),
    }
}

async fn upsert_in_sqlite(c: &mut SqliteConnection, rows: &[(Key<'_>, (&Alert, &Signal))]) -> Result<(), StorageError> {
    let mut query = QueryBuilder::new("insert into alert (integration_id, fingerprint, firing, signal, since, seen_at, delivery_id) ");
    query.push_values(rows, |mut row, ((integration, fingerprint), (alert, signal))| {
        row.push_bind(integration.0)
            .push_bind(*fingerprint)
            .push_bind(alert.firing)
            .push_bind(to_json(signal))
            .push_bind(alert.since.0)
            .push_bind(alert.seen_at.0)
            .push_bind(alert.delivery.map(|id| id.0));
    });
    query.push(ON_CONFLICT);
    query.build().execute(c).await?;
    Ok(())
}

/// However many they are, the statement is the same, and is planned once.
async fn upsert_in_postgres(c: &mut Link, rows: &[(Key<'_>, (&Alert, &Signal))]) -> Result<(), StorageError> {
    let insert = "insert into alert (integration_id, fingerprint, firing, signal, since, seen_at, delivery_id)
        select * from unnest($1::bigint[], $2::text[], $3::boolean[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[])";
    sqlx::query(sqlx::AssertSqlSafe(format!("{insert}{ON_CONFLICT}")))
        .bind(rows.iter().map(|((integration, _), _)| integration.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|((_, fingerprint), _)| *fingerprint).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, (alert, _))| alert.firing).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, (_, signal))| to_json(signal)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, (alert, _))| alert.since.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, (alert, _))| alert.seen_at.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, (alert, _))| alert.delivery.map(|id| id.0)).collect::<Vec<_>>())
        .execute(c)
        .await?;
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
