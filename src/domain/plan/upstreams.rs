//! What the trouble of a component means for those that depend on it.
//!
//! In the order in which they act on what readers see of a component: what its sources say, no worse than what caps it, no better than what
//! it inherits; then a person's incident, a running maintenance, a person's word. So what a person says is never capped.

use std::collections::BTreeMap;

use super::{Planner, wording};
use crate::{Change, ComponentId, Dependency, Effect, Status, StatusChange, Why};

/// The effects that change what readers see of the dependent.
pub(super) const ON_STATUS: [Effect; 2] = [Effect::Cap, Effect::Inherit];

impl Planner<'_> {
    /// What readers see of a component of which its sources say `said`, where `now` tells how what it depends on is doing.
    pub(super) fn under_upstreams(&self, id: ComponentId, said: Status, now: impl Fn(ComponentId) -> Status) -> Status {
        let mut status = said;
        for dependency in self.state.dependencies.of(id) {
            let upstream = now(dependency.component);
            match dependency.effect {
                Effect::Cap if upstream.is_fault() => status = status.min(upstream),
                _ => {}
            }
        }
        let inherits = self.state.dependencies.with(id, Effect::Inherit).any(|dependency| now(dependency.component).is_fault());
        if inherits { status.max(Status::DegradedPerformance) } else { status }
    }

    /// How bad what signals say of a component may be, by what it depends on now.
    pub(super) fn capped(&self, id: ComponentId, status: Status) -> Status {
        let caps = self.state.dependencies.with(id, Effect::Cap).map(|dependency| self.status_now(dependency.component));
        caps.filter(|upstream| upstream.is_fault()).fold(status, Status::min)
    }

    /// Whether the trouble of a component opens no incident because what it depends on is in trouble, or was until a moment ago, or is
    /// silent itself for such a reason.
    pub(super) fn is_silenced(&self, id: ComponentId) -> bool {
        self.state.dependencies.with(id, Effect::Silence).any(|dependency| self.silences(id, dependency))
    }

    fn silences(&self, id: ComponentId, dependency: &Dependency) -> bool {
        let upstream = dependency.component;
        self.status_now(upstream).is_fault()
            || self.state.dependencies.quiet_until(id, upstream).is_some_and(|until| until > self.now)
            || self.is_silenced(upstream)
    }

    fn status_now(&self, id: ComponentId) -> Status {
        self.state.components.get(&id).map(|component| component.status).unwrap_or_default()
    }

    /// After statuses changed for readers: what depends on one that is well again stays silent for a moment more, since it takes its
    /// time to get well too.
    pub(super) fn settle(&mut self, changes: &[StatusChange], why: &Why) {
        if self.state.dependencies.is_empty() {
            return;
        }
        for change in changes {
            let upstream = change.component;
            let dependents: Vec<ComponentId> = self.state.dependencies.dependents(upstream).collect();
            for component in dependents {
                let silence = self.state.dependencies.with(component, Effect::Silence).find(|one| one.component == upstream);
                let Some(settle) = silence.map(|one| one.settle) else { continue };
                let is_quiet = self.state.dependencies.quiet_until(component, upstream).is_some();
                if change.to.is_fault() && is_quiet {
                    self.emit(Change::Quiet { component, upstream, until: None }, why);
                } else if change.from.is_fault() && !change.to.is_fault() {
                    self.emit(Change::Quiet { component, upstream, until: Some(self.now.plus(settle)) }, why);
                }
            }
        }
    }

    /// Ends silences that are over: what still fires gets its incident now.
    pub(super) fn end_silences(&mut self) {
        let due: Vec<(ComponentId, ComponentId)> = (self.state.dependencies.quiet())
            .filter(|(_, _, until)| *until <= self.now)
            .map(|(component, upstream, _)| (component, upstream))
            .collect();
        for (component, upstream) in due {
            let name = self.state.components.get(&upstream).map_or("", |component| component.name.as_str());
            let why = Why { text: format!("{name}, on which it depends, has been well for long enough"), ..Why::default() };
            self.emit(Change::Quiet { component, upstream, until: None }, &why);
            let waiting = self.state.dependencies.downstream(&[component], &[Effect::Silence]);
            self.reconcile_components(&waiting, &why);
        }
    }

    /// What readers may be told that the trouble of `components` comes from.
    pub(super) fn causes_for_readers(&self, components: &[ComponentId]) -> Vec<ComponentId> {
        if self.state.dependencies.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for id in components.iter().filter(|id| self.shows(**id)) {
            let causes = self.state.dependencies.causes_for_readers(*id, |id| self.state.components.get(&id));
            found.extend(causes.into_iter().filter(|cause| !components.contains(cause)));
        }
        found.sort();
        found.dedup();
        found
    }

    /// Ends the reason of a status with what it has to do with other components.
    pub(super) fn upstreams_in_words(&self, id: ComponentId) -> String {
        let mut by_effect: BTreeMap<Effect, Vec<&str>> = BTreeMap::new();
        for dependency in self.state.dependencies.of(id) {
            let Some(upstream) = self.state.components.get(&dependency.component) else { continue };
            let acts = upstream.status.is_fault() || (dependency.effect == Effect::Silence && self.silences(id, dependency));
            if acts {
                by_effect.entry(dependency.effect).or_default().push(&upstream.name);
            }
        }
        let words = |(effect, names): (&Effect, &Vec<&str>)| {
            let names = wording::in_a_sentence(names);
            match effect {
                Effect::Label => format!("; it depends on {names}, which is in trouble"),
                Effect::Cap => format!("; no worse than {names}, on which it depends"),
                Effect::Silence => format!("; no new incident while {names}, on which it depends, is in trouble"),
                Effect::Inherit => format!("; degraded at least while {names}, on which it depends, is in trouble"),
            }
        };
        by_effect.iter().map(words).collect()
    }
}
