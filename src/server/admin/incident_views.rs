//! How incidents and their timelines are written and read.

use std::collections::{BTreeMap, HashMap};

use domain::{ComponentId, Impact, Incident, IncidentStatus, IncidentUpdate, MAX_BODY_CHARS, MAX_COMPONENTS, MAX_TITLE_CHARS, Status};
use poem_openapi::Object;
use storage::{Connection, components};

use super::{
    changes::Names,
    fields::{Fields, by_key},
    problem::Problem,
    reply::View,
    types::{Name, Time},
    waiting::WaitingActView,
};

/// A component, and how it is affected.
#[derive(Object)]
pub(super) struct Affected {
    /// The key of the component.
    component: String,
    status: Name<Status>,
}

/// An incident. Lists leave out its timeline.
#[derive(Object)]
#[oai(rename = "Incident")]
pub(super) struct IncidentView {
    id: i64,
    title: String,
    status: Name<IncidentStatus>,
    /// How bad it is at its worst; follows from the components.
    impact: Name<Impact>,
    /// False while it is a draft that only the team sees.
    published: bool,
    /// When it publishes itself, unless somebody vetoes it or it is over before; null if it does not.
    #[oai(nullable)]
    publishes_at: Option<Time>,
    /// Whether somebody has vetoed its publication.
    vetoed: bool,
    /// The route that opened it, by its integration's key and its place; null if a person did.
    #[oai(nullable)]
    opened_by: Option<String>,
    /// The worst that each component had in it.
    components: Vec<Affected>,
    started_at: Time,
    #[oai(nullable)]
    resolved_at: Option<Time>,
    updated_at: Time,
    /// When it was added, if it had been over by then: nobody was notified of it.
    #[oai(skip_serializing_if_is_none)]
    added_at: Option<Time>,
    /// Set where a person ended the incident while alerts that belong to it still fire: which, and what becomes of them.
    #[oai(skip_serializing_if_is_none)]
    still_firing: Option<String>,
    /// The timeline, newest first.
    #[oai(skip_serializing_if_is_none)]
    updates: Option<Vec<UpdateView>>,
    /// What was said about it and has not left, if something has not.
    #[oai(skip_serializing_if_is_none)]
    waiting: Option<Vec<WaitingActView>>,
}

impl View for IncidentView {}

impl IncidentView {
    /// With what waits about it.
    pub(super) fn with_waiting(self, waiting: Vec<WaitingActView>) -> Self {
        Self { waiting: Some(waiting).filter(|waiting| !waiting.is_empty()), ..self }
    }
}

/// An entry of an incident's timeline.
#[derive(Object)]
#[oai(rename = "IncidentUpdate")]
pub(super) struct UpdateView {
    id: i64,
    /// Where the incident stood from then on.
    status: Name<IncidentStatus>,
    /// Markdown, as written.
    body: String,
    /// What changed for components with it.
    components: Vec<MovedView>,
    at: Time,
    /// Who wrote it: a person's or a token's name, or `fanal` for the evaluator.
    by: String,
    /// When it was written anew, if it was.
    #[oai(skip_serializing_if_is_none)]
    edited_at: Option<Time>,
    /// In the answer to an entry that ends the incident: the alerts that still fire, and what becomes of them.
    #[oai(skip_serializing_if_is_none)]
    pub(super) still_firing: Option<String>,
}

impl View for UpdateView {}

/// A component that went from one status to another.
#[derive(Object)]
struct MovedView {
    /// The key of the component.
    component: String,
    from: Name<Status>,
    to: Name<Status>,
}

/// What ids are called.
pub(super) struct Called {
    keys: HashMap<ComponentId, String>,
    names: Names,
}

impl Called {
    pub(super) async fn load(conn: &mut Connection) -> Result<Self, Problem> {
        Ok(Self { keys: components::keys(conn).await?, names: Names::load(conn).await? })
    }

    /// The component of this key, as a filter names it.
    pub(super) fn component(&self, key: &str) -> Result<ComponentId, Problem> {
        of_key(&self.keys, key)
    }

    pub(super) fn affected(&self, components: &BTreeMap<ComponentId, Status>) -> Vec<Affected> {
        let affected =
            |(id, status): (&ComponentId, &Status)| Some(Affected { component: self.keys.get(id)?.clone(), status: Name(*status) });
        components.iter().filter_map(affected).collect()
    }

    pub(super) fn incident(&self, incident: Incident, updates: Option<Vec<IncidentUpdate>>, still_firing: Option<String>) -> IncidentView {
        IncidentView {
            id: incident.id.0,
            status: Name(incident.status),
            impact: Name(incident.impact),
            published: incident.published,
            publishes_at: incident.pending().map(Time),
            vetoed: incident.vetoed,
            opened_by: incident.opened_by.map(|id| self.names.route(id)),
            components: self.affected(&incident.components),
            started_at: Time(incident.started_at),
            resolved_at: incident.resolved_at.map(Time),
            updated_at: Time(incident.updated_at),
            added_at: incident.added_at.map(Time),
            still_firing,
            updates: updates.map(|updates| updates.into_iter().map(|update| self.update(update)).collect()),
            waiting: None,
            title: incident.title,
        }
    }

    pub(super) fn update(&self, update: IncidentUpdate) -> UpdateView {
        let moved = update.components.iter().filter_map(|change| {
            let component = self.keys.get(&change.component)?.clone();
            Some(MovedView { component, from: Name(change.from), to: Name(change.to) })
        });
        UpdateView {
            id: update.id.0,
            status: Name(update.status),
            components: moved.collect(),
            at: Time(update.at),
            body: update.body,
            by: update.by,
            edited_at: update.edited_at.map(Time),
            still_firing: None,
        }
    }
}

/// The components that a request names.
pub(super) fn components(fields: &mut Fields, called: &Called, list: &[Affected]) -> BTreeMap<ComponentId, Status> {
    fields.at_most("components", list, MAX_COMPONENTS);
    let ids = by_key(&called.keys);
    let mut found = BTreeMap::new();
    for (i, affected) in list.iter().enumerate() {
        let field = format!("components[{i}].component");
        let Some(id) = fields.reference(&field, "component", &ids, &affected.component) else { continue };
        if found.insert(id, affected.status.0).is_some() {
            fields.refuse(field, format!("`{}` is named twice", affected.component));
        }
    }
    found
}

/// Checks what can be checked before the state is read.
pub(super) fn title_and_body(fields: &mut Fields, title: Option<&str>, body: Option<&str>) {
    if let Some(title) = title {
        fields.line("title", title, MAX_TITLE_CHARS, true);
    }
    if let Some(body) = body {
        fields.text("body", body, MAX_BODY_CHARS);
    }
}

/// The component of a key, as a filter names it.
pub(super) fn of_key(keys: &HashMap<ComponentId, String>, key: &str) -> Result<ComponentId, Problem> {
    let found = keys.iter().find(|(_, known)| *known == key).map(|(id, _)| *id);
    found.ok_or_else(|| Problem::field("component", "is not the key of a component"))
}
