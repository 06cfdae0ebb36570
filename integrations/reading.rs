//! Reads a JSON document into a type and names the place where it does not fit.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{ParseError, SettingsError, error::quoted};

/// Reads settings; `prefix` is where `value` stands in them.
pub(crate) fn settings<T: DeserializeOwned>(prefix: &str, value: &Value) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = match (prefix, inner.as_str()) {
            (prefix, ".") => prefix.to_owned(),
            ("", inner) => inner.to_owned(),
            (prefix, inner) => format!("{prefix}.{inner}"),
        };
        SettingsError::new(path, error.inner().to_string())
    })
}

/// Reads a body.
pub(crate) fn body<T: DeserializeOwned>(value: Value) -> Result<T, ParseError> {
    nested("", value)
}

/// Reads a body that is an object. Without the check, a list would be taken for the fields in their order.
pub(crate) fn object<T: DeserializeOwned>(value: Value) -> Result<T, ParseError> {
    if value.is_object() { body(value) } else { Err(ParseError::Json("it is not an object".to_owned())) }
}

/// Reads a part of a body; `prefix` is where `value` stands in it.
pub(crate) fn nested<T: DeserializeOwned>(prefix: &str, value: Value) -> Result<T, ParseError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = match (prefix, inner.as_str()) {
            (prefix, ".") => prefix.to_owned(),
            ("", inner) => inner.to_owned(),
            (prefix, inner) => format!("{prefix}.{inner}"),
        };
        let problem = error.inner().to_string();
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match (missing, path.as_str()) {
            (Some(field), "") => ParseError::missing(field),
            (Some(field), path) => ParseError::missing(format!("{path}.{field}")),
            (None, "") => ParseError::Json(quoted(&problem)),
            (None, _) => ParseError::field(path, quoted(&problem)),
        }
    })
}

/// For a provider that has no settings: none, or an empty object.
pub(crate) fn no_settings(value: &Value) -> Result<(), SettingsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    if value.is_null() { Ok(()) } else { settings::<NoSettings>("", value).map(|_| ()) }
}

/// Some senders print what is empty as `null`. With `#[serde(default)]`, a field that may also be missing.
pub(crate) fn null_as_empty<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A field that may be `null` but must be there: a body without it has another shape.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// The text of a text, number or boolean, since senders and their templates do not agree on quotes; `null` is empty.
pub(crate) fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Array(_) => Err(serde::de::Error::custom("is a list, not a text or number")),
        Value::Object(_) => Err(serde::de::Error::custom("is an object, not a text or number")),
    }
}

/// What must not be empty.
pub(crate) fn required<'a>(path: &str, text: &'a str) -> Result<&'a str, ParseError> {
    if text.trim().is_empty() { Err(ParseError::missing(path)) } else { Ok(text) }
}

/// As [`scalar`], for what names a thing and so must not be empty.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = scalar(deserializer)?;
    if id.trim().is_empty() { Err(serde::de::Error::custom("is empty")) } else { Ok(id) }
}
