//! `/console/subscribers`: who wants to know.

use askama::Template;
use domain::{Channel, Permission, Resource};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};

use super::{
    Console,
    acts::{Acts, sentence},
    choice::{self, Choice},
    chosen::{self, Bar},
    columns::Columns,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Sent, Typed, address, names},
    session::Person,
};
use crate::admin::Refused;

const PATH: &str = "/console/subscribers";

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Subscribers), Needs::write(Resource::Subscribers));
    table
        .get(PATH, look, list)
        .get("/console/subscribers/new", act, form)
        .post("/console/subscribers/new", act, add)
        .post("/console/subscribers/:id/enable", act, enable)
        .post("/console/subscribers/:id/test", act, test)
        .get("/console/subscribers/:id/delete", act.fresh(), delete_page)
        .post("/console/subscribers/:id/delete", act.fresh(), delete)
}

#[derive(Template)]
#[template(path = "console/subscribers.html")]
struct List<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    rows: &'a [Value],
    pager: Pager,
    columns: Columns<'a>,
    bar: Bar,
    may_write: bool,
    may_see_notifications: bool,
}

impl List<'_> {
    fn is_narrow(&self) -> bool {
        ["channel", "address"].iter().any(|field| self.typed.given(field).is_some())
    }
}

/// What somebody wants to hear of, in words.
fn scope(subscriber: &Value) -> String {
    if subscriber.has("components") { names(subscriber, "components").join(", ") } else { "everything".to_owned() }
}

/// How a subscriber is: a shape, and words.
fn state(subscriber: &Value) -> (&'static str, String) {
    if subscriber.has("disabled_at") {
        ("off", format!("switched off: {}", subscriber.text("disabled_reason")))
    } else if !subscriber.has("confirmed_at") {
        ("new", "not confirmed".to_owned())
    } else if subscriber.has("failing_since") {
        ("bad", format!("failing since {}", subscriber.time("failing_since")))
    } else {
        ("good", "reached".to_owned())
    }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let filters = [("channel", typed.text("channel")), ("address", typed.text("address")), ("sort", typed.text("sort"))];
    let path = address("/subscribers", &[&filters[..], &[("cursor", typed.text("cursor"))]].concat());
    let listed = acts.get(&path).await?;
    let pager = Pager::new(PATH, &filters, &typed, listed.text("next"));
    let page = List {
        frame: &frame,
        typed: &typed,
        rows: listed.list("items"),
        pager,
        columns: Columns::new(PATH, &filters, &typed, "id"),
        bar: Bar::new(&person, &[&chosen::ENABLE, &chosen::DELETE], &filters, &typed),
        may_write: person.may(Permission::write(Resource::Subscribers)),
        may_see_notifications: person.may(Permission::read(Resource::Notifications)),
    };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "console/subscriber_new.html")]
struct New<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    components: &'a [Choice],
    mail: bool,
    refused: Option<&'a Refused>,
    /// What was added, with the secret that is shown this once.
    added: Option<&'a Value>,
}

impl New<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }
}

async fn components(console: &Console) -> Result<Vec<Choice>, Failure> {
    Ok(choice::components(&mut console.db.read().await?).await?)
}

#[handler]
async fn form(frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (components, mail) = (components(console).await?, console.letters.are_sent());
    let mut typed = Typed::default();
    typed.add("channel", if mail { Channel::Email.as_str() } else { Channel::Webhook.as_str() });
    let page = New { frame: &frame, typed: &typed, components: &components, mail, refused: None, added: None };
    Ok(show(StatusCode::OK, &page))
}

#[handler]
async fn add(frame: Frame, acts: Acts, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let mut body = json!({ "channel": typed.text("channel"), "address": typed.text("address") });
    if let Some(secret) = typed.given("secret") {
        body["secret"] = Value::from(secret);
    }
    let chosen = typed.all("components");
    if !chosen.is_empty() {
        body["components"] = json!(chosen);
    }
    let done = acts.post("/subscribers", Some(&body)).await;
    let (components, mail) = (components(console).await?, console.letters.are_sent());
    let page = |refused, added| New { frame: &frame, typed: &typed, components: &components, mail, refused, added };
    match done {
        Ok(added) => {
            if !added.has("secret") || typed.given("secret").is_some() {
                return Ok(see_other(PATH));
            }
            Ok(show(StatusCode::OK, &page(None, Some(&added))))
        }
        Err(refused) if refused.status.is_client_error() => Ok(show(refused.status, &page(Some(&refused), None))),
        Err(refused) => Err(refused.into()),
    }
}

#[handler]
async fn enable(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.post(&format!("/subscribers/{id}/enable"), None).await?;
    Ok(see_other(PATH))
}

#[derive(Template)]
#[template(path = "console/subscriber_test.html")]
struct TestPage<'a> {
    frame: &'a Frame,
    subscriber: Value,
    sent: Value,
}

/// Sends a test, and says how that went.
#[handler]
async fn test(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let sent = acts.post(&format!("/subscribers/{id}/test"), None).await?;
    let subscriber = acts.get(&format!("/subscribers/{id}")).await?;
    Ok(show(StatusCode::OK, &TestPage { frame: &frame, subscriber, sent }))
}

#[derive(Template)]
#[template(path = "console/subscriber_delete.html")]
struct DeletePage<'a> {
    frame: &'a Frame,
    subscriber: Value,
    owed: usize,
}

#[handler]
async fn delete_page(frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let subscriber = acts.get(&format!("/subscribers/{id}")).await?;
    let owed = acts.get(&format!("/notifications?state=due&subscriber={id}&limit=200")).await?.list("items").len();
    Ok(show(StatusCode::OK, &DeletePage { frame: &frame, subscriber, owed }))
}

#[handler]
async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&format!("/subscribers/{id}")).await?;
    Ok(see_other(PATH))
}
