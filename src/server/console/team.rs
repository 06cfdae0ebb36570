//! `/console/team`: who is here, as what, and who is invited.

use askama::Template;
use domain::{Permission, Resource, Role, UserId, mail_address};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Form, Path},
};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{
    Connection, devices,
    entry_links::{self, EntryLink, Purpose},
    factors,
    security::{self, Event},
    sessions,
    users::{self, Changed, User},
};

use super::{
    Console, entry_link,
    failure::Failure,
    frame::{Frame, see_other, show, time},
    gate::{Needs, Table},
    letters::Words,
    session::{Origin, Person},
};

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
        .post("/console/team/:id/link", act, password_link)
        .post("/console/team/:id/delete", act, delete)
}

#[derive(Template)]
#[template(path = "console/team.html")]
struct Team<'a> {
    frame: &'a Frame,
    person: &'a Person,
    members: Vec<User>,
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
        member.seen_at.map_or_else(|| "never".to_owned(), time)
    }
}

struct Invitation {
    id: i64,
    email: String,
    role: Role,
    invited_by: String,
    until: String,
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
    email: &'a str,
    error: Option<&'a str>,
    link: Option<(&'a str, &'a str)>,
}

async fn page(console: &Console, person: &Person, frame: &Frame, aside: Aside<'_>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let members = users::list(&mut conn, 0, MAX_LISTED).await?;
    let invitations = entry_links::invitations(&mut conn, console.now()).await?.into_iter().filter_map(Invitation::new).collect();
    let Aside { email, error, link } = aside;
    let shown = Team {
        frame,
        person,
        members,
        invitations,
        roles: Role::ALL.iter().copied().filter(|role| person.role.may_give(*role)).collect(),
        may_write: person.may(Permission::write(Resource::Users)),
        mail: console.channels.sends_mail(),
        email,
        error,
        link,
    };
    Ok(show(if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &shown))
}

#[handler]
async fn team(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, Aside::default()).await
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
    origin: Origin,
    Form(invited): Form<Invited>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let refuse = |error| page(console, &person, &frame, Aside { email: &invited.email, error: Some(error), link: None });
    check_role(&person, invited.role)?;
    let Some(email) = mail_address(&invited.email) else { return refuse("This is not a mail address like name@example.com.").await };
    let mut tx = console.db.begin().await?;
    if users::find_by_email(&mut tx, &email).await?.is_some() {
        drop(tx);
        return refuse("Somebody of this address is here already.").await;
    }
    let purpose = Purpose::Invitation { email: email.clone(), role: invited.role, invited_by: person.email.clone() };
    let link = entry_link(&mut tx, &purpose, &console.base_url, console.now()).await?;
    record(
        &mut tx,
        console,
        &person,
        &origin,
        "invitation.made",
        format!("invitation:{email}"),
        (Value::Null, json!({ "role": invited.role })),
    )
    .await?;
    tx.commit().await?;
    if !console.channels.sends_mail() {
        return page(console, &person, &frame, Aside { link: Some((&email, &link)), ..Aside::default() }).await;
    }
    let words = Words {
        subject: "You are invited",
        text: format!("{} invites you as {}. The link works once, for three days:", person.name, invited.role),
        link,
        foot: "If you do not know what this is about, ignore this mail.",
    };
    console.write(&email, words);
    Ok(see_other(PATH))
}

fn check_role(person: &Person, role: Role) -> Result<(), Failure> {
    if person.role.may_give(role) { Ok(()) } else { Err(Failure::Forbidden(format!("Only an owner decides who is {role}."))) }
}

#[handler]
async fn withdraw(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut tx = console.db.begin().await?;
    if !entry_links::delete_invitation(&mut tx, id).await? {
        return Err(Failure::NotFound("There is no such invitation; it may have been accepted, or has run out."));
    }
    record(&mut tx, console, &person, &origin, "invitation.withdrawn", format!("invitation:{id}"), (Value::Null, Value::Null)).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}

