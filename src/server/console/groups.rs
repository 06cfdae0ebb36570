//! `/console/components/groups`: headings over components, their order, and taking back that one was deleted.

use domain::{ComponentId, Group, GroupId, MAX_GROUPS, Resource};
use poem::{
    Response, handler,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{
    Connection, StorageError,
    audit::{self, Filter},
    components::{self, ComponentEdit},
    groups, ledger, rows,
};

use super::{
    Console,
    component_list::page,
    components::{Done, PATH, check_name, free_key},
    failure::Failure,
    form::{Errors, Sent},
    frame::{Frame, see_other},
    gate::{Needs, Table},
    order::{arranged, position},
    seen::{Seen, Typed},
    session::Person,
};

/// How the audit log calls what can be taken back.
const DELETED: &str = "group.delete";

pub(super) fn routes(table: Table) -> Table {
    let act = Needs::write(Resource::Groups);
    table
        .post("/console/components/groups", act, add)
        .post("/console/components/groups/order", act, arrange)
        .post("/console/components/groups/restore", act, restore)
        .post("/console/components/groups/:id", act, rename)
        .post("/console/components/groups/:id/delete", act, delete)
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}

fn check(name: &str) -> Errors {
    let mut errors = Errors::default();
    check_name(&mut errors, name);
    errors
}

fn check_count(all: &[Group]) -> Result<(), Failure> {
    if all.len() < MAX_GROUPS {
        return Ok(());
    }
    Err(Failure::Conflict(format!("There are {MAX_GROUPS} groups already; no more are possible.")))
}

#[handler]
async fn add(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let name = sent.text("name");
    let errors = check(&name);
    if !errors.is_empty() {
        return page(console, &person, &frame, &Typed::default(), (&name, None, &errors)).await;
    }
    let mut entry = ledger::begin(&console.db, None).await?;
    let all = rows::groups(&mut entry.tx).await?;
    check_count(&all)?;
    let position = all.iter().map(|group| group.position).max().map_or(0, |last| last.saturating_add(1));
    let key = free_key(&name, all.iter().map(|group| group.key.as_str()), "group");
    let after = named(&name);
    let id = groups::insert(&mut entry.tx, &Group { id: GroupId(0), key, name, parent: None, position }).await?;
    let done = Done { action: "group.create", resource: format!("group:{id}"), before: Value::Null, after };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(&format!("{PATH}#g-{id}")))
}

async fn find(conn: &mut Connection, id: i64) -> Result<Group, Failure> {
    let all = rows::groups(conn).await?;
    all.into_iter().find(|group| group.id.0 == id).ok_or(Failure::NotFound("There is no such group, or it was deleted."))
}

#[handler]
async fn rename(person: Person, frame: Frame, Path(id): Path<i64>, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let group = find(&mut entry.tx, id).await?;
    let name = sent.text("name");
    let errors = check(&name);
    if !errors.is_empty() {
        drop(entry);
        return page(console, &person, &frame, &Typed::default(), (&name, Some(id), &errors)).await;
    }
    let (before, after) = (named(&group.name), named(&name));
    let done = Done { action: "group.update", resource: format!("group:{}", group.id), before, after };
    groups::update(&mut entry.tx, &Group { name, ..group }).await?;
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(&format!("{PATH}#g-{id}")))
}

/// Puts a group before another, or behind all.
#[handler]
async fn arrange(person: Person, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let changed = || Failure::Conflict("The list has changed meanwhile: load it again, and move the group once more.".to_owned());
    let mut entry = ledger::begin(&console.db, None).await?;
    let moved = find(&mut entry.tx, sent.named("group").unwrap_or_default()).await?.id;
    let before = sent.text("before");
    let before = if before.is_empty() { None } else { Some(GroupId(before.parse().map_err(|_| changed())?)) };
    let all = rows::groups(&mut entry.tx).await?;
    let ids: Vec<GroupId> = all.iter().map(|group| group.id).collect();
    let order = arranged(&ids, moved, before).ok_or_else(changed)?;
    if order != ids {
        for (i, id) in order.iter().enumerate() {
            let Some(group) = all.iter().find(|group| group.id == *id && group.position != position(i)) else { continue };
            groups::update(&mut entry.tx, &Group { position: position(i), ..group.clone() }).await?;
        }
        let place = |order: &[GroupId]| json!({ "place": order.iter().position(|id| *id == moved) });
        let done = Done { action: "group.update", resource: format!("group:{moved}"), before: place(&ids), after: place(&order) };
        console.reconfigure(entry, &person, done).await?;
    }
    Ok(see_other(&format!("{PATH}#g-{moved}")))
}

