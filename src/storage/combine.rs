//! How the sources of components add up.

use std::collections::BTreeMap;

use domain::{Combine, ComponentId, IntegrationId, Status};
use serde::{Deserialize, Serialize};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::{json, to_json},
};

/// What stands in `component.combine`. Weights stand in rows of their own, which go with their integrations.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Quorum(u32),
    Thresholds(BTreeMap<Status, u32>),
}

/// Of every component of which it is not the worst that decides.
///
/// # Errors
/// What the database said.
pub async fn all(conn: &mut Connection) -> Result<BTreeMap<ComponentId, Combine>, StorageError> {
    let rows: Vec<(i64, String)> = sql!(conn, c => sqlx::query_as("select component_id, combine from component where combine is not null")
        .fetch_all(&mut *c)
        .await)?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let weights: Vec<(i64, i64, i32)> =
        sql!(conn, c => sqlx::query_as("select component_id, integration_id, weight from component_weight").fetch_all(&mut *c).await)?;
    let mut of: BTreeMap<i64, BTreeMap<IntegrationId, u32>> = BTreeMap::new();
    for (component, integration, weight) in weights {
        of.entry(component).or_default().insert(IntegrationId(integration), u32::try_from(weight).unwrap_or_default());
    }
    let combine = |(id, text): (i64, String)| {
        let combine = match json(&text, "component", "combine")? {
            Stored::Quorum(n) => Combine::Quorum(n),
            Stored::Thresholds(thresholds) => Combine::Weighted { weights: of.remove(&id).unwrap_or_default(), thresholds },
        };
        Ok((ComponentId(id), combine))
    };
    rows.into_iter().map(combine).collect()
}

/// The keys of the integrations with a route to a component: its sources.
///
/// # Errors
/// What the database said.
pub async fn sources(conn: &mut Connection, component: ComponentId) -> Result<Vec<String>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "select distinct i.key from route_component rc join route r on r.route_id = rc.route_id
         join integration i on i.integration_id = r.integration_id where rc.component_id = $1 order by i.key",
    )
    .bind(component.0)
    .fetch_all(&mut *c)
    .await)?)
}

/// Says how the sources of a component add up.
///
/// # Errors
/// What the database said.
pub async fn set(conn: &mut Connection, component: ComponentId, combine: &Combine) -> Result<(), StorageError> {
    let stored = match combine {
        Combine::Worst => None,
        Combine::Quorum(n) => Some(Stored::Quorum(*n)),
        Combine::Weighted { thresholds, .. } => Some(Stored::Thresholds(thresholds.clone())),
    };
    let text = stored.map(|stored| to_json(&stored));
    execute!(conn, sqlx::query("update component set combine = $2 where component_id = $1").bind(component.0).bind(text.as_deref()))?;
    execute!(conn, sqlx::query("delete from component_weight where component_id = $1").bind(component.0))?;
    let Combine::Weighted { weights, .. } = combine else { return Ok(()) };
    for (integration, weight) in weights {
        execute!(
            conn,
            sqlx::query("insert into component_weight (component_id, integration_id, weight) values ($1, $2, $3)")
                .bind(component.0)
                .bind(integration.0)
                .bind(i32::try_from(*weight).unwrap_or(i32::MAX))
        )?;
    }
    Ok(())
}
