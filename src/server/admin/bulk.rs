//! `PATCH /components`: several components changed at once, all of them or none.

use domain::{ComponentId, MAX_DESCRIPTION_CHARS};
use poem_openapi::{Object, types::MaybeUndefined};
use storage::components::{self, ComponentEdit};

use super::{
    Admin,
    components::{ComponentView, load, view},
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{List, MAX_LIMIT, View},
    sources::Around,
};

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
    let (ids, n): (Vec<i64>, _) = (changes.iter().map(|change| change.id).collect(), usize::try_from(MAX_LIMIT).unwrap_or_default());
    fields.at_most("", &changes, n);
    let (mut edits, mut before) = (Vec::new(), Vec::new());
    for (i, change) in changes.into_iter().take(n).enumerate() {
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
        before.extend(poem_openapi::types::ToJSON::to_json(&seen));
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
    let mut conn = admin.db.read().await?;
    let around = Around::load(&mut conn).await?;
    let mut items = Vec::with_capacity(edits.len());
    for (id, _) in &edits {
        items.push(view(load(&mut conn, *id).await?, &around));
    }
    Ok(List { items, next: None })
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
