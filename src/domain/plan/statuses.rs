//! What a component's status is: a person's word, else a running maintenance, else the worst of everything that counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{FLAPPING_FINGERPRINT, Planner, incidents::Ending, upstreams::ON_STATUS};
use crate::{
    Cause, CauseKey, Change, ComponentId, Incident, MaintenanceStatus, NoticeAbout, NoticeKind, Publish, Route, RouteId, Status,
    StatusChange, Why,
};

/// What readers see of a component, and what signals say.
#[derive(Clone, Copy, Debug, Default)]
struct Statuses {
    published: Status,
    internal: Status,
}

/// What people say of a component.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    /// In their incidents.
    at_least: Status,
    /// By a running maintenance, or their word, which outranks it.
    exactly: Option<Status>,
}

impl Said {
    fn over(self, signals: Status) -> Status {
        self.exactly.unwrap_or(signals.max(self.at_least))
    }
}

impl Planner<'_> {
    /// Works out what follows from a cause that counts: incidents first (they decide what is published), then statuses.
    pub(super) fn reconcile(&mut self, cause: &Cause, why: &Why) {
        let components = self.components_of(cause);
        self.attach_companions(&components, Some(cause), why);
        self.swing(cause, why);
        let changes = self.set_statuses(&components, why);
        // What an alert says may also have become milder, and then what its sources say together is less.
        let told = self.resolve_idle(self.at_stake(&components, None), Ending::Resolved, why);
        let home = self.state.causes.get(&cause.key()).and_then(|cause| cause.incident);
        self.follow_incidents(&changes, &told, home.map(|id| (id, components.as_slice())), why);
    }

    /// Ends a cause and works out what follows.
    pub(super) fn end(&mut self, cause: Cause, ending: Ending, why: &Why) {
        let components = self.components_of(&cause);
        self.emit(Change::CauseEnded { cause: cause.clone() }, why);
        if !cause.counts() {
            return;
        }
        if cause.is_flapping() {
            self.calmed(cause.route, why);
        }
        self.swing(&cause, why);
        // Without it, the other sources together may say what they did not say with it.
        self.attach_companions(&components, None, why);
        let changes = self.set_statuses(&components, why);
        let told = self.resolve_idle(self.at_stake(&components, cause.incident), ending, why);
        self.follow_incidents(&changes, &told, cause.incident.map(|id| (id, components.as_slice())), why);
    }

    fn components_of(&self, cause: &Cause) -> Vec<ComponentId> {
        self.state.routes.get(&cause.route).map(|route| route.components.clone()).unwrap_or_default()
    }

    /// Works out what follows for components whose override or maintenance changed: what waited for them gets its incident.
    pub(super) fn reconcile_components(&mut self, components: &[ComponentId], why: &Why) {
        let concerned = |cause: &&Cause| {
            cause.counts()
                && self.state.routes.get(&cause.route).is_some_and(|route| route.components.iter().any(|id| components.contains(id)))
        };
        let keys: Vec<CauseKey> = self.state.causes.values().filter(concerned).map(Cause::key).collect();
        self.attach_all(keys, why);
        let changes = self.set_statuses(components, why);
        let told = self.resolve_idle(BTreeSet::new(), Ending::Silent, why);
        self.follow_incidents(&changes, &told, None, why);
    }

    /// Gives causes their incidents; last what only joins those of others.
    pub(super) fn attach_all(&mut self, mut keys: Vec<CauseKey>, why: &Why) {
        keys.sort_by_key(|(_, fingerprint, _)| fingerprint == FLAPPING_FINGERPRINT);
        for key in keys {
            self.attach(&key, why);
        }
    }

    /// Brings the statuses of `components`, and of what depends on them, up to date, and writes the entries that waited for it;
    /// returns what readers see change that none of them has told.
    pub(super) fn set_statuses(&mut self, components: &[ComponentId], why: &Why) -> Vec<StatusChange> {
        let mut changed = Vec::new();
        let concerned = self.state.dependencies.downstream(components, &ON_STATUS);
        for (id, Statuses { published: to, internal: internal_to }) in self.statuses(&concerned, None) {
            let Some(component) = self.state.components.get(&id) else { continue };
            let (from, internal_from, since) = (component.status, component.internal_status, component.status_since);
            if (from, internal_from) == (to, internal_to) {
                continue;
            }
            let at = self.now;
            let why = Why { text: why.text.clone() + &self.sources_in_words(id) + &self.upstreams_in_words(id), ..why.clone() };
            self.emit(Change::ComponentStatus { component: id, from, to, internal_from, internal_to, since, at }, &why);
            if from != to {
                changed.push(StatusChange { component: id, from, to });
            }
        }
        self.settle(&changed, why);
        for change in &changed {
            if self.shows(change.component) {
                self.notify(NoticeKind::ComponentStatusChanged, NoticeAbout::Component { change: *change }, [change.component], why);
            }
        }
        self.write_entries(changed)
    }

    /// The statuses of `components`, as if `instead` were stored in the place of the incident with its id. One pass over everything,
    /// however many components are asked for.
    fn statuses(&self, components: &[ComponentId], instead: Option<&Incident>) -> BTreeMap<ComponentId, Statuses> {
        let mut found: BTreeMap<ComponentId, Statuses> = components.iter().map(|id| (*id, Statuses::default())).collect();
        let concerned = |route: &&Route| route.components.iter().any(|id| found.contains_key(id));
        let routes: HashMap<RouteId, &Route> = self.state.routes.values().filter(concerned).map(|route| (route.id, route)).collect();
        for cause in self.state.causes.values().filter(|cause| cause.counts()) {
            let Some(route) = routes.get(&cause.route) else { continue };
            for id in &route.components {
                let Some(statuses) = found.get_mut(id) else { continue };
                statuses.internal = statuses.internal.max(cause.status);
                if self.is_published(cause, route.publish, instead) {
                    statuses.published = statuses.published.max(cause.status);
                }
            }
        }
        for (id, rounds) in self.rounds(components, instead) {
            found.insert(id, Statuses { published: rounds.published, internal: rounds.internal });
        }
        let said_by_people = self.said_by_people(&found, instead);
        let order: Vec<ComponentId> = self.upstreams_first(&found);
        for id in order {
            let Some(statuses) = found.get(&id).copied() else { continue };
            let now = |id: ComponentId| match found.get(&id) {
                Some(statuses) => statuses.published,
                None => self.state.components.get(&id).map(|component| component.status).unwrap_or_default(),
            };
            let by_signals = self.under_upstreams(id, statuses.published, now);
            let published = said_by_people.get(&id).map_or(by_signals, |said| said.over(by_signals));
            found.insert(id, Statuses { published, ..statuses });
        }
        found
    }

    /// What people say of components, by incidents, maintenances and their word.
    fn said_by_people(&self, found: &BTreeMap<ComponentId, Statuses>, instead: Option<&Incident>) -> BTreeMap<ComponentId, Said> {
        let mut said: BTreeMap<ComponentId, Said> = BTreeMap::new();
        let others = self.state.incidents.values().filter(|incident| instead.is_none_or(|instead| instead.id != incident.id));
        for incident in others.chain(instead).filter(|one| one.opened_by.is_none() && one.published && !one.status.is_over()) {
            for (id, status) in incident.components.iter().filter(|(id, _)| found.contains_key(id)) {
                let said = said.entry(*id).or_default();
                said.at_least = said.at_least.max(*status);
            }
        }
        for maintenance in self.state.maintenances.values().filter(|one| one.status == MaintenanceStatus::InProgress) {
            for id in maintenance.components.iter().filter(|id| found.contains_key(id)) {
                said.entry(*id).or_default().exactly = Some(Status::UnderMaintenance);
            }
        }
        for id in found.keys() {
            if let Some(word) = self.state.components.get(id).and_then(|component| component.overridden.as_ref()) {
                said.entry(*id).or_default().exactly = Some(word.status);
            }
        }
        said
    }

    /// The components in an order in which what is depended on comes before what depends on it.
    fn upstreams_first(&self, found: &BTreeMap<ComponentId, Statuses>) -> Vec<ComponentId> {
        let mut order: Vec<ComponentId> = Vec::with_capacity(found.len());
        let mut begun: BTreeSet<ComponentId> = BTreeSet::new();
        for id in found.keys() {
            self.place(*id, found, &mut begun, &mut order);
        }
        order
    }

    fn place(
        &self,
        id: ComponentId,
        found: &BTreeMap<ComponentId, Statuses>,
        begun: &mut BTreeSet<ComponentId>,
        order: &mut Vec<ComponentId>,
    ) {
        if !begun.insert(id) {
            return;
        }
        for dependency in self.state.dependencies.of(id).iter().filter(|one| found.contains_key(&one.component)) {
            self.place(dependency.component, found, begun, order);
        }
        order.push(id);
    }

    /// A draft is published by the person who publishes its incident, until the incident is over. What is muted is not.
    pub(super) fn is_published(&self, cause: &Cause, publish: Publish, instead: Option<&Incident>) -> bool {
        let incident = || {
            let id = cause.incident?;
            instead.filter(|incident| incident.id == id).or_else(|| self.state.incidents.get(&id))
        };
        match publish {
            _ if cause.is_muted() => false,
            // It opens nothing by itself, so that without an incident nobody would tell of it.
            Publish::Auto if cause.is_flapping() => incident().is_some_and(|incident| incident.published),
            // Held with its incident.
            Publish::Auto => incident().is_none_or(|incident| incident.published),
            Publish::Shadow => false,
            Publish::Draft => incident().is_some_and(|incident| incident.published && !incident.status.is_over()),
        }
    }
}
