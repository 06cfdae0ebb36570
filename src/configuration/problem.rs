//! What is wrong with a file, said so that it can be mended.

use std::{cell::RefCell, fmt};

/// After so many problems the rest is left out.
pub(crate) const MAX_PROBLEMS: usize = 100;

/// A place in a file: line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Where in the structure, e.g. `components[2].group`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what may have been meant.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Prints problems one a line, as compilers do: `fanal.yaml:12:9: components[2].group: …`.
#[must_use]
pub fn describe(file: &str, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{file}:{problem}\n")).collect()
}

/// Where problems are collected, so that all are told in one go.
#[derive(Default)]
pub(crate) struct Report(RefCell<Vec<Problem>>);

impl Report {
    pub(crate) fn add(&self, mark: Mark, path: &str, message: impl Into<String>) {
        let mut problems = self.0.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem { line: mark.line, column: mark.column, path: path.to_owned(), message: message.into() });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing more will be told, so nothing more need be found out.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MAX_PROBLEMS
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// In the order of the file.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems
    }
}

/// Quotes what somebody wrote, shortened.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(64).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// `; did you mean …?` with the candidate that is nearest to `text`, or nothing if none is near.
pub(crate) fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    // No valid name is longer than this, and comparing is quadratic.
    if text.chars().nth(256).is_some() {
        return String::new();
    }
    let lower = text.to_lowercase();
    let nearest = candidates
        .into_iter()
        // Among equally near ones that which needs fewer capitals changed.
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), strsim::damerau_levenshtein(text, candidate), candidate)
        })
        .filter(|(distance, _, candidate)| *distance <= candidate.chars().count().max(2) / 3 + 1 && *distance < candidate.chars().count())
        .min();
    nearest.map_or_else(String::new, |(_, _, candidate)| format!("; did you mean {}?", quoted(candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_only_if_it_is_near() {
        let names = ["components", "integrations", "page", "key"];
        for (text, meant) in [("componets", "components"), ("Page", "page"), ("integration", "integrations"), ("kye", "key")] {
            assert_eq!(did_you_mean(text, names), format!("; did you mean `{meant}`?"));
        }
        for text in ["banana", "x", "", &"a".repeat(100_000)] {
            assert_eq!(did_you_mean(text, names), "", "{}", quoted(text));
        }
    }

    #[test]
    fn what_is_quoted_stays_on_its_line() {
        assert_eq!(quoted("a\nb\u{1b}"), "`a b `");
        assert_eq!(quoted(&"x".repeat(70)).chars().count(), 67);
    }
}
