//! Notices, and the notifications that they owe.

use domain::{Change, Notice, NoticeAbout, Recorded};
use sqlx::QueryBuilder;

use super::portions;
use crate::{
    Connection, StorageError,
    db::sql,
    owner, publications,
    rows::{push_ids, to_json},
};

/// Stores notices and what they owe to every subscriber they concern, however many these are.
pub(super) async fn store(conn: &mut Connection, recorded: &[Recorded]) -> Result<(), StorageError> {
    let notices = recorded.iter().filter_map(|recorded| if let Change::Notice(notice) = &recorded.change { Some(&**notice) } else { None });
    let notices: Vec<&Notice> = notices.collect();
    if notices.is_empty() {
        return Ok(());
    }
    for portion in portions(&notices) {
        insert(conn, portion).await?;
    }
    let (for_owner, notices): (Vec<&Notice>, Vec<&Notice>) = notices.into_iter().partition(|notice| notice.kind.is_for_owner());
    for notice in for_owner {
        owner::owe(conn, notice).await?;
    }
    if notices.is_empty() {
        return Ok(());
    }
    for portion in portions(&notices) {
        owe(conn, portion, None).await?;
    }
    let somebody =
        "select count(*) from (select 1 from subscriber where scoped and confirmed_at is not null and disabled_at is null limit 1) as s";
    let n: i64 = sql!(conn, c => sqlx::query_scalar(somebody).fetch_one(&mut *c).await)?;
    if n > 0 {
        for notice in notices {
            let components: Vec<i64> = notice.components.keys().map(|id| id.0).collect();
            if !components.is_empty() {
                owe(conn, &[notice], Some(&components)).await?;
            }
        }
    }
    Ok(())
}

/// What mail about the same thing threads on.
fn thread_of(notice: &Notice) -> Option<String> {
    match &notice.about {
        NoticeAbout::Incident { incident, .. } => Some(format!("incident:{}", incident.id)),
        NoticeAbout::Maintenance { maintenance } => Some(format!("maintenance:{}", maintenance.id)),
        NoticeAbout::Publication { incident, .. } => Some(publications::thread(incident.id)),
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

/// Owes notices to the subscribers who want to hear of everything, or, given `components`, to those who chose one of these. Mail about one
/// thing arrives in order, so it waits for what could not be sent yet.
async fn owe(conn: &mut Connection, notices: &[&Notice], components: Option<&[i64]>) -> Result<(), StorageError> {
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
               select owed.notice_id, s.subscriber_id, owed.thread, 'due', 1,
                 coalesce((select max(e.next_at) from notification e where s.channel = 'email' and e.subscriber_id = s.subscriber_id
                           and e.thread = owed.thread and e.state = 'due' and e.next_at > owed.at), owed.at), owed.at
               from owed join subscriber s on owed.people or s.channel = 'webhook'
               where s.confirmed_at is not null and s.disabled_at is null and ",
        );
        if let Some(ids) = components {
            query.push(
                "s.scoped and exists (select 1 from subscriber_component sc where sc.subscriber_id = s.subscriber_id and sc.component_id in (",
            );
            push_ids(&mut query, ids);
            query.push(")");
        } else {
            query.push("not s.scoped");
        }
        query.push(" order by owed.notice_id, s.subscriber_id");
        query.build().execute(&mut *c).await?;
    });
    Ok(())
}
