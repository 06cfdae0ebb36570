//! `/console/incidents`: what readers are told is wrong, and what waits to be told.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use domain::{
    Act, Change, ComponentId, Incident, IncidentEdit, IncidentId, IncidentStatus, IncidentUpdate, Permission, Recorded, Resource, Status,
    still_firing,
};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path, Query},
};
use serde::Deserialize;
use storage::{
    Connection, StorageError, attention,
    history::{self, About},
    rows::{self, Incidents},
    state::{self, Causes},
    subscribers,
};

use super::{
    Console,
    failure::Failure,
    form::{Choices, Errors, Sent, choices},
    frame::{Frame, see_other, show, time},
    gate::{Needs, Table},
    session::Person,
    words,
};
use crate::page::markdown;

pub(super) const PATH: &str = "/console/incidents";
const GONE: Failure = Failure::NotFound("There is no such incident, or it was deleted.");
/// The most open incidents that are listed.
pub(super) const MAX_OPEN: i64 = 200;
/// The newest transitions that the page of an incident tells.
const MAX_TRANSITIONS: i64 = 20;

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Incidents), Needs::write(Resource::Incidents));
    table
        .get("/console/incidents/new", act, new_form)
        .post("/console/incidents/new", act, create)
        .post("/console/incidents/preview", act, show_preview)
        .get("/console/incidents/:id", look, one)
        .post("/console/incidents/:id", act, rename)
        .post("/console/incidents/:id/updates", act, add_update)
        .post("/console/incidents/:id/publish", act, publish)
        .post("/console/incidents/:id/resolve", act, resolve)
        .post("/console/incidents/:id/delete", act, delete)
}

/// What components are called.
pub(super) type Names = HashMap<ComponentId, String>;

pub(super) async fn names(conn: &mut Connection) -> Result<Names, StorageError> {
    Ok(rows::components(conn).await?.into_iter().map(|component| (component.id, component.name)).collect())
}

/// An incident in a list.
pub(super) struct Line {
    pub(super) id: IncidentId,
    pub(super) title: String,
    pub(super) status: &'static str,
    pub(super) class: &'static str,
    /// Whether a route opened it.
    pub(super) by_route: bool,
    pub(super) affected: String,
    pub(super) began: String,
    pub(super) updated: String,
}

impl Line {
    pub(super) fn new(incident: Incident, names: &Names, console: &Console) -> Self {
        let affected: Vec<&str> = incident.components.keys().filter_map(|id| names.get(id).map(String::as_str)).collect();
        let more = affected.len().saturating_sub(3);
        let mut shown = affected.into_iter().take(3).collect::<Vec<_>>().join(", ");
        if more > 0 {
            shown.push_str(&format!(" and {more} more"));
        }
        Self {
            id: incident.id,
            status: words::incident_status(&incident.status),
            class: worst(&incident),
            by_route: incident.opened_by.is_some(),
            affected: shown,
            began: time(incident.started_at),
            updated: words::ago(incident.updated_at, console.now()),
            title: incident.title,
        }
    }
}

fn worst(incident: &Incident) -> &'static str {
    if incident.status.is_over() {
        return Status::Operational.as_str();
    }
    incident.components.values().max().filter(|status| **status != Status::Operational).map_or("notice", |status| status.as_str())
}

/// What is typed into the form of an incident or of an update.
#[derive(Clone, Debug, Default)]
struct Draft {
    title: String,
    body: String,
    status: Option<IncidentStatus>,
    affected: BTreeMap<ComponentId, Status>,
}

impl From<&Sent> for Draft {
    fn from(sent: &Sent) -> Self {
        Self { title: sent.text("title"), body: sent.text("body"), status: sent.named("status"), affected: sent.affected() }
    }
}

/// What readers will see, and how many are told.
#[derive(Template)]
#[template(path = "console/incident_preview.html")]
struct Preview {
    title: String,
    status: &'static str,
    class: &'static str,
    affected: Vec<(String, &'static str, &'static str)>,
    /// Clean HTML.
    body: String,
    told: String,
}

impl Preview {
    async fn new(conn: &mut Connection, draft: &Draft) -> Result<Self, StorageError> {
        let all = rows::components(conn).await?;
        let shown = all.iter().filter(|component| component.is_visible());
        let shown: Vec<_> = shown.filter_map(|component| Some((component, *draft.affected.get(&component.id)?))).collect();
        let ids: Vec<ComponentId> = shown.iter().map(|(component, _)| component.id).collect();
        let n = match (draft.affected.is_empty(), ids.is_empty()) {
            (true, _) => subscribers::n_told(conn, None).await?,
            (false, true) => 0,
            (false, false) => subscribers::n_told(conn, Some(&ids)).await?,
        };
        let worst = shown.iter().map(|(_, status)| *status).max().filter(|status| *status != Status::Operational);
        Ok(Self {
            title: draft.title.clone(),
            status: words::incident_status(&draft.status.unwrap_or(IncidentStatus::Investigating)),
            class: worst.map_or("notice", Status::as_str),
            affected: shown
                .into_iter()
                .map(|(component, status)| (component.name.clone(), words::status(&status), status.as_str()))
                .collect(),
            body: markdown(&draft.body),
            told: words::told(n),
        })
    }
}

