//! What a polled source is asked with.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::{SettingsError, accept::holds_credential, form};

/// One request, to be sent through the guard on outgoing requests.
#[derive(Clone, Debug)]
pub struct Request {
    /// The whole URL. It may hold a key: never logged.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, SecretString)>,
    /// Sent by POST, if there is one.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// `GET url`.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: Vec::new(), body: None }.header("accept", "application/json")
    }

    /// With these fields as a form, by POST.
    #[must_use]
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = Some(form::write(fields).into_bytes());
        self.header("content-type", "application/x-www-form-urlencoded".to_owned())
    }

    /// With `user:password` as Basic credentials, or anything else as a Bearer token.
    #[must_use]
    pub fn credentials(self, secret: &str) -> Self {
        let value = if secret.contains(':') { format!("Basic {}", BASE64_STANDARD.encode(secret)) } else { format!("Bearer {secret}") };
        self.header("authorization", value)
    }

    /// With a further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<SecretString>) -> Self {
        let name = name.to_ascii_lowercase();
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    /// With this parameter in the form, or else in the address, in place of one of the same name. `name` needs no escaping.
    #[must_use]
    pub(crate) fn parameter(mut self, name: &str, value: usize) -> Self {
        let set = |before: &str| {
            let others = before.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
            others.map(str::to_owned).chain([format!("{name}={value}")]).collect::<Vec<_>>().join("&")
        };
        if let Some(body) = &mut self.body {
            *body = set(&String::from_utf8_lossy(body)).into_bytes();
        } else {
            let (place, query) = self.url.split_once('?').unwrap_or((&self.url, ""));
            self.url = format!("{place}?{}", set(query));
        }
        self
    }

    /// With the newest secret, if there is any, as [`Request::credentials`].
    #[must_use]
    pub(crate) fn authorized(self, secrets: &[SecretString]) -> Self {
        match secrets.last() {
            Some(secret) => self.credentials(secret.expose_secret()),
            None => self,
        }
    }
}

/// Joins the address of a source, as people paste it, with a path of ours.
pub(crate) fn join(path: &str, base: &str, rest: &str) -> Result<String, SettingsError> {
    if !is_address(base) || base.contains(['?', '#']) {
        return Err(SettingsError::new(path, "must be an address such as https://status.example.com"));
    }
    Ok(format!("{}{rest}", base.trim_end_matches('/')))
}

/// Whether it could be asked at all: the guard on outgoing requests judges where it leads.
pub(crate) fn is_address(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Names of one connection are its own matter.
pub(crate) fn is_header_name(name: &str) -> bool {
    const OURS: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(fits) && !OURS.contains(&name.to_ascii_lowercase().as_str())
}

/// Refuses headers of the settings that cannot be sent, or that belong among the secrets.
pub(crate) fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), SettingsError> {
    for (name, value) in headers {
        let refuse = |problem: &str| Err(SettingsError::new(format!("headers.{name}"), problem));
        match () {
            () if !is_header_name(name) => return refuse("is not a name of a header"),
            () if holds_credential(&name.to_ascii_lowercase()) => {
                return refuse("is a secret: name it in `secret_header` and put its value into `secrets`");
            }
            () if value.chars().any(char::is_control) => return refuse("holds control characters"),
            () => {}
        }
    }
    Ok(())
}

/// The newest secret, for a source that answers nobody without one.
pub(crate) fn secret<'a>(secrets: &'a [SecretString], what: &str) -> Result<&'a str, SettingsError> {
    secrets.last().map(ExposeSecret::expose_secret).ok_or_else(|| SettingsError::new("secrets", format!("must hold {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_paste_them() {
        assert_eq!(join("url", "https://a.example/", "/x"), Ok("https://a.example/x".to_owned()));
        for wrong in ["a.example", "ftp://a.example", "https://a.example/?q", "https://a.example/ b"] {
            assert!(join("url", wrong, "/x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_parameter_replaces_the_one_before_and_nothing_else() {
        let asked = |url: &str| Request::get(url).parameter("page", 3).url;
        assert_eq!(asked("https://a.example/x"), "https://a.example/x?page=3");
        assert_eq!(asked("https://a.example/x?page=0&per_page=9&tags=a%26b"), "https://a.example/x?per_page=9&tags=a%26b&page=3");
        let form = Request::get("https://a.example/x").form(&[("api_key", "a&b"), ("limit", "50")]).parameter("offset", 50);
        assert_eq!((form.url.as_str(), form.body.as_deref()), ("https://a.example/x", Some(&b"api_key=a%26b&limit=50&offset=50"[..])));
    }

    #[test]
    fn a_secret_is_a_bearer_token_or_a_user_with_a_password() {
        let sent = |secret: &str| Request::get("https://a.example").credentials(secret).headers.pop().unwrap().1.expose_secret().to_owned();
        assert_eq!(sent("token"), "Bearer token");
        assert_eq!(sent("user:word"), "Basic dXNlcjp3b3Jk");
    }
}
