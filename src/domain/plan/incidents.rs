//! Incidents that the evaluator opens, follows and resolves.

use std::collections::BTreeMap;

use super::{
    EVALUATOR, Planner,
    entries::{Entry, Joined},
    holds::{Standing, standing},
    places::Places,
    wording,
};
use crate::{
    Cause, CauseKey, Change, ComponentId, Impact, Incident, IncidentId, IncidentStatus, IncidentUpdate, NoticeAbout, NoticeKind, Publish,
    Route, Status, StatusChange, Timestamp, UpdateId, Why,
};

/// How a cause came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The sender said that it is over.
    Resolved,
    /// Nothing says so, but nothing says any more that it goes on either.
    Silent,
}

/// The incident of a cause, and the components that the cause is about.
type Home<'a> = (IncidentId, &'a [ComponentId]);

/// What an incident is about because of a cause: how bad each component is.
pub(super) struct Affected(pub(super) Vec<(ComponentId, Status)>);

impl Affected {
    pub(super) fn ids(&self) -> Vec<ComponentId> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    fn worst(&self) -> Status {
        self.0.iter().map(|(_, status)| *status).max().unwrap_or_default()
    }
}

impl Planner<'_> {
    /// Gives a cause that counts an incident: an open one about the same, one that has just ended, or a new one.
    pub(super) fn attach(&mut self, key: &CauseKey, why: &Why) {
        let _ = self.attach_one(key, why);
    }

    fn attach_one(&mut self, key: &CauseKey, why: &Why) -> Option<()> {
        // That we cannot see is no incident of what we cannot see: the component's status says it.
        let is_news = |cause: &Cause| cause.status.is_fault() || (cause.status == Status::Unknown && !cause.is_unreadable());
        let cause = self.state.causes.get(key).filter(|cause| cause.counts() && !cause.is_muted() && is_news(cause))?.clone();
        let route = self.state.routes.get(&cause.route).filter(|route| route.publish != Publish::Shadow)?;
        let own = self.own(&cause, route);
        let is_in_own = |id| own.and_then(|own| self.state.incidents.get(&own)).is_some_and(|own| own.components.contains_key(&id));
        let is_news = |id: ComponentId| !self.is_excused(id) && (is_in_own(id) || !self.is_silenced(id));
        let affected = Affected(self.reached(&cause, route).into_iter().filter(|(id, _)| is_news(*id)).collect());
        let shows = |ids: &[ComponentId]| ids.iter().any(|id| self.shows(*id));
        if affected.0.is_empty() || (shows(&route.components) && !shows(&affected.ids())) {
            // Nothing to tell: all that could be named is under maintenance or a person's word, or its other sources do not say so.
            return None;
        }
        let places = self.places(route, &affected);
        let why = Why { route: Some(route.id), ..why.clone() };
        if let Some(id) = own.or_else(|| self.find_open(&cause, &places, &affected)) {
            self.join(&cause, id, &affected, &why);
            return None;
        }
        if cause.is_flapping() {
            return None; // It opens nothing by itself.
        }
        match self.find_recent(&cause, &places, &affected) {
            Some(id) => self.reopen(&cause, id, &affected, places.held_until, &why),
            None => self.open(&cause, &affected, &places, &why),
        }
    }

    pub(super) fn is_excused(&self, id: ComponentId) -> bool {
        let word = |component: &crate::Component| component.overridden.as_ref().is_some_and(|word| !word.status.is_fault());
        self.state.under_maintenance(id) || self.state.components.get(&id).is_none_or(word)
    }

    fn open(&mut self, cause: &Cause, affected: &Affected, places: &Places<'_>, why: &Why) -> Option<()> {
        let (title, body) = self.first_words(cause, affected)?;
        let causes = self.causes_for_readers(&affected.ids());
        let (status, body) = wording::with_causes(body, &self.names(&causes), !causes.is_empty());
        let components = affected.0.iter().copied().collect();
        let incident = Incident {
            id: IncidentId(self.fresh_id()),
            title,
            status,
            impact: self.impact(&components),
            published: places.at_once(),
            publishes_at: places.held_until,
            vetoed: false,
            opened_by: Some(cause.route),
            scoped: true,
            components,
            started_at: self.now,
            resolved_at: None,
            updated_at: self.now,
            added_at: None,
        };
        self.bind(cause, Some(incident.id), why);
        if standing(&incident) == Standing::Held {
            self.hold(incident, body, why);
        } else {
            self.tell_of(incident, NoticeKind::IncidentOpened, body, affected.ids(), why);
        }
        Some(())
    }

    /// An incident's title and first text: the route's templates, or sentences that give away nothing internal.
    pub(super) fn first_words(&self, cause: &Cause, affected: &Affected) -> Option<(String, String)> {
        let route: &Route = self.state.routes.get(&cause.route)?;
        let signal = self.state.signals.get(&(cause.integration, cause.fingerprint.clone()));
        Some(wording::opened(route, affected.worst(), signal.map(AsRef::as_ref), &self.names(&affected.ids())))
    }

    fn reopen(&mut self, cause: &Cause, id: IncidentId, affected: &Affected, held_until: Option<Timestamp>, why: &Why) -> Option<()> {
        let before = self.state.incidents.get(&id)?.clone();
        let is_held = standing(&before) == Standing::Held;
        let causes = self.causes_for_readers(&affected.ids());
        let body = if is_held { self.first_words(cause, affected)?.1 } else { wording::back(&self.names(&affected.ids())) };
        let (status, body) = wording::with_causes(body, &self.names(&causes), !causes.is_empty());
        let incident = Incident {
            publishes_at: held_until.filter(|_| is_held),
            status,
            resolved_at: None,
            updated_at: self.now,
            ..self.worsened(before, affected.0.iter().copied())
        };
        self.bind(cause, Some(id), why);
        if is_held {
            self.hold(incident, body, why);
        } else {
            self.tell_of(incident, NoticeKind::IncidentReopened, body, affected.ids(), why);
        }
        Some(())
    }

    /// Stores an incident, and says so in an entry once it is known what changes with it.
    fn tell_of(&mut self, incident: Incident, kind: NoticeKind, body: String, about: Vec<ComponentId>, why: &Why) {
        self.entries.push(Entry::new(incident.id, kind, body, about, why));
        self.emit(Change::Incident { incident, update: None }, why);
    }

    /// Adds a cause to an open incident. What readers see change is told when it has changed; a draft is told here.
    fn join(&mut self, cause: &Cause, id: IncidentId, affected: &Affected, why: &Why) {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return };
        if cause.incident != Some(id) {
            self.bind(cause, Some(id), why);
        }
        if before.opened_by.is_none() {
            return; // What a person says it affects is theirs; what readers see change is told all the same.
        }
        let after = self.worsened(before.clone(), affected.0.iter().copied());
        if after == before {
            return;
        }
        let incident = Incident { updated_at: self.now, ..after };
        let (ids, standing) = (affected.ids(), standing(&incident));
        match standing {
            Standing::Held => {}
            Standing::Published => {
                let is_new = |id: &ComponentId| {
                    !self.state.dependencies.of(*id).is_empty() && !before.components.contains_key(id) && self.shows(*id)
                };
                let components = ids.into_iter().filter(is_new).collect();
                self.joined.push(Joined { incident: id, components, why: why.clone() });
            }
            Standing::Vetoed | Standing::Draft => {
                let changes = self.would_change(&incident, &ids);
                return self.report(incident, changes, why);
            }
        }
        self.emit(Change::Incident { incident, update: None }, why);
    }

    pub(super) fn bind(&mut self, cause: &Cause, incident: Option<IncidentId>, why: &Why) {
        self.left.extend(cause.incident.filter(|left| Some(*left) != incident));
        self.emit(Change::CauseSet { cause: Cause { incident, muted_up_to: None, ..cause.clone() }, moved: false }, why);
    }

    /// Stores an incident with an entry that says what changed for its components, unless readers could see nothing of that.
    pub(super) fn report(&mut self, incident: Incident, changes: Vec<StatusChange>, why: &Why) {
        if self.shows_something(&incident) && !changes.iter().any(|change| self.shows(change.component)) {
            return self.emit(Change::Incident { incident, update: None }, why);
        }
        let body = self.describe(&changes);
        self.write(incident, body, changes, NoticeKind::IncidentUpdated, EVALUATOR, why);
    }

    /// Status changes in words: `API is now in a major outage. Web is operational again.`
    pub(super) fn describe(&self, changes: &[StatusChange]) -> String {
        let mut by_status: BTreeMap<Status, Vec<ComponentId>> = BTreeMap::new();
        let any_visible = changes.iter().any(|change| self.shows(change.component));
        for change in changes.iter().filter(|change| !any_visible || self.shows(change.component)) {
            by_status.entry(change.to).or_default().push(change.component);
        }
        let sentences = by_status.iter().rev().map(|(to, ids)| wording::changed(&self.names(ids), ids.len(), *to));
        sentences.collect::<Vec<_>>().join(" ")
    }

    /// What would change for readers if they saw this draft.
    pub(super) fn would_change(&self, incident: &Incident, components: &[ComponentId]) -> Vec<StatusChange> {
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
            edited_at: None,
        };
        self.emit(Change::Incident { incident: incident.clone(), update: Some(update.clone()) }, why);
        self.tell_readers(incident, update, kind, why);
        id
    }

    /// Tells subscribers of an entry, if readers may see it.
    pub(super) fn tell_readers(&mut self, incident: Incident, update: IncidentUpdate, kind: NoticeKind, why: &Why) {
        if let Some(incident) = incident.for_readers(|id| self.shows(id)) {
            let update = update.for_readers(|id| self.shows(id));
            let named: Vec<ComponentId> = incident.components.keys().copied().collect();
            let named = named.into_iter().chain(update.components.iter().map(|change| change.component)).collect::<Vec<_>>();
            self.notify(kind, NoticeAbout::Incident { incident, update }, named, why);
        }
    }

    pub(super) fn shows_something(&self, incident: &Incident) -> bool {
        incident.components.keys().any(|id| self.shows(*id))
    }

    /// After statuses changed for readers: says so once, in an open incident that readers see and that is about the component. `home` is the
    /// incident whose cause brought the change, with what the cause is about; of others, the newest. What an entry has just `told` is not said again.
    pub(super) fn follow_incidents(&mut self, changes: &[StatusChange], told: &[ComponentId], home: Option<Home<'_>>, why: &Why) {
        let mut of: BTreeMap<IncidentId, Vec<StatusChange>> = BTreeMap::new();
        for change in changes.iter().filter(|change| !told.contains(&change.component)) {
            if let Some(id) = self.teller(change.component, home) {
                of.entry(id).or_default().push(*change);
            }
        }
        for (id, changes) in of {
            let Some(before) = self.state.incidents.get(&id).cloned() else { continue };
            let faults: BTreeMap<ComponentId, Status> =
                changes.iter().filter(|change| change.to.is_fault()).map(|change| (change.component, change.to)).collect();
            let incident = if before.opened_by.is_some() {
                self.worsened(before, faults.into_iter())
            } else {
                // What a person's incident says of components is the person's, and would outlast what signals say.
                Incident { impact: before.impact.max(self.impact(&faults)), ..before }
            };
            self.report(Incident { updated_at: self.now, ..incident }, changes, why);
        }
    }

    fn teller(&self, component: ComponentId, home: Option<Home<'_>>) -> Option<IncidentId> {
        let tells = |incident: &&Incident| self.tells_of(incident, component);
        let home = home.filter(|(_, of)| of.contains(&component));
        let at_home = home.and_then(|(id, _)| self.state.incidents.get(&id)).filter(tells);
        let mut others = self.state.incidents.values().rev().filter(tells);
        at_home.or_else(|| others.find(|incident| self.is_about(incident, component))).map(|incident| incident.id)
    }

    /// Whether an incident says so when a component changes that it is about.
    pub(super) fn tells_of(&self, incident: &Incident, component: ComponentId) -> bool {
        let is_silent = !incident.components.contains_key(&component) && self.is_silenced(component);
        incident.published
            && !incident.status.is_over()
            && !is_silent
            && (!self.shows(component) || incident.is_visible(|id| self.shows(id)))
    }

    pub(super) fn is_about(&self, incident: &Incident, component: ComponentId) -> bool {
        incident.components.contains_key(&component) || self.components_in(incident.id).contains(&component)
    }

    /// The components of what counts in an incident, muted or not.
    pub(super) fn components_in(&self, id: IncidentId) -> Vec<ComponentId> {
        let routes = self.causes_in(id).filter_map(|cause| self.state.routes.get(&cause.route));
        routes.flat_map(|route| route.components.iter().copied()).collect()
    }

    /// Whether an incident that signals opened is open with nothing that keeps it so.
    pub(super) fn is_idle(&self, id: IncidentId) -> bool {
        let open = self.state.incidents.get(&id).is_some_and(|incident| incident.opened_by.is_some() && !incident.status.is_over());
        open && !self.causes_in(id).any(|cause| self.holds(cause))
    }

    /// Returns of which components its last entry has told readers.
    pub(super) fn resolve_incident(&mut self, id: IncidentId, ending: Ending, why: &Why) -> Vec<ComponentId> {
        let Some(before) = self.state.incidents.get(&id).cloned() else { return Vec::new() };
        let let_go: Vec<Cause> = self.causes_in(id).filter(|cause| !cause.is_muted()).cloned().collect();
        for cause in let_go {
            self.bind(&cause, None, why); // It fires, but its sources together no longer say so.
        }
        if standing(&before) == Standing::Held {
            // It never was public, and has no timeline that could say so.
            let incident = Incident { status: IncidentStatus::Resolved, resolved_at: Some(self.now), updated_at: self.now, ..before };
            self.emit(Change::Incident { incident, update: None }, why);
            return Vec::new();
        }
        let now = |id: &ComponentId| self.state.components.get(id).map(|component| component.status);
        let changes: Vec<StatusChange> = (before.components.iter())
            .filter_map(|(id, worst)| Some(StatusChange { component: *id, from: *worst, to: now(id)? }))
            .filter(|change| change.from != change.to)
            .collect();
        // One that is now as it was at its worst is not named, so somebody else has to tell of it.
        let told = if before.published { changes.iter().map(|change| change.component).collect() } else { Vec::new() };
        let shown: Vec<ComponentId> = before.components.keys().copied().filter(|id| self.shows(*id)).collect();
        let well = shown.iter().all(|id| now(id) == Some(Status::Operational));
        let names = self.names(&shown);
        let body = if well && ending == Ending::Resolved { wording::recovered(&names, shown.len()) } else { wording::silent(&names) };
        let incident = Incident { status: IncidentStatus::Resolved, resolved_at: Some(self.now), updated_at: self.now, ..before };
        self.write(incident, body, changes, NoticeKind::IncidentResolved, EVALUATOR, why);
        told
    }

    pub(super) fn worsened(&self, mut incident: Incident, statuses: impl Iterator<Item = (ComponentId, Status)>) -> Incident {
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
        let shown = components.iter().filter(|(id, _)| self.shows(**id)).map(impact).max();
        shown.or_else(|| components.iter().map(impact).max()).unwrap_or_default()
    }
}
