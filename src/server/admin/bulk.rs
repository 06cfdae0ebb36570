//! What is done to several things at once: to all of them or to none, in one transaction.

use std::{collections::HashSet, fmt::Display};

use domain::{Act, ComponentId, MAX_DESCRIPTION_CHARS, Override, Status};
use poem_openapi::{
    Object,
    types::{MaybeUndefined, ToJSON},
};
use serde_json::{Value, json};
use storage::{
    Connection,
    components::{self, ComponentEdit},
    history,
};

use super::{
    Admin,
    components::{ComponentView, load, view},
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{List, View},
    sources::Around,
    types::{Name, Time},
};

/// The most things that one request changes.
pub(crate) const MAX_AT_ONCE: usize = 200;

/// Several things of one kind.
#[derive(Object)]
pub(super) struct Several {
    /// Their ids: each once, at most 200.
    pub(super) ids: Vec<i64>,
    /// Only says whether it could be done: nothing is changed.
    dry_run: Option<bool>,
}

impl Several {
    /// Whether nothing is to be changed.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_run == Some(true)
    }
}

/// Holds ids to what a request may name: at least one, each once, and not too many.
pub(super) fn check_ids(fields: &mut Fields, ids: &[i64]) {
    if ids.is_empty() {
        fields.refuse("ids", "must name at least one");
    }
    fields.at_most("ids", ids, MAX_AT_ONCE);
    let mut seen = HashSet::new();
    for (i, id) in ids.iter().enumerate().take(MAX_AT_ONCE) {
        if !seen.insert(id) {
            fields.refuse(format!("ids[{i}]"), "stands here twice");
        }
    }
}

/// Refuses an id that nothing has, by its place in the list.
pub(super) fn refuse_missing(fields: &mut Fields, i: usize, kind: &str, id: impl Display) {
    fields.refuse(format!("ids[{i}]"), format!("there is no {kind} {id}"));
}

/// A person's word on several components.
#[derive(Object)]
pub(super) struct NewOverrides {
    /// The ids of components: each once, at most 200.
    ids: Vec<i64>,
    /// Null gives them back to what signals say.
    #[oai(nullable)]
    status: MaybeUndefined<Name<Status>>,
    /// When it ends by itself; null or left out for never.
    #[oai(nullable)]
    until: Option<Time>,
    /// Only shows them as they would be: nothing is changed.
    dry_run: Option<bool>,
}

/// Overrules what signals say about them, or ceases to, and shows them as they are then.
pub(super) async fn overrule(admin: &Admin, caller: &Caller, wanted: NewOverrides) -> Result<List<ComponentView>, Problem> {
    let (ids, mut fields) = (wanted.ids, Fields::default());
    check_ids(&mut fields, &ids);
    let word = match wanted.status {
        MaybeUndefined::Undefined => {
            fields.refuse("status", "is needed; null gives them back to the signals");
            None
        }
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(status) => Some(Override { status: status.0, until: wanted.until.map(|until| until.0), by: String::new() }),
    };
    fields.done()?;
    let (mut entry, mut fields, mut before) = (admin.begin().await?, Fields::default(), Vec::new());
    for (i, id) in ids.iter().enumerate() {
        match components::find(&mut entry.tx, ComponentId(*id)).await? {
            Some(component) => before.push(json!({ "id": id, "override": component.overridden.map(|word| word.status.as_str()) })),
            None => refuse_missing(&mut fields, i, "component", id),
        }
    }
    fields.done()?;
    caller.trail.was(before.into());
    let act = |id: &i64| Act::Override { component: ComponentId(*id), overridden: word.clone() };
    let state = history::acts_uncommitted(&mut entry, caller.name(), ids.iter().map(act).collect(), admin.now()).await?;
    let changed = ids.iter().map(|id| ComponentId(*id));
    if wanted.dry_run == Some(true) {
        caller.trail.changes_nothing();
        return as_they_are(&mut entry.tx, changed).await;
    }
    admin.commit_entry(entry, &state, caller).await?;
    as_they_are(&mut admin.db.read().await?, changed).await
}

