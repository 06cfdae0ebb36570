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
    acts::{Acts, sentence},
    chosen::{self, Bar},
    columns::Columns,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Typed, address, pretty},
    session::Person,
    zone::from_field,
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
    columns: Columns<'a>,
    bar: Bar,
    /// What is wrong with what narrows it.
    refused: Option<&'a Refused>,
    /// Where those that are shown can be looked at again.
    replay: Option<String>,
}

impl List<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    fn is_narrow(&self) -> bool {
        ["integration", "state", "from", "to"].iter().any(|field| self.typed.given(field).is_some())
    }

    fn states(&self) -> impl Iterator<Item = &'static str> {
        DeliveryState::ALL.iter().map(|state| state.as_str())
    }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let (integration, state) = (typed.text("integration"), typed.text("state"));
    let (from, to) = (read_time(&typed, "from"), read_time(&typed, "to"));
    let path = address(
        "/deliveries",
        &[
            ("integration", integration),
            ("state", state),
            ("from", &from),
            ("to", &to),
            ("sort", typed.text("sort")),
            ("cursor", typed.text("cursor")),
        ],
    );
    let (listed, refused) = match acts.get(&path).await {
        Ok(listed) => (listed, None),
        Err(refused) if refused.field("from").or(refused.field("to")).is_some() => (Value::Null, Some(refused)),
        Err(refused) => return Err(refused.into()),
    };
    let may_replay =
        person.may(Permission::write(Resource::Deliveries)) && !["", "pending"].contains(&state) && !listed.list("items").is_empty();
    let filters = [
        ("integration", integration),
        ("state", state),
        ("from", typed.text("from")),
        ("to", typed.text("to")),
        ("sort", typed.text("sort")),
    ];
    let page = List {
        frame: &frame,
        typed: &typed,
        rows: listed.list("items"),
        integrations: integrations::outlines(&mut console.db.read().await?, N_CHOICES).await?,
        pager: Pager::new(PATH, &filters, &typed, listed.text("next")),
        columns: Columns::new(PATH, &filters, &typed, "-id"),
        bar: Bar::new(&person, &[&chosen::REPLAY], &filters, &typed),
        refused: refused.as_ref(),
        replay: may_replay.then(|| address("/console/deliveries/replay", &filters[..4])),
    };
    Ok(show(refused.as_ref().map_or(StatusCode::OK, |refused| refused.status), &page))
}

/// A time as the operation takes it; what is none is handed on as it was typed, to be refused.
pub(super) fn read_time(typed: &Typed, field: &str) -> String {
    let text = typed.text(field);
    from_field(text).map_or_else(|| text.to_owned(), |at| at.to_string())
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
