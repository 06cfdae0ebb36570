//! What else decides whether and when a route publishes.

use domain::{
    DayTime, Flapping, MAX_FLAP_CHANGES, MAX_FLAP_SPAN, MAX_PUBLISH_AFTER, MIN_FLAP_CHANGES, Policy, Publish, PublishHours, Severity, Span,
    Weekday,
};

use crate::{
    integration::names,
    problem::quoted,
    reader::{At, Map},
};

/// The keys of a route that are read here.
pub(crate) const KEYS: [&str; 4] = ["publish_after", "publish_hours", "minimum_severity", "flapping"];

pub(crate) fn read(map: &Map<'_>, publish: Publish) -> Policy {
    for at in ["publish_after", "publish_hours"].iter().filter_map(|key| map.get_some(key)) {
        if publish != Publish::Auto {
            at.refuse(format!("only a route with `publish: auto` publishes by itself; this one has `publish: {publish}`"));
        }
    }
    Policy {
        publish_after: map.get("publish_after").map_or(Span::ZERO, |at| span_within(&at, Span::ZERO, MAX_PUBLISH_AFTER)),
        publish_hours: map.get_some("publish_hours").map(|at| hours(&at)),
        minimum_severity: map.get_some("minimum_severity").and_then(|at| severity(&at)),
        flapping: map.get_some("flapping").map(|at| flapping(&at)),
    }
}

/// What we do not know is neither more nor less severe than anything.
fn severity(at: &At<'_>) -> Option<Severity> {
    let found = at.choice("a severity", &names(Severity::ALL, Severity::as_str));
    if found == Some(Severity::Unknown) {
        at.refuse("must be info, warning, error or critical: what is unknown always counts");
        return None;
    }
    found
}

fn hours(at: &At<'_>) -> PublishHours {
    let map = at.map(&["days", "from", "to", "outside"]);
    let days = match map.get("days") {
        None => Weekday::ALL.iter().copied().collect(),
        Some(at) => {
            let days = at.list(Weekday::ALL.len());
            if days.is_empty() {
                at.refuse("has no day; leave it out for every day");
            }
            days.iter().filter_map(|at| at.choice("a day", &names(Weekday::ALL, Weekday::as_str))).collect()
        }
    };
    let n_problems = at.report.len();
    let time = |key, otherwise| map.get(key).map_or(otherwise, |at| day_time(&at));
    let hours =
        PublishHours { from: time("from", DayTime::MIDNIGHT), to: time("to", DayTime::END), outside: map.flag("outside", false), days };
    if at.report.len() == n_problems && !hours.days.is_empty() && !hours.is_ever() {
        at.refuse("leave no time at which the route could publish");
    }
    hours
}

fn day_time(at: &At<'_>) -> DayTime {
    let Some(text) = at.raw_text() else { return DayTime::MIDNIGHT };
    text.parse().unwrap_or_else(|error: domain::DayTimeError| {
        at.refuse(error.to_string());
        DayTime::MIDNIGHT
    })
}

fn flapping(at: &At<'_>) -> Flapping {
    let map = at.map(&["changes", "within", "calm"]);
    let usual = Flapping::default();
    let span = |key, otherwise| map.get(key).map_or(otherwise, |at| span_within(&at, Span::secs(1), MAX_FLAP_SPAN));
    Flapping {
        changes: map.get("changes").map_or(usual.changes, |at| changes(&at)),
        within: span("within", usual.within),
        calm: span("calm", usual.calm),
    }
}

fn changes(at: &At<'_>) -> u8 {
    let Some(text) = at.raw_text() else { return MIN_FLAP_CHANGES };
    let found = text.parse().ok().filter(|n| (MIN_FLAP_CHANGES..=MAX_FLAP_CHANGES).contains(n));
    found.unwrap_or_else(|| {
        at.refuse(format!("{} is not a number from {MIN_FLAP_CHANGES} to {MAX_FLAP_CHANGES}", quoted(text)));
        MIN_FLAP_CHANGES
    })
}

fn span_within(at: &At<'_>, least: Span, most: Span) -> Span {
    let n_problems = at.report.len();
    let span = at.span();
    if at.report.len() == n_problems && (span < least || span > most) {
        at.refuse(if span < least { format!("{span} is less than {least}") } else { format!("{span} is more than {most}") });
    }
    span
}
