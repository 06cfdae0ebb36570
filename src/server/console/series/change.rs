//! Changes of a series: of all its windows that have not begun, or of one and all that follow. What would become of them is shown before it is
//! saved.

use std::collections::BTreeMap;

use askama::Template;
use domain::{Component, ComponentId, MaintenanceId, Series, SeriesId, Status, local_time_text};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{
    components,
    rows::{self, Maintenances},
    series,
};

use super::{BACK, PRESETS, Typed};
use crate::{
    admin::Refused,
    console::{
        Console,
        acts::{Acts, sentence},
        failure::Failure,
        form::{Choices, Sent, choices},
        frame::{Frame, see_other, show},
        meanwhile::{Field, Meanwhile, Version},
        seen::{self, Asked, Seen},
        words,
    },
};

const GONE: Failure = Failure::NotFound("There is no such series, or it was ended.");

/// A series that there is, and the window from which on it is to be changed.
pub(super) struct Stored {
    pub(super) series: Series,
    pub(super) from: Option<i64>,
    /// When that window begins.
    pub(super) begins: String,
    etag: String,
}

impl Stored {
    pub(super) async fn load(console: &Console, acts: &Acts, id: i64, from: Option<i64>) -> Result<Self, Failure> {
        let etag = acts.get(&format!("/maintenance-series/{id}")).await?.text("etag").to_owned();
        let mut conn = console.db.read().await?;
        let mut series = series::find(&mut conn, SeriesId(id)).await?.ok_or(GONE)?;
        let mut begins = String::new();
        if let Some(from) = from {
            let window = rows::maintenances(&mut conn, Maintenances::One(MaintenanceId(from))).await?.pop();
            let day = window.filter(domain::Maintenance::is_scheduled).and_then(|window| window.day_of(series.id));
            let day = day.ok_or_else(|| Failure::Conflict("This window has begun, or is none of the series any more.".to_owned()))?;
            // What is changed from there on begins anew there.
            series.schedule = series.schedule.from(day);
            begins = super::local(series.schedule.starts_at);
        }
        Ok(Self { series, from, begins, etag })
    }

    fn as_it_is(&self) -> Typed {
        let Series { title, body, schedule, announce, components, .. } = &self.series;
        Typed {
            title: title.clone(),
            body: body.clone(),
            starts_at: local_time_text(schedule.starts_at),
            duration: schedule.duration.to_string(),
            rule: schedule.rule.to_string(),
            announce: announce.to_string(),
            components: components.clone(),
        }
    }

    /// What is to be changed, as the operation takes it: what was touched, and nothing else.
    async fn patch(&self, console: &Console, typed: &Typed) -> Result<Value, Failure> {
        let was = self.as_it_is();
        let mut patch = self.from.map_or_else(|| json!({}), |from| json!({ "from": from }));
        for (name, was, typed) in [
            ("title", &was.title, &typed.title),
            ("body", &was.body, &typed.body),
            ("starts_at", &was.starts_at, &typed.starts_at),
            ("duration", &was.duration, &typed.duration),
            ("rule", &was.rule, &typed.rule),
            ("announce", &was.announce, &typed.announce),
        ] {
            if was != typed {
                patch[name] = json!(typed);
            }
        }
        if was.components != typed.components {
            let keys = components::keys(&mut console.db.read().await?).await?;
            patch["components"] = typed.components.iter().filter_map(|id| keys.get(id).cloned()).collect();
        }
        Ok(patch)
    }
}

fn fields(typed: &Typed, all: &[Component]) -> Vec<Field> {
    let about = all.iter().filter(|component| typed.components.contains(&component.id));
    let about: Vec<&str> = about.map(|component| component.name.as_str()).collect();
    vec![
        Field::new("title", "What is done", typed.title.clone()),
        Field::new("body", "What readers will notice", typed.body.clone()),
        Field::new("starts_at", "The first begins at", typed.starts_at.clone()),
        Field::new("duration", "Each lasts", typed.duration.clone()),
        Field::new("rule", "It comes back by this rule", typed.rule.clone()),
        Field::new("announce", "Subscribers are told before it by", typed.announce.clone()),
        Field::new("components", "What is under maintenance meanwhile", about.join(", ")),
    ]
}

/// Puts in what somebody else has changed meanwhile and whoever typed has not touched.
fn merge(typed: &mut Typed, opened: &Version, theirs: &Typed, all: &[Component]) -> Meanwhile {
    let mine = fields(typed, all);
    let value = |name: &str| mine.iter().find(|field| field.name == name).map(|field| field.value.clone());
    let meanwhile = Meanwhile::new(opened, fields(theirs, all), value);
    for (name, field) in [
        ("title", &mut typed.title),
        ("body", &mut typed.body),
        ("starts_at", &mut typed.starts_at),
        ("duration", &mut typed.duration),
        ("rule", &mut typed.rule),
        ("announce", &mut typed.announce),
    ] {
        meanwhile.fill(name, field);
    }
    if meanwhile.taken("components").is_some() {
        typed.components.clone_from(&theirs.components);
    }
    meanwhile
}

