//! `/incidents`: what readers are told is wrong.

use domain::{Act, Change, Incident, IncidentEdit, IncidentId, IncidentStatus, IncidentUpdate, Recorded};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use serde_json::json;
use storage::{
    Connection,
    history::{self, About},
    rows::{self, IncidentFilter, Incidents, Standing},
    state::{self, Causes},
    waiting::Which,
};

use super::{
    Admin,
    body::Body,
    bulk::{Several, check_ids, refuse_missing},
    changes::{ChangeView, Names},
    fields::Fields,
    gate::Caller,
    incident_views::{Affected, Called, IncidentView, UpdateView, components, title_and_body},
    problem::Problem,
    reply::{Accepted, Created, Gone, IfMatch, List, Or, Paging, Shown},
    types::Name,
    waiting::{self, WaitingActView, wait_of},
};

pub(super) struct IncidentsApi(pub(super) Admin);

/// An incident to be opened.
#[derive(Object)]
struct NewIncident {
    title: String,
    /// The first text of its timeline, in Markdown.
    body: Option<String>,
    /// `investigating` if it is left out.
    status: Option<Name<IncidentStatus>>,
    /// What it affects, and how.
    components: Option<Vec<Affected>>,
    /// False keeps it a draft that only the team sees; true if it is left out.
    published: Option<bool>,
    /// For how long nothing of it leaves, so that it can be taken back; at most 60, and 0 if it is left out. 202 is the answer then.
    wait_seconds: Option<i64>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct IncidentPatch {
    title: Option<String>,
    status: Option<Name<IncidentStatus>>,
    /// Only for incidents that people opened: in others the signals say it.
    components: Option<Vec<Affected>>,
    published: Option<bool>,
    /// For how long nothing of it leaves, so that it can be taken back; at most 60, and 0 if it is left out. 202 is the answer then.
    wait_seconds: Option<i64>,
}

/// An entry for an incident's timeline.
#[derive(Object)]
struct NewUpdate {
    /// Markdown.
    body: String,
    /// Where the incident stands from now on; as before if it is left out.
    status: Option<Name<IncidentStatus>>,
    /// Only for incidents that people opened: in others the signals say it.
    components: Option<Vec<Affected>>,
    /// For how long nothing of it leaves, so that it can be taken back; at most 60, and 0 if it is left out. 202 is the answer then.
    wait_seconds: Option<i64>,
}

/// The answer to what may wait.
type OrWaits<T> = Or<T, Accepted<WaitingActView>>;

#[OpenApi]
impl IncidentsApi {
    /// Lists incidents, drafts too, newest first, without their timelines.
    #[oai(path = "/incidents", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// Drafts are not published and not over, open ones are published and not over, past ones are over.
        state: Query<Option<Name<Standing>>>,
        /// The key of a component that they are about.
        component: Query<Option<String>>,
        /// What their titles hold, in any case.
        title: Query<Option<String>>,
    ) -> Result<Json<List<IncidentView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let called = Called::load(&mut conn).await?;
        let component = component.0.map(|key| called.component(&key)).transpose()?;
        let filter = IncidentFilter { standing: state.0.map(|state| state.0), component, title: title.0 };
        let rows = rows::incidents_that(&mut conn, &filter, paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |incident| incident.id.0, |incident| called.incident(incident, None, None))))
    }

    /// Opens an incident.
    #[oai(path = "/incidents", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewIncident>) -> Result<OrWaits<Created<IncidentView>>, Problem> {
        let new = body.0;
        let mut entry = self.0.begin().await?;
        let called = Called::load(&mut entry.tx).await?;
        let mut fields = Fields::default();
        title_and_body(&mut fields, Some(&new.title), new.body.as_deref());
        let wait = wait_of(&mut fields, new.wait_seconds);
        let edit = IncidentEdit {
            title: Some(new.title),
            body: new.body,
            status: new.status.map(|status| status.0),
            components: new.components.map(|list| components(&mut fields, &called, &list)),
            published: new.published,
        };
        fields.done()?;
        let act = match wait {
            None => Act::OpenIncident(edit),
            Some(wait) => Act::Wait { incident: None, edit, wait },
        };
        let recorded = self.0.act(entry, caller, act).await?;
        if let Some(waiting) = waiting::view_of(&recorded, &called) {
            return Ok(Or::Waits(Accepted(waiting)));
        }
        let (id, _) = written(&recorded).ok_or_else(Problem::internal)?;
        Ok(Or::Done(Created { location: self.0.location("incidents", id), view: self.find(id).await? }))
    }

    /// Removes up to 200 drafts in one transaction, as if they had never been. One that readers see is none: nothing is removed then.
    #[oai(path = "/incidents/discard", method = "post")]
    async fn discard(&self, Data(caller): Data<&Caller>, body: Body<Several>) -> Result<Gone, Problem> {
        let (is_dry, ids, mut fields) = (body.0.is_dry(), body.0.ids, Fields::default());
        check_ids(&mut fields, &ids);
        fields.done()?;
        let (mut entry, mut fields, mut before) = (self.0.begin().await?, Fields::default(), Vec::new());
        for (i, id) in ids.iter().enumerate() {
            match rows::incidents(&mut entry.tx, Incidents::One(IncidentId(*id))).await?.pop() {
                None => refuse_missing(&mut fields, i, "incident", id),
                Some(incident) if incident.published => fields.refuse(format!("ids[{i}]"), format!("incident {id} is published")),
                Some(incident) => before.push(json!({ "id": id, "title": incident.title })),
            }
        }
        fields.done()?;
        if is_dry {
            caller.trail.changes_nothing();
            return Ok(Gone);
        }
        caller.trail.was(before.into());
        let acts = ids.iter().map(|id| Act::DeleteIncident { incident: IncidentId(*id) }).collect();
        let state = history::acts_uncommitted(&mut entry, caller.name(), acts, self.0.now()).await?;
        self.0.commit_entry(entry, &state, caller).await?;
        Ok(Gone)
    }

    /// Shows an incident with its timeline, newest entry first.
    #[oai(path = "/incidents/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<IncidentView>, Problem> {
        Ok(Shown(self.find(IncidentId(id.0)).await?))
    }

    /// Changes an incident without a word to its timeline, unless its status or components change.
    #[oai(path = "/incidents/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<IncidentPatch>,
    ) -> Result<OrWaits<Shown<IncidentView>>, Problem> {
        let (id, patch) = (IncidentId(id.0), body.0);
        let change = Wanted {
            title: patch.title,
            body: None,
            status: patch.status.map(|status| status.0),
            components: patch.components,
            published: patch.published,
            wait_seconds: patch.wait_seconds,
        };
        Ok(match self.change(caller, id, &if_match, change).await? {
            (_, Some(waiting)) => Or::Waits(Accepted(waiting)),
            (_, None) => Or::Done(Shown(self.find(id).await?)),
        })
    }

    /// Removes an incident with its timeline, as if it had never been.
    #[oai(path = "/incidents/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let id = IncidentId(id.0);
        let mut entry = self.0.begin().await?;
        if_match.check(&load(&mut entry.tx, id).await?)?;
        self.0.act(entry, caller, Act::DeleteIncident { incident: id }).await?;
        Ok(Gone)
    }

    /// Adds an entry to an incident's timeline, and tells subscribers.
    #[oai(path = "/incidents/:id/updates", method = "post")]
    async fn add_update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<NewUpdate>,
    ) -> Result<OrWaits<Created<UpdateView>>, Problem> {
        let (id, new) = (IncidentId(id.0), body.0);
        if new.body.trim().is_empty() {
            return Err(Problem::field("body", "must not be empty"));
        }
        let status = new.status.map(|status| status.0);
        let change =
            Wanted { body: Some(new.body), status, components: new.components, wait_seconds: new.wait_seconds, ..Wanted::default() };
        let (recorded, waiting) = self.change(caller, id, &if_match.unrecorded(), change).await?;
        if let Some(waiting) = waiting {
            return Ok(Or::Waits(Accepted(waiting)));
        }
        let update = written(&recorded).and_then(|(_, update)| update).ok_or_else(Problem::internal)?;
        let mut conn = self.0.db.read().await?;
        let mut view = Called::load(&mut conn).await?.update(update.clone());
        view.still_firing = still_firing(&mut conn, id, update.status).await?;
        Ok(Or::Done(Created { location: self.0.location(&format!("incidents/{id}/updates"), update.id), view }))
    }

    /// Shows one entry of an incident's timeline.
    #[oai(path = "/incidents/:id/updates/:update_id", method = "get")]
    async fn show_update(&self, id: Path<i64>, update_id: Path<i64>) -> Result<Shown<UpdateView>, Problem> {
        let mut conn = self.0.db.read().await?;
        let updates = rows::incident_updates(&mut conn, &[IncidentId(id.0)]).await?;
        let found = updates.into_iter().find(|update| update.id.0 == update_id.0);
        let update = found.ok_or_else(|| Problem::not_found("update of this incident"))?;
        Ok(Shown(Called::load(&mut conn).await?.update(update)))
    }

    /// Lets readers see a draft, and tells subscribers. One that they see already is left as it is.
    #[oai(path = "/incidents/:id/publish", method = "post")]
    async fn publish(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Shown<IncidentView>, Problem> {
        let id = IncidentId(id.0);
        let change = Wanted { published: Some(true), ..Wanted::default() };
        self.change(caller, id, &IfMatch::any(), change).await?;
        Ok(Shown(self.find(id).await?))
    }

    /// Keeps an incident from publishing itself: it becomes a draft like any other.
    #[oai(path = "/incidents/:id/veto", method = "post")]
    async fn veto(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Shown<IncidentView>, Problem> {
        let id = IncidentId(id.0);
        let mut entry = self.0.begin().await?;
        load(&mut entry.tx, id).await?;
        self.0.act(entry, caller, Act::Veto { incident: id }).await?;
        Ok(Shown(self.find(id).await?))
    }

    /// Lists what happened to an incident and to the signals behind it, newest first, each with the chain that led to it.
    #[oai(path = "/incidents/:id/changes", method = "get")]
    async fn changes(
        &self,
        id: Path<i64>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<List<ChangeView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        load(&mut conn, IncidentId(id.0)).await?;
        let names = Names::load(&mut conn).await?;
        let rows = history::list(&mut conn, About::Incident(IncidentId(id.0)), paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |row| row.id, |row| names.view(row))))
    }
}

