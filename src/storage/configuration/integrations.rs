//! Integrations with their secrets and routes.

use std::collections::{BTreeSet, HashMap};

use domain::{DEFAULT_VALUE, Desired, IntegrationSpec, Policy, RouteSpec, StatusMap, Timestamp, match_routes};

use super::{
    Targets,
    load::{IntegrationRow, Row, Stored},
    position,
    secrets::{self, Secrets},
};
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::to_json,
    silence,
};

pub(super) async fn apply(
    conn: &mut Connection,
    secrets: &Secrets<'_>,
    stored: &Stored,
    desired: &Desired,
    targets: &Targets<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let pairs = stored.desired.integrations.iter().zip(&stored.integrations);
    let before: HashMap<&str, (&IntegrationSpec, &IntegrationRow)> = pairs.map(|(spec, row)| (spec.key.as_str(), (spec, row))).collect();
    for integration in &desired.integrations {
        let old = before.get(integration.key.as_str()).copied();
        let id = match old {
            Some((old, row)) => {
                update(conn, row.id, old, integration).await?;
                row.id
            }
            None => insert(conn, integration, now).await?,
        };
        let old_secrets: Vec<_> = old.map_or_else(Vec::new, |(old, row)| old.secrets.iter().zip(row.secrets.iter().copied()).collect());
        secrets::set_of_integration(conn, secrets, id, &old_secrets, &integration.secrets, now).await?;
        let (old_routes, rows) = old.map_or((&[][..], &[][..]), |(old, row)| (old.routes.as_slice(), row.routes.as_slice()));
        set_routes(conn, id, old_routes, rows, &integration.routes, targets).await?;
    }
    Ok(())
}

async fn update(conn: &mut Connection, id: i64, old: &IntegrationSpec, new: &IntegrationSpec) -> Result<(), StorageError> {
    let same = old.provider == new.provider && old.name == new.name && old.settings == new.settings && old.enabled == new.enabled;
    let same = same && old.silent_after == new.silent_after;
    if !same {
        let settings = to_json(&new.settings);
        execute!(
            conn,
            sqlx::query(
                "update integration set provider = $2, name = $3, settings = $4, enabled = $5, silent_after = $6 where integration_id = $1"
            )
            .bind(id)
            .bind(new.provider.as_str())
            .bind(new.name.as_str())
            .bind(settings.as_str())
            .bind(new.enabled)
            .bind(silence::to_column(new.silent_after))
        )?;
    }
    Ok(())
}

async fn insert(conn: &mut Connection, integration: &IntegrationSpec, now: Timestamp) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "insert into integration (key, provider, name, settings, enabled, created_at, silent_after)
         values ($1, $2, $3, $4, $5, $6, $7) returning integration_id",
    )
    .bind(integration.key.as_str())
    .bind(integration.provider.as_str())
    .bind(integration.name.as_str())
    .bind(to_json(&integration.settings))
    .bind(integration.enabled)
    .bind(now.0)
    .bind(silence::to_column(integration.silent_after))
    .fetch_one(&mut *c)
    .await)?)
}

/// Gives an integration exactly its routes. One that goes on keeps its id, and with it what it has taken up.
pub(crate) async fn set_routes(
    conn: &mut Connection,
    integration: i64,
    old: &[RouteSpec],
    rows: &[Row],
    desired: &[RouteSpec],
    targets: &Targets<'_>,
) -> Result<(), StorageError> {
    let matched = match_routes(old, desired);
    for (i, (route, at)) in desired.iter().zip(&matched).enumerate() {
        let known = at.and_then(|at| Some((old.get(at)?, rows.get(at)?)));
        // Looked up even if nothing changed: an equal route may name a component that is about to go.
        let components = targets.components.get_all(&route.components)?;
        let metric = route.metric.as_ref().map(|feed| targets.metrics.get(&feed.key)).transpose()?;
        let id = match known {
            Some((_, row)) => row.id,
            None => insert_route(conn, integration, position(i)).await?,
        };
        if known.is_none_or(|(old, row)| old != route || row.position != position(i)) {
            update_route(conn, id, position(i), route, metric).await?;
        }
        if known.map(|(old, _)| &old.components) != Some(&route.components) {
            set_components(conn, id, &components).await?;
        }
    }
    let kept: BTreeSet<usize> = matched.into_iter().flatten().collect();
    for (_, row) in rows.iter().enumerate().filter(|(at, _)| !kept.contains(at)) {
        execute!(conn, sqlx::query("delete from route where route_id = $1").bind(row.id))?;
    }
    Ok(())
}

/// A row to be filled in.
async fn insert_route(conn: &mut Connection, integration: i64, position: i32) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "insert into route (integration_id, position, condition) values ($1, $2, 'false') returning route_id",
    )
    .bind(integration)
    .bind(position)
    .fetch_one(&mut *c)
    .await)?)
}

async fn update_route(conn: &mut Connection, id: i64, position: i32, route: &RouteSpec, metric: Option<i64>) -> Result<(), StorageError> {
    // What is usual is not stored: it stays usual if the meaning of that changes.
    let status = (route.status != StatusMap::default()).then(|| to_json(&route.status));
    let policy = (route.policy != Policy::default()).then(|| to_json(&route.policy));
    let value = route.metric.as_ref().map(|feed| feed.value.as_str()).filter(|value| *value != DEFAULT_VALUE);
    execute!(
        conn,
        sqlx::query(
            "update route set position = $2, condition = $3, status = $4, for_ms = $5, keep_firing_for = $6, expire_after = $7,
                    cool_off = $8, publish = $9, title = $10, body = $11, metric_id = $12, value = $13, policy = $14
             where route_id = $1",
        )
        .bind(id)
        .bind(position)
        .bind(route.when.as_str())
        .bind(status.as_deref())
        .bind(route.hold.0)
        .bind(route.keep_firing_for.0)
        .bind(route.expire_after.0)
        .bind(route.cool_off.0)
        .bind(route.publish.as_str())
        .bind(route.title.as_deref())
        .bind(route.body.as_deref())
        .bind(metric)
        .bind(value)
        .bind(policy.as_deref())
    )?;
    Ok(())
}

async fn set_components(conn: &mut Connection, route: i64, components: &[i64]) -> Result<(), StorageError> {
    execute!(conn, sqlx::query("delete from route_component where route_id = $1").bind(route))?;
    for component in components {
        execute!(conn, sqlx::query("insert into route_component (route_id, component_id) values ($1, $2)").bind(route).bind(*component))?;
    }
    Ok(())
}
