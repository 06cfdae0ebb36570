//! Any sender of JSON or forms: its proof is described by data, its fields are taken out with expressions.

use domain::Signal;
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    Credentials, Inbound, ParseError, Provider, Quirks, Settings, SettingsError, VerifyError,
    field::Field,
    form,
    mapping::{Mapping, MappingSettings},
    signature::{self, Scheme},
};

pub(crate) static PROVIDER: Provider = Provider {
    slug: "json",
    name: "Any JSON",
    setup: include_str!("setup.md"),
    example: Some(include_str!("fixtures/down.json")),
    logo: include_str!("logo.svg"),
    content_types: &["application/json", "+json", "text/json", "text/plain", form::MEDIA_TYPE],
    check_settings: |settings| Prepared::read(settings).map(|_| ()),
    check_secret,
    verify,
    delivery_id,
    parse,
    poll: None,
    quirks: Quirks::NONE,
};

struct Prepared {
    scheme: Scheme,
    delivery_id: Option<Field>,
    mapping: Mapping,
}

impl Prepared {
    fn read(settings: &Value) -> Result<Self, SettingsError> {
        let mut settings = MappingSettings::read(settings)?;
        let signature =
            settings.signature.take().ok_or_else(|| SettingsError::new("signature", "is missing: how does the sender prove itself?"))?;
        let delivery_id = settings.delivery_id.take().map(|source| Field::compile("delivery_id", &source)).transpose()?;
        Ok(Self { scheme: Scheme::read("signature", &signature)?, delivery_id, mapping: Mapping::compile(settings)? })
    }
}

fn check_secret(secret: &SecretString, settings: &Settings) -> Result<(), SettingsError> {
    signature::check_secret(&settings.prepared(Prepared::read)?.scheme, secret)
}

fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    signature::verify(&credentials.settings.prepared(Prepared::read)?.scheme, inbound, credentials.secrets)
}

fn delivery_id(inbound: &Inbound<'_>, settings: &Settings) -> Option<String> {
    let prepared = settings.prepared(Prepared::read).ok()?;
    if let Some(field) = &prepared.delivery_id {
        return field.id(&inbound.document_or_form().unwrap_or_default(), inbound);
    }
    // With the sender's clock in the signed text, an equal text is the same delivery again: a retry, or somebody's replay.
    match &prepared.scheme {
        Scheme::Signature(signed) => signature::signed_text_hash(signed, inbound).map(|hash| format!("signed:{hash}")),
        _ => None,
    }
}

fn parse(inbound: &Inbound<'_>, settings: &Settings) -> Result<Vec<Signal>, ParseError> {
    settings.prepared(Prepared::read)?.mapping.signals(&inbound.document_or_form()?, inbound)
}
