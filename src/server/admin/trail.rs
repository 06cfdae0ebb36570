//! What a request leaves in the audit log: put together on its way, and recorded in the transaction that changes something.
//!
//! The gate says who asks for what, the body what is to be, `If-Match` what was; operations say only the id of what they made. So an
//! operation cannot forget its row: [`super::Admin`] has no other way to commit.

use std::{
    fmt::Display,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::Timestamp;
use poem::Request;
use serde_json::{Map, Value, json};
use storage::{
    Connection, SecretBox, StorageError,
    audit::{self, By},
};

use super::rules::Rule;

/// Operations that change something and leave no row: they only look, or they carry measurements, which come by the thousand.
const UNRECORDED: [(&str, &str); 6] = [
    ("POST", "/incident-templates/{id}/render"),
    ("POST", "/integrations/{id}/dry-run"),
    ("POST", "/integrations/{id}/back-test"),
    ("POST", "/maintenance-series/preview"),
    ("POST", "/maintenance-series/{id}/preview"),
    ("POST", "/metrics/{id}/samples"),
];

/// Names of things, one of many.
const SINGULAR: [(&str, &str); 4] =
    [("deliveries", "delivery"), ("identities", "identity"), ("maintenance-series", "maintenance-series"), ("secrets", "secret")];

/// What one request leaves. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    by: By,
    action: String,
    /// Whether the body names only what is to be changed.
    is_patch: bool,
    /// The part of the path behind the thing's id: the body speaks about it.
    part: Option<&'static str>,
    said: Mutex<Said>,
    recorded: AtomicBool,
}

#[derive(Debug, Default)]
struct Said {
    resource: Option<String>,
    before: Value,
    after: Value,
}

impl Trail {
    pub(super) fn new(by: By, rule: &'static Rule, path: &str) -> Self {
        let parts: Vec<&'static str> = rule.path.split('/').filter(|part| !part.is_empty()).collect();
        let id = path.split('/').filter(|part| !part.is_empty()).zip(&parts).find(|(_, part)| part.starts_with('{'));
        let kind = parts.first().copied().unwrap_or_default();
        let resource = id.map(|(id, _)| format!("{}:{id}", singular(kind)));
        let part = parts.iter().skip(2).copied().find(|part| !part.starts_with('{'));
        let said = Said { resource, ..Said::default() };
        let action = action(rule.method, &parts);
        Self(Arc::new(Inner { by, action, is_patch: rule.method == "PATCH", part, said: said.into(), recorded: AtomicBool::new(false) }))
    }

    /// Who asks.
    pub(super) fn by(&self) -> &By {
        &self.0.by
    }

    fn said(&self) -> std::sync::MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thing as it is before.
    pub(super) fn was(&self, before: Value) {
        self.said().before = before;
    }

    /// What is asked for.
    pub(super) fn wanted(&self, body: &Value) {
        let mut said = self.said();
        said.after = match self.0.part {
            Some(part) => json!({ part: body }),
            None => body.clone(),
        };
    }

    /// The id of what was made.
    pub(super) fn made(&self, id: impl Display) {
        let mut said = self.said();
        if said.resource.is_none() {
            let kind = self.0.action.split('.').next().unwrap_or_default();
            said.resource = Some(format!("{kind}:{id}"));
        }
    }

    /// What was touched, where the request names only a condition.
    pub(super) fn touched(&self, n: u64) {
        if let Value::Object(fields) = &mut self.said().after {
            fields.insert("n".to_owned(), n.into());
        }
    }

    /// Writes the row, right before the commit.
    pub(super) async fn record(&self, tx: &mut Connection, secrets: &SecretBox, at: Timestamp) -> Result<(), StorageError> {
        let entry = {
            let said = self.said();
            let before = if self.0.is_patch { only(&said.before, &said.after) } else { said.before.clone() };
            let (resource, after) = (said.resource.clone(), said.after.clone());
            audit::Entry { by: &self.0.by, action: &self.0.action, resource, before, after, at }
        };
        audit::record(tx, secrets, &entry).await?;
        self.0.recorded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Says that the operation has changed nothing, and so leaves nothing.
    pub(super) fn changes_nothing(&self) {
        self.0.recorded.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.0.recorded.load(Ordering::Relaxed)
    }
}

/// The trail of a request.
pub(super) fn of(request: &Request) -> Option<&Trail> {
    request.data::<super::gate::Caller>().map(|caller| &caller.trail)
}

/// Whether what an operation did must stand in the log.
pub(super) fn is_recorded(rule: &Rule) -> bool {
    rule.method != "GET" && !UNRECORDED.contains(&(rule.method, rule.path))
}

/// Those fields of `before` that `after` speaks about.
fn only(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return before.clone() };
    let kept: Map<String, Value> =
        before.iter().filter(|(name, _)| after.contains_key(*name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    Value::Object(kept)
}

/// `PATCH /components/{id}` is `component.update`, `POST /incidents/{id}/publish` is `incident.publish`,
/// `DELETE /integrations/{id}/secrets/{secret_id}` is `integration.secret.delete`.
fn action(method: &str, parts: &[&'static str]) -> String {
    let names: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with('{')).collect();
    let (last, things) = match names.split_last() {
        // The last word of such a path is a verb.
        Some((last, things)) if method == "POST" && !things.is_empty() && !last.ends_with('s') => (Some(*last), things),
        _ => (None, names.as_slice()),
    };
    let verb = last.unwrap_or(match method {
        "POST" => "create",
        "PUT" => "set",
        "DELETE" => "delete",
        _ => "update",
    });
    things.iter().map(|thing| singular(thing)).chain([verb]).collect::<Vec<_>>().join(".")
}

fn singular(things: &str) -> &str {
    let odd = SINGULAR.iter().find(|(many, _)| *many == things).map(|(_, one)| *one);
    odd.unwrap_or_else(|| things.strip_suffix('s').unwrap_or(things))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_named_after_its_path() {
        let of = |method: &str, path: &'static str| action(method, &path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>());
        assert_eq!(of("POST", "/components"), "component.create");
        assert_eq!(of("PATCH", "/page"), "page.update");
        assert_eq!(of("DELETE", "/components/{id}/override"), "component.override.delete");
        assert_eq!(of("PUT", "/components/{id}/override"), "component.override.set");
        assert_eq!(of("POST", "/deliveries/replay"), "delivery.replay");
        assert_eq!(of("POST", "/notifications/{id}/resend"), "notification.resend");
        assert_eq!(of("POST", "/incidents/{id}/updates"), "incident.update.create");
        assert_eq!(of("PUT", "/incidents/{id}/postmortem"), "incident.postmortem.set");
        assert_eq!(of("POST", "/incidents/{id}/postmortem/unpublish"), "incident.postmortem.unpublish");
        assert_eq!(of("DELETE", "/incident-templates/{id}"), "incident-template.delete");
        assert_eq!(of("POST", "/waiting-acts/{id}/take-back"), "waiting-act.take-back");
        assert_eq!(of("DELETE", "/integrations/{id}/secrets/{secret_id}"), "integration.secret.delete");
    }
}
