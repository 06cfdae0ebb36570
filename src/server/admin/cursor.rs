//! Where a list goes on, as a text that clients hand back without reading it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The longest cursor.
const MAX_CURSOR_CHARS: usize = 64;

/// The cursor of what follows this entry.
pub(super) fn write(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{id}"))
}

/// The entry whose cursor this is, if it is one.
pub(super) fn read(cursor: &str) -> Option<i64> {
    let cursor = Some(cursor).filter(|cursor| cursor.len() <= MAX_CURSOR_CHARS)?;
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("1:")?.parse().ok()
}
