//! A new incident: from nothing, from a template, or from a component that is red inside.

use std::collections::BTreeMap;

use askama::Template;
use domain::{
    Act, Component, ComponentId, IncidentEdit, IncidentStatus, IncidentTemplate, Signal, Span, Status, TemplateId, WaitingActId,
    opening_words, template_for,
};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::{
    Connection,
    attention::{self, Reason},
    rows, templates,
};

use super::{
    Draft, PATH, Preview,
    change::{waits, written},
    waiting,
};
use crate::console::{
    Console, UNDO_SECS,
    failure::Failure,
    form::{Choices, Errors, Sent, choices},
    frame::{Frame, see_other, show},
    seen,
    session::Person,
};

/// Where somebody comes from, and with what.
#[derive(Clone, Copy, Debug, Default)]
struct Occasion {
    /// The component that is red inside.
    component: Option<ComponentId>,
    /// The template to begin with.
    template: Option<TemplateId>,
    /// Whether a template was chosen, or that there be none.
    chosen: bool,
    /// What was taken back, whose words stand here again.
    taken_back: Option<WaitingActId>,
}

impl Occasion {
    fn new(sent: &Sent) -> Self {
        let id = |name| sent.named::<i64>(name);
        Self {
            component: id("component").map(ComponentId),
            template: id("template").map(TemplateId),
            chosen: sent.has("template"),
            taken_back: id("taken_back").map(WaitingActId),
        }
    }
}

#[derive(Template)]
#[template(path = "console/incident_new.html")]
struct NewPage<'a> {
    frame: &'a Frame,
    occasion: Occasion,
    templates: Vec<IncidentTemplate>,
    draft: &'a Draft,
    picker: Vec<Choices>,
    errors: &'a Errors,
    preview: Preview,
}

impl NewPage<'_> {
    fn is_at(&self, status: &IncidentStatus) -> bool {
        self.draft.status.unwrap_or(IncidentStatus::Investigating) == *status
    }

    fn begins_with(&self, template: &IncidentTemplate) -> bool {
        self.occasion.template == Some(template.id)
    }
}

async fn page(console: &Console, frame: &Frame, occasion: Occasion, draft: &Draft, errors: &Errors) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, components) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let picker = choices(&groups, &components, &draft.affected);
    let preview = Preview::new(&mut conn, draft).await?;
    let templates = templates::all(&mut conn).await?;
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(show(status, &NewPage { frame, occasion, templates, draft, picker, errors, preview }))
}

/// The form, filled in from `?template=…`, from `?component=…`, and from the components that are named as the form names them.
#[handler]
pub(super) async fn form(frame: Frame, asked: seen::Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let sent = Sent::from(asked.0);
    if let Some(id) = Occasion::new(&sent).taken_back {
        let act = waiting::find(&mut console.db.read().await?, id).await?;
        return page(console, &frame, Occasion::new(&sent), &Draft::from(&act), &Errors::default()).await;
    }
    let (occasion, draft, errors) = begin(console, Occasion::new(&sent), sent.affected()).await?;
    page(console, &frame, occasion, &draft, &errors).await
}

/// Fills the form in. Where nobody has chosen a template, one that fits the component is taken.
async fn begin(
    console: &Console,
    mut occasion: Occasion,
    mut affected: BTreeMap<ComponentId, Status>,
) -> Result<(Occasion, Draft, Errors), Failure> {
    let mut conn = console.db.read().await?;
    let trouble = match occasion.component {
        Some(id) => Some(Trouble::load(&mut conn, id).await?),
        None => None,
    };
    if let Some(trouble) = trouble.as_ref().filter(|_| affected.is_empty()) {
        affected.insert(trouble.component.id, trouble.status);
    }
    let all = templates::all(&mut conn).await?;
    let template = match occasion.template {
        Some(id) => Some(all.iter().find(|template| template.id == id).ok_or(Failure::NotFound("There is no such template."))?),
        None => occasion.component.filter(|_| !occasion.chosen).and_then(|id| template_for(&all, id)),
    };
    occasion.template = template.map(|template| template.id);
    let signal = trouble.as_ref().and_then(Trouble::signal);
    match (template, &trouble) {
        (Some(template), _) => {
            let (draft, errors) = fill(&rows::components(&mut conn).await?, template, affected, signal);
            Ok((occasion, draft, errors))
        }
        (None, Some(trouble)) => Ok((occasion, trouble.words(affected), Errors::default())),
        (None, None) => Ok((occasion, Draft { affected, ..Draft::default() }, Errors::default())),
    }
}

