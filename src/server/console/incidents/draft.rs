//! What is typed about an incident, and how readers will see it.

use std::collections::BTreeMap;

use askama::Template;
use domain::{Component, ComponentId, IncidentStatus, Status, WaitingAct};
use poem::{Response, handler, http::StatusCode, web::Data};
use serde_json::{Value, json};
use storage::{Connection, StorageError, components, rows, subscribers};

use crate::{
    console::{Console, failure::Failure, form::Sent, frame::show, words},
    page::markdown,
};

/// What is typed into the form of an incident or of an update.
#[derive(Clone, Debug, Default)]
pub(in crate::console) struct Draft {
    pub(in crate::console) title: String,
    pub(in crate::console) body: String,
    pub(in crate::console) status: Option<IncidentStatus>,
    pub(in crate::console) affected: BTreeMap<ComponentId, Status>,
}

impl From<&Sent> for Draft {
    fn from(sent: &Sent) -> Self {
        Self { title: sent.text("title"), body: sent.text("body"), status: sent.named("status"), affected: sent.affected() }
    }
}

impl From<&WaitingAct> for Draft {
    fn from(act: &WaitingAct) -> Self {
        let edit = act.edit.clone();
        Self {
            title: edit.title.unwrap_or_default(),
            body: edit.body.unwrap_or_default(),
            status: edit.status,
            affected: edit.components.unwrap_or_default(),
        }
    }
}

/// What readers will see, and how many are told.
#[derive(Template)]
#[template(path = "console/incident_preview.html")]
pub(in crate::console) struct Preview {
    title: String,
    status: &'static str,
    class: &'static str,
    affected: Vec<(String, &'static str, &'static str)>,
    /// Clean HTML.
    body: String,
    pub(super) told: String,
}

impl Preview {
    pub(in crate::console) async fn new(conn: &mut Connection, draft: &Draft) -> Result<Self, StorageError> {
        let all = rows::components(conn).await?;
        let shown = all.iter().filter(|component| component.is_visible());
        let shown: Vec<_> = shown.filter_map(|component| Some((component, *draft.affected.get(&component.id)?))).collect();
        let ids: Vec<ComponentId> = shown.iter().map(|(component, _)| component.id).collect();
        let n = match (draft.affected.is_empty(), ids.is_empty()) {
            (true, _) => subscribers::n_told(conn, None).await?,
            (false, true) => 0,
            (false, false) => subscribers::n_told(conn, Some(&ids)).await?,
        };
        let worst = shown.iter().map(|(_, status)| *status).max().filter(|status| *status != Status::Operational);
        Ok(Self {
            title: draft.title.clone(),
            status: words::incident_status(&draft.status.unwrap_or(IncidentStatus::Investigating)),
            class: worst.map_or("notice", Status::as_str),
            affected: shown
                .into_iter()
                .map(|(component, status)| (component.name.clone(), words::status(&status), status.as_str()))
                .collect(),
            body: markdown(&draft.body),
            told: words::told(n),
        })
    }
}

/// What is affected, as the admin API takes it. What is gone meanwhile is left out.
pub(in crate::console) async fn affected(conn: &mut Connection, affected: &BTreeMap<ComponentId, Status>) -> Result<Value, StorageError> {
    let keys = components::keys(conn).await?;
    let one = |(id, status): (&ComponentId, &Status)| Some(json!({ "component": keys.get(id)?, "status": status.as_str() }));
    Ok(affected.iter().filter_map(one).collect())
}

/// What is affected, in words.
pub(in crate::console) fn in_words(all: &[Component], affected: &BTreeMap<ComponentId, Status>) -> String {
    let one = |component: &Component| Some(format!("{}: {}", component.name, affected.get(&component.id)?.words()));
    all.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

#[handler]
pub(super) async fn preview(sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut shown = Preview::new(&mut console.db.read().await?, &Draft::from(&sent)).await?;
    if sent.has("silent") && !sent.has("notify") {
        shown.told = "Nobody is told, unless you tick that they are.".to_owned();
    }
    Ok(show(StatusCode::OK, &shown))
}
