//! Secrets at rest: encrypted under the instance's key, bound to the place where they are stored.

use std::sync::Arc;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::StorageError;

const NONCE_BYTES: usize = 24;
const KEY_ID_BYTES: usize = 4;

/// Encrypts and decrypts secrets. Cheap to clone; prints nothing.
///
/// Layout of what is stored: 4 bytes that name the key, 24 bytes of nonce, the ciphertext.
#[derive(Clone)]
pub struct SecretBox {
    keys: Arc<Vec<InstanceKey>>,
}

struct InstanceKey {
    id: [u8; KEY_ID_BYTES],
    cipher: XChaCha20Poly1305,
    fingerprint_key: [u8; 32],
    link_key: [u8; 32],
    seal_key: [u8; 32],
}

impl std::fmt::Debug for SecretBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBox")
    }
}

impl SecretBox {
    /// From one or more keys of 32 bytes in base64, separated by commas or lines: the first encrypts, all decrypt, so that a key can be exchanged.
    ///
    /// # Errors
    /// A key is not 32 bytes of base64.
    pub fn new(keys: &SecretString) -> Result<Self, StorageError> {
        let texts = keys.expose_secret().split([',', '\n']).map(str::trim);
        let keys = texts.filter(|text| !text.is_empty()).map(instance_key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(StorageError::Secret("FANAL_SECRET_KEY is empty"));
        }
        Ok(Self { keys: Arc::new(keys) })
    }

    /// A new key, as [`SecretBox::new`] reads it.
    #[must_use]
    pub fn generate_key() -> SecretString {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        SecretString::from(STANDARD.encode(bytes))
    }

    /// Encrypts `secret` for the place named by `place` (table, id, column), where alone it can be decrypted.
    #[must_use]
    pub fn seal(&self, place: &str, secret: &SecretString) -> Vec<u8> {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: place.as_bytes() };
        let sealed = key.cipher.encrypt(&XNonce::from(nonce), payload).expect("a secret is far shorter than the cipher's limit");
        [key.id.as_slice(), &nonce, &sealed].concat()
    }

    /// Decrypts what [`SecretBox::seal`] made for the same place.
    ///
    /// # Errors
    /// It was encrypted under a key we do not have, for another place, or was changed.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, StorageError> {
        let bad = StorageError::Secret;
        let (id, rest) = sealed.split_at_checked(KEY_ID_BYTES).ok_or(bad("it is too short"))?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(bad("it is too short"))?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| bad("it is too short"))?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(bad("FANAL_SECRET_KEY is not the key it was encrypted with"))?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = key.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| bad("it was changed, or moved from another row"))?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| bad("it is not text"))
    }

    /// Tells whether two secrets are the same without showing either: a keyed hash, 128 bits in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self, secret: &SecretString) -> String {
        self.keys[0].fingerprint(secret)
    }

    /// The fingerprint of `secret` that stands among `known`, under whichever key it was made; else that under the first.
    #[must_use]
    pub fn known_fingerprint(&self, secret: &SecretString, known: impl Fn(&str) -> bool) -> String {
        self.fingerprints(secret).find(|print| known(print)).unwrap_or_else(|| self.fingerprint(secret))
    }

    /// The fingerprints of `secret` under every key, that of the first key first.
    pub(crate) fn fingerprints(&self, secret: &SecretString) -> impl Iterator<Item = String> {
        self.keys.iter().map(|key| key.fingerprint(secret))
    }

    /// The ids of all keys in hexadecimal, as [`crate::sealed::usage`] names them; the first is the one that encrypts.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| hex::encode(key.id)).collect()
    }

    /// The id of the key that encrypts.
    pub(crate) fn key_id(&self) -> &[u8] {
        &self.keys[0].id
    }

    /// A keyed hash of `text` that only the holder of the key can make: 4 bytes that name the key, 32 bytes of HMAC-SHA-256.
    pub(crate) fn mark(&self, text: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        [key.id.as_slice(), mac(&key.seal_key, text).finalize().into_bytes().as_slice()].concat()
    }

    /// Whether [`SecretBox::mark`] made `mark` of `text`; `None` if it was made under a key that we do not have.
    pub(crate) fn has_marked(&self, text: &[u8], mark: &[u8]) -> Option<bool> {
        let (id, mark) = mark.split_at_checked(KEY_ID_BYTES)?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        Some(mac(&key.seal_key, text).verify_slice(mark).is_ok())
    }

    /// What proves that we have said `text`: 256 bits, fit for a URL.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.keys[0].link_key, text.as_bytes()).finalize().into_bytes())
    }

    /// Whether `proof` is what [`SecretBox::sign`] gave for `text`, under any of the keys. Takes the same time for every wrong proof.
    #[must_use]
    pub fn has_signed(&self, text: &str, proof: &str) -> bool {
        let Ok(proof) = URL_SAFE_NO_PAD.decode(proof) else { return false };
        self.keys.iter().any(|key| mac(&key.link_key, text.as_bytes()).verify_slice(&proof).is_ok())
    }
}

