//! Two people at the routes of one integration: what has become of a route while somebody wrote at it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::route_form::{SEVERITIES, from_route};
use crate::console::{
    meanwhile::{Field, Meanwhile, Version},
    seen::{Seen, Typed},
};

/// Where several values are put together for people.
const BETWEEN: &str = ", ";
/// Fields with several values.
const MANY: [&str; 2] = ["components", "hours_days"];
/// Fields of the form that are no part of the route.
const BESIDE: [&str; 3] = ["act", "delivery", "days"];

/// The fields of a route, and how people call them.
fn labels() -> impl Iterator<Item = (&'static str, &'static str)> {
    let first = [
        ("when", "When"),
        ("for", "For"),
        ("keep_firing_for", "Keep firing for"),
        ("expire_after", "Expire after"),
        ("cool_off", "Cool-off"),
        ("components", "Components"),
    ];
    let statuses = SEVERITIES.into_iter().map(|(severity, field)| (field, severity_label(severity)));
    let last = [
        ("publish", "What may happen by itself"),
        ("minimum_severity", "Least severity"),
        ("publish_after", "Hold for"),
        ("hours", "When it publishes"),
        ("hours_from", "Hours from"),
        ("hours_to", "Hours to"),
        ("hours_days", "Days of the hours"),
        ("flapping", "Flapping"),
        ("flapping_changes", "Flapping: changes"),
        ("flapping_within", "Flapping: within"),
        ("flapping_calm", "Flapping: over after"),
        ("title", "Title of the incident"),
        ("body", "First text"),
        ("metric_key", "Metric"),
        ("metric_value", "Its number"),
    ];
    first.into_iter().chain(statuses).chain(last)
}

fn severity_label(severity: &str) -> &'static str {
    match severity {
        "critical" => "Status of critical",
        "error" => "Status of error",
        "warning" => "Status of warning",
        "info" => "Status of info",
        "unknown" => "Status of unknown",
        _ => "Status by default",
    }
}

/// A field as one text.
fn text(typed: &Typed, name: &str) -> String {
    if MANY.contains(&name) { typed.all(name).join(BETWEEN) } else { typed.text(name).replace("\r\n", "\n") }
}

/// What stands in the form of the route at this place, and which routes stand beside it.
pub(super) fn fields(integration: &Value, place: Option<usize>) -> Vec<Field> {
    let routes = integration.list("routes");
    let typed = place.and_then(|place| routes.get(place)).map(from_route);
    let own = typed.iter().flat_map(|typed| labels().map(move |(name, label)| Field::new(name, label, text(typed, name))));
    let others = routes.iter().enumerate().filter(|(n, _)| Some(*n) != place).map(|(_, route)| route.text("when"));
    let others: Vec<&str> = others.map(|when| if when.is_empty() { "every signal" } else { when }).collect();
    own.chain([Field::new("others", "The other routes", others.join("; "))]).collect()
}

/// Where the route stands now that a form was opened on: the others may have been moved, or removed.
pub(super) fn place_now(integration: &Value, place: Option<usize>, opened: &Version) -> Option<usize> {
    let place = place?;
    let was: BTreeMap<String, String> = serde_json::from_str(&opened.was).unwrap_or_default();
    let routes = integration.list("routes");
    let is_it = |n: &usize| {
        let typed = from_route(&routes[*n]);
        labels().all(|(name, _)| was.get(name).is_some_and(|was| *was == text(&typed, name)))
    };
    let n = routes.len();
    Some(place).filter(|place| *place < n && is_it(place)).or_else(|| (0..n).find(is_it)).or(Some(place).filter(|place| *place < n))
}

/// What has changed, and the form with what somebody else has changed in it and whoever typed has not touched.
pub(super) fn merge(integration: &Value, place: Option<usize>, opened: &Version, typed: &Typed) -> (Meanwhile, Typed) {
    let is_own = |name: &str| labels().any(|(known, _)| known == name);
    let meanwhile = Meanwhile::new(opened, fields(integration, place), |name| is_own(name).then(|| text(typed, name)));
    let mut merged = Typed::default();
    for (name, _) in labels() {
        let theirs = meanwhile.taken(name);
        if MANY.contains(&name) {
            let keys: Vec<&str> = theirs.map_or_else(|| typed.all(name), |keys| keys.split(BETWEEN).collect());
            keys.into_iter().filter(|key| !key.is_empty()).for_each(|key| merged.add(name, key));
        } else {
            merged.add(name, theirs.unwrap_or_else(|| typed.text(name)));
        }
    }
    for name in BESIDE {
        merged.add(name, typed.text(name));
    }
    (meanwhile, merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn route(when: &str, hold: &str, components: &[&str]) -> Value {
        json!({ "when": when, "for": hold, "components": components, "publish": "draft" })
    }

    fn integration(routes: &[Value]) -> Value {
        json!({ "routes": routes })
    }

    #[test]
    fn what_only_the_other_changed_is_taken_over_and_what_both_changed_is_kept() {
        let before = integration(&[route("a", "1m", &["api"]), route("b", "1m", &["web"])]);
        let opened = Version::new("\"1\"", &fields(&before, Some(0)));
        let now = integration(&[route("theirs", "5m", &["api", "web"]), route("c", "1m", &["web"])]);
        let mut typed = from_route(&before.list("routes")[0]);
        typed = {
            let mut changed = Typed::default();
            changed.add("when", "mine");
            for name in ["for", "publish"] {
                changed.add(name, typed.text(name));
            }
            typed.all("components").into_iter().for_each(|key| changed.add("components", key));
            changed
        };
        let place = place_now(&now, Some(0), &opened);
        let (meanwhile, merged) = merge(&now, place, &opened, &typed);
        assert_eq!((place, merged.text("when"), merged.text("for")), (Some(0), "mine", "5m"));
        assert_eq!(merged.all("components"), ["api", "web"]);
        let changed: Vec<_> = meanwhile.changed.iter().map(|each| (each.label, each.taken)).collect();
        assert_eq!(changed, [("When", false), ("For", true), ("Components", true), ("The other routes", true)]);
    }

    #[test]
    fn a_route_is_found_where_it_went_and_one_that_is_gone_becomes_a_new_one() {
        let (one, two) = (route("a", "1m", &["api"]), route("b", "1m", &["web"]));
        let opened = Version::new("\"1\"", &fields(&integration(&[one.clone(), two.clone()]), Some(1)));
        let now = |routes: &[Value]| place_now(&integration(routes), Some(1), &opened);
        assert_eq!(
            [now(std::slice::from_ref(&two)), now(&[two.clone(), one.clone()]), now(&[one.clone(), two])],
            [Some(0), Some(0), Some(1)]
        );
        assert_eq!([now(std::slice::from_ref(&one)), now(&[])], [None, None]);
        assert_eq!(now(&[one, route("changed", "1m", &["web"])]), Some(1), "it was changed where it stands");
        assert_eq!(place_now(&integration(&[]), None, &opened), None);
    }
}
