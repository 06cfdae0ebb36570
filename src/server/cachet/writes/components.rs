//! Components and their groups.

use domain::{Component, ComponentId, GroupId, Status};
use poem::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use storage::{components, rows};

use super::{Answer, Writes, id_of, out_of_reach, position, wanted};
use crate::cachet::{
    failure::Failure,
    input::Input,
    objects::{single, status_of},
};

impl Writes<'_> {
    pub(super) async fn add_component(&self, mut input: Input) -> Answer {
        let (name, status) = (input.required("name"), wanted(&mut input, "status", status_of));
        if input.raw("status").is_none() {
            input.refuse("The status field is required.".to_owned());
        }
        let mut body = self.component_body(&mut input).await?;
        input.done()?;
        body.insert("name".to_owned(), name.into());
        let id = ComponentId(id_of(&self.ask(Method::POST, "/components", Some(body.into())).await?)?);
        // It is operational to begin with.
        if let Some(status) = status.filter(|status| *status != Status::Operational) {
            self.overrule(id, status).await?;
        }
        self.component(id).await
    }

    pub(super) async fn change_component(&self, id: ComponentId, mut input: Input) -> Answer {
        let (name, status) = (input.text("name"), wanted(&mut input, "status", status_of));
        let mut body = self.component_body(&mut input).await?;
        input.done()?;
        body.extend(name.map(|name| ("name".to_owned(), name.into())));
        if !body.is_empty() {
            self.ask(Method::PATCH, &format!("/components/{id}"), Some(body.into())).await?;
        }
        if let Some(status) = status {
            self.overrule(id, status).await?;
        }
        self.component(id).await
    }

    /// What a component may have besides its name and status, as far as it was given.
    async fn component_body(&self, input: &mut Input) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        body.extend(input.text("description").map(|text| ("description".to_owned(), text.into())));
        body.extend(position(input));
        body.extend(input.truth("enabled").map(|enabled| ("hidden".to_owned(), (!enabled).into())));
        if let Some(group) = input.integer("group_id") {
            let key = if group == 0 { Value::Null } else { self.group_key(GroupId(group), input).await?.into() };
            body.insert("group".to_owned(), key);
        }
        Ok(body)
    }

    /// Says a status in place of what signals say. "Operational" gives the component back to them: nobody comes back later to do that, and an
    /// override left behind would hide the next outage.
    async fn overrule(&self, id: ComponentId, status: Status) -> Result<(), Failure> {
        let path = format!("/components/{id}/override");
        let answer = match status {
            Status::Operational => self.ask(Method::DELETE, &path, None).await,
            status => self.ask(Method::PUT, &path, Some(json!({ "status": status.as_str() }))).await,
        };
        answer.map(|_| ())
    }

    pub(super) async fn add_group(&self, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.insert("name".to_owned(), input.required("name").into());
        body.extend(position(&mut input));
        input.done()?;
        let id = id_of(&self.ask(Method::POST, "/groups", Some(body.into())).await?)?;
        self.group(GroupId(id)).await
    }

    pub(super) async fn change_group(&self, id: GroupId, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.extend(input.text("name").map(|name| ("name".to_owned(), name.into())));
        body.extend(position(&mut input));
        input.done()?;
        self.ask(Method::PATCH, &format!("/groups/{id}"), Some(body.into())).await?;
        self.group(id).await
    }

    async fn component(&self, id: ComponentId) -> Answer {
        let found = components::find(&mut self.read().await?, id).await.map_err(out_of_reach)?;
        Ok(Some(single(self.shape.component(&found.ok_or(StatusCode::NOT_FOUND)?))))
    }

    /// The keys by which the admin API knows components.
    pub(super) async fn component_keys(&self, ids: &[i64], input: &mut Input) -> Result<Vec<String>, Failure> {
        let known = components::keys(&mut self.read().await?).await.map_err(out_of_reach)?;
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            match known.get(&ComponentId(*id)) {
                Some(key) => keys.push(key.clone()),
                None => input.refuse(format!("The component {id} does not exist.")),
            }
        }
        Ok(keys)
    }

    async fn group_key(&self, id: GroupId, input: &mut Input) -> Result<String, Failure> {
        let found = rows::groups(&mut self.read().await?).await.map_err(out_of_reach)?.into_iter().find(|group| group.id == id);
        if found.is_none() {
            input.refuse(format!("The group {id} does not exist."));
        }
        Ok(found.map(|group| group.key).unwrap_or_default())
    }

    async fn group(&self, id: GroupId) -> Answer {
        let mut conn = self.read().await?;
        let group = rows::groups(&mut conn).await.map_err(out_of_reach)?.into_iter().find(|group| group.id == id);
        let all: Vec<Component> = rows::components(&mut conn).await.map_err(out_of_reach)?;
        let shown: Vec<&Component> = all.iter().filter(|component| !component.hidden).collect();
        Ok(Some(single(self.shape.group(&group.ok_or(StatusCode::NOT_FOUND)?, &shown))))
    }
}
