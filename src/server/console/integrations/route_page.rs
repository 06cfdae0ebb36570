//! One route: a form, with what it would do before it is saved.

use askama::Template;
use domain::{Status, Weekday};
use poem::{
    IntoResponse, Response, handler,
    http::StatusCode,
    web::{Data, Html, Path},
};
use serde_json::{Value, json};

use super::{
    back_to, find, path_of,
    route_form::{HOURS, MINIMUM_SEVERITIES, PUBLISH, SEVERITIES, from_route, to_route},
    route_meanwhile, timeline,
};
use crate::{
    admin::Refused,
    console::{
        Console,
        acts::{Acts, sentence},
        choice::{self, Choice},
        failure::Failure,
        frame::{Frame, render, show},
        going::Next,
        meanwhile::{Meanwhile, Version},
        seen::{Asked, Seen, Sent, Typed, address, names},
    },
};

/// The newest deliveries that can be chosen to try it on.
const N_TO_TRY: &str = "20";
/// The most components and metrics that can be chosen.

#[derive(Template)]
#[template(path = "console/route.html")]
struct Page<'a> {
    frame: &'a Frame,
    integration: &'a Value,
    /// Its place, from 0; none for a new one.
    place: Option<usize>,
    typed: &'a Typed,
    choices: &'a Choices,
    refused: Option<&'a Refused>,
    /// Where in the request the route stood that was refused.
    refused_at: usize,
    suggested: Option<Suggested>,
    trial: Option<Value>,
    /// Whether a back-test goes on.
    goes_on: bool,
    version: Version,
    meanwhile: Option<Meanwhile>,
}

/// What can be chosen: all of it, since what a form does not show is not sent back.
struct Choices {
    components: Vec<Choice>,
    metrics: Vec<Choice>,
    deliveries: Vec<Value>,
}

/// What speaks for a suggestion, and the others there are.
struct Suggested {
    why: String,
    missing: Option<String>,
    others: Vec<(String, String)>,
}

impl Page<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(&format!("routes[{}].{field}", self.refused_at)).map(sentence)
    }

    fn publish_modes(&self) -> [(&'static str, &'static str); 3] {
        PUBLISH
    }

    /// Whether anything is said, or wrong, of what is seldom needed.
    fn has_policy(&self) -> bool {
        let is_set = |name| self.typed.given(name).is_some_and(|text| text != "0s");
        let is_wrong = |name: &&str| self.wrong(name).is_some();
        let wrong = ["minimum_severity", "publish_after", "publish_hours", "publish_hours.from", "publish_hours.to"];
        let of_flapping = ["flapping", "flapping.changes", "flapping.within", "flapping.calm"];
        ["minimum_severity", "publish_after", "hours", "flapping"].into_iter().any(is_set) || wrong.iter().chain(&of_flapping).any(is_wrong)
    }

    fn hours(&self) -> &'static [(&'static str, &'static str)] {
        &HOURS
    }

    fn minimum_severities(&self) -> &'static [&'static str] {
        &MINIMUM_SEVERITIES
    }

    fn weekdays(&self) -> impl Iterator<Item = &'static str> {
        Weekday::ALL.iter().map(|day| day.as_str())
    }

    fn severities(&self) -> [(&'static str, &'static str); 6] {
        SEVERITIES
    }

    fn statuses(&self) -> impl Iterator<Item = (&'static str, String)> {
        Status::ALL.iter().map(|status| (status.as_str(), status.as_str().replace('_', " ")))
    }

    /// What the route makes of a signal, in words.
    fn outcome(&self, tried: &Value) -> String {
        if !tried.yes("matches") {
            return "not taken".to_owned();
        }
        match tried.text("status") {
            "" => "taken, and says nothing about the status".to_owned(),
            status => format!("{}: {}", names(tried, "components").join(", "), status.replace('_', " ")),
        }
    }
}

async fn choices(console: &Console, acts: &Acts, integration: &Value) -> Result<Choices, Failure> {
    let newest = address("/deliveries", &[("limit", N_TO_TRY), ("integration", integration.text("key"))]);
    let deliveries = acts.get(&newest).await?.list("items").to_vec();
    let mut conn = console.db.read().await?;
    Ok(Choices { components: choice::components(&mut conn).await?, metrics: choice::metrics(&mut conn).await?, deliveries })
}

/// The place in an address: `new`, or a number from 0.
fn place(text: &str, integration: &Value) -> Result<Option<usize>, Failure> {
    if text == "new" {
        return Ok(None);
    }
    let known = text.parse().ok().filter(|place| *place < integration.list("routes").len());
    Ok(Some(known.ok_or(Failure::NotFound("There is no route at this place, or no longer."))?))
}

#[handler]
pub(super) async fn page(
    frame: Frame,
    acts: Acts,
    Path((id, at)): Path<(i64, String)>,
    asked: Asked,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (integration, asked) = (find(&acts, id).await?, Typed::from(asked));
    let place = place(&at, &integration)?;
    let (mut typed, mut suggested) = (Typed::default(), None);
    if let Some(route) = place.and_then(|place| integration.list("routes").get(place)) {
        typed = from_route(route);
    } else if let Some(delivery) = asked.number("delivery") {
        let wanted = asked.number("suggestion").and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        if let Some((route, words)) = suggestion(&acts, id, delivery, wanted).await? {
            typed = from_route(&route);
            suggested = Some(words);
        }
        typed.add("delivery", delivery.to_string());
    }
    typed.add("publish", "draft");
    let choices = choices(console, &acts, &integration).await?;
    let shown = Page {
        frame: &frame,
        integration: &integration,
        place,
        typed: &typed,
        choices: &choices,
        refused: None,
        refused_at: 0,
        suggested,
        trial: None,
        goes_on: false,
        version: Version::new(integration.text("etag"), &route_meanwhile::fields(&integration, place)),
        meanwhile: None,
    };
    Ok(show(StatusCode::OK, &shown))
}

