//! The shapes that clients of Statuspage read.

use domain::{IncidentStatus, MaintenanceStatus, Span, Status};
use serde_json::Value;

use super::{
    injection::text,
    sample::{ago, base_url, maintenance, troubled, update},
};
use crate::page::{IdKind, Resource, Snapshot, short_id};

fn json(snapshot: &Snapshot, resource: Resource) -> Value {
    serde_json::from_str(&text(snapshot, resource)).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn bodies_have_exactly_the_promised_keys() {
    let snapshot = Snapshot::render(&troubled(), &base_url());
    for (resource, expected) in [
        (Resource::Summary, vec!["components", "incidents", "page", "scheduled_maintenances", "status"]),
        (Resource::Status, vec!["page", "status"]),
        (Resource::Components, vec!["components", "page"]),
        (Resource::Incidents(1), vec!["incidents", "page"]),
        (Resource::Unresolved, vec!["incidents", "page"]),
        (Resource::Maintenances, vec!["page", "scheduled_maintenances"]),
        (Resource::UpcomingMaintenances, vec!["page", "scheduled_maintenances"]),
        (Resource::ActiveMaintenances, vec!["page", "scheduled_maintenances"]),
    ] {
        let body = json(&snapshot, resource);
        assert_eq!(keys(&body), expected, "{resource:?}");
        assert_eq!(keys(&body["page"]), ["id", "name", "time_zone", "updated_at", "url"]);
        assert_eq!(body["page"]["url"], "https://status.example.com");
        assert_eq!(body["page"]["updated_at"], "2026-11-24T13:13:00.000Z");
    }
}

#[test]
fn components_and_groups_differ_by_the_key_components() {
    let body = json(&Snapshot::render(&troubled(), &base_url()), Resource::Components);
    let list = body["components"].as_array().unwrap();
    assert_eq!(list.len(), 10, "eight leaves and two groups");
    let leaf_keys = [
        "created_at",
        "description",
        "group",
        "group_id",
        "id",
        "name",
        "only_show_if_degraded",
        "page_id",
        "position",
        "showcase",
        "start_date",
        "status",
        "updated_at",
    ];
    for component in list {
        if component["group"] == true {
            assert_eq!(component["group_id"], Value::Null);
            for child in component["components"].as_array().unwrap() {
                let child = list.iter().find(|candidate| candidate["id"] == *child).unwrap();
                assert_eq!(child["group_id"], component["id"]);
            }
        } else {
            assert_eq!(keys(component), leaf_keys);
        }
    }
    let unknown = list.iter().find(|component| component["id"] == short_id(IdKind::Component, 6)).unwrap();
    assert_eq!(unknown["status"], "degraded_performance", "never taken for health");
    let with_text = list.iter().find(|component| component["name"] == "Public API").unwrap();
    assert_eq!(with_text["description"], "REST and GraphQL, all regions.");
    assert_eq!(with_text["start_date"], "2025-10-20");
}

#[test]
fn an_incident_has_statuspages_shape() {
    let body = json(&Snapshot::render(&troubled(), &base_url()), Resource::Unresolved);
    let [incident] = body["incidents"].as_array().unwrap().as_slice() else { panic!("one incident") };
    assert_eq!(
        keys(incident),
        [
            "components",
            "created_at",
            "id",
            "impact",
            "incident_updates",
            "monitoring_at",
            "name",
            "page_id",
            "reminder_intervals",
            "resolved_at",
            "shortlink",
            "started_at",
            "status",
            "updated_at",
        ]
    );
    assert_eq!((&incident["status"], &incident["impact"]), (&Value::from("identified"), &Value::from("critical")));
    assert_eq!(incident["shortlink"], "https://status.example.com/incidents/8");
    let newest = &incident["incident_updates"][0];
    assert_eq!(
        keys(newest),
        [
            "affected_components",
            "body",
            "created_at",
            "custom_tweet",
            "deliver_notifications",
            "display_at",
            "id",
            "incident_id",
            "status",
            "tweet_id",
            "updated_at",
        ]
    );
    assert_eq!(newest["incident_id"], incident["id"]);
    assert_eq!(newest["status"], "identified");
    let affected = &newest["affected_components"][0];
    assert_eq!(keys(affected), ["code", "name", "new_status", "old_status"]);
    assert_eq!(affected["name"], "Platform - Public API");
    assert_eq!(incident["components"][0]["name"], "Public API");
}

#[test]
fn maintenances_are_incidents_with_a_window() {
    let mut data = troubled();
    data.maintenances.push(maintenance(9, MaintenanceStatus::Cancelled, ago(Span::ZERO)));
    let snapshot = Snapshot::render(&data, &base_url());
    let statuses = |resource| -> Vec<String> {
        let body = json(&snapshot, resource);
        let list = body["scheduled_maintenances"].as_array().unwrap();
        list.iter().map(|each| each["status"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(statuses(Resource::Maintenances), ["scheduled", "in_progress", "completed"], "newest first, cancelled left out");
    assert_eq!(statuses(Resource::UpcomingMaintenances), ["scheduled"]);
    assert_eq!(statuses(Resource::ActiveMaintenances), ["in_progress"]);
    assert_eq!(statuses(Resource::Summary), ["scheduled", "in_progress"]);
    let first = &json(&snapshot, Resource::UpcomingMaintenances)["scheduled_maintenances"][0];
    assert_eq!((&first["impact"], &first["scheduled_for"]), (&Value::from("maintenance"), &Value::from("2026-11-27T13:25:00.000Z")));
}

#[test]
fn a_client_that_pages_comes_to_an_end() {
    let mut data = troubled();
    let one = data.incidents[1].clone();
    data.incidents = (1..=60)
        .map(|id| {
            let mut shown = one.clone();
            shown.incident.id = domain::IncidentId(id);
            shown
        })
        .collect();
    let snapshot = Snapshot::render(&data, &base_url());
    let count = |page| json(&snapshot, Resource::Incidents(page))["incidents"].as_array().unwrap().len();
    assert_eq!([count(1), count(2), count(3)], [50, 10, 0]);
    assert_eq!(snapshot.last_incidents_page(), 3);
}

#[test]
fn a_group_of_groups_carries_its_path() {
    let mut data = troubled();
    data.groups[1].parent = Some(data.groups[0].id);
    let body = json(&Snapshot::render(&data, &base_url()), Resource::Components);
    let names: Vec<&str> = body["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|each| each["group"] == true)
        .filter_map(|each| each["name"].as_str())
        .collect();
    assert_eq!(names, ["Platform", "Platform / Payments"]);
    assert_eq!(data.components[0].component.status, Status::MajorOutage);
}

#[test]
fn a_postmortem_carries_its_keys_and_only_where_there_is_one() {
    let mut data = troubled();
    let over = data.incidents.iter().position(|shown| shown.incident.status.is_over()).unwrap();
    let plain = json(&Snapshot::render(&data, &base_url()), Resource::Incidents(1));
    assert!(keys(&plain["incidents"][over]).iter().all(|key| !key.starts_with("postmortem")), "{plain}");
    let id = data.incidents[over].incident.id;
    let entry = update(99, id.0, IncidentStatus::Postmortem, "It was the *cable*.", ago(Span::mins(3)));
    data.incidents[over].updates.insert(0, domain::IncidentUpdate { edited_at: Some(ago(Span::mins(1))), ..entry });
    let snapshot = Snapshot::render(&data, &base_url());
    let written = &json(&snapshot, Resource::Incidents(1))["incidents"][over];
    assert_eq!(written["postmortem_body"], "It was the *cable*.");
    assert_eq!(written["postmortem_published_at"], ago(Span::mins(3)).to_string());
    assert_eq!(written["postmortem_body_last_updated_at"], ago(Span::mins(1)).to_string());
    assert_eq!(written["incident_updates"][0]["updated_at"], ago(Span::mins(1)).to_string());
    let page = text(&snapshot, Resource::Incident(id));
    assert_eq!((page.matches("id=\"postmortem\"").count(), page.matches("<em>cable</em>").count()), (1, 1), "{page}");
    assert!(text(&snapshot, Resource::History).contains("<em>cable</em>") && text(&snapshot, Resource::Atom).contains("cable"));
}
