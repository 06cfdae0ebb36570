//! `/console/incidents/waiting/…`: what was just published, for as long as it can be taken back. Nothing of it has left until then.

use askama::Template;
use domain::{Incident, IncidentStatus, Permission, Resource, Timestamp, WaitState, WaitingAct, WaitingActId};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use storage::{
    Connection, StorageError, rows,
    waiting::{self, Which},
};

use super::{
    Draft, PATH, Preview,
    page::{self as incident_page, Sending},
};
use crate::console::{
    Console,
    acts::Acts,
    failure::Failure,
    frame::{Frame, see_other, show},
    session::Person,
    words,
};

const GONE: Failure = Failure::NotFound("Nothing of this number waits, or it left more than a day ago.");

/// Something that has not left, in a list.
pub(in crate::console) struct Waits {
    pub(in crate::console) id: WaitingActId,
    pub(in crate::console) title: String,
    pub(in crate::console) what: String,
    pub(in crate::console) by: String,
    /// Until it leaves.
    pub(in crate::console) seconds: i64,
    /// Why it will not leave.
    pub(in crate::console) refused: Option<String>,
}

impl Waits {
    fn new(act: WaitingAct, incident: Option<&Incident>, now: Timestamp) -> Self {
        let title = act.edit.title.clone().or_else(|| incident.map(|incident| incident.title.clone())).unwrap_or_default();
        let refused = (act.state == WaitState::Refused).then(|| act.reason.clone().unwrap_or_default());
        Self { id: act.id, title, what: what(&act), seconds: seconds(&act, now), refused, by: act.by }
    }

    /// Who said what.
    pub(super) fn in_words(&self) -> String {
        format!("{}: {}", self.by, self.what)
    }
}

/// What leaves, in a few words.
fn what(act: &WaitingAct) -> String {
    match (&act.edit.body, act.edit.status) {
        _ if act.opens => "a new incident".to_owned(),
        (Some(body), _) if !body.trim().is_empty() => format!("an update: {}", body.lines().next().unwrap_or_default()),
        (_, Some(IncidentStatus::Resolved)) => "it is resolved".to_owned(),
        (_, Some(status)) => format!("it is at {}", words::incident_status(&status).to_lowercase()),
        _ if act.edit.published == Some(true) => "the draft is published".to_owned(),
        _ => "what is affected".to_owned(),
    }
}

/// How many seconds are left, as a person counts them.
fn seconds(act: &WaitingAct, now: Timestamp) -> i64 {
    (act.leaves_at.since(now).0 + 999).div_euclid(1000)
}

/// What of one incident has not left.
pub(super) async fn about(conn: &mut Connection, incident: &Incident, now: Timestamp) -> Result<Vec<Waits>, StorageError> {
    let waiting = waiting::list(conn, Which::About(incident.id)).await?;
    Ok(waiting.into_iter().map(|act| Waits::new(act, Some(incident), now)).collect())
}

/// Everything that has not left, and what did not fit any more when its time came.
pub(in crate::console) async fn open(conn: &mut Connection, now: Timestamp) -> Result<Vec<Waits>, StorageError> {
    let mut all = Vec::new();
    for act in waiting::list(conn, Which::Open).await? {
        let incident = rows::incidents(conn, rows::Incidents::One(act.incident)).await?.pop();
        all.push(Waits::new(act, incident.as_ref(), now));
    }
    Ok(all)
}

/// The place of what waits.
pub(super) fn path(id: WaitingActId) -> String {
    format!("{PATH}/waiting/{id}")
}

/// Where what was written stands in its form again.
fn form(act: &WaitingAct) -> String {
    let id = act.id;
    if act.opens { format!("{PATH}/new?taken_back={id}") } else { format!("{}?taken_back={id}", incident_page::path(act.incident)) }
}

pub(super) async fn find(conn: &mut Connection, id: WaitingActId) -> Result<WaitingAct, Failure> {
    waiting::find(conn, id).await?.ok_or(GONE)
}

#[derive(Template)]
#[template(path = "console/incident_waiting.html")]
struct Page<'a> {
    frame: &'a Frame,
    waits: Waits,
    may_write: bool,
    preview: Preview,
}

/// What waits; or, once it does no more, what has become of it.
#[handler]
pub(super) async fn page(person: Person, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let act = find(&mut conn, WaitingActId(id)).await?;
    match act.state {
        WaitState::Left => return Ok(see_other(&incident_page::path(act.incident))),
        WaitState::TakenBack => return Ok(see_other(&form(&act))),
        WaitState::Waiting | WaitState::Refused => {}
    }
    let incident = rows::incidents(&mut conn, rows::Incidents::One(act.incident)).await?.pop();
    let mut draft = Draft::from(&act);
    if let Some(incident) = &incident {
        draft.title.clone_from(&incident.title);
        draft.status = draft.status.or(Some(incident.status));
        draft.affected = act.edit.components.clone().unwrap_or_else(|| incident.components.clone());
    }
    let preview = Preview::new(&mut conn, &draft).await?;
    let waits = Waits::new(act, incident.as_ref(), console.now());
    let may_write = person.may(Permission::write(Resource::Incidents));
    Ok(show(StatusCode::OK, &Page { frame: &frame, waits, may_write, preview }))
}

/// Leads to the form in which it stands again; where it has left, to the one in which it can be corrected.
#[handler]
pub(super) async fn take_back(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let taken_back = acts.post(&format!("/waiting-acts/{id}/take-back"), None).await;
    let mut conn = console.db.read().await?;
    let act = find(&mut conn, WaitingActId(id)).await?;
    match taken_back {
        Ok(_) => Ok(see_other(&form(&act))),
        Err(_) if act.state == WaitState::Left => {
            let late = Sending::late(super::find(&mut conn, act.incident).await?);
            drop(conn);
            incident_page::page(console, &person, &acts, &frame, act.incident, Some(late)).await
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Lets it leave before its time.
#[handler]
pub(super) async fn publish(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.post(&format!("/waiting-acts/{id}/publish"), None).await?;
    Ok(see_other(&path(WaitingActId(id))))
}
