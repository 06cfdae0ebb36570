//! YAML to a tree whose every node knows its place. Knows nothing of what the file is for.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, options};

use crate::problem::{Mark, Report, did_you_mean, quoted};

/// The longest file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 << 20;
/// The most nodes, aliases counted with everything they stand for: a few lines of aliases can stand for billions.
const MAX_NODES: usize = 500_000;
/// A text counts as one node more for each of these, so that aliases of a long text are bounded too.
const BYTES_PER_NODE: usize = 32;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// `plain` is true if it was written without quotes, so that `true` or `~` may mean something else than a text.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) mark: Mark,
    pub(crate) value: Node,
}

impl Node {
    /// Nothing was written, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    fn size(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { text, .. } => text.len() / BYTES_PER_NODE,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(entries) => entries.iter().map(|entry| 1 + entry.key.len() / BYTES_PER_NODE + entry.value.size()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
        }
    }
}

/// Reads one document. `None`, with the reason in `report`, if it is not one.
pub(crate) fn read(text: &str, report: &Report) -> Option<Node> {
    let start = Mark { line: 1, column: 1 };
    if text.len() > MAX_FILE_BYTES {
        report.add(start, "", format!("the file has {} bytes, at most {MAX_FILE_BYTES} are allowed", text.len()));
        return None;
    }
    let options =
        options! { emit_comments: false, disallow_directives: true, block_nesting_limit: MAX_DEPTH, flow_nesting_limit: MAX_DEPTH };
    let mut builder = Builder { parser: Parser::new_from_str_with_options(text, options), anchors: HashMap::new(), n_nodes: 0, report };
    match builder.document() {
        Ok(Some(root)) => Some(root),
        Ok(None) => {
            report.add(start, "", "the file is empty");
            None
        }
        Err(Stop { mark, message }) => {
            report.add(mark, "", message);
            None
        }
    }
}

/// Why reading cannot go on.
struct Stop {
    mark: Mark,
    message: String,
}

impl From<ScanError> for Stop {
    fn from(error: ScanError) -> Self {
        Self { mark: mark(error.marker()), message: format!("not YAML: {}", error.info()) }
    }
}

struct Builder<'t, 'r> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    /// By the parser's number; dropped with the document.
    anchors: HashMap<usize, Node>,
    n_nodes: usize,
    report: &'r Report,
}

