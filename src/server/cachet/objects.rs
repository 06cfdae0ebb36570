//! Our things in the shapes of Cachet 2.4, key for key.

use domain::{
    Component, ComponentId, Group, IncidentStatus, IncidentUpdate, Maintenance, MaintenanceStatus, Metric, PageIncident, Sample, Status,
    Timestamp,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use url::Url;

/// What shapes need besides the thing itself.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// On whose clock times are written.
    pub(super) zone: TimeZone,
    /// Where the page is.
    pub(super) base: Url,
}

/// Cachet's number of a component's status. It knows no maintenance here: the mildest status that no client takes for health stands for it.
pub(super) const fn status_number(status: Status) -> i64 {
    match status {
        Status::Unknown => 0,
        Status::Operational => 1,
        Status::DegradedPerformance | Status::UnderMaintenance => 2,
        Status::PartialOutage => 3,
        Status::MajorOutage => 4,
    }
}

/// The status that a number stands for.
pub(super) const fn status_of(number: i64) -> Option<Status> {
    Some(match number {
        0 => Status::Unknown,
        1 => Status::Operational,
        2 => Status::DegradedPerformance,
        3 => Status::PartialOutage,
        4 => Status::MajorOutage,
        _ => return None,
    })
}

fn status_name(number: i64) -> &'static str {
    match number {
        1 => "Operational",
        2 => "Performance Issues",
        3 => "Partial Outage",
        4 => "Major Outage",
        _ => "Unknown",
    }
}

const fn incident_number(status: IncidentStatus) -> i64 {
    match status {
        IncidentStatus::Investigating => 1,
        IncidentStatus::Identified => 2,
        IncidentStatus::Monitoring => 3,
        IncidentStatus::Resolved | IncidentStatus::Postmortem => 4,
    }
}

/// The status of an incident that a number stands for. 0 was a maintenance once.
pub(super) const fn incident_status_of(number: i64) -> Option<IncidentStatus> {
    Some(match number {
        1 => IncidentStatus::Investigating,
        2 => IncidentStatus::Identified,
        3 => IncidentStatus::Monitoring,
        4 => IncidentStatus::Resolved,
        _ => return None,
    })
}

const fn incident_name(number: i64) -> &'static str {
    match number {
        1 => "Investigating",
        2 => "Identified",
        3 => "Watching",
        _ => "Fixed",
    }
}

const fn incident_icon(number: i64) -> &'static str {
    match number {
        1 => "icon ion-flag oranges",
        2 => "icon ion-alert yellows",
        3 => "icon ion-eye blues",
        _ => "icon ion-checkmark greens",
    }
}

const fn schedule_number(status: MaintenanceStatus) -> i64 {
    match status {
        MaintenanceStatus::Scheduled => 0,
        MaintenanceStatus::InProgress => 1,
        MaintenanceStatus::Completed | MaintenanceStatus::Cancelled => 2,
    }
}

const fn schedule_name(number: i64) -> &'static str {
    match number {
        0 => "Upcoming",
        1 => "In Progress",
        _ => "Complete",
    }
}

/// The status of a maintenance that a number stands for.
pub(super) const fn schedule_status_of(number: i64) -> Option<MaintenanceStatus> {
    Some(match number {
        0 => MaintenanceStatus::Scheduled,
        1 => MaintenanceStatus::InProgress,
        2 => MaintenanceStatus::Completed,
        _ => return None,
    })
}

