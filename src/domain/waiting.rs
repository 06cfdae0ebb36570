//! What a person says about an incident and may still take back, because it waits for a while before anything leaves.

use serde::{Deserialize, Serialize};

use crate::{IncidentEdit, IncidentId, IncidentStatus, Span, Timestamp, UnknownName, WaitingActId, status::named};

/// The longest that an act may wait.
pub const MAX_WAIT: Span = Span::secs(60);
/// The most acts that wait at the same time.
pub const MAX_WAITING_ACTS: usize = 100;

/// What has become of an act that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitState {
    /// It waits: nothing of it has left.
    Waiting,
    /// It has left, and is in force.
    Left,
    /// It was taken back: nothing of it ever leaves.
    TakenBack,
    /// When its time came it did not fit any more.
    Refused,
}

named!(WaitState { Waiting = "waiting", Left = "left", TakenBack = "taken_back", Refused = "refused" });

/// An act about an incident that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingAct {
    /// Its id.
    pub id: WaitingActId,
    /// The incident: the one that it opens has its number from the beginning.
    pub incident: IncidentId,
    /// Whether it opens the incident.
    pub opens: bool,
    /// What is said.
    pub edit: IncidentEdit,
    /// Where the incident stood when it was said.
    pub stood_at: Option<IncidentStatus>,
    /// Who said it.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// When it leaves.
    pub leaves_at: Timestamp,
    /// What has become of it.
    pub state: WaitState,
    /// Why it was refused, or taken back where nobody did that by hand.
    pub reason: Option<String>,
}
