//! XML, read with suspicion: no document type, so no entities of its own; and nothing so large that reading it would take long.

use roxmltree::{Document, Node, ParsingOptions};

use crate::ParseError;

/// The longest document, in bytes: a feed of news has a few thousand.
const MAX_BYTES: usize = 1 << 20;
/// The most elements and texts. What an element inherits costs memory in proportion to how deep it stands.
const MAX_NODES: u32 = 5000;
/// The most attributes of one element: each is compared with all others.
const MAX_ATTRIBUTES: usize = 1000;

/// Reads one document.
pub(crate) fn read(text: &str) -> Result<Document<'_>, ParseError> {
    let refuse = |problem: &str| Err(ParseError::Xml(problem.to_owned()));
    if text.len() > MAX_BYTES {
        return refuse("it is longer than 1 MiB");
    }
    // No attribute holds a `<`, so all those of an element stand between two of them.
    if text.split('<').any(|part| part.matches('=').count() > MAX_ATTRIBUTES) {
        return refuse("an element has too many attributes");
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| ParseError::Xml(error.to_string()))
}

/// The text of the first element of this name in `parent`, trimmed; empty if there is none.
pub(crate) fn text(parent: Node<'_, '_>, name: &str) -> String {
    let element = parent.children().find(|child| child.tag_name().name() == name);
    let texts = element.into_iter().flat_map(|element| element.children()).filter_map(|child| child.text());
    texts.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_cost_more_than_it_weighs_is_refused() {
        let deep = "<a>".repeat(4000) + &"</a>".repeat(4000);
        assert!(read(&deep).is_ok());
        let many: String = (0..2000).map(|n| format!(" a{n}=''")).collect();
        for (body, problem) in [
            ("<!DOCTYPE a [<!ENTITY b 'x'>]><a>&b;</a>".to_owned(), "DTD"),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".to_owned(), "DTD"),
            ("<a>&b;</a>".to_owned(), "unknown entity reference 'b'"),
            ("<a>".repeat(6000), "nodes limit"),
            (format!("<a{many}/>"), "too many attributes"),
            (format!("<a>{}</a>", "x".repeat(MAX_BYTES)), "longer than 1 MiB"),
            ("<html><p>Not well-formed<br></html>".to_owned(), "br"),
        ] {
            let error = read(&body).unwrap_err().to_string();
            assert!(error.contains(problem), "{problem}: {error}");
        }
    }

    #[test]
    fn texts_are_read_whole() {
        let document = read("<a><b> one <![CDATA[<two>]]> &amp; three </b><b>four</b></a>").unwrap();
        assert_eq!(text(document.root_element(), "b"), "one <two> & three");
        assert_eq!(text(document.root_element(), "c"), "");
    }
}
