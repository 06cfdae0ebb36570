//! What one signal changes: the newest about its thing, and how far it comes on each route.

use super::Planner;
use crate::{
    Alert, Cause, Change, DeliveryId, Expression, IntegrationId, Phase, RouteId, Sample, Signal, SignalState, Status, Timestamp, Why,
    to_value,
};

impl Planner<'_> {
    pub(super) fn signal(&mut self, integration: IntegrationId, delivery: DeliveryId, signal: &Signal) {
        let routes = self.state.routes_of.get(&integration).cloned().unwrap_or_default();
        let matched = self.matching(&routes, signal);
        self.sample(&matched, signal, delivery);
        if signal.state == SignalState::Sample {
            return;
        }
        if signal.whole_group && signal.state == SignalState::Resolved {
            self.resolve_group(integration, delivery, signal);
        }
        self.alert(integration, delivery, signal, &routes, &matched);
    }

    /// The routes whose condition holds. A condition that fails is taken as not holding: it was checked when it was saved.
    fn matching(&self, routes: &[RouteId], signal: &Signal) -> Vec<RouteId> {
        if routes.is_empty() {
            return Vec::new();
        }
        let context = context(signal);
        let holds = |id: &&RouteId| self.state.routes.get(id).is_some_and(|route| route.condition.is_true(&context).unwrap_or(false));
        routes.iter().filter(holds).copied().collect()
    }

    fn sample(&mut self, matched: &[RouteId], signal: &Signal, delivery: DeliveryId) {
        for id in matched {
            let Some(route) = self.state.routes.get(id) else { continue };
            let Some(metric) = route.metric else { continue };
            let Some(value) = value_of(route.value.as_ref(), signal).filter(|value| value.is_finite()) else { continue };
            let why = Why {
                text: format!("Route {} took the value of {}", route.label, signal.subject),
                delivery: Some(delivery),
                route: Some(*id),
                ..Why::default()
            };
            self.emit(Change::Sample { metric, sample: Sample { at: signal.occurred_at, value } }, &why);
        }
    }

    /// The sender said that all of a group is over without naming its members.
    fn resolve_group(&mut self, integration: IntegrationId, delivery: DeliveryId, signal: &Signal) {
        let mut members: Vec<String> = (self.state.alerts.iter())
            .filter(|((of, fingerprint), alert)| {
                *of == integration && alert.firing && alert.group == signal.group && *fingerprint != signal.fingerprint
            })
            .map(|((_, fingerprint), _)| fingerprint.clone())
            .collect();
        members.sort();
        for fingerprint in members {
            let member = Signal { fingerprint, whole_group: false, ..signal.clone() };
            self.alert(integration, delivery, &member, &[], &[]);
        }
    }

    fn alert(&mut self, integration: IntegrationId, delivery: DeliveryId, signal: &Signal, routes: &[RouteId], matched: &[RouteId]) {
        let key = (integration, signal.fingerprint.clone());
        let before = self.state.alerts.get(&key);
        if before.is_some_and(|before| signal.occurred_at < before.occurred_at) {
            return; // Late: something newer was said already.
        }
        let firing = signal.state == SignalState::Firing;
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
        let why = Why {
            text: String::new(),
            delivery: Some(delivery),
            integration: Some(integration),
            fingerprint: Some(signal.fingerprint.clone()),
            route: None,
            actor: None,
        };
        self.emit(Change::Alert { integration, alert, signal: Box::new(signal.clone()) }, &why);
        if firing {
            self.fire(integration, delivery, signal, routes, matched, &why);
        } else {
            self.resolve(integration, signal, &why);
        }
    }

    fn fire(
        &mut self,
        integration: IntegrationId,
        delivery: DeliveryId,
        signal: &Signal,
        routes: &[RouteId],
        matched: &[RouteId],
        why: &Why,
    ) {
        for id in routes {
            let Some(route) = self.state.routes.get(id) else { continue };
            let (label, hold, expire_after) = (route.label.clone(), route.hold, route.expire_after);
            let status = if matched.contains(id) { route.status.status(signal.severity) } else { None };
            let key = (integration, signal.fingerprint.clone(), *id);
            let before = self.state.causes.get(&key).cloned();
            let Some(status) = status.filter(|status| *status != Status::Operational) else {
                if let Some(cause) = before {
                    self.end(cause, &Why { text: format!("{} no longer matches route {label}", signal.subject), ..why.clone() });
                }
                continue;
            };
            let expires_at = (expire_after.0 > 0).then(|| self.now.plus(expire_after));
            let cause = match &before {
                Some(before) => Cause { expires_at, ..continued(before, status, self.now, delivery) },
                None => Cause {
                    integration,
                    fingerprint: signal.fingerprint.clone(),
                    route: *id,
                    status,
                    phase: if hold.0 > 0 { Phase::Pending } else { Phase::Active },
                    since: self.now,
                    due_at: (hold.0 > 0).then(|| self.now.plus(hold)),
                    expires_at,
                    incident: None,
                    delivery: Some(delivery),
                    summary: cut(&signal.summary),
                },
            };
            if before.as_ref() == Some(&cause) {
                continue; // Heard of again, and nothing moves.
            }
            let moved = before.as_ref().is_none_or(|before| before.status != cause.status || before.phase != cause.phase);
            let verb = if cause.phase == Phase::Pending { "waits on" } else { "fires on" };
            let text = format!("{} ({}) {verb} route {label}: {}", signal.subject, signal.severity, status.words());
            let why = Why { text, route: Some(*id), ..why.clone() };
            self.emit(Change::CauseSet { cause: cause.clone(), moved }, &why);
            if moved && cause.counts() {
                self.reconcile(&cause, Some(signal), &why);
            }
        }
    }

    fn resolve(&mut self, integration: IntegrationId, signal: &Signal, why: &Why) {
        let first = (integration, signal.fingerprint.clone(), RouteId(i64::MIN));
        let last = (integration, signal.fingerprint.clone(), RouteId(i64::MAX));
        let causes: Vec<Cause> = self.state.causes.range(first..=last).map(|(_, cause)| cause.clone()).collect();
        for cause in causes {
            let keep = self.state.routes.get(&cause.route).map_or(crate::Span::ZERO, |route| route.keep_firing_for);
            let why = Why { text: format!("{} is resolved", signal.subject), route: Some(cause.route), ..why.clone() };
            if cause.phase == Phase::Active && keep.0 > 0 {
                let due_at = Some(self.now.plus(keep));
                let kept = Cause { phase: Phase::Keeping, since: self.now, due_at, expires_at: None, ..cause };
                self.emit(Change::CauseSet { cause: kept, moved: true }, &why);
            } else if cause.phase != Phase::Keeping {
                self.end(cause, &why);
            }
        }
    }

    /// Ends a cause and works out what follows.
    pub(super) fn end(&mut self, cause: Cause, why: &Why) {
        self.emit(Change::CauseEnded { cause: cause.clone() }, why);
        if cause.counts() {
            self.reconcile(&cause, None, why);
        }
    }
}

fn continued(before: &Cause, status: Status, now: Timestamp, delivery: DeliveryId) -> Cause {
    let mut cause = Cause { status, ..before.clone() };
    if before.phase == Phase::Keeping {
        cause = Cause { phase: Phase::Active, since: now, due_at: None, ..cause };
    }
    if cause.phase != before.phase || cause.status != before.status {
        cause.delivery = Some(delivery);
    }
    cause
}

fn value_of(expression: Option<&Expression>, signal: &Signal) -> Option<f64> {
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
