//! The certificate that SNS signs with. That it is Amazon's is known from where it was fetched: over TLS, from Amazon's own host.

use domain::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey};
use x509_cert::der::DecodePem;

use crate::VerifyError;

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// What a topic uses unless it is told otherwise.
    Sha1,
    Sha256,
}

/// A certificate that is valid now.
pub(super) struct Certificate {
    /// PKCS #1.
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate in PEM.
    pub(super) fn read(pem: &[u8], at: Timestamp) -> Result<Self, VerifyError> {
        let refuse = |problem: &str| Err(VerifyError::Certificate(problem.to_owned()));
        let Ok(certificate) = x509_cert::Certificate::from_pem(pem) else { return refuse("is none that we can read") };
        let certificate = certificate.tbs_certificate();
        let ms = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX);
        let validity = certificate.validity();
        if at.0 < ms(validity.not_before) {
            return refuse("is not valid yet");
        }
        if at.0 > ms(validity.not_after) {
            return refuse("has expired");
        }
        let key = &certificate.subject_public_key_info().subject_public_key;
        Ok(Self { public_key: key.raw_bytes().to_vec() })
    }

    /// Whether `signature` is one of `text`.
    pub(super) fn verify(&self, digest: Digest, text: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let parameters: &RsaParameters = match digest {
            Digest::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(parameters, &self.public_key).verify(text, signature).map_err(|_| VerifyError::Bad)
    }
}
