//! What makes a maintenance, changes it, and takes it from one status to the next.

use domain::{Act, Maintenance, MaintenanceEdit, MaintenanceStatus, Span};
use poem::{
    Response, handler,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::components;

use super::{
    PATH, find,
    form::{Stored, Typed, as_it_is, form},
};
use crate::console::{
    Console,
    acts::Acts,
    failure::Failure,
    form::{Errors, Sent},
    frame::{Frame, see_other},
    seen::Seen,
    session::Person,
    zone::to_field,
};

/// The fields that a refusal can blame.
const FIELDS: [&str; 5] = ["title", "body", "starts_at", "ends_at", "components"];

#[handler]
pub(super) async fn new_form(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (from, to) = (console.now().plus(Span::mins(24 * 60)), console.now().plus(Span::mins(25 * 60)));
    let typed = Typed { starts_at: to_field(from), ends_at: to_field(to), ..Typed::default() };
    form(console, &person, &frame, None, typed, &Errors::default()).await
}

#[handler]
pub(super) async fn create(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
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

/// A maintenance, and the mark of its version.
async fn load(console: &Console, acts: &Acts, id: i64) -> Result<(Maintenance, String), Failure> {
    let etag = acts.get(&format!("/maintenances/{id}")).await?.text("etag").to_owned();
    Ok((find(console, id).await?, etag))
}

#[handler]
pub(super) async fn one(
    person: Person,
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (maintenance, etag) = load(console, &acts, id).await?;
    let stored = Stored { maintenance: &maintenance, etag: &etag, opened: None, is_newer: false };
    form(console, &person, &frame, Some(stored), as_it_is(&maintenance), &Errors::default()).await
}

#[handler]
pub(super) async fn update(
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
pub(super) async fn start(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::InProgress).await
}

#[handler]
pub(super) async fn complete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::Completed).await
}

#[handler]
pub(super) async fn cancel(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, MaintenanceStatus::Cancelled).await
}
