//! `/console/incidents`: what readers are told is wrong, and what waits to be told.

mod change;
mod draft;
mod list;
mod new;
mod page;
mod postmortem;
mod waiting;

use domain::{Incident, IncidentId, Resource, Status};
use storage::{
    Connection,
    rows::{self, Incidents},
};

use super::{
    failure::Failure,
    gate::{Needs, Table},
};
use draft::{Draft, Preview};
pub(super) use draft::{Preview as IncidentPreview, affected, in_words};
pub(super) use list::{Line, MAX_OPEN, Names, names};
pub(super) use new::fill;
pub(super) use waiting::{Waits, open as open_acts};

pub(super) const PATH: &str = "/console/incidents";
const GONE: Failure = Failure::NotFound("There is no such incident, or it was deleted.");

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Incidents), Needs::write(Resource::Incidents));
    table
        .get("/console/incidents/new", act, new::form)
        .post("/console/incidents/new", act, new::create)
        .post("/console/incidents/preview", act, draft::preview)
        .get("/console/incidents/waiting/:id", look.by_itself(), waiting::page)
        .post("/console/incidents/waiting/:id/take-back", act, waiting::take_back)
        .post("/console/incidents/waiting/:id/publish", act, waiting::publish)
        .get("/console/incidents/:id", look, page::one)
        .post("/console/incidents/:id", act, change::rename)
        .post("/console/incidents/:id/updates", act, change::add_update)
        .post("/console/incidents/:id/publish", act, change::publish)
        .post("/console/incidents/:id/veto", act, change::veto)
        .post("/console/incidents/:id/resolve", act, change::resolve)
        .post("/console/incidents/:id/delete", act.fresh(), change::delete)
        .get("/console/incidents/:id/postmortem", act, postmortem::form)
        .post("/console/incidents/:id/postmortem", act, postmortem::save)
        .post("/console/incidents/:id/postmortem/unpublish", act, postmortem::unpublish)
        .post("/console/incidents/:id/postmortem/delete", act, postmortem::delete)
}

fn worst(incident: &Incident) -> &'static str {
    if incident.status.is_over() {
        return Status::Operational.as_str();
    }
    incident.components.values().max().filter(|status| **status != Status::Operational).map_or("notice", |status| status.as_str())
}

async fn find(conn: &mut Connection, id: IncidentId) -> Result<Incident, Failure> {
    rows::incidents(conn, Incidents::One(id)).await?.pop().ok_or(GONE)
}
