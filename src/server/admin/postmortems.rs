//! `/incidents/{id}/postmortem`: what was learned from an incident that is over.
//!
//! A draft is written beside what readers see, if they see one already; publishing puts it in its place.

use domain::{Act, Incident, IncidentId, IncidentUpdate, MAX_BODY_CHARS, PostmortemDraft, postmortem_of};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path};
use storage::{
    Connection, Entry, postmortems,
    rows::{self, Incidents},
};

use super::{
    Admin,
    body::Body,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Gone, IfMatch, Shown, View},
    types::Time,
};

pub(super) struct PostmortemsApi(pub(super) Admin);

/// What was learned from an incident: what readers see, and what is being written.
#[derive(Object)]
#[oai(rename = "Postmortem")]
struct PostmortemView {
    /// The id of the incident.
    incident: i64,
    /// What is being written, in Markdown; only the team sees it. Null if nothing is.
    #[oai(nullable)]
    draft: Option<String>,
    /// Who wrote it last.
    #[oai(nullable)]
    draft_by: Option<String>,
    #[oai(nullable)]
    draft_updated_at: Option<Time>,
    /// What readers see; null until it is published.
    #[oai(nullable)]
    body: Option<String>,
    /// Who published it.
    #[oai(nullable)]
    by: Option<String>,
    #[oai(nullable)]
    published_at: Option<Time>,
    /// When it was published anew, if it was.
    #[oai(nullable)]
    edited_at: Option<Time>,
}

impl View for PostmortemView {}

/// What is to be written.
#[derive(Object)]
#[oai(rename = "PostmortemDraft")]
struct DraftBody {
    /// Markdown.
    body: String,
}

/// How a postmortem is published.
#[derive(Object)]
#[oai(rename = "PostmortemPublication")]
struct Publication {
    /// Whether subscribers are told; false if it is left out.
    notify: Option<bool>,
}

#[OpenApi]
impl PostmortemsApi {
    /// Shows what was learned from an incident: the draft, and what readers see.
    #[oai(path = "/incidents/:id/postmortem", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<PostmortemView>, Problem> {
        let mut conn = self.0.db.read().await?;
        Ok(Shown(Postmortem::load(&mut conn, id.0).await?.view()))
    }

    /// Keeps a draft. Readers go on seeing what they see.
    #[oai(path = "/incidents/:id/postmortem", method = "put")]
    async fn save(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<DraftBody>,
    ) -> Result<Shown<PostmortemView>, Problem> {
        let mut tx = self.0.db.begin().await?;
        let found = Postmortem::load(&mut tx, id.0).await?;
        if_match.check(&found.view())?;
        found.check_over()?;
        let mut fields = Fields::default();
        let body = fields.text("body", &body.0.body, MAX_BODY_CHARS);
        if body.is_empty() {
            fields.refuse("body", "must not be empty");
        }
        fields.done()?;
        let draft = PostmortemDraft { incident: found.incident.id, body, by: caller.name().to_owned(), updated_at: self.0.now() };
        postmortems::save(&mut tx, &draft).await?;
        self.0.commit(tx, caller).await?;
        Ok(Shown(Postmortem { draft: Some(draft), ..found }.view()))
    }

    /// Removes the draft, and what readers see.
    #[oai(path = "/incidents/:id/postmortem", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut tx = self.0.db.begin().await?;
        let found = Postmortem::load(&mut tx, id.0).await?;
        if_match.check(&found.view())?;
        if found.entry.is_none() {
            if !postmortems::delete(&mut tx, found.incident.id).await? {
                return Err(Problem::not_found("postmortem"));
            }
            self.0.commit(tx, caller).await?;
            return Ok(Gone);
        }
        drop(tx);
        let mut entry = self.0.begin().await?;
        let found = Postmortem::load(&mut entry.tx, id.0).await?;
        if_match.check(&found.view())?;
        let published = found.entry.ok_or_else(|| Problem::changed_since("it"))?;
        postmortems::delete(&mut entry.tx, found.incident.id).await?;
        self.0.act(entry, caller, Act::WithdrawPostmortem { incident: found.incident.id, entry: published.id }).await?;
        Ok(Gone)
    }

    /// Lets readers see the draft, in place of what they see so far. It is an entry of the incident's timeline.
    #[oai(path = "/incidents/:id/postmortem/publish", method = "post")]
    async fn publish(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<Publication>,
    ) -> Result<Shown<PostmortemView>, Problem> {
        let mut entry = self.0.begin().await?;
        let found = Postmortem::load(&mut entry.tx, id.0).await?;
        if_match.check(&found.view())?;
        found.check_over()?;
        let draft = found.draft.ok_or_else(|| Problem::conflict("there is no draft to be published"))?;
        postmortems::delete(&mut entry.tx, draft.incident).await?;
        let act = Act::PublishPostmortem {
            incident: draft.incident,
            entry: found.entry,
            body: draft.body,
            notify: body.0.notify.unwrap_or(false),
        };
        self.done(entry, caller, act, draft.incident).await
    }

    /// Takes it from readers again. What they saw becomes the draft, unless there is one.
    #[oai(path = "/incidents/:id/postmortem/unpublish", method = "post")]
    async fn unpublish(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Shown<PostmortemView>, Problem> {
        let mut entry = self.0.begin().await?;
        let found = Postmortem::load(&mut entry.tx, id.0).await?;
        if_match.check(&found.view())?;
        let published = found.entry.ok_or_else(|| Problem::conflict("readers do not see one"))?;
        let incident = found.incident.id;
        if found.draft.is_none() {
            let draft = PostmortemDraft { incident, body: published.body, by: published.by, updated_at: self.0.now() };
            postmortems::save(&mut entry.tx, &draft).await?;
        }
        self.done(entry, caller, Act::WithdrawPostmortem { incident, entry: published.id }, incident).await
    }
}

