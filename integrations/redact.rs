//! Takes out of a body what lets whoever reads it act, and leaves every other byte as it came.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{accept::REDACTED, document};

/// The body without what stands at `paths`. A body that is no JSON is kept as it is: it will be in quarantine, for people who may see it.
pub(crate) fn redact(body: &[u8], paths: &[&[&str]]) -> Vec<u8> {
    let Some(text) = document::text(body).filter(|_| !paths.is_empty()) else { return body.to_vec() };
    let mut found = Vec::new();
    paths.iter().for_each(|path| find(&text, path, &mut found));
    // Each is a part of `text`, so its address says where.
    let mut places: Vec<(usize, usize)> = found.iter().map(|part| (part.as_ptr() as usize - text.as_ptr() as usize, part.len())).collect();
    places.sort_unstable();
    if places.is_empty() {
        return body.to_vec();
    }
    let (mut redacted, mut done) = (String::with_capacity(text.len()), 0);
    for (at, len) in places {
        redacted.push_str(&text[done..at]);
        redacted.push_str(&format!("\"{REDACTED}\""));
        done = at + len;
    }
    redacted.push_str(&text[done..]);
    redacted.into_bytes()
}

/// Every value at `path`, also where a name comes twice.
fn find<'a>(json: &'a str, path: &[&str], found: &mut Vec<&'a str>) {
    let (Some((name, rest)), Ok(Members(members))) = (path.split_first(), serde_json::from_str(json)) else { return };
    for (_, value) in members.into_iter().filter(|(member, value)| member == name && value.get() != "null") {
        if rest.is_empty() {
            found.push(value.get());
        } else {
            find(value.get(), rest, found);
        }
    }
}

/// The members of an object, with their values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &[&[&str]] = &[&["meta", "unsubscribe"], &["Token"]];

    fn redacted(body: &str) -> String {
        String::from_utf8(redact(body.as_bytes(), PATHS)).unwrap()
    }

    #[test]
    fn only_what_stands_at_a_path_goes_and_every_other_byte_stays() {
        assert_eq!(
            redacted(r#"{ "n": 1.50, "meta" : {"unsubscribe":"https:\/\/x.example\/?u=\"1\"" , "b": null},  "Token":12 }"#),
            r#"{ "n": 1.50, "meta" : {"unsubscribe":"[redacted]" , "b": null},  "Token":"[redacted]" }"#
        );
        assert_eq!(redacted(r#"{"Token":"a","Token":"b"}"#), r#"{"Token":"[redacted]","Token":"[redacted]"}"#, "a name that comes twice");
        assert_eq!(redacted(r#"{"Tok\u0065n":"a"}"#), r#"{"Tok\u0065n":"[redacted]"}"#, "a name written in another way");
        for same in [r#"{"meta":"x","Token":null}"#, r#"[{"Token":"a"}]"#, "{\"Token\":\"a\"", "", "null"] {
            assert_eq!(redacted(same), same);
        }
        assert_eq!(redact(b"\xff{", PATHS), b"\xff{");
    }
}
