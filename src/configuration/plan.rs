//! What would change, said so that one dares to say yes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::{
    Channel, ComponentSpec, Desired, GroupSpec, IntegrationSpec, MetricSpec, PageSettings, RouteSpec, Secret, StatusMap, SubscriberSpec,
    match_routes,
};

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
    plan.change("page".to_owned(), page(&current.page, &desired.page));
    list(&mut plan, "group", &current.groups, &desired.groups);
    list(&mut plan, "component", &current.components, &desired.components);
    list(&mut plan, "metric", &current.metrics, &desired.metrics);
    list(&mut plan, "integration", &current.integrations, &desired.integrations);
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

/// `name: old -> new`, if they differ.
fn field<T: PartialEq>(out: &mut Vec<String>, name: &str, current: &T, desired: &T, show: impl Fn(&T) -> String) {
    if current != desired {
        out.push(format!("{name}: {} -> {}", show(current), show(desired)));
    }
}

fn text(value: &String) -> String {
    const SHOWN: usize = 80;
    let shown: String = value.chars().take(SHOWN).collect();
    format!("{shown:?}{}", if value.chars().nth(SHOWN).is_some() { "…" } else { "" })
}

fn optional(value: &Option<String>) -> String {
    value.as_ref().map_or_else(|| "none".to_owned(), text)
}

fn reference(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "none".to_owned())
}

/// `components: + a, - b`: with many, the whole lists would hide what changed.
fn set(out: &mut Vec<String>, name: &str, current: &BTreeSet<String>, desired: &BTreeSet<String>) {
    let added = desired.difference(current).map(|key| format!("+ {key}"));
    let removed = current.difference(desired).map(|key| format!("- {key}"));
    let changes: Vec<String> = added.chain(removed).collect();
    if !changes.is_empty() {
        out.push(format!("{name}: {}", changes.join(", ")));
    }
}

fn page(current: &PageSettings, desired: &PageSettings) -> Vec<String> {
    let mut out = Vec::new();
    field(&mut out, "name", &current.name, &desired.name, text);
    field(&mut out, "time_zone", &current.time_zone, &desired.time_zone, String::clone);
    field(&mut out, "description", &current.description, &desired.description, text);
    field(&mut out, "support_url", &current.support_url, &desired.support_url, text);
    out
}

impl Entry for GroupSpec {
    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        let parent = self.parent.as_ref().map_or_else(String::new, |parent| format!(" in {parent}"));
        format!("{} {}{parent}", self.key, text(&self.name))
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        field(&mut out, "name", &self.name, &desired.name, text);
        field(&mut out, "parent", &self.parent, &desired.parent, reference);
        out
    }
}

impl Entry for ComponentSpec {
    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        let group = self.group.as_ref().map_or_else(String::new, |group| format!(" in {group}"));
        format!("{} {}{group}", self.key, text(&self.name))
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        field(&mut out, "name", &self.name, &desired.name, text);
        field(&mut out, "description", &self.description, &desired.description, text);
        field(&mut out, "group", &self.group, &desired.group, reference);
        field(&mut out, "hidden", &self.hidden, &desired.hidden, bool::to_string);
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("its history is lost: uptime, and its part in past incidents; to keep it, set `hidden: true` instead")
    }
}

impl Entry for MetricSpec {
    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        format!("{} {}", self.key, text(&self.name))
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        field(&mut out, "name", &self.name, &desired.name, text);
        field(&mut out, "unit", &self.unit, &desired.unit, text);
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("its samples are lost")
    }
}

impl Entry for IntegrationSpec {
    const ORDERED: bool = false;

    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        format!("{} ({})", self.key, self.provider)
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        field(&mut out, "provider", &self.provider, &desired.provider, String::clone);
        field(&mut out, "name", &self.name, &desired.name, text);
        settings(&mut out, "settings", &self.settings, &desired.settings);
        secrets(&mut out, &self.secrets, &desired.secrets);
        field(&mut out, "enabled", &self.enabled, &desired.enabled, bool::to_string);
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("its stored deliveries are lost; to keep them, set `enabled: false` instead")
    }

    fn inner(plan: &mut Plan, current: Option<&Self>, desired: Option<&Self>) {
        // Removed routes go with their integration, which says enough.
        if let Some(desired) = desired {
            routes(plan, &desired.key, current.map_or(&[], |current| &current.routes), &desired.routes);
        }
    }
}

