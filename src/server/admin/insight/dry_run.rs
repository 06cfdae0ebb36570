//! `/integrations/{id}/dry-run`: what settings and routes make of one stored delivery.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use domain::{ComponentId, DeliveryId, IntegrationId, Publish, Route, Signal, Status, Trial, try_route};
use poem_openapi::Object;
use serde_json::Value;
use storage::{
    Connection,
    deliveries::DeliveryState::{self, Ignored, Processed, Quarantined},
    rows, subscribers,
};

use super::{
    super::{
        fields::Fields,
        problem::FieldError,
        signals::{self, SignalView},
        types::Name,
    },
    Admin, Problem, RouteBody, configured, find_delivery, off_thread, read, routes_to_try,
};

/// The most signals that are tried and shown.
const MAX_SIGNALS: usize = 100;
/// How long trying may take.
const MAX_TIME: Duration = Duration::from_secs(5);

/// What to try on which delivery.
#[derive(Object)]
#[oai(rename = "DryRun")]
pub(in crate::admin) struct DryRunBody {
    /// The id of a delivery of this integration.
    delivery: i64,
    /// The stored ones if they are left out.
    settings: Option<Value>,
    /// The stored ones if they are left out.
    routes: Option<Vec<RouteBody>>,
}

impl DryRunBody {
    /// This delivery, with what is stored.
    pub(in crate::admin) const fn of(delivery: DeliveryId) -> Self {
        Self { delivery: delivery.0, settings: None, routes: None }
    }
}

/// What a delivery would do.
#[derive(Object)]
#[oai(rename = "DryRunResult")]
pub(in crate::admin) struct DryRunView {
    /// What would become of it: `processed`, `ignored` or `quarantined`.
    state: Name<DeliveryState>,
    /// Why it would be quarantined.
    #[oai(nullable)]
    reason: Option<String>,
    /// How many signals it has.
    n_signals: u64,
    /// What it says, in Fanal's terms, and what each route makes of it. At most the first 100.
    signals: Vec<TriedSignal>,
    /// Whether there are more signals than were tried.
    cut: bool,
}

/// A signal, and what the routes make of it.
#[derive(Object)]
struct TriedSignal {
    signal: SignalView,
    /// One for each route, in order.
    routes: Vec<TriedRoute>,
}

/// What a route makes of a signal.
#[derive(Object)]
struct TriedRoute {
    /// Its place, from 0.
    route: u64,
    /// Whether its condition holds.
    matches: bool,
    /// What it means for the components; null if nothing, or if the signal does not fire.
    #[oai(nullable)]
    status: Option<Name<Status>>,
    /// The keys of the components.
    components: Vec<String>,
    /// What may happen by itself.
    publish: Name<Publish>,
    /// The number that its metric gets.
    #[oai(nullable)]
    value: Option<f64>,
    /// The title of an incident, if it opens one.
    #[oai(nullable)]
    title: Option<String>,
    /// How many subscribers would be told of that incident once it is published; null if it is not published by itself.
    #[oai(nullable)]
    told: Option<i64>,
    /// What fails for this signal, with its place, as in `routes[0].when`.
    errors: Vec<FieldError>,
}

pub(in crate::admin) async fn run(admin: &Admin, id: IntegrationId, body: DryRunBody) -> Result<DryRunView, Problem> {
    let mut conn = admin.db.read().await?;
    let integration = configured::find(&mut conn, id).await?;
    let delivery = match find_delivery(&mut conn, DeliveryId(body.delivery)).await {
        Ok(delivery) if delivery.integration == id => delivery,
        _ => return Err(Problem::field("delivery", "is not a delivery of this integration")),
    };
    let targets = configured::targets(&mut conn).await?;
    let components = rows::components(&mut conn).await?;
    drop(conn);
    let mut fields = Fields::default();
    if let Some(settings) = &body.settings {
        configured::check_settings(&mut fields, integrations::find(&integration.provider), settings);
    }
    let routes = routes_to_try(&mut fields, &integration, &targets, body.routes);
    fields.done()?;
    let settings = body.settings.unwrap_or(integration.edit.settings);
    let (state, reason, signals) = match read(integration.provider, settings, delivery).await? {
        Ok(signals) if signals.is_empty() => (Ignored, None, signals),
        Ok(signals) => (Processed, None, signals),
        Err(reason) => (Quarantined, Some(reason), Vec::new()),
    };
    let n = signals.len();
    let hidden: HashSet<ComponentId> = components.iter().filter(|component| component.hidden).map(|component| component.id).collect();
    let named = components
        .into_iter()
        .map(|component| (component.id, Named { key: component.key, name: component.name, hidden: component.hidden }))
        .collect();
    let shown_of = |route: &Route| route.components.iter().copied().filter(|id| !hidden.contains(id)).collect();
    let of_routes: Vec<Vec<ComponentId>> = routes.iter().map(shown_of).collect();
    let mut signals = off_thread(move || try_all(&signals, &routes, &named)).await?;
    count_told(&mut admin.db.read().await?, &mut signals, &of_routes).await?;
    Ok(DryRunView { state: Name(state), reason, n_signals: n as u64, cut: signals.len() < n, signals })
}

/// Says of each incident that would be published by itself how many would be told.
async fn count_told(conn: &mut Connection, signals: &mut [TriedSignal], of_routes: &[Vec<ComponentId>]) -> Result<(), Problem> {
    let mut known: HashMap<u64, i64> = HashMap::new();
    let opening = |route: &&mut TriedRoute| route.publish.0 == Publish::Auto && route.title.is_some();
    for route in signals.iter_mut().flat_map(|signal| &mut signal.routes).filter(opening) {
        let n = match known.get(&route.route) {
            Some(n) => *n,
            None => match usize::try_from(route.route).ok().and_then(|i| of_routes.get(i)) {
                Some(shown) if !shown.is_empty() => subscribers::n_told(conn, Some(shown)).await?,
                _ => 0,
            },
        };
        known.insert(route.route, n);
        route.told = Some(n);
    }
    Ok(())
}

struct Named {
    key: String,
    name: String,
    hidden: bool,
}

fn try_all(signals: &[Signal], routes: &[Route], components: &HashMap<ComponentId, Named>) -> Vec<TriedSignal> {
    let began = Instant::now();
    let in_time = signals.iter().take(MAX_SIGNALS).take_while(|_| began.elapsed() < MAX_TIME);
    let tried = |signal: &Signal| TriedSignal {
        signal: signals::view(signal),
        routes: routes.iter().enumerate().map(|(i, route)| try_one(i, route, signal, components)).collect(),
    };
    in_time.map(tried).collect()
}

fn try_one(i: usize, route: &Route, signal: &Signal, components: &HashMap<ComponentId, Named>) -> TriedRoute {
    let of: Vec<&Named> = route.components.iter().filter_map(|id| components.get(id)).collect();
    let shown: Vec<&str> = of.iter().filter(|named| !named.hidden).map(|named| named.name.as_str()).collect();
    let Trial { matches, status, value, title, errors } = try_route(route, signal, &shown);
    let error = |(field, error): (&str, domain::ExpressionError)| FieldError::new(format!("routes[{i}].{field}"), error.to_string());
    TriedRoute {
        route: i as u64,
        matches,
        status: status.map(Name),
        components: of.iter().map(|named| named.key.clone()).collect(),
        publish: Name(route.publish),
        value,
        title: title.filter(|_| route.publish != Publish::Shadow),
        told: None,
        errors: errors.into_iter().map(error).collect(),
    }
}
