//! Markdown written by people, made safe to show.

use std::{collections::HashSet, sync::LazyLock};

use ammonia::{Builder, UrlRelative};
use pulldown_cmark::{Options, Parser, html};

/// Turns Markdown into HTML that can stand in any page or mail.
///
/// Raw HTML in the source is reduced to the same short list of elements; images, ids, classes and styles never survive, and links can
/// only lead to `http`, `https` and `mailto` addresses.
#[must_use]
pub fn markdown(source: &str) -> String {
    let mut unsafe_html = String::with_capacity(source.len() * 3 / 2);
    html::push_html(&mut unsafe_html, Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES));
    CLEANER.clean(&unsafe_html).to_string()
}

/// What survives.
static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a",
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
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(tags))
        .clean_content_tags(HashSet::from(["script", "style", "template", "title", "noscript", "iframe", "textarea", "svg", "math"]))
        .tag_attributes([("a", HashSet::from(["href"]))].into())
        // "Empty" leaves titles and languages in.
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("nofollow noopener ugc"));
    builder
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_people_write_and_drops_what_acts() {
        for (source, html) in [
            ("We are **on it**.", "<p>We are <strong>on it</strong>.</p>\n"),
            ("[docs](https://example.com)", "<p><a href=\"https://example.com\" rel=\"nofollow noopener ugc\">docs</a></p>\n"),
            ("[x](https://example.com \"title\")", "<p><a href=\"https://example.com\" rel=\"nofollow noopener ugc\">x</a></p>\n"),
            ("<i title='tomorrow all is well' lang=xx>x</i>", "<p><i>x</i></p>\n"),
            ("[x](javascript:alert(1))", "<p><a rel=\"nofollow noopener ugc\">x</a></p>\n"),
            ("[x](data:text/html;base64,xx)", "<p><a rel=\"nofollow noopener ugc\">x</a></p>\n"),
            ("![x](https://example.com/x.png)", "<p></p>\n"),
            ("<script>alert(1)</script>", "\n"),
            ("<b onclick=alert(1) style='x' id=now class=now>b</b>", "<p><b>b</b></p>\n"),
            ("# Title", "Title\n"),
        ] {
            assert_eq!(markdown(source).trim(), html.trim(), "{source}");
        }
    }
}
