//! Markdown: whatever people write, only harmless elements come out.
#![no_main]

use fuzz::{plant, within_limits};
use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../../src/server/page/markdown.rs"]
#[expect(unreachable_pub, reason = "where it lives, others reach it")]
mod markdown;

/// The elements that may come out, and the one attribute-bearing one in the two forms it may have.
const PLAIN: &[&str] = &[
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Whether a tag, without its angle brackets, can do nothing.
fn is_harmless(tag: &str) -> bool {
    let link = |rest: &str| {
        let rest = rest.strip_suffix(" rel=\"nofollow noopener ugc\"")?;
        let url = rest.strip_prefix("a href=\"").map_or_else(|| rest.strip_prefix("a"), |url| url.strip_suffix('"'))?.to_ascii_lowercase();
        // Browsers leave out tabs and line breaks in an address, and what cannot be seen around it, as whoever cleaned it did.
        let url = url.replace(['\t', '\n', '\r'], "");
        let url = url.trim_matches(|c: char| c <= ' ');
        Some(!url.contains('"') && (url.is_empty() || ["http:", "https:", "mailto:"].iter().any(|scheme| url.starts_with(scheme))))
    };
    let name = tag.strip_prefix('/').unwrap_or(tag);
    PLAIN.contains(&name) || tag == "/a" || link(tag) == Some(true)
}

fuzz_target!(
    init: plant(fuzz::markdown()),
    |data: &[u8]| -> Corpus {
        let Ok(source) = str::from_utf8(data) else { return Corpus::Reject };
        let html = within_limits(|| markdown::markdown(source));
        for part in html.split('<').skip(1) {
            let tag = part.split_once('>').map(|(tag, _)| tag);
            assert!(tag.is_some_and(is_harmless), "<{part}");
        }
        Corpus::Keep
    }
);
