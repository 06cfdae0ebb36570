//! The end of a series: altogether, or from one of its windows on. What is called off is shown before.

use askama::Template;
use jiff::tz::TimeZone;
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use storage::rows::{self, Maintenances};

use super::{BACK, change::Stored, local};
use crate::console::{
    Console,
    acts::Acts,
    failure::Failure,
    form::Sent,
    frame::{Frame, see_other, show},
    seen::{Asked, Typed},
};

#[derive(Template)]
#[template(path = "console/series_end.html")]
struct Page<'a> {
    frame: &'a Frame,
    stored: &'a Stored,
    /// What is called off: when it begins, and whether subscribers were told that it is planned.
    windows: Vec<(String, bool)>,
}

#[handler]
pub(super) async fn ask(
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    asked: Asked,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let stored = Stored::load(console, &acts, id, Typed::from(asked).number("from")).await?;
    let mut conn = console.db.read().await?;
    let zone = TimeZone::get(&rows::page_settings(&mut conn).await?.time_zone).unwrap_or(TimeZone::UTC);
    let first = stored.from.map(|_| stored.series.schedule.starts_at.date());
    let mut all = rows::maintenances(&mut conn, Maintenances::OpenOf(stored.series.id)).await?;
    all.retain(|window| window.is_scheduled() && window.day_of(stored.series.id) >= first);
    all.sort_by_key(|window| window.starts_at);
    let windows = all.iter().map(|window| (local(zone.to_datetime(window.starts_at.to_jiff())), window.is_told())).collect();
    Ok(show(StatusCode::OK, &Page { frame: &frame, stored: &stored, windows }))
}

#[handler]
pub(super) async fn end(acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    let from = sent.named::<i64>("from").map(|from| format!("?from={from}")).unwrap_or_default();
    acts.delete(&format!("/maintenance-series/{id}{from}")).await?;
    Ok(see_other(BACK))
}
