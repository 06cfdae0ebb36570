//! Subscribers that are switched on again, or told nothing any more.

use domain::{Permission, Resource, SubscriberId};
use serde_json::json;
use storage::subscribers::{self, Subscriber};

use super::{Acts, Console, Deed, Failure, Outcome, Row, Typed, Undone, Words};

pub(super) struct Enable;
pub(super) struct Delete;

pub(in crate::console) const ENABLE: Words = Words {
    list: "/console/subscribers",
    area: "Subscribers",
    path: "/console/subscribers/chosen/enable",
    button: "Switch on",
    verb: "Switch",
    tail: " on again",
    one: "subscriber",
    many: "subscribers",
    meaning: "They are told of what happens from now on. What was cancelled while they were off stays so.",
    done: "switched on",
    is_danger: false,
    permission: Permission::write(Resource::Subscribers),
};

pub(in crate::console) const DELETE: Words = Words {
    path: "/console/subscribers/chosen/delete",
    button: "Delete",
    verb: "Delete",
    tail: "",
    meaning: "They are told nothing any more, and the record of what they were sent goes too, with what still waits to be sent. This cannot be undone.",
    done: "deleted",
    is_danger: true,
    ..ENABLE
};

async fn look(console: &Console, ids: &[i64], unfit: fn(&Subscriber) -> Option<&'static str>) -> Result<Vec<Row>, Failure> {
    let (mut conn, mut rows) = (console.db.read().await?, Vec::with_capacity(ids.len()));
    for id in ids {
        let found = subscribers::find(&mut conn, SubscriberId(*id)).await?;
        rows.push(found.map_or_else(
            || Row::gone(*id),
            |found| {
                let managed = if found.managed { ", which a configuration file brings back" } else { "" };
                Row { id: *id, unfit: unfit(&found), detail: format!("{}{managed}", found.channel.as_str()), name: found.address }
            },
        ));
    }
    Ok(rows)
}

impl Deed for Enable {
    const WORDS: &'static Words = &ENABLE;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |found| found.disabled_at.is_none().then_some("it is on")).await
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        acts.post("/subscribers/enable", Some(&json!({ "ids": ids }))).await?;
        Ok(Outcome { n: ids.len(), to: None })
    }
}

impl Deed for Delete {
    const WORDS: &'static Words = &DELETE;
    const IS_FRESH: bool = true;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |_| None).await
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        acts.post("/subscribers/delete", Some(&json!({ "ids": ids }))).await?;
        Ok(Outcome { n: ids.len(), to: None })
    }
}
