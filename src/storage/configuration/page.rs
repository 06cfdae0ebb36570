//! The page, groups, components and metrics.

use std::collections::HashMap;

use domain::{ComponentSpec, Desired, GroupSpec, MetricSpec, Timestamp};

use super::{
    Ids,
    load::{Row, Stored},
    position,
};
use crate::{
    Connection, StorageError,
    db::{execute, sql},
    page,
};

pub(super) async fn apply(conn: &mut Connection, stored: &Stored, desired: &Desired) -> Result<(), StorageError> {
    if stored.desired.page != desired.page {
        page::set_settings(conn, &desired.page, &desired.images).await?;
    }
    Ok(())
}

/// What is stored, by key, each with its row.
fn by_key<'a, T>(specs: &'a [T], rows: &[Row], key: fn(&T) -> &str) -> HashMap<&'a str, (&'a T, Row)> {
    specs.iter().zip(rows).map(|(spec, row)| (key(spec), (spec, *row))).collect()
}

pub(super) async fn groups(conn: &mut Connection, stored: &Stored, desired: &[GroupSpec]) -> Result<Ids, StorageError> {
    let before = by_key(&stored.desired.groups, &stored.groups, |group| &group.key);
    let mut ids = Ids::of("group");
    for (i, group) in desired.iter().enumerate() {
        let place = position(i);
        let id = match before.get(group.key.as_str()) {
            Some((old, row)) => {
                if old.name != group.name || row.position != place {
                    execute!(
                        conn,
                        sqlx::query("update component_group set name = $2, position = $3 where group_id = $1")
                            .bind(row.id)
                            .bind(group.name.as_str())
                            .bind(place)
                    )?;
                }
                row.id
            }
            None => sql!(conn, c => sqlx::query_scalar(
                "insert into component_group (key, name, position) values ($1, $2, $3) returning group_id",
            )
            .bind(group.key.as_str())
            .bind(group.name.as_str())
            .bind(place)
            .fetch_one(&mut *c)
            .await)?,
        };
        ids.by_key.insert(group.key.clone(), id);
    }
    // Only now has every group an id to point at.
    for group in desired {
        let old = before.get(group.key.as_str()).and_then(|(old, _)| old.parent.as_deref());
        if old != group.parent.as_deref() {
            let parent = group.parent.as_deref().map(|key| ids.get(key)).transpose()?;
            let id = ids.get(&group.key)?;
            execute!(conn, sqlx::query("update component_group set parent_id = $2 where group_id = $1").bind(id).bind(parent))?;
        }
    }
    Ok(ids)
}

pub(super) async fn components(
    conn: &mut Connection,
    stored: &Stored,
    desired: &[ComponentSpec],
    groups: &Ids,
    now: Timestamp,
) -> Result<Ids, StorageError> {
    let before = by_key(&stored.desired.components, &stored.components, |component| &component.key);
    let mut ids = Ids::of("component");
    for (i, component) in desired.iter().enumerate() {
        let group = component.group.as_deref().map(|key| groups.get(key)).transpose()?;
        let id = match before.get(component.key.as_str()) {
            Some((old, row)) => {
                if *old != component || row.position != position(i) {
                    update_component(conn, row.id, component, group, position(i)).await?;
                }
                row.id
            }
            None => insert_component(conn, component, group, position(i), now).await?,
        };
        ids.by_key.insert(component.key.clone(), id);
    }
    Ok(ids)
}

async fn update_component(
    conn: &mut Connection,
    id: i64,
    component: &ComponentSpec,
    group: Option<i64>,
    position: i32,
) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update component set name = $2, description = $3, group_id = $4, position = $5, hidden = $6 where component_id = $1")
            .bind(id)
            .bind(component.name.as_str())
            .bind(component.description.as_str())
            .bind(group)
            .bind(position)
            .bind(component.hidden)
    )?;
    Ok(())
}

async fn insert_component(
    conn: &mut Connection,
    component: &ComponentSpec,
    group: Option<i64>,
    position: i32,
    now: Timestamp,
) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "insert into component (key, name, description, group_id, position, hidden, status_since, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7) returning component_id",
    )
    .bind(component.key.as_str())
    .bind(component.name.as_str())
    .bind(component.description.as_str())
    .bind(group)
    .bind(position)
    .bind(component.hidden)
    .bind(now.0)
    .fetch_one(&mut *c)
    .await)?)
}

pub(super) async fn metrics(conn: &mut Connection, stored: &Stored, desired: &[MetricSpec]) -> Result<Ids, StorageError> {
    let before = by_key(&stored.desired.metrics, &stored.metrics, |metric| &metric.key);
    let mut ids = Ids::of("metric");
    for (i, metric) in desired.iter().enumerate() {
        let place = position(i);
        let id = match before.get(metric.key.as_str()) {
            Some((old, row)) => {
                if *old != metric || row.position != place {
                    execute!(
                        conn,
                        sqlx::query("update metric set name = $2, unit = $3, position = $4 where metric_id = $1")
                            .bind(row.id)
                            .bind(metric.name.as_str())
                            .bind(metric.unit.as_str())
                            .bind(place)
                    )?;
                }
                row.id
            }
            None => sql!(conn, c => sqlx::query_scalar(
                "insert into metric (key, name, unit, position) values ($1, $2, $3, $4) returning metric_id",
            )
            .bind(metric.key.as_str())
            .bind(metric.name.as_str())
            .bind(metric.unit.as_str())
            .bind(place)
            .fetch_one(&mut *c)
            .await)?,
        };
        ids.by_key.insert(metric.key.clone(), id);
    }
    Ok(ids)
}
