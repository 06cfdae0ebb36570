//! Seeds out of what is written for people: examples of configuration, expressions and Markdown in the documents and guides.

use std::fs;

use integrations::PROVIDERS;

fn documents() -> Vec<String> {
    let root = crate::root();
    let guides = PROVIDERS.iter().map(|provider| provider.setup.to_owned());
    let docs = fs::read_dir(root.join("docs")).expect("docs").flatten().map(|entry| entry.path());
    let others = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|name| root.join(name));
    docs.chain(others).filter_map(|path| fs::read_to_string(path).ok()).chain(guides).collect()
}

/// The YAML in the documents.
pub fn yaml() -> impl Iterator<Item = Vec<u8>> {
    let blocks = |text: &String| -> Vec<Vec<u8>> {
        let parts = text.split("```yaml\n").skip(1);
        parts.filter_map(|part| part.split_once("```").map(|(block, _)| block.as_bytes().to_vec())).collect()
    };
    documents().iter().flat_map(blocks).collect::<Vec<_>>().into_iter()
}

/// Everything that stands in the documents between backticks or quotes: among it all expressions.
pub fn expressions() -> impl Iterator<Item = Vec<u8>> {
    let marked = |text: &String| -> Vec<Vec<u8>> {
        let parts = text.split(['`', '\'', '\n']).map(str::trim).filter(|part| (4..400).contains(&part.len()));
        parts
            .filter(|part| part.contains("signal") || part.contains("body") || part.contains("item"))
            .map(|part| part.as_bytes().to_vec())
            .collect()
    };
    documents().iter().flat_map(marked).collect::<Vec<_>>().into_iter()
}

/// The paragraphs of the documents.
pub fn markdown() -> impl Iterator<Item = Vec<u8>> {
    let paragraphs = |text: &String| -> Vec<Vec<u8>> { text.split("\n## ").map(|part| part.as_bytes().to_vec()).collect() };
    documents().iter().flat_map(paragraphs).collect::<Vec<_>>().into_iter()
}
