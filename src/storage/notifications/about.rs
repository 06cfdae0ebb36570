//! What notices are about, for lists of what was sent of them.

use std::collections::HashMap;

use domain::{Notice, NoticeAbout, NoticeId};
use sqlx::QueryBuilder;

use crate::{
    Connection, StorageError,
    db::sql,
    rows::{MAX_IN, json, push_ids},
};

/// What a notice is about, as it was called when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// `incident`, `maintenance`, `component` or `endpoint`.
    pub kind: &'static str,
    /// Its id; an endpoint has none.
    pub id: Option<i64>,
    /// Its title, name or address.
    pub title: String,
}

impl From<Notice> for About {
    fn from(notice: Notice) -> Self {
        match notice.about {
            NoticeAbout::Incident { incident, .. } | NoticeAbout::Publication { incident, .. } => {
                Self { kind: "incident", id: Some(incident.id.0), title: incident.title }
            }
            NoticeAbout::Maintenance { maintenance } => Self { kind: "maintenance", id: Some(maintenance.id.0), title: maintenance.title },
            NoticeAbout::Component { change } => {
                let name = notice.components.get(&change.component).map(|component| component.name.clone());
                Self { kind: "component", id: Some(change.component.0), title: name.unwrap_or_default() }
            }
            NoticeAbout::Endpoint { address, .. } => Self { kind: "endpoint", id: None, title: address },
        }
    }
}

/// What each of these notices is about.
pub(super) async fn of(conn: &mut Connection, mut notices: Vec<i64>) -> Result<HashMap<NoticeId, About>, StorageError> {
    // Many are told the same: it is read once.
    notices.sort_unstable();
    notices.dedup();
    let mut found = HashMap::with_capacity(notices.len());
    for some in notices.chunks(MAX_IN) {
        let rows: Vec<(i64, String)> = sql!(conn, c => {
            let mut query = QueryBuilder::<DB>::new("select notice_id, data from notice where notice_id in (");
            push_ids(&mut query, some);
            query.build_query_as().fetch_all(&mut *c).await?
        });
        for (id, data) in rows {
            found.insert(NoticeId(id), About::from(json::<Notice>(&data, "notice", "data")?));
        }
    }
    Ok(found)
}
