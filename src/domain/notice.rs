//! Notices: what happened, as told to subscribers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Component, ComponentId, Incident, IncidentUpdate, Maintenance, NoticeId, NotificationId, PageSettings, StatusChange, SubscriberId,
    Timestamp, UnknownName, status::named,
};

/// A way to reach a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Mail.
    Email,
    /// Signed HTTP POST.
    Webhook,
}

named!(Channel { Email = "email", Webhook = "webhook" });

/// What a notice is about. The names are the `type` of a webhook's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NoticeKind {
    /// An incident was published.
    #[serde(rename = "incident.opened")]
    IncidentOpened,
    /// An incident got an update.
    #[serde(rename = "incident.updated")]
    IncidentUpdated,
    /// An incident is over.
    #[serde(rename = "incident.resolved")]
    IncidentResolved,
    /// A resolved incident came back.
    #[serde(rename = "incident.reopened")]
    IncidentReopened,
    /// A component's published status changed. Sent to webhooks only: people get the incident instead.
    #[serde(rename = "component.status_changed")]
    ComponentStatusChanged,
    /// A maintenance was announced.
    #[serde(rename = "maintenance.scheduled")]
    MaintenanceScheduled,
    /// A maintenance began.
    #[serde(rename = "maintenance.started")]
    MaintenanceStarted,
    /// A maintenance is over.
    #[serde(rename = "maintenance.completed")]
    MaintenanceCompleted,
    /// An announced maintenance was called off.
    #[serde(rename = "maintenance.cancelled")]
    MaintenanceCancelled,
    /// An endpoint was switched off after failing too long; told to the owner.
    #[serde(rename = "endpoint.disabled")]
    EndpointDisabled,
    /// An incident publishes itself unless somebody vetoes it; told to the owner.
    #[serde(rename = "publication.pending")]
    PublicationPending,
}

named!(NoticeKind {
    IncidentOpened = "incident.opened",
    IncidentUpdated = "incident.updated",
    IncidentResolved = "incident.resolved",
    IncidentReopened = "incident.reopened",
    ComponentStatusChanged = "component.status_changed",
    MaintenanceScheduled = "maintenance.scheduled",
    MaintenanceStarted = "maintenance.started",
    MaintenanceCompleted = "maintenance.completed",
    MaintenanceCancelled = "maintenance.cancelled",
    EndpointDisabled = "endpoint.disabled",
    PublicationPending = "publication.pending",
});

impl NoticeKind {
    /// Whether it goes to people as well as to machines.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        !matches!(self, Self::ComponentStatusChanged)
    }

    /// Whether only the owner is told.
    #[must_use]
    pub const fn is_for_owner(self) -> bool {
        matches!(self, Self::EndpointDisabled | Self::PublicationPending)
    }
}

/// The facts of a notice, as they were when it happened. Nothing is looked up later, so a late delivery still says what was true then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
// Tagged from outside: a tag inside would be buffered by serde, and integer keys of maps do not survive that.
#[serde(rename_all = "snake_case")]
pub enum NoticeAbout {
    /// An entry of an incident's timeline.
    Incident {
        /// The incident after the update.
        incident: Incident,
        /// The update.
        update: IncidentUpdate,
    },
    /// A component's status.
    Component {
        /// What changed.
        change: StatusChange,
    },
    /// A maintenance.
    Maintenance {
        /// The maintenance after the change.
        maintenance: Maintenance,
    },
    /// An endpoint that was switched off.
    Endpoint {
        /// Its address.
        address: String,
        /// Why.
        reason: String,
    },
    /// An incident that publishes itself.
    Publication {
        /// As readers would see it, with the time at which they will.
        incident: Incident,
        /// Its first text, as it would be now.
        body: String,
    },
}

/// What happened, as told to subscribers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// What it is about.
    pub kind: NoticeKind,
    /// When it happened.
    pub at: Timestamp,
    /// The facts.
    pub about: NoticeAbout,
    /// Every component named in `about`, as it was then.
    pub components: BTreeMap<ComponentId, Component>,
}

impl Notice {
    /// A component that it names, if readers may see it.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> Option<&Component> {
        self.components.get(&id).filter(|component| component.is_visible())
    }
}

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Its id.
    pub subscriber: SubscriberId,
    /// How.
    pub channel: Channel,
    /// A mail address or a URL.
    pub address: String,
    /// Part of the link that manages or ends the subscription.
    pub manage_token: String,
}

/// One notification, claimed and ready to be tried.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Its id; the same for every try.
    pub notification: NotificationId,
    /// Counts tries, from 1.
    pub attempt: u16,
    /// What to tell.
    pub notice: Notice,
    /// Whom to tell.
    pub recipient: Recipient,
    /// The page it is about.
    pub page: PageSettings,
    /// The notification about the same incident or maintenance that this subscriber got first: mail threads on it.
    pub thread: Option<NotificationId>,
    /// What lets its reader decide on a publication.
    pub decision: Option<Decision>,
}

/// Parts of the links by which the owner decides on one publication, each good for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Keeps it from being published.
    pub veto: String,
    /// Publishes it now.
    pub publish: String,
}

/// How a try to deliver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side took it.
    Delivered {
        /// What it answered, in few words.
        detail: String,
    },
    /// It may work later.
    Transient {
        /// What went wrong.
        why: String,
        /// The other side asked to wait this many seconds.
        retry_after_secs: Option<u32>,
    },
    /// It never will, for this notification.
    Permanent {
        /// What went wrong.
        why: String,
    },
    /// It never will, for any notification: the endpoint asks not to be called again, or the address does not exist.
    Gone {
        /// What the other side said.
        why: String,
    },
}
