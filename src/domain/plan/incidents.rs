//! Incidents that the evaluator opens, follows and resolves.

use std::collections::BTreeMap;

use super::{EVALUATOR, Planner, wording};
use crate::{
    Cause, CauseKey, Change, ComponentId, Impact, Incident, IncidentId, IncidentStatus, IncidentUpdate, NoticeAbout, NoticeKind, Publish,
    Route, Status, StatusChange, UpdateId, Why,
};

/// How a cause came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The sender said that it is over.
    Resolved,
    /// Nothing says so, but nothing says any more that it goes on either.
    Silent,
}

impl Planner<'_> {
    /// Gives a cause that counts an incident: an open one about the same, one that has just ended, or a new one.
    /// Returns of which components an entry of a timeline has spoken.
    pub(super) fn attach(&mut self, key: &CauseKey, why: &Why) -> Vec<(IncidentId, ComponentId)> {
        let Some((incident, affected)) = self.attach_one(key, why) else { return Vec::new() };
        affected.into_iter().map(|id| (incident, id)).collect()
    }

    fn attach_one(&mut self, key: &CauseKey, why: &Why) -> Option<(IncidentId, Vec<ComponentId>)> {
        let is_news = |status: Status| status.is_fault() || status == Status::Unknown;
        let cause = self.state.causes.get(key).filter(|cause| cause.counts() && is_news(cause.status))?.clone();
        let route = self.state.routes.get(&cause.route).filter(|route| route.publish != Publish::Shadow)?;
        let affected: Vec<ComponentId> = route.components.iter().copied().filter(|id| !self.is_excused(*id)).collect();
        let shows = |ids: &[ComponentId]| ids.iter().any(|id| self.visible(*id).is_some());
        if affected.is_empty() || (shows(&route.components) && !shows(&affected)) {
            return None; // Nothing to tell: all that could be named is under maintenance or a person's word.
        }
        let published = route.publish == Publish::Auto;
        let why = Why { route: Some(route.id), ..why.clone() };
        let open = match self.own(&cause, published) {
            Own::Open(id) => Some(id),
            Own::Ended => return None, // A person resolved it while it still fires: their word stands.
            Own::None => self.find_open(&cause, published, &affected),
        };
        if let Some(id) = open {
            self.join(&cause, id, &affected, &why);
            return None;
        }
        let told = match self.find_recent(&cause, published, &affected) {
            Some(id) => self.reopen(&cause, id, &affected, &why)?,
            None => self.open(&cause, &affected, published, &why)?,
        };
        Some((told, affected))
    }

    fn is_excused(&self, id: ComponentId) -> bool {
        let word = |component: &crate::Component| component.overridden.as_ref().is_some_and(|word| !word.status.is_fault());
        self.state.under_maintenance(id) || self.state.components.get(&id).is_none_or(word)
    }

    fn own(&self, cause: &Cause, published: bool) -> Own {
        match cause.incident.map(|id| (id, self.state.incidents.get(&id))) {
            None => Own::None,
            Some((_, Some(incident))) if !incident.published && published => Own::None, // A draft of before the route could publish.
            Some((id, Some(incident))) if !incident.status.is_over() => Own::Open(id),
            Some(_) => Own::Ended,
        }
    }

    fn find_open(&self, cause: &Cause, published: bool, affected: &[ComponentId]) -> Option<IncidentId> {
        let open = |incident: &&Incident| !incident.status.is_over() && incident.published == published;
        let about_the_same = |incident: &&Incident| self.is_about_the_same(incident, cause, affected);
        self.state.incidents.values().rev().filter(open).find(about_the_same).map(|incident| incident.id)
    }

    fn find_recent(&self, cause: &Cause, published: bool, affected: &[ComponentId]) -> Option<IncidentId> {
        let cool_off = self.state.routes.get(&cause.route)?.cool_off;
        let recent = |incident: &&Incident| {
            incident.opened_by.is_some()
                && incident.published == published
                && incident.status == IncidentStatus::Resolved
                && incident.resolved_at.is_some_and(|at| cool_off.0 > 0 && self.now.since(at) <= cool_off)
        };
        let about_the_same = |incident: &&Incident| self.is_about_the_same(incident, cause, affected);
        self.state.incidents.values().rev().filter(recent).find(about_the_same).map(|incident| incident.id)
    }

    /// What concerns hidden components alone never touches an incident that readers see.
    fn is_about_the_same(&self, incident: &Incident, cause: &Cause, affected: &[ComponentId]) -> bool {
        let shares = incident.opened_by == Some(cause.route) || affected.iter().any(|id| incident.components.contains_key(id));
        shares && affected.iter().any(|id| self.visible(*id).is_some()) == self.shows_something(incident)
    }

    fn open(&mut self, cause: &Cause, affected: &[ComponentId], published: bool, why: &Why) -> Option<IncidentId> {
        let (title, body) = self.first_words(cause, affected)?;
        let components = affected.iter().map(|id| (*id, cause.status)).collect();
        let incident = Incident {
            id: IncidentId(self.fresh_id()),
            title,
            status: IncidentStatus::Investigating,
            impact: self.impact(&components),
            published,
            opened_by: Some(cause.route),
            components,
            started_at: self.now,
            resolved_at: None,
            updated_at: self.now,
        };
        self.bind(cause, Some(incident.id), why);
        let changes = self.changes(&incident, affected);
        Some(self.write(incident, body, changes, NoticeKind::IncidentOpened, EVALUATOR, why))
    }

    /// An incident's title and first text: the route's templates, or sentences that give away nothing internal.
    fn first_words(&self, cause: &Cause, affected: &[ComponentId]) -> Option<(String, String)> {
        let route: &Route = self.state.routes.get(&cause.route)?;
        let signal = self.state.signals.get(&(cause.integration, cause.fingerprint.clone()));
        Some(wording::opened(route, cause.status, signal.map(AsRef::as_ref), &self.names(affected)))
    }

    fn reopen(&mut self, cause: &Cause, id: IncidentId, affected: &[ComponentId], why: &Why) -> Option<IncidentId> {
        let before = self.state.incidents.get(&id)?.clone();
        let incident = Incident {
            status: IncidentStatus::Investigating,
            resolved_at: None,
            updated_at: self.now,
            ..self.worsened(before, affected.iter().map(|id| (*id, cause.status)))
        };
        self.bind(cause, Some(id), why);
        let changes = self.changes(&incident, affected);
        let body = wording::back(&self.names(affected));
        Some(self.write(incident, body, changes, NoticeKind::IncidentReopened, EVALUATOR, why))
    }

    /// Adds a cause to an open incident. What readers see change is told when it has changed; a draft is told here.
    fn join(&mut self, cause: &Cause, id: IncidentId, affected: &[ComponentId], why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        if cause.incident != Some(id) {
            self.bind(cause, Some(id), why);
        }
        if before.opened_by.is_none() {
            return; // A person's incident: what it says is theirs.
        }
        let after = self.worsened(before.clone(), affected.iter().map(|id| (*id, cause.status)));
        if after == before {
            return;
        }
        let incident = Incident { updated_at: self.now, ..after };
        if incident.published {
            self.emit(Change::Incident { incident, update: None }, why);
        } else {
            let changes = self.changes(&incident, affected);
            self.report(incident, changes, why);
        }
    }

    pub(super) fn bind(&mut self, cause: &Cause, incident: Option<IncidentId>, why: &Why) {
        self.emit(Change::CauseSet { cause: Cause { incident, ..cause.clone() }, moved: false }, why);
    }

    /// Stores an incident with an entry that says what changed for its components, unless readers could see nothing of that.
    fn report(&mut self, incident: Incident, changes: Vec<StatusChange>, why: &Why) {
        if self.shows_something(&incident) && changes.iter().all(|change| self.visible(change.component).is_none()) {
            return self.emit(Change::Incident { incident, update: None }, why);
        }
        let body = self.describe(&changes);
        self.write(incident, body, changes, NoticeKind::IncidentUpdated, EVALUATOR, why);
    }

    /// Status changes in words: `API: major outage. Web is operational again.`
    pub(super) fn describe(&self, changes: &[StatusChange]) -> String {
        let mut by_status: BTreeMap<Status, Vec<ComponentId>> = BTreeMap::new();
        let any_visible = changes.iter().any(|change| self.visible(change.component).is_some());
        for change in changes.iter().filter(|change| !any_visible || self.visible(change.component).is_some()) {
            by_status.entry(change.to).or_default().push(change.component);
        }
        let sentences = by_status.iter().rev().map(|(to, ids)| wording::changed(&self.names(ids), *to));
        sentences.collect::<Vec<_>>().join(" ")
    }

    /// What an entry of `incident` says has changed for `components`: what readers will see, or in a draft what they would.
    pub(super) fn changes(&self, incident: &Incident, components: &[ComponentId]) -> Vec<StatusChange> {
        if incident.published {
            return self.published_changes(incident, components);
        }
        let change = |id: &ComponentId| {
            let (from, to) = (self.state.components.get(id)?.status, *incident.components.get(id)?);
            Some(StatusChange { component: *id, from, to }).filter(|change| change.from != change.to)
        };
        components.iter().filter_map(change).collect()
    }

    /// Stores an incident with a new entry of its timeline, and tells subscribers if readers may see it.
    pub(super) fn write(
        &mut self,
        incident: Incident,
        body: String,
        components: Vec<StatusChange>,
        kind: NoticeKind,
        by: &str,
        why: &Why,
    ) -> IncidentId {
        let id = incident.id;
        let update = IncidentUpdate {
            id: UpdateId(self.fresh_id()),
            incident: id,
            status: incident.status,
            body,
            components,
            at: self.now,
            by: by.to_owned(),
        };
        self.emit(Change::Incident { incident: incident.clone(), update: Some(update.clone()) }, why);
        if self.is_for_readers(&incident) {
            let (incident, update) = self.for_readers(incident, update);
            let named: Vec<ComponentId> = incident.components.keys().copied().collect();
            let named = named.into_iter().chain(update.components.iter().map(|change| change.component)).collect::<Vec<_>>();
            self.notify(kind, NoticeAbout::Incident { incident, update }, named, why);
        }
        id
    }

    /// Without what readers may not see.
    fn for_readers(&self, mut incident: Incident, mut update: IncidentUpdate) -> (Incident, IncidentUpdate) {
        incident.components.retain(|id, _| self.visible(*id).is_some());
        update.components.retain(|change| self.visible(change.component).is_some());
        (incident, update)
    }

    /// Published, and about something that readers can see or, where people say so, about nothing in particular.
    fn is_for_readers(&self, incident: &Incident) -> bool {
        let general = incident.components.is_empty() && incident.opened_by.is_none();
        incident.published && (general || self.shows_something(incident))
    }

    fn shows_something(&self, incident: &Incident) -> bool {
        incident.components.keys().any(|id| self.visible(*id).is_some())
    }

    /// After statuses changed for readers: says so in the open incidents about them, except where an entry has just said it.
    pub(super) fn follow_incidents(&mut self, changes: &[StatusChange], told: &[(IncidentId, ComponentId)], why: &Why) {
        let news = |incident: &Incident, change: &StatusChange| {
            incident.components.contains_key(&change.component) && !told.contains(&(incident.id, change.component))
        };
        let concerned = |incident: &&Incident| {
            incident.opened_by.is_some()
                && incident.published
                && !incident.status.is_over()
                && changes.iter().any(|change| news(incident, change))
        };
        let concerned: Vec<Incident> = self.state.incidents.values().filter(concerned).cloned().collect();
        for before in concerned {
            let changes: Vec<StatusChange> = changes.iter().copied().filter(|change| news(&before, change)).collect();
            let faults = changes.iter().filter(|change| change.to.is_fault()).map(|change| (change.component, change.to));
            let incident = Incident { updated_at: self.now, ..self.worsened(before, faults) };
            self.report(incident, changes, why);
        }
    }

    /// Whether an incident that signals opened is open with nothing that keeps it so.
    pub(super) fn is_idle(&self, id: IncidentId) -> bool {
        let open = self.state.incidents.get(&id).is_some_and(|incident| incident.opened_by.is_some() && !incident.status.is_over());
        open && !self.has_causes(id)
    }

    pub(super) fn has_causes(&self, id: IncidentId) -> bool {
        self.state.causes.values().any(|cause| cause.counts() && cause.incident == Some(id))
    }

    pub(super) fn resolve_incident(&mut self, id: IncidentId, ending: Ending, why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        let now = |id: &ComponentId| self.state.components.get(id).map(|component| component.status);
        let changes: Vec<StatusChange> = (before.components.iter())
            .filter_map(|(id, worst)| Some(StatusChange { component: *id, from: *worst, to: now(id)? }))
            .filter(|change| change.from != change.to)
            .collect();
        let shown: Vec<ComponentId> = before.components.keys().copied().filter(|id| self.visible(*id).is_some()).collect();
        let well = shown.iter().all(|id| now(id) == Some(Status::Operational));
        let names = self.names(&shown);
        let body = if well && ending == Ending::Resolved { wording::recovered(&names, shown.len()) } else { wording::silent(&names) };
        let incident = Incident { status: IncidentStatus::Resolved, resolved_at: Some(self.now), updated_at: self.now, ..before };
        self.write(incident, body, changes, NoticeKind::IncidentResolved, EVALUATOR, why);
    }

    fn worsened(&self, mut incident: Incident, statuses: impl Iterator<Item = (ComponentId, Status)>) -> Incident {
        for (id, status) in statuses {
            let worst = incident.components.entry(id).or_default();
            *worst = (*worst).max(status);
        }
        incident.impact = incident.impact.max(self.impact(&incident.components));
        incident
    }

    /// The impact of what readers can see; of everything where they see nothing of it.
    pub(super) fn impact(&self, components: &BTreeMap<ComponentId, Status>) -> Impact {
        let impact = |(_, status): (&ComponentId, &Status)| Impact::from(*status);
        let shown = components.iter().filter(|(id, _)| self.visible(**id).is_some()).map(impact).max();
        shown.or_else(|| components.iter().map(impact).max()).unwrap_or_default()
    }
}

/// What a cause's own incident means for it.
enum Own {
    /// It has none.
    None,
    /// It is open.
    Open(IncidentId),
    /// It is over, or deleted.
    Ended,
}
