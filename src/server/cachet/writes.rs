//! What changes something: each becomes requests to the admin API.

use std::net::IpAddr;

use domain::{
    Channel, Component, ComponentId, GroupId, IncidentId, IncidentStatus, MaintenanceId, MaintenanceStatus, MetricId, PageIncident, Sample,
    Span, Status, Timestamp,
};
use poem::{
    Endpoint, Request, Response,
    endpoint::BoxEndpoint,
    http::{Method, StatusCode, header},
};
use serde_json::{Map, Value, json};
use storage::{
    Connection, Db, StorageError, components, page,
    rows::{self, Incidents, Maintenances},
};
use url::Url;

use super::{
    failure::Failure,
    input::Input,
    list, number,
    objects::{Shape, incident_status_of, schedule_status_of, single, status_of},
};

/// How long a window lasts that is scheduled without an end.
const DEFAULT_WINDOW: Span = Span::mins(60);
/// The longest answer of the admin API that is read: far more than one thing takes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Acts with the client's token.
pub(super) struct Writes<'a> {
    pub(super) db: &'a Db,
    pub(super) admin: &'a BoxEndpoint<'static, Response>,
    pub(super) shape: Shape,
    pub(super) token: String,
    pub(super) client: Option<IpAddr>,
    pub(super) address: Url,
}

/// The answer; nothing for what was removed.
type Answer = Result<Option<Value>, Failure>;

