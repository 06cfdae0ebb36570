//! What differs between what is stored and what the fold gives, and what cannot be compared.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ComponentId, Day, Incident, IncidentId, IncidentStatus, IncidentUpdate, MetricId, RouteId, Sample, State, Status, Timestamp};
use storage::comparison::Touched;

use super::folded::Folded;

/// What is stored.
pub(super) struct Stored {
    pub(super) state: State,
    /// Every incident, with the entries of its timeline.
    pub(super) incidents: BTreeMap<IncidentId, (Vec<IncidentUpdate>, Incident)>,
    pub(super) days: BTreeMap<(ComponentId, i32), Day>,
    pub(super) touched: Touched,
}

/// What came of comparing.
#[derive(Default)]
pub(super) struct Comparison {
    pub(super) n_deliveries: usize,
    pub(super) n_things: usize,
    pub(super) n_incidents: usize,
    pub(super) n_days: usize,
    pub(super) n_samples: usize,
    /// Where the fold differs.
    pub(super) differences: Vec<String>,
    /// What was not compared, and why.
    pub(super) left_out: Vec<String>,
    /// Samples that no kept delivery gave.
    n_foreign_samples: usize,
}

/// Compares everything but samples, which come in portions. `since` is when the oldest delivery was looked at, if those before it are gone.
pub(super) fn compare(stored: &Stored, folded: &Folded, since: Option<Timestamp>) -> Comparison {
    let mut comparison = Comparison { n_deliveries: folded.n_deliveries, n_things: folded.state.alerts.len(), ..Comparison::default() };
    comparison.differences = states(&stored.state, &folded.state);
    let components = touched_components(stored);
    let is_whole = |incident: &Incident| {
        incident.components.keys().all(|id| !components.contains(id)) && since.is_none_or(|since| incident.started_at > since)
    };
    comparison.compare_incidents(stored, folded, is_whole);
    let first_day = since.map(|since| since.day_in(&stored.state.zone) + 1);
    comparison
        .compare_days(stored, folded, |(component, day)| !components.contains(component) && first_day.is_none_or(|first| *day >= first));
    if !stored.touched.incidents.is_empty() || !components.is_empty() {
        comparison.left_out.push(format!(
            "incidents and bars of {} components, among them {} incidents: a person or a maintenance had a hand in them, or a route that is gone, \
             or a delivery that was looked at again",
            components.len(),
            stored.touched.incidents.len()
        ));
    }
    if let Some(since) = since {
        comparison.left_out.push(format!("incidents that began before {since}, and bars up to that day: older deliveries are gone"));
    }
    comparison
}

/// The components that deliveries alone did not bring to where they are, and all that depend on them.
fn touched_components(stored: &Stored) -> BTreeSet<ComponentId> {
    let mut found = BTreeSet::new();
    let mut next: Vec<ComponentId> = stored.touched.components.iter().copied().collect();
    while let Some(component) = next.pop() {
        if found.insert(component) {
            next.extend(stored.state.dependencies.dependents(component));
        }
    }
    found
}

fn states(stored: &State, folded: &State) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, alert) in stored.alerts.iter() {
        if folded.alerts.get(key).map(|other| (other.firing, other.severity, other.occurred_at))
            != Some((alert.firing, alert.severity, alert.occurred_at))
        {
            differences.push(format!("alert {}/{}: stored {alert:?}, folded {:?}", key.0, key.1, folded.alerts.get(key)));
        }
    }
    for (id, component) in &stored.components {
        let other = &folded.components[id];
        if (component.status, component.internal_status) != (other.status, other.internal_status) {
            differences.push(format!("component {}: stored {}, folded {}", component.key, component.status, other.status));
        }
    }
    let effects = |state: &State| state.causes.iter().map(|(key, cause)| (key.clone(), cause.status, cause.phase)).collect::<Vec<_>>();
    if effects(stored) != effects(folded) {
        differences.push(format!("causes: {} stored, {} folded", stored.causes.len(), folded.causes.len()));
    }
    differences
}

/// What is compared of an incident. Ids are given anew in a fold, so it is known by who opened it when.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    resolved_at: Option<Timestamp>,
    published: bool,
    components: BTreeMap<ComponentId, Status>,
    entries: Vec<(Timestamp, IncidentStatus)>,
}

