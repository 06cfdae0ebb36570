//! Where a list goes on, as a text that clients hand back without reading it.

/// What a cursor looks like: a version, and the id of the last entry.
pub(super) const PATTERN: &str = "^1-[0-9]{1,18}$";

/// The cursor of what follows this entry.
pub(super) fn write(id: i64) -> String {
    format!("1-{id}")
}

/// The entry whose cursor this is, if it is one.
pub(super) fn read(cursor: &str) -> Option<i64> {
    let digits = cursor.strip_prefix("1-")?;
    ((1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
