//! `/console/deliveries`: every request that senders made, as it came, and what became of it.

use askama::Template;
use domain::{Permission, Resource};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::Value;
use storage::{
    deliveries::DeliveryState,
    integrations::{self, Outline},
};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Typed, address, pretty},
    session::Person,
};
use crate::admin::Refused;

pub(super) const PATH: &str = "/console/deliveries";
/// The most integrations that can be chosen.
const N_CHOICES: i64 = 1_000;

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Deliveries), Needs::write(Resource::Deliveries));
    table.get(PATH, look, list).get("/console/deliveries/:id", look, one).post("/console/deliveries/:id/replay", act, replay_one)
}

/// How many deliveries would be looked at again, and whether there are more than are counted.
pub(super) async fn count(acts: &Acts, filter: &Value) -> Result<(i64, bool), Refused> {
    let mut body = filter.clone();
    body["dry_run"] = Value::Bool(true);
    let counted = acts.post("/deliveries/replay", Some(&body)).await?;
    Ok((counted.number("replayed"), counted.yes("more")))
}

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct List<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    rows: &'a [Value],
    integrations: Vec<Outline>,
    pager: Pager,
    /// Where those that are shown can be looked at again.
    replay: Option<String>,
}

impl List<'_> {
    fn states(&self) -> impl Iterator<Item = &'static str> {
        DeliveryState::ALL.iter().map(|state| state.as_str())
    }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let (integration, state) = (typed.text("integration"), typed.text("state"));
    let path = address("/deliveries", &[("integration", integration), ("state", state), ("cursor", typed.text("cursor"))]);
    let listed = acts.get(&path).await?;
    let may_replay = person.may(Permission::write(Resource::Deliveries)) && state != "pending" && !listed.list("items").is_empty();
    let page = List {
        frame: &frame,
        typed: &typed,
        rows: listed.list("items"),
        integrations: integrations::outlines(&mut console.db.read().await?, N_CHOICES).await?,
        pager: Pager::new(PATH, &[("integration", integration), ("state", state)], &typed, listed.text("next")),
        replay: may_replay.then(|| address("/console/deliveries/replay", &[("integration", integration), ("state", state)])),
    };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "console/delivery.html")]
struct Delivery<'a> {
    frame: &'a Frame,
    delivery: &'a Value,
    /// The integration, if it is still there.
    integration: Option<Outline>,
    headers: Vec<(&'a str, &'a str)>,
    body: String,
    changes: Vec<Value>,
    may_replay: bool,
    may_route: bool,
}

#[handler]
async fn one(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let delivery = acts.get(&format!("/deliveries/{id}")).await?;
    let integration = integrations::outline_of_key(&mut console.db.read().await?, delivery.text("integration")).await?;
    let headers = delivery.part("headers").as_object();
    let page = Delivery {
        frame: &frame,
        headers: headers.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect(),
        body: readable(&delivery),
        changes: changes(&acts, id).await?,
        may_replay: person.may(Permission::write(Resource::Deliveries)) && delivery.text("state") != "pending",
        may_route: person.may(Permission::write(Resource::Integrations)) && integration.is_some(),
        integration,
        delivery: &delivery,
    };
    Ok(show(StatusCode::OK, &page))
}

/// The body, to read: JSON is indented, anything else is as it came.
fn readable(delivery: &Value) -> String {
    let text = delivery.text("body");
    match serde_json::from_str::<Value>(text) {
        Ok(json) if delivery.text("body_encoding") == "utf-8" => pretty(&json),
        _ => text.to_owned(),
    }
}

/// What it changed, oldest first.
async fn changes(acts: &Acts, id: i64) -> Result<Vec<Value>, Failure> {
    Ok(acts.get(&format!("/deliveries/{id}/changes")).await?.list("items").to_vec())
}

#[handler]
async fn replay_one(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.post(&format!("/deliveries/{id}/replay"), None).await?;
    Ok(see_other(&format!("{PATH}/{id}")))
}