/// What a request wants of an incident that there is.
#[derive(Default)]
struct Wanted {
    title: Option<String>,
    body: Option<String>,
    status: Option<IncidentStatus>,
    components: Option<Vec<Affected>>,
    published: Option<bool>,
    wait_seconds: Option<i64>,
}

impl IncidentsApi {
    async fn find(&self, id: IncidentId) -> Result<IncidentView, Problem> {
        load(&mut self.0.db.read().await?, id).await
    }

    /// What was done, and what waits instead if it is to wait.
    async fn change(
        &self,
        caller: &Caller,
        id: IncidentId,
        if_match: &IfMatch,
        wanted: Wanted,
    ) -> Result<(Vec<Recorded>, Option<WaitingActView>), Problem> {
        let mut entry = self.0.begin().await?;
        if_match.check(&load(&mut entry.tx, id).await?)?;
        let called = Called::load(&mut entry.tx).await?;
        let mut fields = Fields::default();
        title_and_body(&mut fields, wanted.title.as_deref(), wanted.body.as_deref());
        let wait = wait_of(&mut fields, wanted.wait_seconds);
        let edit = IncidentEdit {
            title: wanted.title,
            body: wanted.body,
            status: wanted.status,
            components: wanted.components.map(|list| components(&mut fields, &called, &list)),
            published: wanted.published,
        };
        fields.done()?;
        let act = match wait {
            None => Act::UpdateIncident { incident: id, edit },
            Some(wait) => Act::Wait { incident: Some(id), edit, wait },
        };
        let recorded = self.0.act(entry, caller, act).await?;
        let waiting = waiting::view_of(&recorded, &called);
        Ok((recorded, waiting))
    }
}

