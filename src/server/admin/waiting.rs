//! `/waiting-acts`: what people said about incidents and may take back, because nothing of it has left.

use domain::{Act, Change, IncidentStatus, MAX_WAIT, Recorded, Span, WaitState, WaitingAct, WaitingActId};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::ToJSON,
};
use storage::waiting::{self, Which};

use super::{
    Admin,
    fields::Fields,
    gate::Caller,
    incident_views::{Affected, Called},
    problem::Problem,
    reply::{List, Paging, Shown, View},
    types::{Name, Time},
};

pub(super) struct WaitingApi(pub(super) Admin);

/// What somebody said about an incident, and for how long it can be taken back. It is known for a day after that.
#[derive(Object)]
#[oai(rename = "WaitingAct")]
pub(super) struct WaitingActView {
    id: i64,
    /// The id of the incident. One that is to be opened has it from the beginning, and is not found before.
    incident: i64,
    /// Whether it opens the incident.
    opens: bool,
    #[oai(nullable)]
    title: Option<String>,
    /// Markdown.
    #[oai(nullable)]
    body: Option<String>,
    /// Where the incident is to stand; null if that stays as it is.
    #[oai(nullable)]
    status: Option<Name<IncidentStatus>>,
    /// What is to be affected; null if that stays as it is.
    #[oai(nullable)]
    components: Option<Vec<Affected>>,
    /// Whether readers are to see the incident; null if that stays as it is.
    #[oai(nullable)]
    published: Option<bool>,
    /// Who said it.
    by: String,
    since: Time,
    leaves_at: Time,
    state: Name<WaitState>,
    /// Why it was refused when its time came, or taken back where nobody did that by hand.
    #[oai(nullable)]
    reason: Option<String>,
}

impl View for WaitingActView {}

impl Called {
    pub(super) fn waiting_act(&self, act: WaitingAct) -> WaitingActView {
        WaitingActView {
            id: act.id.0,
            incident: act.incident.0,
            opens: act.opens,
            title: act.edit.title,
            body: act.edit.body,
            status: act.edit.status.map(Name),
            components: act.edit.components.map(|components| self.affected(&components)),
            published: act.edit.published,
            by: act.by,
            since: Time(act.since),
            leaves_at: Time(act.leaves_at),
            state: Name(act.state),
            reason: act.reason,
        }
    }
}

/// How long something is to wait, if it is.
pub(super) fn wait_of(fields: &mut Fields, seconds: Option<i64>) -> Option<Span> {
    let seconds = seconds.unwrap_or_default();
    let max = MAX_WAIT.0 / 1000;
    if !(0..=max).contains(&seconds) {
        fields.refuse("wait_seconds", format!("must lie between 0 and {max}"));
        return None;
    }
    (seconds > 0).then_some(Span::secs(seconds))
}

/// What waits because of an act.
pub(super) fn view_of(recorded: &[Recorded], called: &Called) -> Option<WaitingActView> {
    let waiting = recorded.iter().find_map(|recorded| match &recorded.change {
        Change::Waiting { act } if act.state == WaitState::Waiting => Some(act.clone()),
        _ => None,
    });
    waiting.map(|act| called.waiting_act(act))
}

#[OpenApi]
impl WaitingApi {
    /// Lists what waits before it leaves, and what did so within a day, newest first.
    #[oai(path = "/waiting-acts", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<WaitingActView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        let called = Called::load(&mut conn).await?;
        let rows = waiting::list(&mut conn, Which::Page { before: paging.before(), limit: paging.n_wanted() }).await?;
        Ok(Json(paging.list(rows, |act| act.id.0, |act| called.waiting_act(act))))
    }

    /// Shows what was said, and what has become of it.
    #[oai(path = "/waiting-acts/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<WaitingActView>, Problem> {
        self.find(WaitingActId(id.0)).await
    }

    /// Takes back what has not left: nothing of it ever does. What was refused when its time came is put by.
    #[oai(path = "/waiting-acts/:id/take-back", method = "post")]
    async fn take_back(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Shown<WaitingActView>, Problem> {
        self.end(caller, WaitingActId(id.0), WaitState::TakenBack).await
    }

    /// Lets something leave before its time.
    #[oai(path = "/waiting-acts/:id/publish", method = "post")]
    async fn publish(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Shown<WaitingActView>, Problem> {
        self.end(caller, WaitingActId(id.0), WaitState::Left).await
    }
}

impl WaitingApi {
    async fn find(&self, id: WaitingActId) -> Result<Shown<WaitingActView>, Problem> {
        let mut conn = self.0.db.read().await?;
        let act = waiting::find(&mut conn, id).await?.ok_or_else(|| Problem::not_found("waiting act"))?;
        Ok(Shown(Called::load(&mut conn).await?.waiting_act(act)))
    }

    /// Lets something come to an end. What has come to that end already is left as it is.
    async fn end(&self, caller: &Caller, id: WaitingActId, wanted: WaitState) -> Result<Shown<WaitingActView>, Problem> {
        // Under the ledger, so that it does not leave between the look and the act.
        let mut entry = self.0.begin().await?;
        let known = waiting::find(&mut entry.tx, id).await?.ok_or_else(|| Problem::not_found("waiting act"))?;
        let act = match (known.state, wanted) {
            (state, wanted) if state == wanted => {
                caller.trail.changes_nothing();
                drop(entry);
                return self.find(id).await;
            }
            (WaitState::Waiting | WaitState::Refused, WaitState::TakenBack) => Act::TakeBack { waiting: id },
            (WaitState::Waiting, _) => Act::LeaveNow { waiting: id },
            (WaitState::Left, _) => return Err(Problem::conflict("it has left already; post a correction")),
            (WaitState::TakenBack, _) => return Err(Problem::conflict("it was taken back")),
            (WaitState::Refused, _) => return Err(Problem::conflict("it was refused when its time came; write it anew")),
        };
        caller.trail.was(Called::load(&mut entry.tx).await?.waiting_act(known).to_json().unwrap_or_default());
        self.0.act(entry, caller, act).await?;
        self.find(id).await
    }
}
