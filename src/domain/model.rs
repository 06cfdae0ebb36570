//! The things themselves, as they are stored and shown.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Brand, Image, Impact, Occurrence, Span, Status, Timestamp, UnknownName, status::named};

/// Declares an integer id that cannot be mixed up with another.
macro_rules! id {
    ($($(#[$meta:meta])* $name:ident;)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(pub i64);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }
        )+
    };
}

id! {
    /// A configured provider.
    IntegrationId;
    /// One request received.
    DeliveryId;
    /// A way from signals to components.
    RouteId;
    /// A thing the page shows.
    ComponentId;
    /// A heading over components.
    GroupId;
    /// An incident.
    IncidentId;
    /// One entry of an incident's timeline.
    UpdateId;
    /// A planned window.
    MaintenanceId;
    /// Planned windows that come back.
    SeriesId;
    /// A series of numbers.
    MetricId;
    /// An address that wants to know.
    SubscriberId;
    /// What is owed to one subscriber.
    NotificationId;
    /// What happened, as told to subscribers.
    NoticeId;
    /// What incidents may begin with.
    TemplateId;
    /// What somebody wrote about an incident and may take back. One that opens an incident has the incident's number.
    WaitingActId;
    /// A recorded transition.
    ChangeId;
    /// An API token.
    TokenId;
    /// A person who signs in.
    UserId;
    /// A stay of a person, from signing in to signing out.
    SessionId;
}

/// A heading on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name in configuration files.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// The group it stands in.
    pub parent: Option<GroupId>,
    /// Order on the page, smallest first.
    pub position: i32,
}

/// A person's word that outranks what signals say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// What the person says.
    pub status: Status,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who said it.
    pub by: String,
}

/// A thing the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// Its name in configuration files.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// One or two sentences for readers.
    pub description: String,
    /// The group it stands in.
    pub group: Option<GroupId>,
    /// Order within its group, smallest first.
    pub position: i32,
    /// Whether readers may not see it.
    pub hidden: bool,
    /// What the page says.
    pub status: Status,
    /// Since when the page says so.
    pub status_since: Timestamp,
    /// What all signals together say, published or not.
    pub internal_status: Status,
    /// A person's word.
    pub overridden: Option<Override>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// Something is wrong; the cause is not known.
    #[default]
    Investigating,
    /// The cause is known.
    Identified,
    /// Mended, and watched.
    Monitoring,
    /// Over.
    Resolved,
    /// Over, and written up.
    Postmortem,
}

named!(IncidentStatus {
    Investigating = "investigating",
    Identified = "identified",
    Monitoring = "monitoring",
    Resolved = "resolved",
    Postmortem = "postmortem",
});

impl IncidentStatus {
    /// Whether it is over.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Postmortem)
    }
}

/// An incident without its timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Its title on the page.
    pub title: String,
    /// Where it stands.
    pub status: IncidentStatus,
    /// How bad it is at its worst.
    pub impact: Impact,
    /// False while it is a draft that only the team sees.
    pub published: bool,
    /// When a draft publishes itself. Kept when it is over before that, for whoever wants to know what would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishes_at: Option<Timestamp>,
    /// Whether a person has said that it is not to publish itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vetoed: bool,
    /// The route that opened it; `None` if a person did.
    pub opened_by: Option<RouteId>,
    /// Whether it is about components, if only about some that are gone; false if its author said that it is about none in particular.
    #[serde(default)]
    pub scoped: bool,
    /// The worst status each component had in it.
    pub components: BTreeMap<ComponentId, Status>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was added, if it had been over by then: nobody was told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_at: Option<Timestamp>,
}

impl Incident {
    /// When it ended, or was added afterwards; `None` while it is open.
    #[must_use]
    pub fn last_news(&self) -> Option<Timestamp> {
        self.resolved_at.map(|at| at.max(self.added_at.unwrap_or(at)))
    }
}

/// One entry of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentUpdate {
    /// Its id.
    pub id: UpdateId,
    /// The incident it belongs to.
    pub incident: IncidentId,
    /// Where the incident stood from then on.
    pub status: IncidentStatus,
    /// Markdown, as written.
    pub body: String,
    /// What changed for components with it.
    pub components: Vec<StatusChange>,
    /// When.
    pub at: Timestamp,
    /// Who wrote it: a person's or token's name, or `fanal` for the evaluator.
    pub by: String,
    /// When it was written anew, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
}

/// A component going from one status to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// Which.
    pub component: ComponentId,
    /// Before.
    pub from: Status,
    /// After.
    pub to: Status,
}

/// Where a maintenance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceStatus {
    /// Announced.
    Scheduled,
    /// Going on.
    InProgress,
    /// Over.
    Completed,
    /// Called off before it began.
    Cancelled,
}

named!(MaintenanceStatus { Scheduled = "scheduled", InProgress = "in_progress", Completed = "completed", Cancelled = "cancelled" });

