//! `/console/maintenance-series`: maintenances that come back. Planned, changed and ended through the admin API's operations, and looked at
//! before.

mod change;
mod end;

use std::collections::BTreeMap;

use askama::Template;
use domain::{ComponentId, Resource, Status};
use jiff::civil::DateTime;
use poem::{Response, handler, http::StatusCode, web::Data};
use serde_json::{Value, json};
use storage::{components, rows};

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    form::{Choices, Sent, choices},
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
};
use crate::admin::Refused;

const BACK: &str = "/console/maintenances";
const NEW: &str = "/console/maintenance-series/new";

/// Rules that one may begin with.
const PRESETS: [(&str, &str); 5] = [
    ("FREQ=DAILY", "every day"),
    ("FREQ=WEEKLY", "every week, on the day of the first"),
    ("FREQ=WEEKLY;INTERVAL=2", "every other week"),
    ("FREQ=MONTHLY;BYDAY=1SU", "every month on the first Sunday"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on its last day"),
];

pub(super) fn routes(table: Table) -> Table {
    let act = Needs::write(Resource::Maintenances);
    table
        .get(NEW, act, new_form)
        .post(NEW, act, create)
        .get("/console/maintenance-series/:id", act, change::form)
        .post("/console/maintenance-series/:id", act, change::update)
        .get("/console/maintenance-series/:id/end", act, end::ask)
        .post("/console/maintenance-series/:id/end", act, end::end)
}

/// A series in the list of maintenances.
pub(super) struct Line {
    pub(super) id: i64,
    pub(super) title: String,
    pub(super) rule: String,
    pub(super) from: String,
}

pub(super) fn lines(all: Vec<domain::Series>) -> Vec<Line> {
    let line = |series: domain::Series| Line {
        id: series.id.0,
        rule: series.schedule.rule.words(),
        from: local(series.schedule.starts_at),
        title: series.title,
    };
    all.into_iter().map(line).collect()
}

/// A time by the clock on the page's wall, to read.
fn local(at: DateTime) -> String {
    domain::local_time_text(at).replace('T', " ")
}

/// What is typed into the form.
#[derive(Clone, Default)]
struct Typed {
    title: String,
    body: String,
    starts_at: String,
    duration: String,
    rule: String,
    announce: String,
    components: Vec<ComponentId>,
}

impl Typed {
    fn new(sent: &Sent) -> Self {
        Self {
            title: sent.text("title"),
            body: sent.text("body"),
            starts_at: sent.text("starts_at"),
            duration: sent.text("duration"),
            rule: sent.text("rule"),
            announce: sent.text("announce"),
            components: sent.affected().into_keys().collect(),
        }
    }

    async fn body(&self, console: &Console) -> Result<Value, Failure> {
        let keys = components::keys(&mut console.db.read().await?).await?;
        let chosen: Vec<&String> = self.components.iter().filter_map(|id| keys.get(id)).collect();
        Ok(json!({
            "title": self.title, "body": self.body, "starts_at": self.starts_at, "duration": self.duration, "rule": self.rule,
            "announce": self.announce, "components": chosen,
        }))
    }
}

#[derive(Template)]
#[template(path = "console/series_new.html")]
struct Form<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    picker: Vec<Choices>,
    refused: Option<&'a Refused>,
    /// What it will do, once asked.
    preview: Option<Preview>,
    zone: String,
}

impl Form<'_> {
    fn presets(&self) -> &'static [(&'static str, &'static str)] {
        &PRESETS
    }

    /// What is wrong with a field.
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused.and_then(|refused| refused.field(field)).map(sentence)
    }

    /// What is wrong besides.
    fn wrong_at_all(&self) -> Option<String> {
        self.refused.map(|refused| sentence(&refused.in_words()))
    }
}

struct Preview {
    rule: String,
    windows: Vec<(String, String)>,
    components: String,
    subscribers: String,
}

impl Preview {
    fn new(told: &Value) -> Self {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().replace('T', " ");
        let windows = told["windows"].as_array().into_iter().flatten();
        let components: Vec<&str> = told["components"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let minutes = |at: String| at.chars().take(16).collect::<String>() + " UTC";
        Self {
            rule: text(told, "rule_in_words"),
            windows: windows.map(|window| (text(window, "local"), minutes(text(window, "announces_at")))).collect(),
            components: components.join(", "),
            subscribers: super::words::told(told["subscribers"].as_i64().unwrap_or_default()),
        }
    }
}

async fn form(
    console: &Console,
    frame: &Frame,
    typed: &Typed,
    refused: Option<&Refused>,
    preview: Option<Preview>,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let chosen: BTreeMap<ComponentId, Status> = typed.components.iter().map(|id| (*id, Status::UnderMaintenance)).collect();
    let zone = rows::page_settings(&mut conn).await?.time_zone;
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(show(status, &Form { frame, typed, picker: choices(&groups, &all, &chosen), refused, preview, zone }))
}

#[handler]
async fn new_form(frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed { duration: "2h".to_owned(), announce: "1d".to_owned(), rule: "FREQ=WEEKLY".to_owned(), ..Typed::default() };
    form(console, &frame, &typed, None, None).await
}

/// Plans it, or shows what it would do.
#[handler]
async fn create(acts: Acts, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::new(&sent);
    let body = typed.body(console).await?;
    if sent.has("preview") {
        return match acts.post("/maintenance-series/preview", Some(&body)).await {
            Ok(told) => form(console, &frame, &typed, None, Some(Preview::new(&told))).await,
            Err(refused) => form(console, &frame, &typed, Some(&refused), None).await,
        };
    }
    match acts.post("/maintenance-series", Some(&body)).await {
        Ok(_) => Ok(see_other(BACK)),
        Err(refused) if refused.fields.is_empty() => Err(refused.into()),
        Err(refused) => form(console, &frame, &typed, Some(&refused), None).await,
    }
}
