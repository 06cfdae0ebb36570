//! Entries of timelines that wait until it is known what readers see change.
//!
//! **The rule.** Incidents come first, for they decide what is published; then the statuses; then the words. An entry so tells of what has
//! changed, and never of what was about to: a later cause of the same step, a route that begins to flap, or an incident that ends with it
//! may have made something else of it. Each change is told in one entry.

use super::{EVALUATOR, Planner, wording};
use crate::{ComponentId, Incident, IncidentId, NoticeKind, Status, StatusChange, Why};

/// An entry that waits.
pub(super) struct Entry {
    pub(super) incident: IncidentId,
    pub(super) kind: NoticeKind,
    pub(super) by: String,
    /// What it says. Without it, a sentence says where the incident stands.
    pub(super) body: Option<String>,
    /// Without a text: whether it says what has changed instead, if something has.
    pub(super) says_changes: bool,
    /// What it speaks of.
    pub(super) about: Vec<ComponentId>,
    pub(super) why: Why,
}

impl Entry {
    /// One by us, with a text.
    pub(super) fn new(incident: IncidentId, kind: NoticeKind, body: String, about: Vec<ComponentId>, why: &Why) -> Self {
        Self { incident, kind, by: EVALUATOR.to_owned(), body: Some(body), says_changes: false, about, why: why.clone() }
    }
}

/// Components that an incident is about from now on.
pub(super) struct Joined {
    pub(super) incident: IncidentId,
    pub(super) components: Vec<ComponentId>,
    pub(super) why: Why,
}

impl Planner<'_> {
    /// Writes what waits, now that these statuses have changed; returns those changes of which no entry has told.
    pub(super) fn write_entries(&mut self, mut changes: Vec<StatusChange>) -> Vec<StatusChange> {
        let moved: Vec<ComponentId> = changes.iter().map(|change| change.component).collect();
        for entry in std::mem::take(&mut self.entries) {
            let Some(incident) = self.state.incidents.get(&entry.incident).cloned() else { continue };
            let told = if incident.published {
                let (told, left) = changes.into_iter().partition(|change| entry.about.contains(&change.component));
                changes = left;
                told
            } else {
                self.would_change(&incident, &entry.about)
            };
            let body = entry.body.unwrap_or_else(|| self.standing_in_words(&incident, entry.says_changes, &told));
            self.write(incident, body, told, entry.kind, &entry.by, &entry.why);
        }
        for joined in std::mem::take(&mut self.joined) {
            self.write_joined(joined, &moved);
        }
        changes
    }

    fn standing_in_words(&self, incident: &Incident, says_changes: bool, told: &[StatusChange]) -> String {
        if says_changes && !told.is_empty() {
            return self.describe(told);
        }
        let names = self.names(&incident.components.keys().copied().collect::<Vec<_>>());
        wording::by_status(incident.status, (!incident.components.is_empty()).then_some(names.as_str()))
    }

    /// What an incident is about now although readers have seen it for a while without being told: it was silent because of what it depends
    /// on, or followed from that, and no other incident has told of it.
    fn write_joined(&mut self, Joined { incident: id, components, why }: Joined, moved: &[ComponentId]) {
        let Some(incident) = self.state.incidents.get(&id).filter(|incident| !incident.status.is_over()).cloned() else { return };
        let unsaid = |id: ComponentId| {
            let to = self.state.components.get(&id)?.status;
            let elsewhere = |other: &Incident| other.id != incident.id && self.tells_of(other, id) && self.is_about(other, id);
            let is_told = moved.contains(&id) || self.state.incidents.values().any(elsewhere);
            (to.is_fault() && !is_told).then_some(StatusChange { component: id, from: Status::Operational, to })
        };
        let unsaid: Vec<StatusChange> = components.into_iter().filter_map(unsaid).collect();
        if !unsaid.is_empty() {
            self.report(incident, unsaid, &why);
        }
    }
}
