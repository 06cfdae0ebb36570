//! `/publications/{incident}/{verdict}/{token}`: the owner vetoes what is about to publish itself, or publishes it at once.

use std::sync::Arc;

use domain::{IncidentId, NoticeAbout, Timestamp};
use poem::{
    IntoResponse, Response, Route, get, handler,
    http::StatusCode,
    web::{Data, Path},
};
use storage::{
    Db, SecretBox, StorageError, Topic, Wake,
    publications::{self, Found, Verdict},
};
use tracing::error;

use crate::page::{Page, PublicationPage};

/// What the pages need.
#[derive(Clone)]
pub(crate) struct Publications {
    pub(crate) db: Db,
    pub(crate) secrets: SecretBox,
    pub(crate) wake: Wake,
    pub(crate) page: Arc<Page>,
    pub(crate) clock: fn() -> Timestamp,
}

pub(crate) fn add_to(route: Route) -> Route {
    route.at("/publications/:incident/:verdict/:token", get(show).post(act))
}

type Link = (i64, String, String);

/// A GET changes nothing: mail scanners follow links.
#[handler]
async fn show(Path(link): Path<Link>, Data(p): Data<&Publications>) -> Response {
    let Some((incident, verdict, due)) = read(p, &link) else { return unknown(&p.page) };
    let found = match p.db.read().await {
        Ok(mut conn) => publications::find(&mut conn, incident, due).await,
        Err(failed) => Err(failed),
    };
    match found {
        Ok(Found::Pending(notice)) => {
            let NoticeAbout::Publication { incident, body } = &notice.about else { return unknown(&p.page) };
            let names = incident.components.iter().filter_map(|(id, status)| Some((notice.component(*id)?.name.clone(), status.words())));
            let form = PublicationPage {
                veto: verdict == Verdict::Veto,
                title: incident.title.clone(),
                body: body.clone(),
                components: names.collect(),
                since: incident.started_at,
                due,
            };
            p.page.publication(&form)
        }
        Ok(Found::Decided(incident)) => {
            let (title, text) = match incident.as_deref() {
                Some(incident) if incident.published => ("It is published", "Readers see this incident."),
                Some(incident) if incident.vetoed => {
                    ("It is vetoed", "Readers do not see this incident, unless somebody publishes it by hand.")
                }
                Some(incident) if incident.status.is_over() => ("It is over", "This incident ended before it was published."),
                Some(incident) if incident.pending().is_some() => {
                    ("This link has expired", "It is about to be published at another time: a later mail has its links.")
                }
                Some(_) => ("It does not publish itself", "This incident is a draft that a person may publish."),
                None => ("It is gone", "This incident was deleted."),
            };
            p.page.note(title, text)
        }
        Err(failed) => broken(&p.page, &failed),
    }
}

#[handler]
async fn act(Path(link): Path<Link>, Data(p): Data<&Publications>) -> Response {
    let Some((incident, verdict, due)) = read(p, &link) else { return unknown(&p.page) };
    match publications::decide(&p.db, &p.secrets, (incident, due), verdict, (p.clock)()).await {
        Ok(done) => {
            if done {
                p.wake.wake(Topic::Changes).await;
                p.wake.wake(Topic::Notifications).await;
            }
            let (id, verdict, token) = link;
            poem::web::Redirect::see_other(format!("/publications/{id}/{verdict}/{token}")).into_response()
        }
        Err(failed) => broken(&p.page, &failed),
    }
}

fn read(p: &Publications, (incident, verdict, token): &Link) -> Option<(IncidentId, Verdict, Timestamp)> {
    let (incident, verdict) = (IncidentId(*incident), Verdict::from_name(verdict)?);
    Some((incident, verdict, publications::due_of(&p.secrets, verdict, incident, token)?))
}

fn unknown(page: &Page) -> Response {
    page.error(StatusCode::NOT_FOUND, "No such publication", "The link is not complete, or was not made here.")
}

fn broken(page: &Page, failed: &StorageError) -> Response {
    error!(error = ?failed, "A publication could not be read or decided");
    page.error(StatusCode::SERVICE_UNAVAILABLE, "Please try again", "We cannot reach our own database right now.")
}
