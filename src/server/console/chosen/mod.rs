//! `/console/…/chosen/…`: what is done with several rows of a list at once.
//!
//! The list carries the ids of the rows that were ticked to a page that says what the act would touch, and what it leaves out. The button
//! there does it, by one operation of the admin API: to all of them or to none.

mod bar;
mod components;
mod deliveries;
mod incidents;
mod notifications;
mod subscribers;

use std::marker::PhantomData;

use askama::Template;
use domain::Permission;
use poem::{
    Endpoint, FromRequest, Request, RequestBody, Response, Result,
    http::StatusCode,
    web::{Data, Form, Query},
};

use storage::StorageError;

use super::{
    Console,
    acts::{Acts, sentence},
    failure::Failure,
    frame::{Frame, see_other, show},
    gate::{Needs, Table, local_path},
    seen::{Typed, address},
};
use crate::admin::{MAX_AT_ONCE, Refused};

pub(super) use self::{
    bar::Bar,
    components::{GIVE_BACK, HIDE, MOVE, OVERRULE, SHOW},
    deliveries::REPLAY,
    incidents::DISCARD,
    notifications::RESEND,
    subscribers::{DELETE, ENABLE},
};

pub(super) fn routes(mut table: Table) -> Table {
    table = add(table, deliveries::Replay);
    table = add(table, notifications::Resend);
    table = add(table, incidents::Discard);
    table = add(table, subscribers::Enable);
    table = add(table, subscribers::Delete);
    table = add(table, components::Overrule);
    table = add(table, components::GiveBack);
    table = add(table, components::Move);
    table = add(table, components::Hide);
    add(table, components::Show)
}

/// The page that asks, and the act itself.
fn add<D: Deed>(table: Table, _: D) -> Table {
    let needs = Needs::may(D::WORDS.permission);
    let needs = if D::IS_FRESH { needs.fresh() } else { needs };
    table.get(D::WORDS.path, needs, Ask::<D>(PhantomData)).post(D::WORDS.path, needs, Do::<D>(PhantomData))
}

/// How an act is called, and what is said of it.
#[derive(Debug)]
pub(super) struct Words {
    /// The list that it belongs to.
    list: &'static str,
    /// What that is called.
    area: &'static str,
    /// Where it is asked for and done: its name below `<list>/chosen/`.
    pub(super) path: &'static str,
    /// On its button in the list.
    pub(super) button: &'static str,
    /// `Delete` 3 subscribers.
    verb: &'static str,
    /// Look at 3 deliveries `again`.
    tail: &'static str,
    /// What there is one of, and several.
    one: &'static str,
    many: &'static str,
    /// What it means for whom.
    meaning: &'static str,
    /// What has become of them: 3 subscribers `deleted`.
    done: &'static str,
    /// Whether something is lost by it.
    pub(super) is_danger: bool,
    permission: Permission,
}

impl Words {
    /// Its name in addresses.
    fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn counted(&self, n: usize) -> String {
        format!("{n} {}", if n == 1 { self.one } else { self.many })
    }

    /// As a demand: `Delete 3 subscribers`.
    fn demand(&self, n: usize) -> String {
        format!("{} {}{}", self.verb, self.counted(n), self.tail)
    }

    /// As a report: `3 subscribers deleted.`
    fn report(&self, n: usize) -> String {
        format!("{} {}.", self.counted(n), self.done)
    }
}

/// A row that was chosen.
struct Row {
    id: i64,
    name: String,
    detail: String,
    /// Why the act leaves it out.
    unfit: Option<&'static str>,
}

impl Row {
    /// One that is not there any more.
    fn gone(id: i64) -> Self {
        Self { id, name: format!("Number {id}"), detail: String::new(), unfit: Some("it is gone") }
    }
}

/// What is to be said besides, before it is done.
enum Beside {
    Nothing,
    /// A status, and until when.
    Word,
    /// A group: its key and name.
    Group(Vec<(String, String)>),
}

/// What was done: to how many, and where that is seen, if that is not the list.
struct Outcome {
    n: usize,
    to: Option<String>,
}

/// Why it was not done.
enum Undone {
    /// The operation would not.
    Refused(Refused),
    Failure(Failure),
}

impl From<Refused> for Undone {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<StorageError> for Undone {
    fn from(error: StorageError) -> Self {
        Self::Failure(error.into())
    }
}

/// An act on chosen rows.
trait Deed: Send + Sync + 'static {
    const WORDS: &'static Words;
    /// Whether whoever does it must have proved lately who they are.
    const IS_FRESH: bool = false;

    /// What was chosen, and what of it the act leaves out.
    fn look(console: &Console, ids: &[i64]) -> impl Future<Output = Result<Vec<Row>, Failure>> + Send;

    /// What is to be said besides.
    fn beside(_: &Console) -> impl Future<Output = Result<Beside, Failure>> + Send {
        async { Ok(Beside::Nothing) }
    }

    /// Does it, by one operation.
    fn act(console: &Console, acts: &Acts, ids: &[i64], typed: &Typed) -> impl Future<Output = Result<Outcome, Undone>> + Send;
}

/// Who asks, and where.
struct Desk {
    console: Console,
    acts: Acts,
    frame: Frame,
}

impl<'a> FromRequest<'a> for Desk {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let Data(console) = Data::<&Console>::from_request(request, body).await?;
        let (acts, frame) = (Acts::from_request(request, body).await?, Frame::from_request(request, body).await?);
        Ok(Self { console: console.clone(), acts, frame })
    }
}