/// What a template gives. A part that gives no text stands there as it is written, with what is wrong with it.
pub(in crate::console) fn fill(
    all: &[Component],
    template: &IncidentTemplate,
    affected: BTreeMap<ComponentId, Status>,
    signal: Option<&Signal>,
) -> (Draft, Errors) {
    let affected = if affected.is_empty() { template.components.clone() } else { affected };
    let shown = all.iter().filter(|component| component.is_visible() && affected.contains_key(&component.id));
    let names: Vec<&str> = shown.map(|component| component.name.as_str()).collect();
    let worst = affected.values().copied().max().unwrap_or_default();
    let mut errors = Errors::default();
    let (title, body) = template.fill(&names, worst, signal).unwrap_or_else(|refused| {
        errors.add(refused.field, format!("The template gives no text: {}.", refused.error));
        (template.title.clone(), template.body.clone())
    });
    (Draft { title, body, status: Some(template.status), affected }, errors)
}

/// A component that is red inside, and what says so.
struct Trouble {
    component: Component,
    status: Status,
    /// The worst that speaks against it.
    reason: Option<Reason>,
}

impl Trouble {
    async fn load(conn: &mut Connection, id: ComponentId) -> Result<Self, Failure> {
        let component = storage::components::find(conn, id).await?.ok_or(Failure::NotFound("There is no such component."))?;
        let is_red = component.internal_status.is_fault();
        let status = if is_red { component.internal_status } else { component.status.max(Status::PartialOutage) };
        let reasons = attention::reasons(conn, &[id]).await?;
        let reason = reasons.into_iter().filter(|reason| reason.cause.counts()).max_by_key(|reason| reason.cause.status);
        Ok(Self { component, status, reason })
    }

    fn signal(&self) -> Option<&Signal> {
        self.reason.as_ref()?.signal.as_ref()
    }

    /// What the routes' templates would say of it.
    fn words(&self, affected: BTreeMap<ComponentId, Status>) -> Draft {
        let (title, body) = self.reason.as_ref().map_or((None, None), |reason| (reason.title.as_deref(), reason.body.as_deref()));
        let (title, body) = opening_words(title, body, self.status, self.signal(), &[&self.component.name]);
        Draft { title, body, status: None, affected }
    }
}

#[handler]
pub(super) async fn create(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (draft, occasion) = (Draft::from(&sent), Occasion::new(&sent));
    if sent.has("fill") {
        let (occasion, draft, errors) = begin(console, occasion, draft.affected).await?;
        return page(console, &frame, occasion, &draft, &errors).await;
    }
    if sent.has("preview") {
        return page(console, &frame, occasion, &draft, &Errors::default()).await;
    }
    let Draft { title, body, status, affected } = draft.clone();
    let published = !sent.has("draft");
    let edit = IncidentEdit { title: Some(title), status, body: Some(body), components: Some(affected), published: Some(published) };
    let act = if published { Act::Wait { incident: None, edit, wait: Span::secs(UNDO_SECS) } } else { Act::OpenIncident(edit) };
    match console.act(&person, act).await {
        Ok(recorded) => {
            let opened = || written(&recorded).map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"));
            Ok(see_other(&waits(&recorded).map_or_else(opened, waiting::path)))
        }
        Err(error) => page(console, &frame, occasion, &draft, &Errors::of_act(error)?).await,
    }
}