/// The incident that was written, and the entry its timeline got: that comes once it is known what changes with it.
fn written(recorded: &[Recorded]) -> Option<(IncidentId, Option<&IncidentUpdate>)> {
    let mut changes = recorded.iter().filter_map(|recorded| match &recorded.change {
        Change::Incident { incident, update } => Some((incident.id, update.as_ref())),
        _ => None,
    });
    let first = changes.next()?;
    let id = first.0;
    Some(std::iter::once(first).chain(changes).find(|(of, update)| *of == id && update.is_some()).unwrap_or((id, None)))
}

async fn load(conn: &mut Connection, id: IncidentId) -> Result<IncidentView, Problem> {
    let incident: Option<Incident> = rows::incidents(conn, Incidents::One(id)).await?.pop();
    let incident = incident.ok_or_else(|| Problem::not_found("incident"))?;
    let updates = rows::incident_updates(conn, &[id]).await?;
    let still_firing = still_firing(conn, id, incident.status).await?;
    let called = Called::load(conn).await?;
    let waiting = storage::waiting::list(conn, Which::About(id)).await?;
    let waiting = waiting.into_iter().map(|act| called.waiting_act(act)).collect();
    Ok(called.incident(incident, Some(updates), still_firing).with_waiting(waiting))
}

/// What still fires in an incident that a person has ended.
async fn still_firing(conn: &mut Connection, incident: IncidentId, status: IncidentStatus) -> Result<Option<String>, Problem> {
    if !status.is_over() {
        return Ok(None);
    }
    Ok(domain::still_firing(&state::causes(conn, Causes::MutedWith(incident)).await?))
}
