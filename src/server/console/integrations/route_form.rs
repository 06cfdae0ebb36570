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
/// Fields that are texts in both.
const TEXTS: [&str; 8] = ["when", "for", "keep_firing_for", "expire_after", "cool_off", "publish", "title", "body"];

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
    Value::Object(route)
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
        });
        assert_eq!(to_route(&from_route(&route)), route);
        assert_eq!(to_route(&from_route(&json!({ "components": ["api"], "title": null }))), json!({ "components": ["api"] }));
    }
}
