//! How the console calls things.

use domain::{Incident, IncidentStatus, MaintenanceStatus, Status, Timestamp};

use super::zone::time;
use crate::page::span_words;

/// A status at the beginning of a line.
pub(super) const fn status(status: &Status) -> &'static str {
    match status {
        Status::Operational => "Operational",
        Status::UnderMaintenance => "Under maintenance",
        Status::Unknown => "Unknown",
        Status::DegradedPerformance => "Degraded performance",
        Status::PartialOutage => "Partial outage",
        Status::MajorOutage => "Major outage",
    }
}

/// Where an incident stands.
pub(super) const fn incident_status(status: &IncidentStatus) -> &'static str {
    match status {
        IncidentStatus::Investigating => "Investigating",
        IncidentStatus::Identified => "Identified",
        IncidentStatus::Monitoring => "Monitoring",
        IncidentStatus::Resolved => "Resolved",
        IncidentStatus::Postmortem => "Postmortem",
    }
}

/// Where a maintenance stands.
pub(super) const fn maintenance_status(status: &MaintenanceStatus) -> &'static str {
    match status {
        MaintenanceStatus::Scheduled => "Scheduled",
        MaintenanceStatus::InProgress => "Running",
        MaintenanceStatus::Completed => "Completed",
        MaintenanceStatus::Cancelled => "Cancelled",
    }
}

/// How long ago something was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    if now.since(at).0 < 60_000 { "just now".to_owned() } else { format!("{} ago", span_words(now.since(at))) }
}

/// What becomes of a draft by itself, if anything does.
pub(super) fn publication(incident: &Incident, now: Timestamp) -> Option<String> {
    match incident.publishes_at {
        _ if incident.vetoed => Some("Vetoed: it does not publish itself any more.".to_owned()),
        Some(at) if at.since(now).0 < 60_000 => Some("It publishes itself within a minute.".to_owned()),
        Some(at) => Some(format!("It publishes itself in {}, at {}.", span_words(at.since(now)), time(at))),
        None => None,
    }
}

/// How many will be told, as a sentence.
pub(super) fn told(n: i64) -> String {
    match n {
        0 => "Nobody is told: there is no subscriber to it.".to_owned(),
        1 => "1 subscriber is told.".to_owned(),
        n => format!("{n} subscribers are told."),
    }
}