type Known = BTreeMap<(Timestamp, RouteId), Vec<Seen>>;

fn seen<'a>(incidents: impl Iterator<Item = &'a (Vec<IncidentUpdate>, Incident)>, is_whole: impl Fn(&Incident) -> bool) -> Known {
    let mut known = Known::new();
    for (updates, incident) in incidents.filter(|(_, incident)| is_whole(incident)) {
        let Some(route) = incident.opened_by else { continue };
        let mut entries: Vec<_> = updates.iter().map(|update| (update.id, update.at, update.status)).collect();
        entries.sort_unstable_by_key(|(id, ..)| *id);
        known.entry((incident.started_at, route)).or_default().push(Seen {
            resolved_at: incident.resolved_at,
            published: incident.published,
            components: incident.components.clone(),
            entries: entries.into_iter().map(|(_, at, status)| (at, status)).collect(),
        });
    }
    known
}

impl Comparison {
    fn compare_incidents(&mut self, stored: &Stored, folded: &Folded, is_whole: impl Fn(&Incident) -> bool) {
        let (was, is) = (seen(stored.incidents.values(), &is_whole), seen(folded.incidents.values(), &is_whole));
        self.n_incidents = was.values().map(Vec::len).sum();
        let all: BTreeSet<_> = was.keys().chain(is.keys()).collect();
        for key in all {
            let (stored_ones, folded_ones) = (was.get(key), is.get(key));
            if stored_ones != folded_ones {
                let label = stored.state.routes.get(&key.1).map_or("a route", |route| route.label.as_str());
                self.differences.push(format!("incident of {label} since {}: stored {stored_ones:?}, folded {folded_ones:?}", key.0));
            }
        }
    }

    fn compare_days(&mut self, stored: &Stored, folded: &Folded, is_whole: impl Fn(&(ComponentId, i32)) -> bool) {
        let all: BTreeSet<_> = stored.days.keys().chain(folded.days.keys()).filter(|key| is_whole(key)).collect();
        self.n_days = all.len();
        for key in all {
            // A day that was counted and corrected to nothing is one without trouble.
            let day = |days: &BTreeMap<(ComponentId, i32), Day>| days.get(key).copied().unwrap_or(Day { day: key.1, ..Day::default() });
            let (was, is) = (day(&stored.days), day(&folded.days));
            if was != is {
                let component = stored.state.components.get(&key.0).map_or("?", |component| component.key.as_str());
                self.differences.push(format!("bar of {component}: stored {was:?}, folded {is:?}"));
            }
        }
    }

    /// Takes stored samples in, oldest first, and strikes those out of `folded` that are there.
    pub(super) fn take_samples(&mut self, metric: MetricId, stored: &[Sample], folded: &mut BTreeMap<Timestamp, f64>) {
        for sample in stored {
            match folded.remove(&sample.at) {
                None => self.n_foreign_samples += 1,
                Some(value) if value.to_bits() == sample.value.to_bits() => self.n_samples += 1,
                Some(value) => {
                    self.n_samples += 1;
                    self.differences.push(format!("sample of metric {metric} at {}: stored {}, folded {value}", sample.at, sample.value));
                }
            }
        }
    }

    /// Says which samples of the fold are not stored.
    pub(super) fn miss_samples(&mut self, metric: MetricId, folded: &BTreeMap<Timestamp, f64>) {
        self.differences.extend(folded.iter().map(|(at, value)| format!("sample of metric {metric} at {at}: not stored, folded {value}")));
    }

