//! JSON, read strictly: a document that two parsers could read differently is refused.
//!
//! A key that comes twice is refused, because a proxy, the sender and we could each believe another of its values. A byte order mark at
//! the start says whether the text is UTF-8 or UTF-16 and is skipped; without one it is UTF-8. Every other encoding is refused. Nesting is limited to
//! `serde_json`'s 128 levels.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::{ParseError, error::quoted};

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads one JSON document that fills `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, ParseError> {
    let text = text(bytes).ok_or_else(|| ParseError::Json("it is not UTF-8, nor UTF-16 with a byte order mark".to_owned()))?;
    if text.trim().is_empty() {
        return Err(ParseError::Json("it is empty".to_owned()));
    }
    serde_json::from_str::<Strict>(&text).map(|strict| strict.0).map_err(|error| ParseError::Json(error.to_string()))
}

/// The text in the encoding that its byte order mark names.
pub(crate) fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten().map(Cow::Owned)
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        _ => str::from_utf8(bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes)).ok().map(Cow::Borrowed),
    }
}

/// A [`Value`] that refuses repeated keys, where `serde_json` keeps the last.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{}` comes twice in one object", quoted(&key))));
            }
            let Strict(value) = map.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(body: &[u8]) -> String {
        read(body).unwrap_err().to_string()
    }

    #[test]
    fn a_byte_order_mark_names_the_encoding() {
        let utf16 = |unit: fn(u16) -> [u8; 2]| "\u{feff}{\"a\":\"é\"}".encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let expected = Ok(serde_json::json!({"a": "é"}));
        assert_eq!(read(&utf16(u16::to_be_bytes)), expected);
        assert_eq!(read(&utf16(u16::to_le_bytes)), expected);
        assert_eq!(read("\u{feff}{\"a\":\"é\"}".as_bytes()), expected);
    }

    /// `OneUptime`: what was verified was one reading, and what was used another.
    #[test]
    fn cve_2026_34840_what_could_be_read_in_two_ways_is_refused() {
        assert!(problem(br#"{"a":{"status":"ok","status":"down"}}"#).contains("the key `status` comes twice"));
        assert!(problem(br#"{"a":1} {"a":2}"#).contains("trailing characters"));
        assert!(problem(b"\xff\xfe{\0}").contains("not UTF-8"), "half a unit");
        assert!(problem(b" \n").contains("it is empty"));
        assert!(problem("[".repeat(200).as_bytes()).contains("recursion limit"));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        assert_eq!(read(b"\xef\xbb\xbf[1, -2, 2.5, null, true, \"x\"]").unwrap(), serde_json::json!([1, -2, 2.5, null, true, "x"]));
        assert!(read(b"\xef\xbb\xbf\xef\xbb\xbf{}").is_err());
    }
}
