//! Postmortems: what was learned from an incident, once it is over.
//!
//! It is written as a draft that only the team sees. Readers see it as an entry of the incident's timeline, with the status
//! [`IncidentStatus::Postmortem`]; there is no other place where a published one is kept.

use crate::{IncidentId, IncidentStatus, IncidentUpdate, Timestamp};

/// What is being written about an incident that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostmortemDraft {
    /// The incident.
    pub incident: IncidentId,
    /// Markdown, as written.
    pub body: String,
    /// Who wrote it last.
    pub by: String,
    /// When.
    pub updated_at: Timestamp,
}

/// The entry of a timeline that is the published postmortem: of several, the newest. `updates` stand newest first.
#[must_use]
pub fn postmortem_of(updates: &[IncidentUpdate]) -> Option<&IncidentUpdate> {
    updates.iter().find(|update| update.status == IncidentStatus::Postmortem)
}
