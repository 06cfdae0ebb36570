//! What changes an incident: its title, its timeline, who sees it, and whether it is there.

use domain::{Act, Change, IncidentEdit, IncidentId, IncidentStatus, Recorded, Span, WaitingActId};
use poem::{
    Response, handler,
    web::{Data, Path},
};
use serde_json::{Value, json};

use super::{
    Draft, GONE, PATH,
    draft::affected,
    find,
    page::{Sending, page, path},
    waiting,
};
use crate::{
    admin::Refused,
    console::{
        Console, UNDO_SECS,
        acts::Acts,
        failure::Failure,
        form::{Errors, Sent},
        frame::{Frame, see_other},
        meanwhile::Version,
        seen::Seen,
        session::Person,
    },
};

/// The fields that a refusal can blame.
const FIELDS: [&str; 4] = ["title", "body", "status", "components"];

/// The incident that was written.
pub(super) fn written(recorded: &[Recorded]) -> Option<IncidentId> {
    recorded.iter().find_map(|recorded| match &recorded.change {
        Change::Incident { incident, .. } => Some(incident.id),
        _ => None,
    })
}

/// What waits because of an act.
pub(super) fn waits(recorded: &[Recorded]) -> Option<WaitingActId> {
    recorded.iter().find_map(|recorded| if let Change::Waiting { act } = &recorded.change { Some(act.id) } else { None })
}

/// Leads back to an incident that was changed, or to what waits; or shows it with what was sent and why it was not done.
async fn answer(
    (console, person, acts, frame): (&Console, &Person, &Acts, &Frame),
    id: IncidentId,
    typed: Draft,
    opened: &Version,
    outcome: Result<Value, Refused>,
) -> Result<Response, Failure> {
    let (errors, is_outdated) = match outcome {
        Ok(answer) if answer.has("leaves_at") => return Ok(see_other(&waiting::path(WaitingActId(answer.number("id"))))),
        Ok(_) => return Ok(see_other(&path(id))),
        Err(refused) if refused.is_outdated() => (Errors::default(), true),
        Err(refused) => (Errors::of_refused(refused, &FIELDS)?, false),
    };
    let sending = Sending { typed, errors, opened: Some(opened), is_outdated, undone: None };
    page(console, person, acts, frame, id, Some(sending)).await
}

#[handler]
pub(super) async fn rename(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let incident = find(&mut console.db.read().await?, IncidentId(id)).await?;
    let (typed, opened) = (Draft { affected: incident.components, ..Draft::from(&sent) }, sent.version());
    let outcome = acts.patch(&format!("/incidents/{id}"), &json!({ "title": typed.title }), opened.etag()).await;
    answer((console, &person, &acts, &frame), incident.id, typed, &opened, outcome).await
}

#[handler]
pub(super) async fn add_update(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let incident = find(&mut conn, IncidentId(id)).await?;
    let (id, opened) = (incident.id, sent.version());
    let mut typed = Draft { title: incident.title, ..Draft::from(&sent) };
    let by_person = incident.opened_by.is_none();
    if !by_person {
        typed.affected = incident.components.clone();
    }
    let again = |typed, errors| Sending { typed, errors, opened: Some(&opened), is_outdated: false, undone: None };
    if sent.has("preview") {
        return page(console, &person, &acts, &frame, id, Some(again(typed, Errors::default()))).await;
    }
    let has_moved = by_person && typed.affected != incident.components;
    let components = if has_moved { Some(affected(&mut conn, &typed.affected).await?) } else { None };
    drop(conn);
    if typed.body.is_empty() && components.is_none() && typed.status.is_none_or(|status| status == incident.status) {
        let mut errors = Errors::default();
        errors.add("body", "Say something, or change where it stands or what is affected.");
        return page(console, &person, &acts, &frame, id, Some(again(typed, errors))).await;
    }
    let mut wanted = json!({});
    if incident.published {
        wanted["wait_seconds"] = json!(UNDO_SECS);
    }
    if let Some(status) = typed.status {
        wanted["status"] = json!(status.as_str());
    }
    if let Some(components) = components {
        wanted["components"] = components;
    }
    let outcome = if typed.body.is_empty() {
        acts.patch(&format!("/incidents/{id}"), &wanted, opened.etag()).await
    } else {
        wanted["body"] = json!(typed.body);
        acts.post_if(&format!("/incidents/{id}/updates"), Some(&wanted), opened.etag()).await
    };
    answer((console, &person, &acts, &frame), id, typed, &opened, outcome).await
}

/// Does what needs no more than a click, and leads to what waits because of it.
async fn click(console: &Console, person: &Person, id: IncidentId, act: Act, to: &str) -> Result<Response, Failure> {
    find(&mut console.db.read().await?, id).await?;
    match console.act(person, act).await {
        Ok(recorded) => Ok(see_other(&waits(&recorded).map_or_else(|| to.to_owned(), waiting::path))),
        Err(error) => Err(Errors::of_act(error).err().unwrap_or(GONE)),
    }
}

/// The same for what readers and subscribers are told, which can be taken back for a while.
async fn tell(console: &Console, person: &Person, id: i64, edit: IncidentEdit) -> Result<Response, Failure> {
    let id = IncidentId(id);
    click(console, person, id, Act::Wait { incident: Some(id), edit, wait: Span::secs(UNDO_SECS) }, &path(id)).await
}

#[handler]
pub(super) async fn publish(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    tell(console, &person, id, IncidentEdit { published: Some(true), ..IncidentEdit::default() }).await
}

#[handler]
pub(super) async fn resolve(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    tell(console, &person, id, IncidentEdit { status: Some(IncidentStatus::Resolved), ..IncidentEdit::default() }).await
}

/// Keeps a draft from publishing itself.
#[handler]
pub(super) async fn veto(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    click(console, &person, IncidentId(id), Act::Veto { incident: IncidentId(id) }, &path(IncidentId(id))).await
}

#[handler]
pub(super) async fn delete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    click(console, &person, IncidentId(id), Act::DeleteIncident { incident: IncidentId(id) }, PATH).await
}
