//! `/console/maintenances`: planned windows.

use std::collections::BTreeMap;

use askama::Template;
use domain::{
    Act, Component, ComponentId, Maintenance, MaintenanceEdit, MaintenanceId, MaintenanceStatus, Permission, Resource, Span, Status,
};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{
    Connection, components,
    rows::{self, Maintenances},
    subscribers,
};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    form::{Choices, Errors, Sent, choices, from_field, to_field},
    frame::{Frame, see_other, show, time},
    gate::{Needs, Table},
    meanwhile::{Field, Meanwhile, Version},
    pager::{self, Pager},
    seen::{self, Asked, Seen},
    session::Person,
    words,
};

const PATH: &str = "/console/maintenances";
/// The fields that a refusal can blame.
const FIELDS: [&str; 5] = ["title", "body", "starts_at", "ends_at", "components"];
const GONE: Failure = Failure::NotFound("There is no such maintenance.");

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Maintenances), Needs::write(Resource::Maintenances));
    table
        .get(PATH, look, list)
        .get("/console/maintenances/new", act, new_form)
        .post("/console/maintenances/new", act, create)
        .get("/console/maintenances/:id", look, one)
        .post("/console/maintenances/:id", act, update)
        .post("/console/maintenances/:id/start", act, start)
        .post("/console/maintenances/:id/complete", act, complete)
        .post("/console/maintenances/:id/cancel", act, cancel)
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

