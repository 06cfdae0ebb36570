//! What a webhook subscriber is sent.
//!
//! ```json
//! {
//!   "type": "incident.updated",
//!   "timestamp": "2026-03-01T14:05:00.000Z",
//!   "data": {
//!     "page": { "name": "Acme", "url": "https://status.example.com/" },
//!     "incident": {
//!       "id": 7, "title": "API is slow", "status": "identified", "impact": "minor", "url": "https://…/incidents/7",
//!       "started_at": "…", "resolved_at": null,
//!       "components": [{ "id": 1, "key": "api", "name": "API", "status": "degraded_performance" }]
//!     },
//!     "update": {
//!       "id": 12, "status": "identified", "body": "Markdown", "at": "…",
//!       "components": [{ "id": 1, "key": "api", "name": "API", "old_status": "operational", "new_status": "degraded_performance" }]
//!     }
//!   }
//! }
//! ```
//! `component.status_changed` has `component` (as in `update.components`, with `url`), `maintenance.*` has `maintenance` (`id`, `title`,
//! `status`, `body`, `starts_at`, `ends_at`, `url`, `components`), `endpoint.disabled` has `endpoint` (`address`, `reason`). A `test` has the
//! page and nothing else: nothing has happened.

use domain::{
    Claimed, Component, ComponentId, Incident, IncidentUpdate, Maintenance, Notice, NoticeAbout, NoticeKind, StatusChange, Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::channels::links::Links;

/// The most that is sent.
pub const MAX_PAYLOAD_BYTES: usize = 256 << 10;
/// The most of a text that is sent, so that the rest fits.
const MAX_BODY_CHARS: usize = 40_000;
/// The most components listed in one place.
const MAX_COMPONENTS: usize = 200;

#[derive(Serialize)]
struct Payload {
    r#type: NoticeKind,
    timestamp: Timestamp,
    data: Value,
}

/// The bytes that are signed and sent, or `None` if they would be more than [`MAX_PAYLOAD_BYTES`].
pub(super) fn render(claimed: &Claimed, links: &Links) -> Option<Vec<u8>> {
    let notice = &claimed.notice;
    let mut data = about(notice, links);
    data["page"] = json!({ "name": claimed.page.name, "url": links.page() });
    let payload = Payload { r#type: notice.kind, timestamp: notice.at, data };
    serde_json::to_vec(&payload).ok().filter(|bytes| bytes.len() <= MAX_PAYLOAD_BYTES)
}

/// What says no more than that webhooks arrive.
pub(super) fn test(page_name: &str, links: &Links, now: Timestamp) -> Vec<u8> {
    let data = json!({ "page": { "name": page_name, "url": links.page() } });
    json!({ "type": "test", "timestamp": now, "data": data }).to_string().into_bytes()
}

fn about(notice: &Notice, links: &Links) -> Value {
    match &notice.about {
        NoticeAbout::Incident { incident: about, update: entry } => {
            json!({ "incident": incident(about, notice, links), "update": update(entry, notice) })
        }
        NoticeAbout::Component { change } => {
            let mut component = changed(change, notice).unwrap_or_else(|| json!({ "id": change.component }));
            component["url"] = links.component(change.component).into();
            json!({ "component": component })
        }
        NoticeAbout::Maintenance { maintenance: about } => json!({ "maintenance": maintenance(about, notice, links) }),
        // For the owner, who has no webhook; without the links.
        NoticeAbout::Publication { incident: about, body } => json!({ "incident": incident(about, notice, links), "body": cut(body) }),
        NoticeAbout::Endpoint { address, reason } => json!({ "endpoint": { "address": address, "reason": reason } }),
    }
}

fn incident(incident: &Incident, notice: &Notice, links: &Links) -> Value {
    let listed = incident.components.iter().filter_map(|(id, status)| {
        let mut component = named(*id, notice)?;
        component["status"] = json!(status);
        Some(component)
    });
    json!({
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "impact": incident.impact,
        "url": links.incident(incident.id),
        "started_at": incident.started_at,
        "resolved_at": incident.resolved_at,
        "components": listed.take(MAX_COMPONENTS).collect::<Vec<_>>(),
    })
}

fn update(update: &IncidentUpdate, notice: &Notice) -> Value {
    json!({
        "id": update.id,
        "status": update.status,
        "body": cut(&update.body),
        "at": update.at,
        "components": update.components.iter().filter_map(|change| changed(change, notice)).take(MAX_COMPONENTS).collect::<Vec<_>>(),
    })
}

fn maintenance(maintenance: &Maintenance, notice: &Notice, links: &Links) -> Value {
    json!({
        "id": maintenance.id,
        "title": maintenance.title,
        "status": maintenance.status,
        "body": cut(&maintenance.body),
        "starts_at": maintenance.starts_at,
        "ends_at": maintenance.ends_at,
        "url": links.maintenance(maintenance.id),
        "components": maintenance.components.iter().filter_map(|id| named(*id, notice)).take(MAX_COMPONENTS).collect::<Vec<_>>(),
    })
}

fn changed(change: &StatusChange, notice: &Notice) -> Option<Value> {
    let mut component = named(change.component, notice)?;
    component["old_status"] = json!(change.from);
    component["new_status"] = json!(change.to);
    Some(component)
}

/// A component as readers may see it; hidden ones are not for subscribers either.
fn named(id: ComponentId, notice: &Notice) -> Option<Value> {
    let Component { key, name, .. } = notice.component(id)?;
    Some(json!({ "id": id, "key": key, "name": name }))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_BODY_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
