//! `/console/`: what needs somebody, as a list of things to do.

use std::collections::BTreeMap;

use askama::Template;
use domain::{
    Component, HABIT_DELIVERIES, Incident, Maintenance, MaintenanceStatus, Permission, Publish, Resource, Span, Timestamp, is_silent,
};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::{
    Connection, StorageError,
    attention::{self, LostSource, MAX_COUNTED, Reason},
    insight, integrations,
    rows::{self, Incidents, Maintenances},
};

use super::{
    Console,
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    incidents::{Line, MAX_OPEN, Names, Waits, open_acts},
    session::Person,
    words,
    zone::{When, time},
};

/// What was given up longer ago than this is not to be done any more.
const DEAD_MATTER: Span = Span::mins(7 * 24 * 60);
/// The most integrations whose silence is looked into.
const MAX_INTEGRATIONS: i64 = 100;
/// The reasons told of one component.
const MAX_REASONS: usize = 3;

pub(super) fn routes(table: Table) -> Table {
    table.get("/console/", Needs::read(Resource::Incidents), to_do)
}

/// A component that is worse inside than outside.
struct Gap {
    id: i64,
    name: String,
    class: &'static str,
    inside: &'static str,
    outside: &'static str,
    why: Vec<String>,
    /// Whether a person's word hides it.
    overridden: bool,
    /// The draft that waits for it.
    draft: Option<i64>,
}

/// A maintenance that runs.
struct Window {
    id: i64,
    title: String,
    until: When,
}

/// Something about the machinery.
struct Fault {
    text: String,
    detail: String,
    href: String,
    act: &'static str,
}

#[derive(Template)]
#[template(path = "console/now.html")]
struct Now<'a> {
    frame: &'a Frame,
    name: &'a str,
    may_incidents: bool,
    may_override: bool,
    may_maintain: bool,
    /// What was published and has not left, or could not.
    waiting: Vec<Waits>,
    drafts: Vec<Line>,
    gaps: Vec<Gap>,
    open: Vec<Line>,
    running: Vec<Window>,
    faults: Vec<Fault>,
    n_components: usize,
    /// What was last otherwise, where nothing is now.
    last: Option<Ended>,
}

/// An incident that is over.
struct Ended {
    id: i64,
    title: String,
    ago: String,
}

impl Now<'_> {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.drafts.is_empty()
            && self.gaps.is_empty()
            && self.open.is_empty()
            && self.running.is_empty()
            && self.faults.is_empty()
    }
}

#[handler]
async fn to_do(person: Person, frame: Frame, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let components = rows::components(&mut conn).await?;
    let names: Names = components.iter().map(|component| (component.id, component.name.clone())).collect();
    let incidents = rows::incidents(&mut conn, Incidents::Open(MAX_OPEN)).await?;
    let gaps = gaps(&mut conn, &components, &incidents).await?;
    let maintenances = rows::maintenances(&mut conn, Maintenances::Open).await?;
    let (open, drafts): (Vec<Incident>, Vec<Incident>) = incidents.into_iter().partition(|incident| incident.published);
    let line = |incident| Line::new(incident, &names, console);
    let shown = Now {
        frame: &frame,
        name: &person.name,
        may_incidents: person.may(Permission::write(Resource::Incidents)),
        may_override: person.may(Permission::write(Resource::Overrides)),
        may_maintain: person.may(Permission::write(Resource::Maintenances)),
        waiting: open_acts(&mut conn, console.now()).await?,
        drafts: drafts.into_iter().map(line).collect(),
        gaps,
        open: open.into_iter().map(line).collect(),
        running: running(maintenances),
        faults: faults(&mut conn, &person, console.now()).await?,
        n_components: components.len(),
        last: last(&mut conn, console.now()).await?,
    };
    Ok(show(StatusCode::OK, &shown))
}

/// The incident that ended last, or nearly so: the newest of those that did.
async fn last(conn: &mut Connection, now: Timestamp) -> Result<Option<Ended>, StorageError> {
    let newest = rows::incidents(conn, Incidents::Over { before: i64::MAX, limit: 1 }).await?.pop();
    let ended = |incident: Incident| Some(Ended { id: incident.id.0, ago: words::ago(incident.resolved_at?, now), title: incident.title });
    Ok(newest.and_then(ended))
}

/// The components that are red inside and green, or greener, outside.
async fn gaps(conn: &mut Connection, components: &[Component], incidents: &[Incident]) -> Result<Vec<Gap>, StorageError> {
    let worse = |component: &&Component| component.internal_status > component.status && component.internal_status.is_fault();
    let found: Vec<&Component> = components.iter().filter(worse).collect();
    let ids: Vec<_> = found.iter().map(|component| component.id).collect();
    let mut reasons: BTreeMap<_, Vec<Reason>> = BTreeMap::new();
    for reason in attention::reasons(conn, &ids).await? {
        reasons.entry(reason.component).or_default().push(reason);
    }
    let gap = |component: &Component| {
        let reasons = reasons.remove(&component.id).unwrap_or_default();
        let draft = incidents.iter().find(|incident| !incident.published && incident.components.contains_key(&component.id));
        Gap {
            id: component.id.0,
            name: component.name.clone(),
            class: component.internal_status.as_str(),
            inside: words::status(&component.internal_status),
            outside: component.status.words(),
            why: explain(component, &reasons, draft.and_then(|incident| incident.publishes_at)),
            overridden: component.overridden.is_some(),
            draft: draft.map(|incident| incident.id.0),
        }
    };
    Ok(found.into_iter().map(gap).collect())
}

