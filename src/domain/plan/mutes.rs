//! What a person's end of an incident means for what still fires.
//!
//! **The rule.** Who resolves or deletes an incident while things that belong to it still fire has seen them and says that they are no
//! trouble for readers. They are muted: they count for no status that readers see, and open or reopen no incident, until they
//! resolve and fire again, or until they get worse than they were. To reopen the incident by hand takes this back. Nothing is hidden from the
//! team: what signals say of the component goes on counting them, the history says why, and the answer to the person names them.

use super::Planner;
use crate::{Cause, Change, IncidentId, Why};

impl Planner<'_> {
    /// Mutes what still counts in an incident that a person ends; returns how many things that are.
    pub(super) fn mute(&mut self, id: IncidentId, by: &str, verb: &str) -> usize {
        let causes: Vec<Cause> = self.causes_in(id).cloned().collect();
        for cause in &causes {
            let text = format!(
                "{by} {verb} incident #{id} while {} still fires on route {}: muted until it resolves and fires again, or gets worse",
                cause.fingerprint,
                self.label(cause)
            );
            let muted_up_to = cause.muted_up_to.max(Some(cause.status));
            self.emit(Change::CauseSet { cause: Cause { muted_up_to, ..cause.clone() }, moved: true }, &why_of(cause, by, text));
        }
        let mut things: Vec<_> = causes.iter().map(Cause::alert_key).collect();
        things.dedup(); // In the order of their keys, so the same stand together.
        things.len()
    }

    /// Lets what was muted with an incident count again: a person reopens it.
    pub(super) fn unmute(&mut self, id: IncidentId, by: &str) {
        let muted: Vec<Cause> = self.causes_in(id).filter(|cause| cause.is_muted()).cloned().collect();
        for cause in muted {
            let text = format!("{by} reopened incident #{id}: {} counts again", cause.fingerprint);
            let why = why_of(&cause, by, text);
            self.emit(Change::CauseSet { cause: Cause { muted_up_to: None, ..cause }, moved: true }, &why);
        }
    }

    /// What counts and belongs to an incident, muted or not.
    pub(super) fn causes_in(&self, id: IncidentId) -> impl Iterator<Item = &Cause> {
        self.state.causes.values().filter(move |cause| cause.counts() && cause.incident == Some(id))
    }

    fn label(&self, cause: &Cause) -> &str {
        self.state.routes.get(&cause.route).map_or("", |route| route.label.as_str())
    }
}

/// Ends the sentence that says what a signal means on a route, where that is muted.
pub(super) fn remark(cause: &Cause) -> String {
    match (cause.is_muted(), cause.incident) {
        (true, Some(id)) => format!(" (muted since a person ended incident #{id})"),
        _ => String::new(),
    }
}

/// How a person who has just ended an incident is told of what still fires: `2 alerts still fire: cpu, disk. …`
#[must_use]
pub fn still_firing(muted: &[Cause]) -> Option<String> {
    const SHOWN: usize = 5;
    let mut names: Vec<&str> = muted.iter().filter(|cause| cause.is_muted()).map(name).collect();
    names.sort_unstable();
    names.dedup();
    let n = names.len();
    let list = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let (subject, verb, more) = (if n == 1 { "alert" } else { "alerts" }, if n == 1 { "fires" } else { "fire" }, n.saturating_sub(SHOWN));
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (n > 0).then(|| {
        format!("{n} {subject} still {verb}: {list}{more}. Muted for readers until they resolve and fire again, or get worse; reopening the incident takes that back.")
    })
}

/// What people call a cause.
fn name(cause: &Cause) -> &str {
    if cause.summary.is_empty() { &cause.fingerprint } else { &cause.summary }
}

fn why_of(cause: &Cause, by: &str, text: String) -> Why {
    Why {
        text,
        delivery: cause.delivery,
        integration: Some(cause.integration),
        fingerprint: Some(cause.fingerprint.clone()),
        route: Some(cause.route),
        actor: Some(by.to_owned()),
    }
}
