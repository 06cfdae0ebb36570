//! `/console/team`: who is here, as what, and who is invited. What is done goes through the operations of the admin API.

use askama::Template;
use domain::{Permission, Resource, Role};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{
    entry_links::{self, EntryLink, Purpose},
    order::{Order, Slice},
    users::{self, User, UserFilter},
};

use super::{
    Console,
    acts::Acts,
    columns::Columns,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    seen::{Asked, Seen, Typed},
    session::Person,
    zone::{When, time},
};
use crate::admin::Refused;

const PATH: &str = "/console/team";
/// The most people listed; nobody has a team of more.
const MAX_LISTED: i64 = 1000;

pub(super) fn routes(table: Table) -> Table {
    let act = Needs::write(Resource::Users).fresh();
    table
        .get(PATH, Needs::read(Resource::Users), team)
        .post("/console/team/invitations", act, invite)
        .post("/console/team/invitations/:id/withdraw", act, withdraw)
        .post("/console/team/:id/role", act, change_role)
        .post("/console/team/:id/disable", act, disable)
        .post("/console/team/:id/enable", act, enable)
        .post("/console/team/:id/end-sessions", act, end_sessions)
        .post("/console/team/:id/reset-factors", act, reset_factors)
        .post("/console/team/:id/unlink", act, unlink)
        .post("/console/team/:id/link", act, password_link)
        .post("/console/team/:id/delete", act, delete)
}

#[derive(Template)]
#[template(path = "console/team.html")]
struct Team<'a> {
    frame: &'a Frame,
    person: &'a Person,
    members: Vec<User>,
    columns: Columns<'a>,
    invitations: Vec<Invitation>,
    /// The roles this person may give.
    roles: Vec<Role>,
    may_write: bool,
    mail: bool,
    email: &'a str,
    error: Option<&'a str>,
    /// Shown this once: for whom, and the link.
    link: Option<(&'a str, &'a str)>,
}

impl Team<'_> {
    /// Whether this person may change that one.
    fn may_change(&self, member: &User) -> bool {
        self.may_write && member.id != self.person.user_id && self.person.role.may_give(member.role)
    }

    fn seen(&self, member: &User) -> String {
        member.seen_at.map_or_else(|| "never".to_owned(), |at| time(at).to_string())
    }
}

struct Invitation {
    id: i64,
    email: String,
    role: Role,
    invited_by: String,
    until: When,
}

impl Invitation {
    fn new(link: EntryLink) -> Option<Self> {
        let Purpose::Invitation { email, role, invited_by } = link.purpose else { return None };
        let until = time(link.expires_at);
        Some(Self { id: link.id, email, role, invited_by, until })
    }
}

/// What is shown besides who is there.
#[derive(Default)]
struct Aside<'a> {
    /// The order of the people.
    asked: Typed,
    email: &'a str,
    error: Option<&'a str>,
    link: Option<(&'a str, &'a str)>,
}

async fn page(console: &Console, person: &Person, frame: &Frame, aside: Aside<'_>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let Aside { asked, email, error, link } = aside;
    let order = match asked.given("sort") {
        None => Order::oldest(),
        Some(sort) => sort.parse().map_err(|error| Failure::Malformed(format!("There is no such order: {error}.")))?,
    };
    let members = users::list_some(&mut conn, &UserFilter::default(), &Slice::first(order, MAX_LISTED)).await?;
    let invitations = entry_links::invitations(&mut conn, console.now()).await?.into_iter().filter_map(Invitation::new).collect();
    let shown = Team {
        frame,
        person,
        members,
        columns: Columns::new(PATH, &[], &asked, "id"),
        invitations,
        roles: Role::ALL.iter().copied().filter(|role| person.role.may_give(*role)).collect(),
        may_write: person.may(Permission::write(Resource::Users)),
        mail: console.letters.are_sent(),
        email,
        error,
        link,
    };
    Ok(show(if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &shown))
}

#[handler]
async fn team(person: Person, frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, Aside { asked: Typed::from(asked), ..Aside::default() }).await
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    email: String,
    role: Role,
}

#[handler]
async fn invite(
    person: Person,
    frame: Frame,
    acts: Acts,
    Form(invited): Form<Invited>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let email = invited.email.as_str();
    let error = match acts.post("/invitations", Some(&json!({ "email": email, "role": invited.role }))).await {
        Ok(made) if made.has("link") => {
            let link = Some((made.text("email"), made.text("link")));
            return page(console, &person, &frame, Aside { link, ..Aside::default() }).await;
        }
        Ok(_) => return Ok(see_other(PATH)),
        Err(refused) if refused.status == StatusCode::CONFLICT => "Somebody of this address is here already.",
        Err(refused) if refused.field("email").is_some() => "This is not a mail address like name@example.com.",
        Err(refused) => return Err(refused.into()),
    };
    page(console, &person, &frame, Aside { email, error: Some(error), ..Aside::default() }).await
}

/// Back to the team, or why it was not done.
fn done(outcome: Result<Value, Refused>) -> Result<Response, Failure> {
    match outcome {
        Ok(_) => Ok(see_other(PATH)),
        Err(refused) => Err(refused.into()),
    }
}

#[handler]
async fn withdraw(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.delete(&format!("/invitations/{id}")).await)
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

#[handler]
async fn change_role(acts: Acts, Path(id): Path<i64>, Form(new): Form<NewRole>) -> Result<Response, Failure> {
    done(acts.patch(&format!("/users/{id}"), &json!({ "role": new.role }), None).await)
}

#[handler]
async fn disable(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.patch(&format!("/users/{id}"), &json!({ "disabled": true }), None).await)
}

#[handler]
async fn enable(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.patch(&format!("/users/{id}"), &json!({ "disabled": false }), None).await)
}

#[handler]
async fn end_sessions(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.delete(&format!("/users/{id}/sessions")).await)
}

#[handler]
async fn reset_factors(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.delete(&format!("/users/{id}/factors")).await)
}

#[handler]
async fn unlink(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.delete(&format!("/users/{id}/identities")).await)
}

/// A link by which somebody who is locked out chooses a new password; shown once, to be handed over.
#[handler]
async fn password_link(
    person: Person,
    frame: Frame,
    acts: Acts,
    Path(id): Path<i64>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let made = acts.post(&format!("/users/{id}/link"), None).await?;
    let user = acts.get(&format!("/users/{id}")).await?;
    let link = Some((user.text("email"), made.text("link")));
    page(console, &person, &frame, Aside { link, ..Aside::default() }).await
}

#[handler]
async fn delete(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    done(acts.delete(&format!("/users/{id}")).await)
}
