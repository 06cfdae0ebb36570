//! `/.well-known/security.txt` (RFC 9116): whom to tell of a vulnerability.

use std::{fmt::Write, str::FromStr, sync::Arc};

use domain::Timestamp;
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, header::CACHE_CONTROL},
};
use url::Url;

use super::{Page, site::Site};

/// Who reads the file after this asks for a new one; the standard wants less than a year.
const VALID_DAYS: i64 = 180;
const DAY_MS: i64 = 86_400_000;
const MAX_AGE: &str = "public, max-age=86400";

/// Where to tell of a vulnerability: a mail address, or an address that begins with `mailto:`, `https://` or `tel:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityContact(String);

impl FromStr for SecurityContact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let with_scheme = if text.contains('@') && !text.contains(':') { format!("mailto:{text}") } else { text.to_owned() };
        let known = Url::parse(&with_scheme).ok().filter(|url| match url.scheme() {
            "mailto" => url.path().contains('@'),
            "tel" => !url.path().is_empty(),
            "https" => true,
            _ => false,
        });
        known.map(|url| Self(url.into())).ok_or_else(|| format!("`{text}` is no mail address, and no mailto:, https: or tel: address"))
    }
}

/// Answers 404 while nobody is named.
pub(super) struct SecurityTxt {
    pub(super) page: Arc<Page>,
}

impl Endpoint for SecurityTxt {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        if self.page.security_contacts.is_empty() {
            return Ok(self.page.not_found());
        }
        let snapshot = self.page.snapshot();
        let body = text(&self.page.security_contacts, snapshot.site(), Timestamp(jiff::Timestamp::now().as_millisecond()));
        let mut response = Response::builder().content_type("text/plain; charset=utf-8").body(body);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(MAX_AGE));
        Ok(response)
    }
}

fn text(contacts: &[SecurityContact], site: &Site, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for SecurityContact(contact) in contacts {
        let _ = writeln!(text, "Contact: {contact}");
    }
    let expires = Timestamp((now.0 / DAY_MS + VALID_DAYS) * DAY_MS);
    let _ = writeln!(text, "Expires: {}\nPreferred-Languages: en", site.rfc3339(&expires));
    if site.https {
        // The standard allows no other scheme.
        let _ = writeln!(text, "Canonical: {}/.well-known/security.txt", site.base);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses_that_people_can_reach() {
        for (text, contact) in [
            ("security@example.com", "mailto:security@example.com"),
            (" mailto:security@example.com ", "mailto:security@example.com"),
            ("https://example.com/security", "https://example.com/security"),
            ("tel:+1-201-555-0123", "tel:+1-201-555-0123"),
        ] {
            assert_eq!(text.parse(), Ok(SecurityContact(contact.to_owned())));
        }
        for text in ["", "security", "http://example.com/", "javascript:alert(1)", "mailto:", "tel:"] {
            assert!(text.parse::<SecurityContact>().is_err(), "{text}");
        }
        let folded: SecurityContact = "a@example.com\r\nExpires: never".parse().unwrap_or(SecurityContact(String::new()));
        assert!(!folded.0.contains(['\r', '\n']), "{folded:?}");
    }
}
