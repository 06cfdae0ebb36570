//! Senders that sign nothing and bring the secret itself, by whichever way they can.
//!
//! A header can carry it everywhere a sender allows one; a URL everywhere. One request is judged by one of them alone, so that a second
//! guess never rides along with a first.

use secrecy::SecretString;

use crate::{
    Credentials, Inbound, Settings, SettingsError, VerifyError,
    signature::{self, Scheme},
};

/// Refuses a secret that could never be right.
pub(crate) fn check_secret(secret: &SecretString, _: &Settings) -> Result<(), SettingsError> {
    signature::check_secret(&Scheme::Token, secret)
}

/// Judges `Authorization` (Basic or Bearer) if there is one, else the last part of the URL.
///
/// # Errors
/// It is missing, malformed, or matches no secret.
pub(crate) fn verify(inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    let given = inbound.sole_header("authorization")?.map(|value| value.split(' ').next().unwrap_or_default().to_ascii_lowercase());
    let scheme = match given.as_deref() {
        Some("basic") => Scheme::Basic,
        Some(_) => Scheme::Bearer,
        None if inbound.path_token.is_some() => Scheme::Token,
        None => Scheme::Bearer,
    };
    signature::verify(&scheme, inbound, credentials.secrets)
}

/// As [`verify`], for a sender with a header of its own (its name in lower case), which is judged before all others.
///
/// # Errors
/// As [`verify`].
pub(crate) fn verify_header(name: &str, inbound: &Inbound<'_>, credentials: &Credentials<'_>) -> Result<(), VerifyError> {
    if inbound.sole_header(name)?.is_none() {
        return verify(inbound, credentials);
    }
    signature::verify(&Scheme::Header(name.to_owned()), inbound, credentials.secrets)
}
