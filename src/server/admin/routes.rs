//! Routes of integrations, as they are written and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    DEFAULT_CONDITION, DEFAULT_COOL_OFF, DEFAULT_VALUE, Expression, ExpressionError, MAX_COMPONENTS, MAX_COOL_OFF, MAX_ROUTES, MetricFeed,
    Publish, RouteSpec, SIGNAL_FIELDS, Severity, Signal, SignalState, Span, Status, StatusMap, TEMPLATE_NAMES, Timestamp, render_template,
    template_names, to_value,
};
use poem_openapi::Object;

use super::{
    fields::Fields,
    policies::{self, FlappingBody, HoursBody, PolicyBody},
    types::{Length, Name},
};

/// What its expressions may read.
const EXPRESSION_NAMES: [&str; 1] = ["signal"];

/// From signals to components, a metric, or both.
#[derive(Object)]
#[oai(rename = "Route")]
pub(super) struct RouteBody {
    /// Which signals it takes: an expression over `signal`. Every signal if it is left out.
    when: Option<String>,
    /// The keys of the components they speak about.
    components: Option<Vec<String>>,
    /// What a severity means for the components.
    status: Option<StatusBody>,
    /// How long a signal must fire before it counts.
    #[oai(rename = "for")]
    hold: Option<Length>,
    /// How long it counts on after it was resolved.
    keep_firing_for: Option<Length>,
    /// After how long without news it counts no more; `0s` for never, or a day for what its sender never ends.
    expire_after: Option<Length>,
    /// How long after its end an incident is reopened instead of a new one opened.
    cool_off: Option<Length>,
    /// What may happen by itself: `draft` if it is left out.
    publish: Option<Name<Publish>>,
    /// How long an incident is held, so that somebody can veto it, before it publishes itself; at most `1d`.
    publish_after: Option<Length>,
    /// When it may publish by itself; null for at all times. What comes at another time is held until then.
    #[oai(nullable)]
    publish_hours: Option<HoursBody>,
    /// Signals that are less severe do not count; null for none. What is unknown always counts.
    #[oai(nullable)]
    minimum_severity: Option<Name<Severity>>,
    /// When its word is taken for flapping; null for never.
    #[oai(nullable)]
    flapping: Option<FlappingBody>,
    /// A template for the incident's title; null for the usual one.
    #[oai(nullable)]
    title: Option<String>,
    /// A template for the first text of its timeline; null for the usual one.
    #[oai(nullable)]
    body: Option<String>,
    /// The metric that gets the signals' values.
    #[oai(nullable)]
    metric: Option<FeedBody>,
}

/// Which status a severity gives. One that is left out gives what `default` says, and without that nothing.
#[derive(Object)]
#[oai(rename = "StatusMap")]
struct StatusBody {
    #[oai(skip_serializing_if_is_none)]
    critical: Option<Name<Status>>,
    #[oai(skip_serializing_if_is_none)]
    error: Option<Name<Status>>,
    #[oai(skip_serializing_if_is_none)]
    warning: Option<Name<Status>>,
    #[oai(skip_serializing_if_is_none)]
    info: Option<Name<Status>>,
    #[oai(skip_serializing_if_is_none)]
    unknown: Option<Name<Status>>,
    #[oai(skip_serializing_if_is_none)]
    default: Option<Name<Status>>,
}

/// Where a route's numbers go.
#[derive(Object)]
#[oai(rename = "MetricFeed")]
struct FeedBody {
    /// The key of the metric.
    key: String,
    /// The number: an expression over `signal`; `signal.value` if it is left out.
    value: Option<String>,
}

/// What routes can point at, by key.
pub(super) struct Targets<C, M> {
    pub(super) components: HashMap<String, C>,
    pub(super) metrics: HashMap<String, M>,
}

/// Reads the routes of a request, and says everything that is wrong with them.
pub(super) fn read<C: Copy, M: Copy>(fields: &mut Fields, targets: &Targets<C, M>, routes: Vec<RouteBody>) -> Vec<RouteSpec> {
    fields.at_most("routes", &routes, MAX_ROUTES);
    routes.into_iter().take(MAX_ROUTES).enumerate().map(|(i, route)| read_one(fields, targets, &format!("routes[{i}]"), route)).collect()
}

