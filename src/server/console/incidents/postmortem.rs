//! `/console/incidents/:id/postmortem`: what was learned, written by the team and then shown to readers.

use askama::Template;
use domain::{Incident, IncidentId, IncidentStatus};
use poem::{
    Response, handler,
    web::{Data, Path},
};
use serde_json::{Value, json};

use super::{Draft, Preview, find, page::path};
use crate::{
    admin::Refused,
    console::{
        Console,
        acts::Acts,
        failure::Failure,
        form::{Errors, Sent},
        frame::{Frame, see_other, show},
        meanwhile::{Field, Meanwhile, Version},
        seen::Seen,
    },
};

/// What one may begin with: the questions that readers have.
const OUTLINE: &str = "### What happened\n\n\n### Why\n\n\n### What will be different\n\n";

#[derive(Template)]
#[template(path = "console/postmortem.html")]
struct Page<'a> {
    frame: &'a Frame,
    incident: &'a Incident,
    /// What the operation tells of it.
    stored: &'a Value,
    body: String,
    notify: bool,
    preview: Preview,
    n_told: String,
    errors: &'a Errors,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

fn operation(id: i64) -> String {
    format!("/incidents/{id}/postmortem")
}

/// What stands in the form: the draft, else what readers see.
fn stands(stored: &Value) -> &str {
    if stored.has("draft") { stored.text("draft") } else { stored.text("body") }
}

fn fields(stored: &Value) -> Vec<Field> {
    vec![
        Field::new("body", "The text", stands(stored)),
        Field::new("published", "Whether readers see it", if stored.has("body") { "readers see it" } else { "readers do not see it" }),
    ]
}

/// What somebody has sent.
#[derive(Default)]
struct Typed {
    body: String,
    notify: bool,
    /// The version that the form was opened on.
    opened: Version,
    /// Whether there is a newer one.
    is_outdated: bool,
}

async fn page(console: &Console, acts: &Acts, frame: &Frame, id: i64, typed: Option<Typed>, errors: Errors) -> Result<Response, Failure> {
    let stored = acts.get(&operation(id)).await?;
    let mut conn = console.db.read().await?;
    let incident = find(&mut conn, IncidentId(id)).await?;
    if !incident.status.is_over() {
        return Err(Failure::Conflict("A postmortem is for an incident that is over. Resolve it first.".to_owned()));
    }
    let begin = Some(stands(&stored)).filter(|body| !body.is_empty()).unwrap_or(OUTLINE);
    let mut typed = typed.unwrap_or_else(|| Typed { body: begin.to_owned(), ..Typed::default() });
    let newer = Version::new(stored.text("etag"), &fields(&stored));
    let version = Version::again(Some(&typed.opened), typed.is_outdated, newer);
    let meanwhile = typed.is_outdated.then(|| {
        let body = typed.body.clone();
        let meanwhile = Meanwhile::new(&typed.opened, fields(&stored), |name| (name == "body").then(|| body.clone()));
        meanwhile.fill("body", &mut typed.body);
        meanwhile
    });
    let subject = Draft {
        title: incident.title.clone(),
        body: typed.body.clone(),
        status: Some(IncidentStatus::Postmortem),
        affected: incident.components.clone(),
    };
    let mut preview = Preview::new(&mut conn, &subject).await?;
    let n_told = preview.told.clone();
    if !typed.notify {
        "Nobody is told, unless you tick that they are.".clone_into(&mut preview.told);
    }
    let status = errors.status(typed.is_outdated);
    let Typed { body, notify, .. } = typed;
    let shown = Page { frame, incident: &incident, stored: &stored, body, notify, preview, n_told, errors: &errors, version, meanwhile };
    Ok(show(status, &shown))
}

#[handler]
pub(super) async fn form(acts: Acts, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &acts, &frame, id, None, Errors::default()).await
}

/// Keeps the draft, and publishes it if that was pressed.
#[handler]
pub(super) async fn save(
    acts: Acts,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let typed = Typed { body: sent.text("body"), notify: sent.has("notify"), opened: sent.version(), is_outdated: false };
    if sent.has("preview") {
        return page(console, &acts, &frame, id, Some(typed), Errors::default()).await;
    }
    match keep(&acts, id, &typed, sent.has("publish")).await {
        Ok(()) if sent.has("publish") => Ok(see_other(&path(IncidentId(id)))),
        Ok(()) => Ok(see_other(&format!("{}/postmortem", path(IncidentId(id))))),
        Err(refused) if refused.is_outdated() => {
            page(console, &acts, &frame, id, Some(Typed { is_outdated: true, ..typed }), Errors::default()).await
        }
        Err(refused) => page(console, &acts, &frame, id, Some(typed), Errors::of_refused(refused, &["body"])?).await,
    }
}

async fn keep(acts: &Acts, id: i64, typed: &Typed, publish: bool) -> Result<(), Refused> {
    let kept = acts.put(&operation(id), &json!({ "body": typed.body }), typed.opened.etag()).await?;
    if publish {
        let act = json!({ "notify": typed.notify });
        acts.post_if(&format!("{}/publish", operation(id)), Some(&act), Some(kept.text("etag"))).await?;
    }
    Ok(())
}

#[handler]
pub(super) async fn unpublish(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.post(&format!("{}/unpublish", operation(id)), None).await?;
    Ok(see_other(&format!("{}/postmortem", path(IncidentId(id)))))
}

#[handler]
pub(super) async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&operation(id)).await?;
    Ok(see_other(&path(IncidentId(id))))
}
