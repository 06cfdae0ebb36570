//! What a fold over all deliveries is compared with, and what it cannot be: people, and what is gone, had a hand in it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ComponentId, Day, IncidentId, MetricId, Sample, Span, Timestamp};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::sql,
    rows::{MAX_IN, json, push_ids},
};

/// What deliveries alone did not bring about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Incidents that people opened or changed, that routes opened which are gone, and those of deliveries that were looked at again.
    pub incidents: BTreeSet<IncidentId>,
    /// The components of these incidents, of maintenances and of overrides, and those that such deliveries changed.
    pub components: BTreeSet<ComponentId>,
}

/// Finds what deliveries alone did not bring about. Reads the whole history.
///
/// # Errors
/// What the database said.
pub async fn touched(conn: &mut Connection) -> Result<Touched, StorageError> {
    let mut touched = Touched::default();
    for statement in [
        // Each change of a person names them; changes of maintenances come from their plans.
        r#"select component_id, incident_id from change where why like '%"actor":%' or maintenance_id is not null"#,
        // What a delivery changed before it was looked at for the last time, it changed when it was looked at before.
        "select c.component_id, c.incident_id from change c join fate f on f.delivery_id = c.delivery_id where c.at < f.evaluated_at",
        "select null, incident_id from incident where opened_by is null or opened_by not in (select route_id from route)",
        "select component_id, null from maintenance_component",
    ] {
        let rows: Vec<(Option<i64>, Option<i64>)> = sql!(conn, c => sqlx::query_as(statement).fetch_all(&mut *c).await)?;
        for (component, incident) in rows {
            touched.components.extend(component.map(ComponentId));
            touched.incidents.extend(incident.map(IncidentId));
        }
    }
    let incidents: Vec<i64> = touched.incidents.iter().map(|id| id.0).collect();
    for some in incidents.chunks(MAX_IN) {
        // Not from the incidents themselves: some of them were removed.
        let rows: Vec<String> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("select data from change where kind = 'incident' and incident_id in (");
            push_ids(&mut query, some);
            query.build_query_scalar().fetch_all(&mut *c).await?
        });
        for row in rows {
            let data: serde_json::Value = json(&row, "change", "data")?;
            let components = data["incident"]["components"].as_object().into_iter().flatten();
            touched.components.extend(components.filter_map(|(id, _)| id.parse().ok()).map(ComponentId));
        }
    }
    Ok(touched)
}

type DayRow = (i64, i32, i64, i64, i64, i64, i64);

/// The bars of all components, without the days on which all was well.
///
/// # Errors
/// What the database said.
pub async fn days(conn: &mut Connection) -> Result<BTreeMap<(ComponentId, i32), Day>, StorageError> {
    let rows: Vec<DayRow> = sql!(conn, c => sqlx::query_as(
        "select component_id, day, under_maintenance, unknown, degraded_performance, partial_outage, major_outage from component_day",
    )
    .fetch_all(&mut *c)
    .await)?;
    let day = |(component, day, under_maintenance, unknown, degraded_performance, partial_outage, major_outage): DayRow| {
        let counted = Day {
            day,
            under_maintenance: Span(under_maintenance),
            unknown: Span(unknown),
            degraded_performance: Span(degraded_performance),
            partial_outage: Span(partial_outage),
            major_outage: Span(major_outage),
        };
        ((ComponentId(component), day), counted)
    };
    Ok(rows.into_iter().map(day).collect())
}

/// The samples of a metric after a time, oldest first, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn samples(conn: &mut Connection, metric: MetricId, after: Timestamp, limit: i64) -> Result<Vec<Sample>, StorageError> {
    let rows: Vec<(i64, f64)> = sql!(conn, c => sqlx::query_as(
        "select at, value from sample where metric_id = $1 and at > $2 order by at limit $3",
    )
    .bind(metric.0)
    .bind(after.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(at, value)| Sample { at: Timestamp(at), value }).collect())
}
