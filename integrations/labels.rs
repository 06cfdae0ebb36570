//! What names a thing that has no id: its labels.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The same for the same labels, in whatever order they came.
pub(crate) fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    format!("labels:{}", hex::encode(&hash.finalize()[..16]))
}
