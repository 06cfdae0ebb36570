//! Incidents and their timelines.

use std::collections::BTreeMap;

use domain::{ComponentId, Incident, IncidentId, IncidentUpdate, RouteId, Status, Timestamp, UnknownName, UpdateId};

use super::{MAX_IN, json, named, push_ids};
use crate::{Connection, StorageError, db::sql, subscribers::holding};

#[derive(sqlx::FromRow)]
struct IncidentRow {
    incident_id: i64,
    title: String,
    status: String,
    impact: String,
    published: bool,
    publishes_at: Option<i64>,
    vetoed: bool,
    opened_by: Option<i64>,
    scoped: bool,
    started_at: i64,
    resolved_at: Option<i64>,
    updated_at: i64,
    added_at: Option<i64>,
}

impl IncidentRow {
    fn into_incident(self, components: BTreeMap<ComponentId, Status>) -> Result<Incident, StorageError> {
        Ok(Incident {
            id: IncidentId(self.incident_id),
            title: self.title,
            status: named(&self.status, "incident", "status")?,
            impact: named(&self.impact, "incident", "impact")?,
            published: self.published,
            publishes_at: self.publishes_at.map(Timestamp),
            vetoed: self.vetoed,
            opened_by: self.opened_by.map(RouteId),
            scoped: self.scoped,
            components,
            started_at: Timestamp(self.started_at),
            resolved_at: self.resolved_at.map(Timestamp),
            updated_at: Timestamp(self.updated_at),
            added_at: self.added_at.map(Timestamp),
        })
    }
}

const INCIDENT: &str =
    "select incident_id, title, status, impact, published, publishes_at, vetoed, opened_by, scoped, started_at, resolved_at, updated_at, added_at
     from incident where ";

/// Which incidents to read.
#[derive(Clone, Copy, Debug)]
pub enum Incidents {
    /// At most so many of the open ones.
    Open(i64),
    /// A page of those that are over, newest first: ids below `before`.
    Over {
        /// `i64::MAX` for the first page.
        before: i64,
        /// At most this many.
        limit: i64,
    },
    /// The open ones, and those that ended, or were added afterwards, at or after a time.
    OpenOrEndedSince(Timestamp),
    /// One.
    One(IncidentId),
}

/// Incidents with their components, newest first.
///
/// # Errors
/// What the database said.
pub async fn incidents(conn: &mut Connection, which: Incidents) -> Result<Vec<Incident>, StorageError> {
    let (condition, a, b) = match which {
        Incidents::Open(_) => ("resolved_at is null and $1 < $2", 0, 1),
        Incidents::Over { before, .. } => ("resolved_at is not null and incident_id >= $1 and incident_id < $2", i64::MIN, before),
        Incidents::OpenOrEndedSince(since) => {
            ("(resolved_at is null or resolved_at >= $1 or added_at >= $1) and incident_id < $2", since.0, i64::MAX)
        }
        Incidents::One(id) => ("incident_id = $1 and incident_id < $2", id.0, i64::MAX),
    };
    let limit = match which {
        Incidents::Open(limit) | Incidents::Over { limit, .. } => limit,
        Incidents::OpenOrEndedSince(_) | Incidents::One(_) => i64::MAX,
    };
    let text = format!("{INCIDENT} {condition} order by incident_id desc limit $3");
    let rows: Vec<IncidentRow> =
        sql!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(text.as_str())).bind(a).bind(b).bind(limit).fetch_all(&mut *c).await)?;
    with_components(conn, rows).await
}

/// Where an incident stands, for a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not published, and not over.
    Draft,
    /// Published, and not over.
    Open,
    /// Over.
    Past,
}

impl Standing {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Draft, Self::Open, Self::Past];

    /// Its name in addresses and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Past => "past",
        }
    }
}

impl std::str::FromStr for Standing {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.iter().copied().find(|standing| standing.as_str() == text);
        found.ok_or_else(|| UnknownName { value: text.chars().take(64).collect(), allowed: "draft, open, past".to_owned() })
    }
}

/// Which incidents a list shows; what is `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Where they stand.
    pub standing: Option<Standing>,
    /// What they are about.
    pub component: Option<ComponentId>,
    /// What their titles hold, in any case.
    pub title: Option<String>,
}

