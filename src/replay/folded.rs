//! What folding all stored deliveries again gives: the state, and what left it on the way.

use std::collections::BTreeMap;

use domain::{
    Change, ComponentId, Day, Incident, IncidentId, IncidentUpdate, MetricId, Recorded, Signal, State, Status, Timestamp, plan_timers,
};
use jobs::evaluator;
use storage::{changes, deliveries::Delivery};

/// A state that is being folded again.
pub(super) struct Folded {
    pub(super) state: State,
    pub(super) n_deliveries: usize,
    /// Every incident there was, as it was last, with the entries of its timeline.
    pub(super) incidents: BTreeMap<IncidentId, (Vec<IncidentUpdate>, Incident)>,
    pub(super) days: BTreeMap<(ComponentId, i32), Day>,
    samples: BTreeMap<MetricId, BTreeMap<Timestamp, f64>>,
}

impl Folded {
    /// Begins with what is configured and nothing else.
    pub(super) fn new(mut state: State) -> Self {
        forget(&mut state);
        Self { state, n_deliveries: 0, incidents: BTreeMap::new(), days: BTreeMap::new(), samples: BTreeMap::new() }
    }

    /// Lets what was due happen until the time at which a delivery was looked at.
    pub(super) fn pass(&mut self, at: Timestamp) {
        self.pass_quietly(at);
        self.state.clock = self.state.clock.max(at);
    }

    /// Lets what was due happen.
    pub(super) fn pass_quietly(&mut self, at: Timestamp) {
        let recorded = plan_timers(&mut self.state, at);
        self.note(recorded);
    }

    /// Takes in what a delivery says.
    pub(super) fn take(&mut self, delivery: &Delivery, signals: &[Signal]) {
        self.n_deliveries += 1;
        let mut recorded = Vec::new();
        evaluator::fold(&mut self.state, delivery.integration, delivery.id, signals, delivery.received_at, &mut recorded);
        self.note(recorded);
    }

    /// The samples that deliveries gave, by metric.
    pub(super) fn samples(&self) -> impl Iterator<Item = (MetricId, &BTreeMap<Timestamp, f64>)> {
        self.samples.iter().map(|(metric, samples)| (*metric, samples))
    }

    fn note(&mut self, recorded: Vec<Recorded>) {
        for ((component, day), counted) in changes::days_of(&self.state, &recorded) {
            let known = self.days.entry((component, day)).or_insert(Day { day, ..Day::default() });
            for (status, span) in [
                (Status::UnderMaintenance, counted.under_maintenance),
                (Status::Unknown, counted.unknown),
                (Status::DegradedPerformance, counted.degraded_performance),
                (Status::PartialOutage, counted.partial_outage),
                (Status::MajorOutage, counted.major_outage),
            ] {
                known.add(status, span);
            }
        }
        for Recorded { change, .. } in recorded {
            match change {
                Change::Incident { incident, update } => self.note_incident(incident, update),
                Change::EntryRemoved { incident, update } => {
                    if let Some((updates, _)) = self.incidents.get_mut(&incident) {
                        updates.retain(|known| known.id != update);
                    }
                }
                Change::IncidentDeleted { incident } => {
                    self.incidents.remove(&incident);
                }
                Change::Sample { metric, sample } => {
                    self.samples.entry(metric).or_default().insert(sample.at, sample.value);
                }
                _ => {}
            }
        }
    }

    fn note_incident(&mut self, incident: Incident, update: Option<IncidentUpdate>) {
        let (updates, known) = self.incidents.entry(incident.id).or_insert_with(|| (Vec::new(), incident.clone()));
        *known = incident;
        updates.retain(|known| update.as_ref().is_none_or(|update| update.id != known.id));
        updates.extend(update);
    }
}

fn forget(state: &mut State) {
    state.alerts = domain::Alerts::default();
    state.signals.clear();
    state.causes.clear();
    state.swings.clear();
    state.incidents.clear();
    state.waiting.clear();
    state.dependencies.forget_quiet();
    state.past.clear();
    state.clock = Timestamp(0);
    for component in state.components.values_mut() {
        component.status = Status::Operational;
        component.internal_status = Status::Operational;
    }
}
