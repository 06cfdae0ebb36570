//! `/components`: what the page shows, and why it says what it says.

use domain::{Act, Combine, Component, ComponentId, MAX_COMPONENTS, MAX_DESCRIPTION_CHARS, Override, Status};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::MaybeUndefined,
};
use storage::{
    Connection,
    components::{self, ComponentEdit},
    history::{self, About},
    order::Order,
};

use super::{
    Admin,
    body::Body,
    bulk::{self, ComponentChange, NewOverrides},
    changes::{ChangeView, Names},
    check_count,
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
    sorting,
    sources::{Around, CombineBody, DependencyBody},
    types::{Name, Sort, Time},
};

pub(super) struct ComponentsApi(pub(super) Admin);

/// A thing that the page shows.
#[derive(Object)]
#[oai(rename = "Component")]
pub(super) struct ComponentView {
    id: i64,
    /// Its name in references and configuration files.
    key: String,
    name: String,
    description: String,
    /// The key of the group it stands in.
    #[oai(nullable)]
    group: Option<String>,
    /// Order within its group, smallest first.
    position: i32,
    /// Whether readers may not see it.
    hidden: bool,
    /// What the page says.
    status: Name<Status>,
    status_since: Time,
    /// What all signals together say, published or not.
    internal_status: Name<Status>,
    /// A person's word that outranks the signals.
    #[oai(nullable)]
    r#override: Option<OverrideView>,
    /// How what several integrations say becomes one status; null for the worst of them.
    #[oai(nullable)]
    combine: Option<CombineBody>,
    /// The components that it depends on.
    depends_on: Vec<DependencyBody>,
    /// The keys of those that its trouble comes from, hidden ones too.
    caused_by: Vec<String>,
    created_at: Time,
}

impl View for ComponentView {}

#[derive(Object)]
#[oai(rename = "Override")]
struct OverrideView {
    status: Name<Status>,
    /// When it ends by itself.
    #[oai(nullable)]
    until: Option<Time>,
    /// Who said so.
    by: String,
}

