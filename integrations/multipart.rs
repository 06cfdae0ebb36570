//! `multipart/form-data` bodies with one JSON document in a field.
//!
//! <https://www.rfc-editor.org/rfc/rfc7578>

use serde_json::Value;

use crate::{Inbound, ParseError, document, error::quoted};

/// What programs send that fill in a form with files.
pub(crate) const MEDIA_TYPE: &str = "multipart/form-data";

/// The document in the field `name`, which comes once.
pub(crate) fn read(inbound: &Inbound<'_>, name: &str) -> Result<Value, ParseError> {
    let refuse = |problem: &str| ParseError::Form(problem.to_owned());
    let boundary = inbound.header("content-type").and_then(boundary).ok_or_else(|| refuse("its content type names no boundary"))?;
    // The text is JSON or is refused later, so one that is not UTF-8 can be refused now.
    let body = str::from_utf8(inbound.body).map_err(|_| refuse("it is not UTF-8"))?;
    let delimiter = format!("\r\n--{boundary}");
    let body = format!("\r\n{body}");
    let (_, parts) = body.split_once(&delimiter).ok_or_else(|| refuse("its boundary is not in it"))?;
    let (parts, _) = parts.rsplit_once(&format!("{delimiter}--")).ok_or_else(|| refuse("it ends too early"))?;
    let mut found = parts.split(&delimiter).filter_map(|part| part.split_once("\r\n\r\n")).filter(|(headers, _)| is_named(headers, name));
    let Some((_, content)) = found.next() else { return Err(ParseError::missing(name)) };
    if found.next().is_some() {
        return Err(ParseError::Form(format!("the field `{}` comes twice", quoted(name))));
    }
    document::read(content.as_bytes())
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = parameters.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let boundary = boundary.trim_matches('"');
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

fn is_named(headers: &str, name: &str) -> bool {
    let dispositions = headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(header, _)| header.trim().eq_ignore_ascii_case("content-disposition"));
    let wanted = format!("name=\"{name}\"");
    dispositions.into_iter().any(|(_, value)| value.split(';').any(|parameter| parameter.trim() == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Timestamp;
    use serde_json::json;

    fn outcome(content_type: &str, body: &str) -> Result<Value, String> {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        let inbound = Inbound { headers: &headers, path_token: None, body: body.as_bytes(), received_at: Timestamp(0) };
        read(&inbound, "data").map_err(|error| error.to_string())
    }

    const TYPE: &str = "multipart/form-data; boundary=lantern";

    fn part(name: &str, content: &str) -> String {
        format!("--lantern\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    }

    #[test]
    fn the_document_is_found_among_other_fields() {
        let body = format!("{}{}--lantern--\r\n", part("other", "--lanterns\r\nx"), part("data", "{\"a\": \"--lantern\"}"));
        assert_eq!(outcome(TYPE, &body), Ok(json!({"a": "--lantern"})));
        assert_eq!(outcome("multipart/form-data; charset=utf-8; Boundary=\"lantern\"", &body), Ok(json!({"a": "--lantern"})));
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_refused() {
        let twice = format!("{}{}--lantern--", part("data", "1"), part("data", "2"));
        let whole = format!("{}--lantern--", part("data", "1"));
        for (content_type, body, problem) in [
            (TYPE, twice.as_str(), "comes twice"),
            (TYPE, &part("data", "1"), "ends too early"),
            (TYPE, "", "boundary is not in it"),
            (TYPE, &format!("{}--lantern--", part("date", "1")), "`data` is missing"),
            (TYPE, &format!("{}--lantern--", part("data", "{")), "not usable JSON"),
            ("multipart/form-data", &whole, "names no boundary"),
            ("multipart/form-data; boundary=\"\"", &whole, "names no boundary"),
        ] {
            assert!(
                outcome(content_type, body).is_err_and(|error| error.contains(problem)),
                "{problem}: {:?}",
                outcome(content_type, body)
            );
        }
    }
}
