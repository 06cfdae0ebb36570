//! Every fixture, damaged in every place: cut short, or with something else where a value was.
//!
//! Nothing panics, what was cut is never believed, and garbage never ends what was told to be broken: whoever cannot read a value does
//! not know that all is well.

use std::collections::BTreeSet;

use domain::{Severity, Signal, SignalState};
use serde_json::{Value, json};

use crate::{
    ParseError, Provider, parse,
    tests::{Fixture, all_fixtures, count, replace},
};

/// Places to cut a body at; the last bytes are all among them.
const MAX_CUTS: usize = 80;
/// Values replaced in one fixture.
const MAX_PLACES: usize = 40;

/// What nobody sends. A text of this length is cut or refused, a document of this depth is refused.
fn garbage() -> [Value; 6] {
    let nested = |depth: usize| (0..depth).fold(json!([]), |inner, _| json!([inner]));
    [Value::Null, json!(-731.25), json!("nothing anybody ever sent"), json!("x".repeat(5_000)), json!([]), nested(100)]
}

fn read(provider: &Provider, fixture: &Fixture, body: &[u8]) -> Result<Vec<Signal>, ParseError> {
    let inbound = fixture.inbound(body);
    let _ = (provider.delivery_id)(&inbound, &fixture.settings);
    parse(provider.slug, &inbound, &fixture.settings)
}

/// Fields whose damage may end something: `type` says whether an item is a thing at all, and `null` in the others is a word of the sender's
/// (no status of its own, not over yet).
const TELLING: [(&str, &str); 3] = [("better_stack_page", "type"), ("cachet", "latest_status"), ("jenkins_job", "result")];

/// The value at a place, counted as [`replace`] does, and the name of the field it stands in.
fn at<'a>(document: &'a Value, name: &'a str, left: &mut usize) -> Option<(&'a str, &'a Value)> {
    if *left == 0 {
        return Some((name, document));
    }
    *left -= 1;
    match document {
        Value::Array(items) => items.iter().find_map(|item| at(item, name, left)),
        Value::Object(map) => map.iter().find_map(|(name, item)| at(item, name, left)),
        _ => None,
    }
}

/// Nothing in place of a list is an empty list, and an empty list is a list.
fn is_empty_list(was: &Value, value: &Value) -> bool {
    (was.is_array() || was.is_object()) && (value.is_null() || *value == json!([]))
}

/// What counts as broken unless a route says otherwise.
fn broken(signals: &[Signal]) -> BTreeSet<&str> {
    let broken = |signal: &&Signal| signal.state == SignalState::Firing && signal.severity != Severity::Info;
    signals.iter().filter(broken).map(|signal| signal.fingerprint.as_str()).collect()
}

/// Of what was broken, that which `after` says is over, by name or because it names what is left of its group.
fn ended<'a>(before: &'a [Signal], after: &'a [Signal]) -> Vec<&'a str> {
    let (was, is) = (broken(before), broken(after));
    let resolved =
        |fingerprint: &str| after.iter().any(|signal| signal.state == SignalState::Resolved && signal.fingerprint == fingerprint);
    let whole = after.iter().any(|signal| signal.state == SignalState::Resolved && signal.whole_group);
    // Under a damaged name it is another thing, and as broken.
    let lost = was.difference(&is).filter(|fingerprint| resolved(fingerprint) || (whole && is.len() < was.len()));
    lost.copied().collect()
}

#[test]
fn what_was_cut_short_is_not_believed() {
    for (provider, fixtures) in all_fixtures() {
        for fixture in fixtures {
            let whole = read(provider, fixture, &fixture.body);
            let is_json = serde_json::from_slice::<Value>(&fixture.body).is_ok_and(|document| document.is_object() || document.is_array());
            let end = fixture.body.trim_ascii_end().len();
            let step = end / MAX_CUTS + 1;
            for at in (1..end).filter(|at| at % step == 0 || end - at < 32) {
                let cut = read(provider, fixture, &fixture.body[..at]);
                assert!(!is_json || cut.is_err() || cut == whole && whole == Ok(Vec::new()), "{}: cut at {at}", fixture.path.display());
            }
        }
    }
}

#[test]
fn garbage_in_place_of_a_value_ends_nothing() {
    let mut wrong = Vec::new();
    for (provider, fixtures) in all_fixtures() {
        for fixture in fixtures {
            let Ok(document) = serde_json::from_slice::<Value>(&fixture.body) else { continue };
            let before = read(provider, fixture, &fixture.body).unwrap_or_default();
            let step = count(&document) / MAX_PLACES + 1;
            for place in (0..count(&document)).step_by(step) {
                let (name, was) = at(&document, "", &mut place.clone()).expect("a place in the document");
                if TELLING.contains(&(provider.slug, name)) {
                    continue;
                }
                for value in garbage().into_iter().filter(|value| !is_empty_list(was, value)) {
                    let mut damaged = document.clone();
                    replace(&mut damaged, &mut place.clone(), &value);
                    let after = read(provider, fixture, damaged.to_string().as_bytes()).unwrap_or_default();
                    let ended = ended(&before, &after);
                    if !ended.is_empty() {
                        let shown: String = value.to_string().chars().take(30).collect();
                        wrong.push(format!("{}: `{name}` as {shown}: ends {ended:?}", fixture.path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{} in all", wrong.join("\n"), wrong.len());
}
