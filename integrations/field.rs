//! One field of a mapping: an expression, what it gives, and where it stands when it gives nothing usable.

use std::collections::BTreeMap;

use domain::{Expression, MAX_FINGERPRINT_BYTES, Timestamp, to_value};
use minijinja::{Value, context, value::ValueKind};

use crate::{Inbound, MAX_TEXT_BYTES, ParseError, SettingsError, accept, error::quoted};

/// From this number on, a unix time is in milliseconds: in seconds it would be the year 5138.
const FIRST_UNIX_MS: f64 = 1e11;

/// A field of the settings and its expression, ready to run.
pub(crate) struct Field {
    name: String,
    expression: Expression,
}

impl Field {
    pub(crate) fn compile(name: &str, source: &str) -> Result<Self, SettingsError> {
        let expression = Expression::compile(source).map_err(|error| SettingsError::new(name, error.to_string()))?;
        Ok(Self { name: name.to_owned(), expression })
    }

    /// The place and the expression, for whoever has to find out why.
    pub(crate) fn path(&self, prefix: &str) -> String {
        format!("{prefix}{} = {}", self.name, self.expression.source())
    }

    pub(crate) fn value(&self, prefix: &str, context: &Value) -> Result<Value, ParseError> {
        self.expression.value(context).map_err(|error| ParseError::Expression { path: self.path(prefix), error })
    }

    /// The text of a scalar, cut; nothing for null and for what is not there.
    pub(crate) fn text(&self, prefix: &str, context: &Value) -> Result<Option<String>, ParseError> {
        // Cut at once: an expression may repeat half the body for every item.
        Ok(self.whole_text(prefix, context)?.map(|mut text| {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
            text
        }))
    }

    fn whole_text(&self, prefix: &str, context: &Value) -> Result<Option<String>, ParseError> {
        let value = self.value(prefix, context)?;
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => Ok(None),
            ValueKind::String | ValueKind::Number => Ok(Some(value.to_string())),
            // As JSON writes it: the language itself says `True`.
            ValueKind::Bool => Ok(Some(value.is_true().to_string())),
            other => Err(ParseError::field(self.path(prefix), format!("is a {other}, not a text, number or boolean"))),
        }
    }

    pub(crate) fn required(&self, prefix: &str, context: &Value) -> Result<String, ParseError> {
        match self.whole_text(prefix, context)? {
            Some(text) if text.len() > MAX_FINGERPRINT_BYTES => {
                Err(ParseError::TooLong { path: self.path(prefix), bytes: text.len(), max: MAX_FINGERPRINT_BYTES })
            }
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(ParseError::missing(self.path(prefix))),
        }
    }

    /// As a delivery's id: where the expression gives nothing usable, there is none.
    pub(crate) fn id(&self, document: &serde_json::Value, inbound: &Inbound<'_>) -> Option<String> {
        let body = to_value(document);
        let context = context! { body => body.clone(), item => body, headers => headers(inbound) };
        self.whole_text("", &context).ok().flatten()
    }
}

/// The headers an expression may see: a credential must not get into a fingerprint or a label.
pub(crate) fn headers(inbound: &Inbound<'_>) -> Value {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in inbound.headers.iter().filter(|(name, _)| !accept::holds_credential(name)) {
        headers.entry(name).and_modify(|all| *all = format!("{all}, {value}")).or_insert_with(|| value.clone());
    }
    to_value(&headers)
}

/// Reads RFC 3339 or a unix time in seconds or milliseconds; Go's zero time means that there is none.
pub(crate) fn time(text: &str) -> Result<Option<Timestamp>, String> {
    let Ok(number) = text.parse::<f64>() else {
        return Timestamp::parse_unless_zero(text).map_err(|error| error.to_string());
    };
    let ms = if number.abs() < FIRST_UNIX_MS { number * 1000.0 } else { number };
    // Up to the year 9999, which also excludes micro- and nanoseconds and what is no number.
    if !(0.0..253_402_300_800_000.0).contains(&ms) {
        return Err(format!("`{}` is not a unix time in seconds or milliseconds", quoted(text)));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked one line above")]
    Ok(Some(Timestamp(ms as i64)))
}
