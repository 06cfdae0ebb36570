//! Webhooks out: a POST signed as <https://www.standardwebhooks.com> says.
//!
//! Every try of one notification carries the same `webhook-id`, so a receiver can drop repeats; time and signature are those of the try.

mod payload;

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Claimed, NotificationId, Outcome, Recipient, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::{
    channels::{links::Links, one_line},
    egress::{self, Egress, EgressError, MAX_RESPONSE_BYTES, Request, Response},
    retry_after,
};
pub use payload::MAX_PAYLOAD_BYTES;

/// How long the other side may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The longest pause the other side can ask for.
const MAX_RETRY_AFTER_SECS: u32 = 3600;
/// What is kept of an answer that is not 2xx.
const MAX_EXCERPT_CHARS: usize = 200;
/// How many bytes a signing secret has.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A text that is no signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` followed by 24 to 64 bytes in base64")]
pub struct SecretError;

/// A fresh signing secret.
#[must_use]
pub fn new_secret() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    format!("whsec_{}", BASE64_STANDARD.encode(bytes)).into()
}

/// Tells whether a text can sign, without using it.
///
/// # Errors
/// It is not `whsec_` and base64 of 24 to 64 bytes.
pub fn check_secret(secret: &SecretString) -> Result<(), SecretError> {
    key(secret).map(drop)
}

fn key(secret: &SecretString) -> Result<Vec<u8>, SecretError> {
    let encoded = secret.expose_secret().strip_prefix("whsec_").ok_or(SecretError)?;
    BASE64_STANDARD.decode(encoded).ok().filter(|key| SECRET_BYTES.contains(&key.len())).ok_or(SecretError)
}

/// Sends one notification once. With several secrets it carries several signatures, so that a secret can be changed without a gap.
pub(super) async fn send(egress: &Egress, links: &Links, claimed: &Claimed, secrets: &[SecretString], now: Timestamp) -> Outcome {
    let Some(body) = payload::render(claimed, links) else {
        return Outcome::Permanent { why: format!("the payload is larger than {MAX_PAYLOAD_BYTES} bytes") };
    };
    post(egress, &claimed.recipient.address, headers(claimed.notification, secrets, &body, now), body, now).await
}

/// Sends a test, of the type `test`, which no other webhook has.
pub(super) async fn send_test(
    egress: &Egress,
    links: &Links,
    page_name: &str,
    recipient: &Recipient,
    secrets: &[SecretString],
    now: Timestamp,
) -> Outcome {
    let body = payload::test(page_name, links, now);
    let headers = signed(&format!("test_{:032x}", rand::random::<u128>()), secrets, &body, now);
    post(egress, &recipient.address, headers, body, now).await
}

async fn post(egress: &Egress, address: &str, headers: Result<HeaderMap, String>, body: Vec<u8>, now: Timestamp) -> Outcome {
    let headers = match headers {
        Ok(headers) => headers,
        Err(why) => return Outcome::Permanent { why },
    };
    let url = match egress.check_url(address) {
        Ok(url) => url,
        Err(error) => return Outcome::Permanent { why: error.to_string() },
    };
    match egress.send(Request { method: Method::POST, url, headers, body, timeout: TIMEOUT, max_response_bytes: MAX_RESPONSE_BYTES }).await
    {
        Ok(answer) => outcome(&answer, now),
        Err(error @ (EgressError::Refused(_) | EgressError::Url(_))) => Outcome::Permanent { why: error.to_string() },
        Err(error) => Outcome::Transient { why: one_line(&error.to_string(), MAX_EXCERPT_CHARS), retry_after_secs: None },
    }
}

fn headers(id: NotificationId, secrets: &[SecretString], body: &[u8], now: Timestamp) -> Result<HeaderMap, String> {
    signed(&format!("msg_{id}"), secrets, body, now)
}

/// The headers of a signed request.
pub(crate) fn signed(id: &str, secrets: &[SecretString], body: &[u8], now: Timestamp) -> Result<HeaderMap, String> {
    let seconds = now.0.div_euclid(1000);
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| Ok(format!("v1,{}", BASE64_STANDARD.encode(sign(&key(secret)?, id, seconds, body)))))
        .collect::<Result<_, SecretError>>()
        .map_err(|error| error.to_string())?;
    if signatures.is_empty() {
        return Err("the endpoint has no signing secret".to_owned());
    }
    let text = |text: &str| egress::header(text).map_err(|error| error.to_string());
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ("webhook-id".parse().map_err(|_| "webhook-id")?, text(id)?),
        ("webhook-timestamp".parse().map_err(|_| "webhook-timestamp")?, text(&seconds.to_string())?),
        ("webhook-signature".parse().map_err(|_| "webhook-signature")?, text(&signatures.join(" "))?),
    ]))
}

fn sign(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// What an answer means. Everything but 2xx and 410 may be a slip that somebody is about to mend, so it is tried again.
fn outcome(answer: &Response, now: Timestamp) -> Outcome {
    let status = answer.status;
    let excerpt = one_line(&String::from_utf8_lossy(&answer.body[..answer.body.len().min(8 * MAX_EXCERPT_CHARS)]), MAX_EXCERPT_CHARS);
    let why = match status {
        200..=299 => return Outcome::Delivered { detail: status.to_string() },
        410 => return Outcome::Gone { why: "answered 410: the endpoint asks not to be called again".to_owned() },
        300..=399 => format!("answered {status}; redirects are not followed"),
        _ if excerpt.is_empty() => format!("answered {status}"),
        _ => format!("answered {status}: {excerpt}"),
    };
    let patience = matches!(status, 429 | 502 | 503 | 504).then(|| retry_after_secs(&answer.headers, now)).flatten();
    Outcome::Transient { why, retry_after_secs: patience }
}

/// How long to wait at least, in whole seconds.
fn retry_after_secs(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let seconds = retry_after::read(headers, now)?.0.saturating_add(999) / 1000;
    Some(u32::try_from(seconds).unwrap_or(u32::MAX).min(MAX_RETRY_AFTER_SECS))
}

#[cfg(test)]
mod tests;
