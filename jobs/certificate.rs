//! Looks at a server's certificate, also at one that nobody should trust.

mod validity;

use std::sync::{Mutex, PoisonError};

use domain::Timestamp;
use integrations::check::Certificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// Takes every certificate for now and keeps it: whoever uses this looks at it before anything is sent.
#[derive(Debug)]
pub(crate) struct Recorder {
    provider: CryptoProvider,
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { provider: rustls::crypto::ring::default_provider(), seen: Mutex::default() }
    }

    /// What the server has shown, its own certificate first.
    pub(crate) fn seen(&self) -> Vec<CertificateDer<'static>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(own).chain(others).map(|certificate| certificate.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Judges a chain: age, name and signatures each by themselves, so that one does not hide the others. `None` if it is no certificate at all.
pub(crate) fn inspect(chain: &[CertificateDer<'_>], name: &ServerName<'_>, roots: &RootCertStore, now: Timestamp) -> Option<Certificate> {
    let (own, others) = chain.split_first()?;
    let (not_before, not_after) = validity::read(own)?;
    let parsed = ParsedCertificate::try_from(own);
    let (name_matches, chain_error) = match &parsed {
        Ok(parsed) => {
            // As of a moment at which it was valid: that it is too old is told apart.
            let at = now.max(not_before).min(not_after);
            let at = UnixTime::since_unix_epoch(std::time::Duration::from_millis(u64::try_from(at.0).unwrap_or(0)));
            let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
            let signed = verify_server_cert_signed_by_trust_anchor(parsed, roots, others, at, algorithms);
            (verify_server_name(parsed, name).is_ok(), signed.err().map(|error| why(&error)))
        }
        Err(error) => (false, Some(why(error))),
    };
    Some(Certificate { not_before, not_after, name_matches, chain_error })
}

fn why(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "nobody we know has signed it".to_owned(),
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "a certificate in its chain has expired".to_owned()
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => "a signature in its chain is wrong".to_owned(),
        other => other.to_string(),
    }
}
