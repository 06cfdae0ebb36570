//! Which passwords are taken. Long ones, of any characters, that nobody tries first.

use std::{collections::HashSet, sync::LazyLock};

/// The shortest password where a second factor is asked for too.
pub const MIN_PASSWORD_CHARS: usize = 12;
/// The shortest password that stands alone.
pub const MIN_SOLE_PASSWORD_CHARS: usize = 15;
/// The longest password, in characters. Hashing takes the same time for all of them.
pub const MAX_PASSWORD_CHARS: usize = 128;
/// At most so many common words make no password.
const MAX_COMMON_PIECES: usize = 3;

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines();
    lines.filter(|line| !line.starts_with('#')).collect()
});

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short.
    #[error("must have at least {0} characters; a few words in a row are easy to keep in mind")]
    TooShort(usize),
    /// Too long.
    #[error("must have at most {MAX_PASSWORD_CHARS} characters")]
    TooLong,
    /// Others would try it.
    #[error("is made of what is tried first: common passwords, rows of keys, repetitions")]
    Common,
    /// It has the person's or this product's name in it.
    #[error("must not be made of your name, your mail address or the name of this page")]
    Personal,
}

/// Checks a password somebody chooses. `sole` says that no second factor is asked for; `personal` are words that strangers would try with
/// this person: the mail address, names.
///
/// # Errors
/// Why it is not taken.
pub fn check_password(password: &str, sole: bool, personal: &[&str]) -> Result<(), PasswordError> {
    let n = password.chars().count();
    let min = if sole { MIN_SOLE_PASSWORD_CHARS } else { MIN_PASSWORD_CHARS };
    if n < min {
        return Err(PasswordError::TooShort(min));
    }
    if n > MAX_PASSWORD_CHARS {
        return Err(PasswordError::TooLong);
    }
    let plain = plain(password);
    if plain.chars().collect::<HashSet<_>>().len() < 5 || is_common(&plain) {
        return Err(PasswordError::Common);
    }
    if without_words(&plain, personal) < 8 {
        return Err(PasswordError::Personal);
    }
    Ok(())
}

/// Lower case, without what people put in place of letters, and without what stands between words.
fn plain(password: &str) -> String {
    let letter = |c: char| match c {
        '@' => 'a',
        '$' => 's',
        '!' => 'i',
        c => c,
    };
    password.chars().flat_map(char::to_lowercase).map(letter).filter(|c| !matches!(c, ' ' | '-' | '_' | '.' | ',')).collect()
}

/// Whether a few common passwords, rows of digits or one repeated piece make the whole.
fn is_common(plain: &str) -> bool {
    let chars: Vec<char> = plain.chars().collect();
    let repeats = |n: usize| chars.len().is_multiple_of(n) && chars.chunks(n).all(|chunk| chunk == &chars[..n]);
    if (1..=chars.len() / 3).any(repeats) {
        return true;
    }
    let letters: Vec<char> = chars.iter().map(|c| unleet(*c)).collect();
    in_common_pieces(&chars) || in_common_pieces(&letters)
}

fn in_common_pieces(chars: &[char]) -> bool {
    // How many pieces the first so many characters take, at the least.
    let mut pieces: Vec<Option<usize>> = vec![None; chars.len() + 1];
    pieces[0] = Some(0);
    for end in 1..=chars.len() {
        for start in 0..end {
            let Some(before) = pieces[start].filter(|n| *n < MAX_COMMON_PIECES) else { continue };
            if is_piece(&chars[start..end]) && pieces[end].is_none_or(|n| before + 1 < n) {
                pieces[end] = Some(before + 1);
            }
        }
    }
    pieces[chars.len()].is_some()
}

fn is_piece(chars: &[char]) -> bool {
    let steps = |by: i64| chars.windows(2).all(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])) == by);
    let short_number = chars.len() <= 4 && chars.iter().all(char::is_ascii_digit);
    let row = chars.len() >= 3 && [-1, 0, 1].into_iter().any(steps);
    short_number || row || (chars.len() >= 4 && COMMON.contains(chars.iter().collect::<String>().as_str()))
}

const fn unleet(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        c => c,
    }
}

/// How many characters are left when the words that strangers would think of are taken out.
fn without_words(plain_password: &str, personal: &[&str]) -> usize {
    let split = |word: &&str| word.split(|c: char| !c.is_alphanumeric()).map(plain).collect::<Vec<_>>();
    let mut words: Vec<String> =
        personal.iter().flat_map(split).chain(["fanal".to_owned()]).filter(|word| word.chars().count() >= 3).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut found = false;
    let rest = words.iter().fold(plain_password.to_owned(), |rest, word| {
        found |= rest.contains(word.as_str());
        rest.replace(word.as_str(), "")
    });
    if found { rest.chars().count() } else { usize::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_holds_thousands() {
        assert!(COMMON.len() > 5000);
    }

    #[test]
    fn passwords_are_judged_by_length_and_by_what_others_try() {
        use PasswordError::{Common, Personal, TooLong, TooShort};
        let long = "x1y2z".repeat(26);
        let fits: String = (0..MAX_PASSWORD_CHARS).map(|n| char::from(b'!' + u8::try_from(n % 89).unwrap())).collect();
        for (password, sole, wanted) in [
            ("kettle moss 9", false, Ok(())),
            ("kettle moss 9", true, Err(TooShort(15))),
            ("kettle moss", false, Err(TooShort(12))),
            ("violin harbour sandpaper", true, Ok(())),
            ("Straßenbahn über Österreich", true, Ok(())),
            ("日本語のとても長い合言葉です。", true, Ok(())),
            ("                    ", true, Err(Common)),
            (&fits, true, Ok(())),
            (&long, true, Err(TooLong)),
            ("passwordpassword", true, Err(Common)),
            ("Password123456", false, Err(Common)),
            ("P@ssw0rd-1234567890", true, Err(Common)),
            ("qwertyuiop1234567", true, Err(Common)),
            ("iloveyou iloveyou 2024", true, Err(Common)),
            ("aaaaaaaaaaaaaaaaaaaa", true, Err(Common)),
            ("xk3!xk3!xk3!xk3!", true, Err(Common)),
            ("abcdefghijklmnop", true, Err(Common)),
            ("adalovelace2024!", true, Err(Personal)),
            ("ada.lovelace@example.com", true, Err(Personal)),
            ("fanal-fanal-xbq7w", true, Err(Personal)),
            ("lovelace keeps nine bees", true, Ok(())),
        ] {
            assert_eq!(check_password(password, sole, &["ada.lovelace@example.com", "Ada Lovelace"]), wanted, "{password}");
        }
    }
}
