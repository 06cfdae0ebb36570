//! Which of the stored encodings a client gets, and whether it has it already.

use poem::http::{
    HeaderMap,
    header::{ACCEPT_ENCODING, IF_NONE_MATCH},
};

/// A way to store a document, from the smallest to the plainest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Zstd,
    Gzip,
    Identity,
}

impl Encoding {
    /// Every encoding, preferred first.
    pub(super) const ALL: [Self; 4] = [Self::Brotli, Self::Zstd, Self::Gzip, Self::Identity];

    /// The name in `Content-Encoding` and `Accept-Encoding`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }
}

/// The encodings of [`Encoding::ALL`] that the client takes, with their weight in thousandths; 0 means refused.
pub(super) fn accepted(headers: &HeaderMap) -> [u16; 4] {
    // A client that says nothing may get anything, but plain bytes are what it surely reads.
    let mut weights = [None; 4];
    let mut rest = 0;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for item in value.to_str().unwrap_or_default().split(',') {
            let mut parts = item.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            if name == "*" {
                rest = weight;
            } else if let Some(index) = Encoding::ALL.iter().position(|encoding| matches(encoding.name(), name)) {
                weights[index] = Some(weight);
            }
        }
    }
    // Plain bytes are acceptable unless refused, but come last.
    let [brotli, zstd, gzip, identity] = weights;
    [brotli.unwrap_or(rest), zstd.unwrap_or(rest), gzip.unwrap_or(rest), identity.unwrap_or(1)]
}

fn matches(name: &str, asked: &str) -> bool {
    name.eq_ignore_ascii_case(asked) || (name == "gzip" && asked.eq_ignore_ascii_case("x-gzip"))
}

/// Reads a weight between 0 and 1; nonsense counts as refusal.
fn thousandths(text: &str) -> u16 {
    text.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight)).map_or(0, |weight| (weight * 1000.0) as u16)
}

/// Whether the client already holds the representation with this (strong, quoted) tag.
pub(super) fn holds(headers: &HeaderMap, etag: &[u8]) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag)
    })
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn best(accept: Option<&'static str>) -> Encoding {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
        }
        let weights = accepted(&headers);
        let best = (0..4).rev().max_by_key(|index| weights[*index]).unwrap();
        Encoding::ALL[best]
    }

    #[test]
    fn the_heaviest_weight_wins_and_among_equals_the_smallest_form() {
        for (accept, encoding) in [
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip, deflate, br, zstd"), Encoding::Brotli),
            (Some("gzip, zstd"), Encoding::Zstd),
            (Some("br;q=0.2, gzip;q=0.8"), Encoding::Gzip),
            (Some("br;q=0, zstd;q=0.000, gzip"), Encoding::Gzip),
            (Some("*"), Encoding::Brotli),
            (Some("*;q=0.5, br;q=0"), Encoding::Zstd),
            (Some("identity, gzip;q=0.5"), Encoding::Identity),
            (Some("deflate"), Encoding::Identity),
            (Some("X-GZIP"), Encoding::Gzip),
            (Some("gzip;q=nonsense"), Encoding::Identity),
            (Some("gzip; q=0.9 , br ; q=0.1"), Encoding::Gzip),
        ] {
            assert_eq!(best(accept), encoding, "{accept:?}");
        }
    }

    #[test]
    fn a_tag_matches_in_lists_and_weakly() {
        for (value, held) in [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("a", false)] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(value));
            assert_eq!(holds(&headers, b"\"a\""), held, "{value}");
        }
    }
}
