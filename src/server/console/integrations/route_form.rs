//! A route as a form has it, and as the API has it.

use serde_json::{Map, Value, json};

use crate::console::seen::{Seen, Typed, names};

/// What a severity may mean, with the field of each.
pub(super) const SEVERITIES: [(&str, &str); 6] = [
    ("critical", "status_critical"),
    ("error", "status_error"),
    ("warning", "status_warning"),
    ("info", "status_info"),
    ("unknown", "status_unknown"),
    ("default", "status_default"),
];
/// What may happen by itself, and what that means.
pub(super) const PUBLISH: [(&str, &str); 3] = [
    ("shadow", "Only the team sees it: nothing on the page, no incident"),
    ("draft", "An incident is drafted; somebody publishes it"),
    ("auto", "The status and an incident appear on the page at once"),
];
/// When it may publish by itself, as the choice of hours has it.
pub(super) const HOURS: [(&str, &str); 3] =
    [("", "at all times"), ("within", "only within these hours"), ("outside", "at all times but these hours")];
/// The least severity that may be asked for: what is unknown always counts.
pub(super) const MINIMUM_SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];
/// Fields that are texts in both.
const TEXTS: [&str; 10] =
    ["when", "for", "keep_firing_for", "expire_after", "cool_off", "publish", "publish_after", "minimum_severity", "title", "body"];

/// The fields of a route.
pub(super) fn from_route(route: &Value) -> Typed {
    let mut typed = Typed::default();
    for name in TEXTS.into_iter().filter(|name| route.has(name)) {
        typed.add(name, route.text(name));
    }
    for key in names(route, "components") {
        typed.add("components", key);
    }
    for (severity, field) in SEVERITIES {
        typed.add(field, route.part("status").text(severity));
    }
    typed.add("metric_key", route.part("metric").text("key"));
    typed.add("metric_value", route.part("metric").text("value"));
    if route.has("publish_hours") {
        let hours = route.part("publish_hours");
        typed.add("hours", if hours.yes("outside") { "outside" } else { "within" });
        typed.add("hours_from", hours.text("from"));
        typed.add("hours_to", hours.text("to"));
        for day in names(hours, "days") {
            typed.add("hours_days", day);
        }
    }
    if route.has("flapping") {
        let flapping = route.part("flapping");
        typed.add("flapping", "on");
        typed.add("flapping_changes", flapping.number("changes").to_string());
        typed.add("flapping_within", flapping.text("within"));
        typed.add("flapping_calm", flapping.text("calm"));
    }
    typed
}

/// The route of what was typed. What is left empty is left out.
pub(super) fn to_route(typed: &Typed) -> Value {
    let mut route = Map::new();
    for name in TEXTS {
        if let Some(text) = typed.given(name) {
            route.insert(name.to_owned(), Value::from(text));
        }
    }
    route.insert("components".to_owned(), json!(typed.all("components")));
    let status: Map<String, Value> =
        SEVERITIES.into_iter().filter_map(|(severity, field)| Some((severity.to_owned(), Value::from(typed.given(field)?)))).collect();
    if !status.is_empty() {
        route.insert("status".to_owned(), Value::Object(status));
    }
    if let Some(key) = typed.given("metric_key") {
        let mut metric = json!({ "key": key });
        if let Some(value) = typed.given("metric_value") {
            metric["value"] = Value::from(value);
        }
        route.insert("metric".to_owned(), metric);
    }
    if let Some(when) = typed.given("hours") {
        let mut hours = texts(typed, [("from", "hours_from"), ("to", "hours_to")]);
        hours.insert("outside".to_owned(), Value::Bool(when == "outside"));
        let days = typed.all("hours_days");
        if !days.is_empty() {
            hours.insert("days".to_owned(), json!(days));
        }
        route.insert("publish_hours".to_owned(), Value::Object(hours));
    }
    if typed.given("flapping").is_some() {
        let mut flapping = texts(typed, [("within", "flapping_within"), ("calm", "flapping_calm")]);
        if let Some(changes) = typed.given("flapping_changes") {
            // What is no number is refused by the operation, which names the field.
            flapping.insert("changes".to_owned(), changes.parse::<i64>().map_or_else(|_| Value::from(changes), Value::from));
        }
        route.insert("flapping".to_owned(), Value::Object(flapping));
    }
    Value::Object(route)
}

/// The fields that were filled in, under the names that the API has for them.
fn texts<const N: usize>(typed: &Typed, fields: [(&str, &str); N]) -> Map<String, Value> {
    fields.into_iter().filter_map(|(name, field)| Some((name.to_owned(), Value::from(typed.given(field)?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_comes_back_from_its_form_as_it_was() {
        let route = json!({
            "when": "signal.labels.service == \"api\"", "for": "2m", "keep_firing_for": "0s", "expire_after": "1h", "cool_off": "10m",
            "publish": "auto", "title": "{{ signal.subject }}", "components": ["api", "web"],
            "status": { "critical": "major_outage", "default": "degraded_performance" }, "metric": { "key": "latency", "value": "signal.value" },
            "publish_after": "30m", "publish_hours": { "days": ["mon", "fri"], "from": "08:00", "to": "18:00", "outside": true },
            "minimum_severity": "error", "flapping": { "changes": 7, "within": "1h", "calm": "20m" },
        });
        assert_eq!(to_route(&from_route(&route)), route);
        assert_eq!(to_route(&from_route(&json!({ "components": ["api"], "title": null }))), json!({ "components": ["api"] }));
    }
}