impl InstanceKey {
    fn fingerprint(&self, secret: &SecretString) -> String {
        let digest = Sha256::new().chain_update(self.fingerprint_key).chain_update(secret.expose_secret().as_bytes()).finalize();
        hex::encode(&digest[..16])
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length").chain_update(text)
}

/// The end of a secret, by which a person knows it again: four characters, or none of a short one.
#[must_use]
pub fn hint(secret: &SecretString) -> String {
    let text = secret.expose_secret();
    let n = text.chars().count();
    if n < 16 { String::new() } else { text.chars().skip(n - 4).collect() }
}

/// Something nobody can guess, for links: 192 bits, fit for a URL.
pub(crate) fn random_token() -> String {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a random token. A plain hash is enough: nothing of so many random bits can be tried out.
pub(crate) fn hash_token(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn instance_key(text: &str) -> Result<InstanceKey, StorageError> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes =
        bytes.ok_or(StorageError::Secret("FANAL_SECRET_KEY must be 32 bytes in base64, for example from `openssl rand -base64 32`"))?;
    let derive = |purpose: &str| -> [u8; 32] { Sha256::new().chain_update(purpose).chain_update(bytes).finalize().into() };
    let mut id = [0; KEY_ID_BYTES];
    id.copy_from_slice(&derive("fanal key id")[..KEY_ID_BYTES]);
    Ok(InstanceKey {
        id,
        cipher: XChaCha20Poly1305::new(&Key::from(bytes)),
        fingerprint_key: derive("fanal fingerprint"),
        link_key: derive("fanal link"),
        seal_key: derive("fanal seal"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_at_its_place_and_unchanged() {
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        let mut sealed = secrets.seal("subscriber:1:secret", &SecretString::from("whsec_marker"));
        assert!(!sealed.windows(6).any(|part| part == b"marker"));
        assert_eq!(secrets.open("subscriber:1:secret", &sealed).unwrap().expose_secret(), "whsec_marker");
        assert!(secrets.open("subscriber:2:secret", &sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(secrets.open("subscriber:1:secret", &sealed).is_err());
    }

    #[test]
    fn what_we_have_said_is_proven_for_that_text_alone() {
        let (old, new) = (SecretBox::generate_key(), SecretBox::generate_key());
        let proof = SecretBox::new(&old).unwrap().sign("veto 7");
        let both = SecretBox::new(&SecretString::from(format!("{},{}", new.expose_secret(), old.expose_secret()))).unwrap();
        assert!(both.has_signed("veto 7", &proof) && !both.has_signed("publish 7", &proof) && !both.has_signed("veto 7", &proof[1..]));
        assert!(!SecretBox::new(&new).unwrap().has_signed("veto 7", &proof));
        assert!(!both.has_signed("veto 7", "") && !both.has_signed("veto 7", "not base64!"));
    }

    #[test]
    fn a_new_key_in_front_still_reads_what_the_old_one_wrote() {
        let (old, new) = (SecretBox::generate_key(), SecretBox::generate_key());
        let sealed = SecretBox::new(&old).unwrap().seal("x", &SecretString::from("s"));
        let both = SecretBox::new(&SecretString::from(format!("{},{}", new.expose_secret(), old.expose_secret()))).unwrap();
        assert!(both.open("x", &sealed).is_ok());
        assert!(SecretBox::new(&new).unwrap().open("x", &sealed).is_err());
        assert!(SecretBox::new(&SecretString::from("short")).is_err());
    }
}
