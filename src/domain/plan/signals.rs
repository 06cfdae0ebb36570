//! What one signal changes: the newest about its thing, and how far it comes on each route.

use super::{Planner, flaps::FLAPPING_FINGERPRINT, incidents::Ending, mutes, past};
use crate::{
    Alert, AlertKey, Cause, Change, DeliveryId, ENDLESS_EXPIRY, Expression, IntegrationId, Phase, RouteId, Sample, Signal, SignalState,
    Span, Timestamp, Why, to_value,
};

impl Planner<'_> {
    pub(super) fn signal(&mut self, integration: IntegrationId, delivery: DeliveryId, signal: &Signal, arrived: Timestamp) {
        let routes = self.state.routes_of.get(&integration).cloned().unwrap_or_default();
        let matched = self.matching(&routes, signal);
        self.sample(integration, &matched, signal, delivery);
        if signal.state == SignalState::Sample {
            return;
        }
        if signal.fingerprint == FLAPPING_FINGERPRINT {
            return self.refuse_ours(integration, delivery, &signal.fingerprint);
        }
        if signal.whole_group && signal.state == SignalState::Resolved {
            self.resolve_group(integration, delivery, signal, arrived);
        }
        self.alert(&Heard { integration, delivery, arrived, signal, routes: &routes, matched: &matched });
    }

    /// The routes whose condition holds; that a source cannot be read concerns them all. A condition that fails is taken as not holding: it was checked when it was saved.
    fn matching(&self, routes: &[RouteId], signal: &Signal) -> Vec<RouteId> {
        if routes.is_empty() {
            return Vec::new();
        }
        if signal.is_unreadable() {
            return routes.to_vec();
        }
        let context = context(signal);
        let holds = |id: &&RouteId| self.state.routes.get(id).is_some_and(|route| route.condition.is_true(&context).unwrap_or(false));
        routes.iter().filter(holds).copied().collect()
    }

    fn sample(&mut self, integration: IntegrationId, matched: &[RouteId], signal: &Signal, delivery: DeliveryId) {
        for id in matched {
            let Some(route) = self.state.routes.get(id) else { continue };
            let Some(metric) = route.metric else { continue };
            let Some(value) = value_of(route.value.as_ref(), signal).filter(|value| value.is_finite()) else { continue };
            let why = Why {
                text: format!("Route {} took the value of {}", route.label, signal.subject),
                delivery: Some(delivery),
                integration: Some(integration),
                fingerprint: Some(signal.fingerprint.clone()),
                route: Some(*id),
                actor: None,
            };
            self.emit(Change::Sample { metric, sample: Sample { at: signal.occurred_at, value } }, &why);
        }
    }

    /// The sender said that all of a group is over without naming its members. What the same delivery did name is not meant.
    fn resolve_group(&mut self, integration: IntegrationId, delivery: DeliveryId, signal: &Signal, arrived: Timestamp) {
        if signal.group.is_none() {
            return;
        }
        let mut members: Vec<String> = (self.state.alerts.iter())
            .filter(|((of, _), alert)| {
                *of == integration && alert.firing && alert.group == signal.group && alert.delivery != Some(delivery)
            })
            .map(|((_, fingerprint), _)| fingerprint.clone())
            .collect();
        members.sort();
        for fingerprint in members {
            let member = Signal { fingerprint, whole_group: false, ..signal.clone() };
            self.alert(&Heard { integration, delivery, arrived, signal: &member, routes: &[], matched: &[] });
        }
    }

    fn alert(&mut self, heard: &Heard<'_>) {
        let Heard { integration, delivery, signal, .. } = *heard;
        let key = (integration, signal.fingerprint.clone());
        let why = Why {
            text: format!("{} is {}", signal.subject, signal.state),
            delivery: Some(delivery),
            integration: Some(integration),
            fingerprint: Some(signal.fingerprint.clone()),
            route: None,
            actor: None,
        };
        let before = self.state.alerts.get(&key);
        if before.is_some_and(|before| signal.occurred_at < before.occurred_at) {
            return; // Late: something newer was said already.
        }
        if before.is_none() && self.is_too_old(heard.arrived) {
            return self.refuse_old(&key, &signal.subject, &why);
        }
        let firing = signal.state == SignalState::Firing;
        let began = before.filter(|before| before.firing && self.is_late(heard.arrived)).map(|before| before.occurred_at);
        let since = before.filter(|before| before.firing == firing).map_or(self.now, |before| before.since);
        let alert = Alert {
            firing,
            severity: signal.severity,
            group: signal.group.clone(),
            occurred_at: signal.occurred_at,
            since,
            seen_at: self.now,
            delivery: Some(delivery),
        };
        self.emit(Change::Alert { integration, alert, signal: Box::new(signal.clone()) }, &why);
        if firing {
            self.fire(heard, &why);
        } else {
            self.resolve(&key, signal, began, &why);
        }
    }

    fn fire(&mut self, heard: &Heard<'_>, why: &Why) {
        let signal = heard.signal;
        for id in heard.routes {
            match self.step(heard, *id) {
                Step::Nothing => {}
                Step::End(cause, label) => {
                    let text = format!("{} ({}) no longer concerns route {label}", signal.subject, signal.severity);
                    self.end(cause, Ending::Resolved, &Why { text, route: Some(*id), ..why.clone() });
                }
                Step::Set { cause, .. } if !self.has_room(&cause, &signal.subject, why) => {}
                Step::Set { cause, moved, label } => {
                    let verb = if cause.phase == Phase::Pending { "waits on" } else { "fires on" };
                    let text = format!(
                        "{} ({}) {verb} route {label}: {}{}",
                        signal.subject,
                        signal.severity,
                        cause.status.words(),
                        mutes::remark(&cause)
                    );
                    let why = Why { text, route: Some(*id), ..why.clone() };
                    self.emit(Change::CauseSet { cause: cause.clone(), moved }, &why);
                    if moved && cause.counts() {
                        self.reconcile(&cause, &why);
                    }
                }
            }
        }
    }

    /// What a firing signal means on one route. Most are repeats, for which nothing is copied.
    fn step(&self, heard: &Heard<'_>, id: RouteId) -> Step {
        let Heard { integration, delivery, signal, matched, .. } = *heard;
        let Some(route) = self.state.routes.get(&id) else { return Step::Nothing };
        let status = route.status_of(signal).filter(|_| matched.contains(&id));
        let before = self.state.causes.get(&(integration, signal.fingerprint.clone(), id));
        let Some(status) = status else {
            return before.map_or(Step::Nothing, |cause| Step::End(cause.clone(), route.label.clone()));
        };
        let expiry = if route.expire_after == Span::ZERO && signal.endless { ENDLESS_EXPIRY } else { route.expire_after };
        let expires_at = (expiry.0 > 0).then(|| self.now.plus(expiry));
        if before.is_some_and(|cause| (cause.status, cause.expires_at) == (status, expires_at) && cause.phase != Phase::Keeping) {
            return Step::Nothing; // Heard of again, and nothing moves.
        }
        // Whoever says that a source cannot be read has waited already.
        let hold = if self.is_late(heard.arrived) { route.hold.max(past::GRACE) } else { route.hold };
        let held = hold.0 > 0 && !signal.is_unreadable();
        let new = || Cause {
            integration,
            fingerprint: signal.fingerprint.clone(),
            route: id,
            status,
            phase: if held { Phase::Pending } else { Phase::Active },
            since: self.now,
            due_at: held.then(|| self.now.plus(hold)),
            expires_at,
            incident: None,
            muted_up_to: None,
            delivery: Some(delivery),
            summary: cut(&signal.summary),
        };
        let mut cause = before.cloned().unwrap_or_else(new);
        let fires_again = cause.phase == Phase::Keeping;
        if fires_again {
            (cause.phase, cause.since, cause.due_at) = (Phase::Active, self.now, None);
        }
        if cause.muted_up_to.is_some_and(|seen| fires_again || status > seen) {
            (cause.incident, cause.muted_up_to) = (None, None);
        }
        (cause.status, cause.expires_at) = (status, expires_at);
        let moved = before.is_none_or(|before| (before.status, before.phase) != (cause.status, cause.phase));
        if moved {
            (cause.delivery, cause.summary) = (Some(delivery), cut(&signal.summary));
        }
        Step::Set { cause, moved, label: route.label.clone() }
    }

    /// `began` is when it began to fire, if its end is taken up late.
    fn resolve(&mut self, key: &AlertKey, signal: &Signal, began: Option<Timestamp>, why: &Why) {
        let causes: Vec<Cause> = self.state.causes_of(key).cloned().collect();
        for cause in causes {
            let keep = self.state.routes.get(&cause.route).map_or(crate::Span::ZERO, |route| route.keep_firing_for);
            let why = Why { text: format!("{} is resolved", signal.subject), route: Some(cause.route), ..why.clone() };
            if cause.phase == Phase::Active && keep.0 > 0 {
                let due_at = Some(self.now.plus(keep));
                let kept = Cause { phase: Phase::Keeping, since: self.now, due_at, expires_at: None, ..cause };
                self.emit(Change::CauseSet { cause: kept, moved: true }, &why);
            } else if cause.phase != Phase::Keeping {
                self.end(cause.clone(), Ending::Resolved, &why);
                if let Some(began) = began.filter(|_| cause.phase == Phase::Pending) {
                    self.correct_past(&cause, began, signal.occurred_at, &why);
                }
            }
        }
    }
}

/// A signal, and the routes that take it up.
#[derive(Clone, Copy)]
struct Heard<'a> {
    integration: IntegrationId,
    delivery: DeliveryId,
    arrived: Timestamp,
    signal: &'a Signal,
    /// All routes of the integration.
    routes: &'a [RouteId],
    /// Those whose condition holds.
    matched: &'a [RouteId],
}

/// What a firing signal means on one route, with the route's label where it is to be named.
enum Step {
    Nothing,
    End(Cause, String),
    Set { cause: Cause, moved: bool, label: String },
}

pub(super) fn value_of(expression: Option<&Expression>, signal: &Signal) -> Option<f64> {
    match expression {
        None => signal.value,
        Some(expression) => {
            let value = expression.value(&context(signal)).ok()?;
            f64::try_from(value.clone()).ok().or_else(|| value.as_str()?.trim().parse().ok())
        }
    }
}

/// What expressions see.
pub(super) fn context(signal: &Signal) -> minijinja::Value {
    minijinja::context! { signal => to_value(signal) }
}

fn cut(summary: &str) -> String {
    const MAX_SUMMARY_CHARS: usize = 300;
    summary.chars().take(MAX_SUMMARY_CHARS).collect()
}
