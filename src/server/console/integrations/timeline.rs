//! A back-test, drawn: when components would not have been well, beside what was published.

use askama::Template;
use domain::{Span, Timestamp};
use poem::{Response, handler, http::StatusCode, web::Path};
use serde_json::{Value, json};

use super::find;
use crate::{
    admin::Refused,
    console::{
        acts::{Acts, sentence},
        failure::Failure,
        frame::{Frame, render, show},
        going::{Going, Next},
        seen::{Asked, Seen, Typed, at, names},
        zone::{When, time},
    },
};

/// How long back one may look.
pub(super) const DAYS: [i64; 4] = [1, 7, 30, 90];
const DAY: Span = Span::mins(24 * 60);
/// The drawing's width, in its own units.
const WIDTH: f64 = 1000.0;
/// The least width of a bar.
const MIN_BAR: f64 = 6.0;
/// The height of a row.
const ROW: usize = 22;

/// What a back-test says, ready to be drawn.
pub(super) struct Timeline {
    pub(super) result: Value,
    pub(super) rows: Vec<Row>,
    pub(super) from: When,
    pub(super) to: When,
    /// Where days begin.
    pub(super) days: Vec<String>,
}

/// One component or the published incidents.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) y: usize,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub(super) x: String,
    pub(super) width: String,
    /// A status, for its colour.
    pub(super) class: String,
    pub(super) words: String,
}

impl Timeline {
    pub(super) fn height(&self) -> usize {
        self.rows.len().max(1) * ROW + 4
    }
}

/// Begins one. `tried` has the `routes` and the `settings` that are tried instead of the stored ones.
pub(super) fn begin(acts: Acts, id: i64, typed: &Typed, mut tried: Value) -> Going<Timeline> {
    let days = typed.number("days").filter(|days| DAYS.contains(days)).unwrap_or(7);
    let now = acts.now;
    let from = Timestamp(now.0 - days * DAY.0);
    tried["from"] = from.to_string().into();
    tried["to"] = now.to_string().into();
    Going::new(async move |watcher| {
        let result = acts.post_watched(&format!("/integrations/{id}/back-test"), &tried, watcher).await?;
        Ok(draw(result))
    })
}

#[derive(Template)]
#[template(path = "console/back_test_end.html")]
struct End {
    done: Result<Timeline, String>,
}

/// What a back-test ends with, in its place in the page.
pub(super) fn end(done: Result<Timeline, Refused>) -> String {
    let done = done.map_err(|refused| sentence(&refused.in_words()));
    End { done }.render().unwrap_or_else(|error| {
        tracing::error!(%error, "Could not draw a back-test");
        String::new()
    })
}

fn draw(result: Value) -> Timeline {
    let (from, to) = (at(&result, "from").unwrap_or(Timestamp(0)), at(&result, "to").unwrap_or(Timestamp(1)));
    #[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
    let x = |at: Timestamp| (at.0.clamp(from.0, to.0) - from.0) as f64 / (to.0 - from.0).max(1) as f64 * WIDTH;
    let bar = |part: &Value, begin: &str, end: &str, class: String, what: &str| {
        let (begin, end) = (at(part, begin).unwrap_or(from), at(part, end).unwrap_or(to));
        let until = if end == to { "the end".to_owned() } else { time(end).to_string() };
        let words = format!("{what}, {} to {until}", time(begin));
        // Short ones stay visible, also at the end.
        let width = (x(end) - x(begin)).max(MIN_BAR);
        Bar { x: format!("{:.1}", x(begin).min(WIDTH - width)), width: format!("{width:.1}"), class, words }
    };
    let mut rows = Vec::new();
    for component in result.list("components") {
        let spans = component.list("spans").iter().filter(|span| span.text("internal_status") != "operational");
        let status = |span: &Value| span.text("internal_status").to_owned();
        let bars = spans.map(|span| bar(span, "from", "to", status(span), &status(span).replace('_', " "))).collect();
        rows.push(Row { name: component.text("component").to_owned(), y: rows.len() * ROW, bars });
    }
    let published = result.list("published");
    if !published.is_empty() {
        let words = |one: &Value| format!("{}, by {}", one.text("title"), by(one));
        let bars = published.iter().map(|one| bar(one, "started_at", "resolved_at", "published".to_owned(), &words(one))).collect();
        rows.push(Row { name: "Published incidents".to_owned(), y: rows.len() * ROW, bars });
    }
    let first = from.0.div_euclid(DAY.0) + 1;
    let days = (first..).map(|n| Timestamp(n * DAY.0)).take_while(|day| *day < to).map(|day| format!("{:.1}", x(day))).collect();
    Timeline { rows, from: time(from), to: time(to), days, result }
}