/// A route made from a delivery, and what to say of it.
async fn suggestion(acts: &Acts, id: i64, delivery: i64, wanted: usize) -> Result<Option<(Value, Suggested)>, Failure> {
    let made = acts.get(&format!("/deliveries/{delivery}/suggestions")).await?;
    let items = made.list("items");
    let Some(one) = items.get(wanted) else { return Ok(None) };
    let path = format!("{}/routes/new", path_of(id));
    let other = |(n, item): (usize, &Value)| {
        let way = address(&path, &[("delivery", &delivery.to_string()), ("suggestion", &n.to_string())]);
        (way, item.part("route").text("when").to_owned())
    };
    let missing = one.part("missing_component");
    let mut route = one.part("route").clone();
    if missing.has("key") {
        route["components"] = json!([]);
    }
    let words = Suggested {
        why: sentence(one.text("why")),
        missing: missing.has("key").then(|| missing.text("name").to_owned()),
        others: items.iter().enumerate().filter(|(n, _)| *n != wanted).map(other).collect(),
    };
    Ok(Some((route, words)))
}

#[handler]
pub(super) async fn send(
    frame: Frame,
    acts: Acts,
    Path((id, at)): Path<(i64, String)>,
    sent: Sent,
    Data(console): Data<&Console>,
) -> Result<Response, Failure> {
    let (integration, typed) = (find(&acts, id).await?, Typed::from(sent));
    let opened = Version { etag: typed.text("etag").to_owned(), was: typed.text("was").to_owned() };
    let is_outdated = opened.etag().is_some_and(|etag| etag != integration.text("etag"));
    let place = match place(&at, &integration) {
        // Gone while somebody wrote at it: what they typed is not.
        Err(_) if is_outdated => return overtaken((&frame, &acts, console), (id, at.parse().ok()), &typed, &opened).await,
        place => place?,
    };
    let route = to_route(&typed);
    let choices = choices(console, &acts, &integration).await?;
    let (mut trial, mut refused_at) = (None, 0);
    let again = |refused: Option<&Refused>, refused_at, trial, goes_on| {
        let shown = Page {
            frame: &frame,
            integration: &integration,
            place,
            typed: &typed,
            choices: &choices,
            refused,
            refused_at,
            suggested: None,
            trial,
            goes_on,
            version: opened.clone(),
            meanwhile: None,
        };
        render(&shown).map(|html| (refused.map_or(StatusCode::OK, |refused| refused.status), html))
    };
    let done = match typed.text("act") {
        "try" => {
            let body = json!({ "delivery": typed.number("delivery").unwrap_or(0), "routes": [route] });
            acts.post(&format!("/integrations/{id}/dry-run"), Some(&body)).await.map(|answer| trial = Some(answer))
        }
        "back-test" => {
            let mut going = timeline::begin(acts, id, &typed, json!({ "routes": [route] }));
            match going.first().await {
                Next::Done(Err(refused)) => Err(refused),
                first => return Ok(going.answer(&again(None, 0, None, true)?.1, first, timeline::end)),
            }
        }
        // Nothing but to leave the page on which a back-test goes on.
        "stop" => Ok(()),
        act => {
            let routes = changed(&integration, place, route, act);
            refused_at = place.unwrap_or(routes.len().saturating_sub(1));
            match acts.patch(&format!("/integrations/{id}"), &json!({ "routes": routes }), opened.etag()).await {
                Ok(_) => return Ok(back_to(id)),
                Err(refused) if refused.is_outdated() => return overtaken((&frame, &acts, console), (id, place), &typed, &opened).await,
                Err(refused) => Err(refused),
            }
        }
    };
    let refused = done.err();
    if let Some(refused) = refused.clone().filter(|refused| !refused.status.is_client_error()) {
        return Err(refused.into());
    }
    let (status, html) = again(refused.as_ref(), refused_at, trial, false)?;
    Ok(Html(html).with_status(status).into_response())
}

/// Shows what somebody else has changed meanwhile, beside what was typed.
async fn overtaken(
    (frame, acts, console): (&Frame, &Acts, &Console),
    (id, place): (i64, Option<usize>),
    typed: &Typed,
    opened: &Version,
) -> Result<Response, Failure> {
    let integration = find(acts, id).await?;
    let place = route_meanwhile::place_now(&integration, place, opened);
    let (meanwhile, merged) = route_meanwhile::merge(&integration, place, opened, typed);
    let shown = Page {
        frame,
        integration: &integration,
        place,
        typed: &merged,
        choices: &choices(console, acts, &integration).await?,
        refused: None,
        refused_at: 0,
        suggested: None,
        trial: None,
        goes_on: false,
        version: Version::new(integration.text("etag"), &route_meanwhile::fields(&integration, place)),
        meanwhile: Some(meanwhile),
    };
    Ok(show(StatusCode::PRECONDITION_FAILED, &shown))
}

/// All routes, with this one in its place, or without it.
fn changed(integration: &Value, place: Option<usize>, route: Value, act: &str) -> Vec<Value> {
    let mut routes = integration.list("routes").to_vec();
    match place {
        Some(place) if act == "remove" => drop(routes.remove(place)),
        Some(place) => routes[place] = route,
        None => routes.push(route),
    }
    routes
}
