//! `/notifications`: what subscribers are owed, and what became of it.

use domain::{IncidentId, NotificationId, Span, SubscriberId};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use storage::{
    Connection, Topic,
    notifications::{self, Notification, NotificationFilter, NotificationState},
    order::{Order, Slice},
};

use super::{
    Admin,
    body::Body,
    bulk::check_ids,
    fields::Fields,
    gate::Caller,
    problem::Problem,
    reply::{Accepted, List, Shown, View},
    sorting,
    types::{Name, Sort, Time},
};

/// The longest that what is sent again may wait.
const MAX_WAIT_SECS: i64 = 60;

pub(super) struct NotificationsApi(pub(super) Admin);

/// What is owed to one subscriber.
#[derive(Object)]
#[oai(rename = "Notification")]
struct NotificationView {
    id: i64,
    /// What happened; the same for all who are told of it.
    notice: i64,
    /// What kind of thing happened, e.g. `incident.opened`.
    kind: String,
    about: AboutView,
    /// The id of the subscriber.
    subscriber: i64,
    channel: String,
    address: String,
    state: Name<NotificationState>,
    /// The number of the next try, or of the last one if it is done with.
    attempt: i32,
    /// When the next try is due; null if there is none to come.
    #[oai(nullable)]
    next_at: Option<Time>,
    /// Why the last try failed.
    #[oai(nullable)]
    last_error: Option<String>,
    created_at: Time,
    #[oai(nullable)]
    done_at: Option<Time>,
}

impl View for NotificationView {}

/// What is told of, as it was called when it happened.
#[derive(Object)]
#[oai(rename = "NotificationAbout")]
struct AboutView {
    /// `incident`, `maintenance`, `component` or `endpoint`.
    kind: String,
    /// The id of the incident, maintenance or component; null of an endpoint.
    #[oai(nullable)]
    id: Option<i64>,
    /// Its title, name or address.
    title: String,
}

/// A try to deliver a notification.
#[derive(Object)]
#[oai(rename = "Attempt")]
struct AttemptView {
    /// Its number; begins again at 1 when a notification is sent again.
    n: i32,
    at: Time,
    duration_ms: i64,
    /// `delivered`, `transient`, `permanent` or `gone`.
    outcome: String,
    /// What the other side said, or what went wrong.
    detail: String,
}

/// Which dead notifications to send again: either those that are named, or all since a time.
#[derive(Object)]
struct ResendMany {
    /// Those that were made at this time or later.
    since: Option<Time>,
    /// Those of these that are dead: each id once, at most 200.
    ids: Option<Vec<i64>>,
    /// For how long nothing goes out, so that it can be taken back; at most 60, and 0 if it is left out.
    wait_seconds: Option<i64>,
    /// Only says how many there are.
    dry_run: Option<bool>,
}

/// How many notifications are sent again.
#[derive(Object)]
struct Resent {
    /// With `dry_run`: how many would be.
    resent: u64,
    /// From when on: what it is taken back by.
    at: Time,
    dry_run: bool,
}

/// What is not to be sent again after all.
#[derive(Object)]
struct TakeBack {
    /// The `at` of the answer that said it would be.
    at: Time,
}

/// How many notifications are not sent again.
#[derive(Object)]
struct TakenBack {
    taken_back: u64,
}

#[OpenApi]
impl NotificationsApi {
    /// Lists notifications, newest first.
    #[oai(path = "/notifications", method = "get")]
    async fn list(
        &self,
        limit: Query<Option<i64>>,
        cursor: Query<Option<String>>,
        state: Query<Option<Name<NotificationState>>>,
        /// The id of a subscriber.
        subscriber: Query<Option<i64>>,
        /// The id of an incident: only what tells of it.
        incident: Query<Option<i64>>,
        /// By what they are ordered; the newest come first if it is left out.
        sort: Query<Option<Sort<Notification>>>,
    ) -> Result<Json<List<NotificationView>>, Problem> {
        let slice = sorting::slice(limit.0, cursor.0.as_deref(), sort.0, Order::newest())?;
        let filter = NotificationFilter {
            id: None,
            state: state.0.map(|state| state.0),
            subscriber: subscriber.0.map(SubscriberId),
            incident: incident.0.map(IncidentId),
        };
        let rows = notifications::list(&mut self.0.db.read().await?, filter, &slice).await?;
        Ok(Json(sorting::list(&slice, rows, view)))
    }

    /// Shows a notification.
    #[oai(path = "/notifications/:id", method = "get")]
    async fn show(&self, id: Path<i64>) -> Result<Shown<NotificationView>, Problem> {
        Ok(Shown(load(&mut self.0.db.read().await?, NotificationId(id.0)).await?))
    }

