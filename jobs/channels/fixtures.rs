//! What the tests of the channels send.

use std::collections::BTreeMap;

use domain::{
    Channel, Claimed, Component, ComponentId, Impact, Incident, IncidentId, IncidentStatus, IncidentUpdate, Notice, NoticeAbout, NoticeId,
    NoticeKind, NotificationId, PageSettings, Recipient, Status, StatusChange, SubscriberId, Timestamp, UpdateId,
};

/// 2026-03-01T14:05:00Z.
pub(super) const AT: Timestamp = Timestamp(1_772_373_900_000);

pub(super) fn component(id: i64, name: &str, hidden: bool) -> (ComponentId, Component) {
    let component = Component {
        id: ComponentId(id),
        key: name.to_lowercase(),
        name: name.to_owned(),
        description: String::new(),
        group: None,
        position: 0,
        hidden,
        status: Status::DegradedPerformance,
        status_since: AT,
        internal_status: Status::DegradedPerformance,
        overridden: None,
        created_at: AT,
    };
    (component.id, component)
}

/// Notification 42 of an incident's update, to `address`.
pub(super) fn claimed(channel: Channel, address: &str) -> Claimed {
    let change = |id| StatusChange { component: ComponentId(id), from: Status::Operational, to: Status::DegradedPerformance };
    let incident = Incident {
        added_at: None,
        id: IncidentId(7),
        title: "API is slow".to_owned(),
        status: IncidentStatus::Identified,
        impact: Impact::Minor,
        published: true,
        publishes_at: None,
        vetoed: false,
        opened_by: None,
        scoped: true,
        components: BTreeMap::from([(ComponentId(1), Status::DegradedPerformance), (ComponentId(2), Status::DegradedPerformance)]),
        started_at: AT,
        resolved_at: None,
        updated_at: AT,
    };
    let update = IncidentUpdate {
        id: UpdateId(12),
        incident: IncidentId(7),
        status: IncidentStatus::Identified,
        body: "We found **the cause**.".to_owned(),
        components: vec![change(1), change(2)],
        at: AT,
        by: "fanal".to_owned(),
        edited_at: None,
    };
    Claimed {
        notification: NotificationId(42),
        attempt: 1,
        notice: Notice {
            id: NoticeId(3),
            kind: NoticeKind::IncidentUpdated,
            at: AT,
            about: NoticeAbout::Incident { incident, update },
            components: BTreeMap::from([component(1, "API", false), component(2, "Backdoor", true)]),
        },
        recipient: Recipient { subscriber: SubscriberId(5), channel, address: address.to_owned(), manage_token: "t0ken".to_owned() },
        page: PageSettings { name: "Acme".to_owned(), time_zone: "Europe/Paris".to_owned(), ..PageSettings::default() },
        thread: None,
        decision: None,
    }
}
