//! `/console/components/order`: where a component stands, by buttons, by keyboard and by drag.

use domain::{Component, ComponentId, GroupId, Resource};
use poem::{Response, handler, web::Data};
use serde_json::json;
use storage::{
    components::{self, ComponentEdit},
    ledger, rows,
};

use super::{
    Console,
    components::{Done, GONE, PATH},
    failure::Failure,
    form::Sent,
    frame::see_other,
    gate::{Needs, Table},
    seen::address,
    session::Person,
};

pub(super) fn routes(table: Table) -> Table {
    table.post("/console/components/order", Needs::write(Resource::Components), arrange)
}

/// Which way somebody moved something with a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl std::str::FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Up, Self::Down].into_iter().find(|way| way.as_str() == text).ok_or(())
    }
}

/// A component, and where it goes: into this group or none, before this one of it or behind all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) component: ComponentId,
    pub(super) group: Option<GroupId>,
    pub(super) before: Option<ComponentId>,
}

impl Move {
    pub(super) fn group_field(&self) -> String {
        self.group.map(|id| id.to_string()).unwrap_or_default()
    }

    pub(super) fn before_field(&self) -> String {
        self.before.map(|id| id.to_string()).unwrap_or_default()
    }

    /// What a form says: `component`, `group`, and one of `up`, `down` and `before`.
    fn read(sent: &Sent) -> Option<(Self, Option<Way>)> {
        let way = [Way::Up, Way::Down].into_iter().find(|way| sent.has(way.as_str()));
        let before = sent.text(way.map_or("before", Way::as_str));
        let before = if before.is_empty() { None } else { Some(ComponentId(before.parse().ok()?)) };
        let group = sent.text("group");
        let group = if group.is_empty() { None } else { Some(GroupId(group.parse().ok()?)) };
        Some((Self { component: ComponentId(sent.named("component")?), group, before }, way))
    }
}

/// As an address has it: the three ids with dots between, `2.1.5`, empty where there is none.
impl std::fmt::Display for Move {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.component, self.group_field(), self.before_field())
    }
}

impl std::str::FromStr for Move {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.split('.').collect();
        let [component, group, before] = parts.as_slice() else { return Err(()) };
        let id = |text: &str| text.parse::<i64>().map_err(|_| ());
        let some = |text: &str| if text.is_empty() { Ok(None) } else { id(text).map(Some) };
        Ok(Self { component: ComponentId(id(component)?), group: some(group)?.map(GroupId), before: some(before)?.map(ComponentId) })
    }
}

/// Before which the thing at `i` stands when it goes one up: the one above it. `None` if it is the first.
pub(super) fn one_up<T>(all: &[T], i: usize, id: impl Fn(&T) -> String) -> Option<String> {
    Some(id(all.get(i.checked_sub(1)?)?))
}

/// Before which it stands when it goes one down: the one after the next, or behind all, which is empty. `None` if it is the last.
pub(super) fn one_down<T>(all: &[T], i: usize, id: impl Fn(&T) -> String) -> Option<String> {
    (i + 1 < all.len()).then(|| all.get(i + 2).map(id).unwrap_or_default())
}

/// The order of `all` with `moved` before `before`, or behind all others; `None` if there is no such place.
pub(super) fn arranged<I: Copy + PartialEq>(all: &[I], moved: I, before: Option<I>) -> Option<Vec<I>> {
    let mut order: Vec<I> = all.iter().copied().filter(|id| *id != moved).collect();
    let at = match before {
        Some(before) => order.iter().position(|id| *id == before)?,
        None => order.len(),
    };
    order.insert(at, moved);
    Some(order)
}

/// The number that says the place at `i` in an order.
pub(super) fn position(i: usize) -> i32 {
    i32::try_from(i).unwrap_or(i32::MAX)
}

#[handler]
async fn arrange(person: Person, sent: Sent, Data(console): Data<&Console>) -> Result<Response, Failure> {
    let malformed = || Failure::Malformed("It is not said which component goes where.".to_owned());
    let (wanted, way) = Move::read(&sent).ok_or_else(malformed)?;
    let changed = || Failure::Conflict("The list has changed meanwhile: load it again, and move the component once more.".to_owned());
    let mut entry = ledger::begin(&console.db, None).await?;
    let all = rows::components(&mut entry.tx).await?;
    let moved = all.iter().find(|component| component.id == wanted.component).ok_or(GONE)?;
    if let Some(id) = wanted.group
        && rows::groups(&mut entry.tx).await?.iter().all(|group| group.id != id)
    {
        return Err(changed());
    }
    let of = |group| all.iter().filter(|component| component.group == group).map(|component| component.id).collect::<Vec<_>>();
    let order = arranged(&of(wanted.group), moved.id, wanted.before).ok_or_else(changed)?;
    let back = where_it_is(moved, &of(moved.group));
    let after = Move { before: order.iter().skip_while(|id| **id != moved.id).nth(1).copied(), ..wanted };
    if after != back {
        for (i, id) in order.iter().enumerate() {
            let Some(component) = all.iter().find(|component| component.id == *id) else { continue };
            let edit = ComponentEdit { position: position(i), group: wanted.group, ..component.clone().into() };
            if edit != component.clone().into() {
                components::update(&mut entry.tx, *id, &edit).await?;
            }
        }
        let fields = |at: &Move| json!({ "group": at.group.map(|id| id.0), "before": at.before.map(|id| id.0) });
        let resource = format!("component:{}", moved.id);
        let done = Done { action: "component.update", resource, before: fields(&back), after: fields(&after) };
        console.reconfigure(entry, &person, done).await?;
    }
    let place = address(PATH, &[("moved", &back.to_string()), ("way", way.map_or("", Way::as_str))]);
    // Browsers that follow a fragment put the focus nowhere; after a button it goes back to the button.
    Ok(see_other(&if way.is_some() { place } else { format!("{place}#c-{}", wanted.component) }))
}

/// Where a component stands among those of its group.
fn where_it_is(component: &Component, order: &[ComponentId]) -> Move {
    let before = order.iter().skip_while(|id| **id != component.id).nth(1).copied();
    Move { component: component.id, group: component.group, before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_what_stands_behind_it() {
        assert_eq!(arranged(&[1, 2, 3], 3, Some(1)), Some(vec![3, 1, 2]));
        assert_eq!(arranged(&[1, 2, 3], 1, None), Some(vec![2, 3, 1]));
        assert_eq!(arranged(&[1, 2], 9, Some(2)), Some(vec![1, 9, 2]), "from another group");
        assert_eq!(arranged(&[1, 2], 1, Some(1)), None, "before itself");
        assert_eq!(arranged(&[1, 2], 1, Some(7)), None, "before what is elsewhere");
    }

    #[test]
    fn one_step_up_and_down_ends_at_the_ends() {
        let all = ["a", "b", "c"];
        let steps = |i| (one_up(&all, i, |id| (*id).to_owned()), one_down(&all, i, |id| (*id).to_owned()));
        assert_eq!(steps(0), (None, Some("c".to_owned())));
        assert_eq!(steps(1), (Some("a".to_owned()), Some(String::new())));
        assert_eq!(steps(2), (Some("b".to_owned()), None));
    }

    #[test]
    fn the_way_back_fits_into_an_address() {
        for text in ["2.1.5", "2..", "2.1.", "2..5"] {
            assert_eq!(text.parse::<Move>().unwrap().to_string(), text);
        }
        for text in ["", "2", "2.1", "x.1.5", "2.1.5.7", ".1.5"] {
            assert!(text.parse::<Move>().is_err(), "{text}");
        }
    }
}
