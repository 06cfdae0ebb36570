//! Reads typed values out of the tree. A problem is reported and reading goes on with an empty value, so that all are told in one go;
//! what was read counts only if nothing was reported.

use std::{collections::BTreeSet, str::FromStr};

use domain::{MAX_KEY_CHARS, Span, is_key};

use crate::{
    problem::{Mark, Report, did_you_mean, quoted},
    yaml::{self, Content, Entry, Node},
};

/// A value, where it stands, and where its problems go.
#[derive(Clone)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: String,
    pub(crate) report: &'a Report,
}

/// A map whose keys have been checked.
pub(crate) struct Map<'a> {
    at: At<'a>,
    entries: &'a [Entry],
}

impl<'a> At<'a> {
    pub(crate) fn refuse(&self, message: impl Into<String>) {
        self.report.add(self.node.mark, &self.path, message);
    }

    /// An empty map where there is none.
    pub(crate) fn map(&self, known: &[&str]) -> Map<'a> {
        let entries = match &self.node.content {
            Content::Map(entries) => entries.as_slice(),
            _ => {
                self.refuse(format!("{} was found; keys and values are expected: {}", self.kind(), known.join(", ")));
                &[]
            }
        };
        yaml::refuse_unknown_keys(entries, known, &self.path, self.report);
        Map { at: self.clone(), entries }
    }

    pub(crate) fn list(&self, max: usize) -> Vec<At<'a>> {
        let items = match &self.node.content {
            Content::List(items) => items.as_slice(),
            _ if self.node.is_null() => &[],
            _ => {
                self.refuse(format!("{} was found; a list is expected", self.kind()));
                &[]
            }
        };
        if items.len() > max {
            self.refuse(format!("has {} entries, at most {max} are allowed", items.len()));
        }
        let item = |(i, node)| At { node, path: format!("{}[{i}]", self.path), report: self.report };
        items.iter().take(max).enumerate().map(item).collect()
    }

    /// Any text as it is written: what YAML readers may take for a number or a truth value is still the text here.
    pub(crate) fn raw_text(&self) -> Option<&'a str> {
        match &self.node.content {
            Content::Scalar { .. } if self.node.is_null() => {
                self.refuse("is empty; a text is expected");
                None
            }
            Content::Scalar { text, .. } => Some(text),
            _ => {
                self.refuse(format!("{} was found; a text is expected", self.kind()));
                None
            }
        }
    }

    /// A text of at most `max` characters. `lines` says whether it may have several.
    pub(crate) fn text(&self, max: usize, lines: bool) -> String {
        let Some(text) = self.raw_text() else { return String::new() };
        let n_chars = text.chars().count();
        if n_chars > max {
            self.refuse(format!("has {n_chars} characters, at most {max} are allowed"));
        }
        if let Some(c) = text.chars().find(|&c| c.is_control() && !(lines && matches!(c, '\n' | '\t'))) {
            self.refuse(format!("the character U+{:04X} is not allowed here", u32::from(c)));
        }
        text.to_owned()
    }

    /// A text that shows something.
    pub(crate) fn name(&self, max: usize) -> String {
        let name = self.text(max, false);
        if name.trim().is_empty() && !self.node.is_null() && matches!(self.node.content, Content::Scalar { .. }) {
            self.refuse("must not be blank");
        }
        name
    }

    pub(crate) fn key(&self) -> String {
        let Some(text) = self.raw_text() else { return String::new() };
        if !is_key(text) {
            let hint = domain::key_from_name(text).map_or_else(String::new, |key| format!("; `{key}` would do"));
            self.refuse(format!(
                "{} is not a key: small letters, digits, `-` and `_`, a letter or digit first, at most {MAX_KEY_CHARS}{hint}",
                quoted(text)
            ));
        }
        text.to_owned()
    }

    pub(crate) fn flag(&self) -> bool {
        match &self.node.content {
            Content::Scalar { text, plain: true } if text == "true" => true,
            Content::Scalar { text, plain: true } if text == "false" => false,
            Content::Scalar { text, .. } => {
                let meant = match text.to_lowercase().as_str() {
                    "yes" | "y" | "on" | "1" | "true" => "; did you mean `true`?",
                    "no" | "n" | "off" | "0" | "false" => "; did you mean `false`?",
                    _ => "",
                };
                self.refuse(format!("{} is neither true nor false{meant}", quoted(text)));
                false
            }
            _ => {
                self.refuse(format!("{} was found; true or false is expected", self.kind()));
                false
            }
        }
    }

    /// One of the names in `allowed`; `what` says what they name.
    pub(crate) fn choice<T: FromStr + Copy>(&self, what: &str, allowed: &[&'static str]) -> Option<T> {
        let text = self.raw_text()?;
        let found = text.parse().ok();
        if found.is_none() {
            self.refuse(format!("{} is not {what} ({}){}", quoted(text), allowed.join(", "), did_you_mean(text, allowed.iter().copied())));
        }
        found
    }

    /// A whole number.
    pub(crate) fn number(&self, least: u32, most: u32) -> u32 {
        let Some(text) = self.raw_text() else { return least };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.refuse(format!("{} is not a whole number from {least} to {most}", quoted(text)));
        }
        number.unwrap_or(least)
    }

    pub(crate) fn span(&self) -> Span {
        let Some(text) = self.raw_text() else { return Span::ZERO };
        text.parse().unwrap_or_else(|error: domain::TimeError| {
            self.refuse(error.to_string());
            Span::ZERO
        })
    }

    /// A set of keys, each of which must be among `declared`; `what` says what they name.
    pub(crate) fn references(&self, what: &str, declared: &BTreeSet<&str>, max: usize) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for item in self.list(max) {
            let Some(key) = item.reference(what, declared) else { continue };
            if !found.insert(key.clone()) {
                item.refuse(format!("{} is already in this list", quoted(&key)));
            }
        }
        found
    }

    pub(crate) fn reference(&self, what: &str, declared: &BTreeSet<&str>) -> Option<String> {
        let text = self.raw_text()?;
        if !declared.contains(text) && !self.report.is_full() {
            self.refuse(format!("there is no {what} {}{}", quoted(text), did_you_mean(text, declared.iter().copied())));
        }
        Some(text.to_owned())
    }

    fn kind(&self) -> &'static str {
        match &self.node.content {
            Content::List(_) => "a list",
            Content::Map(_) => "keys and values",
            Content::Scalar { .. } if self.node.is_null() => "nothing",
            Content::Scalar { .. } => "a text",
        }
    }
}

