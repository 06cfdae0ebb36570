//! CloudEvents over HTTP, in structured, batched and binary mode. Where the fields stand is told with expressions.
//!
//! <https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md>

use domain::{MAX_SIGNALS, Signal};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError,
    limits::Room,
    mapping::{Mapping, MappingSettings},
    plain_secret,
    signature::{self, Scheme},
};

mod event;

pub(crate) static PROVIDER: Provider = Provider {
    slug: "cloudevents",
    name: "CloudEvents",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/structured_failed.http")),
    logo: include_str!("logo.svg"),
    content_types: &[
        "application/json",
        "+json",
        "text/json",
        "text/plain",
        "application/xml",
        "+xml",
        "text/xml",
        "application/octet-stream",
    ],
    check_settings: |settings| Prepared::read(settings).map(|_| ()),
    check_secret,
    verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks { asks_leave: true, ..Quirks::NONE },
};

struct Prepared {
    /// Without one, the secret is sent plainly.
    scheme: Option<Scheme>,
    mapping: Mapping,
}

impl Prepared {
    fn read(settings: &Value) -> Result<Self, SettingsError> {
        let mut settings = settings.clone();
        if let Value::Object(given) = &mut settings {
            given.entry("occurred_at").or_insert_with(|| json!("body.time"));
        }
        let mut settings = MappingSettings::read(&settings)?;
        if settings.delivery_id.is_some() {
            return Err(SettingsError::new("delivery_id", "is given by CloudEvents and cannot be set"));
        }
        let scheme = settings.signature.take().map(|signature| Scheme::read("signature", &signature)).transpose()?;
        Ok(Self { scheme, mapping: Mapping::compile(settings)? })
    }
}

fn check_secret(secret: &SecretString, settings: &Settings) -> Result<(), SettingsError> {
    match &settings.prepared(Prepared::read)?.scheme {
        Some(scheme) => signature::check_secret(scheme, secret),
        None => plain_secret::check_secret(secret, settings),
    }
}

fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    match &credentials.settings.prepared(Prepared::read)?.scheme {
        Some(scheme) => signature::verify(scheme, inbound, credentials.secrets),
        None => plain_secret::verify(inbound, credentials),
    }
}

/// An event is the same if its source and its id are. A batch has no id; its fingerprints absorb the repeats.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    let events = event::read(inbound).ok()?;
    let [only] = events.as_slice() else { return None };
    Some(format!("{} {}", only.get("source")?.as_str()?, only.get("id")?.as_str()?))
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let mapping = &settings.prepared(Prepared::read)?.mapping;
    let events = event::read(inbound)?;
    if let [only] = events.as_slice() {
        return mapping.signals(only, inbound);
    }
    let (mut signals, mut room) = (Vec::new(), Room::default());
    for (index, event) in events.iter().enumerate() {
        signals.extend(mapping.signals_at(&format!("events[{index}]."), event, inbound, &mut room)?);
        if signals.len() > MAX_SIGNALS {
            return Err(ParseError::TooMany { n: signals.len(), max: MAX_SIGNALS });
        }
    }
    Ok(signals)
}
