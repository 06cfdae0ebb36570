//! `/console/page`: what the page is called, what it says of itself, and where its days begin, with a look at it before it is saved.

use askama::Template;
use domain::{MAX_ADDRESS_CHARS, MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, Permission, Resource, Timestamp};
use jiff::tz::TimeZone;
use poem::{Response, handler, http::StatusCode, web::Data};
use serde_json::{Value, json};

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    seen::{Asked, Seen, Sent, Typed},
    session::Person,
};
use crate::admin::Refused;

const PATH: &str = "/console/page";
const FIELDS: [&str; 4] = ["name", "description", "time_zone", "support_url"];

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Page), Needs::write(Resource::Page));
    table.get(PATH, look, form).post(PATH, act, update).post("/console/page/preview", act, show_preview)
}

/// The top and the foot of the page as readers will see them.
#[derive(Template)]
#[template(path = "console/brand_preview.html")]
struct Preview<'a> {
    name: &'a str,
    description: &'a str,
    support_url: &'a str,
    zone: &'a str,
    /// What time it is there; `None` if there is no such zone.
    now: Option<String>,
}

impl<'a> Preview<'a> {
    fn new(typed: &'a Typed, now: Timestamp) -> Self {
        let zone = typed.text("time_zone");
        let there = TimeZone::get(zone).ok().map(|zone| now.to_jiff().to_zoned_datetime(zone));
        Self {
            name: typed.text("name"),
            description: typed.text("description"),
            support_url: typed.text("support_url"),
            zone,
            now: there.map(|now| now.strftime("%-d %B %Y, %H:%M").to_string()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/brand.html")]
struct Page<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    /// Whether it was just saved.
    saved: bool,
    may_write: bool,
    zones: Vec<String>,
    preview: Preview<'a>,
}

impl Page<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    fn wrong_at_all(&self) -> Option<String> {
        let refused = self.refused?;
        FIELDS.iter().all(|field| refused.field(field).is_none()).then(|| sentence(&refused.in_words()))
    }
}

fn page(console: &Console, frame: &Frame, typed: &Typed, (may_write, saved): (bool, bool), refused: Option<&Refused>) -> Response {
    let zones = jiff::tz::db().available().map(|name| name.to_string()).filter(|name| name.contains('/')).collect();
    let preview = Preview::new(typed, console.now());
    show(refused.map_or(StatusCode::OK, |refused| refused.status), &Page { frame, typed, refused, saved, may_write, zones, preview })
}

#[handler]
async fn form(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let settings = acts.get("/page").await?;
    let mut typed = Typed::default();
    for field in FIELDS.iter().chain(&["etag"]) {
        typed.add(field, settings.text(field));
    }
    let saved = Typed::from(asked).given("saved").is_some();
    Ok(page(console, &frame, &typed, (person.may(Permission::write(Resource::Page)), saved), None))
}

#[handler]
fn show_preview(sent: Sent, Data(console): Data<&Console>) -> Response {
    show(StatusCode::OK, &Preview::new(&Typed::from(sent), console.now()))
}

#[handler]
async fn update(frame: Frame, acts: Acts, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    if typed.is("preview", "1") {
        return Ok(page(console, &frame, &typed, (true, false), None));
    }
    let body: serde_json::Map<String, Value> = FIELDS.iter().map(|field| ((*field).to_owned(), json!(typed.text(field)))).collect();
    match acts.patch("/page", &Value::Object(body), typed.given("etag")).await {
        Ok(_) => Ok(see_other(&format!("{PATH}?saved=1"))),
        Err(refused) if refused.status.is_client_error() => Ok(page(console, &frame, &typed, (true, false), Some(&refused))),
        Err(refused) => Err(refused.into()),
    }
}
