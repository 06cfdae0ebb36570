//! Maintenances that come back.

use std::collections::BTreeSet;

use domain::{
    DEFAULT_ANNOUNCE, MAX_ANNOUNCE, MAX_BODY_CHARS, MAX_COMPONENTS, MAX_EXCEPTIONS, MAX_NAME_CHARS, MAX_RULE_CHARS, MAX_SERIES, Recurrence,
    Schedule, SeriesSpec, local_time,
};
use jiff::{civil::Date, tz::TimeZone};

use crate::{
    document::{Declared, own_key},
    problem::quoted,
    reader::{At, Map, Unique},
};

pub(crate) fn read(root: &Map<'_>, declared: &Declared<'_>, zone: &str) -> Vec<SeriesSpec> {
    let mut keys = Unique::default();
    // A zone that does not exist has been reported.
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let series = root.list("maintenance_series", MAX_SERIES);
    series.iter().filter_map(|at| one(at, &mut keys, declared, &zone)).collect()
}

fn one(at: &At<'_>, keys: &mut Unique, declared: &Declared<'_>, zone: &TimeZone) -> Option<SeriesSpec> {
    let map = at.map(&["key", "title", "body", "starts_at", "duration", "rule", "except", "announce", "components"]);
    let (key, title) = (own_key(&map, keys), map.name("title", MAX_NAME_CHARS));
    let body = map.text_or_empty("body", MAX_BODY_CHARS, true);
    let announce = map.span("announce", DEFAULT_ANNOUNCE);
    if let Some(at) = map.get("announce").filter(|_| announce > MAX_ANNOUNCE) {
        at.refuse(format!("{announce} is more than {MAX_ANNOUNCE}"));
    }
    let components = map.get("components").map(|at| at.references("component", &declared.components, MAX_COMPONENTS)).unwrap_or_default();
    let starts_at = map.need("starts_at").and_then(|at| {
        let text = at.raw_text()?;
        let found = local_time(text);
        if found.is_none() {
            at.refuse(format!("{} is no time like 2026-12-01T02:00, by the clock on the page's wall", quoted(text)));
        }
        found
    });
    let duration = map.need("duration").map(|at| at.span());
    let rule = map.need("rule").and_then(|at| {
        let read = at.text(MAX_RULE_CHARS, false).parse::<Recurrence>();
        read.map_err(|error| at.refuse(error.to_string())).ok()
    });
    let schedule = Schedule { starts_at: starts_at?, duration: duration?, rule: rule?, except: except(&map) };
    if let Err(error) = schedule.check(zone) {
        map.get(error.field).as_ref().unwrap_or(at).refuse(error.message);
    }
    Some(SeriesSpec { key, title, body, schedule, announce, components })
}

fn except(map: &Map<'_>) -> BTreeSet<Date> {
    let day = |at: At<'_>| {
        let text = at.raw_text()?;
        let found = text.parse::<Date>().ok();
        if found.is_none() {
            at.refuse(format!("{} is no day like 2026-12-24", quoted(text)));
        }
        found
    };
    map.list("except", MAX_EXCEPTIONS).into_iter().filter_map(day).collect()
}
