//! The sentences that the evaluator writes for readers. They say nothing of what signals say, unless a route's template does.

use super::MAX_TITLE_CHARS;
use crate::{IncidentStatus, Route, Signal, Span, Status, render_template, to_value};

/// An incident's title and first text, as `route` has it.
pub(super) fn opened(route: &Route, status: Status, signal: Option<&Signal>, names: &str) -> (String, String) {
    by_templates(route.title.as_deref(), route.body.as_deref(), status, signal, names)
}

/// The title and first text that a route of these templates would give an incident about `names`.
#[must_use]
pub fn opening_words(title: Option<&str>, body: Option<&str>, status: Status, signal: Option<&Signal>, names: &[&str]) -> (String, String) {
    by_templates(title, body, status, signal, &in_a_sentence(names))
}

/// The title stays true while things get better or worse: it names no degree.
fn by_templates(
    title_template: Option<&str>,
    body_template: Option<&str>,
    status: Status,
    signal: Option<&Signal>,
    names: &str,
) -> (String, String) {
    let (title, body) = match status {
        Status::Unknown => {
            (format!("Status of {names} is unknown"), format!("We do not know at the moment how {names} is doing, and are finding out."))
        }
        _ => (format!("Problem with {names}"), by_status(IncidentStatus::Investigating, Some(names))),
    };
    let (Some(signal), true) = (signal, title_template.is_some() || body_template.is_some()) else { return (as_title(&title), body) };
    let context = minijinja::context! { signal => to_value(signal), components => names, status => status.words() };
    let render = |template: Option<&str>| {
        let text = without_control_characters(&render_template(template?, &context).ok()?);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    (as_title(&render(title_template).unwrap_or(title)), render(body_template).unwrap_or(body))
}

/// Names as they stand in a sentence: `API, Payments and 3 more`.
pub(crate) fn in_a_sentence(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    match names {
        [] => "an internal component".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] if names.len() <= SHOWN => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

/// What an incident that moved to `status` says where nobody wrote anything.
pub(super) fn by_status(status: IncidentStatus, names: Option<&str>) -> String {
    let with = names.map_or_else(String::new, |names| format!(" with {names}"));
    match status {
        IncidentStatus::Investigating => format!("We are investigating a problem{with}."),
        IncidentStatus::Identified => format!("We know what causes the problem{with}, and are working on it."),
        IncidentStatus::Monitoring => format!("The problem{with} is mended, and we are watching it."),
        IncidentStatus::Resolved | IncidentStatus::Postmortem => format!("The problem{with} is over."),
    }
}

/// How `n` components are doing after a change.
pub(super) fn changed(names: &str, n: usize, to: Status) -> String {
    let (is, has) = if n > 1 { ("are", "have") } else { ("is", "has") };
    match to {
        Status::Operational => format!("{names} {is} operational again."),
        Status::UnderMaintenance => format!("{names} {is} now under maintenance."),
        Status::Unknown => format!("We do not know at the moment how {names} {is} doing."),
        Status::DegradedPerformance => format!("{names} now {has} degraded performance."),
        Status::PartialOutage => format!("{names} {is} now in a partial outage."),
        Status::MajorOutage => format!("{names} {is} now in a major outage."),
    }
}

/// Where an incident begins and its text, with what it comes from, if readers may know: then the cause is known.
pub(super) fn with_causes(body: String, causes: &str, are_known: bool) -> (IncidentStatus, String) {
    if are_known {
        (IncidentStatus::Identified, format!("{body} It comes from a problem with {causes}."))
    } else {
        (IncidentStatus::Investigating, body)
    }
}

/// Where the same thing comes and goes.
pub(super) fn flapping(names: &str, n: usize, calm: Span) -> String {
    let (goes, it, has) = if n > 1 { ("go", "they", "have") } else { ("goes", "it", "has") };
    format!("{names} {goes} up and down. We show the worst until {it} {has} been calm for {calm}.")
}

pub(super) fn back(names: &str) -> String {
    format!("The problem with {names} is back.")
}

/// What was over before anybody heard of it.
pub(super) fn added(names: &str, status: Status) -> String {
    let was = match status {
        Status::MajorOutage => "a major outage",
        Status::PartialOutage => "a partial outage",
        _ => "degraded performance",
    };
    format!("There was {was} of {names}. We learned of it only after it was over, and added it later.")
}

pub(super) fn recovered(names: &str, n: usize) -> String {
    format!("{names} {} recovered.", if n > 1 { "have" } else { "has" })
}

/// Where nobody said that it is well again.
pub(super) fn silent(names: &str) -> String {
    format!("No problem with {names} is reported any more.")
}

fn as_title(text: &str) -> String {
    text.replace(['\n', '\t'], " ").chars().take(MAX_TITLE_CHARS).collect()
}

/// A title or text as the databases take it: line breaks and tabs are all it may hold besides letters.
pub(crate) fn without_control_characters(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}
