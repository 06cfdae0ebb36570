//! Passkeys: checks what a browser says a device has made or signed. <https://www.w3.org/TR/webauthn-3/#sctn-rp-operations>
//!
//! No attestation is asked for: who makes a passkey is signed in, and could only deceive themselves about the make of their device. The
//! device must have made sure by itself who holds it, so that a passkey is two factors.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use storage::passkeys::PublicKey;
use subtle::ConstantTimeEq;
use x509_cert::{der::Decode, spki::SubjectPublicKeyInfoRef};

const RP_ID_HASH_BYTES: usize = 32;
const AAGUID_BYTES: usize = 16;
/// Somebody was there.
const PRESENT: u8 = 0x01;
/// The device made sure that it was its owner.
const VERIFIED: u8 = 0x04;
/// What was made follows.
const ATTESTED: u8 = 0x40;
/// The longest name of a key that the standard allows.
const MAX_CREDENTIAL_ID_BYTES: usize = 1023;
const MAX_SPKI_BYTES: usize = 2048;

/// Why it is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    #[error("it cannot be read")]
    Malformed,
    #[error("it is about something else")]
    Kind,
    #[error("it answers another challenge")]
    Challenge,
    #[error("it was made for another site")]
    Origin,
    #[error("nobody has shown that they own the device")]
    Owner,
    #[error("it was made in a way that we do not know")]
    Algorithm,
    #[error("the signature is wrong")]
    Signature,
    #[error("the device has signed less often than before: there are two of it")]
    Copied,
}

/// What is expected of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// As we sent it, in base 64 for URLs.
    pub(super) challenge: &'a str,
    /// Of the console, such as `https://status.example.com`.
    pub(super) origin: &'a str,
    /// Its host.
    pub(super) rp_id: &'a str,
}

/// A device's answer to "make a key", as the form brings it: everything in base 64 for URLs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'a> {
    pub(super) client_data: &'a str,
    pub(super) authenticator_data: &'a str,
    pub(super) public_key: &'a str,
    pub(super) algorithm: i32,
}

/// A device's answer to "sign this".
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    pub(super) id: String,
    pub(super) client_data: String,
    pub(super) authenticator_data: String,
    pub(super) signature: String,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// The name of the key that was made, and the key.
pub(super) fn check_made(made: &Made<'_>, expected: Expected<'_>) -> Result<(String, PublicKey), Distrust> {
    check_client_data(&decode(made.client_data)?, "webauthn.create", expected)?;
    let data = decode(made.authenticator_data)?;
    let (flags, n_signed, rest) = check_authenticator_data(&data, expected)?;
    if flags & ATTESTED == 0 {
        return Err(Distrust::Kind);
    }
    let rest = rest.get(AAGUID_BYTES..).ok_or(Distrust::Malformed)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Distrust::Malformed)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let id = rest.get(..length).filter(|id| !id.is_empty() && id.len() <= MAX_CREDENTIAL_ID_BYTES).ok_or(Distrust::Malformed)?;
    let spki = decode(made.public_key)?;
    if spki.len() > MAX_SPKI_BYTES {
        return Err(Distrust::Malformed);
    }
    verifier(made.algorithm, &spki)?;
    Ok((URL_SAFE_NO_PAD.encode(id), PublicKey { algorithm: made.algorithm, spki: made.public_key.to_owned(), n_signed }))
}

/// How often the device has signed, now that it has signed this.
pub(super) fn check_signed(signed: &Signed, key: &PublicKey, expected: Expected<'_>) -> Result<u32, Distrust> {
    let client_data = decode(&signed.client_data)?;
    check_client_data(&client_data, "webauthn.get", expected)?;
    let data = decode(&signed.authenticator_data)?;
    let (_, n_signed, _) = check_authenticator_data(&data, expected)?;
    let spki = decode(&key.spki)?;
    let (algorithm, point) = verifier(key.algorithm, &spki)?;
    let message = [data.as_slice(), &Sha256::digest(&client_data)].concat();
    UnparsedPublicKey::new(algorithm, point).verify(&message, &decode(&signed.signature)?).map_err(|_| Distrust::Signature)?;
    // Devices that do not count always say 0.
    if (key.n_signed > 0 || n_signed > 0) && n_signed <= key.n_signed {
        return Err(Distrust::Copied);
    }
    Ok(n_signed)
}

fn decode(text: &str) -> Result<Vec<u8>, Distrust> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Distrust::Malformed)
}

fn check_client_data(bytes: &[u8], kind: &str, expected: Expected<'_>) -> Result<(), Distrust> {
    let said: ClientData = serde_json::from_slice(bytes).map_err(|_| Distrust::Malformed)?;
    if said.kind != kind {
        return Err(Distrust::Kind);
    }
    if !bool::from(said.challenge.as_bytes().ct_eq(expected.challenge.as_bytes())) {
        return Err(Distrust::Challenge);
    }
    if said.origin != expected.origin || said.cross_origin {
        return Err(Distrust::Origin);
    }
    Ok(())
}

