//! `/console/incident-templates`: what incidents may begin with, through the admin API's operations.

use std::collections::BTreeMap;

use askama::Template;
use domain::{ComponentId, IncidentStatus, IncidentTemplate, Permission, Resource, Signal, SignalState, Status, TemplateId};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{rows, templates};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    form::{Choices, Errors, Sent, choices},
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    incidents::{IncidentPreview, affected, fill, in_words},
    meanwhile::{Field, Meanwhile, Version},
    seen::Seen,
    session::Person,
    words,
};

const PATH: &str = "/console/incident-templates";
const NEW: &str = "/console/incident-templates/new";
const OPERATIONS: &str = "/incident-templates";
/// The fields that a refusal can blame.
const FIELDS: [&str; 5] = ["name", "title", "body", "status", "components"];

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Incidents), Needs::write(Resource::Incidents));
    table
        .get(PATH, look, list)
        .get(NEW, act, new_form)
        .post(NEW, act, create)
        .post("/console/incident-templates/preview", act, preview)
        .get("/console/incident-templates/:id", act, one)
        .post("/console/incident-templates/:id", act, update)
        .post("/console/incident-templates/:id/delete", act.fresh(), delete)
}

/// A template in the list.
struct Line {
    id: i64,
    name: String,
    key: String,
    title: String,
    status: &'static str,
    affected: String,
}

#[derive(Template)]
#[template(path = "console/incident_templates.html")]
struct List<'a> {
    frame: &'a Frame,
    may_write: bool,
    lines: Vec<Line>,
}

#[handler]
async fn list(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let all = rows::components(&mut conn).await?;
    let line = |template: IncidentTemplate| Line {
        id: template.id.0,
        status: words::incident_status(&template.status),
        affected: in_words(&all, &template.components),
        name: template.name,
        key: template.key,
        title: template.title,
    };
    let lines = templates::all(&mut conn).await?.into_iter().map(line).collect();
    Ok(show(StatusCode::OK, &List { frame: &frame, may_write: person.may(Permission::write(Resource::Incidents)), lines }))
}

/// What is typed into the form.
#[derive(Clone, Debug, Default)]
struct Typed {
    name: String,
    title: String,
    body: String,
    status: IncidentStatus,
    affected: BTreeMap<ComponentId, Status>,
}

impl From<&Sent> for Typed {
    fn from(sent: &Sent) -> Self {
        Self {
            name: sent.text("name"),
            title: sent.text("title"),
            body: sent.text("body"),
            status: sent.named("status").unwrap_or_default(),
            affected: sent.affected(),
        }
    }
}

impl From<IncidentTemplate> for Typed {
    fn from(template: IncidentTemplate) -> Self {
        let IncidentTemplate { name, title, body, status, components: affected, .. } = template;
        Self { name, title, body, status, affected }
    }
}

impl Typed {
    /// As a template, to be tried.
    fn template(&self) -> IncidentTemplate {
        IncidentTemplate {
            id: TemplateId(0),
            key: String::new(),
            name: self.name.clone(),
            title: self.title.clone(),
            body: self.body.clone(),
            status: self.status,
            components: self.affected.clone(),
        }
    }

    fn fields(&self, all: &[domain::Component]) -> Vec<Field> {
        vec![
            Field::new("name", "The name", self.name.clone()),
            Field::new("title", "The title", self.title.clone()),
            Field::new("body", "The text", self.body.clone()),
            Field::new("status", "Where it stands", self.status.as_str()),
            Field::new("affected", "What is affected", in_words(all, &self.affected)),
        ]
    }

    /// As the operations take it.
    async fn body(&self, console: &Console) -> Result<Value, Failure> {
        let affected = affected(&mut console.db.read().await?, &self.affected).await?;
        Ok(json!({
            "name": self.name, "title": self.title, "body": self.body, "status": self.status.as_str(), "components": affected,
        }))
    }

    /// Puts in what somebody else has changed meanwhile and whoever typed has not touched.
    fn merge(&mut self, opened: &Version, theirs: &Self, all: &[domain::Component]) -> Meanwhile {
        let mine = self.fields(all);
        let typed = |name: &str| mine.iter().find(|field| field.name == name).map(|field| field.value.clone());
        let meanwhile = Meanwhile::new(opened, theirs.fields(all), typed);
        meanwhile.fill("name", &mut self.name);
        meanwhile.fill("title", &mut self.title);
        meanwhile.fill("body", &mut self.body);
        if meanwhile.taken("status").is_some() {
            self.status = theirs.status;
        }
        if meanwhile.taken("affected").is_some() {
            self.affected.clone_from(&theirs.affected);
        }
        meanwhile
    }
}