fn read_one<C: Copy, M: Copy>(fields: &mut Fields, targets: &Targets<C, M>, at: &str, route: RouteBody) -> RouteSpec {
    let keys = route.components.unwrap_or_default();
    fields.at_most(&format!("{at}.components"), &keys, MAX_COMPONENTS);
    fields.references(&format!("{at}.components"), "component", &targets.components, &keys);
    if keys.is_empty() && route.metric.is_none() {
        fields.refuse(format!("{at}.components"), "are needed, unless the route feeds a metric");
    }
    let when = route.when.unwrap_or_else(|| DEFAULT_CONDITION.to_owned());
    expression(fields, &format!("{at}.when"), &when);
    let cool_off = route.cool_off.map_or(DEFAULT_COOL_OFF, |span| span.0);
    if cool_off > MAX_COOL_OFF {
        fields.refuse(format!("{at}.cool_off"), format!("{cool_off} is more than {MAX_COOL_OFF}"));
    }
    for (name, source) in [("title", &route.title), ("body", &route.body)] {
        if let Some(source) = source {
            template(fields, &format!("{at}.{name}"), source);
        }
    }
    let metric = route.metric.map(|feed| {
        fields.reference(&format!("{at}.metric.key"), "metric", &targets.metrics, &feed.key);
        let value = feed.value.unwrap_or_else(|| DEFAULT_VALUE.to_owned());
        expression(fields, &format!("{at}.metric.value"), &value);
        MetricFeed { key: feed.key, value }
    });
    let publish = route.publish.map_or(Publish::Draft, |publish| publish.0);
    let policy = PolicyBody {
        publish_after: route.publish_after,
        publish_hours: route.publish_hours,
        minimum_severity: route.minimum_severity,
        flapping: route.flapping,
    };
    RouteSpec {
        when,
        components: keys.into_iter().collect(),
        status: route.status.map_or_else(StatusMap::default, status_map),
        hold: span(route.hold),
        keep_firing_for: span(route.keep_firing_for),
        expire_after: span(route.expire_after),
        cool_off,
        publish,
        policy: policies::read(fields, at, publish, policy),
        title: route.title,
        body: route.body,
        metric,
    }
}

fn span(length: Option<Length>) -> Span {
    length.map_or(Span::ZERO, |length| length.0)
}

fn status_map(body: StatusBody) -> StatusMap {
    let named = [
        (Severity::Critical, body.critical),
        (Severity::Error, body.error),
        (Severity::Warning, body.warning),
        (Severity::Info, body.info),
        (Severity::Unknown, body.unknown),
    ];
    let named: BTreeMap<Severity, Status> = named.into_iter().filter_map(|(severity, status)| Some((severity, status?.0))).collect();
    StatusMap { named, default: body.default.map(|status| status.0) }
}

/// An expression must compile, and read nothing but what there is: a misspelt name is empty for every signal, and the route would
/// silently do nothing.
fn expression(fields: &mut Fields, field: &str, source: &str) {
    let checked = Expression::compile(source).and_then(|expression| {
        check_names(fields, field, &expression.names()?, &EXPRESSION_NAMES);
        only_unknown(expression.value(&to_value(&serde_json::json!({ "signal": trial_signal() }))).map(drop))
    });
    if let Err(error) = checked {
        fields.refuse(field, error.to_string());
    }
}

/// A template of a route or an incident.
pub(super) fn template(fields: &mut Fields, field: &str, source: &str) {
    let checked = template_names(source).and_then(|names| {
        check_names(fields, field, &names, &TEMPLATE_NAMES);
        let context = serde_json::json!({ "signal": trial_signal(), "components": "API", "status": "major outage" });
        only_unknown(render_template(source, &to_value(&context)).map(drop))
    });
    if let Err(error) = checked {
        fields.refuse(field, error.to_string().replacen("expression", "template", 1));
    }
}

fn trial_signal() -> Signal {
    Signal::new("trial", SignalState::Firing, "trial", Timestamp(0))
}

/// One trial says nothing about other signals, except that a filter which does not exist never will.
fn only_unknown(outcome: Result<(), ExpressionError>) -> Result<(), ExpressionError> {
    outcome.or_else(|error| if matches!(error, ExpressionError::Unknown(_)) { Err(error) } else { Ok(()) })
}

fn check_names(fields: &mut Fields, field: &str, names: &BTreeSet<String>, known: &[&str]) {
    for name in names {
        let mut steps = name.split('.');
        let root = steps.next().unwrap_or_default();
        if !known.contains(&root) {
            fields.refuse(field, format!("there is no `{root}`; known here: {}", known.join(", ")));
        } else if let Some(inner) = steps.next().filter(|inner| root == "signal" && !SIGNAL_FIELDS.contains(inner)) {
            fields.refuse(field, format!("a signal has no `{inner}`; it has {}", SIGNAL_FIELDS.join(", ")));
        }
    }
}

/// A route as it is.
pub(super) fn view(route: RouteSpec) -> RouteBody {
    let policy = policies::view(route.policy);
    let of = |severity| route.status.named.get(&severity).copied().map(Name);
    RouteBody {
        status: Some(StatusBody {
            critical: of(Severity::Critical),
            error: of(Severity::Error),
            warning: of(Severity::Warning),
            info: of(Severity::Info),
            unknown: of(Severity::Unknown),
            default: route.status.default.map(Name),
        }),
        when: Some(route.when),
        components: Some(route.components.into_iter().collect()),
        hold: Some(Length(route.hold)),
        keep_firing_for: Some(Length(route.keep_firing_for)),
        expire_after: Some(Length(route.expire_after)),
        cool_off: Some(Length(route.cool_off)),
        publish: Some(Name(route.publish)),
        publish_after: policy.publish_after,
        publish_hours: policy.publish_hours,
        minimum_severity: policy.minimum_severity,
        flapping: policy.flapping,
        title: route.title,
        body: route.body,
        metric: route.metric.map(|feed| FeedBody { key: feed.key, value: Some(feed.value) }),
    }
}
