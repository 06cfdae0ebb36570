//! Reads a JSON document into a type and names the place where it does not fit.

use serde::de::DeserializeOwned;
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
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.inner().to_string();
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match (missing, path.as_str()) {
            (Some(field), ".") => ParseError::missing(field),
            (Some(field), path) => ParseError::missing(format!("{path}.{field}")),
            (None, ".") => ParseError::Json(quoted(&problem)),
            (None, _) => ParseError::field(path, quoted(&problem)),
        }
    })
}