impl<'t> Builder<'t, '_> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Stop { mark: mark(&span.start), message: "a second document begins here; one file holds one".to_owned() });
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(event) => Ok(event?),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        let at = mark(&span.start);
        let stop = |message: String| Stop { mark: at, message };
        if depth > MAX_DEPTH {
            return Err(stop(format!("nested more than {MAX_DEPTH} deep")));
        }
        self.count(1, at)?;
        let (anchor, tag, content) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, tag, Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(_, anchor, tag) => (anchor, tag, self.list(depth)?),
            Event::MappingStart(_, anchor, tag) => (anchor, tag, self.map(depth)?),
            Event::Alias(anchor) => {
                // An alias inside its own anchor is not in the map yet: a tree cannot contain itself.
                let found = self.anchors.get(&anchor).ok_or_else(|| stop("an alias to something that contains it".to_owned()))?;
                let (size, deep) = (found.size(), found.depth());
                self.count(size, at)?;
                if depth + deep > MAX_DEPTH {
                    return Err(stop(format!("nested more than {MAX_DEPTH} deep")));
                }
                // The place is the alias', so that a problem is reported where it arises.
                return Ok(Node { mark: at, content: self.anchors[&anchor].content.clone() });
            }
            _ => return Err(stop("not YAML: a value was expected".to_owned())),
        };
        if let Some(tag) = tag {
            self.report.add(
                span.tag_start().map_or(at, |start| mark(&start)),
                "",
                format!("tags such as {} have no meaning here", quoted(&tag.original())),
            );
        }
        let node = Node { mark: at, content };
        if anchor != 0 {
            self.count(node.size(), at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Content, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, Stop> {
        let (mut entries, mut places) = (Vec::<Entry>::new(), HashMap::<String, Mark>::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Map(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Content::Scalar { text, plain } = key.content else {
                self.report.add(key.mark, "", "a key must be a plain text");
                continue;
            };
            if plain && text == "<<" {
                self.report.add(key.mark, "", "merge keys (`<<`) are not supported; write the keys out");
            } else if let Some(first) = places.get(&text) {
                self.report.add(key.mark, "", format!("duplicate key {}: it is already on line {}", quoted(&text), first.line));
            } else {
                places.insert(text.clone(), key.mark);
                entries.push(Entry { key: text, mark: key.mark, value });
            }
        }
    }

    fn count(&mut self, n: usize, mark: Mark) -> Result<(), Stop> {
        self.n_nodes = self.n_nodes.saturating_add(n);
        if self.n_nodes > MAX_NODES {
            return Err(Stop { mark, message: format!("more than {MAX_NODES} values, aliases written out") });
        }
        Ok(())
    }
}

fn mark(marker: &granit_parser::Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col() + 1 }
}

/// Turns a node into JSON: plain `true`, `null` and numbers become such, everything else stays a text.
pub(crate) fn to_json(node: &Node, path: &str, report: &Report) -> serde_json::Value {
    use serde_json::Value;
    match &node.content {
        Content::Scalar { text, plain: false } => Value::String(text.clone()),
        Content::Scalar { .. } if node.is_null() => Value::Null,
        Content::Scalar { text, .. } => match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => number_or_text(text).unwrap_or_else(|message| {
                report.add(node.mark, path, message);
                Value::Null
            }),
        },
        Content::List(items) => {
            let item = |(i, item)| to_json(item, &format!("{path}[{i}]"), report);
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        Content::Map(entries) => {
            let entry = |entry: &Entry| (entry.key.clone(), to_json(&entry.value, &format!("{path}.{}", entry.key), report));
            Value::Object(entries.iter().map(entry).collect())
        }
    }
}

/// What readers of YAML disagree about is refused, not guessed.
fn number_or_text(text: &str) -> Result<serde_json::Value, String> {
    const WORDS: [&str; 10] = ["yes", "no", "on", "off", "y", "n", "true", "false", ".inf", ".nan"];
    let unsigned = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if WORDS.contains(&unsigned.as_str()) {
        return Err(format!("{} means different things to different readers; write true, false or \"{text}\"", quoted(text)));
    }
    if !looks_numeric(&unsigned) {
        return Ok(serde_json::Value::String(text.to_owned()));
    }
    let is_whole = !unsigned.contains(['.', 'e']);
    let number = match text.parse::<serde_json::Number>() {
        // A whole number that does not fit would silently lose digits.
        Ok(number) if is_whole => (!number.is_f64()).then_some(number),
        Ok(_) => text.parse().ok().and_then(serde_json::Number::from_f64),
        Err(_) => None,
    };
    number
        .map(serde_json::Value::Number)
        .ok_or_else(|| format!("{} is not a plain number; write it as JSON does, or put it in quotes", quoted(text)))
}

/// Whether some reader of YAML would take it for a number: `1`, `1_000`, `007`, `0x1f`, `.5`, `1.5e3`, but not `1.2.3` or a date.
fn looks_numeric(unsigned: &str) -> bool {
    let is_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if let Some(digits) = ["0x", "0o", "0b"].iter().find_map(|prefix| unsigned.strip_prefix(prefix)) {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_');
    }
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.trim_start_matches(['+', '-']);
    (whole.starts_with(|c: char| c.is_ascii_digit()) || !fraction.is_empty() && whole.is_empty())
        && [whole, fraction, exponent].into_iter().all(is_digits)
        && !exponent.is_empty()
}

/// For `settings`, whose keys only the provider knows: where in the file a path such as `signature.header` stands.
pub(crate) fn find<'n>(node: &'n Node, path: &str) -> &'n Node {
    let mut at = node;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        let next = match &at.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| &entry.value),
            Content::List(items) => step.parse().ok().and_then(|i: usize| items.get(i)),
            Content::Scalar { .. } => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// Reports every key that is not among `known`.
pub(crate) fn refuse_unknown_keys(entries: &[Entry], known: &[&str], path: &str, report: &Report) {
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let meant = did_you_mean(&entry.key, known.iter().copied());
        let hint = if meant.is_empty() { format!("; known here: {}", known.join(", ")) } else { meant };
        report.add(entry.mark, path, format!("unknown key {}{hint}", quoted(&entry.key)));
    }
}