/// A planned window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its id.
    pub id: MaintenanceId,
    /// Its title on the page.
    pub title: String,
    /// Markdown: what is done, and what readers will notice.
    pub body: String,
    /// Where it stands.
    pub status: MaintenanceStatus,
    /// When it is planned to begin.
    pub starts_at: Timestamp,
    /// When it is planned to end.
    pub ends_at: Timestamp,
    /// Whether it is about components, if only about some that are gone; false if its author said that it is about none in particular.
    #[serde(default)]
    pub scoped: bool,
    /// What is under maintenance meanwhile.
    pub components: Vec<ComponentId>,
    /// The series that it belongs to, and its place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<Occurrence>,
    /// When subscribers will be told that it is planned; `None` once they have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announce_at: Option<Timestamp>,
    /// When it was announced.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A series of numbers shown on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Its id.
    pub id: MetricId,
    /// Its name in configuration files.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// The unit printed behind numbers, e.g. `ms`.
    pub unit: String,
    /// Order on the page, smallest first.
    pub position: i32,
}

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// How much, in the metric's unit.
    pub value: f64,
}

/// How the page presents itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSettings {
    /// The company or product.
    pub name: String,
    /// IANA name of the zone in which days begin and times are shown.
    pub time_zone: String,
    /// A sentence below the name; may be empty.
    #[serde(default)]
    pub description: String,
    /// Where readers find help; may be empty.
    #[serde(default)]
    pub support_url: String,
    /// How it looks.
    #[serde(default)]
    pub brand: Brand,
}

/// The minutes of trouble of one component on one day. A day without trouble has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Days since 1970-01-01 in the page's time zone.
    pub day: i32,
    /// Time under maintenance.
    pub under_maintenance: Span,
    /// Time with unknown status.
    pub unknown: Span,
    /// Time degraded.
    pub degraded_performance: Span,
    /// Time in partial outage.
    pub partial_outage: Span,
    /// Time in major outage.
    pub major_outage: Span,
}

impl Day {
    /// The worst status of the day.
    #[must_use]
    pub fn worst(&self) -> Status {
        [
            (self.major_outage, Status::MajorOutage),
            (self.partial_outage, Status::PartialOutage),
            (self.degraded_performance, Status::DegradedPerformance),
            (self.unknown, Status::Unknown),
            (self.under_maintenance, Status::UnderMaintenance),
        ]
        .into_iter()
        .find(|(span, _)| span.0 > 0)
        .map_or(Status::Operational, |(_, status)| status)
    }

    /// Adds `span` to the time spent in `status`.
    pub fn add(&mut self, status: Status, span: Span) {
        let field = match status {
            Status::Operational => return,
            Status::UnderMaintenance => &mut self.under_maintenance,
            Status::Unknown => &mut self.unknown,
            Status::DegradedPerformance => &mut self.degraded_performance,
            Status::PartialOutage => &mut self.partial_outage,
            Status::MajorOutage => &mut self.major_outage,
        };
        field.0 += span.0;
    }
}

/// Everything a reader of the page may see, at one version. Only the visible: whoever loads it applies the one predicate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    /// Grows with every change.
    pub version: i64,
    /// Up to when it is counted: at most a little before it was loaded.
    pub as_of: Timestamp,
    /// When the newest change was made.
    pub updated_at: Timestamp,
    /// Name and looks.
    pub settings: PageSettings,
    /// Headings, in page order.
    pub groups: Vec<Group>,
    /// Components, in page order.
    pub components: Vec<PageComponent>,
    /// Open incidents, those of the last [`BAR_DAYS`] days, and always the newest of all time that fill the first page of the history,
    /// newest first.
    pub incidents: Vec<PageIncident>,
    /// Running, coming, and past ones as for incidents, by start.
    pub maintenances: Vec<Maintenance>,
    /// Series with their last 24 hours of samples.
    pub metrics: Vec<PageMetric>,
    /// What the brand shows.
    pub images: Vec<Image>,
}

/// How many past days the front page lists incidents of.
pub const PAST_DAYS: i64 = 15;
/// How many days the bars show.
pub const BAR_DAYS: i32 = 90;
/// How many incidents and maintenances one page of the history lists.
pub const HISTORY_PAGE: usize = 50;

/// One page of the history: what is over, newest first. Only the visible, as in [`PageData`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageHistory {
    /// Incidents, by start, newest first.
    pub incidents: Vec<PageIncident>,
    /// Completed maintenances, by start, newest first.
    pub maintenances: Vec<Maintenance>,
    /// Whether there are older ones.
    pub older: bool,
}

/// A component with its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageComponent {
    /// The component. `internal_status` and `overridden` are not for readers.
    pub component: Component,
    /// Days with trouble among the last [`BAR_DAYS`], oldest first, the running status counted up to `as_of`.
    pub days: Vec<Day>,
    /// Where its trouble comes from, as far as readers may know.
    #[serde(default)]
    pub caused_by: Vec<ComponentId>,
}

/// An incident with its timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageIncident {
    /// The incident.
    pub incident: Incident,
    /// Newest first.
    pub updates: Vec<IncidentUpdate>,
}

/// A metric with what its chart shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageMetric {
    /// The metric.
    pub metric: Metric,
    /// Samples, oldest first, thinned to at most 300.
    pub samples: Vec<Sample>,
}