    /// Says how many samples had nothing to be compared with.
    pub(super) fn end(mut self) -> Self {
        if self.n_foreign_samples > 0 {
            let n = self.n_foreign_samples;
            self.left_out.push(format!("{n} samples that no kept delivery gives: a program wrote them, or their deliveries are gone"));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use domain::{Component, Dependency, Effect, Impact, Span};

    use super::*;

    const NOW: Timestamp = Timestamp(1_780_000_000_000);
    const ROUTE: RouteId = RouteId(1);
    const API: ComponentId = ComponentId(1);
    const WEB: ComponentId = ComponentId(2);

    fn component(id: ComponentId) -> Component {
        Component {
            id,
            key: format!("component-{id}"),
            name: String::new(),
            description: String::new(),
            group: None,
            position: 0,
            hidden: false,
            status: Status::Operational,
            status_since: NOW,
            internal_status: Status::Operational,
            overridden: None,
            created_at: NOW,
        }
    }

    fn incident(id: i64, of: ComponentId) -> (Vec<IncidentUpdate>, Incident) {
        let incident = Incident {
            id: IncidentId(id),
            title: String::new(),
            status: IncidentStatus::Resolved,
            impact: Impact::Major,
            published: true,
            publishes_at: None,
            vetoed: false,
            opened_by: Some(ROUTE),
            scoped: true,
            components: [(of, Status::MajorOutage)].into(),
            started_at: NOW,
            resolved_at: Some(NOW.plus(Span::mins(5))),
            updated_at: NOW,
            added_at: None,
        };
        (Vec::new(), incident)
    }

    /// Two components, an incident and a bar of each.
    fn fold() -> (Stored, Folded) {
        let state = || {
            let mut state = State::empty();
            state.components = [API, WEB].map(|id| (id, component(id))).into();
            state.dependencies.add(WEB, Dependency { component: API, effect: Effect::Inherit, settle: Span::ZERO });
            state
        };
        let day = |id| ((id, 7), Day { day: 7, major_outage: Span::mins(5), ..Day::default() });
        let stored = Stored {
            state: state(),
            incidents: [(IncidentId(11), incident(11, API)), (IncidentId(12), incident(12, WEB))].into(),
            days: [API, WEB].map(day).into(),
            touched: Touched::default(),
        };
        let mut folded = Folded::new(state());
        // Ids are given anew.
        folded.incidents = [(IncidentId(1), incident(1, API)), (IncidentId(2), incident(2, WEB))].into();
        folded.days = stored.days.clone();
        (stored, folded)
    }

    #[test]
    fn what_is_the_same_but_for_its_ids_does_not_differ() {
        let (stored, folded) = fold();
        let found = compare(&stored, &folded, None);
        assert_eq!((found.differences, found.left_out), (Vec::<String>::new(), Vec::new()));
        assert_eq!((found.n_incidents, found.n_days), (2, 2));
    }

    #[test]
    fn an_incident_and_a_bar_that_differ_are_named_unless_somebody_had_a_hand_in_them_or_in_what_they_depend_on() {
        let (mut stored, folded) = fold();
        if let Some((_, incident)) = stored.incidents.get_mut(&IncidentId(12)) {
            incident.resolved_at = None;
        }
        stored.days.remove(&(WEB, 7));
        let found = compare(&stored, &folded, None);
        assert_eq!(found.differences.len(), 2, "{:?}", found.differences);
        assert!(found.differences[1].starts_with("bar of component-2"), "{:?}", found.differences);
        stored.touched.components.insert(API);
        let found = compare(&stored, &folded, None);
        assert_eq!((found.differences.len(), found.n_incidents, found.n_days, found.left_out.len()), (0, 0, 0, 1));
    }

    #[test]
    fn what_lies_before_the_oldest_delivery_is_left_out() {
        let (stored, mut folded) = fold();
        folded.incidents.clear();
        folded.days.clear();
        let since = NOW.plus(Span::mins(1));
        assert_eq!(compare(&stored, &folded, None).differences.len(), 3, "two bars, and the incidents of one moment");
        let found = compare(&stored, &folded, Some(since));
        assert_eq!((found.differences.len(), found.left_out.len()), (0, 1));
    }

    #[test]
    fn samples_are_compared_where_a_delivery_gave_them() {
        let sample = |at, value| Sample { at: Timestamp(at), value };
        let mut found = Comparison::default();
        let mut folded: BTreeMap<Timestamp, f64> = [(Timestamp(1), 0.1), (Timestamp(2), 2.0), (Timestamp(4), 4.0)].into();
        found.take_samples(MetricId(1), &[sample(1, 0.1), sample(2, 2.5), sample(3, 3.0)], &mut folded);
        found.miss_samples(MetricId(1), &folded);
        let found = found.end();
        assert_eq!((found.n_samples, found.differences.len()), (2, 2), "{:?}", found.differences);
        assert!(found.left_out[0].starts_with("1 samples"), "{:?}", found.left_out);
    }
}
