//! What stands below a list whose rows can be chosen: the acts, each as a button that leads to its page.

use super::{Typed, Words, address};
use crate::console::session::Person;

/// Acts on the rows of one list. Templates include `console/chosen_bar.html`, and in each row `console/chosen_box.html`; both take it as `bar`.
pub(in crate::console) struct Bar {
    /// Those that this person may do.
    pub(in crate::console) acts: Vec<&'static Words>,
    /// The page of the list that is shown.
    pub(in crate::console) here: String,
    /// The same with all of its rows chosen.
    pub(in crate::console) all: String,
    pub(in crate::console) is_all: bool,
    /// What was just done.
    pub(in crate::console) done: Option<String>,
}

impl Bar {
    /// `filters` narrow the list; `asked` also says which page of it is shown.
    pub(in crate::console) fn new(person: &Person, acts: &[&'static Words], filters: &[(&str, &str)], asked: &Typed) -> Self {
        let list = acts.first().map_or("/console/", |words| words.list);
        let place = [filters, &[("cursor", asked.text("cursor")), ("back", asked.text("back"))]].concat();
        let done = acts.iter().find(|words| words.name() == asked.text("did")).zip(asked.number("n"));
        Self {
            acts: acts.iter().copied().filter(|words| person.may(words.permission)).collect(),
            here: address(list, &place),
            all: address(list, &[&place[..], &[("choose", "all")]].concat()),
            is_all: asked.is("choose", "all"),
            done: done.map(|(words, n)| words.report(usize::try_from(n).unwrap_or_default())),
        }
    }

    /// Whether there is anything to choose rows for.
    pub(in crate::console) fn is_of_use(&self) -> bool {
        !self.acts.is_empty()
    }
}

/// Where somebody is led who has done it.
pub(super) fn done(back: &str, words: &Words, n: usize) -> String {
    let joint = if back.contains('?') { '&' } else { '?' };
    format!("{back}{joint}did={}&n={n}", words.name())
}
