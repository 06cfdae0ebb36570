//! `/console/components`: what the page shows, in which order, and what people say of it against the signals.

use askama::Template;
use domain::{
    Act, Combine, Component, ComponentId, Group, GroupId, MAX_COMPONENTS, MAX_DESCRIPTION_CHARS, MAX_GROUPS, MAX_NAME_CHARS, Override,
    Permission, Resource, Status, key_from_name,
};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{
    Connection, Entry, StorageError, attention, audit, combine,
    components::{self, ComponentEdit},
    dependencies, groups, history, ledger, rows,
};

use super::{
    Console,
    failure::Failure,
    form::{Errors, Sent, from_field},
    frame::{Frame, see_other, show, time},
    gate::{Needs, Table},
    session::Person,
};

pub(super) const PATH: &str = "/console/components";
pub(super) const GONE: Failure = Failure::NotFound("There is no such component, or it was deleted.");

pub(super) fn routes(table: Table) -> Table {
    let (look, write) = (Needs::read(Resource::Components), Needs::write(Resource::Components));
    let (overrule, group) = (Needs::write(Resource::Overrides), Needs::write(Resource::Groups));
    table
        .get(PATH, look, list)
        .post("/console/components/groups", group, add_group)
        .post("/console/components/groups/:id", group, rename_group)
        .post("/console/components/groups/:id/delete", group, delete_group)
        .get("/console/components/new", write, new_form)
        .post("/console/components/new", write, create)
        .get("/console/components/:id", look, one)
        .post("/console/components/:id", write, update)
        .post("/console/components/:id/up", write, up)
        .post("/console/components/:id/down", write, down)
        .post("/console/components/:id/override", overrule, set_override)
        .post("/console/components/:id/override/end", overrule, end_override)
        .post("/console/components/:id/delete", write, delete)
}

/// A heading with what stands below it.
struct Section {
    group: Option<Group>,
    components: Vec<Component>,
}

#[derive(Template)]
#[template(path = "console/components.html")]
struct List<'a> {
    frame: &'a Frame,
    may_write: bool,
    may_group: bool,
    sections: Vec<Section>,
    name: &'a str,
    errors: &'a Errors,
}

async fn page(console: &Console, person: &Person, frame: &Frame, name: &str, errors: &Errors) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let of = |id| all.iter().filter(|component| component.group == id).cloned().collect::<Vec<_>>();
    let headed = groups.into_iter().map(|group| Section { components: of(Some(group.id)), group: Some(group) });
    let sections = headed.chain([Section { group: None, components: of(None) }]);
    let sections = sections.filter(|section| section.group.is_some() || !section.components.is_empty()).collect();
    let may = |resource| person.may(Permission::write(resource));
    let shown = List { frame, may_write: may(Resource::Components), may_group: may(Resource::Groups), sections, name, errors };
    Ok(show(if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &shown))
}

#[handler]
async fn list(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, "", &Errors::default()).await
}

/// What was done, for the audit log.
struct Done<'a> {
    action: &'a str,
    resource: String,
    before: Value,
    after: Value,
}

fn group_fields(name: &str) -> Value {
    json!({ "name": name })
}

fn fields(edit: &ComponentEdit) -> Value {
    let ComponentEdit { name, description, group, position, hidden } = edit;
    json!({ "name": name, "description": description, "group": group.map(|id| id.0), "position": position, "hidden": hidden })
}

impl Console {
    /// Works out what follows from new components or groups, and makes it lasting.
    async fn reconfigure(&self, mut entry: Entry, person: &Person, done: Done<'_>) -> Result<(), StorageError> {
        let (state, _) = history::reconfigured_uncommitted(&mut entry, &person.name, self.now()).await?;
        let Done { action, resource, before, after } = done;
        let row = audit::Entry { by: &person.by(), action, resource: Some(resource), before, after, at: self.now() };
        audit::record(&mut entry.tx, &self.secrets, &row).await?;
        entry.commit(&state).await?;
        self.wake_all().await;
        Ok(())
    }
}

