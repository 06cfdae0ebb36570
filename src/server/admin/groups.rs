//! `/groups`: headings over components.

use std::collections::HashMap;

use domain::{Group, GroupId, MAX_GROUPS};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::MaybeUndefined,
};
use storage::{groups, rows};

use super::{
    Admin,
    body::Body,
    check_count,
    fields::{Fields, by_key},
    gate::Caller,
    problem::Problem,
    reply::{Created, Gone, IfMatch, List, Paging, Shown, View},
};

pub(super) struct GroupsApi(pub(super) Admin);

/// A heading over components.
#[derive(Object)]
#[oai(rename = "Group")]
struct GroupView {
    id: i64,
    /// Its name in references and configuration files.
    key: String,
    name: String,
    /// The key of the group it stands in.
    #[oai(nullable)]
    parent: Option<String>,
    /// Order on the page, smallest first.
    position: i32,
}

impl View for GroupView {}

/// A group to be made.
#[derive(Object)]
struct NewGroup {
    /// Made from the name if it is left out.
    key: Option<String>,
    name: String,
    /// The key of another group.
    #[oai(nullable)]
    parent: Option<String>,
    /// Behind all others if it is left out.
    position: Option<i32>,
}

/// What is to be changed; what is left out stays.
#[derive(Object)]
struct GroupPatch {
    name: Option<String>,
    /// The key of another group; null for none.
    #[oai(nullable)]
    parent: MaybeUndefined<String>,
    position: Option<i32>,
}

#[OpenApi]
impl GroupsApi {
    /// Lists groups.
    #[oai(path = "/groups", method = "get")]
    async fn list(&self, limit: Query<Option<i64>>, cursor: Query<Option<String>>) -> Result<Json<List<GroupView>>, Problem> {
        let paging = Paging::new(limit.0, cursor.0.as_deref())?;
        let all = rows::groups(&mut self.0.db.read().await?).await?;
        let keys = keys(&all);
        let mut page: Vec<Group> = all.into_iter().filter(|group| group.id.0 > paging.after()).collect();
        page.sort_by_key(|group| group.id);
        Ok(Json(paging.list(page, |group| group.id.0, |group| view(&group, &keys))))
    }

    /// Adds a group.
    #[oai(path = "/groups", method = "post")]
    async fn create(&self, Data(caller): Data<&Caller>, body: Body<NewGroup>) -> Result<Created<GroupView>, Problem> {
        let mut entry = self.0.begin().await?;
        let all = rows::groups(&mut entry.tx).await?;
        let (new, ids, mut fields) = (body.0, by_key(&keys(&all)), Fields::default());
        let name = fields.name("name", &new.name);
        let key = fields.key(new.key, &name);
        let parent = new.parent.and_then(|parent| fields.reference("parent", "group", &ids, &parent));
        fields.done()?;
        check_count(all.len(), MAX_GROUPS, "groups")?;
        let behind = all.iter().map(|group| group.position).max().map_or(0, |last| last.saturating_add(1));
        let group = Group { id: GroupId(0), key, name, parent, position: new.position.unwrap_or(behind) };
        let id = groups::insert(&mut entry.tx, &group).await?;
        caller.trail.made(id);
        self.0.finish(entry, caller).await?;
        Ok(Created { location: self.0.location("groups", id), view: self.find(id).await? })
    }

    /// Shows a group.
    #[oai(path = "/groups/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<GroupView>, Problem> {
        Ok(Shown(self.find(GroupId(id.0)).await?))
    }

    /// Changes a group.
    #[oai(path = "/groups/:id", method = "patch")]
    async fn update(
        &self,
        Data(caller): Data<&Caller>,
        id: Path<i64>,
        if_match: IfMatch,
        body: Body<GroupPatch>,
    ) -> Result<Shown<GroupView>, Problem> {
        let mut entry = self.0.begin().await?;
        let all = rows::groups(&mut entry.tx).await?;
        let keys = keys(&all);
        let mut group = pick(&all, GroupId(id.0))?.clone();
        if_match.check(&view(&group, &keys))?;
        let (patch, mut fields) = (body.0, Fields::default());
        if let Some(name) = patch.name {
            group.name = fields.name("name", &name);
        }
        match patch.parent {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => group.parent = None,
            MaybeUndefined::Value(key) => {
                group.parent = fields.reference("parent", "group", &by_key(&keys), &key);
                if is_within(&all, group.parent, group.id) {
                    fields.refuse("parent", "would put the group into itself");
                }
            }
        }
        group.position = patch.position.unwrap_or(group.position);
        fields.done()?;
        groups::update(&mut entry.tx, &group).await?;
        self.0.finish(entry, caller).await?;
        Ok(Shown(self.find(group.id).await?))
    }

    /// Removes a group. What stands in it stands in none then.
    #[oai(path = "/groups/:id", method = "delete")]
    async fn delete(&self, Data(caller): Data<&Caller>, id: Path<i64>, if_match: IfMatch) -> Result<Gone, Problem> {
        let mut entry = self.0.begin().await?;
        let all = rows::groups(&mut entry.tx).await?;
        let group = pick(&all, GroupId(id.0))?;
        if_match.check(&view(group, &keys(&all)))?;
        groups::delete(&mut entry.tx, group.id).await?;
        self.0.finish(entry, caller).await?;
        Ok(Gone)
    }
}

impl GroupsApi {
    async fn find(&self, id: GroupId) -> Result<GroupView, Problem> {
        let all = rows::groups(&mut self.0.db.read().await?).await?;
        Ok(view(pick(&all, id)?, &keys(&all)))
    }
}

fn pick(all: &[Group], id: GroupId) -> Result<&Group, Problem> {
    all.iter().find(|group| group.id == id).ok_or_else(|| Problem::not_found("group"))
}

/// Whether the group `inner`, or one it stands in, is `outer`.
fn is_within(all: &[Group], inner: Option<GroupId>, outer: GroupId) -> bool {
    let parents: HashMap<GroupId, Option<GroupId>> = all.iter().map(|group| (group.id, group.parent)).collect();
    let steps = std::iter::successors(inner, |id| parents.get(id).copied().flatten());
    steps.take(all.len() + 1).any(|id| id == outer)
}

fn keys(all: &[Group]) -> HashMap<GroupId, String> {
    all.iter().map(|group| (group.id, group.key.clone())).collect()
}

fn view(group: &Group, keys: &HashMap<GroupId, String>) -> GroupView {
    GroupView {
        id: group.id.0,
        key: group.key.clone(),
        name: group.name.clone(),
        parent: group.parent.and_then(|id| keys.get(&id).cloned()),
        position: group.position,
    }
}
