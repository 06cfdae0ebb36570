//! Schedules: our maintenances.

use domain::{MaintenanceId, MaintenanceStatus, Span};
use poem::http::{Method, StatusCode};
use serde_json::{Map, Value};
use storage::rows::{self, Maintenances};

use super::{Answer, Writes, id_of, out_of_reach, wanted};
use crate::cachet::{
    failure::Failure,
    input::Input,
    objects::{schedule_status_of, single},
};

/// How long a window lasts that is scheduled without an end.
const DEFAULT_WINDOW: Span = Span::mins(60);

impl Writes<'_> {
    pub(super) async fn add_schedule(&self, mut input: Input) -> Answer {
        let title = input.required("name");
        let mut body = self.schedule_body(&mut input).await?;
        let starts_at = input.time("scheduled_at", &self.shape.zone);
        if starts_at.is_none() && input.raw("scheduled_at").is_none() {
            input.refuse("The scheduled at field is required.".to_owned());
        }
        input.done()?;
        let ends_at = starts_at.map(|at| at.plus(DEFAULT_WINDOW).to_string());
        body.insert("title".to_owned(), title.into());
        if let (false, Some(ends_at)) = (body.contains_key("ends_at"), ends_at) {
            body.insert("ends_at".to_owned(), ends_at.into());
        }
        let id = id_of(&self.ask(Method::POST, "/maintenances", Some(body.into())).await?)?;
        self.schedule(MaintenanceId(id)).await
    }

    pub(super) async fn change_schedule(&self, id: MaintenanceId, mut input: Input) -> Answer {
        let title = input.text("name");
        let mut body = self.schedule_body(&mut input).await?;
        input.done()?;
        body.extend(title.map(|title| ("title".to_owned(), title.into())));
        let mut conn = self.read().await?;
        let now_is = rows::maintenances(&mut conn, Maintenances::One(id)).await.map_err(out_of_reach)?.pop();
        drop(conn);
        let status = now_is.ok_or(StatusCode::NOT_FOUND)?.status;
        // A whole object that is sent back has the status that it had.
        if body.get("status").and_then(Value::as_str) == Some(status.as_str()) {
            body.remove("status");
        }
        self.ask(Method::PATCH, &format!("/maintenances/{id}"), Some(body.into())).await?;
        self.schedule(id).await
    }

    /// What a window may have besides its name, as far as it was given.
    async fn schedule_body(&self, input: &mut Input) -> Result<Map<String, Value>, Failure> {
        let mut body = Map::new();
        body.extend(input.text("message").map(|text| ("body".to_owned(), text.into())));
        for (name, ours) in [("scheduled_at", "starts_at"), ("completed_at", "ends_at")] {
            body.extend(input.time(name, &self.shape.zone).map(|at| (ours.to_owned(), at.to_string().into())));
        }
        let status = wanted(input, "status", schedule_status_of);
        body.extend(status.map(|status: MaintenanceStatus| ("status".to_owned(), status.as_str().into())));
        if let Some(ids) = input.ids("components") {
            body.insert("components".to_owned(), self.component_keys(&ids, input).await?.into());
        }
        Ok(body)
    }

    async fn schedule(&self, id: MaintenanceId) -> Answer {
        let found = rows::maintenances(&mut self.read().await?, Maintenances::One(id)).await.map_err(out_of_reach)?.pop();
        Ok(Some(single(self.shape.schedule(&found.ok_or(StatusCode::NOT_FOUND)?))))
    }
}
