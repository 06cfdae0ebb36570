//! Any source of JSON that can be asked: its fields are taken out with expressions, as of the provider `json`.

use std::collections::BTreeMap;

use domain::{Signal, Span};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Inbound, ParseError, Provider, Settings, SettingsError,
    mapping::{Mapping, MappingSettings},
    poll::{self, Poll, Request},
    provider::Polled,
    reading,
    request::{check_headers, is_header_name},
};

pub(crate) static PROVIDER: Provider = Provider::polled(Polled {
    slug: "json_poll",
    name: "Any JSON, asked for",
    setup: include_str!("setup.md"),
    logo: include_str!("logo.svg"),
    check_settings,
    poll: Poll { every: Span::secs(60), at_least: AT_LEAST, request, pages: None },
    parse,
});

const AT_LEAST: Span = Span::secs(5);
/// The settings that say how to ask; all others are the mapping's.
const ASKING: [&str; 5] = ["url", "method", "headers", "secret_header", "body"];
/// The longest body to ask with.
const MAX_BODY_BYTES: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    /// The whole address, with its query.
    url: String,
    #[serde(default)]
    method: Method,
    /// Further headers. None is a secret: settings are shown.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Where the secret goes, if not into `Authorization`.
    secret_header: Option<String>,
    /// To be sent by POST: a text as it is, anything else as JSON.
    body: Option<Value>,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Post,
}

impl Asking {
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |path: &str, problem: &str| Err(SettingsError::new(path, problem));
        if !poll::is_address(&self.url) || self.url.contains('#') {
            return refuse("url", "must be an address such as https://example.com/status.json");
        }
        if self.body.is_some() && self.method == Method::Get {
            return refuse("body", "is sent by `method: POST` only");
        }
        if self.bytes().is_some_and(|bytes| bytes.len() > MAX_BODY_BYTES) {
            return refuse("body", "is longer than 64 KiB");
        }
        check_headers(&self.headers)?;
        match &self.secret_header {
            Some(name) if !is_header_name(name) => refuse("secret_header", "is not a name of a header"),
            _ => Ok(()),
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        Some(match self.body.as_ref()? {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        })
    }
}

/// Takes the settings apart into how to ask and how to read.
fn halves(settings: &Value) -> Result<(Value, Value), SettingsError> {
    let all: Map<String, Value> = poll::settings(settings)?;
    let (asking, reading): (Map<_, _>, Map<_, _>) = all.into_iter().partition(|(name, _)| ASKING.contains(&name.as_str()));
    Ok((Value::Object(asking), Value::Object(reading)))
}

fn asking(settings: &Value) -> Result<Asking, SettingsError> {
    reading::settings("", &halves(settings)?.0)
}

fn mapping(settings: &Value) -> Result<Mapping, SettingsError> {
    let settings = MappingSettings::read(&halves(settings)?.1)?;
    let only_told = [("signature", settings.signature.is_some()), ("delivery_id", settings.delivery_id.is_some())];
    if let Some((name, _)) = only_told.iter().find(|(_, given)| *given) {
        return Err(SettingsError::new(*name, "has no meaning here: nobody sends anything"));
    }
    Ok(Mapping::compile(settings)?.tolerant())
}

fn check_settings(settings: &Value) -> Result<(), SettingsError> {
    poll::check::<Map<String, Value>>(AT_LEAST, settings)?;
    asking(settings)?.check()?;
    mapping(settings).map(|_| ())
}

fn request(settings: &Settings, secrets: &[SecretString]) -> Result<Request, SettingsError> {
    let asking = asking(settings.json())?;
    asking.check()?;
    let mut request = Request::get(asking.url.clone());
    if asking.method == Method::Post {
        request.body = Some(asking.bytes().unwrap_or_default());
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &asking.headers {
        request = request.header(name, value.as_str());
    }
    Ok(match (&asking.secret_header, secrets.last()) {
        (Some(name), Some(secret)) => request.header(name, secret.clone()),
        _ => request.authorized(secrets),
    })
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    settings.prepared(mapping)?.signals(&inbound.document()?, inbound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_could_not_work_is_refused_before_it_is_saved() {
        let problem = |changes: Value| {
            let mut settings =
                json!({"url": "https://example.com/?all=1", "fingerprint": "body.id", "state": "body.s", "firing": ["down"]});
            settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            check_settings(&settings).map_err(|error| error.to_string())
        };
        assert_eq!(problem(json!({"every": "5s", "method": "POST", "body": {"a": 1}})), Ok(()));
        for (changes, part) in [
            (json!({"url": "example.com"}), "`url`: must be an address"),
            (json!({"body": {}}), "`body`: is sent by"),
            (json!({"method": "PUT"}), "`method`: unknown variant"),
            (json!({"headers": {"Authorization": "Bearer x"}}), "`headers.Authorization`: is a secret"),
            (json!({"headers": {"a b": "x"}}), "`headers.a b`: is not a name"),
            (json!({"headers": {"X-A": "x\r\ny"}}), "`headers.X-A`: holds control characters"),
            (json!({"secret_header": "Host"}), "`secret_header`: is not a name"),
            (json!({"signature": {"mode": "token"}}), "`signature`: has no meaning"),
            (json!({"every": "1s"}), "`every`: must be between"),
            (json!({"unknown": 1}), "unknown field"),
        ] {
            assert!(problem(changes).unwrap_err().contains(part), "{part}");
        }
    }
}
