//! `/console/deliveries/replay`: looks at many deliveries again, a portion at a time, and shows how far it has come. Nothing is taken up any
//! more once somebody stops.

use askama::Template;
use domain::Resource;
use poem::{
    IntoResponse, Response, handler,
    http::StatusCode,
    web::{Data, Json},
};
use serde_json::{Value, json};
use storage::fates;

use super::{
    Console,
    acts::Acts,
    deliveries::{PATH, count, read_time},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    seen::{Asked, Seen, Sent, Typed, address},
};

/// Deliveries taken up at once: a few seconds' work.
const PORTION: i64 = 1_000;
/// More than this many that wait are not counted.
const MAX_COUNTED: i64 = 100_000;

/// What narrows them by when they arrived.
const TIMES: [&str; 2] = ["from", "to"];

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Deliveries), Needs::write(Resource::Deliveries));
    table
        .get("/console/deliveries/replay", act, ask)
        .post("/console/deliveries/replay", act, take_up)
        .get("/console/deliveries/replay/progress", act, progress)
        .get("/console/deliveries/waiting", look.by_itself(), waiting)
}

/// Which ones, as operations take it.
fn filter(typed: &Typed) -> Value {
    let mut filter = json!({ "state": typed.given("state").unwrap_or("quarantined") });
    if let Some(integration) = typed.given("integration") {
        filter["integration"] = Value::from(integration);
    }
    for name in TIMES.into_iter().filter(|name| typed.given(name).is_some()) {
        filter[name] = Value::from(read_time(typed, name));
    }
    if let Some(after) = typed.number("after") {
        filter["after"] = Value::from(after);
    }
    filter
}

#[derive(Template)]
#[template(path = "console/replay.html")]
struct Ask<'a> {
    frame: &'a Frame,
    integration: &'a str,
    state: &'a str,
    times: Vec<(&'static str, &'a str)>,
    count: (i64, bool),
}

impl Ask<'_> {
    /// When they arrived, in words; empty where that is not said.
    fn when(&self) -> String {
        let word = |(name, at): &(&str, &str)| format!("{} {}", if *name == "from" { "since" } else { "before" }, at.replace('T', " "));
        self.times.iter().map(word).collect::<Vec<_>>().join(" and ")
    }
}

/// The times of an address or a form, as they were typed.
fn times(typed: &Typed) -> Vec<(&'static str, &str)> {
    TIMES.into_iter().filter_map(|name| Some((name, typed.given(name)?))).collect()
}

#[handler]
async fn ask(frame: Frame, acts: Acts, asked: Asked) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let filter = filter(&typed);
    let count = count(&acts, &filter).await?;
    Ok(show(
        StatusCode::OK,
        &Ask { frame: &frame, integration: typed.text("integration"), state: filter.text("state"), times: times(&typed), count },
    ))
}

#[handler]
async fn take_up(acts: Acts, sent: Sent) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let mut filter = filter(&typed);
    filter["limit"] = Value::from(PORTION);
    let taken = acts.post("/deliveries/replay", Some(&filter)).await?;
    let done = typed.number("done").unwrap_or_default().saturating_add(taken.number("replayed"));
    let after = if taken.has("last") { taken.number("last").to_string() } else { typed.text("after").to_owned() };
    let done = done.to_string();
    let fields = [("integration", typed.text("integration")), ("state", filter.text("state")), ("after", &after), ("done", &done)];
    Ok(see_other(&address("/console/deliveries/replay/progress", &[&fields[..], &times(&typed)].concat())))
}

#[derive(Template)]
#[template(path = "console/replay_progress.html")]
struct Progress<'a> {
    frame: &'a Frame,
    integration: &'a str,
    state: &'a str,
    times: Vec<(&'static str, &'a str)>,
    after: &'a str,
    /// How many were taken up so far.
    done: i64,
    /// How many are left to be taken up, and whether there are more than are counted.
    left: (i64, bool),
    /// How many wait for the evaluator now, those that just arrived too.
    waiting: i64,
    portion: i64,
}

#[handler]
async fn progress(frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let filter = filter(&typed);
    let left = count(&acts, &filter).await?;
    let page = Progress {
        frame: &frame,
        integration: typed.text("integration"),
        state: filter.text("state"),
        times: times(&typed),
        after: typed.text("after"),
        done: typed.number("done").unwrap_or_default().max(0),
        left,
        waiting: n_waiting(console).await?,
        portion: PORTION.min(left.0),
    };
    Ok(show(StatusCode::OK, &page))
}

impl Progress<'_> {
    fn list(&self) -> String {
        address(PATH, &[&[("integration", self.integration)], &self.times[..]].concat())
    }

    /// How many of those that were taken up were looked at, as far as one can tell.
    fn looked_at(&self) -> i64 {
        (self.done - self.waiting).max(0)
    }
}

async fn n_waiting(console: &Console) -> Result<i64, Failure> {
    Ok(fates::n_pending(&mut console.db.read().await?, MAX_COUNTED).await?)
}

/// How many deliveries wait for the evaluator, for a page that shows it as it changes.
#[handler]
async fn waiting(Data(console): Data<&Console>) -> Result<Response, Failure> {
    Ok(Json(json!({ "waiting": n_waiting(console).await? })).into_response())
}
