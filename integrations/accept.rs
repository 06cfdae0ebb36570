//! The only way from a request to something that may be stored.

use domain::{IntegrationId, NewDelivery};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::{Credentials, Inbound, Provider, Refusal, error::quoted, example, find, redact::redact};

/// The longest id of a delivery, in bytes.
pub const MAX_EXTERNAL_ID_BYTES: usize = 200;
/// The most headers kept with a delivery.
pub const MAX_STORED_HEADERS: usize = 64;
/// The most bytes of header names and values kept with a delivery.
pub const MAX_STORED_HEADER_BYTES: usize = 8 << 10;

/// Stands where a credential was.
pub(crate) const REDACTED: &str = "[redacted]";

/// Verifies a request and turns it into something worth storing. Nothing else makes a [`NewDelivery`].
///
/// The proof comes first: who has none learns nothing else.
///
/// # Errors
/// The request is not proven to come from the sender, or has a content type the sender never uses.
pub fn accept(
    provider: &str,
    integration: IntegrationId,
    credentials: &Credentials<'_>,
    inbound: &Inbound<'_>,
) -> Result<NewDelivery, Refusal> {
    let provider = find(provider).ok_or_else(|| Refusal::UnknownProvider(provider.to_owned()))?;
    (provider.verify)(inbound, credentials)?;
    storable(provider, integration, credentials, inbound)
}

/// What is kept of a request whose sender is known.
pub(crate) fn storable(
    provider: &Provider,
    integration: IntegrationId,
    credentials: &Credentials<'_>,
    inbound: &Inbound<'_>,
) -> Result<NewDelivery, Refusal> {
    check_content_type(provider, inbound)?;
    Ok(NewDelivery {
        integration,
        external_id: external_id((provider.delivery_id)(inbound, credentials.settings)),
        headers: storable_headers(inbound, credentials),
        body: redact(inbound.body, provider.quirks.redact),
        received_at: inbound.received_at,
    })
}

fn check_content_type(provider: &Provider, inbound: &Inbound<'_>) -> Result<(), Refusal> {
    // Some senders send none at all; the body then speaks for itself.
    let Some(media_type) = inbound.media_type() else { return Ok(()) };
    let fits = |accepted: &&str| accepted.strip_prefix('+').map_or(media_type == **accepted, |_| media_type.ends_with(*accepted));
    let accepted = provider.content_types;
    if accepted.iter().any(fits) { Ok(()) } else { Err(Refusal::UnsupportedMediaType { found: quoted(&media_type), accepted }) }
}

/// An id that cannot be a key, or is one of ours, is replaced by its hash: repeats stay repeats, and no proven delivery is lost over its id.
fn external_id(id: Option<String>) -> String {
    match id {
        Some(id) if is_storable_id(&id) && !example::is_own_id(&id) => id,
        Some(id) if !id.is_empty() => format!("sha256:{}", hex::encode(Sha256::digest(id))),
        // Not a hash of the body: an equal body may be a new outage, and fingerprints absorb true repeats.
        _ => uuid::Uuid::new_v4().to_string(),
    }
}

/// Whether `id` can be the key of a delivery as it is.
pub(crate) fn is_storable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_EXTERNAL_ID_BYTES && !id.chars().any(char::is_control)
}

/// Whether a header of this name may hold a credential, whatever its value.
pub(crate) fn holds_credential(name: &str) -> bool {
    // Whoever knows the ARN of a subscription to SNS can end it.
    const NAMES: [&str; 9] = ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "auth", "subscription-arn"];
    NAMES.iter().any(|part| name.contains(part))
}

/// The content type, which decides how the body is read, is kept before all others and as it is.
fn storable_headers(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Vec<(String, String)> {
    // What begins with our name is ours to say.
    let ours_aside = inbound.headers.iter().filter(|(name, _)| !name.starts_with("fanal-"));
    let (first, rest): (Vec<_>, Vec<_>) = ours_aside.partition(|(name, _)| name == "content-type");
    let mut room = MAX_STORED_HEADER_BYTES;
    let mut kept = Vec::new();
    for (name, value) in first.into_iter().chain(rest).take(MAX_STORED_HEADERS) {
        let secret = name != "content-type" && (holds_credential(name) || repeats_credential(value, inbound, credentials));
        let value = if secret { REDACTED } else { value };
        let size = name.len() + value.len();
        if size <= room {
            room -= size;
            kept.push((name.clone(), value.to_owned()));
        }
    }
    kept
}

/// The headers of an answer that are worth keeping, within the limits on stored headers.
pub(crate) fn answer_headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    const KEPT: [&str; 5] = ["content-type", "date", "etag", "last-modified", "age"];
    let mut room = MAX_STORED_HEADER_BYTES;
    let mut fits = |(name, value): &&(String, String)| {
        let size = name.len() + value.len();
        let fits = KEPT.contains(&name.as_str()) && size <= room;
        if fits {
            room -= size;
        }
        fits
    };
    headers.iter().filter(|header| fits(header)).cloned().collect()
}

/// Proxies copy the URL, and with it a token, into headers of their own.
fn repeats_credential(value: &str, inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> bool {
    let mut known = credentials.secrets.iter().map(ExposeSecret::expose_secret).chain(inbound.path_token);
    known.any(|secret| !secret.is_empty() && value.contains(secret))
}
