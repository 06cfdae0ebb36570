//! The signature engine: one procedure, driven by a [`Scheme`], for nearly every sender there is.
//!
//! Everything is compared in constant time and over the raw bytes. Any secret may match, so that one can replace another without a gap,
//! and any signature of a list may match, because senders rotate too. What is repeated where one is expected is refused.

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::Span;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::{
    Inbound, SettingsError, VerifyError,
    accept::is_storable_id,
    scheme::{Algorithm, Encoding, KeyEncoding, Piece, TimestampSource},
};
pub use crate::{
    jws::Jws,
    scheme::{Scheme, Signed},
};

/// The most signatures one request may offer: each is work for us.
const MAX_SIGNATURES: usize = 16;
/// The longest header that carries signatures, in bytes.
pub(crate) const MAX_SIGNATURE_HEADER_BYTES: usize = 4096;
const ED25519_SIGNATURE_BYTES: usize = 64;

/// Decides whether the request proves that its sender knows one of `secrets`.
///
/// # Errors
/// It does not; the error says why.
pub fn verify(scheme: &Scheme, inbound: &Inbound<'_>, secrets: &[SecretString]) -> Result<(), VerifyError> {
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(VerifyError::NoSecret);
    }
    match scheme {
        Scheme::Signature(signed) => verify_signed(signed, inbound, secrets),
        Scheme::Bearer => equals_any(secrets, credentials(inbound, "Bearer")?.as_bytes()),
        Scheme::Basic => {
            let decoded = BASE64_STANDARD.decode(credentials(inbound, "Basic")?);
            equals_any(secrets, &decoded.map_err(|_| VerifyError::Malformed("the Basic credentials are not base64".to_owned()))?)
        }
        Scheme::Header(name) => equals_any(secrets, required(inbound, name)?.as_bytes()),
        Scheme::Token => {
            let token = inbound.path_token.ok_or_else(|| VerifyError::Missing("the token at the end of the hook's URL".to_owned()))?;
            equals_any(secrets, token.as_bytes())
        }
        Scheme::Jws(jws) => jws.verify(inbound, secrets),
    }
}

/// Refuses a secret that could never verify anything under `scheme`.
///
/// # Errors
/// The secret is empty, begins or ends with white space, or cannot be decoded.
pub fn check_secret(scheme: &Scheme, secret: &SecretString) -> Result<(), SettingsError> {
    let text = secret.expose_secret();
    let refuse = |problem: &str| Err(SettingsError::new("secret", problem));
    match scheme {
        _ if text.is_empty() => refuse("is empty"),
        _ if text.trim() != text => refuse("begins or ends with white space; was a line break copied with it?"),
        Scheme::Signature(signed) if key_of(signed, secret).is_none() => refuse("is not a key in the encoding that `signature.key` names"),
        Scheme::Basic if !text.contains(':') => refuse("must be `user:password`"),
        _ => Ok(()),
    }
}

/// A hash of everything that was signed, or `None` where no timestamp was.
pub(crate) fn signed_text_hash(signed: &Signed, inbound: &Inbound<'_>) -> Option<String> {
    let offered = Offered::read(signed, inbound).ok()?;
    signed.is_timed().then(|| hex::encode(Sha256::digest(offered.signed_text(signed, inbound.body).concat())))
}

pub(crate) fn required<'a>(inbound: &Inbound<'a>, name: &str) -> Result<&'a str, VerifyError> {
    inbound.sole_header(name)?.ok_or_else(|| VerifyError::Missing(format!("header `{name}`")))
}

fn credentials<'a>(inbound: &Inbound<'a>, scheme: &str) -> Result<&'a str, VerifyError> {
    let header = required(inbound, "authorization")?;
    match header.split_once(' ') {
        Some((given, credentials)) if given.eq_ignore_ascii_case(scheme) => Ok(credentials.trim_matches(' ')),
        _ => Err(VerifyError::Malformed(format!("header `authorization` does not hold {scheme} credentials"))),
    }
}

/// Compares hashes, so that not even the length of a secret shows in the time taken.
fn equals_any(secrets: &[SecretString], given: &[u8]) -> Result<(), VerifyError> {
    let given = Sha256::digest(given);
    let usable = secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty());
    let matches = usable.fold(Choice::from(0), |found, secret| found | Sha256::digest(secret).ct_eq(&given));
    if matches.into() { Ok(()) } else { Err(VerifyError::Bad) }
}

