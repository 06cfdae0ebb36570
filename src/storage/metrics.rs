//! Metrics and their samples, as people and programs write them.

use std::collections::BTreeMap;

use domain::{Metric, MetricId, Sample, Timestamp};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::{execute, sql},
};

/// Rows in one statement.
const MAX_ROWS: usize = 200;

/// Adds a metric; its `id` is not looked at.
///
/// # Errors
/// [`StorageError::Taken`] if there is one of this key, or what the database said.
pub async fn insert(conn: &mut Connection, metric: &Metric) -> Result<MetricId, StorageError> {
    let id: Result<i64, _> = sql!(conn, c => sqlx::query_scalar(
        "insert into metric (key, name, unit, position) values ($1, $2, $3, $4) returning metric_id",
    )
    .bind(metric.key.as_str())
    .bind(metric.name.as_str())
    .bind(metric.unit.as_str())
    .bind(metric.position)
    .fetch_one(&mut *c)
    .await);
    id.map(MetricId).map_err(|error| StorageError::taken(error, "key"))
}

/// Changes a metric's name, unit and position.
///
/// # Errors
/// What the database said.
pub async fn update(conn: &mut Connection, metric: &Metric) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query("update metric set name = $2, unit = $3, position = $4 where metric_id = $1")
            .bind(metric.id.0)
            .bind(metric.name.as_str())
            .bind(metric.unit.as_str())
            .bind(metric.position)
    )?;
    Ok(())
}

/// Removes a metric with its samples; tells whether there was one.
///
/// # Errors
/// What the database said.
pub async fn delete(conn: &mut Connection, id: MetricId) -> Result<bool, StorageError> {
    Ok(execute!(conn, sqlx::query("delete from metric where metric_id = $1").bind(id.0))? > 0)
}

/// Stores samples; of several for one time the last counts, also against what is stored. Returns for how many times.
///
/// # Errors
/// What the database said.
pub async fn insert_samples(conn: &mut Connection, metric: MetricId, samples: &[Sample]) -> Result<usize, StorageError> {
    // PostgreSQL refuses to touch a row twice in one statement.
    let newest: BTreeMap<i64, f64> = samples.iter().map(|sample| (sample.at.0, sample.value)).collect();
    let rows: Vec<(i64, f64)> = newest.into_iter().collect();
    for chunk in rows.chunks(MAX_ROWS) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("insert into sample (metric_id, at, value) ");
            query.push_values(chunk, |mut row, (at, value)| {
                row.push_bind(metric.0).push_bind(*at).push_bind(*value);
            });
            query.push(" on conflict (metric_id, at) do update set value = excluded.value");
            query.build().execute(&mut *c).await?;
        });
    }
    Ok(rows.len())
}

/// The newest samples of a metric, newest first, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn newest_samples(conn: &mut Connection, metric: MetricId, limit: i64) -> Result<Vec<Sample>, StorageError> {
    let rows: Vec<(i64, f64)> = sql!(conn, c => sqlx::query_as("select at, value from sample where metric_id = $1 order by at desc limit $2")
            .bind(metric.0)
            .bind(limit)
            .fetch_all(&mut *c)
            .await)?;
    Ok(rows.into_iter().map(|(at, value)| Sample { at: Timestamp(at), value }).collect())
}
