//! Components that depend on others, so that the trouble of a vendor explains, softens, or keeps quiet what comes of it.
//!
//! A component is in trouble while what the page says of it, or would say if it were not hidden, is a fault: degraded, or a partial or major outage.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{ComponentId, Span, Timestamp, UnknownName, status::named};

/// The most that one component may depend on.
pub const MAX_DEPENDENCIES: usize = 50;
/// How far a chain of dependencies may reach: a component that depends on another that depends on a third has a depth of two.
pub const MAX_DEPENDENCY_DEPTH: usize = 8;
/// How long after the end of an upstream's trouble silence goes on, unless the dependency says otherwise.
pub const DEFAULT_SETTLE: Span = Span::mins(5);
/// The longest that it may go on.
pub const MAX_SETTLE: Span = Span::mins(24 * 60);

/// What the trouble of a component means for one that depends on it. All of them name it as the cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing else.
    #[default]
    Label,
    /// What signals say of the dependent is shown as no worse than the trouble it comes from.
    Cap,
    /// The dependent's trouble opens no incident, so nobody is told of it. Its status is still shown.
    Silence,
    /// The dependent has degraded performance at least.
    Inherit,
}

named!(Effect { Label = "label", Cap = "cap", Silence = "silence", Inherit = "inherit" });

/// One dependency. `K` names the component depended on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency<K = ComponentId> {
    /// What is depended on.
    pub component: K,
    /// What its trouble means.
    pub effect: Effect,
    /// How long silence goes on after the trouble: what comes of it takes its time to get well. For [`Effect::Silence`].
    pub settle: Span,
}

/// All dependencies, and the silence that goes on after trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    of: BTreeMap<ComponentId, Vec<Dependency>>,
    dependents: BTreeMap<ComponentId, BTreeSet<ComponentId>>,
    quiet: BTreeMap<(ComponentId, ComponentId), Timestamp>,
}

impl Dependencies {
    /// Adds one.
    pub fn add(&mut self, component: ComponentId, dependency: Dependency) {
        self.dependents.entry(dependency.component).or_default().insert(component);
        self.of.entry(component).or_default().push(dependency);
    }

    /// What a component depends on.
    #[must_use]
    pub fn of(&self, component: ComponentId) -> &[Dependency] {
        self.of.get(&component).map_or(&[], Vec::as_slice)
    }

    /// Which of a component's dependencies have an effect.
    pub fn with(&self, component: ComponentId, effect: Effect) -> impl Iterator<Item = &Dependency> {
        self.of(component).iter().filter(move |dependency| dependency.effect == effect)
    }

    /// What depends on a component, directly.
    pub fn dependents(&self, component: ComponentId) -> impl Iterator<Item = ComponentId> {
        self.dependents.get(&component).into_iter().flatten().copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Until when the silence of a component goes on after the trouble of what it depends on.
    #[must_use]
    pub fn quiet_until(&self, component: ComponentId, upstream: ComponentId) -> Option<Timestamp> {
        self.quiet.get(&(component, upstream)).copied()
    }

    /// Silences that go on after trouble: the component, what it depends on, and until when.
    pub fn quiet(&self) -> impl Iterator<Item = (ComponentId, ComponentId, Timestamp)> {
        self.quiet.iter().map(|((component, upstream), until)| (*component, *upstream, *until))
    }

    /// Begins or ends the silence after trouble.
    pub fn set_quiet(&mut self, component: ComponentId, upstream: ComponentId, until: Option<Timestamp>) {
        match until {
            Some(until) => drop(self.quiet.insert((component, upstream), until)),
            None => drop(self.quiet.remove(&(component, upstream))),
        }
    }

    /// Forgets all silences after trouble.
    pub fn forget_quiet(&mut self) {
        self.quiet.clear();
    }

    /// `components` and everything that depends on them by one of `effects`, however far.
    #[must_use]
    pub fn downstream(&self, components: &[ComponentId], effects: &[Effect]) -> Vec<ComponentId> {
        let mut found = components.to_vec();
        if self.is_empty() {
            return found;
        }
        let mut seen: BTreeSet<ComponentId> = found.iter().copied().collect();
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next += 1;
            let is_by =
                |dependent: &ComponentId| self.of(*dependent).iter().any(|one| one.component == id && effects.contains(&one.effect));
            let dependents: Vec<ComponentId> = self.dependents(id).filter(is_by).filter(|id| seen.insert(*id)).collect();
            found.extend(dependents);
        }
        found
    }

    /// Where the trouble of a component comes from: of all that it depends on, however far, those `in_trouble` that depend on none that
    /// is in trouble.
    #[must_use]
    pub fn causes(&self, component: ComponentId, in_trouble: impl Fn(ComponentId) -> bool) -> Vec<ComponentId> {
        let troubled = |id: ComponentId| self.upstream(id).into_iter().filter(|id| in_trouble(*id)).collect::<Vec<_>>();
        troubled(component).into_iter().filter(|id| troubled(*id).is_empty()).collect()
    }

    /// Everything that a component depends on, the nearest first.
    fn upstream(&self, component: ComponentId) -> Vec<ComponentId> {
        let (mut found, mut seen, mut next) = (Vec::new(), BTreeSet::from([component]), 0);
        let mut at = Some(component);
        while let Some(id) = at {
            found.extend(self.of(id).iter().map(|dependency| dependency.component).filter(|id| seen.insert(*id)));
            at = found.get(next).copied();
            next += 1;
        }
        found
    }
}

/// What is wrong with how things depend on each other. Names them in order, from one that depends to what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainProblem<K> {
    /// The first depends on the second, and so on, and the last is the first again.
    Cycle(Vec<K>),
    /// The chain reaches further than [`MAX_DEPENDENCY_DEPTH`].
    TooDeep(Vec<K>),
}