/// Incidents that pass the filter, below the id `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn incidents_that(
    conn: &mut Connection,
    filter: &IncidentFilter,
    before: i64,
    limit: i64,
) -> Result<Vec<Incident>, StorageError> {
    let rows: Vec<IncidentRow> = sql!(conn, c => {
        let mut query = sqlx::QueryBuilder::<DB>::new(INCIDENT);
        query.push("incident_id < ").push_bind(before);
        match filter.standing {
            None => {}
            Some(Standing::Draft) => { query.push(" and resolved_at is null and not published"); }
            Some(Standing::Open) => { query.push(" and resolved_at is null and published"); }
            Some(Standing::Past) => { query.push(" and resolved_at is not null"); }
        }
        if let Some(component) = filter.component {
            query.push(" and incident_id in (select incident_id from incident_component where component_id = ");
            query.push_bind(component.0).push(")");
        }
        if let Some(title) = &filter.title {
            query.push(" and lower(title) like ").push_bind(holding(title)).push(" escape '!'");
        }
        query.push(" order by incident_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    with_components(conn, rows).await
}

/// The incidents about a component that were open at a moment, newest first, drafts too.
///
/// # Errors
/// What the database said.
pub async fn incidents_at(conn: &mut Connection, component: ComponentId, at: Timestamp, limit: i64) -> Result<Vec<Incident>, StorageError> {
    let ids: Vec<i64> = sql!(conn, c => sqlx::query_scalar(
        "select i.incident_id from incident_component ic join incident i on i.incident_id = ic.incident_id
         where ic.component_id = $1 and i.started_at <= $2 and (i.resolved_at is null or i.resolved_at >= $2)
         order by i.incident_id desc limit $3",
    )
    .bind(component.0)
    .bind(at.0)
    .bind(limit)
    .fetch_all(&mut *c)
    .await)?;
    incidents_of(conn, &ids).await
}

/// The incidents of these ids, newest first.
pub(crate) async fn incidents_of(conn: &mut Connection, ids: &[i64]) -> Result<Vec<Incident>, StorageError> {
    let mut rows: Vec<IncidentRow> = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new(INCIDENT);
            query.push("incident_id in (");
            push_ids(&mut query, chunk);
            rows.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.incident_id));
    with_components(conn, rows).await
}

async fn with_components(conn: &mut Connection, rows: Vec<IncidentRow>) -> Result<Vec<Incident>, StorageError> {
    let ids: Vec<i64> = rows.iter().map(|row| row.incident_id).collect();
    let mut parts: BTreeMap<i64, BTreeMap<ComponentId, Status>> = BTreeMap::new();
    for (incident, component, worst) in incident_components(conn, &ids).await? {
        parts.entry(incident).or_default().insert(ComponentId(component), named(&worst, "incident_component", "worst")?);
    }
    rows.into_iter()
        .map(|row| {
            let of = parts.remove(&row.incident_id).unwrap_or_default();
            row.into_incident(of)
        })
        .collect()
}

async fn incident_components(conn: &mut Connection, ids: &[i64]) -> Result<Vec<(i64, i64, String)>, StorageError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new("select incident_id, component_id, worst from incident_component where incident_id in (");
            push_ids(&mut query, chunk);
            found.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    Ok(found)
}

type UpdateRow = (i64, i64, String, String, String, i64, String, Option<i64>);

/// The timelines of incidents, newest entry first.
///
/// # Errors
/// What the database said.
pub async fn incident_updates(conn: &mut Connection, ids: &[IncidentId]) -> Result<Vec<IncidentUpdate>, StorageError> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let mut rows: Vec<UpdateRow> = Vec::new();
    for chunk in ids.chunks(MAX_IN) {
        sql!(conn, c => {
            let mut query = sqlx::QueryBuilder::<DB>::new(
                "select update_id, incident_id, status, body, components, at, author, edited_at from incident_update where incident_id in (",
            );
            push_ids(&mut query, chunk);
            query.push(" order by update_id desc");
            rows.extend(query.build_query_as().fetch_all(&mut *c).await?);
        });
    }
    let update = |(id, incident, status, body, components, at, by, edited_at): UpdateRow| {
        Ok(IncidentUpdate {
            id: UpdateId(id),
            incident: IncidentId(incident),
            status: named(&status, "incident_update", "status")?,
            body,
            components: json(&components, "incident_update", "components")?,
            at: Timestamp(at),
            by,
            edited_at: edited_at.map(Timestamp),
        })
    };
    rows.into_iter().map(update).collect()
}
