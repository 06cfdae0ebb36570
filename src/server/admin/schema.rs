//! Holds a request's body to the schema that the document shows, and names every field that does not fit.

use std::collections::BTreeMap;

use domain::{Span, Timestamp};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::Value;

use super::problem::FieldError;

/// Formats of text that are ours or that we hold to.
pub(super) const TIME: &str = "date-time";
pub(super) const SPAN: &str = "span";
/// What a span looks like; how long it may be is said in words.
pub(super) const SPAN_PATTERN: &str = "^(0|([0-9]{1,9}(ms|s|m|h|d))+)$";
/// The most errors in one answer.
const MAX_ERRORS: usize = 100;
/// The most characters of a value repeated in an error.
const MAX_QUOTED_CHARS: usize = 64;

/// The schemas that others refer to.
#[derive(Debug)]
pub(super) struct Schemas(pub(super) BTreeMap<String, MetaSchema>);

impl Schemas {
    /// Everything in `value` that does not fit `schema`.
    pub(super) fn check(&self, schema: &MetaSchemaRef, value: &Value) -> Vec<FieldError> {
        let mut check = Check { schemas: &self.0, errors: Vec::new() };
        check.value(schema, value, "");
        check.errors
    }
}

struct Check<'a> {
    schemas: &'a BTreeMap<String, MetaSchema>,
    errors: Vec<FieldError>,
}

impl Check<'_> {
    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::new(path, message));
        }
    }

    fn value(&mut self, schema: &MetaSchemaRef, value: &Value, path: &str) {
        let schema = match schema {
            MetaSchemaRef::Inline(schema) => schema,
            MetaSchemaRef::Reference(name) => match self.schemas.get(name) {
                Some(schema) => return self.inline(schema, value, path),
                None => return,
            },
        };
        self.inline(schema, value, path);
    }

    fn inline(&mut self, schema: &MetaSchema, value: &Value, path: &str) {
        if value.is_null() && schema.nullable {
            return;
        }
        for part in &schema.all_of {
            self.value(part, value, path);
        }
        match (schema.ty, value) {
            ("", _) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => {}
            ("string", Value::String(text)) => self.text(schema, text, path),
            ("integer", Value::Number(number)) => self.integer(schema, number, path),
            ("array", Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    if let Some(schema) = &schema.items {
                        self.value(schema, item, &format!("{path}[{i}]"));
                    }
                }
            }
            ("object", Value::Object(fields)) => self.object(schema, fields, path),
            (_, Value::Null) => self.refuse(path, "must not be null"),
            (expected, _) => self.refuse(path, format!("must be {}, not {}", with_article(expected), kind(value))),
        }
    }

    fn object(&mut self, schema: &MetaSchema, fields: &serde_json::Map<String, Value>, path: &str) {
        let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for name in schema.required.iter().filter(|name| !fields.contains_key(**name)) {
            self.refuse(&inside(name), "is needed");
        }
        for (name, value) in fields {
            let known = schema.properties.iter().find(|(known, _)| known == name);
            match (known, &schema.additional_properties) {
                (Some((_, schema)), _) => self.value(schema, value, &inside(name)),
                (None, Some(schema)) => self.value(schema, value, &inside(name)),
                (None, None) => {
                    let known: Vec<&str> = schema.properties.iter().map(|(name, _)| *name).collect();
                    self.refuse(&inside(&quoted(name)), format!("is not known here; known are {}", known.join(", ")));
                }
            }
        }
    }

    fn text(&mut self, schema: &MetaSchema, text: &str, path: &str) {
        if !schema.enum_items.is_empty() && !schema.enum_items.iter().any(|item| item == text) {
            let allowed: Vec<&str> = schema.enum_items.iter().filter_map(Value::as_str).collect();
            return self.refuse(path, format!("`{}` is not one of {}", quoted(text), allowed.join(", ")));
        }
        let problem = match schema.format {
            Some(TIME) => Timestamp::parse(text).err(),
            Some(SPAN) => text.parse::<Span>().err(),
            _ => None,
        };
        if let Some(problem) = problem {
            self.refuse(path, problem.to_string());
        }
    }

    fn integer(&mut self, schema: &MetaSchema, number: &serde_json::Number, path: &str) {
        match number.as_i64() {
            None => self.refuse(path, format!("`{number}` is not a whole number of 64 bits")),
            Some(n) if schema.format == Some("int32") && i32::try_from(n).is_err() => {
                self.refuse(path, format!("must lie between {} and {}", i32::MIN, i32::MAX));
            }
            Some(_) => {}
        }
    }
}

fn with_article(ty: &str) -> &'static str {
    match ty {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object",
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Cut to what fits into an error, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let mut cut: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_QUOTED_CHARS).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        cut.push('…');
    }
    cut
}