/// A name that may stand on the page.
fn check_name(errors: &mut Errors, name: &str) {
    if name.is_empty() {
        errors.add("name", "Must not be empty.");
    } else if name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control) {
        errors.add("name", format!("May have {MAX_NAME_CHARS} characters, and no line breaks."));
    }
}

/// A key that is free: made from the name, with a number behind it where the name gives none or a taken one.
fn free_key<'a>(name: &str, taken: impl Iterator<Item = &'a str>, kind: &str) -> String {
    let taken: Vec<&str> = taken.collect();
    let stem = key_from_name(name).unwrap_or_else(|| kind.to_owned());
    let numbered = (2..).map(|n: usize| format!("{}-{n}", stem.chars().take(50).collect::<String>()));
    std::iter::once(stem.clone()).chain(numbered).find(|key| !taken.contains(&key.as_str())).unwrap_or(stem)
}

#[handler]
async fn add_group(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let name = sent.text("name");
    let mut errors = Errors::default();
    check_name(&mut errors, &name);
    if !errors.is_empty() {
        return page(console, &person, &frame, &name, &errors).await;
    }
    let mut entry = ledger::begin(&console.db, None).await?;
    let all = rows::groups(&mut entry.tx).await?;
    if all.len() >= MAX_GROUPS {
        return Err(Failure::Conflict(format!("There are {MAX_GROUPS} groups already; no more are possible.")));
    }
    let position = all.iter().map(|group| group.position).max().map_or(0, |last| last.saturating_add(1));
    let key = free_key(&name, all.iter().map(|group| group.key.as_str()), "group");
    let after = group_fields(&name);
    let id = groups::insert(&mut entry.tx, &Group { id: GroupId(0), key, name, parent: None, position }).await?;
    let done = Done { action: "group.create", resource: format!("group:{id}"), before: Value::Null, after };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(PATH))
}

async fn find_group(conn: &mut Connection, id: i64) -> Result<Group, Failure> {
    let all = rows::groups(conn).await?;
    all.into_iter().find(|group| group.id.0 == id).ok_or(Failure::NotFound("There is no such group, or it was deleted."))
}

#[handler]
async fn rename_group(
    person: Person,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let group = find_group(&mut entry.tx, id).await?;
    let (name, mut errors) = (sent.text("name"), Errors::default());
    check_name(&mut errors, &name);
    if !errors.is_empty() {
        drop(entry);
        return page(console, &person, &frame, &name, &errors).await;
    }
    let (before, after) = (group_fields(&group.name), group_fields(&name));
    let done = Done { action: "group.update", resource: format!("group:{}", group.id), before, after };
    groups::update(&mut entry.tx, &Group { name, ..group }).await?;
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(PATH))
}

#[handler]
async fn delete_group(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let group = find_group(&mut entry.tx, id).await?;
    groups::delete(&mut entry.tx, group.id).await?;
    let before = group_fields(&group.name);
    let done = Done { action: "group.delete", resource: format!("group:{}", group.id), before, after: Value::Null };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(PATH))
}

/// What is typed into the form of a component.
#[derive(Clone, Debug, Default)]
struct Typed {
    name: String,
    description: String,
    group: Option<i64>,
    hidden: bool,
}

impl Typed {
    fn new(sent: &Sent) -> Self {
        let (name, description) = (sent.text("name"), sent.text("description"));
        Self { name, description, group: sent.named("group"), hidden: sent.has("hidden") }
    }

    /// Reads it, with what is wrong.
    fn check(&self, groups: &[Group], position: i32) -> Result<ComponentEdit, Errors> {
        let mut errors = Errors::default();
        check_name(&mut errors, &self.name);
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS {
            errors.add("description", format!("May have {MAX_DESCRIPTION_CHARS} characters."));
        }
        if self.description.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
            errors.add("description", "Must not contain control characters.");
        }
        if self.group.is_some_and(|id| groups.iter().all(|group| group.id.0 != id)) {
            errors.add("group", "There is no such group any more.");
        }
        let Self { name, description, group, hidden } = self.clone();
        if errors.is_empty() { Ok(ComponentEdit { name, description, group: group.map(GroupId), position, hidden }) } else { Err(errors) }
    }
}

