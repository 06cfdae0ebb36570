//! `/deliveries/{id}/suggestions`: routes made from a delivery.

use domain::{DeliveryId, Signal, Suggestion, Target, suggest};
use poem_openapi::Object;
use storage::{insight, rows};

use super::{Admin, Problem, RouteBody, configured, find_delivery, off_thread, read, routes};

/// How many of the deliveries before are looked at for what tells things apart.
const N_SEEN: i64 = 100;

/// Routes made from a delivery.
#[derive(Object)]
#[oai(rename = "Suggestions")]
pub(super) struct SuggestionsView {
    /// The key of the integration.
    integration: String,
    /// How many signals the delivery has with the settings of now.
    signals: u64,
    /// Why there are none, where the delivery cannot be read.
    #[oai(nullable)]
    reason: Option<String>,
    /// The best first, at most 20.
    items: Vec<SuggestionView>,
}

/// A route made from a delivery.
#[derive(Object)]
#[oai(rename = "Suggestion")]
struct SuggestionView {
    /// As PATCH of the integration takes it.
    route: RouteBody,
    /// What speaks for it.
    why: String,
    /// The places of the delivery's signals that it takes, from 0.
    signals: Vec<u64>,
    /// The severities that such signals had lately, loudest first.
    severities: Vec<String>,
    /// A component to add first; null if the route's component is there.
    #[oai(nullable)]
    missing_component: Option<MissingComponent>,
}

/// A component that a suggested route needs.
#[derive(Object)]
struct MissingComponent {
    key: String,
    name: String,
}

pub(super) async fn make(admin: &Admin, id: DeliveryId) -> Result<SuggestionsView, Problem> {
    let mut conn = admin.db.read().await?;
    let delivery = find_delivery(&mut conn, id).await?;
    let integration = configured::find(&mut conn, delivery.integration).await?;
    let seen: Vec<Signal> = insight::said(&mut conn, integration.id, N_SEEN).await?.into_iter().flat_map(|said| said.signals).collect();
    let components = rows::components(&mut conn).await?;
    drop(conn);
    let components: Vec<Target> = components.into_iter().map(|component| Target { key: component.key, name: component.name }).collect();
    let (signals, reason) = match read(integration.provider, integration.edit.settings, delivery).await? {
        Ok(signals) => (signals, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    let n = signals.len();
    let made = off_thread(move || suggest(&signals, &seen, &components)).await?;
    let items = made.into_iter().map(view).collect();
    Ok(SuggestionsView { integration: integration.key, signals: n as u64, reason, items })
}

fn view(made: Suggestion) -> SuggestionView {
    SuggestionView {
        route: routes::view(made.route),
        why: made.why,
        signals: made.signals.into_iter().map(|place| place as u64).collect(),
        severities: made.severities.iter().map(ToString::to_string).collect(),
        missing_component: made.missing.map(|target| MissingComponent { key: target.key, name: target.name }),
    }
}
