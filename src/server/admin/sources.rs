//! How the sources of a component add up, and what it depends on, as they are written and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    Combine, Component, ComponentId, DEFAULT_SETTLE, Dependencies, Dependency, Effect, GroupId, IntegrationId, MAX_DEPENDENCIES,
    MAX_QUORUM, MAX_SETTLE, MAX_THRESHOLD, MAX_WEIGHT, Span, Status, THRESHOLD_STATUSES, check_chains, misordered,
};
use poem_openapi::Object;
use storage::{Connection, combine, components, dependencies, integrations, rows};

use super::{
    fields::{Fields, by_key},
    problem::Problem,
    types::{Length, Name},
};

/// How what several integrations say of a component becomes one status: a quorum, or weights with thresholds.
#[derive(Object)]
#[oai(rename = "Combine")]
pub(super) struct CombineBody {
    /// So many integrations must agree that it is at least so bad.
    #[oai(skip_serializing_if_is_none)]
    quorum: Option<u32>,
    /// What integrations weigh, by their keys; 1 where nothing is said.
    #[oai(skip_serializing_if_is_none)]
    weights: Option<BTreeMap<String, u32>>,
    /// How much weight a status needs.
    #[oai(skip_serializing_if_is_none)]
    thresholds: Option<ThresholdsBody>,
}

/// How much weight a status needs. One that is left out needs as much as the next milder; the mildest, 1.
#[derive(Object)]
#[oai(rename = "Thresholds")]
struct ThresholdsBody {
    #[oai(skip_serializing_if_is_none)]
    degraded_performance: Option<u32>,
    #[oai(skip_serializing_if_is_none)]
    partial_outage: Option<u32>,
    #[oai(skip_serializing_if_is_none)]
    major_outage: Option<u32>,
}

/// Another component that this one depends on.
#[derive(Object)]
#[oai(rename = "Dependency")]
pub(super) struct DependencyBody {
    /// Its key.
    component: String,
    /// What its trouble means for this one; all of them name it as the cause. `label` if it is left out.
    effect: Option<Name<Effect>>,
    /// How long silence goes on after its trouble; `5m` if it is left out. For `silence` alone.
    #[oai(skip_serializing_if_is_none)]
    settle: Option<Length>,
}

/// What a component is shown with.
pub(super) struct Around {
    pub(super) groups: HashMap<GroupId, String>,
    components: HashMap<ComponentId, String>,
    integrations: HashMap<IntegrationId, String>,
    combine: BTreeMap<ComponentId, Combine>,
    dependencies: Dependencies,
    troubled: BTreeSet<ComponentId>,
}

impl Around {
    pub(super) async fn load(conn: &mut Connection) -> Result<Self, Problem> {
        let dependencies = dependencies::all(conn).await?;
        let all = if dependencies.is_empty() { Vec::new() } else { rows::components(conn).await? };
        Ok(Self {
            groups: rows::groups(conn).await?.into_iter().map(|group| (group.id, group.key)).collect(),
            components: components::keys(conn).await?,
            integrations: integrations::keys(conn).await?,
            combine: combine::all(conn).await?,
            dependencies,
            troubled: all.into_iter().filter(|component| component.status.is_fault()).map(|component| component.id).collect(),
        })
    }

    pub(super) fn combine(&self, id: ComponentId) -> Option<CombineBody> {
        let combine = self.combine.get(&id)?.clone().rename(|id| self.integrations.get(id).cloned());
        match combine {
            Combine::Worst => None,
            Combine::Quorum(n) => Some(CombineBody { quorum: Some(n), weights: None, thresholds: None }),
            Combine::Weighted { weights, thresholds } => {
                let of = |status| thresholds.get(&status).copied();
                let thresholds = ThresholdsBody {
                    degraded_performance: of(Status::DegradedPerformance),
                    partial_outage: of(Status::PartialOutage),
                    major_outage: of(Status::MajorOutage),
                };
                Some(CombineBody { quorum: None, weights: Some(weights), thresholds: Some(thresholds) })
            }
        }
    }

    pub(super) fn depends_on(&self, id: ComponentId) -> Vec<DependencyBody> {
        let body = |one: &Dependency| DependencyBody {
            component: self.components.get(&one.component).cloned().unwrap_or_default(),
            effect: Some(Name(one.effect)),
            settle: (one.effect == Effect::Silence).then_some(Length(one.settle)),
        };
        self.dependencies.of(id).iter().map(body).collect()
    }

    /// Where the trouble of a component comes from, hidden ones too; nowhere while it is well.
    pub(super) fn caused_by(&self, component: &Component) -> Vec<String> {
        if matches!(component.status, Status::Operational | Status::UnderMaintenance) {
            return Vec::new();
        }
        let causes = self.dependencies.causes(component.id, |id| self.troubled.contains(&id));
        causes.iter().filter_map(|id| self.components.get(id).cloned()).collect()
    }

