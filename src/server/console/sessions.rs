//! `/console/sessions`: who is signed in now, from where, and how to end that.

use askama::Template;
use domain::{Permission, Resource};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::Value;
use storage::users::{self, User};

use super::{
    Console,
    acts::Acts,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Sent, Typed, address},
    session::Person,
};

const PATH: &str = "/console/sessions";
/// The most people to choose from; nobody has a team of more.
const MAX_LISTED: i64 = 1000;

pub(super) fn routes(table: Table) -> Table {
    let act = Needs::write(Resource::Users).fresh();
    table.get(PATH, Needs::read(Resource::Users), list).post("/console/sessions/end-all", act, end_all).post(
        "/console/sessions/:id/end",
        act,
        end,
    )
}

#[derive(Template)]
#[template(path = "console/sessions.html")]
struct List<'a> {
    frame: &'a Frame,
    person: &'a Person,
    people: Vec<User>,
    rows: &'a [Value],
    pager: Pager,
    /// The person whose sessions alone are shown.
    only: Option<i64>,
    ended: bool,
    may_write: bool,
}

impl List<'_> {
    fn is_here(&self, session: &Value) -> bool {
        session.number("id") == self.person.session.0
    }

    fn is_only(&self, user: &User) -> bool {
        self.only == Some(user.id.0)
    }

    /// Whether all that is shown is of one person, and for somebody else to end.
    fn may_end_all(&self) -> bool {
        self.only.is_some_and(|user| self.may_end(user))
    }

    /// Whether they are for somebody else to end, and not above this person.
    fn may_end(&self, user: i64) -> bool {
        let found = self.people.iter().find(|known| known.id.0 == user);
        self.may_write && user != self.person.user_id.0 && found.is_some_and(|user| self.person.role.may_give(user.role))
    }

    fn name<'s>(&'s self, session: &'s Value) -> &'s str {
        let found = self.people.iter().find(|user| user.id.0 == session.number("user"));
        found.map_or_else(|| session.text("email"), |user| user.name.as_str())
    }

    fn means(&self, session: &Value) -> &'static str {
        match session.text("means") {
            "passkey" => "with a passkey",
            "provider" => "by the identity provider",
            _ => "with a password",
        }
    }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let asked = Typed::from(asked);
    let user = ("user", asked.text("user"));
    let listed = acts.get(&address("/sessions", &[user, ("cursor", asked.text("cursor"))])).await?;
    let pager = Pager::new(PATH, &[user], &asked, listed.text("next"));
    let people = users::list(&mut console.db.read().await?, 0, MAX_LISTED).await?;
    let may_write = person.may(Permission::write(Resource::Users));
    let (rows, only, ended) = (listed.list("items"), asked.number("user"), asked.given("ended").is_some());
    Ok(show(StatusCode::OK, &List { frame: &frame, person: &person, people, rows, pager, only, ended, may_write }))
}

#[handler]
async fn end(acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    acts.delete(&format!("/sessions/{id}")).await?;
    Ok(back(&Typed::from(sent)))
}

#[handler]
async fn end_all(acts: Acts, sent: Sent) -> Result<Response, Failure> {
    let sent = Typed::from(sent);
    let user = sent.number("user").ok_or_else(|| Failure::Malformed("Choose whose sessions are to end.".to_owned()))?;
    acts.delete(&format!("/users/{user}/sessions")).await?;
    Ok(back(&sent))
}

fn back(sent: &Typed) -> Response {
    see_other(&address(PATH, &[("user", sent.text("only")), ("ended", "1")]))
}
