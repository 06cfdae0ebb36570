//! What may need a person now. Every look is bounded, however much there is: what it counts, it counts up to a limit.

use domain::{Cause, ComponentId, DeliveryId, IncidentId, IncidentUpdate, IntegrationId, Publish, RouteId, Signal, Timestamp};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::sql,
    rows::{MAX_IN, json, named, push_ids},
};

/// Up to how many things of one kind are counted.
pub const MAX_COUNTED: i64 = 1_000;
/// The ids of an incident's notices follow those of its updates this closely: all that one act makes is numbered together.
const ONE_ACT: i64 = 1_000;

/// An alert that a route took up, as it bears on one component.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The component.
    pub component: ComponentId,
    /// The alert.
    pub cause: Cause,
    /// What the route does with it.
    pub publish: Publish,
    /// The route's template of a title.
    pub title: Option<String>,
    /// The route's template of a text.
    pub body: Option<String>,
    /// What was said last, while it is known.
    pub signal: Option<Signal>,
}

#[derive(sqlx::FromRow)]
struct ReasonRow {
    component_id: i64,
    integration_id: i64,
    fingerprint: String,
    route_id: i64,
    status: String,
    phase: String,
    since: i64,
    incident_id: Option<i64>,
    delivery_id: Option<i64>,
    summary: String,
    muted_up_to: Option<String>,
    publish: String,
    title: Option<String>,
    body: Option<String>,
    signal: Option<String>,
}

/// What speaks against these components now, at most [`MAX_COUNTED`] alerts, oldest first.
///
/// # Errors
/// What the database said.
pub async fn reasons(conn: &mut Connection, components: &[ComponentId]) -> Result<Vec<Reason>, StorageError> {
    let ids: Vec<i64> = components.iter().map(|id| id.0).collect();
    let mut rows: Vec<ReasonRow> = Vec::new();
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new(
                "select rc.component_id, c.integration_id, c.fingerprint, c.route_id, c.status, c.phase, c.since, c.incident_id, c.delivery_id,
                        c.summary, c.muted_up_to, r.publish, r.title, r.body, a.signal
                 from route_component rc join cause c on c.route_id = rc.route_id join route r on r.route_id = rc.route_id
                 left join alert a on a.integration_id = c.integration_id and a.fingerprint = c.fingerprint
                 where rc.component_id in (",
            );
            push_ids(&mut query, chunk);
            query.push(" order by c.since limit ").push_bind(MAX_COUNTED);
            rows.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    rows.into_iter().map(reason).collect()
}

fn reason(row: ReasonRow) -> Result<Reason, StorageError> {
    let cause = Cause {
        integration: IntegrationId(row.integration_id),
        fingerprint: row.fingerprint,
        route: RouteId(row.route_id),
        status: named(&row.status, "cause", "status")?,
        phase: named(&row.phase, "cause", "phase")?,
        since: Timestamp(row.since),
        due_at: None,
        expires_at: None,
        incident: row.incident_id.map(IncidentId),
        muted_up_to: row.muted_up_to.map(|status| named(&status, "cause", "muted_up_to")).transpose()?,
        delivery: row.delivery_id.map(DeliveryId),
        summary: row.summary,
    };
    Ok(Reason {
        component: ComponentId(row.component_id),
        cause,
        publish: named(&row.publish, "route", "publish")?,
        title: row.title,
        body: row.body,
        signal: row.signal.map(|signal| json(&signal, "alert", "signal")).transpose()?,
    })
}

/// What was said last of something that fires, while it is known.
///
/// # Errors
/// What the database said.
pub async fn signal(conn: &mut Connection, integration: &str, fingerprint: &str) -> Result<Option<Signal>, StorageError> {
    let found: Option<Option<String>> = sql!(conn, c => sqlx::query_scalar(
        "select a.signal from alert a join integration i on i.integration_id = a.integration_id where i.key = $1 and a.fingerprint = $2",
    )
    .bind(integration)
    .bind(fingerprint)
    .fetch_optional(&mut *c)
    .await)?;
    found.flatten().map(|signal| json(&signal, "alert", "signal")).transpose()
}

/// Of the newest [`MAX_COUNTED`] quarantined deliveries: how many each integration has, and when the newest came.
///
/// # Errors
/// What the database said.
pub async fn quarantined(conn: &mut Connection) -> Result<Vec<(IntegrationId, i64, Timestamp)>, StorageError> {
    let rows: Vec<(i64, i64, i64)> = sql!(conn, c => sqlx::query_as(
        "select d.integration_id, count(*), max(d.received_at) from (
             select delivery_id from fate where state = 'quarantined' order by delivery_id desc limit $1
         ) as newest join delivery d on d.delivery_id = newest.delivery_id group by d.integration_id order by d.integration_id",
    )
    .bind(MAX_COUNTED)
    .fetch_all(&mut *c)
    .await)?;
    Ok(rows.into_iter().map(|(id, n, at)| (IntegrationId(id), n, Timestamp(at))).collect())
}

