//! `application/x-www-form-urlencoded` bodies.

use serde_json::{Map, Value};

use crate::{ParseError, document};

/// What browsers and `curl --data` send.
pub(crate) const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The field in which some senders put a whole JSON document.
const PAYLOAD: &str = "payload";

/// The fields as an object of texts; if the only field is `payload`, the JSON document inside it.
pub(crate) fn read(body: &[u8]) -> Result<Value, ParseError> {
    let mut fields = Map::new();
    for pair in body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |&b| b == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if fields.contains_key(&name) {
            return Err(ParseError::Form(format!("the field `{}` comes twice", crate::error::quoted(&name))));
        }
        fields.insert(name, Value::String(value));
    }
    match fields.get(PAYLOAD) {
        Some(Value::String(payload)) if fields.len() == 1 => document::read(payload.as_bytes()),
        _ => Ok(Value::Object(fields)),
    }
}

/// Writes fields as a form.
pub(crate) fn write(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// Escapes a text for a form, a query or one part of a path: everything but the letters, digits and marks that mean themselves everywhere.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push_str(&hex::encode_upper([byte]));
        }
    }
    escaped
}

fn decode(text: &[u8]) -> Result<String, ParseError> {
    let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    percent_decode(&spaced).map_err(|problem| ParseError::Form(problem.to_owned()))
}

/// Undoes percent-encoding, in forms and in headers.
pub(crate) fn percent_decode(text: &[u8]) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let pair = after.get(..2).and_then(|pair| hex::decode(pair).ok());
        rest = after.get(2..).unwrap_or_default();
        bytes.push(*pair.as_deref().and_then(<[u8]>::first).ok_or("`%` without two hex digits")?);
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_become_an_object_and_a_lone_payload_its_document() {
        assert_eq!(
            read(b"monitor=api+1&alert=%C3%A9t%C3%A9&empty=&bare").unwrap(),
            json!({"monitor": "api 1", "alert": "été", "empty": "", "bare": ""})
        );
        assert_eq!(read(b"payload=%7B%22a%22%3A1%7D").unwrap(), json!({"a": 1}));
        assert_eq!(read(b"payload=1&kind=x").unwrap(), json!({"payload": "1", "kind": "x"}));
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_refused() {
        for (body, problem) in
            [(&b"a=1&a=2"[..], "comes twice"), (b"a=%4", "two hex digits"), (b"a=%zz", "two hex digits"), (b"a=%ff", "UTF-8")]
        {
            assert!(read(body).unwrap_err().to_string().contains(problem), "{problem}");
        }
    }
}
