//! `/console/metrics`: the series of numbers that the page shows, drawn as readers see them.

use askama::Template;
use domain::{MAX_NAME_CHARS, MAX_UNIT_CHARS, MetricId, Permission, Resource};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Sent, Typed, address},
    session::Person,
};
use crate::{admin::Refused, page::Chart};

const PATH: &str = "/console/metrics";

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Metrics), Needs::write(Resource::Metrics));
    table
        .get(PATH, look, list)
        .get("/console/metrics/new", act, new_form)
        .post("/console/metrics/new", act, create)
        .get("/console/metrics/:id", look, one)
        .post("/console/metrics/:id", act, update)
        .post("/console/metrics/:id/delete", act.fresh(), delete)
}

fn may_write(person: &Person) -> bool {
    person.may(Permission::write(Resource::Metrics))
}

/// A metric in the list, with one sentence about its newest values.
struct Row {
    metric: Value,
    summary: String,
}

#[derive(Template)]
#[template(path = "console/metrics.html")]
struct List<'a> {
    frame: &'a Frame,
    rows: Vec<Row>,
    pager: Pager,
    may_write: bool,
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let asked = Typed::from(asked);
    let listed = acts.get(&address("/metrics", &[("cursor", asked.text("cursor"))])).await?;
    let snapshot = console.page.snapshot();
    let row = |metric: &Value| Row {
        summary: snapshot.chart(MetricId(metric.number("id"))).map(|chart| chart.summary).unwrap_or_default(),
        metric: metric.clone(),
    };
    let rows = listed.list("items").iter().map(row).collect();
    let pager = Pager::new(PATH, &[], &asked, listed.text("next"));
    Ok(show(StatusCode::OK, &List { frame: &frame, rows, pager, may_write: may_write(&person) }))
}

#[derive(Template)]
#[template(path = "console/metric.html")]
struct Page<'a> {
    frame: &'a Frame,
    /// The metric; a new one has none.
    metric: Option<&'a Value>,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    /// As readers see it, once the page has it.
    chart: Option<Chart<'a>>,
    may_write: bool,
    base_url: &'a str,
}

impl Page<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    /// What is wrong with no field of the form.
    fn wrong_at_all(&self) -> Option<String> {
        let refused = self.refused?;
        (["name", "unit", "position"].iter().all(|field| refused.field(field).is_none())).then(|| sentence(&refused.in_words()))
    }
}

#[handler]
fn new_form(frame: Frame, Data(console): Data<&Console>) -> Response {
    page_of_new(console, &frame, &Typed::default(), None)
}

fn page_of_new(console: &Console, frame: &Frame, typed: &Typed, refused: Option<&Refused>) -> Response {
    let page = Page { frame, metric: None, typed, refused, chart: None, may_write: true, base_url: console.base_url.as_str() };
    show(refused.map_or(StatusCode::OK, |refused| refused.status), &page)
}

/// What was typed, as operations take it; a place that is no number is for them to refuse.
fn wanted(typed: &Typed) -> Value {
    let mut body = json!({ "name": typed.text("name"), "unit": typed.text("unit") });
    if let Some(position) = typed.given("position") {
        body["position"] = position.parse::<i64>().map_or_else(|_| Value::from(position), Value::from);
    }
    body
}

#[handler]
async fn create(frame: Frame, acts: Acts, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    match acts.post("/metrics", Some(&wanted(&typed))).await {
        Ok(made) => Ok(see_other(&format!("{PATH}/{}", made.number("id")))),
        Err(refused) if refused.status.is_client_error() => Ok(page_of_new(console, &frame, &typed, Some(&refused))),
        Err(refused) => Err(refused.into()),
    }
}

async fn page(
    console: &Console,
    frame: &Frame,
    metric: &Value,
    typed: &Typed,
    (may_write, refused): (bool, Option<&Refused>),
) -> Result<Response, Failure> {
    let snapshot = console.page.snapshot();
    let chart = snapshot.chart(MetricId(metric.number("id")));
    let page = Page { frame, metric: Some(metric), typed, refused, chart, may_write, base_url: console.base_url.as_str() };
    Ok(show(refused.map_or(StatusCode::OK, |refused| refused.status), &page))
}

#[handler]
async fn one(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let metric = acts.get(&format!("/metrics/{id}")).await?;
    let mut typed = Typed::default();
    for field in ["name", "unit", "etag"] {
        typed.add(field, metric.text(field));
    }
    typed.add("position", metric.number("position").to_string());
    page(console, &frame, &metric, &typed, (may_write(&person), None)).await
}

#[handler]
async fn update(frame: Frame, acts: Acts, Path(id): Path<i64>, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    match acts.patch(&format!("/metrics/{id}"), &wanted(&typed), typed.given("etag")).await {
        Ok(_) => Ok(see_other(&format!("{PATH}/{id}"))),
        Err(refused) if refused.status.is_client_error() && refused.status != StatusCode::NOT_FOUND => {
            let metric = acts.get(&format!("/metrics/{id}")).await?;
            page(console, &frame, &metric, &typed, (true, Some(&refused))).await
        }
        Err(refused) => Err(refused.into()),
    }
}

#[handler]
async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&format!("/metrics/{id}")).await?;
    Ok(see_other(PATH))
}
