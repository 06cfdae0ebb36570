//! What people said about incidents and may take back before it leaves, and what became of it.

use domain::{IncidentId, Timestamp, WaitState, WaitingAct, WaitingActId};

use crate::{
    Connection, StorageError,
    db::{execute, sql},
    rows::{json, named, to_json},
};

#[derive(sqlx::FromRow)]
struct Row {
    waiting_act_id: i64,
    incident_id: i64,
    opens: bool,
    edit: String,
    stood_at: Option<String>,
    author: String,
    since: i64,
    leaves_at: i64,
    state: String,
    reason: Option<String>,
}

fn read(row: Row) -> Result<WaitingAct, StorageError> {
    Ok(WaitingAct {
        id: WaitingActId(row.waiting_act_id),
        incident: IncidentId(row.incident_id),
        opens: row.opens,
        edit: json(&row.edit, "waiting_act", "edit")?,
        stood_at: row.stood_at.map(|status| named(&status, "waiting_act", "stood_at")).transpose()?,
        by: row.author,
        since: Timestamp(row.since),
        leaves_at: Timestamp(row.leaves_at),
        state: named(&row.state, "waiting_act", "state")?,
        reason: row.reason,
    })
}

/// Which ones to read.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// All that wait.
    Waiting,
    /// Those that wait, and those that were refused.
    Open,
    /// Those that wait about one incident.
    About(IncidentId),
    /// One.
    One(WaitingActId),
    /// A page of a list, newest first: ids below `before`.
    Page {
        /// `i64::MAX` for the first page.
        before: i64,
        /// At most this many.
        limit: i64,
    },
}

/// What waits or waited, newest first.
///
/// # Errors
/// What the database said.
pub async fn list(conn: &mut Connection, which: Which) -> Result<Vec<WaitingAct>, StorageError> {
    let (condition, id, limit) = match which {
        Which::Waiting => ("state = 'waiting' and waiting_act_id < ", i64::MAX, i64::MAX),
        Which::Open => ("state in ('waiting', 'refused') and waiting_act_id < ", i64::MAX, i64::MAX),
        Which::About(incident) => ("state = 'waiting' and incident_id = ", incident.0, i64::MAX),
        Which::One(id) => ("waiting_act_id = ", id.0, 1),
        Which::Page { before, limit } => ("waiting_act_id < ", before, limit),
    };
    let rows: Vec<Row> = sql!(conn, c => {
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "select waiting_act_id, incident_id, opens, edit, stood_at, author, since, leaves_at, state, reason from waiting_act where ",
        );
        query.push(condition).push_bind(id).push(" order by waiting_act_id desc limit ").push_bind(limit);
        query.build_query_as().fetch_all(&mut *c).await?
    });
    rows.into_iter().map(read).collect()
}

/// One, if it is still known.
///
/// # Errors
/// What the database said.
pub async fn find(conn: &mut Connection, id: WaitingActId) -> Result<Option<WaitingAct>, StorageError> {
    Ok(list(conn, Which::One(id)).await?.pop())
}

/// Stores one as it is now.
pub(crate) async fn store(conn: &mut Connection, act: &WaitingAct) -> Result<(), StorageError> {
    execute!(
        conn,
        sqlx::query(
            "insert into waiting_act (waiting_act_id, incident_id, opens, edit, stood_at, author, since, leaves_at, state, reason)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (waiting_act_id) do update set state = excluded.state, reason = excluded.reason",
        )
        .bind(act.id.0)
        .bind(act.incident.0)
        .bind(act.opens)
        .bind(to_json(&act.edit))
        .bind(act.stood_at.map(|status| status.as_str()))
        .bind(act.by.as_str())
        .bind(act.since.0)
        .bind(act.leaves_at.0)
        .bind(act.state.as_str())
        .bind(act.reason.as_deref())
    )?;
    Ok(())
}

/// Removes those that are over and were to leave before a time; returns how many.
///
/// # Errors
/// What the database said.
pub async fn prune(conn: &mut Connection, before: Timestamp) -> Result<u64, StorageError> {
    Ok(execute!(
        conn,
        sqlx::query("delete from waiting_act where leaves_at < $1 and state <> $2").bind(before.0).bind(WaitState::Waiting.as_str())
    )?)
}
