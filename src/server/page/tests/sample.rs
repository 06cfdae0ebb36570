//! An invented company.

use std::collections::BTreeMap;

use domain::{
    Component, ComponentId, Day, Group, GroupId, Impact, Incident, IncidentId, IncidentStatus, IncidentUpdate, Maintenance, MaintenanceId,
    MaintenanceStatus, Metric, MetricId, Override, PageComponent, PageData, PageIncident, PageMetric, PageSettings, Sample, Span, Status,
    StatusChange, Timestamp, UpdateId,
};
use url::Url;

/// 24 November 2026, 14:25 in Paris.
pub(super) fn now() -> Timestamp {
    Timestamp::parse("2026-11-24T13:25:00Z").unwrap()
}

pub(super) fn today() -> i32 {
    now().day_in(&jiff::tz::TimeZone::get("Europe/Paris").unwrap())
}

pub(super) fn ago(span: Span) -> Timestamp {
    Timestamp(now().0 - span.0)
}

pub(super) fn base_url() -> Url {
    Url::parse("https://status.example.com/").unwrap()
}

pub(super) fn component(id: i64, name: &str, group: Option<i64>) -> PageComponent {
    PageComponent {
        caused_by: Vec::new(),
        component: Component {
            id: ComponentId(id),
            key: format!("key-{id}"),
            name: name.to_owned(),
            description: String::new(),
            group: group.map(GroupId),
            position: i32::try_from(id).unwrap(),
            hidden: false,
            status: Status::Operational,
            status_since: ago(Span::mins(60 * 24 * 30)),
            internal_status: Status::PartialOutage,
            overridden: Some(Override { status: Status::Operational, until: None, by: "secret-person".to_owned() }),
            created_at: ago(Span::mins(60 * 24 * 400)),
        },
        days: Vec::new(),
    }
}

fn group(id: i64, name: &str) -> Group {
    Group { id: GroupId(id), key: format!("group-{id}"), name: name.to_owned(), parent: None, position: i32::try_from(id).unwrap() }
}

pub(super) fn day(days_ago: i32, status: Status, minutes: i64) -> Day {
    let mut day = Day { day: today() - days_ago, ..Day::default() };
    day.add(status, Span::mins(minutes));
    day
}

/// All is well, with some history.
pub(super) fn healthy() -> PageData {
    let mut components = vec![
        component(1, "Public API", Some(1)),
        component(2, "Webhooks", Some(1)),
        component(3, "Dashboard", Some(1)),
        component(4, "Checkout", Some(2)),
        component(5, "Card payments", Some(2)),
        component(6, "Bank transfers", Some(2)),
        component(7, "Payouts", Some(2)),
        component(8, "Documentation", None),
    ];
    components[0].component.description = "REST and GraphQL, all regions.".to_owned();
    components[0].days = vec![
        day(71, Status::PartialOutage, 18),
        day(33, Status::DegradedPerformance, 95),
        day(32, Status::DegradedPerformance, 12),
        day(4, Status::MajorOutage, 41),
    ];
    components[1].days = vec![day(71, Status::MajorOutage, 18), day(60, Status::Unknown, 30), day(21, Status::UnderMaintenance, 120)];
    components[4].days = vec![day(9, Status::PartialOutage, 64)];
    components[6].component.created_at = ago(Span::mins(60 * 24 * 37));
    PageData {
        version: 41,
        as_of: now(),
        updated_at: ago(Span::mins(12)),
        settings: PageSettings {
            name: "Acme".to_owned(),
            time_zone: "Europe/Paris".to_owned(),
            description: String::new(),
            support_url: "https://example.com/help".to_owned(),
            ..PageSettings::default()
        },
        groups: vec![group(1, "Platform"), group(2, "Payments")],
        components,
        incidents: vec![past_incident()],
        maintenances: vec![
            maintenance(1, MaintenanceStatus::Scheduled, Timestamp(now().0 + Span::mins(60 * 24 * 3).0)),
            maintenance(2, MaintenanceStatus::Completed, ago(Span::mins(60 * 24 * 9))),
        ],
        metrics: vec![metric(1, "Response time, p95", "ms", 180.0), metric(2, "Payments per minute", "", 42.0)],
        images: Vec::new(),
    }
}

pub(super) fn update(id: i64, incident: i64, status: IncidentStatus, body: &str, at: Timestamp) -> IncidentUpdate {
    let components = vec![StatusChange { component: ComponentId(1), from: Status::Operational, to: Status::MajorOutage }];
    IncidentUpdate {
        id: UpdateId(id),
        incident: IncidentId(incident),
        status,
        body: body.to_owned(),
        components,
        at,
        by: "secret-person".to_owned(),
        edited_at: None,
    }
}