/// The flags, how often the device has signed, and what follows.
fn check_authenticator_data<'d>(data: &'d [u8], expected: Expected<'_>) -> Result<(u8, u32, &'d [u8]), Distrust> {
    let (rp_id_hash, rest) = data.split_first_chunk::<RP_ID_HASH_BYTES>().ok_or(Distrust::Malformed)?;
    let (flags, rest) = rest.split_first().ok_or(Distrust::Malformed)?;
    let (n_signed, rest) = rest.split_first_chunk::<4>().ok_or(Distrust::Malformed)?;
    if rp_id_hash[..] != Sha256::digest(expected.rp_id)[..] {
        return Err(Distrust::Origin);
    }
    if flags & PRESENT == 0 || flags & VERIFIED == 0 {
        return Err(Distrust::Owner);
    }
    Ok((*flags, u32::from_be_bytes(*n_signed), rest))
}

/// What checks a signature, and the bare key it is checked with.
fn verifier(algorithm: i32, spki: &[u8]) -> Result<(&'static dyn VerificationAlgorithm, &[u8]), Distrust> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).map_err(|_| Distrust::Malformed)?;
    let (wanted, verifier): (&str, &'static dyn VerificationAlgorithm) = match algorithm {
        -7 => ("1.2.840.10045.2.1", &ECDSA_P256_SHA256_ASN1),
        -8 => ("1.3.101.112", &ED25519),
        -257 => ("1.2.840.113549.1.1.1", &RSA_PKCS1_2048_8192_SHA256),
        _ => return Err(Distrust::Algorithm),
    };
    if info.algorithm.oid.to_string() != wanted {
        return Err(Distrust::Algorithm);
    }
    Ok((verifier, info.subject_public_key.as_bytes().ok_or(Distrust::Malformed)?))
}

