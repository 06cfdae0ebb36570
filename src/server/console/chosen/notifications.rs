//! Dead notifications that are sent again.

use domain::{NotificationId, Permission, Resource};
use serde_json::json;
use storage::{
    notifications::{self, NotificationFilter, NotificationState},
    order::Slice,
};

use super::{Acts, Console, Deed, Failure, Outcome, Row, Typed, Undone, Words};
use crate::console::{UNDO_SECS, notifications::sent_again, zone::time};

pub(super) struct Resend;

pub(in crate::console) const RESEND: Words = Words {
    list: "/console/notifications",
    area: "Notifications",
    path: "/console/notifications/chosen/resend",
    button: "Send again",
    verb: "Send",
    tail: " again",
    one: "dead notification",
    many: "dead notifications",
    meaning: "Each begins again with its first try. For ten seconds they can be taken back.",
    done: "go out again",
    is_danger: false,
    permission: Permission::write(Resource::Notifications),
};

impl Deed for Resend {
    const WORDS: &'static Words = &RESEND;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        let (mut conn, mut rows) = (console.db.read().await?, Vec::with_capacity(ids.len()));
        for id in ids {
            let filter = NotificationFilter { id: Some(NotificationId(*id)), ..NotificationFilter::default() };
            let found = notifications::list(&mut conn, filter, &Slice::one(*id)).await?.pop();
            rows.push(found.map_or_else(
                || Row::gone(*id),
                |found| Row {
                    id: *id,
                    name: found.address,
                    detail: format!("{}, made {}", found.kind, time(found.created_at)),
                    unfit: (found.state != NotificationState::Dead).then_some("it is not dead"),
                },
            ));
        }
        Ok(rows)
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        let resent = acts.post("/notifications/resend", Some(&json!({ "ids": ids, "wait_seconds": UNDO_SECS }))).await?;
        Ok(Outcome { n: ids.len(), to: Some(sent_again(&resent)) })
    }
}
