//! `/console/incidents`: every incident, by where it stands, what it is about, and what it is called.

use askama::Template;
use domain::{Component, ComponentId, Incident, Permission, Resource};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::{
    Connection, StorageError,
    rows::{self, IncidentFilter, Incidents, Standing},
};

use super::{
    Console,
    chosen::{self, Bar},
    failure::Failure,
    frame::{Frame, show},
    gate::{Needs, Table},
    incidents::{Line, MAX_OPEN, Names, PATH},
    pager::{self, Pager},
    seen::{Asked, Typed},
    session::Person,
};

pub(super) fn routes(table: Table) -> Table {
    table.get(PATH, Needs::read(Resource::Incidents), list)
}

/// Where incidents stand, as the address and the filter name it.
const STANDINGS: [(&str, &str, Standing); 3] =
    [("draft", "Drafts", Standing::Draft), ("open", "Open", Standing::Open), ("past", "Past", Standing::Past)];

/// Incidents under a heading.
struct Section {
    heading: &'static str,
    hint: &'static str,
    /// What is said where there are none.
    none: &'static str,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "console/incidents.html")]
struct List<'a> {
    frame: &'a Frame,
    may_write: bool,
    typed: &'a Typed,
    components: &'a [Component],
    sections: Vec<Section>,
    pager: Pager,
    bar: Bar,
}

impl List<'_> {
    fn standings(&self) -> [(&'static str, &'static str); 3] {
        STANDINGS.map(|(name, words, _)| (name, words))
    }

    fn is_about(&self, component: &Component) -> bool {
        self.typed.number("component") == Some(component.id.0)
    }

    /// Whether any of what is shown can be chosen.
    fn has_drafts(&self) -> bool {
        self.sections.iter().flat_map(|section| &section.lines).any(|line| line.is_draft)
    }

    fn is_narrow(&self) -> bool {
        ["state", "component", "title"].iter().any(|field| self.typed.given(field).is_some())
    }
}

#[handler]
async fn list(person: Person, frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let typed = Typed::from(asked);
    let mut conn = console.db.read().await?;
    let components = rows::components(&mut conn).await?;
    let standing = STANDINGS.iter().find(|(name, _, _)| typed.is("state", name)).map(|(_, _, standing)| *standing);
    let component = typed.number("component").map(ComponentId);
    let filter = IncidentFilter { standing, component, title: typed.given("title").map(str::to_owned) };
    let is_narrow = filter != IncidentFilter::default();
    // What is not over stands in full above the first page of what is.
    let read = if is_narrow { filter } else { IncidentFilter { standing: Some(Standing::Past), ..filter } };
    let mut page = rows::incidents_that(&mut conn, &read, pager::before(&typed)?, pager::N_WANTED).await?;
    let next = pager::cut(&mut page, |incident| incident.id.0);
    let names: Names = components.iter().map(|component| (component.id, component.name.clone())).collect();
    let lines = |incidents: Vec<Incident>| incidents.into_iter().map(|incident| Line::new(incident, &names, console)).collect();
    let mut sections = Vec::new();
    if is_narrow {
        sections.push(Section { heading: "Found", hint: "", none: "Nothing fits. Take a condition away to see more.", lines: lines(page) });
    } else {
        if typed.given("cursor").is_none() {
            sections.extend(current(&mut conn, lines).await?);
        }
        sections.push(Section { heading: "Past", hint: "", none: "Nothing yet. What is resolved is kept here.", lines: lines(page) });
    }
    let fields = ["state", "component", "title"].map(|field| (field, typed.text(field)));
    let shown = List {
        frame: &frame,
        may_write: person.may(Permission::write(Resource::Incidents)),
        pager: Pager::new(PATH, &fields, &typed, &next),
        bar: Bar::new(&person, &[&chosen::DISCARD], &fields, &typed),
        typed: &typed,
        components: &components,
        sections,
    };
    Ok(show(StatusCode::OK, &shown))
}

/// What is not over: drafts, if there are any, and what is open.
async fn current(conn: &mut Connection, lines: impl Fn(Vec<Incident>) -> Vec<Line>) -> Result<Vec<Section>, StorageError> {
    let all = rows::incidents(conn, Incidents::Open(MAX_OPEN)).await?;
    let (open, drafts): (Vec<Incident>, Vec<Incident>) = all.into_iter().partition(|incident| incident.published);
    let drafts =
        (!drafts.is_empty()).then(|| Section { heading: "Drafts", hint: "Only the team sees them.", none: "", lines: lines(drafts) });
    let open = Section { heading: "Open", hint: "", none: "No incident is open.", lines: lines(open) };
    Ok(drafts.into_iter().chain([open]).collect())
}
