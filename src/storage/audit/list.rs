//! Reads the log.

use domain::Timestamp;
use sqlx::QueryBuilder;

use crate::{Connection, StorageError, db::sql, rows::json};

/// Which rows are wanted; what is `None` is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose: a pseudonym such as `user:7`.
    pub actor: Option<String>,
    /// Such as `component.update`.
    pub action: Option<String>,
    /// What it was done to, such as `component:5`.
    pub resource: Option<String>,
    /// Not older than this.
    pub from: Option<Timestamp>,
    /// Older than this.
    pub to: Option<Timestamp>,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its number; there is no gap between numbers.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Whose act it was, as a pseudonym.
    pub actor: String,
    /// The actor's name at that time; `None` if there was none or it was erased.
    pub name: Option<String>,
    /// By what.
    pub via: String,
    /// From where.
    pub address: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub resource: Option<String>,
    /// What is different: as it was.
    pub before: Option<serde_json::Value>,
    /// What is different: as it is.
    pub after: Option<serde_json::Value>,
    /// The row's hash, which proves all rows before it.
    pub hash: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    audit_id: i64,
    at: i64,
    actor: String,
    name: Option<String>,
    via: String,
    address: Option<String>,
    action: String,
    resource: Option<String>,
    before: Option<String>,
    after: Option<String>,
    hash: Vec<u8>,
}

impl TryFrom<Row> for Recorded {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.audit_id,
            at: Timestamp(row.at),
            actor: row.actor,
            name: row.name.filter(|name| !name.is_empty()),
            via: row.via,
            address: row.address,
            action: row.action,
            resource: row.resource,
            before: row.before.map(|text| json(&text, "audit", "before")).transpose()?,
            after: row.after.map(|text| json(&text, "audit", "after")).transpose()?,
            hash: hex::encode(row.hash),
        })
    }
}

/// From where a list goes on.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// Newest first, below this number.
    Below(i64),
    /// Oldest first, above this number.
    Above(i64),
}

/// Rows that pass the filter, below the number `before`, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, filter: &Filter, before: i64, limit: i64) -> Result<Vec<Recorded>, StorageError> {
    select(conn, filter, From::Below(before), limit).await
}

pub(super) async fn select(conn: &mut Connection, filter: &Filter, from: From, limit: i64) -> Result<Vec<Recorded>, StorageError> {
    let texts = [("a.actor = ", &filter.actor), ("a.action = ", &filter.action), ("a.resource = ", &filter.resource)];
    let times = [("a.at >= ", filter.from), ("a.at < ", filter.to)];
    let rows: Vec<Row> = sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new(
            "select a.audit_id, a.at, a.actor, n.name, a.via, a.address, a.action, a.resource, a.before, a.after, a.hash
             from audit a left join audit_actor n on n.actor_id = a.actor_id where ",
        );
        match from {
            From::Below(id) => query.push("a.audit_id < ").push_bind(id),
            From::Above(id) => query.push("a.audit_id > ").push_bind(id),
        };
        for (condition, text) in texts {
            if let Some(text) = text {
                query.push(" and ").push(condition).push_bind(text.as_str());
            }
        }
        for (condition, time) in times {
            if let Some(time) = time {
                query.push(" and ").push(condition).push_bind(time.0);
            }
        }
        query.push(if matches!(from, From::Below(_)) { " order by a.audit_id desc limit " } else { " order by a.audit_id limit " });
        query.push_bind(limit).build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(Recorded::try_from).collect()
}
