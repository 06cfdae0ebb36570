//! `/console/notifications`: what subscribers are owed, every try, and sending again.

use askama::Template;
use domain::{Permission, Resource, Span, Timestamp};
use poem::{
    Response, handler,
    http::StatusCode,
    web::{Data, Path},
};
use serde_json::{Value, json};
use storage::notifications::{NotificationState, n_dead};

use super::{
    Console, UNDO_SECS,
    acts::Acts,
    chosen::{self, Bar},
    columns::Columns,
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table},
    pager::Pager,
    seen::{Asked, Seen, Sent, Typed, address, at},
    session::Person,
    zone::{When, time},
};

const PATH: &str = "/console/notifications";
/// How far back dead ones may be taken up, in hours.
const HOURS: [i64; 4] = [1, 6, 24, 168];
const HOUR: Span = Span::mins(60);

pub(super) fn routes(table: Table) -> Table {
    let (look, act) = (Needs::read(Resource::Notifications), Needs::write(Resource::Notifications));
    table
        .get(PATH, look, list)
        .get("/console/notifications/resend", act, resend_page)
        .post("/console/notifications/resend", act, resend_many)
        .post("/console/notifications/resend/undo", act, undo)
        .get("/console/notifications/:id", look, one)
        .post("/console/notifications/:id/resend", act, resend)
}

fn may_send(person: &Person) -> bool {
    person.may(Permission::write(Resource::Notifications))
}

/// Where what is told of is found in the console; of an endpoint, nowhere.
pub(super) fn place_of(about: &Value) -> Option<String> {
    let area = match about.text("kind") {
        "incident" => "incidents",
        "maintenance" => "maintenances",
        "component" => "components",
        _ => return None,
    };
    Some(format!("/console/{area}/{}", about.number("id")))
}

#[derive(Template)]
#[template(path = "console/notifications.html")]
struct List<'a> {
    frame: &'a Frame,
    typed: &'a Typed,
    rows: &'a [Value],
    pager: Pager,
    columns: Columns<'a>,
    bar: Bar,
    may_send: bool,
    /// What was just sent again, as long as it can be taken back.
    waiting: Option<Waiting>,
    taken_back: Option<i64>,
}

/// What goes out again soon.
struct Waiting {
    n: i64,
    at: Timestamp,
    /// How long until then.
    seconds: i64,
}

impl Waiting {
    /// What the address says, if it is still to come.
    fn read(typed: &Typed, now: Timestamp) -> Option<Self> {
        let (n, at) = (typed.number("sent")?, Timestamp(typed.number("at")?));
        let seconds = at.since(now).0.div_euclid(1000) + 1;
        (at > now && seconds <= UNDO_SECS + 1).then_some(Self { n, at, seconds: seconds.min(UNDO_SECS) })
    }
}

impl List<'_> {
    /// The title of the incident that the list is narrowed to.
    fn of_incident(&self) -> Option<&str> {
        self.typed.given("incident")?;
        self.rows.first().map(|row| row.part("about").text("title"))
    }

    fn is_narrow(&self) -> bool {
        ["state", "subscriber", "incident"].iter().any(|field| self.typed.given(field).is_some())
    }

    fn states(&self) -> impl Iterator<Item = &'static str> {
        NotificationState::ALL.iter().map(|state| state.as_str())
    }
}

#[handler]
async fn list(person: Person, frame: Frame, acts: Acts, asked: Asked) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let (waiting, taken_back) = (Waiting::read(&typed, acts.now), typed.number("taken_back"));
    let filters = ["state", "subscriber", "incident", "sort"].map(|name| (name, typed.text(name)));
    let path = address("/notifications", &[&filters[..], &[("cursor", typed.text("cursor"))]].concat());
    let listed = acts.get(&path).await?;
    let pager = Pager::new(PATH, &filters, &typed, listed.text("next"));
    let bar = Bar::new(&person, &[&chosen::RESEND], &filters, &typed);
    let page = List {
        frame: &frame,
        typed: &typed,
        rows: listed.list("items"),
        pager,
        columns: Columns::new(PATH, &filters, &typed, "-id"),
        bar,
        may_send: may_send(&person),
        waiting,
        taken_back,
    };
    Ok(show(StatusCode::OK, &page))
}