fn window(maintenance: &Maintenance) -> String {
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

/// What is typed into the form.
#[derive(Clone, Debug, Default)]
struct Typed {
    title: String,
    body: String,
    starts_at: String,
    ends_at: String,
    components: Vec<ComponentId>,
}

impl Typed {
    fn new(sent: &Sent) -> Self {
        Self {
            title: sent.text("title"),
            body: sent.text("body"),
            starts_at: sent.text("starts_at"),
            ends_at: sent.text("ends_at"),
            components: sent.affected().into_keys().collect(),
        }
    }

    fn fields(&self, all: &[Component]) -> Vec<Field> {
        let about = all.iter().filter(|component| self.components.contains(&component.id));
        let about: Vec<&str> = about.map(|component| component.name.as_str()).collect();
        vec![
            Field::new("title", "What is done", self.title.clone()),
            Field::new("body", "What readers will notice", self.body.clone()),
            Field::new("starts_at", "From", self.starts_at.clone()),
            Field::new("ends_at", "To", self.ends_at.clone()),
            Field::new("components", "What is under maintenance", about.join(", ")),
        ]
    }

    /// Puts in what somebody else has changed meanwhile and whoever typed has not touched.
    fn merge(&mut self, opened: &Version, theirs: &Self, all: &[Component]) -> Meanwhile {
        let mine = self.fields(all);
        let typed = |name: &str| mine.iter().find(|field| field.name == name).map(|field| field.value.clone());
        let meanwhile = Meanwhile::new(opened, theirs.fields(all), typed);
        for (name, field) in
            [("title", &mut self.title), ("body", &mut self.body), ("starts_at", &mut self.starts_at), ("ends_at", &mut self.ends_at)]
        {
            meanwhile.fill(name, field);
        }
        if meanwhile.taken("components").is_some() {
            self.components.clone_from(&theirs.components);
        }
        meanwhile
    }

    /// Reads it, with what is wrong.
    fn check(&self) -> Result<MaintenanceEdit, Errors> {
        let mut errors = Errors::default();
        let (starts_at, ends_at) = (from_field(&self.starts_at), from_field(&self.ends_at));
        for (field, at) in [("starts_at", starts_at), ("ends_at", ends_at)] {
            if at.is_none() {
                errors.add(field, "This is not a time like 2026-12-31T23:59.");
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let (title, body, components) = (Some(self.title.clone()), Some(self.body.clone()), Some(self.components.clone()));
        Ok(MaintenanceEdit { title, body, status: None, starts_at, ends_at, components })
    }
}

#[derive(Template)]
#[template(path = "console/maintenance.html")]
struct Form<'a> {
    frame: &'a Frame,
    /// A new one has none.
    maintenance: Option<&'a Maintenance>,
    status: &'static str,
    window: String,
    /// Whether it can be changed, by this person.
    may_change: bool,
    typed: &'a Typed,
    picker: Vec<Choices>,
    affected: Vec<String>,
    told: String,
    errors: &'a Errors,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

impl Form<'_> {
    fn is_running(&self) -> bool {
        self.maintenance.is_some_and(|maintenance| maintenance.status == MaintenanceStatus::InProgress)
    }
}

/// A maintenance that there is, for its form.
#[derive(Clone, Copy)]
struct Stored<'a> {
    maintenance: &'a Maintenance,
    /// The mark of this version.
    etag: &'a str,
    /// The version that the form was opened on.
    opened: Option<&'a Version>,
    /// Whether this one is newer.
    is_newer: bool,
}

async fn form(
    console: &Console,
    person: &Person,
    frame: &Frame,
    stored: Option<Stored<'_>>,
    mut typed: Typed,
    errors: &Errors,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let maintenance = stored.map(|stored| stored.maintenance);
    let now = |stored: Stored<'_>| Version::new(stored.etag, &as_it_is(stored.maintenance).fields(&all));
    let version = stored.map(|stored| Version::again(stored.opened, stored.is_newer, now(stored))).unwrap_or_default();
    let outdated = stored.filter(|stored| stored.is_newer).and_then(|stored| Some((stored.opened?, as_it_is(stored.maintenance))));
    let meanwhile = outdated.map(|(opened, theirs)| typed.merge(opened, &theirs, &all));
    let status = errors.status(meanwhile.is_some());
    let chosen: BTreeMap<ComponentId, Status> = typed.components.iter().map(|id| (*id, Status::UnderMaintenance)).collect();
    let about: Vec<&Component> = all.iter().filter(|component| chosen.contains_key(&component.id)).collect();
    let shown = Form {
        frame,
        maintenance,
        status: maintenance.map_or("", |maintenance| words::maintenance_status(&maintenance.status)),
        window: maintenance.map(window).unwrap_or_default(),
        may_change: person.may(Permission::write(Resource::Maintenances)) && maintenance.is_none_or(is_open),
        typed: &typed,
        picker: choices(&groups, &all, &chosen),
        affected: about.iter().map(|component| component.name.clone()).collect(),
        told: words::told(n_told(&mut conn, &about).await?),
        errors,
        version,
        meanwhile,
    };
    Ok(show(status, &shown))
}

async fn n_told(conn: &mut Connection, about: &[&Component]) -> Result<i64, Failure> {
    let visible: Vec<ComponentId> = about.iter().filter(|component| component.is_visible()).map(|component| component.id).collect();
    Ok(match (about.is_empty(), visible.is_empty()) {
        (true, _) => subscribers::n_told(conn, None).await?,
        (false, true) => 0,
        (false, false) => subscribers::n_told(conn, Some(&visible)).await?,
    })
}

#[handler]
async fn new_form(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (from, to) = (console.now().plus(Span::mins(24 * 60)), console.now().plus(Span::mins(25 * 60)));
    let typed = Typed { starts_at: to_field(from), ends_at: to_field(to), ..Typed::default() };
    form(console, &person, &frame, None, typed, &Errors::default()).await
}

#[handler]
async fn create(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::new(&sent);
    let errors = match typed.check() {
        Err(errors) => errors,
        Ok(edit) => match console.act(&person, Act::ScheduleMaintenance(edit)).await {
            Ok(_) => return Ok(see_other(PATH)),
            Err(error) => Errors::of_act(error)?,
        },
    };
    form(console, &person, &frame, None, typed, &errors).await
}

async fn find(console: &Console, id: i64) -> Result<Maintenance, Failure> {
    rows::maintenances(&mut console.db.read().await?, Maintenances::One(MaintenanceId(id))).await?.pop().ok_or(GONE)
}

fn as_it_is(maintenance: &Maintenance) -> Typed {
    Typed {
        title: maintenance.title.clone(),
        body: maintenance.body.clone(),
        starts_at: to_field(maintenance.starts_at),
        ends_at: to_field(maintenance.ends_at),
        components: maintenance.components.clone(),
    }
}

/// A maintenance, and the mark of its version.
async fn load(console: &Console, acts: &Acts, id: i64) -> Result<(Maintenance, String), Failure> {
    let etag = acts.get(&format!("/maintenances/{id}")).await?.text("etag").to_owned();
    Ok((find(console, id).await?, etag))
}

#[handler]
async fn one(person: Person, acts: Acts, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (maintenance, etag) = load(console, &acts, id).await?;
    let stored = Stored { maintenance: &maintenance, etag: &etag, opened: None, is_newer: false };
    form(console, &person, &frame, Some(stored), as_it_is(&maintenance), &Errors::default()).await
}

#[handler]
async fn update(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (maintenance, etag) = load(console, &acts, id).await?;
    let (typed, opened) = (Typed::new(&sent), sent.version());
    let mut is_newer = false;
    let errors = match typed.check() {
        Err(errors) => errors,
        Ok(edit) => {
            match acts.patch(&format!("/maintenances/{id}"), &patch(console, edit, &typed, &maintenance).await?, opened.etag()).await {
                Ok(_) => return Ok(see_other(&format!("{PATH}/{id}"))),
                Err(refused) if refused.is_outdated() => {
                    is_newer = true;
                    Errors::default()
                }
                Err(refused) => Errors::of_refused(refused, &FIELDS)?,
            }
        }
    };
    // What is stored may be newer than when we looked first.
    let (maintenance, etag) = if is_newer { load(console, &acts, id).await? } else { (maintenance, etag) };
    let stored = Stored { maintenance: &maintenance, etag: &etag, opened: Some(&opened), is_newer };
    form(console, &person, &frame, Some(stored), typed, &errors).await
}

/// What is to be changed, as the operation takes it.
async fn patch(console: &Console, edit: MaintenanceEdit, typed: &Typed, maintenance: &Maintenance) -> Result<Value, Failure> {
    let was = as_it_is(maintenance);
    let keys = components::keys(&mut console.db.read().await?).await?;
    let chosen: Vec<&String> = edit.components.iter().flatten().filter_map(|id| keys.get(id)).collect();
    let mut wanted = json!({ "title": edit.title, "body": edit.body, "components": chosen });
    // The fields know no seconds: what was not touched stays as it is.
    let touched =
        [("starts_at", edit.starts_at, typed.starts_at != was.starts_at), ("ends_at", edit.ends_at, typed.ends_at != was.ends_at)];
    for (name, at, _) in touched.into_iter().filter(|(_, _, touched)| *touched) {
        wanted[name] = json!(at.map(|at| at.to_string()));
    }
    Ok(wanted)
}

/// Takes a maintenance to another status.
async fn step(console: &Console, person: &Person, id: i64, status: MaintenanceStatus) -> Result<Response, Failure> {
    let maintenance = find(console, id).await?;
    let edit = MaintenanceEdit { status: Some(status), ..MaintenanceEdit::default() };
    match console.act(person, Act::UpdateMaintenance { maintenance: maintenance.id, edit }).await {
        Ok(_) => Ok(see_other(&format!("{PATH}/{id}"))),
        Err(error) => {
            let errors = Errors::of_act(error)?;
            Err(Failure::Conflict(errors.of("status").unwrap_or("This step is not possible any more.").to_owned()))
        }
    }
}

#[handler]
async fn start(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::InProgress).await
}

#[handler]
async fn complete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::Completed).await
}

#[handler]
async fn cancel(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::Cancelled).await
}
