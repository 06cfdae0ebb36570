//! `/console/tokens`: what programs use the API with.

use askama::Template;
use domain::{Permission, Resource, Span, Timestamp};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::tokens::Scope;

use super::{
    Console,
    acts::{Acts, sentence},
    columns::Columns,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Sent, Typed, address, at, names},
    session::Person,
    zone::{When, time},
};
use crate::admin::Refused;

const PATH: &str = "/console/tokens";
const DAY: Span = Span::mins(24 * 60);
/// How long a token may be made to last, in days; an empty choice is for ever.
const DAYS: [i64; 4] = [7, 30, 90, 365];
/// How long the secret before may go on counting, as the API writes it and in words.
const GRACES: [(&str, &str); 4] =
    [("0", "not at all: it leaked, or nothing uses it"), ("1h", "for an hour"), ("1d", "for a day"), ("7d", "for a week")];
/// What is chosen among them unless somebody chooses.
const USUAL_GRACE: &str = "1d";

pub(super) fn routes(table: Table) -> Table {
    let act = Needs::write(Resource::Tokens).fresh();
    table
        .get(PATH, Needs::read(Resource::Tokens), list)
        .get("/console/tokens/new", act, form)
        .post("/console/tokens/new", act, create)
        .get("/console/tokens/:id", Needs::read(Resource::Tokens), page)
        .post("/console/tokens/:id/rotate", act, rotate)
        .post("/console/tokens/:id/revoke", act, revoke)
}

#[derive(Template)]
#[template(path = "console/tokens.html")]
struct List<'a> {
    frame: &'a Frame,
    rows: &'a [Value],
    pager: Pager,
    columns: Columns<'a>,
    may_write: bool,
    now: Timestamp,
}

impl List<'_> {
    fn state(&self, token: &Value) -> (&'static str, String) {
        state(token, self.now)
    }

    fn scopes(&self, token: &Value) -> String {
        scopes(token)
    }
}

/// Whether a token counts, and until when, in words.
fn state(token: &Value, now: Timestamp) -> (&'static str, String) {
    if token.has("revoked_at") {
        ("off", format!("revoked {}", token.time("revoked_at")))
    } else if at(token, "expires_at").is_some_and(|end| end <= now) {
        ("off", format!("ended {}", token.time("expires_at")))
    } else if token.has("expires_at") {
        ("good", format!("until {}", token.time("expires_at")))
    } else {
        ("good", "has no end".to_owned())
    }
}

fn scopes(token: &Value) -> String {
    let scopes = names(token, "scopes");
    if scopes.iter().any(|scope| scope == "*") { "everything".to_owned() } else { scopes.join(", ") }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let asked = Typed::from(asked);
    let sort = ("sort", asked.text("sort"));
    let listed = acts.get(&address("/tokens", &[sort, ("cursor", asked.text("cursor"))])).await?;
    let pager = Pager::new(PATH, &[sort], &asked, listed.text("next"));
    let columns = Columns::new(PATH, &[], &asked, "id");
    let may_write = person.may(Permission::write(Resource::Tokens));
    Ok(show(StatusCode::OK, &List { frame: &frame, rows: listed.list("items"), pager, columns, may_write, now: console.now() }))
}

#[derive(Template)]
#[template(path = "console/token_new.html")]
struct New<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    /// What was made, shown this once.
    made: Option<&'a Value>,
}

impl New<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    /// Kinds of things, each with its scopes to read and to write.
    fn kinds(&self) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
        let mut kinds: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        for (kind, action, scope) in Scope::EVERY.iter().filter_map(|scope| {
            let (kind, action) = scope.as_str().split_once(':')?;
            Some((kind, action, scope.as_str()))
        }) {
            match kinds.last_mut().filter(|(last, _)| *last == kind) {
                Some((_, scopes)) => scopes.push((action, scope)),
                None => kinds.push((kind, vec![(action, scope)])),
            }
        }
        kinds
    }

    fn days(&self) -> [i64; 4] {
        DAYS
    }

    /// What is wrong with a line of networks, and with which.
    fn wrong_network(&self) -> Option<String> {
        let (field, message) = self.refused?.fields.iter().find(|(field, _)| field.starts_with("networks"))?;
        let line = field.strip_prefix("networks[").and_then(|rest| rest.strip_suffix(']')?.parse::<usize>().ok());
        Some(line.map_or_else(|| sentence(message), |i| sentence(&format!("line {}: {}", i + 1, message.replace('`', "")))))
    }
}

#[handler]
fn form(frame: Frame) -> Response {
    let mut typed = Typed::default();
    typed.add("days", "90");
    show(StatusCode::OK, &New { frame: &frame, typed: &typed, refused: None, made: None })
}

#[handler]
async fn create(frame: Frame, acts: Acts, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let mut body = json!({ "name": typed.text("name"), "scopes": typed.all("scopes") });
    if let Some(days) = typed.number("days").filter(|days| DAYS.contains(days)) {
        body["expires_at"] = Value::from(Timestamp(console.now().0 + days * DAY.0).to_string());
    }
    let networks: Vec<&str> = typed.text("networks").lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if !networks.is_empty() {
        body["networks"] = json!(networks);
    }
    match acts.post("/tokens", Some(&body)).await {
        Ok(made) => Ok(show(StatusCode::OK, &New { frame: &frame, typed: &typed, refused: None, made: Some(&made) })),
        Err(refused) if refused.status.is_client_error() => {
            Ok(show(refused.status, &New { frame: &frame, typed: &typed, refused: Some(&refused), made: None }))
        }
        Err(refused) => Err(refused.into()),
    }
}

#[handler]
async fn revoke(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.delete(&format!("/tokens/{id}")).await?;
    Ok(see_other(PATH))
}

#[derive(Template)]
#[template(path = "console/token.html")]
struct Page<'a> {
    frame: &'a Frame,
    token: &'a Value,
    may_write: bool,
    now: Timestamp,
}

impl Page<'_> {
    fn state(&self) -> (&'static str, String) {
        state(self.token, self.now)
    }

    fn scopes(&self) -> String {
        scopes(self.token)
    }

    fn networks(&self) -> Vec<String> {
        names(self.token, "networks")
    }

    /// Until when the secret before counts too, if it does.
    fn overlap(&self) -> Option<When> {
        at(self.token, "previous_until").filter(|until| *until > self.now).map(time)
    }

    fn counts(&self) -> bool {
        self.state().0 != "off"
    }

    fn graces(&self) -> [(&'static str, &'static str, bool); 4] {
        GRACES.map(|(grace, words)| (grace, words, grace == USUAL_GRACE))
    }
}

#[handler]
async fn page(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let token = acts.get(&format!("/tokens/{id}")).await?;
    let may_write = person.may(Permission::write(Resource::Tokens));
    Ok(show(StatusCode::OK, &Page { frame: &frame, token: &token, may_write, now: console.now() }))
}

#[handler]
async fn rotate(frame: Frame, acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let grace = GRACES.iter().find(|(grace, _)| typed.is("grace", grace)).map_or(USUAL_GRACE, |(grace, _)| *grace);
    let made = acts.post_if(&format!("/tokens/{id}/rotate"), Some(&json!({ "grace": grace })), typed.given("etag")).await?;
    Ok(show(StatusCode::OK, &New { frame: &frame, typed: &typed, refused: None, made: Some(&made) }))
}
