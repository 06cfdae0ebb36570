//! What people say about components, incidents and maintenances, in the words of the log: the same as for the admin API's operations.

use domain::{Act, Change, IncidentEdit, MaintenanceEdit, Recorded};
use serde_json::{Map, Value, json};

/// An act, as the log tells it.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) action: &'static str,
    /// What it is done to; what it makes is known only afterwards.
    pub(crate) resource: Option<String>,
    pub(crate) after: Value,
}

impl Told {
    pub(crate) fn of(act: &Act) -> Self {
        let (action, resource, after) = match act {
            Act::Override { component, overridden } => {
                let action = if overridden.is_some() { "component.override.set" } else { "component.override.delete" };
                let after =
                    overridden.as_ref().map(|word| json!({ "status": word.status.as_str(), "until": word.until.map(|at| at.to_string()) }));
                (action, Some(format!("component:{component}")), json!({ "override": after }))
            }
            Act::OpenIncident(edit) => ("incident.create", None, incident(edit)),
            Act::UpdateIncident { incident: id, edit } => (verb(edit), Some(format!("incident:{id}")), incident(edit)),
            Act::Wait { incident: of, edit, wait } => {
                let mut after = incident(edit);
                after["wait_seconds"] = Value::from(wait.0 / 1000);
                let action = if of.is_some() { verb(edit) } else { "incident.create" };
                (action, of.map(|id| format!("incident:{id}")), after)
            }
            Act::TakeBack { waiting } => ("waiting-act.take-back", Some(format!("waiting-act:{waiting}")), Value::Null),
            Act::LeaveNow { waiting } => ("waiting-act.publish", Some(format!("waiting-act:{waiting}")), Value::Null),
            Act::DeleteIncident { incident } => ("incident.delete", Some(format!("incident:{incident}")), Value::Null),
            Act::Veto { incident } => ("incident.veto", Some(format!("incident:{incident}")), Value::Null),
            Act::PublishPostmortem { incident, body, notify, .. } => {
                let after = json!({ "body": body, "notify": notify });
                ("incident.postmortem.publish", Some(format!("incident:{incident}")), after)
            }
            Act::WithdrawPostmortem { incident, .. } => {
                ("incident.postmortem.unpublish", Some(format!("incident:{incident}")), Value::Null)
            }
            Act::ScheduleMaintenance(edit) => ("maintenance.create", None, maintenance(edit)),
            Act::UpdateMaintenance { maintenance: id, edit } => {
                ("maintenance.update", Some(format!("maintenance:{id}")), maintenance(edit))
            }
        };
        Self { action, resource, after }
    }

    /// What it is done to, or what it made.
    pub(crate) fn resource(&self, recorded: &[Recorded]) -> Option<String> {
        self.resource.clone().or_else(|| recorded.iter().find_map(made))
    }
}

fn made(recorded: &Recorded) -> Option<String> {
    match &recorded.change {
        Change::Incident { incident, .. } => Some(format!("incident:{}", incident.id)),
        Change::Waiting { act } => Some(format!("incident:{}", act.incident)),
        Change::Maintenance { maintenance } => Some(format!("maintenance:{}", maintenance.id)),
        _ => None,
    }
}

fn verb(edit: &IncidentEdit) -> &'static str {
    match edit {
        IncidentEdit { published: Some(true), title: None, status: None, body: None, components: None } => "incident.publish",
        IncidentEdit { body: Some(_), .. } => "incident.update.create",
        _ => "incident.update",
    }
}

/// The fields that are to be something.
fn only(fields: Value) -> Value {
    let Value::Object(fields) = fields else { return fields };
    Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

fn incident(edit: &IncidentEdit) -> Value {
    let affected = edit
        .components
        .as_ref()
        .map(|affected| affected.iter().map(|(id, status)| (id.to_string(), Value::from(status.as_str()))).collect::<Map<_, _>>());
    only(json!({
        "title": edit.title, "status": edit.status.map(|status| status.as_str()), "body": edit.body,
        "components": affected, "published": edit.published,
    }))
}

fn maintenance(edit: &MaintenanceEdit) -> Value {
    let affected = edit.components.as_ref().map(|ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    only(json!({
        "title": edit.title, "body": edit.body, "status": edit.status.map(|status| status.as_str()),
        "starts_at": edit.starts_at.map(|at| at.to_string()), "ends_at": edit.ends_at.map(|at| at.to_string()), "components": affected,
    }))
}
