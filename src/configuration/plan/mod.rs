//! What would change, said so that one dares to say yes.

mod entries;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::Desired;

/// What happens to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Add,
    /// It goes on with other values.
    Change,
    /// It ends, with everything that hangs on it.
    Remove,
}

/// One thing that is added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What happens to it.
    pub action: Action,
    /// What it is: `component api "API" in Platform`, `route prod-alerts[0]`.
    pub what: String,
    /// Each value that changes (`for: 0s -> 5m`), or what is lost with it.
    pub details: Vec<String>,
}

/// What applying would change. Printed for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the file.
    pub items: Vec<Item>,
}

impl Plan {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn count(&self, action: Action) -> usize {
        self.items.iter().filter(|item| item.action == action).count()
    }

    fn add(&mut self, action: Action, what: String, details: Vec<String>) {
        self.items.push(Item { action, what, details });
    }

    /// Adds a change, unless `details` is empty: then there is none.
    fn change(&mut self, what: String, details: Vec<String>) {
        if !details.is_empty() {
            self.add(Action::Change, what, details);
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "No changes: everything is as the file says.");
        }
        for item in &self.items {
            let sign = match item.action {
                Action::Add => '+',
                Action::Change => '~',
                Action::Remove => '-',
            };
            match item.details.as_slice() {
                [one] if item.action == Action::Change => writeln!(f, "{sign} {} {one}", item.what)?,
                details => {
                    writeln!(f, "{sign} {}", item.what)?;
                    for detail in details {
                        writeln!(f, "    {detail}")?;
                    }
                }
            }
        }
        let (add, change, remove) = (self.count(Action::Add), self.count(Action::Change), self.count(Action::Remove));
        writeln!(f, "\nPlan: {add} to add, {change} to change, {remove} to remove.")
    }
}

/// Says what would have to change for `current` to become `desired`. Empty if and only if they mean the same.
#[must_use]
pub fn diff(current: &Desired, desired: &Desired) -> Plan {
    let mut plan = Plan::default();
    plan.change("page".to_owned(), entries::page(&current.page, &desired.page));
    list(&mut plan, "group", &current.groups, &desired.groups);
    list(&mut plan, "component", &current.components, &desired.components);
    list(&mut plan, "metric", &current.metrics, &desired.metrics);
    list(&mut plan, "integration", &current.integrations, &desired.integrations);
    list(&mut plan, "maintenance series", &current.maintenance_series, &desired.maintenance_series);
    list(&mut plan, "incident template", &current.incident_templates, &desired.incident_templates);
    list(&mut plan, "subscriber", &current.subscribers, &desired.subscribers);
    plan
}

/// Something that a list of the file holds.
trait Entry {
    /// Whether its place in the list means something.
    const ORDERED: bool = true;
    /// What makes it the same thing before and after.
    fn identity(&self) -> String;
    /// How a plan calls it.
    fn title(&self) -> String;
    /// Every value that differs.
    fn changes(&self, desired: &Self) -> Vec<String>;
    /// What is lost when it is removed.
    fn loss(&self) -> Option<&'static str> {
        None
    }
    /// What it holds that a plan lists on its own; `None` stands for no entry at all.
    fn inner(_plan: &mut Plan, _current: Option<&Self>, _desired: Option<&Self>) {}
}

fn list<T: Entry>(plan: &mut Plan, kind: &str, current: &[T], desired: &[T]) {
    let before: BTreeMap<String, &T> = current.iter().map(|entry| (entry.identity(), entry)).collect();
    let after: BTreeSet<String> = desired.iter().map(T::identity).collect();
    for entry in desired {
        let old = before.get(&entry.identity()).copied();
        match old {
            None => plan.add(Action::Add, format!("{kind} {}", entry.title()), Vec::new()),
            Some(old) => plan.change(format!("{kind} {}", entry.title()), old.changes(entry)),
        }
        T::inner(plan, old, Some(entry));
    }
    for entry in current.iter().filter(|entry| !after.contains(&entry.identity())) {
        plan.add(Action::Remove, format!("{kind} {}", entry.title()), entry.loss().map(str::to_owned).into_iter().collect());
        T::inner(plan, Some(entry), None);
    }
    let kept = |list: &[T]| -> Vec<String> {
        list.iter().map(T::identity).filter(|identity| before.contains_key(identity) && after.contains(identity)).collect()
    };
    if let Some(change) = order(&kept(current), &kept(desired)).filter(|_| T::ORDERED) {
        plan.change(format!("{kind}s"), vec![change]);
    }
}

/// Tells what moved: of what is there before and after, that which stands at another place.
fn order(current: &[String], desired: &[String]) -> Option<String> {
    const SHOWN: usize = 10;
    let moved: Vec<&str> = current.iter().zip(desired).filter(|(old, new)| old != new).map(|(_, new)| new.as_str()).collect();
    let more = if moved.len() > SHOWN { format!(" and {} more", moved.len() - SHOWN) } else { String::new() };
    (!moved.is_empty()).then(|| format!("order: now {}{more}", moved[..moved.len().min(SHOWN)].join(", ")))
}
