//! The heads of columns by which a list can be ordered. The order stands in the address, beside what narrows the list.

use askama::Template;

use super::seen::{Typed, address};

/// How a list is ordered, and what it is narrowed by.
pub(super) struct Columns<'a> {
    path: &'static str,
    filters: Vec<(&'a str, &'a str)>,
    sort: &'a str,
    usual: &'static str,
}

impl<'a> Columns<'a> {
    /// `usual` is the order of an address that names none.
    pub(super) fn new(path: &'static str, filters: &[(&'a str, &'a str)], asked: &'a Typed, usual: &'static str) -> Self {
        let filters = filters.iter().copied().filter(|(name, _)| *name != "sort").collect();
        Self { path, filters, sort: asked.text("sort"), usual }
    }

    /// The order that the address names, for forms to keep; empty for the usual one.
    pub(super) fn kept(&self) -> &str {
        self.sort
    }

    /// The head of a column: a link to the list in its order, or the other way round if it is ordered so.
    pub(super) fn head(&self, key: &str, words: &'static str) -> Head {
        let sort = if self.sort.is_empty() { self.usual } else { self.sort };
        let order = if sort == key { Some("ascending") } else { sort.strip_prefix('-').filter(|name| *name == key).map(|_| "descending") };
        let next = if order == Some("ascending") { format!("-{key}") } else { key.to_owned() };
        Head { words, href: address(self.path, &[&self.filters[..], &[("sort", &next)]].concat()), order }
    }
}

/// The head of one column. Templates show it with `|safe`.
#[derive(Template)]
#[template(path = "console/column.html")]
pub(super) struct Head {
    words: &'static str,
    href: String,
    /// How the list is ordered by it, if it is.
    order: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_leads_to_its_order_and_then_to_the_other_way_round_and_keeps_what_narrows_the_list() {
        let head = |sort: &str, key: &str| {
            let mut asked = Typed::default();
            asked.add("sort", sort);
            let filters = [("state", "dead"), ("sort", sort)];
            let Head { href, order, .. } = Columns::new("/x", &filters, &asked, "-id").head(key, "Made");
            (href, order)
        };
        assert_eq!(head("", "id"), ("/x?state=dead&sort=id".to_owned(), Some("descending")));
        assert_eq!(head("id", "id"), ("/x?state=dead&sort=-id".to_owned(), Some("ascending")));
        assert_eq!(head("id", "name"), ("/x?state=dead&sort=name".to_owned(), None));
        assert_eq!(head("-name", "name"), ("/x?state=dead&sort=name".to_owned(), Some("descending")));
    }
}
