//! What has to be true of an answer.

use std::{collections::BTreeMap, ops::RangeInclusive};

use domain::to_value;
use minijinja::{Value, context};
use serde::Deserialize;

use crate::{SettingsError, check::Measured, error::quoted, field::Field, request::is_header_name};

/// The conditions as they stand in the settings.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Expect {
    /// Statuses such as `204` and ranges such as `200-299`.
    status: OneOrMany<Scalar>,
    /// Texts that must all be in the body.
    contains: OneOrMany<String>,
    /// Texts of which none may be in the body.
    contains_not: OneOrMany<String>,
    /// Texts that must be in these headers.
    headers: BTreeMap<String, String>,
    /// What must be true of the body as JSON.
    json: Option<String>,
}

impl Expect {
    pub(super) fn headers(&self) -> Vec<String> {
        self.headers.keys().map(|name| name.to_ascii_lowercase()).chain(["content-type".to_owned()]).collect()
    }

    pub(super) fn reads_body(&self) -> bool {
        self.json.is_some() || self.contains != OneOrMany::default() || self.contains_not != OneOrMany::default()
    }
}

#[derive(Deserialize, PartialEq)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u16),
    Text(String),
}

/// The conditions, ready to test.
pub(super) struct Conditions {
    status: Vec<RangeInclusive<u16>>,
    contains: Vec<String>,
    contains_not: Vec<String>,
    headers: BTreeMap<String, String>,
    json: Option<Field>,
}

impl Conditions {
    pub(super) fn compile(expect: Expect) -> Result<Self, SettingsError> {
        let mut status = expect.status.into_vec().into_iter().map(range).collect::<Result<Vec<_>, _>>()?;
        if status.is_empty() {
            status.push(200..=299);
        }
        let (contains, contains_not) = (expect.contains.into_vec(), expect.contains_not.into_vec());
        for (path, texts) in [("expect.contains", &contains), ("expect.contains_not", &contains_not)] {
            if texts.iter().any(String::is_empty) {
                return Err(SettingsError::new(path, "is empty"));
            }
        }
        if let Some(name) = expect.headers.keys().find(|name| !is_header_name(name)) {
            return Err(SettingsError::new(format!("expect.headers.{name}"), "is not a name of a header"));
        }
        let headers = expect.headers.into_iter().map(|(name, text)| (name.to_ascii_lowercase(), text)).collect();
        let json = expect.json.map(|source| Field::compile("expect.json", &source)).transpose()?;
        Ok(Self { status, contains, contains_not, headers, json })
    }

    /// The first that is not met, as a stable word and a sentence.
    pub(super) fn broken_by(&self, status: u16, measured: &Measured) -> Option<(&'static str, String)> {
        if !self.status.iter().any(|range| range.contains(&status)) {
            return Some(("status", format!("answered {status}")));
        }
        for (name, text) in &self.headers {
            match measured.headers.get(name) {
                None => return Some(("header", format!("the header `{name}` is missing"))),
                Some(value) if !value.contains(text) => {
                    return Some(("header", format!("the header `{name}` is `{}`", quoted(value))));
                }
                Some(_) => {}
            }
        }
        let body = measured.body.as_deref().unwrap_or_default();
        let of_the_start = if measured.cut { "the first 64 KiB of the body" } else { "the body" };
        if let Some(text) = self.contains.iter().find(|text| !body.contains(*text)) {
            return Some(("body", format!("{of_the_start} does not hold `{}`", quoted(text))));
        }
        if let Some(text) = self.contains_not.iter().find(|text| body.contains(*text)) {
            return Some(("body", format!("the body holds `{}`", quoted(text))));
        }
        let problem = self.json.as_ref().and_then(|field| untrue(field, status, body, measured))?;
        Some(("json", problem))
    }
}

fn range(given: Scalar) -> Result<RangeInclusive<u16>, SettingsError> {
    let text = match given {
        Scalar::Number(status) => status.to_string(),
        Scalar::Text(text) => text,
    };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let status = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
    match (status(first), status(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(SettingsError::new(
            "expect.status",
            format!("`{}` is neither a status such as 204 nor a range such as 200-299", quoted(&text)),
        )),
    }
}

/// Why the expression does not hold, if it does not.
fn untrue(field: &Field, status: u16, body: &str, measured: &Measured) -> Option<String> {
    let document: serde_json::Value = match serde_json::from_str(body) {
        Ok(document) => document,
        Err(_) if measured.cut => return Some("the body is longer than 64 KiB".to_owned()),
        Err(error) => return Some(format!("the body is not JSON: {}", quoted(&error.to_string()))),
    };
    let context: Value = context! { body => to_value(&document), status => status, headers => to_value(&measured.headers) };
    match field.value("", &context) {
        Ok(value) if value.is_true() => None,
        Ok(_) => Some(format!("`{}` is not true", field.path(""))),
        Err(error) => Some(error.to_string()),
    }
}
