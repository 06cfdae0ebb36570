//! The chain: what of a row is hashed, and how, so that it has one reading only.

use sha2::{Digest, Sha256};

pub(super) const HASH_BYTES: usize = 32;

/// Says that this is a row of the audit log in this form, and nothing else that is hashed somewhere.
const DOMAIN: &[u8] = b"fanal audit row 1";

/// Everything a row says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashed<'a> {
    pub(super) audit_id: i64,
    pub(super) at: i64,
    pub(super) actor: &'a str,
    pub(super) actor_id: i64,
    pub(super) name_mark: &'a [u8],
    pub(super) via: &'a str,
    pub(super) address: Option<&'a str>,
    pub(super) action: &'a str,
    pub(super) resource: Option<&'a str>,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

impl Hashed<'_> {
    /// The row's hash, behind the row that has the hash `previous`.
    pub(super) fn after(&self, previous: &[u8; HASH_BYTES]) -> [u8; HASH_BYTES] {
        let mut digest = Sha256::new().chain_update(DOMAIN).chain_update(previous);
        for number in [self.audit_id, self.at, self.actor_id] {
            digest.update(number.to_be_bytes());
        }
        let texts = [Some(self.actor), Some(self.via), self.address, Some(self.action), self.resource, self.before, self.after];
        // With its length before it, no text can lend bytes to its neighbour; and none at all differs from an empty one.
        for bytes in std::iter::once(Some(self.name_mark)).chain(texts.map(|text| text.map(str::as_bytes))) {
            match bytes {
                None => digest.update([0]),
                Some(bytes) => {
                    digest.update([1]);
                    digest.update((bytes.len() as u64).to_be_bytes());
                    digest.update(bytes);
                }
            }
        }
        digest.finalize().into()
    }
}

/// What a row keeps of its actor's name.
pub(super) fn mark_of_name(salt: &[u8], name: &str) -> Vec<u8> {
    Sha256::new().chain_update(b"fanal audit name 1").chain_update(salt).chain_update(name.as_bytes()).finalize().to_vec()
}