#[derive(Template)]
#[template(path = "console/incident_new.html")]
struct NewPage<'a> {
    frame: &'a Frame,
    draft: &'a Draft,
    picker: Vec<Choices>,
    errors: &'a Errors,
    preview: Preview,
}

impl NewPage<'_> {
    fn is_at(&self, status: &IncidentStatus) -> bool {
        self.draft.status.unwrap_or(IncidentStatus::Investigating) == *status
    }
}

async fn new_page(console: &Console, frame: &Frame, draft: &Draft, errors: &Errors) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, components) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let picker = choices(&groups, &components, &draft.affected);
    let preview = Preview::new(&mut conn, draft).await?;
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(show(status, &NewPage { frame, draft, picker, errors, preview }))
}

#[derive(Deserialize)]
struct From1 {
    /// The component that is red inside.
    component: Option<i64>,
}

#[handler]
async fn new_form(frame: Frame, Query(about): Query<From1>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let draft = match about.component {
        Some(id) => from_signals(&mut console.db.read().await?, ComponentId(id)).await?,
        None => Draft::default(),
    };
    new_page(console, &frame, &draft, &Errors::default()).await
}

/// What the routes' templates would say of a component's trouble.
async fn from_signals(conn: &mut Connection, id: ComponentId) -> Result<Draft, Failure> {
    let component = storage::components::find(conn, id).await?.ok_or(Failure::NotFound("There is no such component."))?;
    let status = if component.internal_status.is_fault() { component.internal_status } else { component.status.max(Status::PartialOutage) };
    let reasons = attention::reasons(conn, &[id]).await?;
    let worst = reasons.into_iter().filter(|reason| reason.cause.counts()).max_by_key(|reason| reason.cause.status);
    let (title, body, signal) = worst.map_or((None, None, None), |reason| (reason.title, reason.body, reason.signal));
    let (title, body) = domain::opening_words(title.as_deref(), body.as_deref(), status, signal.as_ref(), &[&component.name]);
    Ok(Draft { title, body, status: None, affected: [(id, status)].into() })
}

#[handler]
async fn show_preview(sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let shown = Preview::new(&mut console.db.read().await?, &Draft::from(&sent)).await?;
    Ok(show(StatusCode::OK, &shown))
}