impl Shape {
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.zone.to_datetime(at.to_jiff()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    pub(super) fn component(&self, component: &Component) -> Value {
        let status = status_number(component.status);
        json!({
            "id": component.id.0,
            "name": component.name,
            "description": component.description,
            "link": "",
            "status": status,
            "order": component.position,
            "group_id": component.group.map_or(0, |group| group.0),
            "enabled": !component.hidden,
            "meta": null,
            "created_at": self.time(component.created_at),
            "updated_at": self.time(component.status_since.max(component.created_at)),
            "deleted_at": null,
            "status_name": status_name(status),
            "tags": {},
        })
    }

    /// A group with its components, which are in the order of the page.
    pub(super) fn group(&self, group: &Group, components: &[&Component]) -> Value {
        let inside: Vec<&Component> = components.iter().filter(|component| component.group == Some(group.id)).copied().collect();
        let mut worst_first = inside.clone();
        worst_first.sort_by_key(|component| std::cmp::Reverse(status_number(component.status)));
        let since = inside.iter().map(|component| component.created_at).min();
        let changed = inside.iter().map(|component| component.status_since).max();
        json!({
            "id": group.id.0,
            "name": group.name,
            "order": group.position,
            "collapsed": 0,
            "visible": 1,
            "created_at": since.map(|at| self.time(at)),
            "updated_at": changed.map(|at| self.time(at)),
            "enabled_components": inside.iter().map(|component| self.component(component)).collect::<Vec<_>>(),
            "enabled_components_lowest": worst_first.iter().map(|component| self.component(component)).collect::<Vec<_>>(),
            "lowest_human_status": worst_first.first().map(|component| status_name(status_number(component.status))),
        })
    }

    /// An incident. What it began with is its message; what came later are its updates.
    pub(super) fn incident(&self, shown: &PageIncident) -> Value {
        let PageIncident { incident, updates } = shown;
        let status = incident_number(incident.status);
        let (first, later) = updates.split_last().map_or((None, &[][..]), |(first, later)| (Some(first), later));
        let newest = updates.iter().map(|update| update.at).max();
        let seconds = newest.map_or(0, |at| at.since(incident.started_at).0.max(0) / 1000);
        json!({
            "id": incident.id.0,
            "user_id": 0,
            "component_id": incident.components.keys().next().map_or(0, |component| component.0),
            "name": incident.title,
            "status": status,
            "visible": i64::from(incident.published),
            "stickied": false,
            "notifications": incident.published,
            "message": first.map_or("", |first| first.body.as_str()),
            "occurred_at": self.time(incident.started_at),
            "scheduled_at": null,
            "created_at": self.time(incident.started_at),
            "updated_at": self.time(incident.updated_at),
            "deleted_at": null,
            "is_resolved": incident.status.is_over(),
            "meta": {},
            "updates": later.iter().map(|update| self.update(update)).collect::<Vec<_>>(),
            "human_status": incident_name(status),
            "latest_update_id": later.first().map(|update| update.id.0),
            "latest_status": status,
            "latest_human_status": incident_name(status),
            "latest_icon": incident_icon(status),
            "permalink": self.link(&format!("incidents/{}", incident.id)),
            "duration": seconds,
        })
    }

    pub(super) fn update(&self, update: &IncidentUpdate) -> Value {
        let status = incident_number(update.status);
        json!({
            "id": update.id.0,
            "incident_id": update.incident.0,
            "status": status,
            "message": update.body,
            "user_id": 0,
            "created_at": self.time(update.at),
            "updated_at": self.time(update.edited_at.unwrap_or(update.at)),
            "human_status": incident_name(status),
            "permalink": self.link(&format!("incidents/{}", update.incident)),
        })
    }

    pub(super) fn schedule(&self, maintenance: &Maintenance) -> Value {
        let status = schedule_number(maintenance.status);
        let component = |id: &ComponentId| {
            json!({
                "id": id.0,
                "schedule_id": maintenance.id.0,
                "component_id": id.0,
                "component_status": status_number(Status::UnderMaintenance),
                "created_at": self.time(maintenance.created_at),
                "updated_at": self.time(maintenance.updated_at),
            })
        };
        json!({
            "id": maintenance.id.0,
            "name": maintenance.title,
            "message": maintenance.body,
            "status": status,
            "scheduled_at": self.time(maintenance.starts_at),
            "completed_at": self.time(maintenance.ends_at),
            "created_at": self.time(maintenance.created_at),
            "updated_at": self.time(maintenance.updated_at),
            "deleted_at": null,
            "components": maintenance.components.iter().map(component).collect::<Vec<_>>(),
            "human_status": schedule_name(status),
        })
    }

    /// A metric. Of how Cachet counts and draws one, which differs here, the usual values are told.
    pub(super) fn metric(&self, metric: &Metric, samples: &[Sample]) -> Value {
        json!({
            "id": metric.id.0,
            "name": metric.name,
            "suffix": metric.unit,
            "description": "",
            "default_value": 0,
            "calc_type": 1,
            "display_chart": true,
            "places": 2,
            "default_view": 1,
            "threshold": 5,
            "order": metric.position,
            "visible": 1,
            "created_at": samples.first().map(|sample| self.time(sample.at)),
            "updated_at": samples.last().map(|sample| self.time(sample.at)),
            "default_view_name": "Last 12 Hours",
        })
    }

    /// A point of a metric. A value has no number of its own here: its second is one.
    pub(super) fn point(&self, metric: &Metric, sample: &Sample) -> Value {
        let (at, value) = (self.time(sample.at), number(sample.value));
        json!({
            "id": sample.at.0 / 1000,
            "metric_id": metric.id.0,
            "value": value,
            "counter": 1,
            "created_at": at,
            "updated_at": at,
            "calculated_value": value,
        })
    }

    fn link(&self, path: &str) -> String {
        self.base.join(path).map_or_else(|_| path.to_owned(), |url| url.to_string())
    }
}

/// Whole numbers without a point: clients read them into integers.
#[expect(clippy::cast_possible_truncation, reason = "within the range in which floats are exact")]
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { json!(value as i64) } else { json!(value) }
}

/// One thing: `{"data": …}`.
pub(super) fn single(data: Value) -> Value {
    let mut body = Map::new();
    body.insert("data".to_owned(), data);
    Value::Object(body)
}
