//! Trying an integration before an outage does: a test of what sends, to be changed before it is sent, and asking at once of what is asked.

use std::time::Duration;

use askama::Template;
use integrations::{Provider, example};
use poem::{Response, handler, http::StatusCode, web::Path};
use serde_json::{Map, Value, json};

use super::{find, may_write, path_of, provider_of};
use crate::{
    admin::Refused,
    console::{
        acts::{Acts, sentence},
        failure::Failure,
        frame::{Frame, see_other, show},
        seen::{Seen, Sent, Typed, address, at, names, pretty},
        session::Person,
    },
};

/// How long a page waits for what is asked.
const PATIENCE: Duration = Duration::from_secs(6);
/// How often it looks meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Template)]
#[template(path = "console/integration_test.html")]
struct Page<'a> {
    frame: &'a Frame,
    integration: &'a Value,
    provider: &'static Provider,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
    tested: Option<&'a Value>,
    may_write: bool,
}

impl Page<'_> {
    fn wrong(&self, field: &str) -> Option<String> {
        self.refused?.field(field).map(sentence)
    }

    fn id(&self) -> i64 {
        self.integration.number("id")
    }

    /// What a route makes of a signal, and who hears of it.
    fn outcome(&self, route: &Value) -> String {
        if !route.yes("matches") {
            return "not taken".to_owned();
        }
        let status = match route.text("status") {
            "" => return "taken, and says nothing about the status".to_owned(),
            status => format!("{}: {}", names(route, "components").join(", "), status.replace('_', " ")),
        };
        let heard = match (route.text("publish"), route.has("title")) {
            ("shadow", _) => "readers see nothing, since it is a shadow".to_owned(),
            (_, false) => "no incident".to_owned(),
            ("draft", true) => "a draft that waits for you; nobody is told before it is published".to_owned(),
            (_, true) => match route.number("told") {
                1 => "an incident by itself; 1 subscriber would be told".to_owned(),
                n => format!("an incident by itself; {n} subscribers would be told"),
            },
        };
        format!("{status} · {heard}")
    }
}

#[handler]
pub(super) async fn page(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let (integration, mut typed) = (find(&acts, id).await?, Typed::default());
    let provider = sender(&integration)?;
    if let Some((headers, body)) = example::of(provider) {
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        typed.add("headers", lines.join("\n"));
        typed.add("body", readable(&body));
    }
    let may_write = may_write(&person);
    let shown = Page { frame: &frame, integration: &integration, provider, typed: &typed, refused: None, tested: None, may_write };
    Ok(show(StatusCode::OK, &shown))
}

/// JSON indented, anything else as it is.
fn readable(body: &str) -> String {
    serde_json::from_str::<Value>(body).map_or_else(|_| body.to_owned(), |json| pretty(&json))
}

fn sender(integration: &Value) -> Result<&'static Provider, Failure> {
    let provider = provider_of(integration).filter(|provider| provider.example.is_some());
    provider.ok_or(Failure::NotFound("This integration is asked and sends nothing: ask it from its page."))
}

#[handler]
pub(super) async fn send(person: Person, frame: Frame, acts: Acts, Path(id): Path<i64>, sent: Sent) -> Result<Response, Failure> {
    let (integration, typed) = (find(&acts, id).await?, Typed::from(sent));
    let provider = sender(&integration)?;
    let tested = match read_headers(typed.text("headers")) {
        Ok(headers) => {
            let body = json!({ "headers": headers, "body": typed.text("body").replace("\r\n", "\n") });
            acts.post(&format!("/integrations/{id}/test"), Some(&body)).await
        }
        Err(why) => Err(super::catalogue::refuse("headers", why)),
    };
    let (status, tested, refused) = match tested {
        Ok(tested) => (StatusCode::OK, Some(tested), None),
        Err(refused) if refused.status.is_client_error() => (refused.status, None, Some(refused)),
        Err(refused) => return Err(refused.into()),
    };
    let shown = Page {
        frame: &frame,
        integration: &integration,
        provider,
        typed: &typed,
        refused: refused.as_ref(),
        tested: tested.as_ref(),
        may_write: may_write(&person),
    };
    Ok(show(status, &shown))
}

/// One header a line, as in `content-type: application/json`.
fn read_headers(text: &str) -> Result<Map<String, Value>, String> {
    let mut headers = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            return Err(format!("has a line without a colon: `{line}`"));
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().into());
    }
    Ok(headers)
}

/// Asks at once, and waits a little for the answer.
#[handler]
pub(super) async fn ask(acts: Acts, Path(id): Path<i64>) -> Result<Response, Failure> {
    let asked = acts.post(&format!("/integrations/{id}/ask"), None).await?;
    let asked_at = at(&asked, "at");
    let answered = async {
        loop {
            let health = acts.get(&format!("/integrations/{id}/health")).await?;
            if at(health.part("poll"), "next_at") > asked_at {
                return Ok::<(), Failure>(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // Where it takes longer, the page says so, and is loaded again by whoever waits.
    if let Ok(looked) = tokio::time::timeout(PATIENCE, answered).await {
        looked?;
    }
    let since = asked_at.map_or_else(String::new, |at| at.0.to_string());
    Ok(see_other(&format!("{}#deliveries", address(&path_of(id), &[("asked", &since)]))))
}

/// How asking since then has gone, in words.
pub(super) fn answer_since(health: &Value, since: i64) -> String {
    let (poll, last) = (health.part("poll"), health.part("last_delivery"));
    if at(poll, "next_at").is_none_or(|next| next.0 <= since) {
        return "It was asked, and has not answered yet. Reload to look again.".to_owned();
    }
    if poll.number("failures") > 0 {
        return format!("It was asked, and could not be read: {}", sentence(&poll.text("last_error").replace('`', "")));
    }
    match at(last, "received_at").filter(|at| at.0 >= since) {
        Some(_) => "It was asked, and has answered: what it said stands first among the deliveries.".to_owned(),
        None => "It was asked, and has answered the same as before, so that nothing new is stored.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_a_line_each() {
        let read = read_headers("Content-Type: text/plain; a=b\r\n\n X-Event : ping:1 ").unwrap();
        assert_eq!(Value::Object(read), json!({ "content-type": "text/plain; a=b", "x-event": "ping:1" }));
        assert_eq!(read_headers("ping"), Err("has a line without a colon: `ping`".to_owned()));
    }

    #[test]
    fn what_asking_gave_is_said() {
        let said = |next: &str, failures: i64, received: &str| {
            let poll = json!({ "next_at": next, "failures": failures, "last_error": "the source answered 503" });
            answer_since(&json!({ "poll": poll, "last_delivery": { "received_at": received } }), 1_772_366_400_000)
        };
        let (before, then, after) = ("2026-03-01T11:59:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z");
        assert!(said(then, 0, before).contains("has not answered yet"));
        assert!(said(after, 1, before).ends_with("could not be read: The source answered 503."));
        assert!(said(after, 0, then).contains("stands first"));
        assert!(said(after, 0, before).contains("the same as before"));
    }
}