#[derive(Template)]
#[template(path = "console/component.html")]
struct Form<'a> {
    frame: &'a Frame,
    /// The component; a new one has none.
    component: Option<&'a Component>,
    typed: &'a Typed,
    groups: Vec<Group>,
    errors: &'a Errors,
    may_write: bool,
    may_override: bool,
    /// How what its sources say is combined.
    combine: String,
    /// What it depends on.
    depends_on: Vec<String>,
    until: &'a str,
    /// Alerts that bear on it now.
    n_reasons: usize,
}

impl Form<'_> {
    fn is_in(&self, group: &Group) -> bool {
        self.typed.group == Some(group.id.0)
    }

    fn word(&self) -> Option<String> {
        let word = self.component?.overridden.as_ref()?;
        let until = word.until.map_or_else(|| " until somebody takes it back".to_owned(), |until| format!(" until {}", time(until)));
        Some(format!("{} set it to {}{until}.", word.by, word.status.words()))
    }
}

async fn form(
    console: &Console,
    person: &Person,
    frame: &Frame,
    component: Option<&Component>,
    typed: &Typed,
    (errors, until): (&Errors, &str),
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (mut how, mut depends_on, mut n_reasons) = (String::new(), Vec::new(), 0);
    if let Some(component) = component {
        let names = super::incidents::names(&mut conn).await?;
        how = match combine::all(&mut conn).await?.get(&component.id) {
            None | Some(Combine::Worst) => "The worst of what its sources say.".to_owned(),
            Some(_) => "By a quorum or by weights, as its configuration says.".to_owned(),
        };
        let dependencies = dependencies::all(&mut conn).await?;
        depends_on = dependencies.of(component.id).iter().filter_map(|each| names.get(&each.component).cloned()).collect();
        n_reasons = attention::reasons(&mut conn, &[component.id]).await?.len();
    }
    let shown = Form {
        frame,
        component,
        typed,
        groups: rows::groups(&mut conn).await?,
        errors,
        may_write: person.may(Permission::write(Resource::Components)),
        may_override: person.may(Permission::write(Resource::Overrides)),
        combine: how,
        depends_on,
        until,
        n_reasons,
    };
    Ok(show(if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &shown))
}

#[handler]
async fn new_form(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    form(console, &person, &frame, None, &Typed::default(), (&Errors::default(), "")).await
}

#[handler]
async fn create(person: Person, frame: Frame, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::new(&sent);
    let mut entry = ledger::begin(&console.db, None).await?;
    let groups = rows::groups(&mut entry.tx).await?;
    let position = components::next_position(&mut entry.tx).await?;
    let edit = match typed.check(&groups, position) {
        Ok(edit) => edit,
        Err(errors) => {
            drop(entry);
            return form(console, &person, &frame, None, &typed, (&errors, "")).await;
        }
    };
    let keys = components::keys(&mut entry.tx).await?;
    if keys.len() >= MAX_COMPONENTS {
        return Err(Failure::Conflict(format!("There are {MAX_COMPONENTS} components already; no more are possible.")));
    }
    let key = free_key(&edit.name, keys.values().map(String::as_str), "component");
    let id = components::insert(&mut entry.tx, &key, &edit, console.now()).await?;
    let done = Done { action: "component.create", resource: format!("component:{id}"), before: Value::Null, after: fields(&edit) };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(PATH))
}

pub(super) async fn find(conn: &mut Connection, id: i64) -> Result<Component, Failure> {
    components::find(conn, ComponentId(id)).await?.ok_or(GONE)
}

fn as_it_is(component: &Component) -> Typed {
    let (name, description) = (component.name.clone(), component.description.clone());
    Typed { name, description, group: component.group.map(|id| id.0), hidden: component.hidden }
}

