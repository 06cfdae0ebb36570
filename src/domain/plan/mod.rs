//! The one place where it is decided what changes.
//!
//! Pure: `now` is an argument, ids come from the state, and everything goes through [`State::apply`].

mod acts;
mod backtest;
mod entries;
mod flaps;
mod holds;
mod incidents;
mod maintenances;
mod memory;
mod mutes;
mod past;
mod places;
mod postmortems;
mod reconfigured;
mod series;
mod signals;
mod sources;
mod statuses;
mod timers;
mod trial;
mod upstreams;
mod waits;
mod wording;

#[cfg(test)]
mod tests;

pub use acts::{Act, ActError, IncidentEdit, MAX_BODY_CHARS, MAX_TITLE_CHARS, MaintenanceEdit};
pub use backtest::{BackTest, Findings, StatusSpan};
pub use flaps::{FLAPPING_FINGERPRINT, Swing};
pub use mutes::still_firing;
pub use trial::{Trial, try_route};
pub use wording::opening_words;
pub(crate) use wording::{in_a_sentence, without_control_characters};

use std::collections::BTreeSet;

use crate::{
    Change, Component, ComponentId, DeliveryId, IncidentId, IntegrationId, Notice, NoticeAbout, NoticeId, NoticeKind, Recorded, Signal,
    Span, State, Timestamp, Why,
};

/// The longest cool-off a route may have, and so how long a resolved incident is remembered for reopening.
pub const MAX_COOL_OFF: Span = Span(24 * 3_600_000);
/// Who wrote what the evaluator writes.
pub const EVALUATOR: &str = "fanal";

/// Decides what one signal changes. [`plan_timers`] comes first: what was due before the signal came is decided without it.
pub fn plan_signal(state: &mut State, integration: IntegrationId, delivery: DeliveryId, signal: &Signal, now: Timestamp) -> Vec<Recorded> {
    let mut planner = Planner::new(state, now);
    planner.signal(integration, delivery, signal, now);
    planner.make_room(integration);
    planner.out
}

/// Decides what has become due by `now`, each thing at the time at which it was due, and forgets what is too old to matter.
pub fn plan_timers(state: &mut State, now: Timestamp) -> Vec<Recorded> {
    let mut out = Vec::new();
    loop {
        let due = state.next_timer().filter(|due| *due <= now);
        memory::forget(state, due.unwrap_or(now), &mut out);
        let Some(due) = due else { return out };
        let mut planner = Planner::new(state, due);
        planner.timers();
        out.append(&mut planner.out);
    }
}

/// Decides what a person's act changes.
///
/// # Errors
/// The act does not fit the state; nothing has changed then.
pub fn plan_act(state: &mut State, by: &str, act: Act, now: Timestamp) -> Result<Vec<Recorded>, ActError> {
    let mut planner = Planner::new(state, now);
    planner.act(by, act)?;
    Ok(planner.out)
}

/// Works out what follows from new routes and components, after they were put into the state.
pub fn plan_reconfigured(state: &mut State, by: &str, now: Timestamp) -> Vec<Recorded> {
    let mut planner = Planner::new(state, now);
    let why = Why { text: format!("{by} changed the configuration"), actor: Some(by.to_owned()), ..Why::default() };
    planner.reconfigured(&why);
    planner.out
}

struct Planner<'s> {
    state: &'s mut State,
    now: Timestamp,
    out: Vec<Recorded>,
    /// What is written once the statuses are known.
    entries: Vec<entries::Entry>,
    /// See [`entries::Joined`].
    joined: Vec<entries::Joined>,
    /// Incidents that a cause has left for another.
    left: BTreeSet<IncidentId>,
}

impl<'s> Planner<'s> {
    /// The evaluator's clock never goes back: what comes late is decided at the newest time there has been.
    fn new(state: &'s mut State, now: Timestamp) -> Self {
        state.clock = state.clock.max(now);
        Self { now: state.clock, state, out: Vec::new(), entries: Vec::new(), joined: Vec::new(), left: BTreeSet::new() }
    }

    fn emit(&mut self, change: Change, why: &Why) {
        self.state.apply(&change);
        self.out.push(Recorded { change, why: why.clone(), at: self.now });
    }

    fn fresh_id(&mut self) -> i64 {
        let id = self.state.next_id;
        self.state.next_id += 1;
        id
    }

    /// Owes a notice to subscribers, with the components it names as they are now.
    fn notify(&mut self, kind: NoticeKind, about: NoticeAbout, named: impl IntoIterator<Item = ComponentId>, why: &Why) {
        let components = named.into_iter().filter_map(|id| self.visible(id).map(|component| (id, component.clone()))).collect();
        let notice = Notice { id: NoticeId(self.fresh_id()), kind, at: self.now, about, components };
        self.emit(Change::Notice(Box::new(notice)), why);
    }

    fn visible(&self, id: ComponentId) -> Option<&Component> {
        self.state.components.get(&id).filter(|component| component.is_visible())
    }

    fn shows(&self, id: ComponentId) -> bool {
        self.visible(id).is_some()
    }

    /// The names of components as they stand in a sentence: `API, Payments and 3 more`.
    fn names(&self, ids: &[ComponentId]) -> String {
        let names: Vec<&str> = ids.iter().filter_map(|id| self.visible(*id)).map(|component| component.name.as_str()).collect();
        wording::in_a_sentence(&names)
    }
}
