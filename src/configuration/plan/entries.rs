//! What a plan says of each kind of thing.

use std::collections::BTreeSet;

use domain::{
    Brand, Channel, Colour, Combine, ComponentSpec, Dependency, Effect, GroupSpec, ImageMark, IntegrationSpec, MetricSpec, PageLink,
    PageSettings, Policy, RouteSpec, Schedule, Secret, SeriesSpec, StatusMap, SubscriberSpec, TemplateSpec, local_time_text, match_routes,
};

use super::{Action, Entry, Plan};

/// `name: old -> new`, if they differ.
fn field<T: PartialEq>(out: &mut Vec<String>, name: &str, current: &T, desired: &T, show: impl Fn(&T) -> String) {
    if current != desired {
        out.push(format!("{name}: {} -> {}", show(current), show(desired)));
    }
}

fn text<T: AsRef<str> + ?Sized>(value: &T) -> String {
    const SHOWN: usize = 80;
    let value = value.as_ref();
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

pub(super) fn page(current: &PageSettings, desired: &PageSettings) -> Vec<String> {
    let mut out = Vec::new();
    field(&mut out, "name", &current.name, &desired.name, text);
    field(&mut out, "time_zone", &current.time_zone, &desired.time_zone, String::clone);
    field(&mut out, "description", &current.description, &desired.description, text);
    field(&mut out, "support_url", &current.support_url, &desired.support_url, text);
    brand(&mut out, &current.brand, &desired.brand);
    out
}

fn brand(out: &mut Vec<String>, current: &Brand, desired: &Brand) {
    let colour = |colour: &Option<Colour>| colour.map_or_else(|| "none".to_owned(), |colour| colour.to_string());
    let image = |mark: &Option<ImageMark>| mark.as_ref().map_or_else(|| "none".to_owned(), ImageMark::file_name);
    let links = |links: &Vec<PageLink>| {
        let each: Vec<String> = links.iter().map(|link| format!("{} {}", text(&link.label), text(&link.url))).collect();
        if each.is_empty() { "none".to_owned() } else { each.join(", ") }
    };
    field(out, "accent", &current.accent, &desired.accent, colour);
    field(out, "accent_dark", &current.accent_dark, &desired.accent_dark, colour);
    field(out, "logo", &current.logo, &desired.logo, image);
    field(out, "logo.alt", &current.logo_alt, &desired.logo_alt, text);
    field(out, "icon", &current.icon, &desired.icon, image);
    field(out, "header_links", &current.header_links, &desired.header_links, links);
    field(out, "footer_links", &current.footer_links, &desired.footer_links, links);
    field(out, "footer", &current.footer, &desired.footer, text);
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
        field(&mut out, "combine", &self.combine, &desired.combine, combine);
        dependencies(&mut out, &self.depends_on, &desired.depends_on);
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("its history is lost: uptime, and its part in past incidents; to keep it, set `hidden: true` instead")
    }
}

fn combine(combine: &Combine<String>) -> String {
    match combine {
        Combine::Worst => "worst".to_owned(),
        Combine::Quorum(n) => format!("quorum {n}"),
        Combine::Weighted { weights, thresholds } => {
            let weights = weights.iter().map(|(key, weight)| format!("{key}: {weight}"));
            let thresholds = thresholds.iter().map(|(status, needed)| format!("{status}: {needed}"));
            let list = |parts: Vec<String>| format!("{{ {} }}", parts.join(", "));
            format!("weights {}, thresholds {}", list(weights.collect()), list(thresholds.collect()))
        }
    }
}

/// `depends_on: + payments (silence for 5m more), - cdn (label)`.
fn dependencies(out: &mut Vec<String>, current: &BTreeSet<Dependency<String>>, desired: &BTreeSet<Dependency<String>>) {
    let written = |dependencies: &BTreeSet<Dependency<String>>| -> BTreeSet<String> {
        let write = |one: &Dependency<String>| match one.effect {
            Effect::Silence => format!("{} ({}, settle {})", one.component, one.effect, one.settle),
            effect => format!("{} ({effect})", one.component),
        };
        dependencies.iter().map(write).collect()
    };
    set(out, "depends_on", &written(current), &written(desired));
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

impl Entry for SeriesSpec {
    const ORDERED: bool = false;

    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        format!("{} {}", self.key, text(&self.title))
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        let (now, then) = (&self.schedule, &desired.schedule);
        field(&mut out, "title", &self.title, &desired.title, text);
        field(&mut out, "body", &self.body, &desired.body, text);
        field(&mut out, "starts_at", &now.starts_at, &then.starts_at, |at| local_time_text(*at));
        field(&mut out, "duration", &now.duration, &then.duration, ToString::to_string);
        field(&mut out, "rule", &now.rule, &then.rule, ToString::to_string);
        let days = |schedule: &Schedule| schedule.except.iter().map(ToString::to_string).collect();
        set(&mut out, "except", &days(now), &days(then));
        field(&mut out, "announce", &self.announce, &desired.announce, ToString::to_string);
        set(&mut out, "components", &self.components, &desired.components);
        out
    }

    fn loss(&self) -> Option<&'static str> {
        Some("its windows that have not begun are called off")
    }
}

impl Entry for TemplateSpec {
    const ORDERED: bool = false;

    fn identity(&self) -> String {
        self.key.clone()
    }

    fn title(&self) -> String {
        format!("{} {}", self.key, text(&self.name))
    }

    fn changes(&self, desired: &Self) -> Vec<String> {
        let mut out = Vec::new();
        field(&mut out, "name", &self.name, &desired.name, text);
        field(&mut out, "title", &self.title, &desired.title, text);
        field(&mut out, "body", &self.body, &desired.body, text);
        field(&mut out, "status", &self.status, &desired.status, ToString::to_string);
        let affected = |spec: &Self| spec.components.iter().map(|(key, status)| format!("{key} ({status})")).collect();
        set(&mut out, "components", &affected(self), &affected(desired));
        out
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
        field(&mut out, "silent_after", &self.silent_after, &desired.silent_after, shown);
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
    policy(&mut out, &current.policy, &desired.policy);
    field(&mut out, "title", &current.title, &desired.title, optional);
    field(&mut out, "body", &current.body, &desired.body, optional);
    field(&mut out, "metric", &current.metric, &desired.metric, |feed| {
        feed.as_ref().map_or_else(|| "none".to_owned(), |feed| format!("{} from {}", feed.key, feed.value))
    });
    out
}

fn shown<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
}

fn policy(out: &mut Vec<String>, current: &Policy, desired: &Policy) {
    field(out, "publish_after", &current.publish_after, &desired.publish_after, ToString::to_string);
    field(out, "publish_hours", &current.publish_hours, &desired.publish_hours, shown);
    field(out, "minimum_severity", &current.minimum_severity, &desired.minimum_severity, shown);
    field(out, "flapping", &current.flapping, &desired.flapping, shown);
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
