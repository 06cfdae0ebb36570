//! `/console/maintenances`: planned windows.

mod change;
mod form;

use askama::Template;
use domain::{Maintenance, MaintenanceId, MaintenanceStatus, Permission, Resource};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::rows::{self, Maintenances};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    pager::{self, Pager},
    seen::{self, Asked},
    session::Person,
    words,
    zone::time,
};

const PATH: &str = "/console/maintenances";
const GONE: Failure = Failure::NotFound("There is no such maintenance.");

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Maintenances), Needs::write(Resource::Maintenances));
    table
        .get(PATH, look, list)
        .get("/console/maintenances/new", act, change::new_form)
        .post("/console/maintenances/new", act, change::create)
        .get("/console/maintenances/:id", look, change::one)
        .post("/console/maintenances/:id", act, change::update)
        .post("/console/maintenances/:id/start", act, change::start)
        .post("/console/maintenances/:id/complete", act, change::complete)
        .post("/console/maintenances/:id/cancel", act, change::cancel)
}

/// A maintenance in a list.
struct Line {
    id: i64,
    title: String,
    status: &'static str,
    class: &'static str,
    window: String,
    n: usize,
}

impl Line {
    fn new(maintenance: Maintenance) -> Self {
        Self {
            id: maintenance.id.0,
            status: words::maintenance_status(&maintenance.status),
            class: if is_open(&maintenance) { "under_maintenance" } else { "notice" },
            window: window(&maintenance),
            n: maintenance.components.len(),
            title: maintenance.title,
        }
    }
}

pub(super) fn window(maintenance: &Maintenance) -> String {
    format!("{} to {}", time(maintenance.starts_at), time(maintenance.ends_at))
}

fn is_open(maintenance: &Maintenance) -> bool {
    matches!(maintenance.status, MaintenanceStatus::Scheduled | MaintenanceStatus::InProgress)
}

#[derive(Template)]
#[template(path = "console/maintenances.html")]
struct List<'a> {
    frame: &'a Frame,
    may_write: bool,
    series: Vec<super::series::Line>,
    lines: Vec<Line>,
    pager: Pager,
}

#[handler]
async fn list(person: Person, frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let asked = seen::Typed::from(asked);
    let is_first = asked.given("cursor").is_none();
    let mut conn = console.db.read().await?;
    let series = if is_first { super::series::lines(storage::series::all(&mut conn).await?) } else { Vec::new() };
    let mut all = rows::maintenances(&mut conn, Maintenances::Page { before: pager::before(&asked)?, limit: pager::N_WANTED }).await?;
    let next = pager::cut(&mut all, |maintenance| maintenance.id.0);
    let may_write = person.may(Permission::write(Resource::Maintenances));
    let lines = all.into_iter().map(Line::new).collect();
    Ok(show(StatusCode::OK, &List { frame: &frame, may_write, series, lines, pager: Pager::new(PATH, &[], &asked, &next) }))
}

pub(super) async fn find(console: &Console, id: i64) -> Result<Maintenance, Failure> {
    rows::maintenances(&mut console.db.read().await?, Maintenances::One(MaintenanceId(id))).await?.pop().ok_or(GONE)
}
