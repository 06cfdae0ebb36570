//! `/console/components/{id}/why`: from a delivery to what readers saw and who was told, for any moment.

use askama::Template;
use domain::{Component, ComponentId, IncidentId, Permission, Resource, Span, Timestamp};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path, Query},
};
use serde::Deserialize;
use storage::{
    Connection, StorageError, attention,
    history::{self, Transition},
    integrations, rows,
};

use super::{
    Console, components,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    session::Person,
    zone::{When, from_field, time, to_field},
};

/// How many transitions before the moment are told.
const MAX_TRANSITIONS: i64 = 20;
/// How many incidents are told of one moment.
const MAX_INCIDENTS: i64 = 5;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/components/:id/why", Needs::read(Resource::Components), why)
}

#[derive(Deserialize)]
struct Moment {
    #[serde(default)]
    at: String,
}

/// A link of the chain.
struct Link {
    at: When,
    what: String,
    text: String,
    delivery: Option<i64>,
    integration: Option<String>,
    fingerprint: Option<String>,
    route: Option<String>,
    actor: Option<String>,
}

/// An incident of the moment, and what became of its notifications.
struct Told {
    id: IncidentId,
    title: String,
    published: bool,
    notifications: Vec<(String, i64)>,
}

#[derive(Template)]
#[template(path = "console/why.html")]
struct Page<'a> {
    frame: &'a Frame,
    component: &'a Component,
    /// The moment, as the field has it.
    at: String,
    error: Option<&'static str>,
    links: Vec<Link>,
    incidents: Vec<Told>,
    may_see_deliveries: bool,
    may_see_notifications: bool,
}

#[handler]
async fn why(
    person: Person,
    frame: Frame,
    Path(id): Path<i64>,
    Query(moment): Query<Moment>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let component = components::find(&mut conn, id).await?;
    let asked = from_field(&moment.at);
    let error = (!moment.at.is_empty() && asked.is_none()).then_some("This is not a time like 2026-12-31T23:59.");
    // A field of minutes means the whole minute.
    let at = asked.map_or_else(|| console.now(), |at| at.plus(Span::secs(59)));
    let links = links(&mut conn, component.id, at).await?;
    let shown = Page {
        frame: &frame,
        component: &component,
        at: if moment.at.is_empty() { to_field(at) } else { moment.at },
        error,
        links,
        incidents: incidents(&mut conn, component.id, at).await?,
        may_see_deliveries: person.may(Permission::read(Resource::Deliveries)),
        may_see_notifications: person.may(Permission::read(Resource::Notifications)),
    };
    Ok(show(if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &shown))
}

async fn links(conn: &mut Connection, id: ComponentId, at: Timestamp) -> Result<Vec<Link>, StorageError> {
    let (names, routes) = (integrations::keys(conn).await?, integrations::route_labels(conn).await?);
    let rows = history::until(conn, id, at, MAX_TRANSITIONS).await?;
    let link = |row: Transition| Link {
        at: time(row.at),
        what: what(&row),
        delivery: row.why.delivery.map(|id| id.0),
        integration: row.why.integration.map(|id| names.get(&id).cloned().unwrap_or_else(|| format!("#{id}"))),
        route: row.why.route.map(|id| routes.get(&id).cloned().unwrap_or_else(|| format!("#{id}"))),
        fingerprint: row.why.fingerprint,
        actor: row.why.actor,
        text: row.why.text,
    };
    Ok(rows.into_iter().map(link).collect())
}

/// What changed, in words.
fn what(row: &Transition) -> String {
    let word = |name: &str| row.data.get(name).and_then(|value| value.as_str()).unwrap_or_default().replace('_', " ");
    match row.kind.as_str() {
        "component_status" if word("from") == word("to") => format!("Inside: {} → {}", word("internal_from"), word("internal_to")),
        "component_status" => format!("{} → {}", word("from"), word("to")),
        kind => kind.replace('_', " "),
    }
}

async fn incidents(conn: &mut Connection, id: ComponentId, at: Timestamp) -> Result<Vec<Told>, StorageError> {
    let mut told = Vec::new();
    for incident in rows::incidents_at(conn, id, at, MAX_INCIDENTS).await? {
        let updates = rows::incident_updates(conn, &[incident.id]).await?;
        let notifications = attention::told(conn, incident.id, &updates).await?;
        told.push(Told { id: incident.id, title: incident.title, published: incident.published, notifications });
    }
    Ok(told)
}
