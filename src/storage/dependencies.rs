//! What depends on what.

use std::collections::BTreeMap;

use domain::{ComponentId, Dependencies, Dependency, Span, Timestamp, check_chains};
use tracing::error;

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::named,
};

type Row = (i64, i64, String, i64, Option<i64>);

/// All dependencies, and the silences that go on.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<Dependencies, StorageError> {
    let rows: Vec<Row> = sql!(conn, c => sqlx::query_as(
        "select component_id, upstream_id, effect, settle, quiet_until from component_dependency order by component_id, upstream_id, effect",
    )
    .fetch_all(&mut *c)
    .await)?;
    let mut upstreams: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (component, upstream, ..) in &rows {
        upstreams.entry(*component).or_default().push(*upstream);
    }
    if let Err(problem) = check_chains(&upstreams) {
        // Checked whenever they are stored; followed all the same, they would lead nowhere.
        error!(%problem, "Dependencies cannot be used and are left out");
        return Ok(Dependencies::default());
    }
    let mut found = Dependencies::default();
    for (component, upstream, effect, settle, quiet_until) in rows {
        let (component, upstream) = (ComponentId(component), ComponentId(upstream));
        let effect = named(&effect, "component_dependency", "effect")?;
        found.add(component, Dependency { component: upstream, effect, settle: Span(settle) });
        if quiet_until.is_some() {
            found.set_quiet(component, upstream, quiet_until.map(Timestamp));
        }
    }
    Ok(found)
}

/// Says what a component depends on, where `before` is what all depended on. A silence that goes on does so for what stays.
///
/// # Errors
/// What the database said.
pub async fn set(
    conn: &mut Connection,
    before: &Dependencies,
    component: ComponentId,
    dependencies: &[Dependency],
) -> Result<(), StorageError> {
    for gone in before.of(component).iter().filter(|old| !dependencies.iter().any(|new| is_same(old, new))) {
        execute!(
            conn,
            sqlx::query("delete from component_dependency where component_id = $1 and upstream_id = $2 and effect = $3")
                .bind(component.0)
                .bind(gone.component.0)
                .bind(gone.effect.as_str())
        )?;
    }
    for dependency in dependencies {
        execute!(
            conn,
            sqlx::query(
                "insert into component_dependency (component_id, upstream_id, effect, settle) values ($1, $2, $3, $4)
                 on conflict (component_id, upstream_id, effect) do update set settle = excluded.settle"
            )
            .bind(component.0)
            .bind(dependency.component.0)
            .bind(dependency.effect.as_str())
            .bind(dependency.settle.0)
        )?;
    }
    Ok(())
}

fn is_same(a: &Dependency, b: &Dependency) -> bool {
    (a.component, a.effect) == (b.component, b.effect)
}

pub(crate) async fn set_quiet(
    conn: &mut Connection,
    component: ComponentId,
    upstream: ComponentId,
    until: Option<Timestamp>,
) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update component_dependency set quiet_until = $3 where component_id = $1 and upstream_id = $2 and effect = 'silence'")
            .bind(component.0)
            .bind(upstream.0)
            .bind(until.map(|until| until.0))
    )?;
    Ok(())
}