#[cfg(test)]
mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
    };

    use super::*;

    const EXPECTED: Expected<'static> =
        Expected { challenge: "Y2hhbGxlbmdl", origin: "https://status.example.com", rp_id: "status.example.com" };

    /// A device of our own.
    enum Device {
        P256(EcdsaKeyPair),
        Ed25519(Ed25519KeyPair),
    }

    impl Device {
        fn both() -> [Self; 2] {
            let random = SystemRandom::new();
            let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
            [
                Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, p256.as_ref(), &random).unwrap()),
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap()),
            ]
        }

        fn key(&self) -> (i32, Vec<u8>) {
            let (algorithm, prefix, key) = match self {
                Self::P256(pair) => (-7, "3059301306072a8648ce3d020106082a8648ce3d030107034200", pair.public_key().as_ref()),
                Self::Ed25519(pair) => (-8, "302a300506032b6570032100", pair.public_key().as_ref()),
            };
            let prefix = (0..prefix.len()).step_by(2).map(|n| u8::from_str_radix(&prefix[n..n + 2], 16).unwrap());
            (algorithm, prefix.chain(key.iter().copied()).collect())
        }

        fn sign(&self, message: &[u8]) -> Vec<u8> {
            match self {
                Self::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
                Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            }
        }

        fn check_made(&self, change: impl FnOnce(&mut Made<'_>)) -> Result<(String, PublicKey), Distrust> {
            let (algorithm, spki) = self.key();
            let data = [&head(EXPECTED.rp_id, PRESENT | VERIFIED | ATTESTED, 0)[..], &[0; 16], &[0, 3], b"key", b"cose"].concat();
            let client_data = client_data("webauthn.create", EXPECTED.challenge, EXPECTED.origin, false);
            let (data, spki) = (URL_SAFE_NO_PAD.encode(data), URL_SAFE_NO_PAD.encode(spki));
            let mut made = Made { client_data: &client_data, authenticator_data: &data, public_key: &spki, algorithm };
            change(&mut made);
            check_made(&made, EXPECTED)
        }

        fn signed(&self, client_data: String, data: &[u8]) -> Signed {
            let message = [data, &Sha256::digest(decode(&client_data).unwrap())].concat();
            let (authenticator_data, signature) = (URL_SAFE_NO_PAD.encode(data), URL_SAFE_NO_PAD.encode(self.sign(&message)));
            Signed { id: "a2V5".to_owned(), client_data, authenticator_data, signature }
        }
    }

    fn head(rp_id: &str, flags: u8, n_signed: u32) -> Vec<u8> {
        [&Sha256::digest(rp_id)[..], &[flags], &n_signed.to_be_bytes()].concat()
    }

    fn client_data(kind: &str, challenge: &str, origin: &str, cross: bool) -> String {
        URL_SAFE_NO_PAD
            .encode(serde_json::json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": cross }).to_string())
    }

    fn get() -> String {
        client_data("webauthn.get", EXPECTED.challenge, EXPECTED.origin, false)
    }

    #[test]
    fn what_a_device_makes_checks_what_it_signs() {
        let own = PRESENT | VERIFIED;
        let others = Device::both();
        for (device, other) in Device::both().iter().zip(&others) {
            let (id, key) = device.check_made(|_| ()).unwrap();
            assert_eq!((id.as_str(), key.n_signed), ("a2V5", 0));
            let seven = device.signed(get(), &head(EXPECTED.rp_id, own, 7));
            assert_eq!(check_signed(&seven, &key, EXPECTED), Ok(7));
            for (n_signed, wanted) in [(6, Ok(7)), (7, Err(Distrust::Copied)), (8, Err(Distrust::Copied))] {
                assert_eq!(check_signed(&seven, &PublicKey { n_signed, ..key.clone() }, EXPECTED), wanted);
            }
            let none = device.signed(get(), &head(EXPECTED.rp_id, own, 0));
            assert_eq!(check_signed(&none, &key, EXPECTED), Ok(0));
            assert_eq!(check_signed(&none, &PublicKey { n_signed: 1, ..key.clone() }, EXPECTED), Err(Distrust::Copied));
            let foreign = other.signed(get(), &head(EXPECTED.rp_id, own, 8));
            assert_eq!(check_signed(&foreign, &key, EXPECTED), Err(Distrust::Signature));
            let swapped = Signed { authenticator_data: none.authenticator_data, ..device.signed(get(), &head(EXPECTED.rp_id, own, 9)) };
            assert_eq!(check_signed(&swapped, &key, EXPECTED), Err(Distrust::Signature));
            assert_eq!(check_signed(&seven, &PublicKey { algorithm: -257, ..key.clone() }, EXPECTED), Err(Distrust::Algorithm));
        }
    }

    #[test]
    fn what_was_made_for_somebody_else_is_not_believed() {
        let [device, _] = Device::both();
        let (_, key) = device.check_made(|_| ()).unwrap();
        let (good, own) = (head(EXPECTED.rp_id, PRESENT | VERIFIED, 1), PRESENT | VERIFIED);
        let said = |kind, challenge, origin, cross| device.signed(client_data(kind, challenge, origin, cross), &good);
        for (signed, wanted) in [
            (said("webauthn.create", EXPECTED.challenge, EXPECTED.origin, false), Distrust::Kind),
            (said("webauthn.get", "b3RoZXI", EXPECTED.origin, false), Distrust::Challenge),
            (said("webauthn.get", EXPECTED.challenge, "https://evil.example", false), Distrust::Origin),
            (said("webauthn.get", EXPECTED.challenge, "https://status.example.com.evil.example", false), Distrust::Origin),
            (said("webauthn.get", EXPECTED.challenge, "http://status.example.com", false), Distrust::Origin),
            (said("webauthn.get", EXPECTED.challenge, EXPECTED.origin, true), Distrust::Origin),
            (device.signed(get(), &head("evil.example", own, 1)), Distrust::Origin),
            (device.signed(get(), &head(EXPECTED.rp_id, PRESENT, 1)), Distrust::Owner),
            (device.signed(get(), &head(EXPECTED.rp_id, VERIFIED, 1)), Distrust::Owner),
            (device.signed(get(), &good[..36]), Distrust::Malformed),
            (device.signed(URL_SAFE_NO_PAD.encode("{"), &good), Distrust::Malformed),
        ] {
            assert_eq!(check_signed(&signed, &key, EXPECTED), Err(wanted), "{signed:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_none() {
        let [device, _] = Device::both();
        let head = |flags| head(EXPECTED.rp_id, flags, 0);
        for (data, wanted) in [
            ([&head(PRESENT | VERIFIED | ATTESTED)[..], &[0; 16], &[0, 9, 1]].concat(), Distrust::Malformed),
            ([&head(PRESENT | VERIFIED | ATTESTED)[..], &[0; 16], &[0, 0]].concat(), Distrust::Malformed),
            ([&head(PRESENT | VERIFIED | ATTESTED)[..], &[0; 16], &[0]].concat(), Distrust::Malformed),
            (head(PRESENT | VERIFIED | ATTESTED), Distrust::Malformed),
            (head(PRESENT | VERIFIED), Distrust::Kind),
            (head(PRESENT | ATTESTED), Distrust::Owner),
        ] {
            let text = URL_SAFE_NO_PAD.encode(data);
            assert_eq!(device.check_made(|made| made.authenticator_data = text.leak()).unwrap_err(), wanted);
        }
        for algorithm in [-8, -35, -65535, 0] {
            assert_eq!(device.check_made(|made| made.algorithm = algorithm).unwrap_err(), Distrust::Algorithm);
        }
        assert_eq!(device.check_made(|made| made.public_key = "AAAA").unwrap_err(), Distrust::Malformed);
    }
}