fn verify_signed(signed: &Signed, inbound: &Inbound<'_>, secrets: &[SecretString]) -> Result<(), VerifyError> {
    let keys: Vec<Vec<u8>> = secrets.iter().filter_map(|secret| key_of(signed, secret)).collect();
    if keys.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let offered = Offered::read(signed, inbound)?;
    let text = offered.signed_text(signed, inbound.body);
    let matches = keys.iter().fold(Choice::from(0), |found, key| found | matches_any(signed.algorithm, key, &text, &offered.signatures));
    if !bool::from(matches) {
        return Err(VerifyError::Bad);
    }
    // Only now: who cannot sign learns nothing about our clock, and "stale" is said of true signatures alone.
    let Some((_, unix_secs)) = offered.timestamp else { return Ok(()) };
    let off = Span((inbound.received_at.0 - unix_secs * 1000).abs());
    if off > signed.tolerance { Err(VerifyError::Stale { off, tolerance: signed.tolerance }) } else { Ok(()) }
}

/// What one request offers as its proof.
struct Offered<'a> {
    signatures: Vec<Vec<u8>>,
    timestamp: Option<(&'a str, i64)>,
    id: Option<&'a str>,
}

impl<'a> Offered<'a> {
    fn read(signed: &Signed, inbound: &Inbound<'a>) -> Result<Self, VerifyError> {
        let header = required(inbound, &signed.header)?;
        if header.len() > MAX_SIGNATURE_HEADER_BYTES {
            return Err(VerifyError::Malformed(format!("header `{}` is longer than {MAX_SIGNATURE_HEADER_BYTES} bytes", signed.header)));
        }
        let parts: Vec<(&str, &str)> = split(signed, header).collect();
        Ok(Self { signatures: signatures(signed, &parts)?, timestamp: timestamp(signed, inbound, &parts)?, id: id(signed, inbound)? })
    }

    fn signed_text<'t>(&'t self, signed: &'t Signed, body: &'t [u8]) -> Vec<&'t [u8]> {
        let piece = |piece: &'t Piece| match piece {
            Piece::Text(text) => text.as_bytes(),
            Piece::Id => self.id.unwrap_or_default().as_bytes(),
            Piece::Timestamp => self.timestamp.map_or("", |(text, _)| text).as_bytes(),
            Piece::Body => body,
        };
        signed.signed_text.iter().map(piece).collect()
    }
}

/// The pairs of version and value in the signature header; without versions, every value has the version "".
fn split<'a>(signed: &Signed, header: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let parts: Vec<&str> = match signed.list_separator {
        Some(separator) => header.split(separator).map(|part| part.trim_matches(' ')).collect(),
        None => vec![header],
    };
    let pair_separator = signed.pair_separator;
    parts.into_iter().filter_map(move |part| match pair_separator {
        Some(separator) => part.split_once(separator),
        None => Some(("", part)),
    })
}

/// What has another version is ignored, so that a weaker one beside ours cannot count.
fn signatures(signed: &Signed, parts: &[(&str, &str)]) -> Result<Vec<Vec<u8>>, VerifyError> {
    let counts = |version: &str| signed.pair_separator.is_none() || signed.versions.iter().any(|accepted| accepted == version);
    let offered: Vec<&str> = parts.iter().filter(|(version, _)| counts(version)).map(|(_, value)| *value).collect();
    if offered.is_empty() {
        return Err(VerifyError::Malformed(format!(
            "header `{}` holds no signature of version {}",
            signed.header,
            signed.versions.join(" or ")
        )));
    }
    if offered.len() > MAX_SIGNATURES {
        return Err(VerifyError::Malformed(format!("header `{}` holds more than {MAX_SIGNATURES} signatures", signed.header)));
    }
    let decoded: Vec<Vec<u8>> = offered.iter().filter_map(|text| decode_signature(signed, text)).collect();
    if decoded.is_empty() {
        let (length, form) =
            (signature_bytes(signed.algorithm), if signed.encoding == Encoding::Hex { "lower-case hex" } else { "base64" });
        return Err(VerifyError::Malformed(format!("header `{}` does not hold {length} bytes in {form}", signed.header)));
    }
    Ok(decoded)
}

