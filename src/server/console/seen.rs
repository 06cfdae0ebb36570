//! What operations answer, for templates; and what people typed.

use domain::Timestamp;
use poem::web::{Form, Query};
use serde_json::Value;

use super::zone::{When, time};

/// The parts of an answer.
pub(super) trait Seen {
    /// A text; empty where there is none.
    fn text(&self, name: &str) -> &str;
    /// A whole number; 0 where there is none.
    fn number(&self, name: &str) -> i64;
    /// Whether something is said to be so.
    fn yes(&self, name: &str) -> bool;
    /// The entries of a list.
    fn list(&self, name: &str) -> &[Value];
    /// What has parts of its own.
    fn part(&self, name: &str) -> &Value;
    /// A time, for people; empty where there is none.
    fn time(&self, name: &str) -> When;
    /// Whether there is something.
    fn has(&self, name: &str) -> bool;
}

impl Seen for Value {
    fn text(&self, name: &str) -> &str {
        self[name].as_str().unwrap_or_default()
    }

    fn number(&self, name: &str) -> i64 {
        self[name].as_i64().unwrap_or_default()
    }

    fn yes(&self, name: &str) -> bool {
        self[name].as_bool() == Some(true)
    }

    fn list(&self, name: &str) -> &[Value] {
        self[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn part(&self, name: &str) -> &Value {
        &self[name]
    }

    fn time(&self, name: &str) -> When {
        at(self, name).map_or(When::NONE, time)
    }

    fn has(&self, name: &str) -> bool {
        !self[name].is_null()
    }
}

/// A time of an answer.
pub(super) fn at(value: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::parse(value.text(name)).ok()
}

/// The names in a list.
pub(super) fn names(value: &Value, name: &str) -> Vec<String> {
    value.list(name).iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Indented JSON, to read.
pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The fields of a form or an address, as they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed(Vec<(String, String)>);

impl Typed {
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// A text of several lines. Browsers send line breaks of two characters; we keep one.
    pub(super) fn lines(&self, name: &str) -> String {
        self.text(name).replace("\r\n", "\n")
    }

    /// What was typed, or nothing.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Every value of a field that may have several.
    pub(super) fn all<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether one of the values of a field is this one.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        self.0.iter().any(|(known, typed)| known == name && typed == value)
    }

    /// Whether a box is ticked, or a button was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Puts one value in place of all that a field has.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(known, _)| known != name);
        self.add(name, value);
    }

    pub(super) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }
}

impl From<Form<Vec<(String, String)>>> for Typed {
    fn from(form: Form<Vec<(String, String)>>) -> Self {
        Self(form.0)
    }
}

impl From<Query<Vec<(String, String)>>> for Typed {
    fn from(query: Query<Vec<(String, String)>>) -> Self {
        Self(query.0)
    }
}

/// The fields of a form, as a handler takes them.
pub(super) type Sent = Form<Vec<(String, String)>>;
/// The fields of an address, likewise.
pub(super) type Asked = Query<Vec<(String, String)>>;

/// An address with these fields; empty ones are left out.
pub(super) fn address(path: &str, fields: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_what_was_chosen() {
        assert_eq!(address("/console/deliveries", &[("state", ""), ("cursor", "")]), "/console/deliveries");
        assert_eq!(
            address("/x", &[("state", "quarantined"), ("integration", "a&b"), ("cursor", "")]),
            "/x?state=quarantined&integration=a%26b"
        );
    }
}