impl<K: std::fmt::Display> std::fmt::Display for ChainProblem<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |chain: &[K]| chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" on ");
        match self {
            Self::Cycle(chain) => write!(f, "components depend on each other: {}", list(chain)),
            Self::TooDeep(chain) => write!(f, "dependencies may reach {MAX_DEPENDENCY_DEPTH} deep, and this is deeper: {}", list(chain)),
        }
    }
}

/// Checks that nothing depends on itself, and that no chain is too long.
///
/// # Errors
/// The first that is.
pub fn check_chains<K: Ord + Clone>(upstreams: &BTreeMap<K, Vec<K>>) -> Result<(), ChainProblem<K>> {
    let mut depths = BTreeMap::new();
    for key in upstreams.keys() {
        depth(upstreams, key, &mut Vec::new(), &mut depths)?;
    }
    Ok(())
}

/// How far the dependencies of `key` reach, where `path` leads to it.
fn depth<'k, K: Ord + Clone>(
    upstreams: &'k BTreeMap<K, Vec<K>>,
    key: &'k K,
    path: &mut Vec<&'k K>,
    depths: &mut BTreeMap<&'k K, usize>,
) -> Result<usize, ChainProblem<K>> {
    /// Long enough to tell cycles of a size that people make from chains that are too long.
    const MAX_PATH: usize = 100;
    if let Some(known) = depths.get(key) {
        return Ok(*known);
    }
    let chain = |from: usize| path[from..].iter().copied().chain([key]).cloned().collect();
    if let Some(from) = path.iter().position(|passed| *passed == key) {
        return Err(ChainProblem::Cycle(chain(from)));
    }
    if path.len() >= MAX_PATH {
        return Err(ChainProblem::TooDeep(chain(path.len() - MAX_DEPENDENCY_DEPTH)));
    }
    path.push(key);
    let mut deepest = 0;
    for upstream in upstreams.get(key).into_iter().flatten() {
        deepest = deepest.max(1 + depth(upstreams, upstream, path, depths)?);
    }
    if deepest > MAX_DEPENDENCY_DEPTH {
        return Err(ChainProblem::TooDeep(deepest_chain(upstreams, key, depths)));
    }
    path.pop();
    depths.insert(key, deepest);
    Ok(deepest)
}

fn deepest_chain<K: Ord + Clone>(upstreams: &BTreeMap<K, Vec<K>>, from: &K, depths: &BTreeMap<&K, usize>) -> Vec<K> {
    let mut chain = vec![from.clone()];
    let mut key = from;
    while let Some(next) = upstreams.get(key).into_iter().flatten().max_by_key(|upstream| depths.get(upstream)) {
        chain.push(next.clone());
        key = next;
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[(u8, u8)]) -> BTreeMap<u8, Vec<u8>> {
        let mut found: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        list.iter().for_each(|(from, to)| found.entry(*from).or_default().push(*to));
        found
    }

    fn dependencies(list: &[(i64, i64, Effect)]) -> Dependencies {
        let mut found = Dependencies::default();
        for (from, to, effect) in list {
            found.add(ComponentId(*from), Dependency { component: ComponentId(*to), effect: *effect, settle: Span::ZERO });
        }
        found
    }

    #[test]
    fn nothing_depends_on_itself() {
        assert_eq!(check_chains(&edges(&[(1, 2), (1, 3), (2, 4), (3, 4)])), Ok(()));
        assert_eq!(check_chains(&edges(&[(1, 1)])), Err(ChainProblem::Cycle(vec![1, 1])));
        let cycle = check_chains(&edges(&[(0, 1), (1, 2), (2, 3), (3, 1)])).unwrap_err();
        assert_eq!(cycle.to_string(), "components depend on each other: 1 on 2 on 3 on 1");
    }

    #[test]
    fn chains_are_short() {
        let chain = |n: u8| edges(&(0..n).map(|i| (i, i + 1)).collect::<Vec<_>>());
        assert_eq!(check_chains(&chain(8)), Ok(()));
        let told = check_chains(&chain(9)).unwrap_err().to_string();
        assert_eq!(told, "dependencies may reach 8 deep, and this is deeper: 0 on 1 on 2 on 3 on 4 on 5 on 6 on 7 on 8 on 9");
        assert!(matches!(check_chains(&chain(200)), Err(ChainProblem::TooDeep(_))));
    }

    #[test]
    fn a_cause_is_what_has_no_cause_itself() {
        let all = dependencies(&[(1, 2, Effect::Label), (2, 3, Effect::Label), (1, 4, Effect::Cap), (4, 3, Effect::Label)]);
        let causes =
            |troubled: &[i64]| all.causes(ComponentId(1), |id| troubled.contains(&id.0)).into_iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(causes(&[1]), Vec::<i64>::new());
        assert_eq!(causes(&[1, 2, 4]), [2, 4]);
        assert_eq!(causes(&[1, 2, 3, 4]), [3]);
        assert_eq!(causes(&[1, 3]), [3], "through others that are well");
    }

    #[test]
    fn what_follows_from_a_component_is_found_by_effect() {
        let all = dependencies(&[(1, 2, Effect::Cap), (2, 3, Effect::Inherit), (4, 3, Effect::Label)]);
        let ids = |list: &[i64]| list.iter().copied().map(ComponentId).collect::<Vec<_>>();
        assert_eq!(all.downstream(&ids(&[3]), &[Effect::Cap, Effect::Inherit]), ids(&[3, 2, 1]));
        assert_eq!(all.downstream(&ids(&[3]), &[Effect::Label]), ids(&[3, 4]));
    }
}
