//! Publications that are held: who may publish at once, what waits for its time, and what a person has vetoed.
//!
//! **The rule.** An auto route whose policy asks for a hold opens a draft that publishes itself when it is due, and with it the status of its
//! components. Until then nobody but the owner is told, and the draft has no timeline: what is over before it is due was never public. A veto
//! makes it a draft like any other; what its route says of the same components goes there until it gets worse than it was, so that nobody
//! has to say the same twice.

use super::{
    EVALUATOR, Planner,
    acts::{ActError, invalid, person},
    incidents::{Affected, Ending},
};
use crate::{Cause, Change, ComponentId, Incident, IncidentId, NoticeAbout, NoticeKind, Publish, Timestamp, Why};

/// What readers have to do with an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// They see it.
    Published,
    /// They see it when it is due, or would have.
    Held,
    /// A person does not let them.
    Vetoed,
    /// A person may let them.
    Draft,
}

pub(super) const fn standing(incident: &Incident) -> Standing {
    match incident {
        Incident { published: true, .. } => Standing::Published,
        Incident { vetoed: true, .. } => Standing::Vetoed,
        Incident { publishes_at: Some(_), .. } => Standing::Held,
        _ => Standing::Draft,
    }
}

impl Incident {
    /// When it publishes itself, if it still does.
    #[must_use]
    pub fn pending(&self) -> Option<Timestamp> {
        self.publishes_at.filter(|_| standing(self) == Standing::Held && !self.status.is_over())
    }
}

impl Planner<'_> {
    /// Stores a draft that publishes itself, without an entry in its timeline, and tells the owner of it.
    pub(super) fn hold(&mut self, incident: Incident, body: String, why: &Why) -> IncidentId {
        let id = incident.id;
        self.emit(Change::Incident { incident: incident.clone(), update: None }, why);
        let shown = Incident { published: true, ..incident.clone() }.for_readers(|id| self.shows(id));
        if let Some(shown) = shown {
            let named: Vec<ComponentId> = shown.components.keys().copied().collect();
            let incident = Incident { publishes_at: incident.publishes_at, published: false, ..shown };
            self.notify(NoticeKind::PublicationPending, NoticeAbout::Publication { incident, body }, named, why);
        }
        id
    }

    /// Publishes what is due.
    pub(super) fn publications(&mut self) {
        let is_due = |incident: &&Incident| incident.pending().is_some_and(|at| at <= self.now);
        let due: Vec<Incident> = self.state.incidents.values().filter(is_due).cloned().collect();
        for incident in due {
            self.publication(incident);
        }
    }

    fn publication(&mut self, before: Incident) {
        let id = before.id;
        let label = before.opened_by.and_then(|id| self.state.routes.get(&id)).map_or("", |route| route.label.as_str());
        let why = |text: String| Why { text, route: before.opened_by, ..Why::default() };
        if !before.components.is_empty() && before.components.keys().all(|id| self.is_excused(*id)) {
            // A maintenance or a person's word has come before. What outlasts that is held anew.
            let why = why(format!("All that incident #{id} is about is under maintenance or a person's word: not published"));
            let causes: Vec<Cause> = self.causes_in(id).cloned().collect();
            // What flapped counts no more, also on components that the incident did not name.
            let mut calmed = Vec::new();
            for cause in causes {
                if cause.is_flapping() {
                    calmed.extend(self.state.routes.get(&cause.route).iter().flat_map(|route| route.components.iter().copied()));
                    self.emit(Change::CauseEnded { cause }, &why);
                } else {
                    self.bind(&cause, None, &why);
                }
            }
            self.resolve_incident(id, Ending::Silent, &why);
            self.reconcile_components(&calmed, &why);
            return;
        }
        let why = why(format!("Nobody has vetoed incident #{id} for as long as route {label} holds it: published"));
        let body = self.words_of(id);
        let incident = Incident { published: true, publishes_at: None, updated_at: self.now, ..before.clone() };
        self.write_and_follow(Some(&before), incident, body, NoticeKind::IncidentOpened, EVALUATOR, &why);
    }

    /// The first text of an incident, in the words of the route whose cause is worst in it.
    pub(super) fn words_of(&self, id: IncidentId) -> Option<String> {
        let worst = self.causes_in(id).filter(|cause| !cause.is_muted()).max_by_key(|cause| cause.status)?;
        let affected = Affected(self.state.incidents.get(&id)?.components.iter().map(|(id, worst)| (*id, *worst)).collect());
        self.first_words(worst, &affected).map(|(_, body)| body)
    }

    /// A person does not let an incident publish itself.
    pub(super) fn veto(&mut self, by: &str, id: IncidentId) -> Result<(), ActError> {
        let before = self.state.incidents.get(&id).cloned().ok_or(ActError::NotFound("incident"))?;
        if before.pending().is_none() {
            return Err(invalid("publishes_at", "is not set: this incident does not wait to be published"));
        }
        let why = person(by, format!("{by} vetoed the publication of incident #{id}"));
        let incident = Incident { publishes_at: None, vetoed: true, updated_at: self.now, ..before };
        self.emit(Change::Incident { incident, update: None }, &why);
        Ok(())
    }

    /// What no route that publishes by itself speaks of any more waits for a person.
    pub(super) fn release_held(&mut self, why: &Why) {
        let is_auto = |cause: &Cause| self.state.routes.get(&cause.route).is_some_and(|route| route.publish == Publish::Auto);
        let is_left = |incident: &&Incident| incident.pending().is_some() && !self.causes_in(incident.id).any(is_auto);
        let left: Vec<Incident> = self.state.incidents.values().filter(is_left).cloned().collect();
        for incident in left {
            let incident = Incident { publishes_at: None, updated_at: self.now, ..incident };
            self.emit(Change::Incident { incident, update: None }, why);
        }
    }

    /// What an incident that a person changes from `before` keeps of its hold: published, nothing; brought back by hand, it is the person's to publish.
    pub(super) fn held_after(before: &Incident, published: bool, is_over: bool) -> (Option<Timestamp>, bool) {
        match (published, before.status.is_over() && !is_over) {
            (true, _) => (None, false),
            (false, true) => (None, before.vetoed || before.publishes_at.is_some()),
            (false, false) => (before.publishes_at, before.vetoed),
        }
    }

    /// The text of an entry with which a person publishes what was held, if the person gives none.
    pub(super) fn words_if_held(&self, before: &Incident) -> Option<String> {
        before.pending().and_then(|_| self.words_of(before.id))
    }
}
