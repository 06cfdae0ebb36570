//! The OpenAPI document, and a page for people made from it.

use std::collections::{BTreeMap, BTreeSet};

use poem::{Response, Route, endpoint::make_sync, get, http::header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{BASE_PATH, conventions, gate::QueryNames, rules::RULES};

/// The methods an operation can have.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
pub(super) struct Document(Value);

impl Document {
    /// From what the framework makes of the code, with what is the same for all operations.
    pub(super) fn new(spec: &str, base_url: &Url) -> Self {
        let mut document: Value = serde_json::from_str(spec).unwrap_or_default();
        let base = format!("{}{BASE_PATH}", base_url.as_str().trim_end_matches('/'));
        document["info"]["description"] = json!(include_str!("description.md"));
        document["servers"] = json!([{ "url": base }]);
        document["components"]["securitySchemes"] = json!({ "token": { "type": "http", "scheme": "bearer", "bearerFormat": "fanal_…" } });
        document["components"]["responses"] = conventions::responses();
        conventions::add_problem(&mut document["components"]["schemas"]);
        close_requests(&mut document);
        allow_null(&mut document);
        for rule in RULES {
            if let Some(operation) = document.pointer_mut(&pointer(rule.path, rule.method)) {
                conventions::complete(operation, rule);
            }
        }
        Self(document)
    }

    /// Every operation: method in upper case, path.
    pub(super) fn operations(&self) -> Vec<(String, String, &Value)> {
        let mut found = Vec::new();
        for (path, operations) in self.0["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                if let Some(operation) = operations.get(method) {
                    found.push((method.to_ascii_uppercase(), path.clone(), operation));
                }
            }
        }
        found
    }

    /// The query parameters that every operation knows.
    pub(super) fn query_names(&self) -> QueryNames {
        let names = |operation: &Value| -> BTreeSet<String> {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters.filter(|parameter| parameter["in"] == "query").filter_map(|p| p["name"].as_str().map(str::to_owned)).collect()
        };
        self.operations().into_iter().map(|(method, path, operation)| ((method, path), names(operation))).collect()
    }

    /// `/openapi.json`, `/docs` and its style. The page runs no scripts and needs only its own style, so the strictest policy fits it.
    pub(super) fn routes(&self) -> Route {
        let fixed = |content_type: &'static str, body: String| {
            make_sync(move |_| {
                Response::builder().content_type(content_type).header(header::X_CONTENT_TYPE_OPTIONS, "nosniff").body(body.clone())
            })
        };
        Route::new()
            .at("/openapi.json", get(fixed("application/json", self.0.to_string())))
            .at("/docs", get(fixed("text/html; charset=utf-8", self.page())))
            .at("/docs.css", get(fixed("text/css; charset=utf-8", include_str!("docs.css").to_owned())))
    }

    fn page(&self) -> String {
        let mut by_resource: BTreeMap<String, String> = BTreeMap::new();
        for (method, path, operation) in self.operations() {
            let resource = path.split('/').nth(1).unwrap_or_default().to_owned();
            by_resource.entry(resource).or_default().push_str(&entry(&method, &path, operation));
        }
        let sections: String =
            by_resource.iter().map(|(name, entries)| format!("<section><h2>{}</h2><dl>{entries}</dl></section>", escape(name))).collect();
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
             initial-scale=1\"><title>Admin API</title><link rel=\"stylesheet\" href=\"docs.css\"></head><body><main><h1>Admin API</h1>\
             <p>Below <code>{BASE_PATH}</code>. The whole contract, with every field, is in \
             <a href=\"openapi.json\">openapi.json</a> (OpenAPI 3).</p>{}{sections}</main></body></html>",
            paragraphs(include_str!("description.md")),
        )
    }
}

fn pointer(path: &str, method: &str) -> String {
    format!("/paths/{}/{}", path.replace('~', "~0").replace('/', "~1"), method.to_ascii_lowercase())
}

/// Requests may hold nothing but what is documented; the framework has no way to say so.
fn close_requests(document: &mut Value) {
    let mut open: Vec<String> = Vec::new();
    for operations in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in operations.as_object().into_iter().flat_map(Map::values) {
            references(&operation["requestBody"], &mut open);
        }
    }
    let mut closed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if closed.insert(name.clone()) {
            let schema = &mut document["components"]["schemas"][&name];
            references(schema, &mut open);
            schema["additionalProperties"] = json!(false);
        }
    }
}

/// An enumeration that may be null lists null among its values, or it may not be (OpenAPI 3.0.3).
fn allow_null(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let nullable = fields.get("nullable") == Some(&Value::Bool(true));
            if let Some(Value::Array(values)) = fields.get_mut("enum").filter(|_| nullable)
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
            fields.values_mut().for_each(allow_null);
        }
        Value::Array(items) => items.iter_mut().for_each(allow_null),
        _ => {}
    }
}

/// The names of all schemas that `value` refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/components/schemas/"));
            found.extend(name.map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn entry(method: &str, path: &str, operation: &Value) -> String {
    let scope = operation["x-scope"].as_str().map_or_else(|| "any token".to_owned(), |scope| format!("<code>{}</code>", escape(scope)));
    let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] != "path");
    let names: Vec<String> = parameters.filter_map(|p| p["name"].as_str()).map(|name| format!("<code>{}</code>", escape(name))).collect();
    let names = if names.is_empty() { String::new() } else { format!(" · {}", names.join(", ")) };
    let summary = escape(operation["summary"].as_str().unwrap_or_default());
    format!("<dt><b>{method}</b> <code>{}</code></dt><dd>{summary}<br><small>{scope}{names}</small></dd>", escape(path))
}

fn paragraphs(text: &str) -> String {
    text.split("\n\n").map(|paragraph| format!("<p>{}</p>", code(&escape(paragraph)))).collect()
}

/// Backquotes to `<code>`.
fn code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