impl PostmortemsApi {
    async fn done(&self, entry: Entry, caller: &Caller, act: Act, incident: IncidentId) -> Result<Shown<PostmortemView>, Problem> {
        self.0.act(entry, caller, act).await?;
        let mut conn = self.0.db.read().await?;
        Ok(Shown(Postmortem::load(&mut conn, incident.0).await?.view()))
    }
}

/// What there is of a postmortem.
struct Postmortem {
    incident: Incident,
    draft: Option<PostmortemDraft>,
    /// What readers see.
    entry: Option<IncidentUpdate>,
}

impl Postmortem {
    async fn load(conn: &mut Connection, id: i64) -> Result<Self, Problem> {
        let id = IncidentId(id);
        let incident = rows::incidents(conn, Incidents::One(id)).await?.pop().ok_or_else(|| Problem::not_found("incident"))?;
        let updates = rows::incident_updates(conn, &[id]).await?;
        Ok(Self { incident, draft: postmortems::find(conn, id).await?, entry: postmortem_of(&updates).cloned() })
    }

    fn check_over(&self) -> Result<(), Problem> {
        if self.incident.status.is_over() {
            Ok(())
        } else {
            Err(Problem::conflict("the incident is open, and a postmortem is for one that is over; resolve it first"))
        }
    }

    fn view(&self) -> PostmortemView {
        let (draft, entry) = (self.draft.as_ref(), self.entry.as_ref());
        PostmortemView {
            incident: self.incident.id.0,
            draft: draft.map(|draft| draft.body.clone()),
            draft_by: draft.map(|draft| draft.by.clone()),
            draft_updated_at: draft.map(|draft| Time(draft.updated_at)),
            body: entry.map(|entry| entry.body.clone()),
            by: entry.map(|entry| entry.by.clone()),
            published_at: entry.map(|entry| Time(entry.at)),
            edited_at: entry.and_then(|entry| entry.edited_at).map(Time),
        }
    }
}
