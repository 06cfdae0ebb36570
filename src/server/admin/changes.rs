//! Transitions of the past, each with the chain that led to it.

use std::collections::HashMap;

use domain::{IntegrationId, RouteId, Why};
use poem_openapi::Object;
use storage::{Connection, history::Transition, integrations};

use super::{problem::Problem, types::Time};

/// A transition, and why it happened.
#[derive(Object)]
#[oai(rename = "Change")]
pub(super) struct ChangeView {
    id: i64,
    at: Time,
    /// What changed: `component_status`, `override`, `incident`, `cause_set`, `cause_ended`.
    kind: String,
    /// From what to what.
    data: serde_json::Value,
    why: WhyView,
}

/// The chain from a delivery, or a person, to a change.
#[derive(Object)]
#[oai(rename = "Why")]
struct WhyView {
    /// One sentence.
    text: String,
    /// The delivery it goes back to.
    #[oai(nullable)]
    delivery: Option<i64>,
    /// The key of the integration that it was sent to.
    #[oai(nullable)]
    integration: Option<String>,
    /// The thing that the signal spoke of.
    #[oai(nullable)]
    fingerprint: Option<String>,
    /// The route that took it up: its integration's key and its place.
    #[oai(nullable)]
    route: Option<String>,
    /// The person or token that did it.
    #[oai(nullable)]
    actor: Option<String>,
}

/// What ids are called.
#[derive(Default)]
pub(super) struct Names {
    integrations: HashMap<IntegrationId, String>,
    routes: HashMap<RouteId, String>,
}

impl Names {
    pub(super) async fn load(conn: &mut Connection) -> Result<Self, Problem> {
        Ok(Self { integrations: integrations::keys(conn).await?, routes: integrations::route_labels(conn).await? })
    }

    pub(super) fn view(&self, transition: Transition) -> ChangeView {
        let Transition { id, at, kind, data, why } = transition;
        ChangeView { id, at: Time(at), kind, data, why: self.why(why) }
    }

    /// How people call a route; one that is gone has only its id left.
    pub(super) fn route(&self, id: RouteId) -> String {
        self.routes.get(&id).cloned().unwrap_or_else(|| format!("#{id}"))
    }

    fn why(&self, why: Why) -> WhyView {
        WhyView {
            text: why.text,
            delivery: why.delivery.map(|id| id.0),
            integration: why.integration.map(|id| self.integrations.get(&id).cloned().unwrap_or_else(|| format!("#{id}"))),
            fingerprint: why.fingerprint,
            route: why.route.map(|id| self.route(id)),
            actor: why.actor,
        }
    }
}
