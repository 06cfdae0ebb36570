//! Trials: what a route makes of a signal, without anything changing.

use super::{signals, wording};
use crate::{ExpressionError, Route, Signal, SignalState, Status, render_template, to_value};

/// What a route makes of one signal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Whether its condition holds.
    pub matches: bool,
    /// What a firing signal means for its components; `None` if nothing, or if nothing fires.
    pub status: Option<Status>,
    /// What its metric gets.
    pub value: Option<f64>,
    /// The title of an incident that it opens, if it opens one.
    pub title: Option<String>,
    /// What failed for this signal, each with the name of the route's field.
    pub errors: Vec<(&'static str, ExpressionError)>,
}

/// Tries a route on a signal; `components` are the names of what it speaks about, without those that readers may not see.
#[must_use]
pub fn try_route(route: &Route, signal: &Signal, components: &[&str]) -> Trial {
    let components = wording::in_a_sentence(components);
    let mut trial = Trial::default();
    let context = signals::context(signal);
    match route.condition.is_true(&context) {
        Ok(holds) => trial.matches = holds || signal.is_unreadable(),
        Err(error) => trial.errors.push(("when", error)),
    }
    if !trial.matches {
        return trial;
    }
    if route.metric.is_some() {
        trial.value = signals::value_of(route.value.as_ref(), signal).filter(|value| value.is_finite());
        let failed = route.value.as_ref().and_then(|value| value.value(&context).err());
        trial.errors.extend(failed.map(|error| ("metric.value", error)));
    }
    if signal.state != SignalState::Firing {
        return trial;
    }
    trial.status = route.status_of(signal);
    if let Some(status) = trial.status {
        trial.title = Some(wording::opened(route, status, Some(signal), &components).0);
        let context = minijinja::context! { signal => to_value(signal), components => components, status => status.words() };
        for (field, template) in [("title", &route.title), ("body", &route.body)] {
            let failed = template.as_deref().and_then(|template| render_template(template, &context).err());
            trial.errors.extend(failed.map(|error| (field, error)));
        }
    }
    trial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ComponentId, IntegrationId, MetricId, RouteId, RouteSpec, Severity, Timestamp};

    fn route(spec: &RouteSpec) -> Route {
        let metric = spec.metric.as_ref().map(|_| MetricId(1));
        Route::compile(RouteId(1), IntegrationId(1), "test[0]".to_owned(), spec, vec![ComponentId(1)], metric).unwrap()
    }

    fn signal(state: SignalState, severity: Severity) -> Signal {
        let mut signal = Signal::new("f", state, "api", Timestamp(0));
        signal.severity = severity;
        signal.labels.insert("service".to_owned(), "api".to_owned());
        signal
    }

    #[test]
    fn a_route_says_whether_it_matches_and_what_that_means() {
        let route = route(&RouteSpec { when: r#"signal.labels.service == "api""#.to_owned(), ..RouteSpec::default() });
        let trial = try_route(&route, &signal(SignalState::Firing, Severity::Critical), &["API"]);
        assert_eq!((trial.matches, trial.status, trial.title.as_deref()), (true, Some(Status::MajorOutage), Some("Problem with API")));
        let over = try_route(&route, &signal(SignalState::Resolved, Severity::Critical), &["API"]);
        assert_eq!((over.matches, over.status), (true, None));
        let other = Signal { labels: Default::default(), ..signal(SignalState::Firing, Severity::Critical) };
        assert_eq!(try_route(&route, &other, &["API"]), Trial::default());
    }

    #[test]
    fn what_fails_is_named_with_its_field() {
        let failing = route(&RouteSpec { when: "signal.subject|int > 1".to_owned(), ..RouteSpec::default() });
        let trial = try_route(&failing, &signal(SignalState::Firing, Severity::Critical), &["API"]);
        assert_eq!((trial.matches, trial.errors.len(), trial.errors[0].0), (false, 1, "when"));
        let titled = route(&RouteSpec { title: Some("{{ signal.subject|int }}".to_owned()), ..RouteSpec::default() });
        let trial = try_route(&titled, &signal(SignalState::Firing, Severity::Critical), &["API"]);
        assert_eq!((trial.title.as_deref(), trial.errors[0].0), (Some("Problem with API"), "title"));
    }
}