impl<'a> Map<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<At<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(At { node: &entry.value, path: join(&self.at.path, key), report: self.at.report })
    }

    /// As [`Map::get`], but `null` is as good as absent.
    pub(crate) fn get_some(&self, key: &str) -> Option<At<'a>> {
        self.get(key).filter(|at| !at.node.is_null())
    }

    /// As [`Map::get`], and absence is a problem.
    pub(crate) fn need(&self, key: &str) -> Option<At<'a>> {
        let found = self.get(key);
        // Something else than a map has been reported already.
        if found.is_none() && matches!(self.at.node.content, Content::Map(_)) {
            self.at.refuse(format!("`{key}` is missing"));
        }
        found
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    pub(crate) fn list(&self, key: &str, max: usize) -> Vec<At<'a>> {
        self.get(key).map_or_else(Vec::new, |at| at.list(max))
    }

    pub(crate) fn name(&self, key: &str, max: usize) -> String {
        self.need(key).map_or_else(String::new, |at| at.name(max))
    }

    pub(crate) fn text_or_empty(&self, key: &str, max: usize, lines: bool) -> String {
        self.get_some(key).map_or_else(String::new, |at| at.text(max, lines))
    }

    pub(crate) fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.get(key).map_or(otherwise, |at| at.flag())
    }

    pub(crate) fn span(&self, key: &str, otherwise: Span) -> Span {
        self.get(key).map_or(otherwise, |at| at.span())
    }

    pub(crate) fn refuse(&self, message: impl Into<String>) {
        self.at.refuse(message);
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Tells of keys that are used twice, which would make references ambiguous.
#[derive(Default)]
pub(crate) struct Unique(std::collections::HashMap<String, Mark>);

impl Unique {
    /// Refuses `key` if it has been seen before; `what` says what it names.
    pub(crate) fn check(&mut self, at: &At<'_>, what: &str, key: &str) {
        if let Some(first) = self.0.get(key) {
            at.refuse(format!("duplicate {what} {}: it is already on line {}", quoted(key), first.line));
        } else if !key.is_empty() {
            self.0.insert(key.to_owned(), at.node.mark);
        }
    }
}

/// The keys of every item of the list `section`, well formed or not: what references may point at.
pub(crate) fn declared<'a>(root: &'a Node, section: &str) -> BTreeSet<&'a str> {
    let list = value(root, section).map(|node| &node.content);
    let items = match list {
        Some(Content::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(|item| value(item, "key")).filter_map(scalar).collect()
}

fn value<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Content::Map(entries) = &node.content else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

fn scalar(node: &Node) -> Option<&str> {
    if let Content::Scalar { text, .. } = &node.content { Some(text) } else { None }
}
