//! Where a list goes on, as a text that clients hand back without reading it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use storage::order::Value;

use super::problem::Problem;

/// What a cursor looks like: a version, the id of the last entry, and in a list that is not by id its order and what the entry has there.
pub(super) const PATTERN: &str = "^(1-[0-9]{1,18}|2-[0-9]{1,18}-[A-Za-z0-9_-]{1,11000})$";
/// The longest: of an address with as many characters as there may be, of four bytes each.
pub(super) const MAX_CHARS: usize = 11_100;

/// The cursor of what follows this entry.
pub(super) fn write(id: i64) -> String {
    format!("1-{id}")
}

/// The entry whose cursor this is, if it is one.
pub(super) fn read(cursor: &str) -> Option<i64> {
    read_id(cursor.strip_prefix("1-")?)
}

/// The cursor of what follows this entry in an order.
pub(super) fn write_value(id: i64, order: &str, value: &Value) -> String {
    let rest = serde_json::to_vec(&(order, value)).unwrap_or_default();
    format!("2-{id}-{}", URL_SAFE_NO_PAD.encode(rest))
}

/// The entry whose cursor this is, the order, and what the entry has there.
pub(super) fn read_value(cursor: &str) -> Option<(i64, String, Value)> {
    let (id, rest) = cursor.strip_prefix("2-")?.split_once('-')?;
    let (order, value) = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(rest).ok()?).ok()?;
    Some((read_id(id)?, order, value))
}

/// Why a cursor is not taken: what does not even look like one cannot be read; what does is of another list, or of another order.
pub(super) fn refuse(cursor: &str, why: &str) -> Problem {
    if looks_like_one(cursor) { Problem::field("cursor", why) } else { Problem::malformed("cursor", why) }
}

/// Whether it is as [`PATTERN`] says.
fn looks_like_one(cursor: &str) -> bool {
    let is_rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let with_value = || cursor.strip_prefix("2-").and_then(|rest| rest.split_once('-'));
    cursor.len() <= MAX_CHARS
        && (read(cursor).is_some()
            || with_value().is_some_and(|(id, rest)| read_id(id).is_some() && !rest.is_empty() && rest.chars().all(is_rest)))
}

fn read_id(digits: &str) -> Option<i64> {
    ((1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written_and_never_grows_too_long() {
        for value in [Value::Text("a\u{1f600}-\"b\"".to_owned()), Value::Number(-7)] {
            assert_eq!(read_value(&write_value(9, "-name", &value)), Some((9, "-name".to_owned(), value)));
        }
        assert_eq!(read(&write(7)), Some(7));
        for odd in ["", "1-", "1-x", "2-7", "2-7-", "2-7-!", "2-x-WyJuYW1lIiwxXQ", "1-1234567890123456789", "3-7"] {
            assert_eq!((read(odd), read_value(odd)), (None, None), "{odd}");
        }
        let longest = write_value(999_999_999_999_999_999, "-address", &Value::Text("\u{1f600}".repeat(domain::MAX_ADDRESS_CHARS)));
        assert!(longest.len() <= MAX_CHARS, "{}", longest.len());
    }
}
