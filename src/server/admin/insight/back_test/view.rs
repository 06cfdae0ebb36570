//! How a back-test is shown: what would have been, beside what was.

use std::collections::HashMap;

use domain::{ComponentId, Impact, Incident, Status, StatusSpan};
use poem_openapi::Object;
use storage::insight;

use super::super::super::{
    changes::Names,
    types::{Name, Time},
};

/// What would have happened.
#[derive(Object)]
#[oai(rename = "BackTestResult")]
pub(in super::super) struct BackTestView {
    pub(super) from: Time,
    pub(super) to: Time,
    /// Up to when it was worked out: `to`, unless it was cut.
    pub(super) until: Time,
    /// Why it was cut: `deliveries` after 50,000 of them, `seconds` after 10 of them.
    #[oai(nullable)]
    pub(super) cut: Option<String>,
    /// How many deliveries were folded.
    pub(super) deliveries: u64,
    /// How many of them could not be read with the settings of now.
    pub(super) quarantined: u64,
    /// How many signals they had.
    pub(super) signals: u64,
    /// How many notices would have been made, each for all subscribers whom it concerns.
    pub(super) notices: u64,
    /// How many incidents would have been opened.
    pub(super) n_incidents: u64,
    /// Those, oldest first, at most 200.
    pub(super) incidents: Vec<WouldBe>,
    /// When components would not have been well.
    pub(super) components: Vec<ComponentSpans>,
    /// How many spans were left out of `components`: it has at most 200 for each.
    pub(super) spans_left_out: u64,
    /// What really was published: incidents of that time about the components that the routes name or that would not have been well, whoever
    /// opened them, and those that a present route of this integration opened; newest first, at most 200.
    pub(super) published: Vec<Published>,
}

/// An incident that would have been opened.
#[derive(Object)]
pub(super) struct WouldBe {
    title: String,
    impact: Name<Impact>,
    /// False for a draft.
    published: bool,
    started_at: Time,
    /// Null if it would still be open at the end.
    #[oai(nullable)]
    resolved_at: Option<Time>,
    components: Vec<Affected>,
    /// The ids of the published incidents that were open at the same time about one of the same components.
    overlaps: Vec<i64>,
}

/// A component of an incident.
#[derive(Object)]
#[oai(rename = "BackTestComponent")]
struct Affected {
    /// Its key.
    component: String,
    /// At its worst.
    status: Name<Status>,
}

/// When a component would not have been well.
#[derive(Object)]
pub(super) struct ComponentSpans {
    /// Its key.
    component: String,
    /// Oldest first.
    spans: Vec<SpanView>,
}

/// A time in which the status of a component would not have changed.
#[derive(Object)]
#[oai(rename = "StatusSpan")]
struct SpanView {
    /// What readers would have seen.
    status: Name<Status>,
    /// What the signals say, published or not.
    internal_status: Name<Status>,
    from: Time,
    /// Null if it would still be so at the end.
    #[oai(nullable)]
    to: Option<Time>,
}

/// An incident that was published.
#[derive(Object)]
#[oai(rename = "BackTestPublished")]
pub(super) struct Published {
    id: i64,
    title: String,
    impact: Name<Impact>,
    started_at: Time,
    #[oai(nullable)]
    resolved_at: Option<Time>,
    components: Vec<Affected>,
    /// The route that opened it, of this integration or another, by its integration's key and its place; null if a person did.
    #[oai(nullable)]
    opened_by: Option<String>,
    /// Who wrote the first entry of its timeline: a person's or a token's name, or `fanal` for the evaluator.
    by: String,
}

/// The keys of all components.
pub(super) type Keys = HashMap<ComponentId, String>;

pub(super) fn would_be(incident: Incident, published: &[insight::Published], keys: &Keys) -> WouldBe {
    let published = published.iter().map(|one| &one.incident);
    let overlaps = published.filter(|other| overlap(&incident, other)).map(|other| other.id.0).collect();
    WouldBe {
        overlaps,
        components: affected(&incident, keys),
        title: incident.title,
        impact: Name(incident.impact),
        published: incident.published,
        started_at: Time(incident.started_at),
        resolved_at: incident.resolved_at.map(Time),
    }
}

pub(super) fn published_view(insight::Published { incident, by }: insight::Published, keys: &Keys, names: &Names) -> Published {
    Published {
        opened_by: incident.opened_by.map(|id| names.route(id)),
        by,
        id: incident.id.0,
        components: affected(&incident, keys),
        title: incident.title,
        impact: Name(incident.impact),
        started_at: Time(incident.started_at),
        resolved_at: incident.resolved_at.map(Time),
    }
}

fn overlap(a: &Incident, b: &Incident) -> bool {
    let begins_before_end = |a: &Incident, b: &Incident| b.resolved_at.is_none_or(|end| a.started_at <= end);
    begins_before_end(a, b) && begins_before_end(b, a) && a.components.keys().any(|id| b.components.contains_key(id))
}

fn affected(incident: &Incident, keys: &Keys) -> Vec<Affected> {
    incident.components.iter().map(|(id, status)| Affected { component: key_of(*id, keys), status: Name(*status) }).collect()
}

pub(super) fn component_spans(id: ComponentId, spans: Vec<StatusSpan>, keys: &Keys) -> ComponentSpans {
    let span = |span: StatusSpan| SpanView {
        status: Name(span.status),
        internal_status: Name(span.internal_status),
        from: Time(span.from),
        to: span.until.map(Time),
    };
    ComponentSpans { component: key_of(id, keys), spans: spans.into_iter().map(span).collect() }
}

fn key_of(id: ComponentId, keys: &Keys) -> String {
    keys.get(&id).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    #[test]
    fn incidents_overlap_if_they_share_a_time_and_a_component() {
        let incident = |from: i64, to: Option<i64>, component: i64| Incident {
            added_at: None,

            id: domain::IncidentId(1),
            title: String::new(),
            status: domain::IncidentStatus::Resolved,
            impact: Impact::Major,
            published: true,
            publishes_at: None,
            vetoed: false,
            opened_by: None,
            scoped: true,
            components: [(ComponentId(component), Status::MajorOutage)].into_iter().collect(),
            started_at: Timestamp(from),
            resolved_at: to.map(Timestamp),
            updated_at: Timestamp(from),
        };
        let first = incident(100, Some(200), 1);
        for (other, expected) in [
            (incident(150, None, 1), true),
            (incident(50, Some(100), 1), true),
            (incident(50, Some(99), 1), false),
            (incident(201, None, 1), false),
            (incident(150, None, 2), false),
        ] {
            assert_eq!((overlap(&first, &other), overlap(&other, &first)), (expected, expected), "{other:?}");
        }
    }
}
