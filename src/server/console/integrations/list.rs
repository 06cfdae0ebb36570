//! Every integration, with how it is.

use askama::Template;
use domain::{Permission, Resource};
use poem::{Response, handler, http::StatusCode};
use serde_json::Value;

use super::{PATH, answers::last_answer, may_write, provider_of};
use crate::console::{
    acts::Acts,
    columns::Columns,
    failure::Failure,
    frame::{Frame, show},
    pager::Pager,
    seen::{Asked, Seen, Typed, address},
    session::Person,
};

/// Each row costs a few reads.
const PER_PAGE: &str = "25";

#[derive(Template)]
#[template(path = "console/integrations.html")]
struct List<'a> {
    frame: &'a Frame,
    rows: Vec<Row>,
    may_write: bool,
    pager: Pager,
    columns: Columns<'a>,
}

struct Row {
    integration: Value,
    health: Value,
    /// Of a source that is asked: when it last answered.
    answer: Option<String>,
    provider: &'static str,
    may_see_deliveries: bool,
}

impl Row {
    /// The worst there is to say, and its shape.
    fn state(&self) -> (&'static str, &'static str) {
        let (poll, health) = (self.integration.part("poll"), &self.health);
        if !self.integration.yes("enabled") {
            ("off", "switched off")
        } else if poll.yes("lost") || health.text("breaker") == "open" {
            ("bad", "cannot be read")
        } else if health.yes("silent") {
            ("bad", "silent")
        } else if self.has_confirmation("given_up") {
            ("bad", "not confirmed")
        } else if self.has_confirmation("waiting") {
            ("warn", "to be confirmed")
        } else if poll.yes("stale") {
            ("warn", "stale")
        } else if self.quarantined() > 0 {
            ("warn", "quarantine")
        } else if self.health.number("warned") > 0 {
            ("warn", "not all understood")
        } else if self.integration.has("last_delivery") || poll.has("answered_at") {
            ("good", "working")
        } else {
            ("new", "nothing yet")
        }
    }

    /// Whether something that it sends of stands so.
    fn has_confirmation(&self, state: &str) -> bool {
        self.health.list("confirmations").iter().any(|confirmation| confirmation.text("state") == state)
    }

    fn quarantined(&self) -> i64 {
        self.health.part("last_day_by_state").number("quarantined")
    }
}

#[handler]
pub(super) async fn page(person: Person, frame: Frame, acts: Acts, asked: Asked) -> Result<Response, Failure> {
    let asked = Typed::from(asked);
    let sort = ("sort", asked.text("sort"));
    let listed =
        acts.get(&address("/integrations", &[("limit", PER_PAGE), ("routes", "false"), sort, ("cursor", asked.text("cursor"))])).await?;
    let mut rows = Vec::new();
    for integration in listed.list("items") {
        let health = acts.get(&format!("/integrations/{}/health", integration.number("id"))).await?;
        rows.push(Row {
            provider: provider_of(integration).map_or("", |provider| provider.name),
            answer: last_answer(provider_of(integration), integration.part("poll"), acts.now),
            integration: integration.clone(),
            health,
            may_see_deliveries: person.may(Permission::read(Resource::Deliveries)),
        });
    }
    let pager = Pager::new(PATH, &[sort], &asked, listed.text("next"));
    let columns = Columns::new(PATH, &[], &asked, "id");
    Ok(show(StatusCode::OK, &List { frame: &frame, rows, may_write: may_write(&person), pager, columns }))
}
