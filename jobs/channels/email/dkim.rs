//! Reads DKIM keys as OpenSSL writes them; the mail library wants RSA in the older PKCS #1 form and Ed25519 as bare base64.

use base64::{Engine, prelude::BASE64_STANDARD};
use lettre::message::{
    dkim::{DkimCanonicalization, DkimCanonicalizationType::Relaxed, DkimConfig, DkimSigningAlgorithm, DkimSigningKey},
    header::HeaderName,
};
use secrecy::{ExposeSecret, SecretString};

/// What a forger must not be able to change. One-click unsubscription counts only where its two headers are signed (RFC 8058).
/// `Content-Type` is missing because lettre keeps it with the body and signs as if there were none.
const SIGNED_HEADERS: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Auto-Submitted",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;

/// Who signs our mail.
#[derive(Clone, Debug)]
pub struct Dkim {
    /// The domain that vouches: that of the sender, or one above it.
    pub domain: String,
    /// Names the public key: `<selector>._domainkey.<domain>`.
    pub selector: String,
    /// The private key: RSA or Ed25519, PEM.
    pub key_pem: SecretString,
}

impl Dkim {
    /// Reads the key, or says in a few words what is wrong with it.
    pub(super) fn config(&self) -> Result<DkimConfig, &'static str> {
        let name_is_fine = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if !name_is_fine(&self.domain) || !name_is_fine(&self.selector) {
            return Err("domain and selector are made of letters, digits, `-`, `_` and `.`");
        }
        let key = signing_key(self.key_pem.expose_secret())?;
        let headers = SIGNED_HEADERS.map(HeaderName::new_from_ascii_str).to_vec();
        let canonicalization = DkimCanonicalization { header: Relaxed, body: Relaxed };
        Ok(DkimConfig::new(self.selector.clone(), self.domain.clone(), key, headers, canonicalization))
    }
}

fn signing_key(pem: &str) -> Result<DkimSigningKey, &'static str> {
    let (label, der) = unwrap_pem(pem).ok_or("the key is not PEM")?;
    let (algorithm, key) = match label {
        "RSA PRIVATE KEY" => (DkimSigningAlgorithm::Rsa, wrap_rsa(&der)),
        "PRIVATE KEY" => unwrap_pkcs8(&der).ok_or("the key is neither RSA nor Ed25519")?,
        _ => return Err("the key is not an unencrypted private key"),
    };
    DkimSigningKey::new(&key, algorithm).map_err(|_| "the key cannot be read")
}

fn unwrap_pem(pem: &str) -> Option<(&str, Vec<u8>)> {
    let (label, rest) = pem.split_once("-----BEGIN ")?.1.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let base64: String = body.split_whitespace().collect();
    Some((label, BASE64_STANDARD.decode(base64).ok()?))
}

fn wrap_rsa(der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
}

/// `PrivateKeyInfo`: version, algorithm, and the key as an octet string (RFC 5208).
fn unwrap_pkcs8(der: &[u8]) -> Option<(DkimSigningAlgorithm, String)> {
    let (info, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(info, INTEGER)?;
    let (algorithm, rest) = element(rest, SEQUENCE)?;
    let (oid, _) = element(algorithm, OID)?;
    let (key, _) = element(rest, OCTET_STRING)?;
    match oid {
        RSA_OID => Some((DkimSigningAlgorithm::Rsa, wrap_rsa(key))),
        ED25519_OID => Some((DkimSigningAlgorithm::Ed25519, BASE64_STANDARD.encode(element(key, OCTET_STRING)?.0))),
        _ => None,
    }
}

/// The contents of the DER element at the front, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (length.iter().try_fold(0_usize, |sum, &byte| sum.checked_mul(256)?.checked_add(byte.into()))?, rest)
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}