impl Writes<'_> {
    pub(super) async fn act(&self, method: &Method, steps: &[&str], input: Input) -> Answer {
        self.prove(method, steps).await?;
        match (method.as_str(), steps) {
            ("GET", ["subscribers"]) => self.subscribers(&input).await,
            ("POST", ["components"]) => self.add_component(input).await,
            ("PUT", ["components", id]) => self.change_component(number(id, ComponentId)?, input).await,
            ("POST", ["components", "groups"]) => self.add_group(input).await,
            ("PUT", ["components", "groups", id]) => self.change_group(number(id, GroupId)?, input).await,
            ("DELETE", ["components", "groups", id]) => self.remove("groups", id).await,
            ("DELETE", ["components", id]) => self.remove("components", id).await,
            ("POST", ["incidents"]) => self.add_incident(input).await,
            ("PUT", ["incidents", id]) => self.change_incident(number(id, IncidentId)?, input).await,
            ("DELETE", ["incidents", id]) => self.remove("incidents", id).await,
            ("POST", ["incidents", id, "updates"]) => self.add_update(number(id, IncidentId)?, input).await,
            ("POST", ["metrics"]) => self.add_metric(input).await,
            ("PUT", ["metrics", id]) => self.change_metric(number(id, MetricId)?, input).await,
            ("DELETE", ["metrics", id]) => self.remove("metrics", id).await,
            ("POST", ["metrics", id, "points"]) => self.add_point(number(id, MetricId)?, input).await,
            ("POST", ["schedules"]) => self.add_schedule(input).await,
            ("PUT", ["schedules", id]) => self.change_schedule(number(id, MaintenanceId)?, input).await,
            ("DELETE", ["schedules", id]) => self.remove("maintenances", id).await,
            ("POST", ["subscribers"]) => self.add_subscriber(input).await,
            ("DELETE", ["subscribers", id]) => self.remove("subscribers", id).await,
            _ => Err(StatusCode::METHOD_NOT_ALLOWED.into()),
        }
    }

    /// Makes sure that the token is good for this before anything is looked up: what is not there must not be told to strangers.
    async fn prove(&self, method: &Method, steps: &[&str]) -> Result<(), Failure> {
        let resource = match steps {
            ["components", "groups", ..] => "groups",
            ["components" | "incidents" | "metrics" | "subscribers", ..] => steps[0],
            ["schedules", ..] => "maintenances",
            _ => return Err(StatusCode::NOT_FOUND.into()),
        };
        let needed = format!("{resource}:{}", if *method == Method::GET { "read" } else { "write" });
        let me = self.ask(Method::GET, "/me", None).await?;
        let may = me["scopes"].as_array().is_some_and(|scopes| scopes.iter().any(|scope| *scope == "*" || *scope == *needed));
        if may {
            Ok(())
        } else {
            Err(Failure { details: vec![format!("This token lacks the scope {needed}.")], ..StatusCode::FORBIDDEN.into() })
        }
    }

    async fn add_component(&self, mut input: Input) -> Answer {
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

    async fn change_component(&self, id: ComponentId, mut input: Input) -> Answer {
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

    async fn add_group(&self, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.insert("name".to_owned(), input.required("name").into());
        body.extend(position(&mut input));
        input.done()?;
        let id = id_of(&self.ask(Method::POST, "/groups", Some(body.into())).await?)?;
        self.group(GroupId(id)).await
    }

    async fn change_group(&self, id: GroupId, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.extend(input.text("name").map(|name| ("name".to_owned(), name.into())));
        body.extend(position(&mut input));
        input.done()?;
        self.ask(Method::PATCH, &format!("/groups/{id}"), Some(body.into())).await?;
        self.group(id).await
    }

    async fn add_incident(&self, mut input: Input) -> Answer {
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
    async fn change_incident(&self, id: IncidentId, mut input: Input) -> Answer {
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

    async fn add_update(&self, id: IncidentId, mut input: Input) -> Answer {
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
                let key = self.component_key(ComponentId(id), input).await?;
                Ok(Some(json!([{ "component": key, "status": status.as_str() }])))
            }
            (None, Some(_)) => {
                input.refuse("The component id field is required when component status is present.".to_owned());
                Ok(None)
            }
            // Whole objects that are sent back have the id alone.
            (_, None) => Ok(None),
        }
    }

    async fn add_metric(&self, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.insert("name".to_owned(), input.required("name").into());
        body.insert("unit".to_owned(), input.text("suffix").unwrap_or_default().into());
        body.extend(position(&mut input));
        input.done()?;
        let id = id_of(&self.ask(Method::POST, "/metrics", Some(body.into())).await?)?;
        self.metric(MetricId(id), None).await
    }

    async fn change_metric(&self, id: MetricId, mut input: Input) -> Answer {
        let mut body = Map::new();
        body.extend(input.text("name").map(|name| ("name".to_owned(), name.into())));
        body.extend(input.text("suffix").map(|unit| ("unit".to_owned(), unit.into())));
        body.extend(position(&mut input));
        input.done()?;
        self.ask(Method::PATCH, &format!("/metrics/{id}"), Some(body.into())).await?;
        self.metric(id, None).await
    }

    async fn add_point(&self, id: MetricId, mut input: Input) -> Answer {
        let value = input.number("value");
        if value.is_none() && input.raw("value").is_none() {
            input.refuse("The value field is required.".to_owned());
        }
        let at = input.time("timestamp", &self.shape.zone);
        input.done()?;
        let sample = Sample { at: at.unwrap_or_else(now), value: value.unwrap_or_default() };
        let body = json!([{ "at": sample.at.to_string(), "value": sample.value }]);
        self.ask(Method::POST, &format!("/metrics/{id}/samples"), Some(body)).await?;
        self.metric(id, Some(&sample)).await
    }

    async fn add_schedule(&self, mut input: Input) -> Answer {
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

    async fn change_schedule(&self, id: MaintenanceId, mut input: Input) -> Answer {
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
            let mut keys = Vec::new();
            for id in ids {
                keys.push(Value::from(self.component_key(ComponentId(id), input).await?));
            }
            body.insert("components".to_owned(), keys.into());
        }
        Ok(body)
    }

    async fn add_subscriber(&self, mut input: Input) -> Answer {
        let email = input.required("email");
        let mut body = json!({ "channel": Channel::Email.as_str(), "address": email });
        if let Some(ids) = input.ids("components").filter(|ids| !ids.is_empty()) {
            let mut keys = Vec::new();
            for id in ids {
                keys.push(self.component_key(ComponentId(id), &mut input).await?);
            }
            body["components"] = json!(keys);
        }
        input.done()?;
        match self.ask(Method::POST, "/subscribers", Some(body)).await {
            Ok(added) => Ok(Some(single(self.subscriber(&added, &keys_of(&mut self.read().await?).await?)))),
            // One that is there already is shown as it is.
            Err(refused) => match self.find_subscriber(&email).await? {
                Some(there) => Ok(Some(single(there))),
                None => Err(refused),
            },
        }
    }

    async fn find_subscriber(&self, email: &str) -> Result<Option<Value>, Failure> {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("address", email).finish();
        let found = self.ask(Method::GET, &format!("/subscribers?limit=200&channel=email&{query}"), None).await?;
        let keys = keys_of(&mut self.read().await?).await?;
        let same = |one: &&Value| one["address"].as_str().is_some_and(|address| address.eq_ignore_ascii_case(email));
        Ok(found["items"].as_array().and_then(|all| all.iter().find(same)).map(|one| self.subscriber(one, &keys)))
    }

    async fn subscribers(&self, input: &Input) -> Answer {
        let (mut all, mut cursor, keys) = (Vec::new(), String::new(), keys_of(&mut self.read().await?).await?);
        loop {
            let page = self.ask(Method::GET, &format!("/subscribers?limit=200&channel=email{cursor}"), None).await?;
            all.extend(page["items"].as_array().into_iter().flatten().map(|one| self.subscriber(one, &keys)));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        Ok(Some(list::page(all, &["id", "email"], input, &self.address)))
    }

    /// A subscriber of the admin API. There is no code: who has it could unsubscribe others.
    fn subscriber(&self, one: &Value, keys: &[(ComponentId, String)]) -> Value {
        let time = |name: &str| one[name].as_str().and_then(|text| Timestamp::parse(text).ok()).map(|at| self.shape.time(at));
        let (id, created_at) = (&one["id"], time("created_at"));
        let scope = one["components"].as_array();
        let subscription = |key: &Value| {
            let component = keys.iter().find(|(_, known)| key.as_str() == Some(known)).map_or(0, |(id, _)| id.0);
            json!({ "id": component, "subscriber_id": id, "component_id": component, "created_at": created_at, "updated_at": created_at })
        };
        json!({
            "id": id,
            "email": one["address"],
            "phone_number": null,
            "slack_webhook_url": null,
            "verify_code": "",
            "verified_at": time("confirmed_at").or_else(|| created_at.clone()),
            "global": scope.is_none(),
            "created_at": created_at,
            "updated_at": created_at,
            "subscriptions": scope.into_iter().flatten().map(subscription).collect::<Vec<_>>(),
        })
    }

    async fn remove(&self, resource: &str, id: &str) -> Answer {
        let id: i64 = number(id, |id| id)?;
        self.ask(Method::DELETE, &format!("/{resource}/{id}"), None).await.map(|_| None)
    }

    /// Asks the admin API, in the client's name and for its address.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let uri = format!("/v1{path}").parse().map_err(|_| StatusCode::NOT_FOUND)?;
        let request = Request::builder().method(method).uri(uri).header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let mut request = match body {
            Some(body) => request.content_type("application/json").body(body.to_string()),
            None => request.finish(),
        };
        if let Some(client) = self.client {
            request.set_data(client);
        }
        let response = self.admin.get_response(request).await;
        let (status, retry_after) = (response.status(), response.headers().get(header::RETRY_AFTER).cloned());
        let body = response.into_body().into_bytes_limit(MAX_ANSWER_BYTES).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() { Ok(answer) } else { Err(Failure::of(status, &answer, retry_after)) }
    }

    async fn read(&self) -> Result<Connection, Failure> {
        self.db.read().await.map_err(out_of_reach)
    }

    async fn component(&self, id: ComponentId) -> Answer {
        let found = components::find(&mut self.read().await?, id).await.map_err(out_of_reach)?;
        Ok(Some(single(self.shape.component(&found.ok_or(StatusCode::NOT_FOUND)?))))
    }

    async fn component_key(&self, id: ComponentId, input: &mut Input) -> Result<String, Failure> {
        let found: Option<Component> = components::find(&mut self.read().await?, id).await.map_err(out_of_reach)?;
        if found.is_none() {
            input.refuse(format!("The component {id} does not exist."));
        }
        Ok(found.map(|component| component.key).unwrap_or_default())
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

    async fn metric(&self, id: MetricId, point: Option<&Sample>) -> Answer {
        let all = page::all_metrics(&mut self.read().await?).await.map_err(out_of_reach)?;
        let metric = all.into_iter().find(|metric| metric.id == id).ok_or(StatusCode::NOT_FOUND)?;
        Ok(Some(single(match point {
            Some(sample) => self.shape.point(&metric, sample),
            None => self.shape.metric(&metric, &[]),
        })))
    }

    async fn schedule(&self, id: MaintenanceId) -> Answer {
        let found = rows::maintenances(&mut self.read().await?, Maintenances::One(id)).await.map_err(out_of_reach)?.pop();
        Ok(Some(single(self.shape.schedule(&found.ok_or(StatusCode::NOT_FOUND)?))))
    }
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

fn out_of_reach(error: StorageError) -> Failure {
    tracing::warn!(?error, "The database does not answer a client of Cachet's API");
    StatusCode::SERVICE_UNAVAILABLE.into()
}

async fn keys_of(conn: &mut Connection) -> Result<Vec<(ComponentId, String)>, Failure> {
    Ok(components::keys(conn).await.map_err(out_of_reach)?.into_iter().collect())
}

fn id_of(answer: &Value) -> Result<i64, Failure> {
    Ok(answer["id"].as_i64().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?)
}

/// What the number in a field stands for, if it is there.
fn wanted<T>(input: &mut Input, name: &str, of: impl Fn(i64) -> Option<T>) -> Option<T> {
    let number = input.integer(name)?;
    let found = of(number);
    if found.is_none() {
        input.refuse(format!("The selected {} is invalid.", name.replace('_', " ")));
    }
    found
}

fn position(input: &mut Input) -> Option<(String, Value)> {
    let order = input.integer("order")?;
    Some(("position".to_owned(), order.into()))
}
