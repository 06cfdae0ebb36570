//! Scenarios: what is said and done in a small world, and what readers and subscribers then see.
//!
//! After every step the world checks what must always hold: the state is the fold of its changes, and no notice gives away what is hidden.

mod acts;
mod causes;
mod combined;
mod dependencies;
mod flaps;
mod holds;
mod incidents;
mod late;
mod maintenance;
mod memory;
mod mutes;
mod notices;
mod polls;
mod postmortems;
mod properties;
mod reconfigured;
mod series;
mod signals;
mod timers;
mod visibility;
mod waits;
mod world;

use std::collections::BTreeMap;

use super::{Act, ActError, IncidentEdit, MaintenanceEdit, plan_act, plan_reconfigured, plan_signal, plan_timers};
use crate::{
    Change, Component, ComponentId, DeliveryId, Expression, Impact, Incident, IncidentId, IncidentStatus, IntegrationId, Maintenance,
    MaintenanceId, MaintenanceStatus, MetricId, Notice, NoticeAbout, Override, Phase, Policy, Publish, Recorded, Route, RouteId, Sample,
    Severity, Signal, SignalState, Span, State, Status, StatusMap, Timestamp,
};
use Severity::{Critical, Error, Info, Warning};
use Status::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};
use world::World;

const API: ComponentId = ComponentId(1);
const WEB: ComponentId = ComponentId(2);
const DB: ComponentId = ComponentId(3);
/// Hidden from readers.
const VAULT: ComponentId = ComponentId(4);

const ALERTS: IntegrationId = IntegrationId(1);
const CI: IntegrationId = IntegrationId(2);

/// An event time that means "at the time of delivery".
const NOW: Timestamp = Timestamp(i64::MIN);

fn signal(what: &str, state: SignalState, severity: Severity) -> Signal {
    Signal { severity, summary: format!("{what}: an internal matter"), ..Signal::new(what, state, what, NOW) }
}

fn firing(what: &str, severity: Severity) -> Signal {
    signal(what, SignalState::Firing, severity)
}

fn resolved(what: &str) -> Signal {
    signal(what, SignalState::Resolved, Severity::Unknown)
}

/// A route of `ALERTS` that takes every signal and publishes by itself at once.
fn auto(components: &[ComponentId]) -> Route {
    Route {
        id: RouteId(0),
        integration: ALERTS,
        label: String::new(),
        condition: when("true"),
        status: StatusMap::default(),
        components: components.to_vec(),
        hold: Span::ZERO,
        keep_firing_for: Span::ZERO,
        expire_after: Span::ZERO,
        cool_off: Span::mins(10),
        publish: Publish::Auto,
        policy: Policy::default(),
        title: None,
        body: None,
        metric: None,
        value: None,
    }
}

fn draft(components: &[ComponentId]) -> Route {
    Route { publish: Publish::Draft, ..auto(components) }
}

fn shadow(components: &[ComponentId]) -> Route {
    Route { publish: Publish::Shadow, ..auto(components) }
}

fn when(source: &str) -> Expression {
    Expression::compile(source).unwrap()
}

fn component(id: ComponentId, name: &str, hidden: bool) -> Component {
    Component {
        id,
        key: name.to_lowercase(),
        name: name.to_owned(),
        description: String::new(),
        group: None,
        position: 0,
        hidden,
        status: Operational,
        status_since: Timestamp(0),
        internal_status: Operational,
        overridden: None,
        created_at: Timestamp(0),
    }
}

fn edit() -> IncidentEdit {
    IncidentEdit::default()
}

fn publish(incident: IncidentId) -> Act {
    Act::UpdateIncident { incident, edit: IncidentEdit { published: Some(true), ..edit() } }
}

fn resolve(incident: IncidentId) -> Act {
    move_to(incident, IncidentStatus::Resolved)
}

fn move_to(incident: IncidentId, status: IncidentStatus) -> Act {
    Act::UpdateIncident { incident, edit: IncidentEdit { status: Some(status), ..edit() } }
}

/// A person's incident: "Login is slow", with these components.
fn open(components: impl IntoIterator<Item = (ComponentId, Status)>) -> Act {
    Act::OpenIncident(IncidentEdit {
        title: Some("Login is slow".to_owned()),
        body: Some("We are looking into it.".to_owned()),
        components: Some(components.into_iter().collect()),
        ..edit()
    })
}

fn set(component: ComponentId, status: Status, until: Option<Timestamp>) -> Act {
    Act::Override { component, overridden: Some(Override { status, until, by: String::new() }) }
}

fn unset(component: ComponentId) -> Act {
    Act::Override { component, overridden: None }
}
