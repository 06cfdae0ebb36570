//! An incident with its timeline, and the form of an update.

use askama::Template;
use domain::{
    ComponentId, Incident, IncidentId, IncidentStatus, IncidentUpdate, Permission, Resource, Status, WaitingActId, postmortem_of,
    still_firing,
};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use storage::{
    attention,
    history::{self, About},
    postmortems, rows,
    state::{self, Causes},
};

use super::{Draft, Names, PATH, Preview, Waits, draft::in_words, find, waiting, worst};
use crate::{
    console::{
        Console,
        acts::Acts,
        failure::Failure,
        form::{Choices, Errors, choices},
        frame::{Frame, show},
        meanwhile::{Field, Meanwhile, Version},
        seen::{Asked, Seen, Typed},
        session::Person,
        words,
        zone::{When, time},
    },
    page::markdown,
};

/// The newest transitions that the page of an incident tells.
const MAX_TRANSITIONS: i64 = 20;

/// An entry of a timeline.
struct Step {
    status: &'static str,
    at: When,
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
    began: When,
    /// What becomes of a draft by itself.
    publication: Option<String>,
    may_write: bool,
    may_see_notifications: bool,
    draft: &'a Draft,
    picker: Vec<Choices>,
    affected: Vec<(ComponentId, String, &'static str, &'static str)>,
    steps: Vec<Step>,
    still_firing: Option<String>,
    /// Where the postmortem stands, once there can be one.
    postmortem: Option<&'static str>,
    preview: Preview,
    told: Vec<(String, i64)>,
    chain: Vec<(When, String)>,
    errors: &'a Errors,
    version: Version,
    meanwhile: Option<Meanwhile>,
    /// What was said about it and has not left.
    waiting: Vec<Waits>,
    /// What became of taking something back.
    undone: Option<Undone>,
}

impl Page<'_> {
    fn is_at(&self, status: &IncidentStatus) -> bool {
        self.draft.status.unwrap_or(self.incident.status) == *status
    }
}

/// What somebody has sent, and why it was not done.
pub(super) struct Sending<'a> {
    pub(super) typed: Draft,
    pub(super) errors: Errors,
    /// The version that the form was opened on.
    pub(super) opened: Option<&'a Version>,
    /// Whether there is a newer one.
    pub(super) is_outdated: bool,
    /// What became of taking it back.
    pub(super) undone: Option<Undone>,
}

/// What became of taking something back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// It has not left, and stands in the form again.
    TakenBack,
    /// It had left.
    TooLate,
}

impl Undone {
    const fn words(self) -> &'static str {
        match self {
            Self::TakenBack => "Taken back: nothing has left. What you wrote stands in the form again.",
            Self::TooLate => "It has left already; post a correction.",
        }
    }
}

/// Where an incident stands, to be compared: what an update is written about.
fn fields(incident: &Incident, updates: &[IncidentUpdate], affected: String, waiting: &[Waits]) -> Vec<Field> {
    let newest = updates.first().map(|update| format!("{}: {}", words::incident_status(&update.status), update.body));
    vec![
        Field::new("title", "The title", incident.title.clone()),
        Field::new("status", "Where it stands", words::incident_status(&incident.status)),
        Field::new("affected", "What is affected", affected),
        Field::new("entry", "The newest entry", newest.unwrap_or_default()),
        Field::new("waiting", "What has not left yet", waiting.first().map_or_else(String::new, Waits::in_words)),
    ]
}

/// Puts into what was typed what somebody else has changed meanwhile and whoever typed has not touched.
fn merge(typed: &mut Draft, opened: &Version, incident: &Incident, now: Vec<Field>, affected: &str) -> Meanwhile {
    let status = typed.status.map(|status| words::incident_status(&status).to_owned());
    let stands = |name: &str| match name {
        "status" => status.clone(),
        "affected" if incident.opened_by.is_none() => Some(affected.to_owned()),
        "title" => Some(typed.title.clone()),
        _ => None,
    };
    let meanwhile = Meanwhile::new(opened, now, stands);
    meanwhile.fill("title", &mut typed.title);
    if meanwhile.taken("status").is_some() {
        typed.status = Some(incident.status);
    }
    if meanwhile.taken("affected").is_some() {
        typed.affected.clone_from(&incident.components);
    }
    meanwhile
}

