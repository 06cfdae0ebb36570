//! Acts that wait before anything leaves, so that they can be taken back.
//!
//! **The rule.** Until its time comes nothing has happened: readers see nothing of it, no status follows from it, nobody is owed anything. When
//! it comes, the act is planned on the state as it is then, as if it were said then. What does not fit any more is kept with the reason, so
//! that nothing is lost that somebody wrote.

use super::{
    Planner,
    acts::{ActError, invalid, person},
};
use crate::{Change, IncidentEdit, IncidentId, IncidentStatus, MAX_WAIT, MAX_WAITING_ACTS, Span, WaitState, WaitingAct, WaitingActId, Why};

impl Planner<'_> {
    /// Lets what a person says about an incident, or about a new one, wait.
    pub(super) fn let_wait(&mut self, by: &str, incident: Option<IncidentId>, edit: IncidentEdit, wait: Span) -> Result<(), ActError> {
        if wait > MAX_WAIT || wait <= Span::ZERO {
            return Err(invalid("wait_seconds", format!("must lie between 1 and {}", MAX_WAIT.0 / 1000)));
        }
        if self.state.waiting.len() >= MAX_WAITING_ACTS {
            return Err(invalid("wait_seconds", format!("{MAX_WAITING_ACTS} acts wait already, no more are allowed; leave it out")));
        }
        let (edit, stood_at) = match incident {
            None => {
                self.words_of_new(&edit)?;
                (edit, None)
            }
            Some(id) => {
                let before = self.state.incidents.get(&id).ok_or(ActError::NotFound("incident"))?;
                self.words_of_edit(before, &edit)?;
                // What is only repeated must not undo what comes meanwhile.
                (IncidentEdit { status: edit.status.filter(|status| *status != before.status), ..edit }, Some(before.status))
            }
        };
        let id = WaitingActId(self.fresh_id());
        let act = WaitingAct {
            id,
            incident: incident.unwrap_or(IncidentId(id.0)),
            opens: incident.is_none(),
            edit,
            stood_at,
            by: by.to_owned(),
            since: self.now,
            leaves_at: self.now.plus(wait),
            state: WaitState::Waiting,
            reason: None,
        };
        let why = person(by, format!("{by} wrote about the incident; it leaves in {wait}, unless it is taken back"));
        self.emit(Change::Waiting { act }, &why);
        Ok(())
    }

    /// Takes back what has not left.
    pub(super) fn take_back(&mut self, by: &str, id: WaitingActId) -> Result<(), ActError> {
        let act = self.state.waiting.get(&id).cloned().ok_or(ActError::NotFound("waiting act"))?;
        let why = person(by, format!("{by} took back what {} wrote, before it left", act.by));
        self.emit(Change::Waiting { act: WaitingAct { state: WaitState::TakenBack, ..act } }, &why);
        Ok(())
    }

    /// Lets something leave before its time.
    pub(super) fn leave_now(&mut self, by: &str, id: WaitingActId) -> Result<(), ActError> {
        let is_waiting = |act: &&WaitingAct| act.state == WaitState::Waiting;
        let act = self.state.waiting.get(&id).filter(is_waiting).cloned().ok_or(ActError::NotFound("waiting act"))?;
        self.leave(act, &person(by, format!("{by} let it leave at once")));
        Ok(())
    }

    /// Lets leave whatever has waited for long enough.
    pub(super) fn leave_due(&mut self) {
        let is_due = |act: &&WaitingAct| act.state == WaitState::Waiting && act.leaves_at <= self.now;
        let due: Vec<WaitingAct> = self.state.waiting.values().filter(is_due).cloned().collect();
        for act in due {
            let why = person(&act.by, "Nobody has taken it back".to_owned());
            self.leave(act, &why);
        }
    }

    fn leave(&mut self, act: WaitingAct, why: &Why) {
        let (state, reason) = match self.carry_out(&act) {
            Ok(()) => (WaitState::Left, None),
            Err(error) => (WaitState::Refused, Some(error.to_string())),
        };
        self.emit(Change::Waiting { act: WaitingAct { state, reason, ..act } }, why);
    }

    fn carry_out(&mut self, act: &WaitingAct) -> Result<(), ActError> {
        if act.opens {
            return self.open_by_person(&act.by, Some(act.incident), act.edit.clone());
        }
        let now = self.state.incidents.get(&act.incident).map(|incident| incident.status).ok_or(ActError::NotFound("incident"))?;
        match act.edit.status.filter(|wanted| act.stood_at != Some(now) && *wanted != now) {
            Some(wanted) => Err(overtaken(wanted, now)),
            None => self.update_by_person(&act.by, act.incident, act.edit.clone()),
        }
    }

    /// What waits about an incident that is deleted goes with it.
    pub(super) fn drop_waiting(&mut self, incident: IncidentId, why: &Why) {
        let is_about = |act: &&WaitingAct| act.incident == incident;
        let left_over: Vec<WaitingAct> = self.state.waiting.values().filter(is_about).cloned().collect();
        for act in left_over {
            let reason = Some("the incident was deleted".to_owned());
            self.emit(Change::Waiting { act: WaitingAct { state: WaitState::TakenBack, reason, ..act } }, why);
        }
    }
}

fn overtaken(wanted: IncidentStatus, now: IncidentStatus) -> ActError {
    invalid("status", format!("was to become {wanted}, but the incident has become {now} meanwhile"))
}
