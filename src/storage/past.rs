//! What readers saw of components lately, which facts that come late may correct.

use std::collections::BTreeSet;

use domain::{ComponentId, Past, PastSpan, State, Timestamp};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    changes::portions,
    db::{execute, sql},
    rows::named,
};

/// What ended at or after `since`.
pub(crate) async fn load(conn: &mut Connection, since: Timestamp) -> Result<Past, StorageError> {
    let rows: Vec<(i64, i64, i64, String)> = sql!(conn, c => sqlx::query_as(
        "select component_id, since, until, status from component_span where until >= $1 order by component_id, since",
    )
    .bind(since.0)
    .fetch_all(&mut *c)
    .await)?;
    let mut past = Past::default();
    for (component, since, until, status) in rows {
        let span = PastSpan { since: Timestamp(since), until: Timestamp(until), status: named(&status, "component_span", "status")? };
        past.add(ComponentId(component), span);
    }
    Ok(past)
}

/// Stores what has become the past. Of `corrected` components everything is written anew.
pub(crate) async fn store(
    conn: &mut Connection,
    state: &State,
    mut spans: Vec<(ComponentId, PastSpan)>,
    corrected: &BTreeSet<ComponentId>,
) -> Result<(), StorageError> {
    for component in corrected {
        execute!(conn, sqlx::query("delete from component_span where component_id = $1").bind(component.0))?;
        spans.extend(state.past.of(*component).map(|span| (*component, span)));
    }
    spans.retain(|(component, span)| span.since < span.until && state.components.contains_key(component));
    for portion in portions(&spans) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into component_span (component_id, since, until, status) ");
            query.push_values(portion, |mut row, (component, span)| {
                row.push_bind(component.0).push_bind(span.since.0).push_bind(span.until.0).push_bind(span.status.as_str());
            });
            query.push(" on conflict (component_id, since) do update set until = excluded.until, status = excluded.status");
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(())
}

/// Forgets what ended before `before`; returns how much.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, before: Timestamp) -> Result<u64, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from component_span where until < $1").bind(before.0))?)
}