    /// Reads how sources are to add up.
    pub(super) fn read_combine(&self, fields: &mut Fields, body: CombineBody) -> Combine {
        let CombineBody { quorum, weights, thresholds } = body;
        match quorum {
            Some(n) => {
                if weights.is_some() || thresholds.is_some() {
                    fields.refuse("combine", "has either a `quorum`, or `weights` and `thresholds`");
                }
                within(fields, "combine.quorum", n, 1, MAX_QUORUM);
                Combine::Quorum(n)
            }
            None if weights.is_none() && thresholds.is_none() => {
                fields.refuse("combine", "needs a `quorum`, or `weights` and `thresholds`; null for the worst of all");
                Combine::Worst
            }
            None => self.read_weighted(fields, weights.unwrap_or_default(), thresholds),
        }
    }

    fn read_weighted(&self, fields: &mut Fields, named: BTreeMap<String, u32>, thresholds: Option<ThresholdsBody>) -> Combine {
        let ids = by_key(&self.integrations);
        let mut weights = BTreeMap::new();
        for (key, weight) in named {
            let field = format!("combine.weights.{key}");
            within(fields, &field, weight, 0, MAX_WEIGHT);
            if let Some(id) = fields.reference(&field, "integration", &ids, &key) {
                weights.insert(id, weight);
            }
        }
        let given = thresholds.map_or([None; 3], |given| [given.degraded_performance, given.partial_outage, given.major_outage]);
        let named = THRESHOLD_STATUSES.into_iter().zip(given).filter_map(|(status, needed)| Some((status, needed?)));
        let thresholds: BTreeMap<Status, u32> = named.collect();
        for (status, needed) in &thresholds {
            within(fields, &format!("combine.thresholds.{status}"), *needed, 1, MAX_THRESHOLD);
        }
        if let Some((milder, worse)) = misordered(&thresholds) {
            let message = format!("must not be less than `{milder}`, or more agreement would make things look better");
            fields.refuse(format!("combine.thresholds.{worse}"), message);
        }
        Combine::Weighted { weights, thresholds }
    }

    /// Reads what `component` is to depend on; `None` for one that is yet to be made, on which nothing depends.
    pub(super) fn read_depends_on(
        &self,
        fields: &mut Fields,
        component: Option<ComponentId>,
        bodies: Vec<DependencyBody>,
    ) -> Vec<Dependency> {
        fields.at_most("depends_on", &bodies, MAX_DEPENDENCIES);
        let ids = by_key(&self.components);
        let mut found: Vec<Dependency> = Vec::new();
        for (i, body) in bodies.into_iter().take(MAX_DEPENDENCIES).enumerate() {
            let at = format!("depends_on[{i}]");
            let effect = body.effect.map_or_else(Effect::default, |effect| effect.0);
            let settle = read_settle(fields, &at, effect, body.settle);
            let Some(id) = fields.reference(&format!("{at}.component"), "component", &ids, &body.component) else { continue };
            if found.iter().any(|other| (other.component, other.effect) == (id, effect)) {
                fields.refuse(at, format!("`{}` with the effect `{effect}` is named twice", body.component));
            } else {
                found.push(Dependency { component: id, effect, settle });
            }
        }
        self.check_chains(fields, component, &found);
        found
    }

    fn check_chains(&self, fields: &mut Fields, component: Option<ComponentId>, depends_on: &[Dependency]) {
        let upstreams =
            |list: &[Dependency]| list.iter().filter_map(|one| self.components.get(&one.component).cloned()).collect::<Vec<_>>();
        let own = component.and_then(|id| self.components.get(&id).cloned()).unwrap_or_else(|| "it".to_owned());
        let others = self.components.iter().map(|(id, key)| (key.clone(), upstreams(self.dependencies.of(*id))));
        let mut all: BTreeMap<String, Vec<String>> = others.collect();
        all.insert(own, upstreams(depends_on));
        if let Err(problem) = check_chains(&all) {
            fields.refuse("depends_on", problem.to_string());
        }
    }

    /// Stores what a component says of its sources and dependencies.
    pub(super) async fn store(
        &self,
        conn: &mut Connection,
        id: ComponentId,
        combine: Option<Combine>,
        depends_on: Option<Vec<Dependency>>,
    ) -> Result<(), Problem> {
        if let Some(combine) = combine {
            combine::set(conn, id, &combine).await?;
        }
        if let Some(depends_on) = depends_on {
            dependencies::set(conn, &self.dependencies, id, &depends_on).await?;
        }
        Ok(())
    }
}

fn within(fields: &mut Fields, field: &str, number: u32, least: u32, most: u32) {
    if !(least..=most).contains(&number) {
        fields.refuse(field, format!("must be from {least} to {most}"));
    }
}

fn read_settle(fields: &mut Fields, at: &str, effect: Effect, settle: Option<Length>) -> Span {
    match (effect, settle) {
        (Effect::Silence, None) => DEFAULT_SETTLE,
        (Effect::Silence, Some(Length(span))) => {
            if span > MAX_SETTLE {
                fields.refuse(format!("{at}.settle"), format!("{span} is more than {MAX_SETTLE}"));
            }
            span
        }
        (_, None) => Span::ZERO,
        (_, Some(_)) => {
            fields.refuse(format!("{at}.settle"), format!("only the effect `{}` has a time to settle", Effect::Silence));
            Span::ZERO
        }
    }
}
