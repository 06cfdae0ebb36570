//! `/console/components/…`: one component, where it stands, and what people say of it against the signals.

use askama::Template;
use domain::{
    Act, Combine, Component, ComponentId, Group, GroupId, MAX_COMPONENTS, MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, Override, Permission,
    Resource, Status, key_from_name,
};
use poem::{
    Response, handler,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::{
    Connection, Entry, StorageError, attention, audit, combine,
    components::{self, ComponentEdit},
    dependencies, history, ledger, rows,
};

use super::{
    Console,
    failure::Failure,
    form::{Errors, Sent},
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    meanwhile::{Field, Meanwhile, Version},
    session::Person,
    zone::{from_field, time},
};

pub(super) const PATH: &str = "/console/components";
pub(super) const GONE: Failure = Failure::NotFound("There is no such component, or it was deleted.");

pub(super) fn routes(table: Table) -> Table {
    let (look, write) = (Needs::read(Resource::Components), Needs::write(Resource::Components));
    let overrule = Needs::write(Resource::Overrides);
    table
        .get("/console/components/new", write, new_form)
        .post("/console/components/new", write, create)
        .get("/console/components/:id", look, one)
        .post("/console/components/:id", write, update)
        .post("/console/components/:id/override", overrule, set_override)
        .post("/console/components/:id/override/end", overrule, end_override)
        .post("/console/components/:id/delete", write.fresh(), delete)
}

/// What was done, for the audit log.
pub(super) struct Done<'a> {
    pub(super) action: &'a str,
    pub(super) resource: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

fn fields(edit: &ComponentEdit) -> Value {
    let ComponentEdit { name, description, group, position, hidden } = edit;
    json!({ "name": name, "description": description, "group": group.map(|id| id.0), "position": position, "hidden": hidden })
}

impl Console {
    /// Works out what follows from new components or groups, and makes it lasting; gives the number of its row in the audit log.
    pub(super) async fn reconfigure(&self, mut entry: Entry, person: &Person, done: Done<'_>) -> Result<i64, StorageError> {
        let (state, _) = history::reconfigured_uncommitted(&mut entry, &person.name, self.now()).await?;
        let Done { action, resource, before, after } = done;
        let row = audit::Entry { by: &person.by(), action, resource: Some(resource), before, after, at: self.now() };
        let id = audit::record(&mut entry.tx, &self.secrets, &row).await?;
        entry.commit(&state).await?;
        self.wake_all().await;
        Ok(id)
    }
}

/// A name that may stand on the page.
pub(super) fn check_name(errors: &mut Errors, name: &str) {
    if name.is_empty() {
        errors.add("name", "Must not be empty.");
    } else if name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control) {
        errors.add("name", format!("May have {MAX_NAME_CHARS} characters, and no line breaks."));
    }
}

/// A key that is free: made from the name, with a number behind it where the name gives none or a taken one.
pub(super) fn free_key<'a>(name: &str, taken: impl Iterator<Item = &'a str>, kind: &str) -> String {
    let taken: Vec<&str> = taken.collect();
    let stem = key_from_name(name).unwrap_or_else(|| kind.to_owned());
    let numbered = (2..).map(|n: usize| format!("{}-{n}", stem.chars().take(50).collect::<String>()));
    std::iter::once(stem.clone()).chain(numbered).find(|key| !taken.contains(&key.as_str())).unwrap_or(stem)
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

    fn fields(&self, groups: &[Group]) -> Vec<Field> {
        let group = groups.iter().find(|group| Some(group.id.0) == self.group);
        vec![
            Field::new("name", "Its name", self.name.clone()),
            Field::new("description", "Its description", self.description.clone()),
            Field::new("group", "Its group", group.map(|group| group.name.clone()).unwrap_or_default()),
            Field::new("hidden", "Who sees it", if self.hidden { "only the team" } else { "readers" }),
        ]
    }

    /// Puts in what somebody else has changed meanwhile and whoever typed has not touched.
    fn merge(&mut self, opened: &Version, theirs: &Self, groups: &[Group]) -> Meanwhile {
        let mine = self.fields(groups);
        let typed = |name: &str| mine.iter().find(|field| field.name == name).map(|field| field.value.clone());
        let meanwhile = Meanwhile::new(opened, theirs.fields(groups), typed);
        meanwhile.fill("name", &mut self.name);
        meanwhile.fill("description", &mut self.description);
        if meanwhile.taken("group").is_some() {
            self.group = theirs.group;
        }
        if meanwhile.taken("hidden").is_some() {
            self.hidden = theirs.hidden;
        }
        meanwhile
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
    version: Version,
    meanwhile: Option<Meanwhile>,
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
    form_since(console, person, frame, component, typed, (errors, until), None).await
}

/// The form, with what somebody else has changed since it was opened.
async fn form_since(
    console: &Console,
    person: &Person,
    frame: &Frame,
    component: Option<&Component>,
    typed: &Typed,
    (errors, until): (&Errors, &str),
    meanwhile: Option<Meanwhile>,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (mut how, mut depends_on, mut n_reasons) = (String::new(), Vec::new(), 0);
    if let Some(component) = component {
        let names = super::incidents::names(&mut conn).await?;
        how = match combine::all(&mut conn).await?.get(&component.id) {
            None | Some(Combine::Worst) => "The worst of what its sources say.".to_owned(),
            Some(_) => "By a quorum or by weights.".to_owned(),
        };
        let dependencies = dependencies::all(&mut conn).await?;
        depends_on = dependencies.of(component.id).iter().filter_map(|each| names.get(&each.component).cloned()).collect();
        n_reasons = attention::reasons(&mut conn, &[component.id]).await?.len();
    }
    let groups = rows::groups(&mut conn).await?;
    let status = errors.status(meanwhile.is_some());
    let shown = Form {
        version: component.map(|component| Version::new("", &as_it_is(component).fields(&groups))).unwrap_or_default(),
        meanwhile,
        frame,
        component,
        typed,
        groups,
        errors,
        may_write: person.may(Permission::write(Resource::Components)),
        may_override: person.may(Permission::write(Resource::Overrides)),
        combine: how,
        depends_on,
        until,
        n_reasons,
    };
    Ok(show(status, &shown))
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
    let mut typed = Typed::new(&sent);
    let mut entry = ledger::begin(&console.db, None).await?;
    let component = find(&mut entry.tx, id).await?;
    let groups = rows::groups(&mut entry.tx).await?;
    // Only what the form shows is compared: signals change the rest all the time.
    if let Some(opened) = sent.has("was").then(|| sent.version()) {
        let meanwhile = typed.merge(&opened, &as_it_is(&component), &groups);
        if !meanwhile.changed.is_empty() {
            drop(entry);
            return form_since(console, &person, &frame, Some(&component), &typed, (&Errors::default(), ""), Some(meanwhile)).await;
        }
    }
    match typed.check(&groups, component.position) {
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