#[derive(Template)]
#[template(path = "console/back_test.html")]
struct Page<'a> {
    frame: &'a Frame,
    integration: &'a Value,
    typed: &'a Typed,
    /// Whether one goes on.
    goes_on: bool,
    error: Option<String>,
}

impl Page<'_> {
    fn days(&self) -> [i64; 4] {
        DAYS
    }
}

#[handler]
pub(super) async fn page(frame: Frame, acts: Acts, Path(id): Path<i64>, asked: Asked) -> Result<Response, Failure> {
    let (integration, typed) = (find(&acts, id).await?, Typed::from(asked));
    let page = |goes_on, error| Page { frame: &frame, integration: &integration, typed: &typed, goes_on, error };
    if typed.given("days").is_none() {
        return Ok(show(StatusCode::OK, &page(false, None)));
    }
    let mut going = begin(acts, id, &typed, json!({}));
    match going.first().await {
        Next::Done(Err(refused)) if refused.status.is_client_error() => {
            Ok(show(refused.status, &page(false, Some(sentence(&refused.detail)))))
        }
        Next::Done(Err(refused)) => Err(refused.into()),
        first => Ok(going.answer(&render(&page(true, None))?, first, end)),
    }
}

/// Who opened a published incident: a route, as people call it, or a person.
pub(super) fn by(published: &Value) -> &str {
    if published.has("opened_by") { published.text("opened_by") } else { published.text("by") }
}

/// What an incident would have been about.
pub(super) fn affected(incident: &Value) -> String {
    let word = |part: &Value| format!("{} ({})", part.text("component"), part.text("status").replace('_', " "));
    let all: Vec<String> = incident.list("components").iter().map(word).collect();
    if all.is_empty() { names(incident, "components").join(", ") } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_lies_where_its_time_is_and_one_without_end_reaches_it() {
        let drawn = draw(json!({
            "from": "2026-01-01T12:00:00Z", "to": "2026-01-03T12:00:00Z", "published": [
                { "title": "Slow", "opened_by": "other[0]", "by": "fanal", "started_at": "2026-01-01T12:00:00Z", "resolved_at": null },
                { "title": "Down", "opened_by": null, "by": "Ada", "started_at": "2026-01-01T12:00:00Z", "resolved_at": null },
            ],
            "components": [{ "component": "api", "spans": [
                { "internal_status": "operational", "from": "2026-01-01T12:00:00Z", "to": "2026-01-02T12:00:00Z" },
                { "internal_status": "major_outage", "from": "2026-01-02T12:00:00Z", "to": null },
            ] }],
        }));
        let bars: Vec<(&str, &str, &str)> = drawn.rows[0].bars.iter().map(|bar| (&*bar.x, &*bar.width, &*bar.class)).collect();
        assert_eq!(bars, [("500.0", "500.0", "major_outage")]);
        assert_eq!(drawn.days, ["250.0", "750.0"]);
        assert!(drawn.rows[0].bars[0].words.ends_with("to the end"));
        let published: Vec<&str> = drawn.rows[1].bars.iter().filter_map(|bar| bar.words.split(", 1 Jan").next()).collect();
        assert_eq!(published, ["Slow, by other[0]", "Down, by Ada"]);
    }
}
