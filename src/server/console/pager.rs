//! Lists in pages: where the next page is, and the way back through those that were seen.

use super::{
    failure::Failure,
    seen::{Typed, address},
};

/// Entries on one page of a list that is read from the database right here.
pub(super) const PER_PAGE: usize = 50;
/// One more tells whether there is a next page.
pub(super) const N_WANTED: i64 = PER_PAGE as i64 + 1;

/// The most pages that the way back remembers, so that addresses stay short; from farther away it leads to the first page.
const MAX_BACK: usize = 40;

/// Where the pages beside one of a list are. Templates include `console/pager.html`, which takes it as `pager`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pager {
    /// Where there is more than one page before this one.
    pub(super) first: Option<String>,
    pub(super) back: Option<String>,
    pub(super) next: Option<String>,
}

impl Pager {
    /// `filters` are kept from page to page; `asked` has the `cursor` of the page that is shown and the way `back` from it; `next` is the
    /// cursor of what follows, empty on the last page.
    pub(super) fn new(path: &str, filters: &[(&str, &str)], asked: &Typed, next: &str) -> Self {
        let cursor = asked.text("cursor");
        let passed: Vec<&str> = asked.text("back").split('.').filter(|cursor| !cursor.is_empty()).collect();
        let page = |cursor: &str, passed: &[&str]| {
            let way = passed[passed.len().saturating_sub(MAX_BACK)..].join(".");
            address(path, &[filters, &[("cursor", cursor), ("back", &way)]].concat())
        };
        let is_first = cursor.is_empty();
        let back = passed.split_last().map_or_else(|| page("", &[]), |(last, before)| page(last, before));
        let onwards = if is_first { Vec::new() } else { [&passed[..], &[cursor]].concat() };
        Self {
            first: (!is_first && !passed.is_empty()).then(|| page("", &[])),
            back: (!is_first).then_some(back),
            next: (!next.is_empty()).then(|| page(next, &onwards)),
        }
    }

    /// Whether this is the only page.
    pub(super) const fn is_all(&self) -> bool {
        self.back.is_none() && self.next.is_none()
    }
}

/// Below which id the page that is asked for begins, in a list that is newest first.
pub(super) fn before(asked: &Typed) -> Result<i64, Failure> {
    let wrong = || Failure::Malformed("This address leads to no page of the list: the cursor is not one of ours.".to_owned());
    asked.given("cursor").map_or(Ok(i64::MAX), |cursor| cursor.parse().map_err(|_| wrong()))
}

/// Cuts what was read to one page, and gives the cursor of what follows: empty on the last page.
pub(super) fn cut<T>(rows: &mut Vec<T>, id: impl Fn(&T) -> i64) -> String {
    let has_more = rows.len() > PER_PAGE;
    rows.truncate(PER_PAGE);
    rows.last().filter(|_| has_more).map_or_else(String::new, |last| id(last).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str) -> Typed {
        let mut typed = Typed::default();
        let (_, query) = address.split_once('?').unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            typed.add(&name, value);
        }
        typed
    }

    #[test]
    fn the_way_back_leads_through_every_page_that_was_seen_with_the_same_filters() {
        let filters = [("state", "dead"), ("address", "")];
        let pager = |at: &str, next: &str| Pager::new("/x", &filters, &asked(at), next);
        let one = pager("/x?state=dead", "1-90");
        assert!(one.first.is_none() && one.back.is_none() && !one.is_all());
        let two = pager(&one.next.unwrap(), "1-80");
        assert_eq!((two.first, two.back.as_deref()), (None, Some("/x?state=dead")));
        let three = pager(&two.next.unwrap(), "");
        assert_eq!(three.first.as_deref(), Some("/x?state=dead"));
        assert_eq!((three.back.as_deref(), three.next), (Some("/x?state=dead&cursor=1-90"), None));
        assert!(pager("/x?state=dead", "").is_all());
    }

    #[test]
    fn a_page_is_cut_where_it_is_full() {
        let rows = |n: i64| (0..n).rev().collect::<Vec<i64>>();
        for (n, kept, next) in [(0, 0, ""), (50, 50, ""), (51, 50, "1")] {
            let mut all = rows(n);
            assert_eq!(cut(&mut all, |id| *id), next);
            assert_eq!(all.len(), kept);
        }
        assert!(before(&asked("/x?cursor=12")).is_ok_and(|id| id == 12) && before(&asked("/x?cursor=one")).is_err());
    }

    #[test]
    fn an_address_stays_short_however_far_one_goes() {
        let mut at = "/x".to_owned();
        for page in 0..200 {
            at = Pager::new("/x", &[], &asked(&at), &format!("1-{}", 1_000_000 - page)).next.unwrap();
        }
        let (_, way) = at.split_once("back=").unwrap();
        assert_eq!(way.split('.').count(), MAX_BACK);
        assert!(way.ends_with(&format!("1-{}", 1_000_000 - 198)), "{way}");
    }
}