/// Why readers do not see what is wrong.
fn explain(component: &Component, reasons: &[Reason], held_until: Option<Timestamp>) -> Vec<String> {
    let word = component.overridden.as_ref().map(|word| {
        let until = word.until.map_or_else(String::new, |until| format!(" until {}", time(until)));
        format!("{} set it to {}{until}.", word.by, word.status.words())
    });
    let told = reasons.iter().filter(|reason| reason.cause.counts()).take(MAX_REASONS).map(|reason| {
        let kept = match (reason.cause.is_muted(), reason.publish) {
            (true, _) => "muted with an incident that was ended".to_owned(),
            (false, Publish::Shadow) => "its route only tries things out".to_owned(),
            (false, Publish::Draft) => "its route leaves publishing to you".to_owned(),
            (false, Publish::Auto) => {
                held_until.map_or_else(|| "its route publishes".to_owned(), |at| format!("its route publishes at {}", time(at)))
            }
        };
        let summary = if reason.cause.summary.is_empty() { &reason.cause.fingerprint } else { &reason.cause.summary };
        format!("{summary} ({kept})")
    });
    word.into_iter().chain(told).collect()
}

fn running(maintenances: Vec<Maintenance>) -> Vec<Window> {
    let running = maintenances.into_iter().filter(|maintenance| maintenance.status == MaintenanceStatus::InProgress);
    running.map(|maintenance| Window { id: maintenance.id.0, title: maintenance.title, until: time(maintenance.ends_at) }).collect()
}

/// What is wrong with the machinery, as far as this person may see it.
async fn faults(conn: &mut Connection, person: &Person, now: Timestamp) -> Result<Vec<Fault>, StorageError> {
    let mut faults = Vec::new();
    let may = |resource| person.may(Permission::read(resource));
    let all = if may(Resource::Integrations) { integrations::outlines(conn, MAX_INTEGRATIONS).await? } else { Vec::new() };
    if may(Resource::Deliveries) {
        for (id, n, newest) in attention::quarantined(conn).await? {
            let found = all.iter().find(|integration| integration.id == id);
            faults.push(quarantine(found.map(|found| (found.key.as_str(), found.name.as_str())), n, newest, now));
        }
    }
    if may(Resource::Notifications) {
        let n = attention::n_dead(conn, Timestamp(now.0.saturating_sub(DEAD_MATTER.0))).await?;
        if n > 0 {
            let text = format!("{} not be delivered", counted(n, "notification could", "notifications could"));
            let detail = "Given up within the last seven days.".to_owned();
            faults.push(Fault { text, detail, href: "/console/notifications?state=dead".to_owned(), act: "See whom" });
        }
    }
    if may(Resource::Integrations) {
        faults.extend(attention::lost_sources(conn, MAX_INTEGRATIONS).await?.into_iter().map(|source| unread(source, now)));
    }
    if may(Resource::Subscribers) {
        let n = attention::n_switched_off(conn).await?;
        if n > 0 {
            let text = format!("{} switched off", counted(n, "subscriber is", "subscribers are"));
            let detail = "Nothing reached them for five days, or they said that they are gone.".to_owned();
            faults.push(Fault { text, detail, href: "/console/subscribers".to_owned(), act: "See whom" });
        }
    }
    // Equal answers are not stored, so the deliveries of a source that is asked make no habit.
    let is_asked = |slug: &str| ::integrations::find(slug).is_some_and(|provider| provider.poll.is_some());
    for integration in all.into_iter().filter(|integration| integration.enabled && !is_asked(&integration.provider)) {
        let arrivals = insight::arrivals(conn, integration.id, ::integrations::silence::NOT_HEARD, HABIT_DELIVERIES).await?;
        if is_silent(&arrivals, now) == Some(true) {
            let heard = arrivals
                .first()
                .map_or_else(String::new, |at| format!("Last heard {}; it usually speaks more often.", words::ago(*at, now)));
            let text = format!("{} is silent", integration.name);
            faults.push(Fault { text, detail: heard, href: format!("/console/integrations/{}", integration.id), act: "Look into it" });
        }
    }
    Ok(faults)
}

fn unread(source: LostSource, now: Timestamp) -> Fault {
    let read = source.answered_at.map_or_else(|| "never read".to_owned(), |at| format!("last read {}", words::ago(at, now)));
    Fault {
        text: format!("{} cannot be read", source.name),
        detail: format!("What it feeds is unknown; {read}. {}", source.why),
        href: format!("/console/integrations/{}", source.integration),
        act: "Look into it",
    }
}

/// `of` is the key and name of the integration, if whoever looks may see it.
fn quarantine(of: Option<(&str, &str)>, n: i64, newest: Timestamp, now: Timestamp) -> Fault {
    let (filter, name) = of.map_or_else(|| (String::new(), "an integration"), |(key, name)| (format!("&integration={key}"), name));
    Fault {
        text: format!("{} of {name} in quarantine", counted(n, "delivery", "deliveries")),
        detail: format!("They could not be understood; the newest came {}.", words::ago(newest, now)),
        href: format!("/console/deliveries?state=quarantined{filter}"),
        act: "Look at them",
    }
}

fn counted(n: i64, one: &str, many: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        MAX_COUNTED => format!("{n} or more {many}"),
        n => format!("{n} {many}"),
    }
}
