//! Incidents and what is added to them.

use domain::{IncidentId, IncidentStatus, PageIncident};
use poem::http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use storage::rows::{self, Incidents};

use super::{Answer, Writes, id_of, out_of_reach, wanted};
use crate::cachet::{
    failure::Failure,
    input::Input,
    objects::{incident_status_of, single, status_of},
};

impl Writes<'_> {
    pub(super) async fn add_incident(&self, mut input: Input) -> Answer {
        let (name, status) = (input.required("name"), wanted(&mut input, "status", incident_status_of));
        if input.raw("status").is_none() {
            input.refuse("The status field is required.".to_owned());
        }
        if input.raw("template").is_some() {
            input.refuse("The template cannot be filled in here; send the message.".to_owned());
        }
        let message = input.text("message").unwrap_or_default();
        let mut body = Map::new();
        if let Some(components) = self.affected(&mut input).await? {
            body.insert("components".to_owned(), components);
        }
        input.done()?;
        body.insert("title".to_owned(), name.into());
        body.insert("body".to_owned(), message.into());
        body.extend(status.map(|status| ("status".to_owned(), status.as_str().into())));
        body.insert("published".to_owned(), input.truth("visible").unwrap_or(true).into());
        let id = id_of(&self.ask(Method::POST, "/incidents", Some(body.into())).await?)?;
        self.incident(IncidentId(id)).await
    }

    /// Clients send a whole incident back to change one field of it, so that what is as it was changes nothing.
    pub(super) async fn change_incident(&self, id: IncidentId, mut input: Input) -> Answer {
        let shown = self.load_incident(id).await?;
        let (title, status) = (input.text("name"), wanted(&mut input, "status", incident_status_of));
        let first = shown.updates.last().map_or("", |first| first.body.as_str());
        let newest = shown.updates.first().map_or("", |newest| newest.body.as_str());
        let message = input.text("message").filter(|text| !text.trim().is_empty() && text != first && text != newest);
        let components = self.affected(&mut input).await?;
        input.done()?;
        let status = status.filter(|status| *status != shown.incident.status);
        let mut patch = Map::new();
        patch.extend(title.filter(|title| *title != shown.incident.title).map(|title| ("title".to_owned(), title.into())));
        let visible = input.truth("visible").filter(|visible| *visible != shown.incident.published);
        patch.extend(visible.map(|visible| ("published".to_owned(), visible.into())));
        let mut said = Map::new();
        said.extend(status.map(|status| ("status".to_owned(), status.as_str().into())));
        // What is over affects nothing.
        let over = status.unwrap_or(shown.incident.status).is_over();
        said.extend(components.filter(|_| !over).map(|components| ("components".to_owned(), components)));
        if let Some(message) = message {
            said.insert("body".to_owned(), message.into());
            self.ask(Method::POST, &format!("/incidents/{id}/updates"), Some(said.into())).await?;
        } else {
            patch.extend(said);
        }
        if !patch.is_empty() {
            self.ask(Method::PATCH, &format!("/incidents/{id}"), Some(patch.into())).await?;
        }
        self.incident(id).await
    }

    pub(super) async fn add_update(&self, id: IncidentId, mut input: Input) -> Answer {
        let (message, status) = (input.required("message"), wanted(&mut input, "status", incident_status_of));
        let mut body = Map::new();
        let over = status.is_some_and(IncidentStatus::is_over);
        body.extend(self.affected(&mut input).await?.filter(|_| !over).map(|components| ("components".to_owned(), components)));
        input.done()?;
        body.insert("body".to_owned(), message.into());
        body.extend(status.map(|status| ("status".to_owned(), status.as_str().into())));
        let update = id_of(&self.ask(Method::POST, &format!("/incidents/{id}/updates"), Some(body.into())).await?)?;
        let shown = self.load_incident(id).await?;
        let found = shown.updates.iter().find(|one| one.id.0 == update).ok_or(StatusCode::NOT_FOUND)?;
        Ok(Some(single(self.shape.update(found))))
    }

    /// The component of an incident with its status, as the admin API takes it.
    async fn affected(&self, input: &mut Input) -> Result<Option<Value>, Failure> {
        let (id, status) = (input.integer("component_id").filter(|id| *id != 0), wanted(input, "component_status", status_of));
        match (id, status) {
            (Some(id), Some(status)) => {
                let keys = self.component_keys(&[id], input).await?;
                let one = |key: String| json!({ "component": key, "status": status.as_str() });
                Ok(Some(keys.into_iter().map(one).collect()))
            }
            (None, Some(_)) => {
                input.refuse("The component id field is required when component status is present.".to_owned());
                Ok(None)
            }
            // Whole objects that are sent back have the id alone.
            (_, None) => Ok(None),
        }
    }

    async fn load_incident(&self, id: IncidentId) -> Result<PageIncident, Failure> {
        let mut conn = self.read().await?;
        let found = rows::incidents(&mut conn, Incidents::One(id)).await.map_err(out_of_reach)?.pop();
        let incident = found.ok_or(StatusCode::NOT_FOUND)?;
        let mut updates = rows::incident_updates(&mut conn, &[id]).await.map_err(out_of_reach)?;
        updates.sort_by_key(|update| std::cmp::Reverse((update.at, update.id)));
        Ok(PageIncident { incident, updates })
    }

    async fn incident(&self, id: IncidentId) -> Answer {
        Ok(Some(single(self.shape.incident(&self.load_incident(id).await?))))
    }
}