/// Begins to change somebody, who is neither the person who asks nor above them.
async fn begin(console: &Console, person: &Person, id: i64) -> Result<(Connection, User), Failure> {
    let mut tx = console.db.begin().await?;
    let user = users::find(&mut tx, UserId(id)).await?.ok_or(Failure::NotFound("There is nobody here of this number."))?;
    if user.id == person.user_id {
        return Err(Failure::Conflict("You cannot do this to yourself. Ask another owner.".to_owned()));
    }
    check_role(person, user.role)?;
    Ok((tx, user))
}

async fn record(
    tx: &mut Connection,
    console: &Console,
    person: &Person,
    origin: &Origin,
    action: &'static str,
    subject: String,
    (before, after): (Value, Value),
) -> Result<(), Failure> {
    let event = Event { action, actor: person.actor(), address: Some(&origin.address), subject, before, after };
    Ok(security::record(tx, &console.secrets, console.now(), &event).await?)
}

fn check(changed: Changed) -> Result<(), Failure> {
    match changed {
        Changed::Yes => Ok(()),
        Changed::NoSuchUser => Err(Failure::NotFound("There is nobody here of this number.")),
        Changed::LastOwner => Err(Failure::Conflict("They are the only owner who can sign in. Make another one first.".to_owned())),
    }
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

#[handler]
async fn change_role(
    person: Person,
    origin: Origin,
    Path(id): Path<i64>,
    Form(new): Form<NewRole>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    check_role(&person, new.role)?;
    check(users::set_role(&mut tx, user.id, new.role).await?)?;
    let change = (json!({ "role": user.role }), json!({ "role": new.role }));
    record(&mut tx, console, &person, &origin, "user.role_changed", format!("user:{id}"), change).await?;
    tx.commit().await?;
    console.tell(&user.email, "Your role was changed", format!("You are {} now, on the word of {}.", new.role, person.name));
    Ok(see_other(PATH))
}

#[handler]
async fn disable(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    check(users::set_disabled(&mut tx, user.id, Some(console.now())).await?)?;
    record(&mut tx, console, &person, &origin, "user.disabled", format!("user:{id}"), (Value::Null, Value::Null)).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}

#[handler]
async fn enable(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    check(users::set_disabled(&mut tx, user.id, None).await?)?;
    record(&mut tx, console, &person, &origin, "user.enabled", format!("user:{id}"), (Value::Null, Value::Null)).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}

#[handler]
async fn end_sessions(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    sessions::end_all(&mut tx, user.id, None).await?;
    devices::forget_all(&mut tx, user.id).await?;
    record(&mut tx, console, &person, &origin, "user.sessions_ended", format!("user:{id}"), (Value::Null, Value::Null)).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}

#[handler]
async fn reset_factors(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    factors::remove_all(&mut tx, user.id).await?;
    sessions::end_all(&mut tx, user.id, None).await?;
    let change = (json!({ "second_factor": user.has_factor }), json!({ "second_factor": false }));
    record(&mut tx, console, &person, &origin, "user.factors_reset", format!("user:{id}"), change).await?;
    tx.commit().await?;
    console.tell(&user.email, "Your second factor was removed", format!("{} took it away, since you had lost it.", person.name));
    Ok(see_other(PATH))
}

/// A link by which somebody who is locked out chooses a new password; shown once, to be handed over.
#[handler]
async fn password_link(
    person: Person,
    frame: Frame,
    origin: Origin,
    Path(id): Path<i64>,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    if user.disabled_at.is_some() {
        return Err(Failure::Conflict("They are shut out. Let them in again first.".to_owned()));
    }
    let link = entry_link(&mut tx, &Purpose::Password { user: user.id }, &console.base_url, console.now()).await?;
    record(&mut tx, console, &person, &origin, "user.link_made", format!("user:{id}"), (Value::Null, Value::Null)).await?;
    tx.commit().await?;
    page(console, &person, &frame, Aside { link: Some((&user.email, &link)), ..Aside::default() }).await
}

#[handler]
async fn delete(person: Person, origin: Origin, Path(id): Path<i64>, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let (mut tx, user) = begin(console, &person, id).await?;
    check(users::delete(&mut tx, user.id).await?)?;
    record(&mut tx, console, &person, &origin, "user.deleted", format!("user:{id}"), (json!({ "role": user.role }), Value::Null)).await?;
    tx.commit().await?;
    Ok(see_other(PATH))
}