#[derive(Template)]
#[template(path = "console/notification.html")]
struct Notification<'a> {
    frame: &'a Frame,
    notification: Value,
    attempts: &'a [Value],
    may_send: bool,
}

#[handler]
async fn one(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let notification = acts.get(&format!("/notifications/{id}")).await?;
    let attempts = acts.get(&format!("/notifications/{id}/attempts")).await?;
    let may_send = may_send(&person) && ["delivered", "dead"].contains(&notification.text("state"));
    Ok(show(StatusCode::OK, &Notification { frame: &frame, notification, attempts: attempts.list("items"), may_send }))
}

#[handler]
async fn resend(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    acts.post(&format!("/notifications/{id}/resend"), None).await?;
    Ok(see_other(&format!("{PATH}/{id}")))
}

#[derive(Template)]
#[template(path = "console/resend.html")]
struct Resend<'a> {
    frame: &'a Frame,
    /// How many hours back, how many there are, and whether that is chosen.
    choices: Vec<(i64, i64, bool)>,
    chosen: i64,
    count: i64,
    since: Timestamp,
}

impl Resend<'_> {
    fn words(&self, hours: &i64) -> String {
        match *hours {
            1 => "last hour".to_owned(),
            168 => "last 7 days".to_owned(),
            hours => format!("last {hours} hours"),
        }
    }

    fn since_in_words(&self) -> When {
        time(self.since)
    }
}

#[handler]
async fn resend_page(frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let chosen = Typed::from(asked).number("hours").filter(|hours| HOURS.contains(hours)).unwrap_or(24);
    let since = |hours: i64| Timestamp(console.now().0 - hours * HOUR.0);
    let mut conn = console.db.read().await?;
    let (mut choices, mut count) = (Vec::new(), 0);
    for hours in HOURS {
        let n = n_dead(&mut conn, since(hours)).await?;
        choices.push((hours, n, hours == chosen));
        if hours == chosen {
            count = n;
        }
    }
    Ok(show(StatusCode::OK, &Resend { frame: &frame, choices, chosen, count, since: since(chosen) }))
}

#[handler]
async fn resend_many(acts: Acts, sent: Sent) -> Result<Response, Failure> {
    let typed = Typed::from(sent);
    let since = typed.number("since").map(|since| Timestamp(since).to_string());
    let since = since.ok_or_else(|| Failure::Malformed("It is not said since when.".to_owned()))?;
    let resent = acts.post("/notifications/resend", Some(&json!({ "since": since, "wait_seconds": UNDO_SECS }))).await?;
    Ok(see_other(&sent_again(&resent)))
}

/// Where it can be taken back that dead ones are sent again.
pub(super) fn sent_again(resent: &Value) -> String {
    let at_ms = at(resent, "at").map_or_else(String::new, |at| at.0.to_string());
    address(PATH, &[("sent", &resent.number("resent").to_string()), ("at", &at_ms)])
}

/// Takes back that dead ones are sent again, before they are.
#[handler]
async fn undo(acts: Acts, sent: Sent) -> Result<Response, Failure> {
    let at = Typed::from(sent).number("at").map(|at| Timestamp(at).to_string());
    let at = at.ok_or_else(|| Failure::Malformed("It is not said what is to be taken back.".to_owned()))?;
    let undone = acts.post("/notifications/resend/undo", Some(&json!({ "at": at }))).await?;
    Ok(see_other(&address(PATH, &[("state", "dead"), ("taken_back", &undone.number("taken_back").to_string())])))
}
