//! Routes: from signals to components.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{
    ComponentId, Expression, ExpressionError, IntegrationId, MetricId, Policy, RouteId, RouteSpec, Severity, Signal, Span, Status,
    Timestamp, UnknownName, status::named,
};

/// What may happen by itself when a route takes up a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publish {
    /// Nothing that anyone but the team sees, and no incident: to try a route out.
    Shadow,
    /// An incident that a person publishes.
    #[default]
    Draft,
    /// The component's status and an incident, at once.
    Auto,
}

named!(Publish { Shadow = "shadow", Draft = "draft", Auto = "auto" });

/// Which status a severity gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusMap {
    /// Severities that were named.
    #[serde(flatten)]
    pub named: BTreeMap<Severity, Status>,
    /// For those that were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Status>,
}

impl Default for StatusMap {
    fn default() -> Self {
        let named = [
            (Severity::Critical, Status::MajorOutage),
            (Severity::Error, Status::PartialOutage),
            (Severity::Warning, Status::DegradedPerformance),
            (Severity::Info, Status::Operational),
            (Severity::Unknown, Status::Unknown),
        ];
        Self { named: named.into_iter().collect(), default: None }
    }
}

impl StatusMap {
    /// The status for `severity`; `None` if the route does not care about it.
    ///
    /// A severity we do not know makes the component unknown unless the map says otherwise: it is never taken for health.
    #[must_use]
    pub fn status(&self, severity: Severity) -> Option<Status> {
        self.named.get(&severity).copied().or(self.default).or((severity == Severity::Unknown).then_some(Status::Unknown))
    }
}

/// A way from the signals of one integration to components or a metric.
#[derive(Debug)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// Whose signals it takes.
    pub integration: IntegrationId,
    /// How people call it: `prod-alerts[0]`.
    pub label: String,
    /// Which signals it takes.
    pub condition: Expression,
    /// What they mean.
    pub status: StatusMap,
    /// What they are about.
    pub components: Vec<ComponentId>,
    /// How long a signal must fire before it counts.
    pub hold: Span,
    /// How long it still counts after it was resolved.
    pub keep_firing_for: Span,
    /// After how long without being heard of a firing signal is given up; zero for never.
    pub expire_after: Span,
    /// How long after its end an incident is reopened instead of a new one opened.
    pub cool_off: Span,
    /// What may happen by itself.
    pub publish: Publish,
    /// What else decides that.
    pub policy: Policy,
    /// Template of an incident's title.
    pub title: Option<String>,
    /// Template of an incident's first update.
    pub body: Option<String>,
    /// The metric that gets the signals' values.
    pub metric: Option<MetricId>,
    /// The value, if it is not `signal.value`.
    pub value: Option<Expression>,
}

impl Route {
    /// A route as somebody wants it, ready to be folded on. `components` and `metric` are what its keys refer to.
    ///
    /// # Errors
    /// An expression does not compile.
    pub fn compile(
        id: RouteId,
        integration: IntegrationId,
        label: String,
        spec: &RouteSpec,
        components: Vec<ComponentId>,
        metric: Option<MetricId>,
    ) -> Result<Self, ExpressionError> {
        Ok(Self {
            id,
            integration,
            label,
            condition: Expression::compile(&spec.when)?,
            status: spec.status.clone(),
            components,
            hold: spec.hold,
            keep_firing_for: spec.keep_firing_for,
            expire_after: spec.expire_after,
            cool_off: spec.cool_off,
            publish: spec.publish,
            policy: spec.policy.clone(),
            title: spec.title.clone(),
            body: spec.body.clone(),
            metric,
            value: spec.metric.as_ref().map(|feed| Expression::compile(&feed.value)).transpose()?,
        })
    }

    /// When an incident that it opens at `now` publishes itself, if it does so and not at once.
    #[must_use]
    pub fn held_until(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.policy.held_until(now, zone).filter(|_| self.publish == Publish::Auto)
    }

    /// What a firing signal that it takes means for its components; `None` if nothing: health is nothing to remember.
    #[must_use]
    pub fn status_of(&self, signal: &Signal) -> Option<Status> {
        let of_severity = || self.status.status(signal.severity).filter(|_| self.policy.counts(signal.severity));
        let status = if signal.is_unreadable() { Some(Status::Unknown) } else { of_severity() };
        status.filter(|status| !self.components.is_empty() && *status != Status::Operational)
    }
}