#[handler]
async fn one(person: Person, frame: Frame, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let component = find(&mut console.db.read().await?, id).await?;
    form(console, &person, &frame, Some(&component), &as_it_is(&component), (&Errors::default(), "")).await
}

#[handler]
async fn update(person: Person, frame: Frame, Path(id): Path<i64>, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::new(&sent);
    let mut entry = ledger::begin(&console.db, None).await?;
    let component = find(&mut entry.tx, id).await?;
    match typed.check(&rows::groups(&mut entry.tx).await?, component.position) {
        Ok(edit) => {
            components::update(&mut entry.tx, component.id, &edit).await?;
            let before = fields(&component.clone().into());
            let done = Done { action: "component.update", resource: format!("component:{id}"), before, after: fields(&edit) };
            console.reconfigure(entry, &person, done).await?;
            Ok(see_other(PATH))
        }
        Err(errors) => {
            drop(entry);
            form(console, &person, &frame, Some(&component), &typed, (&errors, "")).await
        }
    }
}

/// Puts a component one place before or behind its neighbour in its group.
async fn step(console: &Console, person: &Person, id: i64, forward: bool) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let group = find(&mut entry.tx, id).await?.group;
    let mut order: Vec<Component> = rows::components(&mut entry.tx).await?.into_iter().filter(|each| each.group == group).collect();
    let at = order.iter().position(|each| each.id.0 == id).ok_or(GONE)?;
    let other = if forward { at + 1 } else { at.saturating_sub(1) };
    if other < order.len() && other != at {
        let place = |at: usize| json!({ "place": at });
        let done = Done { action: "component.update", resource: format!("component:{id}"), before: place(at), after: place(other) };
        order.swap(at, other);
        for (i, component) in order.into_iter().enumerate() {
            let position = i32::try_from(i).unwrap_or(i32::MAX);
            if component.position != position {
                components::update(&mut entry.tx, component.id, &ComponentEdit { position, ..component.into() }).await?;
            }
        }
        console.reconfigure(entry, person, done).await?;
    }
    Ok(see_other(&format!("{PATH}#c-{id}")))
}

#[handler]
async fn up(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, false).await
}

#[handler]
async fn down(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    step(console, &person, id, true).await
}

#[handler]
async fn set_override(
    person: Person,
    frame: Frame,
    Path(id): Path<i64>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let component = find(&mut console.db.read().await?, id).await?;
    let until = sent.text("until");
    let mut errors = Errors::default();
    let end = if until.is_empty() { None } else { from_field(&until) };
    if end.is_none() && !until.is_empty() {
        errors.add("until", "This is not a time like 2026-12-31T23:59.");
    }
    let status: Option<Status> = sent.named("status");
    if status.is_none() {
        errors.add("status", "Choose a status.");
    }
    if let (Some(status), true) = (status, errors.is_empty()) {
        let word = Override { status, until: end, by: String::new() };
        match console.act(&person, Act::Override { component: component.id, overridden: Some(word) }).await {
            Ok(_) => return Ok(see_other(&format!("{PATH}/{id}"))),
            Err(error) => errors = Errors::of_act(error)?,
        }
    }
    form(console, &person, &frame, Some(&component), &as_it_is(&component), (&errors, &until)).await
}

#[handler]
async fn end_override(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let component = find(&mut console.db.read().await?, id).await?;
    console.act(&person, Act::Override { component: component.id, overridden: None }).await?;
    Ok(see_other(&format!("{PATH}/{id}")))
}

#[handler]
async fn delete(person: Person, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut entry = ledger::begin(&console.db, None).await?;
    let component = find(&mut entry.tx, id).await?;
    components::delete(&mut entry.tx, component.id).await?;
    let before = fields(&component.into());
    let done = Done { action: "component.delete", resource: format!("component:{id}"), before, after: Value::Null };
    console.reconfigure(entry, &person, done).await?;
    Ok(see_other(PATH))
}
