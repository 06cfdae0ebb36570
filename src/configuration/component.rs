//! What a component says of its sources, and of the components that it depends on.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ChainProblem, Combine, ComponentSpec, DEFAULT_SETTLE, Dependency, Effect, MAX_DEPENDENCIES, MAX_INTEGRATIONS, MAX_QUORUM, MAX_SETTLE,
    MAX_THRESHOLD, MAX_WEIGHT, Span, Status, THRESHOLD_STATUSES, check_chains, misordered,
};

use crate::{
    document::Declared,
    problem::{did_you_mean, quoted},
    reader::{At, Map},
    yaml::Content,
};

/// The word for the usual way to add up.
pub(crate) const WORST: &str = "worst";

pub(crate) fn combine(at: &At<'_>, declared: &Declared<'_>) -> Combine<String> {
    if let Content::Scalar { text, .. } = &at.node.content {
        if text != WORST {
            let hint = did_you_mean(text, [WORST]);
            at.refuse(format!("{} is neither `{WORST}` nor `{{ quorum: … }}` nor `{{ weights: …, thresholds: … }}`{hint}", quoted(text)));
        }
        return Combine::Worst;
    }
    let map = at.map(&["quorum", "weights", "thresholds"]);
    let (quorum, weights, thresholds) = (map.get("quorum"), map.get("weights"), map.get("thresholds"));
    match quorum {
        Some(quorum) => {
            if weights.is_some() || thresholds.is_some() {
                at.refuse("has either a `quorum`, or `weights` and `thresholds`");
            }
            Combine::Quorum(quorum.number(1, MAX_QUORUM))
        }
        None if weights.is_none() && thresholds.is_none() => {
            if matches!(at.node.content, Content::Map(_)) {
                at.refuse("needs a `quorum`, or `weights` and `thresholds`");
            }
            Combine::Worst
        }
        None => Combine::Weighted {
            weights: weights.map(|at| self::weights(&at, declared)).unwrap_or_default(),
            thresholds: thresholds.map(|at| self::thresholds(&at)).unwrap_or_default(),
        },
    }
}

fn weights(at: &At<'_>, declared: &Declared<'_>) -> BTreeMap<String, u32> {
    let keys: Vec<&str> = declared.integrations.iter().copied().collect();
    let map = at.map(&keys);
    if map.entries().len() > MAX_INTEGRATIONS {
        map.refuse(format!("has {} entries, at most {MAX_INTEGRATIONS} are allowed", map.entries().len()));
    }
    numbers(&map, 0, MAX_WEIGHT)
}

fn numbers(map: &Map<'_>, least: u32, most: u32) -> BTreeMap<String, u32> {
    let number = |key: &String| Some((key.clone(), map.get(key)?.number(least, most)));
    map.entries().iter().filter_map(|entry| number(&entry.key)).collect()
}

fn thresholds(at: &At<'_>) -> BTreeMap<Status, u32> {
    let map = at.map(&THRESHOLD_STATUSES.map(Status::as_str));
    let found: BTreeMap<Status, u32> =
        numbers(&map, 1, MAX_THRESHOLD).into_iter().filter_map(|(key, needed)| Some((key.parse().ok()?, needed))).collect();
    if let Some((milder, worse)) = misordered(&found) {
        let place = map.get(worse.as_str());
        place.as_ref().unwrap_or(at).refuse(format!("must not be less than `{milder}`, or more agreement would make things look better"));
    }
    found
}

/// What a component depends on, with the place of each entry.
pub(crate) struct DependsOn<'a> {
    pub(crate) specs: BTreeSet<Dependency<String>>,
    places: Vec<(String, At<'a>)>,
}

pub(crate) fn depends_on<'a>(map: &Map<'a>, declared: &Declared<'_>) -> DependsOn<'a> {
    let mut found = DependsOn { specs: BTreeSet::new(), places: Vec::new() };
    for at in map.list("depends_on", MAX_DEPENDENCIES) {
        let Some(spec) = dependency(&at, declared) else { continue };
        found.places.push((spec.component.clone(), at.clone()));
        if found.specs.iter().any(|other| (&other.component, other.effect) == (&spec.component, spec.effect)) {
            at.refuse(format!("{} with the effect `{}` is already in this list", quoted(&spec.component), spec.effect));
        }
        found.specs.insert(spec);
    }
    found
}

/// A key alone, or a map.
fn dependency(at: &At<'_>, declared: &Declared<'_>) -> Option<Dependency<String>> {
    if matches!(at.node.content, Content::Scalar { .. }) {
        let component = at.reference("component", &declared.components)?;
        return Some(Dependency { component, effect: Effect::Label, settle: Span::ZERO });
    }
    let map = at.map(&["component", "effect", "settle"]);
    let component = map.need("component").and_then(|at| at.reference("component", &declared.components));
    let names: Vec<&str> = Effect::ALL.iter().map(|effect| effect.as_str()).collect();
    let effect = map.get("effect").and_then(|at| at.choice("an effect", &names)).unwrap_or_default();
    let settle = settle(&map, effect);
    Some(Dependency { component: component?, effect, settle })
}

fn settle(map: &Map<'_>, effect: Effect) -> Span {
    let Some(at) = map.get("settle") else { return if effect == Effect::Silence { DEFAULT_SETTLE } else { Span::ZERO } };
    let span = at.span();
    if effect != Effect::Silence {
        at.refuse(format!("only the effect `{}` has a time to settle", Effect::Silence));
        return Span::ZERO;
    }
    if span > MAX_SETTLE {
        at.refuse(format!("{span} is more than {MAX_SETTLE}, the longest time that silence goes on"));
    }
    span
}

/// Refuses what depends on itself, or on too long a chain, where that is said.
pub(crate) fn refuse_chains(specs: &[ComponentSpec], places: &[DependsOn<'_>]) {
    let upstreams: BTreeMap<&str, Vec<&str>> =
        specs.iter().map(|spec| (spec.key.as_str(), spec.depends_on.iter().map(|on| on.component.as_str()).collect())).collect();
    let Err(problem) = check_chains(&upstreams) else { return };
    let (ChainProblem::Cycle(chain) | ChainProblem::TooDeep(chain)) = &problem;
    let [first, second, ..] = chain.as_slice() else { return };
    let of = specs.iter().position(|spec| spec.key == *first).and_then(|i| places.get(i));
    if let Some((_, at)) = of.and_then(|of| of.places.iter().find(|(key, _)| key == second)) {
        at.refuse(problem.to_string());
    }
}