fn past_incident() -> PageIncident {
    let start = ago(Span::mins(60 * 24 * 4 + 90));
    PageIncident {
        incident: Incident {
            added_at: None,
            id: IncidentId(7),
            title: "API requests failed in Europe".to_owned(),
            status: IncidentStatus::Resolved,
            impact: Impact::Critical,
            published: true,
            publishes_at: None,
            vetoed: false,
            opened_by: None,
            scoped: true,
            components: BTreeMap::from([(ComponentId(1), Status::MajorOutage), (ComponentId(3), Status::DegradedPerformance)]),
            started_at: start,
            resolved_at: Some(start.plus(Span::mins(41))),
            updated_at: start.plus(Span::mins(41)),
        },
        updates: vec![
            update(
                13,
                7,
                IncidentStatus::Resolved,
                "A full disk on the **write path** was the cause; it is replaced.",
                start.plus(Span::mins(41)),
            ),
            update(
                12,
                7,
                IncidentStatus::Identified,
                "A database node is out of space. We are moving traffic away from it.",
                start.plus(Span::mins(9)),
            ),
            update(11, 7, IncidentStatus::Investigating, "Requests to `eu-west` fail with 503.", start.plus(Span::mins(2))),
        ],
    }
}

pub(super) fn maintenance(id: i64, status: MaintenanceStatus, starts_at: Timestamp) -> Maintenance {
    Maintenance {
        id: MaintenanceId(id),
        title: "Database upgrade".to_owned(),
        body: "Payouts pause for a few minutes. Nothing is lost; see [the plan](https://example.com/plan).".to_owned(),
        status,
        starts_at,
        ends_at: starts_at.plus(Span::mins(90)),
        scoped: true,
        components: vec![ComponentId(7)],
        occurrence: None,
        announce_at: None,
        created_at: ago(Span::mins(60 * 24 * 10)),
        updated_at: ago(Span::mins(60 * 24 * 8)),
    }
}

fn metric(id: i64, name: &str, unit: &str, level: f64) -> PageMetric {
    let samples = (0..288).map(|index| {
        let wave = (f64::from(index) / 30.0).sin() * 0.2 + f64::from(index * 7919 % 101) / 600.0;
        Sample { at: ago(Span::mins(i64::from(288 - index) * 5)), value: level * (1.0 + wave) }
    });
    PageMetric {
        metric: Metric { id: MetricId(id), key: format!("metric-{id}"), name: name.to_owned(), unit: unit.to_owned(), position: 1 },
        samples: samples.collect(),
    }
}

/// One major outage, something degraded, something unknown, and a maintenance under way.
pub(super) fn troubled() -> PageData {
    let mut data = healthy();
    data.version = 42;
    let since = ago(Span::mins(23));
    for (index, status) in [(0, Status::MajorOutage), (2, Status::DegradedPerformance), (5, Status::Unknown), (6, Status::UnderMaintenance)]
    {
        data.components[index].component.status = status;
        data.components[index].component.status_since = since;
        data.components[index].caused_by = if index == 2 { vec![ComponentId(1)] } else { Vec::new() };
        data.components[index].days.push(day(0, status, 23));
    }
    data.incidents.insert(
        0,
        PageIncident {
            incident: Incident {
                added_at: None,
                id: IncidentId(8),
                title: "API requests fail".to_owned(),
                status: IncidentStatus::Identified,
                impact: Impact::Critical,
                published: true,
                publishes_at: None,
                vetoed: false,
                opened_by: None,
                scoped: true,
                components: BTreeMap::from([(ComponentId(1), Status::MajorOutage), (ComponentId(3), Status::DegradedPerformance)]),
                started_at: since,
                resolved_at: None,
                updated_at: ago(Span::mins(4)),
            },
            updates: vec![
                update(
                    22,
                    8,
                    IncidentStatus::Identified,
                    "A faulty deployment; we are rolling it back. Next update by 14:45.",
                    ago(Span::mins(4)),
                ),
                update(
                    21,
                    8,
                    IncidentStatus::Investigating,
                    "About every second request fails with *503 Service Unavailable*.",
                    ago(Span::mins(20)),
                ),
            ],
        },
    );
    data.maintenances.push(maintenance(3, MaintenanceStatus::InProgress, ago(Span::mins(30))));
    data
}

/// Many components, two days of trouble each.
pub(super) fn large(n_components: i64) -> PageData {
    let mut data = healthy();
    data.groups = (1..=20).map(|id| group(id, &format!("Region {id}"))).collect();
    data.components = (1..=n_components)
        .map(|id| {
            let mut shown = component(id, &format!("Service {id}"), (id % 21 != 0).then_some(id % 21));
            let (first, second) = (i32::try_from(id % 89).unwrap(), i32::try_from(id * 31 % 83).unwrap());
            shown.days =
                vec![day(first.max(second), Status::PartialOutage, id % 200 + 1), day(first.min(second), Status::DegradedPerformance, 7)];
            shown
        })
        .collect();
    data
}