    /// Lists the tries of a notification, oldest first. There are few, so all come at once.
    #[oai(path = "/notifications/:id/attempts", method = "get")]
    async fn attempts(&self, id: Path<i64>) -> Result<Json<List<AttemptView>>, Problem> {
        let mut conn = self.0.db.read().await?;
        load(&mut conn, NotificationId(id.0)).await?;
        let attempts = notifications::attempts(&mut conn, NotificationId(id.0)).await?;
        let attempt = |attempt: notifications::Attempt| AttemptView {
            n: attempt.n,
            at: Time(domain::Timestamp(attempt.at)),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            detail: attempt.detail,
        };
        Ok(Json(List { items: attempts.into_iter().map(attempt).collect(), next: None }))
    }

    /// Sends a notification again that was delivered or given up.
    #[oai(path = "/notifications/:id/resend", method = "post")]
    async fn resend(&self, Data(caller): Data<&Caller>, id: Path<i64>) -> Result<Accepted<NotificationView>, Problem> {
        let id = NotificationId(id.0);
        let mut tx = self.0.db.begin().await?;
        if !notifications::resend(&mut tx, id, self.0.now()).await? {
            let state = load(&mut tx, id).await?.state.0;
            return Err(Problem::conflict(format!("this notification is {}: only delivered and dead ones are sent again", state.as_str())));
        }
        self.0.commit(tx, caller).await?;
        self.0.wake.wake(Topic::Notifications).await;
        Ok(Accepted(load(&mut self.0.db.read().await?, id).await?))
    }

    /// Sends notifications again that were given up: those that are named, or all since a time.
    #[oai(path = "/notifications/resend", method = "post")]
    async fn resend_many(&self, Data(caller): Data<&Caller>, body: Body<ResendMany>) -> Result<Accepted<Resent>, Problem> {
        let wait = body.0.wait_seconds.unwrap_or_default();
        if !(0..=MAX_WAIT_SECS).contains(&wait) {
            return Err(Problem::field("wait_seconds", format!("must lie between 0 and {MAX_WAIT_SECS}")));
        }
        let at = self.0.now().plus(Span(wait * 1000));
        let mut fields = Fields::default();
        match (&body.0.ids, &body.0.since) {
            (Some(ids), None) => check_ids(&mut fields, ids),
            (None, Some(_)) => {}
            (Some(_), Some(_)) => fields.refuse("since", "cannot be given beside `ids`"),
            (None, None) => fields.refuse("since", "is needed, or `ids` in its place"),
        }
        fields.done()?;
        let dry_run = body.0.dry_run == Some(true);
        let mut tx = self.0.db.begin().await?;
        let resent = match (body.0.ids, body.0.since) {
            (Some(ids), _) => {
                let ids: Vec<NotificationId> = ids.into_iter().map(NotificationId).collect();
                notifications::resend_these(&mut tx, &ids, at).await?
            }
            (None, since) => notifications::resend_dead(&mut tx, since.map_or(at, |since| since.0), at).await?,
        };
        if dry_run {
            caller.trail.changes_nothing();
        } else {
            caller.trail.touched(resent);
            self.0.commit(tx, caller).await?;
            self.0.wake.wake(Topic::Notifications).await;
        }
        Ok(Accepted(Resent { resent, at: Time(at), dry_run }))
    }

    /// Takes back that notifications are sent again, as long as they wait.
    #[oai(path = "/notifications/resend/undo", method = "post")]
    async fn take_back(&self, Data(caller): Data<&Caller>, body: Body<TakeBack>) -> Result<Accepted<TakenBack>, Problem> {
        let (at, now) = (body.0.at.0, self.0.now());
        if at <= now {
            return Err(Problem::conflict("they are on their way already"));
        }
        let mut tx = self.0.db.begin().await?;
        let taken_back = notifications::take_back(&mut tx, at, now).await?;
        caller.trail.touched(taken_back);
        self.0.commit(tx, caller).await?;
        Ok(Accepted(TakenBack { taken_back }))
    }
}

async fn load(conn: &mut Connection, id: NotificationId) -> Result<NotificationView, Problem> {
    let filter = NotificationFilter { id: Some(id), ..NotificationFilter::default() };
    let found = notifications::list(conn, filter, &Slice::first(Order::newest(), 1)).await?.pop();
    found.map(view).ok_or_else(|| Problem::not_found("notification"))
}

fn view(row: Notification) -> NotificationView {
    let is_open = matches!(row.state, NotificationState::Due | NotificationState::Sending);
    NotificationView {
        id: row.id.0,
        notice: row.notice.0,
        kind: row.kind,
        about: AboutView { kind: row.about.kind.to_owned(), id: row.about.id, title: row.about.title },
        subscriber: row.subscriber.0,
        channel: row.channel,
        address: row.address,
        state: Name(row.state),
        attempt: row.attempt,
        next_at: is_open.then_some(Time(row.next_at)),
        last_error: row.last_error,
        created_at: Time(row.created_at),
        done_at: row.done_at.map(Time),
    }
}