/// Of the newest [`MAX_COUNTED`] notifications that were given up: how many were made at or after `since`.
///
/// # Errors
/// What the database said.
pub async fn n_dead(conn: &mut Connection, since: Timestamp) -> Result<i64, StorageError> {
    Ok(sql!(conn, c => sqlx::query_scalar(
        "select count(*) from (
             select created_at from notification where state = 'dead' order by notification_id desc limit $1
         ) as newest where created_at >= $2",
    )
    .bind(MAX_COUNTED)
    .bind(since.0)
    .fetch_one(&mut *c)
    .await)?)
}

/// What became of the notifications about an incident: how many came to which state.
///
/// # Errors
/// What the database said.
pub async fn told(conn: &mut Connection, incident: IncidentId, updates: &[IncidentUpdate]) -> Result<Vec<(String, i64)>, StorageError> {
    let ids = || updates.iter().map(|update| update.id.0);
    let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(Vec::new()) };
    Ok(sql!(conn, c => sqlx::query_as(
        "select n.state, count(*) from notice o join notification n on n.notice_id = o.notice_id
         where o.notice_id > $1 and o.notice_id < $2 and o.thread = $3 group by n.state order by n.state",
    )
    .bind(first)
    .bind(last.saturating_add(ONE_ACT))
    .bind(format!("incident:{incident}"))
    .fetch_all(&mut *c)
    .await)?)
}

/// A source that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostSource {
    /// Which integration asks it.
    pub integration: IntegrationId,
    /// Its name in the console.
    pub name: String,
    /// Why it could not be read, the last time.
    pub why: String,
    /// When it last could.
    pub answered_at: Option<Timestamp>,
}

/// The sources that count as unreadable, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn lost_sources(conn: &mut Connection, limit: i64) -> Result<Vec<LostSource>, StorageError> {
    let rows: Vec<(i64, String, Option<String>, Option<i64>)> = sql!(conn, c => sqlx::query_as(
        "select i.integration_id, i.name, p.last_error, p.answered_at from poll p join integration i on i.integration_id = p.integration_id
         where p.lost and i.enabled order by i.integration_id limit $1",
    )
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    let source = |(id, name, why, answered_at): (i64, String, Option<String>, Option<i64>)| LostSource {
        integration: IntegrationId(id),
        name,
        why: why.unwrap_or_default(),
        answered_at: answered_at.map(Timestamp),
    };
    Ok(rows.into_iter().map(source).collect())
}

/// How many subscribers were switched off because nothing reached them.
///
/// # Errors
/// What the database said.
pub async fn n_switched_off(conn: &mut Connection) -> Result<i64, StorageError> {
    Ok(
        sql!(conn, c => sqlx::query_scalar("select count(*) from (select 1 from subscriber where disabled_at is not null limit $1) as found")
        .bind(MAX_COUNTED)
        .fetch_one(&mut *c)
        .await)?,
    )
}
