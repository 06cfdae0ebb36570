//! Brings the three modes into one form: a list of events as the JSON format writes them, with `data` as JSON where it is JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::MAX_SIGNALS;
use serde_json::{Map, Value};

use crate::{Inbound, ParseError, document, form};

const ATTRIBUTE_PREFIX: &str = "ce-";
const REQUIRED: [&str; 3] = ["id", "source", "type"];

/// The events of a request, each with the attributes that the specification requires.
pub(super) fn read(inbound: &Inbound<'_>) -> Result<Vec<Value>, ParseError> {
    let in_body = inbound.media_type().is_some_and(|media_type| media_type.starts_with("application/cloudevents"));
    if !in_body && inbound.header("ce-specversion").is_some() {
        let event = binary(inbound)?;
        check("header ce-", &event)?;
        return Ok(vec![Value::Object(event)]);
    }
    match inbound.document()? {
        Value::Array(events) if events.len() > MAX_SIGNALS => Err(ParseError::TooMany { n: events.len(), max: MAX_SIGNALS }),
        Value::Array(events) => {
            events.into_iter().enumerate().map(|(index, event)| structured(&format!("events[{index}]."), event)).collect()
        }
        event => Ok(vec![structured("", event)?]),
    }
}

fn check(prefix: &str, event: &Map<String, Value>) -> Result<(), ParseError> {
    let text = |name: &str| match event.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(Value::Null | Value::String(_)) | None => Err(ParseError::missing(format!("{prefix}{name}"))),
        Some(_) => Err(ParseError::field(format!("{prefix}{name}"), "is not a text")),
    };
    let version = text("specversion")?;
    if version != "1.0" {
        return Err(ParseError::unknown(format!("{prefix}specversion"), version, "1.0"));
    }
    REQUIRED.iter().try_for_each(|name| text(name).map(|_| ()))
}

fn structured(prefix: &str, event: Value) -> Result<Value, ParseError> {
    let Value::Object(mut event) = event else {
        return Err(ParseError::field(format!("{prefix}event"), "is not an object"));
    };
    check(prefix, &event)?;
    let is_json = event.get("datacontenttype").and_then(Value::as_str).is_none_or(is_json);
    if let Some(encoded) = event.get("data_base64").and_then(Value::as_str).filter(|_| is_json) {
        let path = format!("{prefix}data_base64");
        let decoded = BASE64_STANDARD.decode(encoded).map_err(|_| ParseError::field(&*path, "is not base64"))?;
        let data = document::read(&decoded).map_err(|error| ParseError::field(&*path, error.to_string()))?;
        event.insert("data".to_owned(), data);
    }
    Ok(Value::Object(event))
}

/// The attributes are headers, the body is the data.
fn binary(inbound: &Inbound<'_>) -> Result<Map<String, Value>, ParseError> {
    let mut event = Map::new();
    for (name, value) in inbound.headers {
        let Some(attribute) = name.strip_prefix(ATTRIBUTE_PREFIX) else { continue };
        let value = unquoted(value);
        // The specification wants percent-encoding; its own libraries for JavaScript and Python send the text as it is.
        let value = form::percent_decode(value.as_bytes()).unwrap_or(value);
        if event.insert(attribute.to_owned(), Value::String(value)).is_some() {
            return Err(ParseError::field(format!("header {name}"), "comes several times"));
        }
    }
    let media_type = inbound.media_type();
    if let Some(media_type) = &media_type {
        event.insert("datacontenttype".to_owned(), Value::String(media_type.clone()));
    }
    if inbound.body.is_empty() {
        return Ok(event);
    }
    if media_type.as_deref().is_none_or(is_json) {
        event.insert("data".to_owned(), inbound.document()?);
    } else if let Ok(text) = std::str::from_utf8(inbound.body) {
        event.insert("data".to_owned(), Value::String(text.to_owned()));
    }
    Ok(event)
}

/// Some libraries put the value of a header into quotation marks.
fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}
