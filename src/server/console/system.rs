//! `/console/system`: how the instance is.

use askama::Template;
use domain::Resource;
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::{fates, ledger, notifications};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
};

/// More than this many deliveries are not counted.
const MAX_COUNTED: i64 = 100_000;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/system", Needs::read(Resource::Settings), system)
}

#[derive(Template)]
#[template(path = "console/system.html")]
struct System<'a> {
    frame: &'a Frame,
    version: &'static str,
    base_url: &'a str,
    https: bool,
    database: &'static str,
    queue: &'static str,
    /// Whether some process evaluates now.
    evaluates: bool,
    page_version: i64,
    pending: i64,
    owed: i64,
    dead: i64,
    mail: bool,
}

#[handler]
async fn system(frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let reading = ledger::read(&mut conn).await?;
    let page = System {
        frame: &frame,
        version: env!("CARGO_PKG_VERSION"),
        base_url: console.base_url.as_str(),
        https: console.https(),
        database: console.db.kind(),
        queue: console.machinery.queue,
        evaluates: reading.lease_until >= console.now().0,
        page_version: reading.page_version,
        pending: fates::n_pending(&mut conn, MAX_COUNTED).await?,
        owed: notifications::n_open(&mut conn).await?,
        dead: notifications::n_dead(&mut conn, domain::Timestamp(0)).await?,
        mail: console.letters.are_sent(),
    };
    Ok(show(StatusCode::OK, &page))
}
