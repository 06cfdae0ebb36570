//! Answers that come in pages: how a further page is asked for, and how all of them become one answer in the provider's own shape.
//!
//! The request of a page is made here, from the first one and a number. Sources also say where their next page is; that text is looked at for
//! whether there is one and for nothing else, so no answer chooses where our secrets go.

use domain::MAX_SIGNALS;
use serde_json::{Map, Value};

use crate::{
    ParseError, document,
    poll::{MAX_ANSWER_BYTES, Request},
};

/// The most pages read of one answer.
pub const MAX_PAGES: usize = 20;
/// The most things read of one answer, which leaves room for the signal that ends what is not named.
pub const MAX_THINGS: usize = MAX_SIGNALS - 1;

/// How an answer that comes in pages is read.
pub struct Pages {
    /// The parameter that chooses a page, and its value for the page of this number; the first is 0.
    pub turn: fn(usize) -> (&'static str, usize),
    /// The fields that hold a list of which each page has a part, the things themselves first; none if a page is nothing but its list.
    pub lists: &'static [&'static str],
    /// Where a page says how many things there are, if it says so: a list that gets longer or shorter while it is read may lose a thing between
    /// two pages.
    pub total: Option<&'static str>,
    /// Whether there is more than what has been read. Of the page read last this gets everything but its lists.
    pub more: fn(&Value, Extent) -> Result<bool, ParseError>,
}

/// How much of an answer has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Things in all pages together.
    pub n_things: usize,
    /// Pages.
    pub n_pages: usize,
}

/// The pages of one answer, as they come in.
pub struct Joined<'a> {
    pages: &'a Pages,
    /// What the last page says beside its lists.
    frame: Value,
    lists: Vec<Vec<Value>>,
    read: Extent,
    n_bytes: usize,
    more: bool,
}

impl<'a> Joined<'a> {
    /// Begins with the first page.
    ///
    /// # Errors
    /// It is none.
    pub fn begin(pages: &'a Pages, body: &[u8]) -> Result<Self, ParseError> {
        let (frame, lists) = pages.split(document::read(body)?)?;
        let read = Extent { n_things: lists[0].len(), n_pages: 1 };
        let more = (pages.more)(&frame, read)?;
        Ok(Self { pages, frame, lists, read, n_bytes: body.len(), more })
    }

    /// What to ask for next: nothing once all has been read, or as much as is read at most.
    #[must_use]
    pub fn next(&self, first: &Request) -> Option<Request> {
        let (name, value) = (self.pages.turn)(self.read.n_pages);
        let has_room = self.read.n_pages < MAX_PAGES && self.read.n_things < MAX_THINGS && self.room() > 0;
        (self.more && has_room).then(|| first.clone().parameter(name, value))
    }

    /// How many bytes the next page may have.
    #[must_use]
    pub fn room(&self) -> usize {
        MAX_ANSWER_BYTES.saturating_sub(self.n_bytes)
    }

    /// How many pages have been read.
    #[must_use]
    pub fn n_pages(&self) -> usize {
        self.read.n_pages
    }

    /// Adds the next page; tells whether it found room.
    ///
    /// # Errors
    /// It is no page of the same list as those before.
    pub fn add(&mut self, body: &[u8]) -> Result<bool, ParseError> {
        if body.len() > self.room() {
            return Ok(false); // Whoever asked has read no more of it than that.
        }
        let (frame, lists) = self.pages.split(document::read(body)?)?;
        let things = &lists[0];
        if !things.is_empty() && self.lists[0].ends_with(things) {
            let name = self.pages.lists.first().copied().unwrap_or("page");
            return Err(ParseError::field(name, "is that of the page before: the source does not turn its pages"));
        }
        if let Some(total) = self.pages.total.filter(|total| frame.pointer(total) != self.frame.pointer(total)) {
            return Err(ParseError::field(total.trim_start_matches('/').replace('/', "."), "has changed while the pages were read"));
        }
        if self.read.n_things + things.len() > MAX_THINGS {
            return Ok(false);
        }
        let read = Extent { n_things: self.read.n_things + things.len(), n_pages: self.read.n_pages + 1 };
        self.more = (self.pages.more)(&frame, read)?;
        (self.frame, self.read, self.n_bytes) = (frame, read, self.n_bytes + body.len());
        self.lists.iter_mut().zip(lists).for_each(|(all, further)| all.extend(further));
        Ok(true)
    }

    /// All pages as one: the last with the lists of all.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        let Self { pages, mut frame, lists, .. } = self;
        let mut lists = lists.into_iter().map(Value::Array);
        match &mut frame {
            Value::Object(fields) => fields.extend(pages.lists.iter().map(|name| (*name).to_owned()).zip(lists)),
            frame => *frame = lists.next().unwrap_or_default(),
        }
        frame.to_string().into_bytes()
    }
}

impl Pages {
    /// What a page says beside its lists, and these.
    fn split(&self, page: Value) -> Result<(Value, Vec<Vec<Value>>), ParseError> {
        match page {
            Value::Array(things) if self.lists.is_empty() => Ok((Value::Null, vec![things])),
            Value::Object(mut fields) if !self.lists.is_empty() => {
                let lists = self.lists.iter().enumerate().map(|(index, name)| take(&mut fields, name, index == 0));
                let lists = lists.collect::<Result<_, _>>()?;
                Ok((Value::Object(fields), lists))
            }
            _ if self.lists.is_empty() => Err(ParseError::Json("it is not a list".to_owned())),
            _ => Err(ParseError::Json("it is not an object".to_owned())),
        }
    }
}

fn take(fields: &mut Map<String, Value>, name: &str, required: bool) -> Result<Vec<Value>, ParseError> {
    match fields.remove(name) {
        Some(Value::Array(items)) => Ok(items),
        None | Some(Value::Null) if required => Err(ParseError::missing(name)),
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(_) => Err(ParseError::field(name, "is not a list")),
    }
}
