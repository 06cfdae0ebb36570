//! One integration: how it is set up, what comes in, what is made of it, and how it is.

use std::collections::BTreeSet;

use askama::Template;
use domain::{Permission, Resource};
use integrations::Provider;
use poem::{
    IntoResponse, Response, handler,
    http::StatusCode,
    web::{Json, Path},
};
use serde_json::{Value, json};

use super::{answers::last_answer, find, guide, may_write, provider_of, quarantined, test_page::answer_since, way};
use crate::console::{
    acts::Acts,
    failure::Failure,
    frame::{Frame, show},
    seen::{Asked, Seen, Typed, address, names},
    session::Person,
};

/// The newest deliveries that are shown.
const N_SHOWN: &str = "10";
/// How many things are told of one delivery.
const MAX_SAID: usize = 3;

#[derive(Template)]
#[template(path = "console/integration.html")]
struct Page<'a> {
    frame: &'a Frame,
    integration: Value,
    health: Value,
    /// Of a source that is asked: when it last answered.
    answer: Option<String>,
    provider: &'static Provider,
    way: &'static str,
    guide: String,
    deliveries: Vec<Value>,
    quarantined: (i64, bool),
    /// Shown this once.
    secret: Option<&'a str>,
    is_new: bool,
    may_write: bool,
    may_replay: bool,
    /// What came of it that somebody had it asked.
    asked: Option<String>,
}

impl Page<'_> {
    fn id(&self) -> i64 {
        self.integration.number("id")
    }

    fn components(&self, route: &Value) -> String {
        names(route, "components").join(", ")
    }

    /// What the severities mean, in one line.
    fn statuses(&self, route: &Value) -> String {
        let Some(map) = route.part("status").as_object() else { return String::new() };
        let word = |(severity, status): (&String, &Value)| Some(format!("{severity}: {}", status.as_str()?.replace('_', " ")));
        map.iter().filter_map(word).collect::<Vec<_>>().join(", ")
    }

    /// Whether it can be tried with what came in.
    fn has_deliveries(&self) -> bool {
        !self.deliveries.is_empty()
    }
}

#[handler]
pub(super) async fn page(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>, asked: Asked) -> Result<Response, Failure> {
    show_with(&person, &frame, &acts, id, Moment { asked: Typed::from(asked).number("asked"), ..Moment::default() }).await
}

/// What is so only this once.
#[derive(Default)]
pub(super) struct Moment<'a> {
    /// A secret that was just made.
    pub(super) secret: Option<&'a str>,
    pub(super) is_new: bool,
    /// When somebody had it asked, in milliseconds since 1970.
    pub(super) asked: Option<i64>,
}

/// The page, as it is at this moment.
pub(super) async fn show_with(person: &Person, frame: &Frame, acts: &Acts, id: i64, moment: Moment<'_>) -> Result<Response, Failure> {
    let Moment { secret, is_new, asked } = moment;
    let integration = find(acts, id).await?;
    let provider = provider_of(&integration).ok_or(Failure::NotFound("This kind of integration is not known to this version."))?;
    let health = acts.get(&format!("/integrations/{id}/health")).await?;
    let may_see = person.may(Permission::read(Resource::Deliveries));
    let deliveries = if may_see { newest(acts, integration.text("key")).await? } else { Vec::new() };
    let may_replay = person.may(Permission::write(Resource::Deliveries));
    let quarantined = if may_replay { quarantined(acts, integration.text("key")).await? } else { (0, false) };
    let guide = guide(provider, integration.text("hook_url"), secret.unwrap_or("YOUR-SECRET"));
    let way = way(provider);
    let may_write = may_write(person);
    let answer = last_answer(Some(provider), health.part("poll"), acts.now);
    let asked = asked.map(|since| answer_since(&health, since));
    let shown = Page {
        asked,
        frame,
        integration,
        health,
        answer,
        provider,
        way,
        guide,
        deliveries,
        quarantined,
        secret,
        is_new,
        may_write,
        may_replay,
    };
    Ok(show(StatusCode::OK, &shown))
}

async fn newest(acts: &Acts, key: &str) -> Result<Vec<Value>, Failure> {
    let list = acts.get(&address("/deliveries", &[("limit", N_SHOWN), ("integration", key)])).await?;
    let mut shown = Vec::new();
    for delivery in list.list("items") {
        let mut delivery = acts.get(&format!("/deliveries/{}", delivery.number("id"))).await?;
        delivery["said"] = said(&delivery).into();
        delivery["warned"] = warned(&delivery).into();
        shown.push(delivery);
    }
    Ok(shown)
}

/// What a delivery said, in a line, and nothing twice: senders also speak of a group as if it were a thing.
fn said(delivery: &Value) -> String {
    let mut words: Vec<String> = Vec::new();
    for signal in delivery.list("signals") {
        let word = format!("{} {}", signal.text("subject"), signal.text("state"));
        if !words.contains(&word) {
            words.push(word);
        }
        if words.len() > MAX_SAID {
            words.truncate(MAX_SAID);
            words.push("more".to_owned());
            break;
        }
    }
    words.join(", ")
}

/// What of a delivery was not understood: the first warning, and how many others there are.
fn warned(delivery: &Value) -> Option<String> {
    let all = delivery.list("signals").iter().flat_map(|signal| names(signal, "warnings"));
    let all: BTreeSet<String> = all.collect();
    let first = all.first()?;
    Some(if all.len() == 1 { first.clone() } else { format!("{first} (and {} more)", all.len() - 1) })
}

/// The newest deliveries, for the page that is open.
#[handler]
pub(super) async fn arrivals(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let integration = find(&acts, id).await?;
    let row = |delivery: &Value| {
        json!({
            "id": delivery.number("id"), "at": delivery.time("received_at").to_string(), "state": delivery.text("state"),
            "said": delivery.text("said"), "reason": delivery.text("reason"),
            "warned": delivery.text("warned"), "test": delivery.yes("test"),
        })
    };
    let rows: Vec<Value> = newest(&acts, integration.text("key")).await?.iter().map(row).collect();
    Ok(Json(rows).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_understood_is_said_once_and_the_rest_is_counted() {
        let line = |warnings: &[&[&str]]| {
            let signals: Vec<Value> = warnings.iter().map(|warnings| json!({ "warnings": warnings })).collect();
            warned(&json!({ "signals": signals }))
        };
        assert_eq!(line(&[&[], &[]]), None);
        assert_eq!(line(&[&["a"], &["a"]]).as_deref(), Some("a"));
        assert_eq!(line(&[&["b"], &["a", "c"]]).as_deref(), Some("a (and 2 more)"));
    }

    #[test]
    fn a_line_says_nothing_twice_and_not_everything() {
        let thing = |n: usize| json!({ "subject": format!("disk {n}"), "state": "firing" });
        let line = |signals: Vec<Value>| said(&json!({ "signals": signals }));
        assert_eq!(line(vec![]), "");
        assert_eq!(line(vec![thing(1), json!({ "subject": "disk 1", "state": "firing", "group": "disks" })]), "disk 1 firing");
        assert_eq!(line(vec![thing(1), json!({ "subject": "disk 1", "state": "resolved" })]), "disk 1 firing, disk 1 resolved");
        assert_eq!(line((1..=3).map(thing).collect()), "disk 1 firing, disk 2 firing, disk 3 firing");
        assert_eq!(line((1..=5).map(thing).collect()), "disk 1 firing, disk 2 firing, disk 3 firing, more");
    }
}