async fn as_they_are(conn: &mut Connection, ids: impl Iterator<Item = ComponentId>) -> Result<List<ComponentView>, Problem> {
    let around = Around::load(conn).await?;
    let mut items = Vec::new();
    for id in ids {
        items.push(view(load(conn, id).await?, &around));
    }
    Ok(List { items, next: None })
}

/// What is to be changed about one of several components; what is left out stays.
#[derive(Object)]
pub(super) struct ComponentChange {
    id: i64,
    /// The `ETag` of the state that the client has seen; another one is answered 412, and nothing is changed.
    etag: Option<String>,
    name: Option<String>,
    description: Option<String>,
    /// The key of a group; null for none.
    #[oai(nullable)]
    group: MaybeUndefined<String>,
    position: Option<i32>,
    hidden: Option<bool>,
}

/// Changes them in one transaction, and shows them as they are then.
pub(super) async fn update(admin: &Admin, caller: &Caller, changes: Vec<ComponentChange>) -> Result<List<ComponentView>, Problem> {
    let mut entry = admin.begin().await?;
    let around = Around::load(&mut entry.tx).await?;
    let (groups, mut fields) = (by_key(&around.groups), Fields::default());
    let ids: Vec<i64> = changes.iter().map(|change| change.id).collect();
    fields.at_most("", &changes, MAX_AT_ONCE);
    let (mut edits, mut before) = (Vec::new(), Vec::new());
    for (i, change) in changes.into_iter().take(MAX_AT_ONCE).enumerate() {
        if ids[..i].contains(&change.id) {
            fields.refuse(format!("[{i}].id"), "stands here twice");
            continue;
        }
        let Some(component) = components::find(&mut entry.tx, ComponentId(change.id)).await? else {
            fields.refuse(format!("[{i}].id"), format!("there is no component {}", change.id));
            continue;
        };
        let seen = view(component.clone(), &around);
        if change.etag.as_deref().is_some_and(|etag| etag != seen.etag()) {
            return Err(Problem::changed_since(&format!("component {}", change.id)));
        }
        before.push(brief(&seen, &change));
        let mut edit = ComponentEdit::from(component);
        read(&mut fields, &format!("[{i}]"), &groups, change, &mut edit);
        edits.push((ComponentId(ids[i]), edit));
    }
    fields.done()?;
    for (id, edit) in &edits {
        components::update(&mut entry.tx, *id, edit).await?;
    }
    caller.trail.was(before.into());
    admin.finish(entry, caller).await?;
    as_they_are(&mut admin.db.read().await?, edits.iter().map(|(id, _)| *id)).await
}

/// What is changed about a component, as it was: the log keeps only so much of one act.
fn brief(was: &ComponentView, change: &ComponentChange) -> Value {
    let (Some(Value::Object(was)), Some(Value::Object(change))) = (was.to_json(), change.to_json()) else { return Value::Null };
    let is_named = |name: &str| name == "id" || change.get(name).is_some_and(|value| !value.is_null()) || name == "group";
    Value::Object(was.into_iter().filter(|(name, _)| is_named(name)).collect())
}

fn read(
    fields: &mut Fields,
    at: &str,
    groups: &std::collections::HashMap<String, domain::GroupId>,
    change: ComponentChange,
    edit: &mut ComponentEdit,
) {
    if let Some(name) = change.name {
        edit.name = fields.name(&format!("{at}.name"), &name);
    }
    if let Some(description) = change.description {
        edit.description = fields.text(&format!("{at}.description"), &description, MAX_DESCRIPTION_CHARS);
    }
    match change.group {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => edit.group = None,
        MaybeUndefined::Value(key) => edit.group = fields.reference(&format!("{at}.group"), "group", groups, &key),
    }
    edit.position = change.position.unwrap_or(edit.position);
    edit.hidden = change.hidden.unwrap_or(edit.hidden);
}
