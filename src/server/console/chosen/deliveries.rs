//! Deliveries that are looked at again.

use domain::{DeliveryId, Permission, Resource};
use serde_json::json;
use storage::{
    deliveries::{self, DeliveryFilter, DeliveryState},
    integrations,
    order::Slice,
};

use super::{Acts, Console, Deed, Failure, Outcome, Row, Typed, Undone, Words};
use crate::console::{seen::Seen, zone::time};

pub(super) struct Replay;

pub(in crate::console) const REPLAY: Words = Words {
    list: "/console/deliveries",
    area: "Deliveries",
    path: "/console/deliveries/chosen/replay",
    button: "Look at again",
    verb: "Look at",
    tail: " again",
    one: "delivery",
    many: "deliveries",
    meaning: "The settings and routes of now are used, as if they had just arrived, oldest first. What they say may change statuses and open incidents.",
    done: "will be looked at again",
    is_danger: false,
    permission: Permission::write(Resource::Deliveries),
};

impl Deed for Replay {
    const WORDS: &'static Words = &REPLAY;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        let mut conn = console.db.read().await?;
        let (keys, mut rows) = (integrations::keys(&mut conn).await?, Vec::with_capacity(ids.len()));
        for id in ids {
            let found = deliveries::list(&mut conn, DeliveryFilter::default(), &Slice::one(*id)).await?.pop();
            rows.push(found.filter(|delivery| delivery.id == DeliveryId(*id)).map_or_else(
                || Row::gone(*id),
                |delivery| Row {
                    id: *id,
                    name: time(delivery.received_at).to_string(),
                    detail: format!("{}, {}", keys.get(&delivery.integration).map_or("", String::as_str), delivery.state.as_str()),
                    unfit: (delivery.state == DeliveryState::Pending).then_some("it waits to be looked at already"),
                },
            ));
        }
        Ok(rows)
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        let done = acts.post("/deliveries/replay", Some(&json!({ "ids": ids }))).await?;
        Ok(Outcome { n: usize::try_from(done.number("replayed")).unwrap_or_default(), to: None })
    }
}
