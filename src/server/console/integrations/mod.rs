//! `/console/integrations`: who sends what, how it goes, and what is made of it.

mod answers;
mod catalogue;
mod change;
mod list;
mod route_form;
mod route_meanwhile;
mod route_page;
mod setup_page;
mod test_page;
mod timeline;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Permission, Resource};
use integrations::Provider;
use poem::Response;
use serde_json::{Value, json};

use crate::page::markdown;

use super::{
    acts::Acts,
    failure::Failure,
    gate::{Needs, Table},
    seen::Seen,
    session::Person,
};

const PATH: &str = "/console/integrations";

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Integrations), Needs::write(Resource::Integrations));
    let test = Needs::write(Resource::Deliveries);
    table
        .get(PATH, look, list::page)
        .get("/console/integrations/new", act, catalogue::page)
        .get("/console/integrations/new/:provider", act, catalogue::form)
        .post("/console/integrations/new/:provider", act, catalogue::create)
        .get("/console/integrations/:id", look, setup_page::page)
        .get("/console/integrations/:id/arrivals", Needs::read(Resource::Deliveries).by_itself(), setup_page::arrivals)
        .post("/console/integrations/:id/enable", act, change::enable)
        .post("/console/integrations/:id/disable", act, change::disable)
        .get("/console/integrations/:id/settings", act, change::settings_form)
        .post("/console/integrations/:id/settings", act, change::settings)
        .get("/console/integrations/:id/secrets", act.fresh(), change::secrets_page)
        .post("/console/integrations/:id/secrets", act.fresh(), change::add_secret)
        .post("/console/integrations/:id/secrets/:secret/remove", act.fresh(), change::remove_secret)
        .get("/console/integrations/:id/delete", act.fresh(), change::delete_page)
        .post("/console/integrations/:id/delete", act.fresh(), change::delete)
        .get("/console/integrations/:id/test", test, test_page::page)
        .post("/console/integrations/:id/test", test, test_page::send)
        .post("/console/integrations/:id/ask", test, test_page::ask)
        .get("/console/integrations/:id/back-test", Needs::read(Resource::Deliveries), timeline::page)
        .get("/console/integrations/:id/routes/:place", act, route_page::page)
        .post("/console/integrations/:id/routes/:place", act, route_page::send)
}

fn path_of(id: i64) -> String {
    format!("{PATH}/{id}")
}

/// An integration, and its kind.
async fn find(acts: &Acts, id: i64) -> Result<Value, Failure> {
    Ok(acts.get(&format!("/integrations/{id}")).await?)
}

fn provider_of(integration: &Value) -> Option<&'static Provider> {
    integrations::find(integration.text("provider"))
}

/// The logo of a kind, as the address of an image: one more request for each would cost more than they have bytes.
fn logo(provider: &Provider) -> String {
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(provider.logo))
}

/// How Fanal hears of things from this kind.
fn way(provider: &Provider) -> &'static str {
    match (provider.slug, &provider.poll) {
        (integrations::heartbeat::SLUG, _) => "heartbeat",
        ("http" | "tcp" | "dns" | "tls", _) => "check",
        (_, Some(_)) => "polled",
        (_, None) => "webhook",
    }
}

/// What one word for how it hears means.
fn way_in_words(way: &str) -> &'static str {
    match way {
        "heartbeat" => "whatever runs now and then says that it has run",
        "check" => "Fanal asks the service itself and judges the answer",
        "polled" => "Fanal asks it every few seconds",
        _ => "it posts to Fanal as things happen",
    }
}

/// A guide as HTML, with the address and the secret where they belong. What is wider than the page is scrolled, also by keyboard.
fn guide(provider: &Provider, url: &str, secret: &str) -> String {
    let (_, text) = provider.setup.split_once('\n').unwrap_or_default();
    let html = markdown(&text.replace("{{ url }}", url).replace("{{ secret }}", secret).replace("\n## ", "\n### "));
    // The cleaned HTML has no other form of these.
    html.replace("<pre>", "<pre tabindex=\"0\">").replace("<table>", "<table tabindex=\"0\">")
}

fn may_write(person: &Person) -> bool {
    person.may(Permission::write(Resource::Integrations))
}

/// How many of its deliveries stand in quarantine, and whether there are more than are counted.
async fn quarantined(acts: &Acts, key: &str) -> Result<(i64, bool), Failure> {
    Ok(super::deliveries::count(acts, &json!({ "integration": key })).await?)
}

fn back_to(id: i64) -> Response {
    super::frame::see_other(&path_of(id))
}