/// The ids of the rows that were ticked, each once.
fn ids(typed: &Typed) -> Result<Vec<i64>, Failure> {
    let malformed = |text: &str| Failure::Malformed(text.to_owned());
    let mut ids: Vec<i64> = Vec::new();
    for text in typed.all("id") {
        let id = text.parse().map_err(|_| malformed("This address names no rows of the list."))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > MAX_AT_ONCE {
            return Err(Failure::Malformed(format!("At most {MAX_AT_ONCE} rows can be chosen at once. Go back and choose fewer.")));
        }
    }
    if ids.is_empty() { Err(malformed("No row is chosen. Go back and tick at least one.")) } else { Ok(ids) }
}

/// The list that it was asked from, with what narrows it.
fn back(typed: &Typed, words: &Words) -> String {
    let given = local_path(typed.text("back")).filter(|path| path.split('?').next() == Some(words.list));
    given.unwrap_or(words.list).to_owned()
}

#[derive(Template)]
#[template(path = "console/chosen.html")]
struct Page<'a> {
    frame: &'a Frame,
    words: &'a Words,
    back: String,
    fit: Vec<&'a Row>,
    unfit: Vec<&'a Row>,
    beside: Beside,
    typed: &'a Typed,
    refused: Option<&'a Refused>,
}

impl Page<'_> {
    fn demand(&self) -> String {
        self.words.demand(self.fit.len())
    }

    /// What is wrong with a field, be it that of each row.
    fn wrong(&self, field: &str) -> Option<String> {
        let of_row = format!("].{field}");
        let mut fields = self.refused?.fields.iter();
        fields.find(|(name, _)| name == field || name.ends_with(&of_row)).map(|(_, message)| sentence(message))
    }

    /// What is wrong besides.
    fn wrong_at_all(&self) -> Option<String> {
        let refused = self.refused?;
        if refused.field("ids").is_some() || self.wrong("id").is_some() {
            return Some("The list has changed meanwhile, and nothing was done. This is what is left of it.".to_owned());
        }
        let is_shown = |name: &str| ["status", "until", "group"].iter().any(|field| self.wrong(field).is_some() && name.ends_with(field));
        (!refused.fields.iter().any(|(name, _)| is_shown(name))).then(|| sentence(&refused.in_words()))
    }
}

async fn page<D: Deed>(desk: &Desk, typed: &Typed, ids: &[i64], refused: Option<&Refused>) -> Result<Response, Failure> {
    let rows = D::look(&desk.console, ids).await?;
    let (unfit, fit): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.unfit.is_some());
    let page = Page {
        frame: &desk.frame,
        words: D::WORDS,
        back: back(typed, D::WORDS),
        fit,
        unfit,
        beside: D::beside(&desk.console).await?,
        typed,
        refused,
    };
    Ok(show(refused.map_or(StatusCode::OK, |refused| refused.status), &page))
}

/// Says what an act would touch.
struct Ask<D>(PhantomData<D>);

impl<D: Deed> Endpoint for Ask<D> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        let desk = Desk::from_request(&request, &mut body).await?;
        let typed = Typed::from(Query::<Vec<(String, String)>>::from_request(&request, &mut body).await?);
        let ids = ids(&typed)?;
        Ok(page::<D>(&desk, &typed, &ids, None).await?)
    }
}

/// Does it.
struct Do<D>(PhantomData<D>);

impl<D: Deed> Endpoint for Do<D> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        let desk = Desk::from_request(&request, &mut body).await?;
        let typed = Typed::from(Form::<Vec<(String, String)>>::from_request(&request, &mut body).await?);
        let ids = ids(&typed)?;
        match D::act(&desk.console, &desk.acts, &ids, &typed).await {
            Ok(Outcome { to: Some(to), .. }) => Ok(see_other(&to)),
            Ok(Outcome { n, to: None }) => Ok(see_other(&bar::done(&back(&typed, D::WORDS), D::WORDS, n))),
            Err(Undone::Refused(refused)) if refused.status.is_client_error() && refused.status != StatusCode::FORBIDDEN => {
                Ok(page::<D>(&desk, &typed, &ids, Some(&refused)).await?)
            }
            Err(Undone::Refused(refused)) => Err(Failure::from(refused).into()),
            Err(Undone::Failure(failure)) => Err(failure.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_once_and_not_too_many() {
        let typed = |ids: std::ops::Range<usize>| {
            let mut typed = Typed::default();
            ids.for_each(|id| typed.add("id", id.to_string()));
            typed
        };
        let mut most = typed(0..MAX_AT_ONCE);
        most.add("id", "7");
        assert_eq!(ids(&most).unwrap().len(), MAX_AT_ONCE, "twice is once");
        assert!(ids(&typed(0..MAX_AT_ONCE + 1)).unwrap_err().to_string().contains("200 rows"));
        assert!(ids(&Typed::default()).unwrap_err().to_string().contains("No row"));
        most.add("id", "x");
        assert!(ids(&most).is_err());
    }

    #[test]
    fn the_way_back_leads_to_the_list_and_nowhere_else() {
        let back_to = |text: &str| {
            let mut typed = Typed::default();
            typed.add("back", text);
            back(&typed, subscribers::Delete::WORDS)
        };
        assert_eq!(back_to("/console/subscribers?channel=email&cursor=1-7"), "/console/subscribers?channel=email&cursor=1-7");
        for odd in ["", "/console/team", "//evil.example", "https://evil.example", "/console/subscribers/7", "/console/subscribers\\x"] {
            assert_eq!(back_to(odd), "/console/subscribers", "{odd}");
        }
    }

    #[test]
    fn one_is_spoken_of_as_one() {
        let words = deliveries::Replay::WORDS;
        assert_eq!((words.demand(1), words.demand(2)), ("Look at 1 delivery again".to_owned(), "Look at 2 deliveries again".to_owned()));
        assert_eq!(subscribers::Delete::WORDS.report(3), "3 subscribers deleted.");
    }
}
