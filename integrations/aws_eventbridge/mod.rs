//! Amazon EventBridge: alarms and AWS Health, sent by a rule to an API destination.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html>

use domain::Signal;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Inbound, ParseError, Provider, Quirks, Settings, SettingsError, aws_event,
    mapping::{Mapping, MappingSettings},
    plain_secret, reading,
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "aws_eventbridge",
    name: "Amazon EventBridge",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/alarm.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json"],
    check_settings: |settings| Prepared::read(settings).map(|_| ()),
    check_secret: plain_secret::check_secret,
    verify: |inbound, credentials| plain_secret::verify_header("x-api-key", inbound, credentials),
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    mapping: Option<Value>,
}

struct Prepared {
    mapping: Option<Mapping>,
}

impl Prepared {
    fn read(settings: &Value) -> Result<Self, SettingsError> {
        let own: Own = if settings.is_null() { Own { mapping: None } } else { reading::settings("", settings)? };
        Ok(Self { mapping: own.mapping.map(|mapping| MappingSettings::nested("mapping", &mapping)).transpose()? })
    }
}

/// The same on every try. Two regions may send one event, each under an id of its own; its fingerprint absorbs the second.
fn delivery_id(inbound: &Inbound<'_>, _: &Settings) -> Option<String> {
    inbound.document().ok()?.get("id")?.as_str().map(str::to_owned)
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let document = inbound.document()?;
    if let Some(signals) = aws_event::read("", &document, inbound.received_at)? {
        return Ok(signals);
    }
    let mapping = &settings.prepared(Prepared::read)?.mapping;
    mapping.as_ref().ok_or_else(|| aws_event::not_known("", &document))?.signals(&document, inbound)
}
