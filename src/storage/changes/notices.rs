//! Notices, and the notifications that they owe.

use domain::{Change, Notice, NoticeAbout, Recorded};
use sqlx::QueryBuilder;

use super::portions;
use crate::{
    Connection, StorageError,
    db::sql,
    rows::{push_ids, to_json},
};

/// When a notification is due. Mail about one thing arrives in order, so it waits for what could not be sent yet.
const NEXT_AT: &str = "coalesce((select max(e.next_at) from notification e where s.channel = 'email' and e.subscriber_id = s.subscriber_id
    and e.thread = owed.thread and e.state = 'due' and e.next_at > owed.at), owed.at)";

/// Stores notices and what they owe to every subscriber they concern, however many these are.
pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let notices = recorded.iter().filter_map(|recorded| if let Change::Notice(notice) = &recorded.change { Some(&**notice) } else { None });
    let notices: Vec<&Notice> = notices.collect();
    if notices.is_empty() {
        return Ok(());
    }
    for portion in portions(&notices) {
        insert(conn, portion).await?;
        owe_to_all(conn, portion).await?;
    }
    let somebody =
        "select count(*) from (select 1 from subscriber where scoped and confirmed_at is not null and disabled_at is null limit 1) as s";
    let n: i64 = sql!(conn, c => sqlx::query_scalar(somebody).fetch_one(&mut *c).await)?;
    if n > 0 {
        for notice in notices {
            owe_to_scoped(conn, notice).await?;
        }
    }
    Ok(())
}

/// What mail about the same thing threads on.
fn thread_of(notice: &Notice) -> Option<String> {
    match &notice.about {
        NoticeAbout::Incident { incident, .. } => Some(format!("incident:{}", incident.id)),
        NoticeAbout::Maintenance { maintenance } => Some(format!("maintenance:{}", maintenance.id)),
        NoticeAbout::Component { .. } | NoticeAbout::Endpoint { .. } => None,
    }
}

pub(crate) async fn insert(conn: &mut Connection, notices: &[&Notice]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("insert into notice (notice_id, kind, at, thread, data) ");
        query.push_values(notices, |mut row, notice| {
            row.push_bind(notice.id.0)
                .push_bind(notice.kind.as_str())
                .push_bind(notice.at.0)
                .push_bind(thread_of(notice))
                .push_bind(to_json(notice));
        });
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

/// To subscribers who want to hear of everything.
async fn owe_to_all(conn: &mut Connection, notices: &[&Notice]) -> Result<(), StorageError> {
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("with owed (notice_id, thread, at, people) as (");
        query.push_values(notices, |mut row, notice| {
            row.push("cast(").push_bind_unseparated(notice.id.0).push_unseparated(" as bigint)");
            row.push("cast(").push_bind_unseparated(thread_of(notice)).push_unseparated(" as text)");
            row.push("cast(").push_bind_unseparated(notice.at.0).push_unseparated(" as bigint)");
            row.push("cast(").push_bind_unseparated(notice.kind.is_for_people()).push_unseparated(" as boolean)");
        });
        query.push(
            ") insert into notification (notice_id, subscriber_id, thread, state, attempt, next_at, created_at)
               select owed.notice_id, s.subscriber_id, owed.thread, 'due', 1, ",
        );
        query.push(NEXT_AT);
        query.push(
            ", owed.at
               from owed join subscriber s on owed.people or s.channel = 'webhook'
               where s.confirmed_at is not null and s.disabled_at is null and not s.scoped order by owed.notice_id, s.subscriber_id",
        );
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}

/// To subscribers who chose components.
async fn owe_to_scoped(conn: &mut Connection, notice: &Notice) -> Result<(), StorageError> {
    let ids: Vec<i64> = notice.components.keys().map(|id| id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sql!(conn, c => {
        let mut query = QueryBuilder::<DB>::new("with owed (notice_id, thread, at) as (select cast(");
        query.push_bind(notice.id.0).push(" as bigint), cast(").push_bind(thread_of(notice));
        query.push(" as text), cast(").push_bind(notice.at.0).push(" as bigint)) ");
        query.push("insert into notification (notice_id, subscriber_id, thread, state, attempt, next_at, created_at) ");
        query.push("select owed.notice_id, s.subscriber_id, owed.thread, 'due', 1, ").push(NEXT_AT);
        query.push(", owed.at from owed cross join subscriber s where s.confirmed_at is not null and s.disabled_at is null and s.scoped");
        if !notice.kind.is_for_people() {
            query.push(" and s.channel = 'webhook'");
        }
        query.push(" and exists (select 1 from subscriber_component sc where sc.subscriber_id = s.subscriber_id and sc.component_id in (");
        push_ids(&mut query, &ids);
        query.push(") order by s.subscriber_id");
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}