#[handler]
async fn create(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let draft = Draft::from(&sent);
    if sent.has("preview") {
        return new_page(console, &frame, &draft, &Errors::default()).await;
    }
    let Draft { title, body, status, affected } = draft.clone();
    let published = Some(!sent.has("draft"));
    let act = Act::OpenIncident(IncidentEdit { title: Some(title), status, body: Some(body), components: Some(affected), published });
    match console.act(&person, act).await {
        Ok(recorded) => Ok(see_other(&written(&recorded).map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}")))),
        Err(error) => new_page(console, &frame, &draft, &Errors::of_act(error)?).await,
    }
}

/// The incident that was written.
fn written(recorded: &[Recorded]) -> Option<IncidentId> {
    recorded.iter().find_map(|recorded| match &recorded.change {
        Change::Incident { incident, .. } => Some(incident.id),
        _ => None,
    })
}

/// An entry of a timeline.
struct Step {
    status: &'static str,
    at: String,
    by: String,
    /// Clean HTML.
    body: String,
    moved: Vec<String>,
}

impl Step {
    fn new(update: &IncidentUpdate, names: &Names) -> Self {
        let moved = update
            .components
            .iter()
            .filter_map(|change| Some(format!("{}: {} → {}", names.get(&change.component)?, change.from.words(), change.to.words())));
        Self {
            status: words::incident_status(&update.status),
            at: time(update.at),
            by: update.by.clone(),
            body: markdown(&update.body),
            moved: moved.collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/incident.html")]
struct Page<'a> {
    frame: &'a Frame,
    incident: &'a Incident,
    class: &'static str,
    status: &'static str,
    began: String,
    may_write: bool,
    draft: &'a Draft,
    picker: Vec<Choices>,
    affected: Vec<(ComponentId, String, &'static str, &'static str)>,
    steps: Vec<Step>,
    still_firing: Option<String>,
    preview: Preview,
    told: Vec<(String, i64)>,
    chain: Vec<(String, String)>,
    errors: &'a Errors,
}

impl Page<'_> {
    fn is_at(&self, status: &IncidentStatus) -> bool {
        self.draft.status.unwrap_or(self.incident.status) == *status
    }
}

async fn find(conn: &mut Connection, id: IncidentId) -> Result<Incident, Failure> {
    rows::incidents(conn, Incidents::One(id)).await?.pop().ok_or(GONE)
}

/// Shows an incident, with what somebody has typed and what is wrong with it.
async fn page(
    console: &Console,
    person: &Person,
    frame: &Frame,
    id: IncidentId,
    typed: Option<Draft>,
    errors: &Errors,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let incident = find(&mut conn, id).await?;
    let (groups, components) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let names: Names = components.iter().map(|component| (component.id, component.name.clone())).collect();
    let unchanged = Draft { title: incident.title.clone(), affected: incident.components.clone(), ..Draft::default() };
    let draft = typed.unwrap_or(unchanged);
    let updates = rows::incident_updates(&mut conn, &[id]).await?;
    let firing = if incident.status.is_over() { still_firing(&state::causes(&mut conn, Causes::MutedWith(id)).await?) } else { None };
    let subject = Draft {
        status: draft.status.or(Some(incident.status)),
        title: incident.title.clone(),
        affected: incident.components.clone(),
        body: draft.body.clone(),
    };
    let named = |(id, status): (&ComponentId, &Status)| Some((*id, names.get(id)?.clone(), words::status(status), status.as_str()));
    let chain = history::list(&mut conn, About::Incident(id), i64::MAX, MAX_TRANSITIONS).await?;
    let shown = Page {
        frame,
        class: worst(&incident),
        status: words::incident_status(&incident.status),
        began: time(incident.started_at),
        may_write: person.may(Permission::write(Resource::Incidents)),
        picker: choices(&groups, &components, &draft.affected),
        draft: &draft,
        affected: incident.components.iter().filter_map(named).collect(),
        steps: updates.iter().map(|update| Step::new(update, &names)).collect(),
        still_firing: firing,
        preview: Preview::new(&mut conn, &subject).await?,
        told: attention::told(&mut conn, id, &updates).await?,
        chain: chain.into_iter().map(|row| (time(row.at), row.why.text)).collect(),
        incident: &incident,
        errors,
    };
    Ok(show(if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &shown))
}

#[handler]
async fn one(person: Person, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, IncidentId(id), None, &Errors::default()).await
}

/// Changes an incident, and leads back to it.
async fn change(
    console: &Console,
    person: &Person,
    frame: &Frame,
    id: i64,
    edit: IncidentEdit,
    typed: Option<Draft>,
) -> Result<Response, Failure> {
    let id = IncidentId(id);
    find(&mut console.db.read().await?, id).await?;
    match console.act(person, Act::UpdateIncident { incident: id, edit }).await {
        Ok(_) => Ok(see_other(&format!("{PATH}/{id}"))),
        Err(error) => page(console, person, frame, id, typed, &Errors::of_act(error)?).await,
    }
}

#[handler]
async fn rename(person: Person, frame: Frame, Path(id): Path<i64>, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut typed = Draft::from(&sent);
    let incident = find(&mut console.db.read().await?, IncidentId(id)).await?;
    let edit = IncidentEdit { title: Some(typed.title.clone()), ..IncidentEdit::default() };
    typed.affected = incident.components;
    change(console, &person, &frame, id, edit, Some(typed)).await
}

#[handler]
async fn add_update(
    person: Person,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let incident = find(&mut console.db.read().await?, IncidentId(id)).await?;
    let mut typed = Draft { title: incident.title, ..Draft::from(&sent) };
    let by_person = incident.opened_by.is_none();
    if !by_person {
        typed.affected = incident.components.clone();
    }
    if sent.has("preview") {
        return page(console, &person, &frame, IncidentId(id), Some(typed), &Errors::default()).await;
    }
    let components = Some(typed.affected.clone()).filter(|affected| by_person && *affected != incident.components);
    if typed.body.is_empty() && components.is_none() && typed.status.is_none_or(|status| status == incident.status) {
        let mut errors = Errors::default();
        errors.add("body", "Say something, or change where it stands or what is affected.");
        return page(console, &person, &frame, IncidentId(id), Some(typed), &errors).await;
    }
    let edit = IncidentEdit { title: None, status: typed.status, body: Some(typed.body.clone()), components, published: None };
    change(console, &person, &frame, id, edit, Some(typed)).await
}

#[handler]
async fn publish(person: Person, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    change(console, &person, &frame, id, IncidentEdit { published: Some(true), ..IncidentEdit::default() }, None).await
}

#[handler]
async fn resolve(person: Person, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    change(console, &person, &frame, id, IncidentEdit { status: Some(IncidentStatus::Resolved), ..IncidentEdit::default() }, None).await
}

#[handler]
async fn delete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let id = IncidentId(id);
    find(&mut console.db.read().await?, id).await?;
    match console.act(&person, Act::DeleteIncident { incident: id }).await {
        Ok(_) => Ok(see_other(PATH)),
        Err(error) => Err(Errors::of_act(error).err().unwrap_or(GONE)),
    }
}
