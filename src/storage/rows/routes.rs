//! Routes as they are stored, for whoever folds on them and whoever configures them.

use domain::{Policy, Publish, StatusMap};

use super::{json, named};
use crate::{Connection, StorageError, db::sql};

/// A route as it is stored.
#[derive(sqlx::FromRow)]
pub(crate) struct RouteRow {
    pub(crate) route_id: i64,
    pub(crate) integration_id: i64,
    pub(crate) position: i32,
    pub(crate) condition: String,
    status: Option<String>,
    pub(crate) for_ms: i64,
    pub(crate) keep_firing_for: i64,
    pub(crate) expire_after: i64,
    pub(crate) cool_off: i64,
    publish: String,
    policy: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) metric_id: Option<i64>,
    pub(crate) value: Option<String>,
}

impl RouteRow {
    pub(crate) fn status(&self) -> Result<StatusMap, StorageError> {
        self.status.as_deref().map_or_else(|| Ok(StatusMap::default()), |text| json(text, "route", "status"))
    }

    pub(crate) fn publish(&self) -> Result<Publish, StorageError> {
        named(&self.publish, "route", "publish")
    }

    pub(crate) fn policy(&self) -> Result<Policy, StorageError> {
        self.policy.as_deref().map_or_else(|| Ok(Policy::default()), |text| json(text, "route", "policy"))
    }
}

/// The routes of every integration, or of one, in order.
pub(crate) async fn routes(conn: &mut Connection, only: Option<i64>) -> Result<Vec<RouteRow>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as(
        "select route_id, integration_id, position, condition, status, for_ms, keep_firing_for, expire_after, cool_off, publish,
                policy, title, body, metric_id, value
         from route where cast($1 as bigint) is null or integration_id = $1 order by integration_id, position, route_id",
    )
    .bind(only)
    .fetch_all(&mut *c)
    .await)?)
}

/// Routes and the components they speak about, of every integration or of one.
pub(crate) async fn route_components(conn: &mut Connection, only: Option<i64>) -> Result<Vec<(i64, i64)>, StorageError> {
    Ok(sql!(conn, c => sqlx::query_as(
        "select p.route_id, p.component_id from route_component p join route r on r.route_id = p.route_id
         where cast($1 as bigint) is null or r.integration_id = $1 order by p.route_id, p.component_id",
    )
    .bind(only)
    .fetch_all(&mut *c)
    .await)?)
}
