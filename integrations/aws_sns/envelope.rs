//! What SNS puts around every message, and how it is signed.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Span;
use serde::Deserialize;

use super::{
    certificate::{Certificate, Digest},
    settings::Prepared,
};
use crate::{Confirmation, Credentials, Inbound, ParseError, Settings, VerifyError, error::quoted};

/// Says that a message comes bare, without what surrounds and proves it.
const RAW_HEADER: &str = "x-amz-sns-rawdelivery";
/// How long Amazon takes the token of a confirmation:
/// <https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html>.
const TOKEN_LIFETIME: Span = Span::mins(2 * 24 * 60);

/// The fields we read, and only those. What is only there to be verified may be gone from a stored delivery.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) message: String,
    timestamp: String,
    subject: Option<String>,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    signature_version: Option<String>,
    signature: Option<String>,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Notification,
    SubscriptionConfirmation,
    UnsubscribeConfirmation,
}

impl Envelope {
    pub(super) fn read(inbound: &Inbound<'_>) -> Result<Self, ParseError> {
        inbound.json()
    }

    pub(super) fn kind(&self) -> Result<Kind, ParseError> {
        match &*self.kind {
            "Notification" => Ok(Kind::Notification),
            "SubscriptionConfirmation" => Ok(Kind::SubscriptionConfirmation),
            "UnsubscribeConfirmation" => Ok(Kind::UnsubscribeConfirmation),
            other => Err(ParseError::unknown("Type", other, "Notification, SubscriptionConfirmation, UnsubscribeConfirmation")),
        }
    }

    /// Names and values, a line each, in the order of the names.
    fn signed_text(&self) -> Result<String, VerifyError> {
        let kind = self.kind().map_err(malformed)?;
        let subject = self.subject.as_deref().map(|subject| ("Subject", subject));
        let (subject, url, token) = match kind {
            Kind::Notification => (subject, None, None),
            Kind::SubscriptionConfirmation | Kind::UnsubscribeConfirmation => (
                None,
                Some(("SubscribeURL", needed("SubscribeURL", self.subscribe_url.as_ref())?)),
                Some(("Token", needed("Token", self.token.as_ref())?)),
            ),
        };
        let pairs = [
            Some(("Message", &*self.message)),
            Some(("MessageId", &*self.message_id)),
            subject,
            url,
            Some(("Timestamp", &*self.timestamp)),
            token,
            Some(("TopicArn", &*self.topic_arn)),
            Some(("Type", &*self.kind)),
        ];
        Ok(pairs.into_iter().flatten().map(|(name, value)| format!("{name}\n{value}\n")).collect())
    }
}

fn malformed(error: ParseError) -> VerifyError {
    VerifyError::Malformed(error.to_string())
}

fn needed<'a>(name: &str, value: Option<&'a String>) -> Result<&'a str, VerifyError> {
    value.map(String::as_str).ok_or_else(|| VerifyError::Missing(format!("`{name}`")))
}

/// A message of a topic that is listened to, and where the certificate is that could prove it.
fn listed<'a>(inbound: &Inbound<'_>, settings: &'a Settings) -> Result<(Envelope, &'a Prepared), VerifyError> {
    let prepared = settings.prepared(Prepared::read)?;
    if inbound.header(RAW_HEADER).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(VerifyError::Malformed(
            "raw message delivery leaves the signature out: switch it off for this subscription".to_owned(),
        ));
    }
    let envelope = Envelope::read(inbound).map_err(malformed)?;
    if !prepared.topics.contains(&envelope.topic_arn) {
        return Err(VerifyError::Unlisted(quoted(&envelope.topic_arn)));
    }
    Ok((envelope, prepared))
}

/// Where the certificate of a message is: at Amazon's, or at an endpoint of the settings.
pub(super) fn certificate_url(inbound: &Inbound<'_>, settings: &Settings) -> Result<String, VerifyError> {
    let (envelope, prepared) = listed(inbound, settings)?;
    let url = needed("SigningCertURL", envelope.signing_cert_url.as_ref())?;
    if !prepared.is_certificate_url(url) {
        return Err(VerifyError::Certificate(format!("is said to be at `{}`, which is not Amazon's", quoted(url))));
    }
    Ok(url.to_owned())
}

/// Verifies the signature under the certificate that was fetched from [`certificate_url`].
pub(super) fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    // Asked again, since what is handed in says nothing of where it came from.
    certificate_url(inbound, credentials.settings)?;
    let (envelope, _) = listed(inbound, credentials.settings)?;
    let digest = match needed("SignatureVersion", envelope.signature_version.as_ref())? {
        "1" => Digest::Sha1,
        "2" => Digest::Sha256,
        other => return Err(VerifyError::Malformed(format!("`SignatureVersion` is `{}`, known are 1 and 2", quoted(other)))),
    };
    let signature = BASE64_STANDARD.decode(needed("Signature", envelope.signature.as_ref())?);
    let signature = signature.map_err(|_| VerifyError::Malformed("`Signature` is not base64".to_owned()))?;
    let text = envelope.signed_text()?;
    let pem = credentials.document.ok_or_else(|| VerifyError::Certificate("was not fetched".to_owned()))?;
    Certificate::read(pem, inbound.received_at)?.verify(digest, text.as_bytes(), &signature)
}

/// What is called so that the topic begins to send.
pub(super) fn confirmation(inbound: &Inbound<'_>, settings: &Settings) -> Option<Confirmation> {
    let (envelope, prepared) = listed(inbound, settings).ok()?;
    let asks = envelope.kind() == Ok(Kind::SubscriptionConfirmation);
    let url = envelope.subscribe_url.filter(|url| asks && prepared.is_confirmation_url(url))?;
    Some(Confirmation { subject: envelope.topic_arn, url: url.into(), valid_for: TOKEN_LIFETIME })
}