/// What a change would do, in words.
struct Effect {
    rule: String,
    /// What becomes of each window.
    changes: Vec<String>,
    next: Vec<String>,
    told: String,
}

impl Effect {
    fn new(effect: &Value) -> Self {
        Self {
            rule: sentence(effect.text("rule_in_words")),
            changes: effect.list("changes").iter().map(becomes).collect(),
            next: effect.list("windows").iter().map(|window| window.text("local").replace('T', " ")).collect(),
            told: words::told(effect.number("subscribers")),
        }
    }
}

/// What becomes of a window: `2026-12-01 02:00 moves to 2026-12-01 04:00; subscribers are told at once`.
fn becomes(change: &Value) -> String {
    let (was, becomes) = (change.text("was").replace('T', " "), change.text("becomes").replace('T', " "));
    let said = match change.text("what") {
        "added" => format!("{becomes} is added"),
        "moved" if was == becomes => format!("{was} ends at another time"),
        "moved" => format!("{was} moves to {becomes}"),
        "changed" => format!("{was} is told of in other words, or at another time"),
        "called_off" => format!("{was} is called off"),
        _ => format!("{was} was changed alone, and stays as it is"),
    };
    if change.yes("told") { format!("{said}; subscribers are told at once") } else { said }
}

#[derive(Template)]
#[template(path = "console/series.html")]
struct Form<'a> {
    frame: &'a Frame,
    stored: &'a Stored,
    typed: &'a Typed,
    picker: Vec<Choices>,
    refused: Option<&'a Refused>,
    effect: Option<Effect>,
    zone: String,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

impl Form<'_> {
    fn presets(&self) -> &'static [(&'static str, &'static str)] {
        &PRESETS
    }

    /// The rule, as a sentence.
    fn rule(&self) -> String {
        sentence(&self.stored.series.schedule.rule.words())
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

/// What became of what somebody sent.
#[derive(Default)]
struct Sending<'a> {
    /// The version that the form was opened on.
    opened: Option<Version>,
    /// Whether there is a newer one.
    is_newer: bool,
    refused: Option<&'a Refused>,
    effect: Option<Effect>,
}

async fn page(console: &Console, frame: &Frame, stored: &Stored, mut typed: Typed, sending: Sending<'_>) -> Result<Response, Failure> {
    let Sending { opened, is_newer, refused, effect } = sending;
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let theirs = stored.as_it_is();
    let version = Version::again(opened.as_ref(), is_newer, Version::new(&stored.etag, &fields(&theirs, &all)));
    let meanwhile = opened.filter(|_| is_newer).map(|opened| merge(&mut typed, &opened, &theirs, &all));
    let chosen: BTreeMap<ComponentId, Status> = typed.components.iter().map(|id| (*id, Status::UnderMaintenance)).collect();
    let zone = rows::page_settings(&mut conn).await?.time_zone;
    let status = match (refused, is_newer) {
        (_, true) => StatusCode::PRECONDITION_FAILED,
        (Some(refused), false) => refused.status,
        (None, false) => StatusCode::OK,
    };
    let picker = choices(&groups, &all, &chosen);
    Ok(show(status, &Form { frame, stored, typed: &typed, picker, refused, effect, zone, version, meanwhile }))
}

#[handler]
pub(super) async fn form(
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    asked: Asked,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let stored = Stored::load(console, &acts, id, seen::Typed::from(asked).number("from")).await?;
    page(console, &frame, &stored, stored.as_it_is(), Sending::default()).await
}

/// Changes it, or shows what that would do.
#[handler]
pub(super) async fn update(
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (typed, opened, from) = (Typed::new(&sent), sent.version(), sent.named("from"));
    let stored = Stored::load(console, &acts, id, from).await?;
    let (path, patch) = (format!("/maintenance-series/{id}"), stored.patch(console, &typed).await?);
    let outcome = if sent.has("save") {
        acts.patch(&path, &patch, opened.etag()).await.map(|_| None)
    } else {
        acts.post(&format!("{path}/preview"), Some(&patch)).await.map(Some)
    };
    let sending = Sending { opened: Some(opened), ..Sending::default() };
    match outcome {
        Ok(None) => Ok(see_other(BACK)),
        Ok(Some(effect)) => page(console, &frame, &stored, typed, Sending { effect: Some(Effect::new(&effect)), ..sending }).await,
        Err(refused) if refused.is_outdated() => {
            let stored = Stored::load(console, &acts, id, from).await?;
            page(console, &frame, &stored, typed, Sending { is_newer: true, ..sending }).await
        }
        Err(refused) if refused.fields.is_empty() => Err(refused.into()),
        Err(refused) => page(console, &frame, &stored, typed, Sending { refused: Some(&refused), ..sending }).await,
    }
}