fn decode_signature(signed: &Signed, text: &str) -> Option<Vec<u8>> {
    let bytes = match signed.encoding {
        Encoding::Hex if text.bytes().any(|b| b.is_ascii_uppercase()) => None,
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => BASE64_STANDARD.decode(text).ok(),
    };
    bytes.filter(|bytes| bytes.len() == signature_bytes(signed.algorithm))
}

const fn signature_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 | Algorithm::Ed25519 => ED25519_SIGNATURE_BYTES,
    }
}

fn timestamp<'a>(signed: &Signed, inbound: &Inbound<'a>, parts: &[(&'a str, &'a str)]) -> Result<Option<(&'a str, i64)>, VerifyError> {
    let text = match &signed.timestamp {
        None => return Ok(None),
        Some(TimestampSource::Header(name)) => required(inbound, name)?,
        Some(TimestampSource::Parameter(name)) => {
            let mut values = parts.iter().filter(|(key, _)| key == name).map(|(_, value)| *value);
            match (values.next(), values.next()) {
                (Some(only), None) => only,
                (None, _) => return Err(VerifyError::Missing(format!("`{name}` in header `{}`", signed.header))),
                (Some(_), Some(_)) => {
                    return Err(VerifyError::Malformed(format!("`{name}` comes several times in header `{}`", signed.header)));
                }
            }
        }
    };
    // Digits alone, few enough that milliseconds fit: a sign or a space would be another signed text with the same meaning.
    let digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let unix_secs = digits.then(|| text.parse().ok()).flatten();
    unix_secs.map(|secs| Some((text, secs))).ok_or_else(|| VerifyError::Malformed("the timestamp is not in unix seconds".to_owned()))
}

fn id<'a>(signed: &Signed, inbound: &Inbound<'a>) -> Result<Option<&'a str>, VerifyError> {
    let Some(name) = &signed.id_header else { return Ok(None) };
    let id = required(inbound, name)?;
    if is_storable_id(id) { Ok(Some(id)) } else { Err(VerifyError::Malformed(format!("header `{name}` is not a usable id"))) }
}

/// The key inside a secret, or `None` where the secret is not written as the scheme says.
fn key_of(signed: &Signed, secret: &SecretString) -> Option<Vec<u8>> {
    let text = secret.expose_secret();
    let symmetric = signed.algorithm != Algorithm::Ed25519;
    let key = match signed.key {
        KeyEncoding::Text => Some(text.as_bytes().to_vec()),
        KeyEncoding::Hex => hex::decode(text).ok(),
        KeyEncoding::Base64 => BASE64_STANDARD.decode(text).ok(),
        // A public key is known to everybody: taken as an HMAC key it would let everybody sign. `_` is no base64, so only the one
        // prefix that fits the algorithm gets through.
        KeyEncoding::Whsec => {
            let prefix = if symmetric { "whsec_" } else { "whpk_" };
            BASE64_STANDARD.decode(text.strip_prefix(prefix).unwrap_or(text)).ok()
        }
    };
    key.filter(|key| if symmetric { !key.is_empty() } else { public_key(key).is_some() })
}

fn public_key(bytes: &[u8]) -> Option<ed25519_dalek::VerifyingKey> {
    ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()
}

/// Whether any of `signatures` is one of `text` under `key`.
pub(crate) fn matches_any(algorithm: Algorithm, key: &[u8], text: &[&[u8]], signatures: &[Vec<u8>]) -> Choice {
    match algorithm {
        Algorithm::Sha1 => equals_digest(hmac::<Hmac<Sha1>>(key, text), signatures),
        Algorithm::Sha256 => equals_digest(hmac::<Hmac<Sha256>>(key, text), signatures),
        Algorithm::Sha512 => equals_digest(hmac::<Hmac<Sha512>>(key, text), signatures),
        Algorithm::Ed25519 => {
            let (key, text) = (public_key(key), text.concat());
            let fits = |signature: &Vec<u8>| {
                let signature = ed25519_dalek::Signature::from_slice(signature).ok();
                key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(&text, &signature).is_ok())
            };
            Choice::from(u8::from(signatures.iter().any(fits)))
        }
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    text.iter().for_each(|piece| mac.update(piece));
    Some(mac.finalize().into_bytes().to_vec())
}

fn equals_digest(digest: Option<Vec<u8>>, signatures: &[Vec<u8>]) -> Choice {
    let Some(digest) = digest else { return Choice::from(0) };
    signatures.iter().fold(Choice::from(0), |found, signature| found | digest.ct_eq(signature))
}