/// Takes a heading away. All that was there stands in the audit log, and can be brought back from there.
#[handler]
async fn delete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let group = find(&mut entry.tx, id).await?;
    let all = rows::components(&mut entry.tx).await?;
    let members: Vec<i64> = all.iter().filter(|component| component.group == Some(group.id)).map(|component| component.id.0).collect();
    groups::delete(&mut entry.tx, group.id).await?;
    let before = json!({
        "key": group.key, "name": group.name, "parent": group.parent.map(|id| id.0), "position": group.position, "components": members,
    });
    let done = Done { action: DELETED, resource: format!("group:{}", group.id), before, after: Value::Null };
    let row = console.reconfigure(entry, &person, done).await?;
    Ok(see_other(&format!("{PATH}?deleted={row}")))
}

/// A group that was deleted, as the audit log has it.
pub(super) struct Restorable {
    /// The number of the row.
    pub(super) entry: i64,
    key: String,
    pub(super) name: String,
    parent: Option<GroupId>,
    position: i32,
    components: Vec<ComponentId>,
}

impl Restorable {
    /// What a row of the log tells, if it tells of a group that was deleted and not brought back.
    pub(super) async fn find(conn: &mut Connection, entry: i64) -> Result<Option<Self>, StorageError> {
        let row =
            audit::list(conn, &Filter { action: Some(DELETED.to_owned()), ..Filter::default() }, entry.saturating_add(1), 1).await?.pop();
        let Some(before) = row.filter(|row| row.id == entry).and_then(|row| row.before) else { return Ok(None) };
        let found = Self {
            entry,
            key: before.text("key").to_owned(),
            name: before.text("name").to_owned(),
            parent: before["parent"].as_i64().map(GroupId),
            position: i32::try_from(before.number("position")).unwrap_or_default(),
            components: before.list("components").iter().filter_map(Value::as_i64).map(ComponentId).collect(),
        };
        let is_back = rows::groups(conn).await?.iter().any(|group| group.key == found.key);
        Ok(Some(found).filter(|found| !is_back && !found.key.is_empty()))
    }
}

/// Brings a group back that was deleted, with those of its components that stand in no group since.
#[handler]
async fn restore(person: Person, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let gone = || Failure::Conflict("This cannot be taken back any more: the group is there again, or its row is gone.".to_owned());
    let mut entry = ledger::begin(&console.db, None).await?;
    let was = Restorable::find(&mut entry.tx, sent.named("entry").unwrap_or_default()).await?.ok_or_else(gone)?;
    let all = rows::groups(&mut entry.tx).await?;
    check_count(&all)?;
    let parent = was.parent.filter(|id| all.iter().any(|group| group.id == *id));
    let group = Group { id: GroupId(0), key: was.key, name: was.name, parent, position: was.position };
    let id = groups::insert(&mut entry.tx, &group).await?;
    let mut back = Vec::new();
    for component in rows::components(&mut entry.tx).await? {
        if component.group.is_none() && was.components.contains(&component.id) {
            back.push(component.id.0);
            components::update(&mut entry.tx, component.id, &ComponentEdit { group: Some(id), ..component.into() }).await?;
        }
    }
    let after = json!({ "name": group.name, "components": back });
    let done = Done { action: "group.create", resource: format!("group:{id}"), before: Value::Null, after };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(&format!("{PATH}#g-{id}")))
}
