//! Facts that come late: trouble that was over before it was heard of corrects the past, and is news for nobody.
//!
//! A delivery that is taken up long after it arrived (out of quarantine, say) decides nothing at once: what it says fires waits a moment for its
//! end, which often comes right behind it. If the end comes, the thing never counts now; it counted then. If none comes, it goes on, and
//! counts from now on as if it had been heard of now.

use super::{EVALUATOR, Planner, wording};
use crate::{
    ALERT_MEMORY, Cause, Change, ComponentId, Incident, IncidentId, IncidentStatus, IncidentUpdate, MAX_COOL_OFF, PastSpan, Publish, Route,
    Span, Status, Timestamp, UpdateId, Why,
};

/// How long after its arrival a delivery is taken up late.
const LATE: Span = Span::mins(1);
/// How long what it says fires waits for its end.
pub(super) const GRACE: Span = Span::mins(2);

/// A stretch in which readers saw something milder.
type Piece = PastSpan;

impl Planner<'_> {
    /// Whether a delivery is taken up long after it arrived.
    pub(super) fn is_late(&self, arrived: Timestamp) -> bool {
        self.now.since(arrived) >= LATE
    }

    /// Corrects the past by a thing that fired from `began` to `ended` and never counted.
    pub(super) fn correct_past(&mut self, cause: &Cause, began: Timestamp, ended: Timestamp, why: &Why) {
        let Some(route) = self.state.routes.get(&cause.route) else { return };
        let since = began.plus(route.hold).max(Timestamp(self.now.0.saturating_sub(ALERT_MEMORY.0)));
        let until = ended.plus(route.keep_firing_for).min(self.now);
        if since >= until || began.plus(route.hold) > ended {
            return;
        }
        let (publishes, components) = (route.publish == Publish::Auto, route.components.clone());
        let span = PastSpan { since, until, status: cause.status };
        let why = Why { text: format!("{}; it was over before it was heard of", why.text), route: Some(cause.route), ..why.clone() };
        let mut unseen: Vec<(ComponentId, Piece)> = Vec::new();
        for component in components {
            // What the other sources of a component said then is not remembered.
            let decides = publishes && self.combined(&[component]).next().is_none();
            let pieces = if decides { self.pieces(component, span) } else { Vec::new() };
            unseen.extend(pieces.iter().filter(|piece| !piece.status.is_fault()).map(|piece| (component, *piece)));
            self.emit(Change::Past { component, span, pieces }, &why);
        }
        if cause.status.is_fault() {
            self.add_incident(cause, &unseen, &why);
        }
    }

    /// Where readers saw something milder than `span` says, and what. A maintenance stays one, and what goes on now is told already.
    fn pieces(&self, component: ComponentId, span: PastSpan) -> Vec<Piece> {
        let Some(now) = self.state.components.get(&component) else { return Vec::new() };
        let runs = (now.status != Status::Operational).then_some(PastSpan {
            since: now.status_since,
            until: Timestamp(i64::MAX),
            status: Status::MajorOutage,
        });
        let known = self.state.past.within(component, span.since, span.until).chain(runs.filter(|runs| runs.since < span.until));
        let (mut pieces, mut at) = (Vec::new(), span.since.max(now.created_at));
        for seen in known {
            if at < seen.since {
                pieces.push(Piece { since: at, until: seen.since, status: Status::Operational });
            }
            let (since, until) = (at.max(seen.since), seen.until.min(span.until));
            if since < until && seen.status < span.status && seen.status != Status::UnderMaintenance {
                pieces.push(Piece { since, until, status: seen.status });
            }
            at = at.max(until);
        }
        if at < span.until {
            pieces.push(Piece { since: at, until: span.until, status: Status::Operational });
        }
        pieces
    }

    /// Adds an incident that is over, or extends one that was added a moment ago. Nobody is notified.
    fn add_incident(&mut self, cause: &Cause, unseen: &[(ComponentId, Piece)], why: &Why) {
        let since = unseen.iter().map(|(_, piece)| piece.since).min();
        let until = unseen.iter().map(|(_, piece)| piece.until).max();
        let (Some(since), Some(until)) = (since, until) else { return };
        let mut ids: Vec<ComponentId> = unseen.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        let statuses = ids.iter().map(|id| (*id, cause.status));
        let Some(route) = self.state.routes.get(&cause.route) else { return };
        if let Some(before) = self.added_about_the_same(cause, route, &ids, since, until) {
            let (started_at, resolved_at) = (before.started_at.min(since), before.resolved_at.max(Some(until)));
            let incident = Incident { started_at, resolved_at, updated_at: self.now, ..self.worsened(before, statuses) };
            return self.emit(Change::Incident { incident, update: None }, why);
        }
        let names = self.names(&ids);
        let (title, _) = wording::opened(route, cause.status, None, &names);
        let components = statuses.collect();
        let incident = Incident {
            id: IncidentId(self.fresh_id()),
            title,
            status: IncidentStatus::Resolved,
            impact: self.impact(&components),
            published: true,
            publishes_at: None,
            vetoed: false,
            opened_by: Some(cause.route),
            scoped: true,
            components,
            started_at: since,
            resolved_at: Some(until),
            updated_at: self.now,
            added_at: Some(self.now),
        };
        let update = IncidentUpdate {
            id: UpdateId(self.fresh_id()),
            incident: incident.id,
            status: incident.status,
            body: wording::added(&names, cause.status),
            components: Vec::new(),
            at: self.now,
            by: EVALUATOR.to_owned(),
            edited_at: None,
        };
        self.emit(Change::Incident { incident, update: Some(update) }, why);
    }

    fn added_about_the_same(
        &self,
        cause: &Cause,
        route: &Route,
        ids: &[ComponentId],
        since: Timestamp,
        until: Timestamp,
    ) -> Option<Incident> {
        let is_near = |incident: &Incident| {
            let ended = incident.resolved_at.unwrap_or(self.now);
            incident.started_at <= until.plus(route.cool_off) && since <= ended.plus(route.cool_off)
        };
        let is_fresh = |incident: &Incident| incident.added_at.is_some_and(|at| self.now.since(at) < MAX_COOL_OFF) && incident.published;
        let mut incidents = self.state.incidents.values().rev();
        incidents.find(|one| is_fresh(one) && is_near(one) && self.is_about_the_same(one, cause, ids)).cloned()
    }
}
