//! The list of components by group.

use std::collections::{HashMap, HashSet};

use askama::Template;
use domain::{ComponentId, Group, GroupId, PageComponent, Status};

use super::{
    View,
    bars::{Bars, GroupBars},
    label,
};

/// One component's line.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) id: i64,
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
    pub(crate) class: &'static str,
    pub(crate) label: &'static str,
    /// The names of what its trouble comes from, e.g. "Payments, Search".
    pub(crate) caused_by: String,
    pub(crate) bars: Bars,
}

impl<'a> Row<'a> {
    pub(crate) fn new(shown: &'a PageComponent, view: &View<'_>) -> Self {
        let component = &shown.component;
        Self {
            id: component.id.0,
            name: &component.name,
            description: component.description.trim(),
            class: component.status.as_str(),
            label: label(component.status),
            caused_by: names(&shown.caused_by, view),
            bars: Bars::of(component, &shown.days, view.site),
        }
    }
}

/// The names of components; of many, how many more there are.
fn names(ids: &[ComponentId], view: &View<'_>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = ids.iter().filter_map(|id| view.component(*id)).map(|component| component.name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let list = names[..names.len() - more].join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// A heading with what stands under it.
#[derive(Template)]
#[template(path = "page/group.html")]
struct GroupTemplate<'a> {
    id: i64,
    name: &'a str,
    n_components: usize,
    class: &'static str,
    label: &'static str,
    open: bool,
    bars: GroupBars,
    rows: &'a [Row<'a>],
    inner: String,
}

/// The components without a group, and the markup of all groups.
pub(crate) struct Components<'a> {
    pub(crate) rows: Vec<Row<'a>>,
    pub(crate) groups: String,
}

impl<'a> Components<'a> {
    pub(crate) fn new(view: &View<'a>) -> Self {
        let mut tree = Tree::new(view);
        let rows = tree.members.remove(&None).unwrap_or_default();
        let groups = tree.roots.clone().into_iter().map(|group| tree.render(group).html).collect();
        Self { rows: rows.into_iter().map(|shown| Row::new(shown, view)).collect(), groups }
    }
}

/// Groups and components by where they stand.
struct Tree<'v, 'a> {
    view: &'v View<'a>,
    roots: Vec<&'a Group>,
    children: HashMap<GroupId, Vec<&'a Group>>,
    members: HashMap<Option<GroupId>, Vec<&'a PageComponent>>,
}

struct Rendered<'a> {
    html: String,
    members: Vec<&'a PageComponent>,
}

impl<'v, 'a> Tree<'v, 'a> {
    fn new(view: &'v View<'a>) -> Self {
        let mut tree = Self { view, roots: Vec::new(), children: HashMap::new(), members: HashMap::new() };
        for group in &view.data.groups {
            match group.parent.filter(|parent| view.group(*parent).is_some()) {
                Some(parent) => tree.children.entry(parent).or_default().push(group),
                None => tree.roots.push(group),
            }
        }
        let reachable = tree.reachable();
        for shown in &view.data.components {
            // A component whose group nobody can reach is still shown.
            let group = shown.component.group.filter(|group| reachable.contains(group));
            tree.members.entry(group).or_default().push(shown);
        }
        tree
    }

    fn reachable(&self) -> HashSet<GroupId> {
        let mut todo: Vec<GroupId> = self.roots.iter().map(|group| group.id).collect();
        let mut seen = HashSet::new();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(self.children.get(&id).into_iter().flatten().map(|group| group.id));
            }
        }
        seen
    }

    /// A group in trouble is open; an empty one is left out.
    fn render(&mut self, group: &'a Group) -> Rendered<'a> {
        let children = self.children.remove(&group.id).unwrap_or_default();
        let inner: Vec<Rendered<'a>> = children.into_iter().map(|child| self.render(child)).collect();
        let own = self.members.remove(&Some(group.id)).unwrap_or_default();
        let members: Vec<&PageComponent> =
            own.iter().copied().chain(inner.iter().flat_map(|child| child.members.iter().copied())).collect();
        let status = members.iter().map(|shown| shown.component.status).max().unwrap_or_default();
        if members.is_empty() {
            return Rendered { html: String::new(), members };
        }
        let rows: Vec<Row<'a>> = own.into_iter().map(|shown| Row::new(shown, self.view)).collect();
        let template = GroupTemplate {
            id: group.id.0,
            name: &group.name,
            n_components: members.len(),
            class: status.as_str(),
            label: label(status),
            open: status != Status::Operational,
            bars: GroupBars::of(&members, self.view.site),
            rows: &rows,
            inner: inner.into_iter().map(|child| child.html).collect(),
        };
        Rendered { html: super::html(&template), members }
    }
}
