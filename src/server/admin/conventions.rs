//! What the document says of every operation alike: who may ask, with which headers and parameters, and which errors may come.

use poem_openapi::types::Type;
use serde_json::{Map, Value, json};

use super::{cursor, once::IDEMPOTENCY_KEY, problem::ProblemBody, reply::MAX_LIMIT, rules::Rule};

/// The longest text that a filter takes.
pub(super) const MAX_FILTER_CHARS: usize = 200;

/// Statuses of errors, and what they say.
const ERRORS: [(u16, &str); 12] = [
    (400, "Something cannot be read: a parameter, a header or the body."),
    (401, "There is no token, or it is not valid, or no longer."),
    (403, "The token lacks the scope, or may not be used from this address."),
    (404, "There is no such thing."),
    (409, "It does not go with the present state."),
    (412, "Somebody was faster: `If-Match` names another state. Without `If-Match` nothing is compared; 428 is never answered."),
    (413, "The body has more than 1 MiB."),
    (415, "The body is not JSON."),
    (422, "Fields do not fit; every one of them is named."),
    (429, "Too many requests. `Retry-After` says when to come again."),
    (500, "Something went wrong on our side."),
    (503, "The database does not answer in time. `Retry-After` says when to come again."),
];

/// Adds the schema of errors.
pub(super) fn add_problem(schemas: &mut Value) {
    let mut registry = poem_openapi::registry::Registry::new();
    ProblemBody::register(&mut registry);
    for (name, schema) in &registry.schemas {
        schemas[name] = serde_json::to_value(schema).unwrap_or_default();
    }
}

/// The errors, as operations refer to them.
pub(super) fn responses() -> Value {
    let problem = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let response = |text: &str| json!({ "description": text, "content": problem });
    Value::Object(ERRORS.iter().map(|(status, text)| (format!("Error{status}"), response(text))).collect())
}

/// Completes one operation.
pub(super) fn complete(operation: &mut Value, rule: &Rule) {
    let Rule { method, path, scope, .. } = rule;
    let resource = path.split('/').nth(1).unwrap_or_default();
    operation["operationId"] = json!(format!("{}{}", method.to_ascii_lowercase(), path.replace('/', "_").replace(['{', '}'], "")));
    operation["tags"] = json!([resource]);
    operation["security"] = json!([{ "token": [] }]);
    operation["x-scope"] = json!(scope);
    add_responses(operation, rule);
    let headers = headers_of(rule, has_etag(operation));
    let Some(parameters) = operation.as_object_mut().map(|operation| operation.entry("parameters").or_insert_with(|| json!([]))) else {
        return;
    };
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.iter_mut().filter(|parameter| parameter["in"] == "query").for_each(narrow);
        parameters.extend(headers);
    }
}

fn has_etag(operation: &Value) -> bool {
    operation["responses"]["200"]["headers"]["ETAG"].is_object() || operation["responses"]["200"]["headers"]["ETag"].is_object()
}

fn add_responses(operation: &mut Value, rule: &Rule) {
    let (has_body, is_get) = (operation["requestBody"].is_object(), rule.method == "GET");
    if is_get && has_etag(operation) {
        operation["responses"]["304"] = json!({ "description": "It is as `If-None-Match` says." });
    }
    let has_cursor = operation["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["name"] == "cursor"));
    let may_come = |status: u16| match status {
        403 => rule.scope.is_some(),
        404 => rule.path.contains('{'),
        409 => !is_get,
        412 => !matches!(rule.method, "GET"),
        413 | 415 => has_body,
        422 => has_body || has_cursor || rule.method == "POST",
        _ => true,
    };
    for (status, _) in ERRORS.iter().filter(|(status, _)| may_come(*status)) {
        operation["responses"][status.to_string()] = json!({ "$ref": format!("#/components/responses/Error{status}") });
    }
}

/// What adds to a thing, or acts on it, and takes `If-Match` as changes of it do.
const MATCHED: [&str; 3] = ["/incidents/{id}/updates", "/incidents/{id}/postmortem/publish", "/incidents/{id}/postmortem/unpublish"];

/// What changes many things at once: there is no one state of theirs.
const MANY: [&str; 2] = ["/components", "/components/overrides"];

/// The headers that belong to the method.
fn headers_of(rule: &Rule, has_etag: bool) -> Vec<Value> {
    let header = |name: &str, text: &str, schema: Value| json!({ "name": name, "in": "header", "required": false, "description": text, "schema": schema });
    let tags = || json!({ "type": "string" });
    let matched = || header("If-Match", "The ETag of the state that the client has seen; another one is answered 412.", tags());
    match rule.method {
        "POST" => {
            let once = header(
                IDEMPOTENCY_KEY,
                "The same request under the same key is done once within 24 hours, and answered alike.",
                json!({ "type": "string", "pattern": "^[!-~]{1,255}$" }),
            );
            std::iter::once(once).chain(MATCHED.contains(&rule.path).then(matched)).collect()
        }
        "GET" if has_etag => {
            vec![header("If-None-Match", "The ETag that the client has: if it is still the one, 304 is answered.", tags())]
        }
        "GET" => Vec::new(),
        _ if MANY.contains(&rule.path) => Vec::new(),
        _ => vec![matched()],
    }
}

/// Says what values a parameter takes, which the framework has no way to say.
fn narrow(parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    let Some(schema) = parameter["schema"].as_object_mut() else { return };
    let is_free_text =
        schema.get("type").is_some_and(|ty| ty == "string") && !schema.contains_key("enum") && !schema.contains_key("format");
    let more: Map<String, Value> = match name.as_str() {
        "limit" => [("minimum".to_owned(), json!(1)), ("maximum".to_owned(), json!(MAX_LIMIT))].into_iter().collect(),
        "cursor" => [("pattern".to_owned(), json!(cursor::PATTERN))].into_iter().collect(),
        _ if is_free_text => {
            [("maxLength".to_owned(), json!(MAX_FILTER_CHARS)), ("pattern".to_owned(), json!("^[^\\u0000]*$"))].into_iter().collect()
        }
        _ => Map::new(),
    };
    schema.extend(more);
}