/// A component to be made.
#[derive(Object)]
struct NewComponent {
    /// Made from the name if it is left out.
    key: Option<String>,
    name: String,
    description: Option<String>,
    /// The key of a group.
    #[oai(nullable)]
    group: Option<String>,
    /// Behind all others if it is left out.
    position: Option<i32>,
    hidden: Option<bool>,
    /// How what several integrations say becomes one status; the worst of them if it is null or left out.
    #[oai(nullable)]
    combine: Option<CombineBody>,
    /// The components that it depends on.
    depends_on: Option<Vec<DependencyBody>>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct ComponentPatch {
    name: Option<String>,
    description: Option<String>,
    /// The key of a group; null for none.
    #[oai(nullable)]
    group: MaybeUndefined<String>,
    position: Option<i32>,
    hidden: Option<bool>,
    /// How what several integrations say becomes one status; null for the worst of them.
    #[oai(nullable)]
    combine: MaybeUndefined<CombineBody>,
    /// All components that it depends on: what is left out is gone.
    depends_on: Option<Vec<DependencyBody>>,
}

/// A person's word.
#[derive(Object)]
struct NewOverride {
    status: Name<Status>,
    /// When it ends by itself; null or left out for never.
    #[oai(nullable)]
    until: Option<Time>,
}

#[OpenApi]
impl ComponentsApi {
    /// Lists components, hidden ones too.
    #[oai(path = "/components", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        /// By what they are ordered; by id if it is left out.
        sort: Query<Option<Sort<Component>>>,
    ) -> Result<Json<List<ComponentView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::oldest())?;
        let mut conn = self.0.db.read().await?;
        let around = Around::load(&mut conn).await?;
        let rows = components::list(&mut conn, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, |component| view(component, &around))))
    }

    /// Adds a component. It is operational until signals say otherwise.
    #[oai(path = "/components", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewComponent>) -> Result<Created<ComponentView>, Problem> {
        let mut entry = self.0.begin().await?;
        let tx = &mut entry.tx;
        let new = body.0;
        let around = Around::load(tx).await?;
        let groups = by_key(&around.groups);
        let mut fields = Fields::default();
        let name = fields.name("name", &new.name);
        let key = fields.key(new.key, &name);
        let description = fields.text("description", new.description.as_deref().unwrap_or_default(), MAX_DESCRIPTION_CHARS);
        let group = new.group.and_then(|group| fields.reference("group", "group", &groups, &group));
        let combine = new.combine.map(|combine| around.read_combine(&mut fields, combine));
        let depends_on = new.depends_on.map(|list| around.read_depends_on(&mut fields, None, list));
        fields.done()?;
        check_count(usize::try_from(components::count(tx).await?).unwrap_or_default(), MAX_COMPONENTS, "components")?;
        let position = match new.position {
            Some(position) => position,
            None => components::next_position(tx).await?,
        };
        let edit = ComponentEdit { name, description, group, position, hidden: new.hidden.unwrap_or_default() };
        let id = components::insert(tx, &key, &edit, self.0.now()).await?;
        around.store(tx, id, combine, depends_on).await?;
        caller.trail.made(id);
        self.0.finish(entry, caller).await?;
        Ok(Created { location: self.0.location("components", id), view: self.find(id).await? })
    }

    /// Changes up to 200 components in one transaction, such as their order or their groups, and shows them. All are changed or none is.
    #[oai(path = "/components", method = "patch")]
    async fn update_many(
        &self,
        Data(caller): Data<&Caller>,
        body: Body<Vec<ComponentChange>>,
    ) -> Result<Json<List<ComponentView>>, Problem> {
        Ok(Json(bulk::update(&self.0, caller, body.0).await?))
    }

    /// Overrules what signals say about up to 200 components in one transaction, or gives them back, and shows them.
    #[oai(path = "/components/overrides", method = "put")]
    async fn overrule_many(&self, Data(caller): Data<&Caller>, body: Body<NewOverrides>) -> Result<Json<List<ComponentView>>, Problem> {
        Ok(Json(bulk::overrule(&self.0, caller, body.0).await?))
    }

    /// Shows a component.
    #[oai(path = "/components/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<ComponentView>, Problem> {
        Ok(Shown(self.find(ComponentId(id.0)).await?))
    }

    /// Changes a component.
    #[oai(path = "/components/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<ComponentPatch>,
    ) -> Result<Shown<ComponentView>, Problem> {
        let id = ComponentId(id.0);
        let mut entry = self.0.begin().await?;
        let tx = &mut entry.tx;
        let around = Around::load(tx).await?;
        let component = load(tx, id).await?;
        if_match.check(&view(component.clone(), &around))?;
        let (patch, mut fields, groups) = (body.0, Fields::default(), by_key(&around.groups));
        let mut edit = ComponentEdit::from(component);
        if let Some(name) = patch.name {
            edit.name = fields.name("name", &name);
        }
        if let Some(description) = patch.description {
            edit.description = fields.text("description", &description, MAX_DESCRIPTION_CHARS);
        }
        match patch.group {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => edit.group = None,
            MaybeUndefined::Value(key) => edit.group = fields.reference("group", "group", &groups, &key),
        }
        edit.position = patch.position.unwrap_or(edit.position);
        edit.hidden = patch.hidden.unwrap_or(edit.hidden);
        let combine = match patch.combine {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(Combine::Worst),
            MaybeUndefined::Value(combine) => Some(around.read_combine(&mut fields, combine)),
        };
        let depends_on = patch.depends_on.map(|list| around.read_depends_on(&mut fields, Some(id), list));
        fields.done()?;
        components::update(tx, id, &edit).await?;
        around.store(tx, id, combine, depends_on).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(self.find(id).await?))
    }

    /// Removes a component with its past.
    #[oai(path = "/components/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let id = ComponentId(id.0);
        let mut entry = self.0.begin().await?;
        let component = load(&mut entry.tx, id).await?;
        if_match.check(&view(component, &Around::load(&mut entry.tx).await?))?;
        components::delete(&mut entry.tx, id).await?;
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }

    /// Overrules what signals say about a component.
    #[oai(path = "/components/:id/override", method = "put")]
    async fn set_override(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<NewOverride>,
    ) -> Result<Shown<ComponentView>, Problem> {
        let word = Override { status: body.0.status.0, until: body.0.until.map(|until| until.0), by: String::new() };
        self.overrule(caller, ComponentId(id.0), &if_match, Some(word)).await?;
        Ok(Shown(self.find(ComponentId(id.0)).await?))
    }

    /// Goes back to what signals say.
    #[oai(path = "/components/:id/override", method = "delete")]
    async fn end_override(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        self.overrule(caller, ComponentId(id.0), &if_match, None).await?;
        Ok(Gone)
    }

    /// Says why a component's status is what it is: its transitions, newest first, each with the chain that led to it.
    #[oai(path = "/components/:id/changes", method = "get")]
    async fn changes(
        &self,
        id: Path<i64>,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
    ) -> Result<Json<List<ChangeView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let mut conn = self.0.db.read().await?;
        load(&mut conn, ComponentId(id.0)).await?;
        let names = Names::load(&mut conn).await?;
        let rows = history::list(&mut conn, About::Component(ComponentId(id.0)), paging.before(), paging.n_wanted()).await?;
        Ok(Json(paging.list(rows, |row| row.id, |row| names.view(row))))
    }
}

impl ComponentsApi {
    async fn find(&self, id: ComponentId) -> Result<ComponentView, Problem> {
        let mut conn = self.0.db.read().await?;
        let component = load(&mut conn, id).await?;
        Ok(view(component, &Around::load(&mut conn).await?))
    }

    async fn overrule(&self, caller: &Caller, id: ComponentId, if_match: &IfMatch, overridden: Option<Override>) -> Result<(), Problem> {
        let mut entry = self.0.begin().await?;
        let component = load(&mut entry.tx, id).await?;
        if_match.check(&view(component, &Around::load(&mut entry.tx).await?))?;
        self.0.act(entry, caller, Act::Override { component: id, overridden }).await?;
        Ok(())
    }
}

pub(super) async fn load(conn: &mut Connection, id: ComponentId) -> Result<Component, Problem> {
    components::find(conn, id).await?.ok_or_else(|| Problem::not_found("component"))
}

pub(super) fn view(component: Component, around: &Around) -> ComponentView {
    let (id, caused_by) = (component.id, around.caused_by(&component));
    let overridden = component.overridden.map(|word| OverrideView { status: Name(word.status), until: word.until.map(Time), by: word.by });
    ComponentView {
        id: component.id.0,
        key: component.key,
        name: component.name,
        description: component.description,
        group: component.group.and_then(|id| around.groups.get(&id).cloned()),
        position: component.position,
        hidden: component.hidden,
        status: Name(component.status),
        status_since: Time(component.status_since),
        internal_status: Name(component.internal_status),
        r#override: overridden,
        combine: around.combine(id),
        depends_on: around.depends_on(id),
        caused_by,
        created_at: Time(component.created_at),
    }
}
