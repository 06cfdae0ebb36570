//! What a request says. Clients put it into the query, a form or JSON, write booleans in a dozen ways, and numbers as text; all are read.

use std::collections::BTreeMap;

use jiff::{Timestamp as Instant, civil::DateTime, tz::TimeZone};
use poem::{
    Request,
    http::{Method, header},
};
use serde_json::Value;

use super::failure::Failure;
use domain::Timestamp;

/// The longest body, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 1 << 20;
/// The most fields.
pub(super) const MAX_FIELDS: usize = 1_000;

/// The fields of a request, from wherever they came, and what is wrong with those that were looked at.
#[derive(Debug, Default)]
pub(super) struct Input {
    fields: BTreeMap<String, Value>,
    wrong: Vec<String>,
}

impl Input {
    /// Reads query and body; what the body says counts for more.
    pub(super) async fn read(request: &mut Request) -> Result<Self, Failure> {
        let mut input = Self::default();
        input.take_pairs(request.uri().query().unwrap_or_default().as_bytes())?;
        let media_type = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
        let reads_only = *request.method() == Method::GET;
        let body = request.take_body().into_bytes_limit(MAX_BODY_BYTES).await;
        let body = body.map_err(|_| Failure::bad(vec![format!("The body may have at most {MAX_BODY_BYTES} bytes.")]))?;
        if media_type.starts_with("application/x-www-form-urlencoded") {
            input.take_pairs(&body)?;
        } else if !body.trim_ascii().is_empty() {
            match serde_json::from_slice(&body) {
                Ok(Value::Object(fields)) => {
                    for (name, value) in fields {
                        input.put(name, value)?;
                    }
                }
                // Clients send all sorts of bodies along with what only reads.
                _ if reads_only => {}
                _ => return Err(Failure::bad(vec!["The body must be a form or a JSON object.".to_owned()])),
            }
        }
        Ok(input)
    }

    fn take_pairs(&mut self, pairs: &[u8]) -> Result<(), Failure> {
        for (name, value) in url::form_urlencoded::parse(pairs) {
            let value = Value::String(value.into_owned());
            match name.split_once('[') {
                // `components[]=1&components[0]=1`.
                Some((name, _)) => match self.fields.get_mut(name) {
                    Some(Value::Array(list)) if list.len() < MAX_FIELDS => list.push(value),
                    Some(Value::Array(_)) => return Err(too_many()),
                    _ => self.put(name.to_owned(), Value::Array(vec![value]))?,
                },
                None => self.put(name.into_owned(), value)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, name: String, value: Value) -> Result<(), Failure> {
        if self.fields.len() >= MAX_FIELDS {
            return Err(too_many());
        }
        self.fields.insert(name, value);
        Ok(())
    }

    fn given(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The field as the client wrote it, for filters.
    pub(super) fn raw(&self, name: &str) -> Option<String> {
        match self.given(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Notes that a field is wrong.
    pub(super) fn refuse(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Fails if anything was wrong.
    pub(super) fn done(&mut self) -> Result<(), Failure> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Failure::bad(std::mem::take(&mut self.wrong))) }
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.given(name)?;
        let read = self.raw(name);
        if read.is_none() {
            self.refuse(format!("The {} must be a string.", words(name)));
        }
        read
    }

    /// A text that must be there and hold something.
    pub(super) fn required(&mut self, name: &str) -> String {
        let text = self.text(name).unwrap_or_default();
        if text.trim().is_empty() {
            self.refuse(format!("The {} field is required.", words(name)));
        }
        text
    }

    /// A whole number, if it is there; an empty text is none.
    pub(super) fn integer(&mut self, name: &str) -> Option<i64> {
        let read = match self.given(name)? {
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_i64(),
            Value::Bool(truth) => Some(i64::from(*truth)),
            _ => None,
        };
        if read.is_none() {
            self.refuse(format!("The {} must be an integer.", words(name)));
        }
        read
    }

    /// A number, if it is there.
    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        let read = match self.given(name)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        let read = read.filter(|number: &f64| number.is_finite());
        if read.is_none() {
            self.refuse(format!("The {} must be a number.", words(name)));
        }
        read
    }

    /// Whether the field says yes, if it is there: everything but an empty text and the words for no does.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        Some(match self.given(name)? {
            Value::Bool(truth) => *truth,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !["", "0", "false", "no", "off"].contains(&text.trim().to_ascii_lowercase().as_str()),
            _ => true,
        })
    }

    /// A time: `2026-11-30 14:05` or with seconds on the clock of `zone`, ISO 8601 with an offset, or seconds since 1970.
    pub(super) fn time(&mut self, name: &str, zone: &TimeZone) -> Option<Timestamp> {
        let text = self.text(name)?;
        let read = read_time(text.trim(), zone);
        if read.is_none() {
            self.refuse(format!("The {} does not match the format Y-m-d H:i.", words(name)));
        }
        read
    }

    /// A list of ids, if it is there: of numbers, or of texts, or of objects with an `id`, or an object whose keys are ids.
    pub(super) fn ids(&mut self, name: &str) -> Option<Vec<i64>> {
        let read: Option<Vec<i64>> = match self.given(name)? {
            Value::Array(list) => list.iter().map(id).collect(),
            Value::Object(fields) => fields.keys().map(|key| key.parse().ok()).collect(),
            Value::String(text) => text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect(),
            other => id(other).map(|id| vec![id]),
        };
        if read.is_none() {
            self.refuse(format!("The {} must be a list of ids.", words(name)));
        }
        read
    }
}

