//! Changes: every transition there is, and why it happened.

use serde::{Deserialize, Serialize};

use crate::{
    Alert, Cause, ComponentId, DeliveryId, Incident, IncidentId, IncidentUpdate, IntegrationId, Maintenance, MaintenanceId, MetricId,
    Notice, Override, PastSpan, RouteId, Sample, SeriesId, Signal, Status, Swing, Timestamp, UpdateId, WaitingAct,
};

/// One transition of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Something new was said about a thing. Kept as the newest, not as history: the delivery is the history.
    Alert {
        /// Who said it.
        integration: IntegrationId,
        /// What follows from it.
        alert: Alert,
        /// What was said.
        signal: Box<Signal>,
    },
    /// A thing that was not heard of for too long no longer fires.
    AlertExpired {
        /// Who spoke of it.
        integration: IntegrationId,
        /// Its name.
        fingerprint: String,
        /// What follows from it.
        alert: Alert,
    },
    /// A thing that no route holds was not heard of for so long, or is one of so many, that nothing is remembered of it.
    AlertForgotten {
        /// Who spoke of it.
        integration: IntegrationId,
        /// Its name.
        fingerprint: String,
    },
    /// A signal, or what it means on a route, was not taken in, for the reason that is recorded with it. Changes nothing.
    Refused {
        /// Who said it.
        integration: IntegrationId,
        /// About what.
        fingerprint: String,
    },
    /// An alert was taken up by a route, or went on.
    CauseSet {
        /// After the change.
        cause: Cause,
        /// False if nothing happened but that it was heard of again.
        moved: bool,
    },
    /// An alert no longer counts for a route.
    CauseEnded {
        /// As it was last.
        cause: Cause,
    },
    /// What a route says has changed, and its policy counts that.
    Swings {
        /// Which.
        route: RouteId,
        /// The latest changes that are remembered, oldest first.
        swings: Vec<Swing>,
    },
    /// A metric got a value.
    Sample {
        /// Which.
        metric: MetricId,
        /// The value.
        sample: Sample,
    },
    /// A component's status changed, for readers, for the team, or both.
    ComponentStatus {
        /// Which.
        component: ComponentId,
        /// What readers saw.
        from: Status,
        /// What readers see.
        to: Status,
        /// What signals said.
        internal_from: Status,
        /// What signals say.
        internal_to: Status,
        /// Since when readers had seen `from`.
        since: Timestamp,
        /// When it changed.
        at: Timestamp,
    },
    /// A person's word was given or taken back.
    Override {
        /// About which component.
        component: ComponentId,
        /// The word.
        overridden: Option<Override>,
    },
    /// The silence of a component goes on for a while after the trouble of what it depends on, or ends.
    Quiet {
        /// Which is silent.
        component: ComponentId,
        /// What it depends on.
        upstream: ComponentId,
        /// Until when; `None` if it ends.
        until: Option<Timestamp>,
    },
    /// It was heard that a component had been in trouble, after that was over.
    Past {
        /// Which.
        component: ComponentId,
        /// When, and how bad.
        span: PastSpan,
        /// The parts of it in which readers saw something milder, and what. They see it differently from now on.
        pieces: Vec<PastSpan>,
    },
    /// An incident was opened or changed.
    Incident {
        /// After the change.
        incident: Incident,
        /// The entry its timeline got, or that was written anew.
        update: Option<IncidentUpdate>,
    },
    /// An entry was taken from an incident's timeline.
    EntryRemoved {
        /// The incident.
        incident: IncidentId,
        /// The entry.
        update: UpdateId,
    },
    /// An incident was removed, with its timeline.
    IncidentDeleted {
        /// Which.
        incident: IncidentId,
    },
    /// What a person said about an incident waits, or does no more.
    Waiting {
        /// After the change.
        act: WaitingAct,
    },
    /// A maintenance was planned or changed.
    Maintenance {
        /// After the change.
        maintenance: Maintenance,
    },
    /// A maintenance that nobody was told of is not planned any more.
    MaintenanceRemoved {
        /// Which.
        maintenance: MaintenanceId,
    },
    /// The windows of a series were made for a while.
    SeriesLaid {
        /// Which.
        series: SeriesId,
        /// When more are to be made.
        lay_at: Option<Timestamp>,
    },
    /// Subscribers are to be told.
    Notice(Box<Notice>),
}

/// Why a change happened: the chain from a delivery to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// One sentence for people.
    pub text: String,
    /// The delivery it goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    /// The integration that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// The thing it spoke of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The route that took it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteId>,
    /// The person or token that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// A change with its reason and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What changed.
    pub change: Change,
    /// Why.
    pub why: Why,
    /// When it was decided.
    pub at: Timestamp,
}
