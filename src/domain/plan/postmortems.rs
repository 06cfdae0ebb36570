//! Postmortems: an entry of its own in the timeline of an incident that is over, which can be written anew and taken back.

use super::{
    Planner,
    acts::{body, invalid, person},
};
use crate::{ActError, Change, Incident, IncidentId, IncidentStatus, IncidentUpdate, NoticeKind, UpdateId};

impl Planner<'_> {
    pub(super) fn publish_postmortem(
        &mut self,
        by: &str,
        id: IncidentId,
        entry: Option<IncidentUpdate>,
        text: &str,
        notify: bool,
    ) -> Result<(), ActError> {
        let before = self.state.incidents.get(&id).cloned().ok_or(ActError::NotFound("incident"))?;
        if !before.status.is_over() {
            return Err(invalid("status", "a postmortem is for an incident that is over; resolve it first"));
        }
        let body = body(Some(text))?.ok_or_else(|| invalid("body", "must not be empty"))?;
        let why = person(by, format!("{by} published the postmortem of \"{}\"", before.title));
        let by = by.to_owned();
        let incident = Incident { status: IncidentStatus::Postmortem, updated_at: self.now, ..before };
        let update = match entry {
            Some(entry) => IncidentUpdate { body, by, edited_at: Some(self.now), ..entry },
            None => IncidentUpdate {
                id: UpdateId(self.fresh_id()),
                incident: id,
                status: incident.status,
                body,
                components: Vec::new(),
                at: self.now,
                by,
                edited_at: None,
            },
        };
        self.emit(Change::Incident { incident: incident.clone(), update: Some(update.clone()) }, &why);
        if notify {
            self.tell_readers(incident, update, NoticeKind::IncidentUpdated, &why);
        }
        Ok(())
    }

    pub(super) fn withdraw_postmortem(&mut self, by: &str, id: IncidentId, entry: UpdateId) -> Result<(), ActError> {
        let before = self.state.incidents.get(&id).cloned().ok_or(ActError::NotFound("incident"))?;
        let why = person(by, format!("{by} took back the postmortem of \"{}\"", before.title));
        let status = if before.status == IncidentStatus::Postmortem { IncidentStatus::Resolved } else { before.status };
        self.emit(Change::EntryRemoved { incident: id, update: entry }, &why);
        self.emit(Change::Incident { incident: Incident { status, updated_at: self.now, ..before }, update: None }, &why);
        Ok(())
    }
}
