//! A JSON Web Signature beside the body, which names the hash of the body.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Span;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::Choice;

use crate::{
    Inbound, SettingsError, VerifyError, document, reading,
    scheme::{Algorithm, header_name},
    signature::{MAX_SIGNATURE_HEADER_BYTES, matches_any, required},
};

/// How far the sender's clock may be ahead of ours when its token expires.
const LEEWAY: Span = Span::mins(5);

/// Which header carries the token, and who must have made it. The algorithm is always HS256: who signs does not choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws {
    header: String,
    issuer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwsSettings {
    #[serde(rename = "mode")]
    _mode: String,
    header: String,
    issuer: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sha256: String,
    /// In unix seconds.
    exp: Option<i64>,
}

impl Jws {
    pub(crate) fn read(path: &str, value: &Value) -> Result<Self, SettingsError> {
        let settings: JwsSettings = reading::settings(path, value)?;
        Ok(Self { header: header_name(&format!("{path}.header"), &settings.header)?, issuer: settings.issuer })
    }

    pub(crate) fn verify(&self, inbound: &Inbound<'_>, secrets: &[SecretString]) -> Result<(), VerifyError> {
        let malformed = |problem: &str| VerifyError::Malformed(format!("header `{}` {problem}", self.header));
        let token = required(inbound, &self.header)?;
        if token.len() > MAX_SIGNATURE_HEADER_BYTES {
            return Err(malformed(&format!("is longer than {MAX_SIGNATURE_HEADER_BYTES} bytes")));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(|| malformed("is no JSON Web Signature"))?;
        let (head, claims) = signed.split_once('.').ok_or_else(|| malformed("is no JSON Web Signature"))?;
        let head = part(head).ok_or_else(|| malformed("has a head that cannot be read"))?;
        // A token that says `none` or names another algorithm is not one of ours, and what it calls critical we do not know.
        if head.get("alg").and_then(Value::as_str) != Some("HS256") || head.get("crit").is_some() {
            return Err(malformed("is not signed with HS256 alone"));
        }
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok().filter(|bytes| bytes.len() == Sha256::output_size());
        let signatures = [signature.ok_or_else(|| malformed("does not hold 32 bytes in base64url"))?];
        let keys = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).filter(|key| !key.is_empty());
        let text = [signed.as_bytes()];
        let matches = keys.fold(Choice::from(0), |found, key| found | matches_any(Algorithm::Sha256, key, &text, &signatures));
        if !bool::from(matches) {
            return Err(VerifyError::Bad);
        }
        let claims = part(claims).and_then(|claims| reading::object::<Claims>(claims).ok());
        self.check(&claims.ok_or_else(|| malformed("lacks the claim `iss` or `sha256`"))?, inbound)
    }

    fn check(&self, claims: &Claims, inbound: &Inbound<'_>) -> Result<(), VerifyError> {
        // The claims are signed, so their sender knows the secret: nothing here is worth guessing at.
        if claims.iss != self.issuer || claims.sha256 != hex::encode(Sha256::digest(inbound.body)) {
            return Err(VerifyError::Bad);
        }
        let off = claims.exp.map(|secs| Span(inbound.received_at.0.saturating_sub(secs.saturating_mul(1000))));
        match off {
            Some(off) if off > LEEWAY => Err(VerifyError::Stale { off, tolerance: LEEWAY }),
            _ => Ok(()),
        }
    }
}

fn part(text: &str) -> Option<Value> {
    document::read(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