/// What a template gives, on an occasion that is made up.
#[derive(Template)]
#[template(path = "console/template_preview.html")]
struct Sample {
    preview: IncidentPreview,
    wrong: Option<String>,
}

impl Sample {
    async fn new(console: &Console, typed: &Typed) -> Result<Self, Failure> {
        let mut conn = console.db.read().await?;
        let all = rows::components(&mut conn).await?;
        let signal = Signal {
            summary: "HighErrorRate: 7 % of requests fail".to_owned(),
            ..Signal::new("example", SignalState::Firing, "HighErrorRate", console.now())
        };
        let (draft, errors) = fill(&all, &typed.template(), typed.affected.clone(), Some(&signal));
        let wrong = ["title", "body"].iter().find_map(|field| errors.of(field)).map(str::to_owned);
        Ok(Self { preview: IncidentPreview::new(&mut conn, &draft).await?, wrong })
    }
}

#[derive(Template)]
#[template(path = "console/incident_template.html")]
struct Form<'a> {
    frame: &'a Frame,
    /// A new one has none.
    id: Option<i64>,
    typed: &'a Typed,
    picker: Vec<Choices>,
    errors: &'a Errors,
    sample: Sample,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

/// How a form is shown again.
#[derive(Default)]
struct Again {
    id: Option<i64>,
    errors: Errors,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

async fn form(console: &Console, frame: &Frame, typed: &Typed, again: Again) -> Result<Response, Failure> {
    let Again { id, errors, version, meanwhile } = again;
    let sample = Sample::new(console, typed).await?;
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let status = errors.status(meanwhile.is_some());
    let picker = choices(&groups, &all, &typed.affected);
    Ok(show(status, &Form { frame, id, typed, picker, errors: &errors, sample, version, meanwhile }))
}

#[handler]
async fn new_form(frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed { title: "Problem with {{ components }}".to_owned(), ..Typed::default() };
    form(console, &frame, &typed, Again::default()).await
}

#[handler]
async fn create(acts: Acts, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(&sent);
    if sent.has("preview") {
        return form(console, &frame, &typed, Again::default()).await;
    }
    match acts.post(OPERATIONS, Some(&typed.body(console).await?)).await {
        Ok(_) => Ok(see_other(PATH)),
        Err(refused) => {
            let mut errors = Errors::default();
            if let Some(message) = refused.field("key") {
                errors.add("name", format!("Another template is called much the same, or it gives no key: {message}."));
            } else {
                errors = Errors::of_refused(refused, &FIELDS)?;
            }
            form(console, &frame, &typed, Again { errors, ..Again::default() }).await
        }
    }
}

/// The template as it is stored, and its version.
async fn load(console: &Console, acts: &Acts, id: i64) -> Result<(Typed, Version), Failure> {
    let etag = acts.get(&format!("{OPERATIONS}/{id}")).await?.text("etag").to_owned();
    let mut conn = console.db.read().await?;
    let found = templates::find(&mut conn, TemplateId(id)).await?;
    let stored = Typed::from(found.ok_or(Failure::NotFound("There is no such template, or it was deleted."))?);
    let version = Version::new(&etag, &stored.fields(&rows::components(&mut conn).await?));
    Ok((stored, version))
}

#[handler]
async fn one(acts: Acts, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (stored, version) = load(console, &acts, id).await?;
    form(console, &frame, &stored, Again { id: Some(id), version, ..Again::default() }).await
}

#[handler]
async fn update(acts: Acts, frame: Frame, Path(id): Path<i64>, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut typed, opened) = (Typed::from(&sent), sent.version());
    if sent.has("preview") {
        return form(console, &frame, &typed, Again { id: Some(id), version: opened, ..Again::default() }).await;
    }
    match acts.patch(&format!("{OPERATIONS}/{id}"), &typed.body(console).await?, opened.etag()).await {
        Ok(_) => Ok(see_other(PATH)),
        Err(refused) if refused.is_outdated() => {
            let (stored, version) = load(console, &acts, id).await?;
            let all = rows::components(&mut console.db.read().await?).await?;
            let meanwhile = Some(typed.merge(&opened, &stored, &all));
            form(console, &frame, &typed, Again { id: Some(id), version, meanwhile, ..Again::default() }).await
        }
        Err(refused) => {
            let errors = Errors::of_refused(refused, &FIELDS)?;
            form(console, &frame, &typed, Again { id: Some(id), errors, version: opened, ..Again::default() }).await
        }
    }
}

#[handler]
async fn preview(sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    Ok(show(StatusCode::OK, &Sample::new(console, &Typed::from(&sent)).await?))
}

#[handler]
async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&format!("{OPERATIONS}/{id}")).await?;
    Ok(see_other(PATH))
}
