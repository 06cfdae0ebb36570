//! `/console/components`: what the page shows, by heading, and in which order.

use askama::Template;
use domain::{Component, Group, Permission, Resource};
use poem::{Response, handler, http::StatusCode, web::Data};
use storage::rows;

use super::{
    Console,
    chosen::{self, Bar},
    components::PATH,
    failure::Failure,
    form::Errors,
    frame::{Frame, show},
    gate::{Needs, Table},
    groups::Restorable,
    order::{self, Move, Way},
    seen::{Asked, Typed},
    session::Person,
};

/// What is done with components that are chosen.
const ACTS: [&chosen::Words; 5] = [&chosen::OVERRULE, &chosen::GIVE_BACK, &chosen::MOVE, &chosen::HIDE, &chosen::SHOW];

pub(super) fn routes(table: Table) -> Table {
    table.get(PATH, Needs::read(Resource::Components), list)
}

/// In which orders they can be listed besides that of the page: how the address and the people call them.
const ORDERS: [(&str, &str); 3] = [("", "as on the page"), ("name", "by name"), ("-status_since", "what changed last")];

/// A heading with what stands below it.
struct Section {
    group: Option<Group>,
    rows: Vec<Row>,
    /// Before which group it goes one up and one down; `None` where it is the first or the last.
    up: Option<String>,
    down: Option<String>,
}

impl Section {
    /// The id of its group, as forms have it.
    fn id(&self) -> String {
        self.group.as_ref().map_or_else(String::new, |group| group.id.to_string())
    }
}

/// A component, and before which of its neighbours it goes one up and one down.
struct Row {
    component: Component,
    up: Option<String>,
    down: Option<String>,
    /// The button that was pressed to bring it here, if it was just moved: it is under the finger again.
    pressed: Option<Way>,
}

impl Row {
    /// Whether the button that goes up has the focus: it was pressed, or the other one was and leads no further.
    fn is_up_focused(&self) -> bool {
        self.pressed == Some(Way::Up) || (self.pressed == Some(Way::Down) && self.down.is_none())
    }

    fn is_down_focused(&self) -> bool {
        self.pressed == Some(Way::Down) || (self.pressed == Some(Way::Up) && self.up.is_none())
    }
}

/// What was just done, and how to undo it.
#[derive(Default)]
pub(super) struct JustDone {
    moved: Option<(String, Move)>,
    restorable: Option<Restorable>,
}

#[derive(Template)]
#[template(path = "console/components.html")]
struct List<'a> {
    frame: &'a Frame,
    may_write: bool,
    may_group: bool,
    sections: Vec<Section>,
    /// The order of the list, if it is not that of the page.
    sort: &'a str,
    bar: Bar,
    just_done: JustDone,
    /// The name of the group to be made or renamed, as it was typed, and of which it is.
    name: &'a str,
    renamed: Option<i64>,
    errors: &'a Errors,
}

impl List<'_> {
    fn orders(&self) -> [(&'static str, &'static str); 3] {
        ORDERS
    }

    fn is_in_order(&self, sort: &str) -> bool {
        self.sort == sort
    }

    /// Whether components are where they are on the page, and can be put elsewhere.
    fn is_in_place(&self) -> bool {
        self.sort.is_empty()
    }

    /// What is typed into the form that renames a group.
    fn name_of<'b>(&'b self, group: &'b Group) -> &'b str {
        if self.is_renamed(group) { self.name } else { &group.name }
    }

    fn is_renamed(&self, group: &Group) -> bool {
        self.renamed == Some(group.id.0)
    }

    fn new_name(&self) -> &str {
        if self.renamed.is_some() { "" } else { self.name }
    }

    fn error_of_new(&self) -> Option<&str> {
        self.errors.of("name").filter(|_| self.renamed.is_none())
    }
}

/// The list, with what was typed as the name of a group and what is wrong with it.
pub(super) async fn page(
    console: &Console,
    person: &Person,
    frame: &Frame,
    asked: &Typed,
    (name, renamed, errors): (&str, Option<i64>, &Errors),
) -> Result<Response, Failure> {
    let mut conn = console.db.read().await?;
    let (groups, all) = (rows::groups(&mut conn).await?, rows::components(&mut conn).await?);
    let may = |resource| person.may(Permission::write(resource));
    let sort = ORDERS.iter().map(|(sort, _)| *sort).find(|sort| *sort == asked.text("sort")).unwrap_or_default();
    let moved = asked.text("moved").parse::<Move>().ok();
    let named = |id| all.iter().find(|component| component.id == id).map(|component| component.name.clone());
    let restorable = match asked.number("deleted").filter(|_| may(Resource::Groups)) {
        Some(entry) => Restorable::find(&mut conn, entry).await?,
        None => None,
    };
    let just_done = JustDone { moved: moved.and_then(|back| Some((named(back.component)?, back))), restorable };
    let pressed = moved.zip(asked.text("way").parse().ok());
    let shown = List {
        frame,
        may_write: may(Resource::Components),
        may_group: may(Resource::Groups),
        sections: if sort.is_empty() { sections(groups, all, pressed) } else { sorted(all, sort) },
        sort,
        bar: Bar::new(person, &ACTS, &[("sort", sort)], asked),
        just_done,
        name,
        renamed,
        errors,
    };
    Ok(show(if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &shown))
}

/// All of them under one heading.
fn sorted(mut all: Vec<Component>, sort: &str) -> Vec<Section> {
    if sort == "name" {
        all.sort_by_key(|component| component.name.to_lowercase());
    } else {
        all.sort_by_key(|component| std::cmp::Reverse(component.status_since));
    }
    let row = |component| Row { component, up: None, down: None, pressed: None };
    let rows: Vec<Row> = all.into_iter().map(row).collect();
    if rows.is_empty() { Vec::new() } else { vec![Section { group: None, rows, up: None, down: None }] }
}

fn sections(groups: Vec<Group>, all: Vec<Component>, pressed: Option<(Move, Way)>) -> Vec<Section> {
    let rows = |id| {
        let of: Vec<&Component> = all.iter().filter(|component| component.group == id).collect();
        let row = |(i, component): (usize, &&Component)| Row {
            up: order::one_up(&of, i, |other| other.id.to_string()),
            down: order::one_down(&of, i, |other| other.id.to_string()),
            pressed: pressed.filter(|(back, _)| back.component == component.id).map(|(_, way)| way),
            component: (*component).clone(),
        };
        of.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let headed = groups.iter().enumerate().map(|(i, group)| Section {
        rows: rows(Some(group.id)),
        up: order::one_up(&groups, i, |other| other.id.to_string()),
        down: order::one_down(&groups, i, |other| other.id.to_string()),
        group: Some(group.clone()),
    });
    let loose = Section { group: None, rows: rows(None), up: None, down: None };
    headed.chain([loose]).filter(|section| section.group.is_some() || !section.rows.is_empty()).collect()
}

#[handler]
async fn list(person: Person, frame: Frame, asked: Asked, Data(console): Data<&Console>) -> Result<Response, Failure> {
    page(console, &person, &frame, &Typed::from(asked), ("", None, &Errors::default())).await
}