/// Shows an incident, with what somebody has sent, if it was not done.
pub(super) async fn page(
    console: &Console,
    person: &Person,
    acts: &Acts,
    frame: &Frame,
    id: IncidentId,
    sending: Option<Sending<'_>>,
) -> Result<Response, Failure> {
    let etag = acts.get(&format!("/incidents/{id}")).await?.text("etag").to_owned();
    let mut conn = console.db.read().await?;
    let incident = find(&mut conn, id).await?;
    let (groups, components) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let names: Names = components.iter().map(|component| (component.id, component.name.clone())).collect();
    let updates = rows::incident_updates(&mut conn, &[id]).await?;
    let unchanged = Draft { title: incident.title.clone(), affected: incident.components.clone(), ..Draft::default() };
    let waiting = waiting::about(&mut conn, &incident, console.now()).await?;
    let sending = sending.unwrap_or_else(|| Sending::new(unchanged));
    let is_late = sending.undone == Some(Undone::TooLate);
    let status = if is_late { StatusCode::CONFLICT } else { sending.errors.status(sending.is_outdated) };
    let Sending { typed: mut draft, errors, opened, is_outdated, undone } = sending;
    let now = fields(&incident, &updates, in_words(&components, &incident.components), &waiting);
    let version = Version::again(opened, is_outdated, Version::new(&etag, &now));
    let affected = in_words(&components, &draft.affected);
    let meanwhile = opened.filter(|_| is_outdated).map(|opened| merge(&mut draft, opened, &incident, now, &affected));
    let is_over = incident.status.is_over();
    let subject = Draft {
        status: draft.status.or(Some(incident.status)),
        title: incident.title.clone(),
        affected: incident.components.clone(),
        body: draft.body.clone(),
    };
    let named = |(id, status): (&ComponentId, &Status)| Some((*id, names.get(id)?.clone(), words::status(status), status.as_str()));
    let chain = history::list(&mut conn, About::Incident(id), i64::MAX, MAX_TRANSITIONS).await?;
    let is_drafted = postmortems::find(&mut conn, id).await?.is_some();
    let shown = Page {
        frame,
        class: worst(&incident),
        status: words::incident_status(&incident.status),
        began: time(incident.started_at),
        publication: words::publication(&incident, console.now()).filter(|_| !incident.published),
        may_write: person.may(Permission::write(Resource::Incidents)),
        may_see_notifications: person.may(Permission::read(Resource::Notifications)),
        picker: choices(&groups, &components, &draft.affected),
        draft: &draft,
        affected: incident.components.iter().filter_map(named).collect(),
        steps: updates.iter().map(|update| Step::new(update, &names)).collect(),
        still_firing: if is_over { still_firing(&state::causes(&mut conn, Causes::MutedWith(id)).await?) } else { None },
        postmortem: is_over.then(|| postmortem_words(postmortem_of(&updates).is_some(), is_drafted)),
        preview: Preview::new(&mut conn, &subject).await?,
        told: attention::told(&mut conn, id, &updates).await?,
        chain: chain.into_iter().map(|row| (time(row.at), row.why.text)).collect(),
        incident: &incident,
        errors: &errors,
        version,
        meanwhile,
        waiting,
        undone,
    };
    Ok(show(status, &shown))
}

const fn postmortem_words(is_published: bool, is_drafted: bool) -> &'static str {
    match (is_published, is_drafted) {
        (false, false) => "Nothing is written yet. A postmortem says what happened, why, and what will be different.",
        (false, true) => "A draft is being written; only the team sees it.",
        (true, false) => "Readers see it.",
        (true, true) => "Readers see it, and a newer draft is being written.",
    }
}

#[handler]
pub(super) async fn one(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    asked: Asked,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let id = IncidentId(id);
    let Some(taken_back) = Typed::from(asked).number("taken_back") else {
        return page(console, &person, &acts, &frame, id, None).await;
    };
    let mut conn = console.db.read().await?;
    let (act, incident) = (waiting::find(&mut conn, WaitingActId(taken_back)).await?, find(&mut conn, id).await?);
    drop(conn);
    let components = act.edit.components.clone().unwrap_or(incident.components);
    let typed = Draft { title: incident.title, affected: components, ..Draft::from(&act) };
    page(console, &person, &acts, &frame, id, Some(Sending { undone: Some(Undone::TakenBack), ..Sending::new(typed) })).await
}

impl Sending<'_> {
    /// What stands in the forms to begin with.
    fn new(typed: Draft) -> Self {
        Self { typed, errors: Errors::default(), opened: None, is_outdated: false, undone: None }
    }

    /// The forms for somebody who comes too late to take something back.
    pub(super) fn late(incident: Incident) -> Self {
        let unchanged = Draft { title: incident.title, affected: incident.components, ..Draft::default() };
        Self { undone: Some(Undone::TooLate), ..Self::new(unchanged) }
    }
}

/// The page of an incident.
pub(super) fn path(id: IncidentId) -> String {
    format!("{PATH}/{id}")
}
