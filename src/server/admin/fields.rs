//! Checks of what fields mean, after their form was found right. All errors of a request are told at once.

use std::collections::{HashMap, HashSet};

use domain::{MAX_KEY_CHARS, MAX_NAME_CHARS, Timestamp, is_key, key_from_name};
use url::Url;

use super::{
    problem::{FieldError, Problem},
    schema::quoted,
};

/// The longest mail address, in characters.
const MAX_EMAIL_CHARS: usize = 254;

/// Collects what does not fit.
#[derive(Debug, Default)]
pub(super) struct Fields {
    errors: Vec<FieldError>,
}

impl Fields {
    pub(super) fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// How many were refused so far.
    pub(super) fn n_refused(&self) -> usize {
        self.errors.len()
    }

    /// What was refused, for people: fields and what is wrong with them.
    pub(super) fn into_words(self) -> Vec<(String, String)> {
        self.errors.into_iter().map(|error| (error.field, error.message)).collect()
    }

    /// Whether nothing was refused yet.
    pub(super) fn is_fine(&self) -> bool {
        self.errors.is_empty()
    }

    /// Ends the check.
    ///
    /// # Errors
    /// Something was refused.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }

    /// A line of text that must not be empty; without the spaces around it.
    pub(super) fn name(&mut self, field: &str, text: &str) -> String {
        self.line(field, text, MAX_NAME_CHARS, true)
    }

    /// A line of text, without the spaces around it.
    pub(super) fn line(&mut self, field: &str, text: &str, max_chars: usize, needed: bool) -> String {
        let text = text.trim();
        if text.is_empty() && needed {
            self.refuse(field, "must not be empty");
        } else if text.contains(char::is_control) {
            self.refuse(field, "must not contain control characters");
        }
        self.length(field, text, max_chars);
        text.to_owned()
    }

    /// A text of several lines.
    pub(super) fn text(&mut self, field: &str, text: &str, max_chars: usize) -> String {
        let text = text.trim();
        if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.refuse(field, "must not contain control characters other than line breaks and tabs");
        }
        self.length(field, text, max_chars);
        text.to_owned()
    }

    fn length(&mut self, field: &str, text: &str, max_chars: usize) {
        let n = text.chars().count();
        if n > max_chars {
            self.refuse(field, format!("has {n} characters, at most {max_chars} are allowed"));
        }
    }

    /// A key; one made from the name where none is given.
    pub(super) fn key(&mut self, key: Option<String>, name: &str) -> String {
        match key {
            Some(key) if is_key(&key) => key,
            Some(key) => {
                let rule = format!("a key has 1 to {MAX_KEY_CHARS} of a-z, 0-9, `_` and `-`, and begins with a letter or digit");
                self.refuse("key", format!("`{}` cannot be a key: {rule}", quoted(&key)));
                key
            }
            None => key_from_name(name).unwrap_or_else(|| {
                self.refuse("key", "is needed, since none can be made from the name");
                String::new()
            }),
        }
    }

    /// What `key` refers to.
    pub(super) fn reference<I: Copy>(&mut self, field: &str, kind: &str, ids: &HashMap<String, I>, key: &str) -> Option<I> {
        let id = ids.get(key).copied();
        if id.is_none() {
            self.refuse(field, format!("there is no {kind} `{}`", quoted(key)));
        }
        id
    }

    /// What `keys` refer to, each once.
    pub(super) fn references<I: Copy>(&mut self, field: &str, kind: &str, ids: &HashMap<String, I>, keys: &[String]) -> Vec<I> {
        let mut seen = HashSet::new();
        let mut found = Vec::with_capacity(keys.len());
        for (i, key) in keys.iter().enumerate() {
            let field = format!("{field}[{i}]");
            if seen.insert(key) {
                found.extend(self.reference(&field, kind, ids, key));
            } else {
                self.refuse(field, format!("`{}` is named twice", quoted(key)));
            }
        }
        found
    }

    /// A list that is not too long.
    pub(super) fn at_most<T>(&mut self, field: &str, list: &[T], max: usize) {
        if list.len() > max {
            self.refuse(field, format!("has {} entries, at most {max} are allowed", list.len()));
        }
    }

    /// A time that ends after it began, where both are given.
    pub(super) fn window(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            self.refuse("to", "must be later than `from`");
        }
    }

    /// A mail address; whether it exists, only mail can tell.
    pub(super) fn email(&mut self, field: &str, text: &str) -> String {
        let text = self.line(field, text, MAX_EMAIL_CHARS, true);
        let has_odd = |part: &str| part.contains(|c: char| c.is_whitespace() || "@<>()[],;:\\\"".contains(c));
        let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        let is_address = (text.split_once('@'))
            .is_some_and(|(local, host)| !local.is_empty() && !has_odd(local) && !has_odd(host) && host.split('.').all(is_label));
        if !text.is_empty() && !is_address {
            self.refuse(field, format!("`{}` is not a mail address", quoted(&text)));
        }
        text
    }

    /// A web address with one of `schemes`.
    pub(super) fn url(&mut self, field: &str, text: &str, schemes: &[&str], max_chars: usize) -> String {
        let text = self.line(field, text, max_chars, false);
        match Url::parse(&text) {
            Err(error) => self.refuse(field, format!("`{}` is not a URL: {error}", quoted(&text))),
            Ok(url) if !schemes.contains(&url.scheme()) => {
                self.refuse(field, format!("must begin with {}:", schemes.join(": or ")));
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.refuse(field, "must not hold a user name or password");
            }
            Ok(_) => {}
        }
        text
    }
}

/// The ids of things by their keys.
pub(super) fn by_key<I: Copy>(keys: &HashMap<I, String>) -> HashMap<String, I> {
    keys.iter().map(|(id, key)| (key.clone(), *id)).collect()
}
