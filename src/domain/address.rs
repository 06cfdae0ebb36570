//! Mail addresses of people who sign in.

/// The longest mail address, in bytes.
const MAX_ADDRESS_BYTES: usize = 254;

/// A mail address in the one spelling by which people are told apart: trimmed and in lower case. `None` if it is none, or one that would
/// mean something else in a header.
#[must_use]
pub fn mail_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '\\' | '"');
    let fits = text.len() <= MAX_ADDRESS_BYTES
        && !local.is_empty()
        && !local.contains('@')
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && text.chars().all(plain);
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_spelling_and_nothing_strange_is_one() {
        assert_eq!(mail_address(" Ada@Example.COM ").as_deref(), Some("ada@example.com"));
        for odd in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "a@b@example.com",
            "a b@example.com",
            "a@ex\r\nample.com",
            "<a@example.com>",
        ] {
            assert_eq!(mail_address(odd), None, "{odd:?}");
        }
    }
}
