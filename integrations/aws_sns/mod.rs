//! Amazon SNS: whatever is published to a topic, first of all CloudWatch's alarms and EventBridge's events.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use domain::Signal;
use serde_json::Value;

use crate::{Inbound, ParseError, Provider, Quirks, Settings, SettingsError, aws_event, document, set};

mod certificate;
mod envelope;
mod settings;
#[cfg(test)]
mod tests;

use envelope::{Envelope, Kind};
use settings::Prepared;

pub(crate) static PROVIDER: Provider = Provider {
    slug: "aws_sns",
    name: "Amazon SNS",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/alarm.http")),
    logo: include_str!("logo.svg"),
    content_types: &["text/plain", "application/json", "+json"],
    check_settings: |settings| Prepared::read(settings).map(|_| ()),
    check_secret: |_, _| Err(SettingsError::new("secret", "is not needed: every message is signed by Amazon")),
    verify: envelope::verify,
    delivery_id: |inbound, _| Envelope::read(inbound).ok().map(|envelope| envelope.message_id),
    parse,
    poll: None,
    quirks: Quirks {
        document: Some(envelope::certificate_url),
        confirm: Some(envelope::confirmation),
        redact: &[&["UnsubscribeURL"], &["SubscribeURL"], &["Token"]],
        ..Quirks::NONE
    },
};

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    let envelope = Envelope::read(inbound)?;
    if envelope.kind()? != Kind::Notification {
        return Ok(Vec::new());
    }
    // Publishers may also send a plain sentence.
    let message = document::read(envelope.message.as_bytes()).unwrap_or(Value::String(envelope.message));
    if let Some(mut signals) = aws_event::read("Message", &message, inbound.received_at)? {
        signals.iter_mut().for_each(|signal| set::labels(signal, [("topic", &envelope.topic_arn)]));
        return Ok(signals);
    }
    let mapping = &settings.prepared(Prepared::read)?.mapping;
    let mapping = mapping.as_ref().ok_or_else(|| aws_event::not_known("Message", &message))?;
    let mut document = inbound.document()?;
    if let Some(inner) = document.get_mut("Message") {
        *inner = message;
    }
    mapping.signals(&document, inbound)
}