fn settings(out: &mut Vec<String>, path: &str, current: &serde_json::Value, desired: &serde_json::Value) {
    let (Some(old), Some(new)) = (current.as_object(), desired.as_object()) else {
        return field(out, path, current, desired, |value| text(&value.to_string()));
    };
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let path = format!("{path}.{key}");
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => settings(out, &path, old, new),
            (old, new) => field(out, &path, &old, &new, |value| value.map_or_else(|| "none".to_owned(), |value| text(&value.to_string()))),
        }
    }
}

/// Any secret is as good as another, so their order means nothing.
fn secrets(out: &mut Vec<String>, current: &[Secret], desired: &[Secret]) {
    let added = desired.iter().filter(|secret| !current.contains(secret)).count();
    let removed = current.iter().filter(|secret| !desired.contains(secret)).count();
    if added + removed > 0 {
        out.push(format!("secrets: {added} added, {removed} removed"));
    }
}

fn routes(plan: &mut Plan, integration: &str, current: &[RouteSpec], desired: &[RouteSpec]) {
    let matched = match_routes(current, desired);
    for (at, (route, old)) in desired.iter().zip(&matched).enumerate() {
        let title = format!("route {integration}[{at}]");
        match old {
            None => plan.add(Action::Add, format!("{title} {}", describe(route)), Vec::new()),
            Some(old) => plan.change(title, route_changes(&current[*old], route)),
        }
    }
    let kept: BTreeSet<usize> = matched.iter().flatten().copied().collect();
    for (at, route) in current.iter().enumerate().filter(|(at, _)| !kept.contains(at)) {
        plan.add(Action::Remove, format!("route {integration}[{at}] {}", describe(route)), Vec::new());
    }
    let places: Vec<usize> = matched.into_iter().flatten().collect();
    if !places.is_sorted() {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        plan.change(format!("routes of {integration}"), vec![format!("order: now {}", places.join(", "))]);
    }
}

fn describe(route: &RouteSpec) -> String {
    let components: Vec<&str> = route.components.iter().map(String::as_str).collect();
    let metric = route.metric.as_ref().map(|feed| format!("metric {}", feed.key));
    let target: Vec<String> = Some(components.join(", ")).into_iter().chain(metric).filter(|part| !part.is_empty()).collect();
    format!("when {} -> {} ({})", text(&route.when), target.join(" and "), route.publish)
}

fn route_changes(current: &RouteSpec, desired: &RouteSpec) -> Vec<String> {
    let mut out = Vec::new();
    field(&mut out, "when", &current.when, &desired.when, text);
    set(&mut out, "components", &current.components, &desired.components);
    field(&mut out, "status", &current.status, &desired.status, statuses);
    field(&mut out, "for", &current.hold, &desired.hold, ToString::to_string);
    field(&mut out, "keep_firing_for", &current.keep_firing_for, &desired.keep_firing_for, ToString::to_string);
    field(&mut out, "expire_after", &current.expire_after, &desired.expire_after, ToString::to_string);
    field(&mut out, "cool_off", &current.cool_off, &desired.cool_off, ToString::to_string);
    field(&mut out, "publish", &current.publish, &desired.publish, ToString::to_string);
    field(&mut out, "title", &current.title, &desired.title, optional);
    field(&mut out, "body", &current.body, &desired.body, optional);
    field(&mut out, "metric", &current.metric, &desired.metric, |feed| {
        feed.as_ref().map_or_else(|| "none".to_owned(), |feed| format!("{} from {}", feed.key, feed.value))
    });
    out
}

fn statuses(statuses: &StatusMap) -> String {
    let named = statuses.named.iter().rev().map(|(severity, status)| format!("{severity}: {status}"));
    let default = statuses.default.map(|status| format!("default: {status}"));
    format!("{{ {} }}", named.chain(default).collect::<Vec<_>>().join(", "))
}

impl Entry for SubscriberSpec {
    const ORDERED: bool = false;

    fn identity(&self) -> String {
        format!("{} {}", self.channel, self.address)
    }

    fn title(&self) -> String {
        match self.channel {
            Channel::Webhook => format!("webhook {}", without_query(&self.address)),
            Channel::Email => self.identity(),
        }
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        if self.secret != desired.secret {
            out.push("secret: another one".to_owned());
        }
        let scope = |components: &Option<BTreeSet<String>>| match components {
            None => "all".to_owned(),
            Some(keys) if keys.is_empty() => "none".to_owned(),
            Some(keys) => keys.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        match (&self.components, &desired.components) {
            (Some(old), Some(new)) => set(&mut out, "components", old, new),
            (old, new) => field(&mut out, "components", old, new, scope),
        }
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("it is told nothing more, and what it was told is forgotten")
    }
}

/// Queries of webhooks often hold a token.
fn without_query(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(path, _)| format!("{path}?…"))
}
