//! Drafts that are discarded. They are not published so: readers are told of each in its own words.

use domain::{IncidentId, Permission, Resource};
use serde_json::json;
use storage::rows::{self, Incidents};

use super::{Acts, Console, Deed, Failure, Outcome, Row, Typed, Undone, Words};
use crate::console::zone::time;

pub(super) struct Discard;

pub(in crate::console) const DISCARD: Words = Words {
    list: "/console/incidents",
    area: "Incidents",
    path: "/console/incidents/chosen/discard",
    button: "Discard",
    verb: "Discard",
    tail: "",
    one: "draft",
    many: "drafts",
    meaning: "They are removed with their timelines, and readers never hear of them. Alerts that still fire in them are muted until they get worse. This cannot be undone.",
    done: "discarded",
    is_danger: true,
    permission: Permission::write(Resource::Incidents),
};

impl Deed for Discard {
    const WORDS: &'static Words = &DISCARD;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        let (mut conn, mut rows) = (console.db.read().await?, Vec::with_capacity(ids.len()));
        for id in ids {
            let found = rows::incidents(&mut conn, Incidents::One(IncidentId(*id))).await?.pop();
            rows.push(found.map_or_else(
                || Row::gone(*id),
                |incident| Row {
                    id: *id,
                    name: incident.title,
                    detail: format!("began {}", time(incident.started_at)),
                    unfit: incident.published.then_some("readers see it"),
                },
            ));
        }
        Ok(rows)
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        acts.post("/incidents/discard", Some(&json!({ "ids": ids }))).await?;
        Ok(Outcome { n: ids.len(), to: None })
    }
}
