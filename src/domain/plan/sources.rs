//! What the sources of a component say together, where it is not the worst of them that decides.
//!
//! There are three rounds, each of which hears less: the team's hears everything; that of drafts leaves out what is in shadow or muted; that of
//! readers leaves out drafts that nobody has published too. An incident of a route that publishes is about a component only if
//! the readers' round says so, one of a draft only if the drafts' round does. How many sources there are is the same in all three.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Planner, incidents::Ending};
use crate::{Cause, ComponentId, Incident, IncidentId, IntegrationId, Publish, Route, RouteId, Status, Why};

/// What the sources say together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    pub(super) internal: Status,
    pub(super) drafted: Status,
    pub(super) published: Status,
}

/// What each source says, in each round.
#[derive(Debug, Default)]
struct Said {
    internal: BTreeMap<IntegrationId, Status>,
    drafted: BTreeMap<IntegrationId, Status>,
    published: BTreeMap<IntegrationId, Status>,
    feeding: BTreeSet<IntegrationId>,
}

impl Planner<'_> {
    /// Those of `components` for which it is not the worst that decides.
    pub(super) fn combined<'a>(&'a self, components: &'a [ComponentId]) -> impl Iterator<Item = ComponentId> + 'a {
        let combines = |id: &ComponentId| self.state.combine.get(id).is_some_and(|combine| !combine.is_worst());
        components.iter().copied().filter(move |id| !self.state.combine.is_empty() && combines(id))
    }

    /// What the sources of `components` say together, as if `instead` were stored in the place of the incident with its id. Only of those
    /// for which it is not the worst that decides.
    pub(super) fn rounds(&self, components: &[ComponentId], instead: Option<&Incident>) -> BTreeMap<ComponentId, Rounds> {
        let said = self.said(components, instead);
        let rounds = |(id, said): (ComponentId, Said)| {
            let combine = self.state.combine.get(&id)?;
            let together = |words| combine.status(words, &said.feeding);
            let rounds =
                Rounds { internal: together(&said.internal), drafted: together(&said.drafted), published: together(&said.published) };
            Some((id, rounds))
        };
        said.into_iter().filter_map(rounds).collect()
    }

    fn said(&self, components: &[ComponentId], instead: Option<&Incident>) -> BTreeMap<ComponentId, Said> {
        let mut found: BTreeMap<ComponentId, Said> = self.combined(components).map(|id| (id, Said::default())).collect();
        if found.is_empty() {
            return found;
        }
        let mut routes: HashMap<RouteId, &Route> = HashMap::new();
        for route in self.state.routes.values() {
            for id in &route.components {
                let Some(said) = found.get_mut(id) else { continue };
                said.feeding.insert(route.integration);
                routes.insert(route.id, route);
            }
        }
        for cause in self.state.causes.values().filter(|cause| cause.counts()) {
            let Some(route) = routes.get(&cause.route) else { continue };
            for id in &route.components {
                let Some(said) = found.get_mut(id) else { continue };
                let hear = |words: &mut BTreeMap<IntegrationId, Status>| {
                    let word = words.entry(cause.integration).or_default();
                    *word = (*word).max(cause.status);
                };
                hear(&mut said.internal);
                if route.publish != Publish::Shadow && !cause.is_muted() {
                    hear(&mut said.drafted);
                }
                if self.is_published(cause, route.publish, instead) {
                    hear(&mut said.published);
                }
            }
        }
        found
    }

    /// How bad each component of a cause's route is in an incident of it: as bad as the cause says, and no worse than its sources
    /// together. Those of which an incident has nothing to say are left out.
    pub(super) fn reached(&self, cause: &Cause, route: &Route) -> Vec<(ComponentId, Status)> {
        let rounds = self.rounds(&route.components, self.as_if_published(cause).as_ref());
        let status = |id: &ComponentId| match rounds.get(id) {
            None => cause.status,
            Some(rounds) => cause.status.min(if route.publish == Publish::Auto { rounds.published } else { rounds.drafted }),
        };
        let reached = route.components.iter().map(|id| (*id, self.capped(*id, status(id))));
        reached.filter(|(_, status)| status.is_fault() || *status == Status::Unknown).collect()
    }

    /// The incident of a cause as it is when it is published: what is held for a while, or by a person, goes on for as long as readers would
    /// be told of it.
    fn as_if_published(&self, cause: &Cause) -> Option<Incident> {
        let incident = self.state.incidents.get(&cause.incident?).filter(|incident| !incident.published)?;
        Some(Incident { published: true, ..incident.clone() })
    }

    /// Whether a cause keeps its incident open: one that counts does, unless it is muted or its sources together no longer say so.
    pub(super) fn holds(&self, cause: &Cause) -> bool {
        if cause.is_muted() || !cause.counts() {
            return false;
        }
        let Some(route) = self.state.routes.get(&cause.route) else { return true };
        let rounds = self.rounds(&route.components, self.as_if_published(cause).as_ref());
        let says_so =
            |rounds: &Rounds| if route.publish == Publish::Auto { rounds.published } else { rounds.drafted } != Status::Operational;
        rounds.len() < route.components.len() || rounds.values().any(says_so)
    }

    /// Gives incidents to `cause`, and to everything that may decide with it now where it is not the worst of `components`' sources that
    /// decides.
    pub(super) fn attach_companions(&mut self, components: &[ComponentId], cause: Option<&Cause>, why: &Why) {
        let own = cause.map(Cause::key);
        let combined: BTreeSet<ComponentId> = self.combined(components).collect();
        if combined.is_empty() {
            return self.attach_all(own.into_iter().collect(), why);
        }
        let is_open = |id: IncidentId| self.state.incidents.get(&id).is_some_and(|incident| !incident.status.is_over());
        let companions = self.causes_on(&combined).filter(|cause| !cause.is_muted() && own.as_ref() != Some(&cause.key()));
        // What has an incident already brings it along for the others.
        let (with, without): (Vec<&Cause>, Vec<&Cause>) = companions.partition(|cause| cause.incident.is_some_and(is_open));
        let keys = with.into_iter().map(Cause::key).chain(own.clone()).chain(without.into_iter().map(Cause::key)).collect();
        self.attach_all(keys, why)
    }

    /// The incidents of everything that counts on those of `components` for which it is not the worst that decides, and `own`.
    pub(super) fn at_stake(&self, components: &[ComponentId], own: Option<IncidentId>) -> BTreeSet<IncidentId> {
        let combined: BTreeSet<ComponentId> = self.combined(components).collect();
        let others = (!combined.is_empty()).then(|| self.causes_on(&combined).filter_map(|cause| cause.incident));
        own.into_iter().chain(others.into_iter().flatten()).collect()
    }

    fn causes_on<'a>(&'a self, components: &'a BTreeSet<ComponentId>) -> impl Iterator<Item = &'a Cause> {
        let concerned = |cause: &&Cause| {
            cause.counts()
                && self.state.routes.get(&cause.route).is_some_and(|route| route.components.iter().any(|id| components.contains(id)))
        };
        self.state.causes.values().filter(concerned)
    }

    /// Ends those of `incidents`, and of those that a cause has left, that nothing holds any more; returns of which components their last entries have told readers.
    pub(super) fn resolve_idle(&mut self, incidents: BTreeSet<IncidentId>, ending: Ending, why: &Why) -> Vec<ComponentId> {
        let mut told = Vec::new();
        let left = std::mem::take(&mut self.left);
        for id in incidents.into_iter().chain(left) {
            if self.is_idle(id) {
                told.extend(self.resolve_incident(id, ending, why));
            }
        }
        told
    }

    /// Says who said what of a component, where it is not the worst that decides: `; sources that count: ci: major outage, …`.
    pub(super) fn sources_in_words(&self, id: ComponentId) -> String {
        let Some(said) = self.said(&[id], None).remove(&id) else { return String::new() };
        let name = |integration: &IntegrationId| {
            let label = self.state.routes_of.get(integration).and_then(|routes| self.state.routes.get(routes.first()?));
            let key = label.and_then(|route| Some(route.label.rsplit_once('[')?.0.to_owned()));
            key.unwrap_or_else(|| format!("#{integration}"))
        };
        let words: Vec<String> = said.internal.iter().map(|(source, word)| format!("{} says {}", name(source), word.words())).collect();
        let list = if words.is_empty() { "none says anything".to_owned() } else { words.join(", ") };
        format!("; of {} sources: {list}", said.feeding.len())
    }
}
