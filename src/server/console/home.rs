//! `/console/`: where somebody arrives.

use askama::Template;
use domain::Resource;
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::rows;

use super::{
    Console,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    session::Person,
};

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/", Needs::read(Resource::Incidents), home)
}

#[derive(Template)]
#[template(path = "console/home.html")]
struct Home<'a> {
    frame: &'a Frame,
    name: &'a str,
    n_components: usize,
    n_open: usize,
}

#[handler]
async fn home(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let n_components = rows::components(&mut conn).await?.len();
    let n_open = rows::incidents(&mut conn, rows::Incidents::OpenOrEndedSince(console.now())).await?.len();
    Ok(show(StatusCode::OK, &Home { frame: &frame, name: &person.name, n_components, n_open }))
}
