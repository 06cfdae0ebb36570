//! What is forgotten, and what is not taken in: the state stays as small as its limits say.
//!
//! Forgetting depends on nothing but the state and its clock, so a replay and a state that was read back forget the same at the same time.

use super::Planner;
use crate::{
    ALERT_MEMORY, AlertKey, Cause, Change, DeliveryId, IntegrationId, MAX_HELD_ALERTS, MAX_IDLE_ALERTS, Recorded, State, Timestamp, Why,
};

/// Forgets what no route holds and nobody has spoken of for [`ALERT_MEMORY`] at `now`, each thing at its time.
pub(super) fn forget(state: &mut State, now: Timestamp, out: &mut Vec<Recorded>) {
    for (due, key) in state.alerts.due(now) {
        let mut planner = Planner::new(state, due);
        planner.forget_alert(key, "Not heard of for so long that nothing is remembered of it");
        out.append(&mut planner.out);
    }
}

impl Planner<'_> {
    /// Keeps what is remembered of an integration within [`MAX_IDLE_ALERTS`].
    pub(super) fn make_room(&mut self, integration: IntegrationId) {
        while let Some(key) = self.state.alerts.surplus(integration) {
            self.forget_alert(key, &format!("No route holds it, and {MAX_IDLE_ALERTS} others were heard of since"));
        }
    }

    fn forget_alert(&mut self, (integration, fingerprint): AlertKey, text: &str) {
        let why = Why { text: text.to_owned(), integration: Some(integration), fingerprint: Some(fingerprint.clone()), ..Why::default() };
        self.emit(Change::AlertForgotten { integration, fingerprint }, &why);
    }

    /// Whether news that arrived then may be older than something that was forgotten: a delivery of long ago, looked at again.
    pub(super) fn is_too_old(&self, arrived: Timestamp) -> bool {
        self.now.since(arrived) >= ALERT_MEMORY
    }

    pub(super) fn refuse_old(&mut self, key: &AlertKey, subject: &str, why: &Why) {
        let text = format!("{subject}: the delivery arrived so long ago that something newer may have been said since, and forgotten");
        self.refuse(key, text, why);
    }

    /// Tells whether one more cause may be taken up; records the reason if not.
    pub(super) fn has_room(&mut self, cause: &Cause, subject: &str, why: &Why) -> bool {
        let key = cause.alert_key();
        // That the source cannot be read is one thing more, and outweighs the others.
        let has_room = cause.is_unreadable() || self.state.causes.contains_key(&cause.key()) || self.state.alerts.has_room(&key);
        if !has_room {
            let text = format!("{subject}: {MAX_HELD_ALERTS} things of this integration fire already, and no more are taken up");
            self.refuse(&key, text, &Why { route: Some(cause.route), ..why.clone() });
        }
        has_room
    }

    /// Nobody else may speak of what is only in the state.
    pub(super) fn refuse_ours(&mut self, integration: IntegrationId, delivery: DeliveryId, fingerprint: &str) {
        let why =
            Why { delivery: Some(delivery), integration: Some(integration), fingerprint: Some(fingerprint.to_owned()), ..Why::default() };
        self.refuse(&(integration, fingerprint.to_owned()), format!("{fingerprint} is a name that only Fanal uses"), &why);
    }

    fn refuse(&mut self, key: &AlertKey, text: String, why: &Why) {
        let change = Change::Refused { integration: key.0, fingerprint: key.1.clone() };
        self.emit(change, &Why { text, ..why.clone() });
    }
}
