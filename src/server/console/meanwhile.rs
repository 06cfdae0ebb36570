//! Two people at one form: what changed while one of them wrote, and what becomes of what both wrote.

use std::collections::BTreeMap;

/// The most of a field's text that is told, in characters.
const MAX_SHOWN_CHARS: usize = 300;

/// A field of a form.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// How people call it.
    pub(super) label: &'static str,
    pub(super) value: String,
}

impl Field {
    pub(super) fn new(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Self { name, label, value: value.into() }
    }
}

/// The version that a form was opened on. The form carries it, in the fields `etag` and `was`.
#[derive(Clone, Debug, Default)]
pub(super) struct Version {
    pub(super) etag: String,
    /// What stood in its fields, as JSON. It is only ever shown to whoever sends it.
    pub(super) was: String,
}

impl Version {
    pub(super) fn new(etag: &str, fields: &[Field]) -> Self {
        let was: BTreeMap<&str, &str> = fields.iter().map(|field| (field.name, field.value.as_str())).collect();
        Self { etag: etag.to_owned(), was: serde_json::to_string(&was).unwrap_or_default() }
    }

    /// What a form carries that is shown again: what it was opened on, until whoever writes has been shown what is `newer`.
    pub(super) fn again(opened: Option<&Self>, is_outdated: bool, newer: Self) -> Self {
        opened.filter(|opened| !is_outdated && opened.etag().is_some()).cloned().unwrap_or(newer)
    }

    /// For `If-Match`; a form that does not say what it was opened on is not compared.
    pub(super) fn etag(&self) -> Option<&str> {
        Some(self.etag.as_str()).filter(|etag| !etag.is_empty())
    }
}

/// What changed since a form was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Meanwhile {
    pub(super) changed: Vec<Changed>,
    taken: BTreeMap<&'static str, String>,
}

/// A field that somebody else changed.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) label: &'static str,
    pub(super) was: String,
    pub(super) now: String,
    /// Whether the form shows their word now: whoever wrote has not touched it.
    pub(super) taken: bool,
}

impl Meanwhile {
    /// Compares what stood in a form with what is stored `now`. `typed` gives what stands in a field that can be written.
    pub(super) fn new(opened: &Version, now: Vec<Field>, typed: impl Fn(&str) -> Option<String>) -> Self {
        let was: BTreeMap<String, String> = serde_json::from_str(&opened.was).unwrap_or_default();
        let mut found = Self::default();
        for Field { name, label, value } in now {
            let was = was.get(name).cloned().unwrap_or_default();
            if was == value {
                continue;
            }
            let taken = typed(name).is_none_or(|typed| typed == was || typed == value);
            found.changed.push(Changed { label, was: cut(&was), now: cut(&value), taken });
            if taken {
                found.taken.insert(name, value);
            }
        }
        found
    }

    /// Their word, where it is shown now.
    pub(super) fn taken(&self, name: &str) -> Option<&str> {
        self.taken.get(name).map(String::as_str)
    }

    /// Puts their word into a field, where whoever wrote has not touched it.
    pub(super) fn fill(&self, name: &str, typed: &mut String) {
        if let Some(theirs) = self.taken(name) {
            theirs.clone_into(typed);
        }
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(title: &str, body: &str) -> Vec<Field> {
        vec![Field::new("title", "Title", title), Field::new("body", "Text", body), Field::new("entry", "Newest entry", title)]
    }

    #[test]
    fn what_only_the_other_changed_is_taken_over_and_what_both_changed_is_kept() {
        let opened = Version::new("\"a\"", &fields("old", "same"));
        let typed = |title: &str| {
            let title = title.to_owned();
            move |name: &str| match name {
                "title" => Some(title.clone()),
                "body" => Some("mine".to_owned()),
                _ => None,
            }
        };
        let untouched = Meanwhile::new(&opened, fields("theirs", "same"), typed("old"));
        assert_eq!(
            untouched.changed.iter().map(|each| (each.label, each.taken)).collect::<Vec<_>>(),
            [("Title", true), ("Newest entry", true)]
        );
        let mut title = "old".to_owned();
        untouched.fill("title", &mut title);
        assert_eq!(title, "theirs");
        let both = Meanwhile::new(&opened, fields("theirs", "same"), typed("mine"));
        assert!(!both.changed[0].taken && both.taken("title").is_none());
        let mut title = "mine".to_owned();
        both.fill("title", &mut title);
        assert_eq!(title, "mine");
    }

    #[test]
    fn a_version_that_makes_no_sense_compares_with_nothing() {
        let odd = Version { etag: String::new(), was: "[".to_owned() };
        assert_eq!((odd.etag(), Meanwhile::new(&odd, fields("a", ""), |_| None).changed.len()), (None, 2));
    }

    #[test]
    fn a_form_that_is_shown_again_keeps_what_it_was_opened_on_until_it_shows_what_is_newer() {
        let (opened, newer) = (Version::new("old", &[]), Version::new("new", &[]));
        let etag = |opened, is_outdated| Version::again(opened, is_outdated, newer.clone()).etag;
        assert_eq!([etag(Some(&opened), false), etag(Some(&opened), true), etag(None, false)], ["old", "new", "new"]);
        assert_eq!(etag(Some(&Version::default()), false), "new");
    }

    #[test]
    fn long_texts_are_cut() {
        let opened = Version::new("", &fields("", &"é".repeat(MAX_SHOWN_CHARS)));
        let now = fields("", &"é".repeat(MAX_SHOWN_CHARS + 1));
        let told = Meanwhile::new(&opened, now, |_| None);
        assert_eq!((told.changed[0].was.chars().count(), told.changed[0].now.chars().count()), (MAX_SHOWN_CHARS, MAX_SHOWN_CHARS + 1));
    }
}