fn id(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Object(fields) => id(fields.get("id")?),
        _ => None,
    }
}

fn read_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1000).map(Timestamp).filter(|at| Instant::from_millisecond(at.0).is_ok());
    }
    if let Ok(at) = text.parse::<Instant>() {
        return Some(Timestamp(at.as_millisecond()));
    }
    let local: DateTime = text.parse().or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", text)).ok()?;
    Some(Timestamp(zone.to_timestamp(local).ok()?.as_millisecond()))
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn too_many() -> Failure {
    Failure::bad(vec![format!("At most {MAX_FIELDS} fields are taken.")])
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(method: Method, query: &str, media_type: &str, body: &str) -> Result<Input, Failure> {
        let uri = format!("/components{query}").parse().unwrap();
        let mut request = Request::builder().method(method).uri(uri).content_type(media_type).body(body.to_owned());
        Input::read(&mut request).await
    }

    #[tokio::test]
    async fn query_form_and_json_say_the_same() {
        for (query, media_type, body) in [
            ("?name=API&status=4&enabled=True", "", ""),
            ("", "application/x-www-form-urlencoded", "name=API&status=4&enabled=1"),
            ("?name=other", "application/json; charset=utf-8", r#"{"name":"API","status":"4","enabled":"yes","tags":{}}"#),
        ] {
            let mut input = read(Method::POST, query, media_type, body).await.unwrap();
            assert_eq!((input.required("name"), input.integer("status"), input.truth("enabled")), ("API".to_owned(), Some(4), Some(true)));
            input.done().unwrap();
        }
    }

    #[tokio::test]
    async fn no_is_written_in_many_ways() {
        for word in ["", "0", "false", "False", "no", "OFF"] {
            let input = read(Method::PUT, &format!("?enabled={word}"), "", "").await.unwrap();
            assert_eq!(input.truth("enabled"), Some(false), "{word:?}");
        }
        let input = read(Method::PUT, "", "application/json", r#"{"a":0,"b":false,"c":null}"#).await.unwrap();
        assert_eq!((input.truth("a"), input.truth("b"), input.truth("c")), (Some(false), Some(false), None));
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_at_once_and_named() {
        let mut input = read(Method::POST, "?status=much&value=x&at=soon", "", "").await.unwrap();
        let _ = (input.required("name"), input.integer("status"), input.number("value"), input.time("at", &TimeZone::UTC));
        let said = input.done().unwrap_err().details;
        assert_eq!(
            said,
            [
                "The name field is required.",
                "The status must be an integer.",
                "The value must be a number.",
                "The at does not match the format Y-m-d H:i.",
            ]
        );
    }

    #[tokio::test]
    async fn a_body_is_an_object_except_where_something_is_only_read() {
        assert!(read(Method::GET, "", "application/json", "[1]").await.is_ok());
        assert!(read(Method::POST, "", "application/json", "[1]").await.is_err());
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(MAX_BODY_BYTES));
        assert!(read(Method::POST, "", "application/json", &long).await.is_err());
        let many: String = (0..=MAX_FIELDS).map(|n| format!("f{n}=1&")).collect();
        assert!(read(Method::POST, "", "application/x-www-form-urlencoded", &many).await.is_err());
        let most: String = (0..MAX_FIELDS).map(|n| format!("f{n}=1&")).collect();
        assert!(read(Method::POST, "", "application/x-www-form-urlencoded", &most).await.is_ok());
    }

    #[test]
    fn times_are_on_the_clock_of_the_zone_unless_they_say_otherwise() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        let at = |text| read_time(text, &paris).map(|at| at.to_string());
        for text in ["2026-07-01 14:05", "2026-07-01 14:05:00", "2026-07-01T12:05:00Z", "2026-07-01T14:05:00+02:00", "1782907500"] {
            assert_eq!(at(text).as_deref(), Some("2026-07-01T12:05:00.000Z"), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01 00:00", "99999999999999999999", "9999999999999"] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn ids_come_as_lists_of_anything() {
        for (query, body) in [
            ("?components[]=3&components[]=5", ""),
            ("?components=3,5", ""),
            ("", r#"{"components":[3,"5"]}"#),
            ("", r#"{"components":[{"id":3},{"id":"5"}]}"#),
        ] {
            let mut input = read(Method::POST, query, "application/json", body).await.unwrap();
            assert_eq!(input.ids("components"), Some(vec![3, 5]), "{query} {body}");
        }
    }
}
