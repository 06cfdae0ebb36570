//! What the owner wants, written as a file that reads back to the same.

use std::{collections::BTreeMap, fmt::Write as _};

use domain::{
    Brand, Channel, Combine, ComponentSpec, DEFAULT_ANNOUNCE, DEFAULT_CONDITION, DEFAULT_SETTLE, DEFAULT_VALUE, Dependency, Desired,
    Effect, GroupSpec, Image, ImageMark, IncidentStatus, IntegrationSpec, MetricSpec, PageLink, Policy, RouteSpec, Secret, SeriesSpec,
    Span, StatusMap, SubscriberSpec, TemplateSpec, local_time_text,
};
use serde_json::Value;

use crate::{component::WORST, integration::OTHERWISE};

const HEADER: &str = "\
# What `fanal apply -f` reads. Secrets cannot be shown: `kept` stands for the one that this instance has stored.
";

/// Writes a file that [`crate::parse`] reads back to an equal value, if every part of `desired` is within its limits.
///
/// What equals its default is left out.
#[must_use]
pub fn export(desired: &Desired) -> String {
    let mut root = Block::default();
    root.add("page", page(desired));
    root.add_list("groups", desired.groups.iter().map(group));
    root.add_list("components", desired.components.iter().map(component));
    root.add_list("metrics", desired.metrics.iter().map(metric));
    root.add_list("integrations", desired.integrations.iter().map(integration));
    root.add_list("maintenance_series", desired.maintenance_series.iter().map(series));
    root.add_list("incident_templates", desired.incident_templates.iter().map(template));
    root.add_list("subscribers", desired.subscribers.iter().map(subscriber));
    let mut out = HEADER.to_owned();
    write_map(&mut out, &root.0, 0);
    out
}

/// A value as it is written.
enum Yaml {
    /// Quoted where it could be read as something else.
    Text(String),
    /// Written as it is.
    Raw(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// Keys and values, in the order in which they are added.
#[derive(Default)]
struct Block(Vec<(String, Yaml)>);

impl Block {
    fn add(&mut self, key: &str, value: Yaml) {
        self.0.push((key.to_owned(), value));
    }

    fn add_text(&mut self, key: &str, value: &str) {
        self.add(key, Yaml::Text(value.to_owned()));
    }

    fn add_some(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add_text(key, value);
        }
    }

    fn add_unless_empty(&mut self, key: &str, value: &str) {
        self.add_some(key, Some(value).filter(|value| !value.is_empty()));
    }

    fn add_span(&mut self, key: &str, value: Span, default: Span) {
        if value != default {
            self.add(key, Yaml::Raw(value.to_string()));
        }
    }

    fn add_list(&mut self, key: &str, items: impl Iterator<Item = Yaml>) {
        let items: Vec<Yaml> = items.collect();
        if !items.is_empty() {
            self.add(key, Yaml::List(items));
        }
    }

    fn into_yaml(self) -> Yaml {
        Yaml::Map(self.0)
    }
}

fn page(desired: &Desired) -> Yaml {
    let page = &desired.page;
    let mut block = Block::default();
    block.add_text("name", &page.name);
    block.add_text("time_zone", &page.time_zone);
    block.add_unless_empty("description", &page.description);
    block.add_unless_empty("support_url", &page.support_url);
    add_brand(&mut block, &page.brand, &desired.images);
    block.into_yaml()
}

fn add_brand(block: &mut Block, brand: &Brand, images: &BTreeMap<String, Image>) {
    let image = |mark: &ImageMark| images.get(&mark.digest).map(Image::to_data_url);
    block.add_some("accent", brand.accent.map(|accent| accent.to_string()).as_deref());
    block.add_some("accent_dark", brand.accent_dark.map(|accent| accent.to_string()).as_deref());
    if let Some(logo) = brand.logo.as_ref().and_then(image) {
        let mut inner = Block::default();
        inner.add_text("image", &logo);
        inner.add_unless_empty("alt", &brand.logo_alt);
        block.add("logo", inner.into_yaml());
    }
    block.add_some("icon", brand.icon.as_ref().and_then(image).as_deref());
    block.add_list("header_links", brand.header_links.iter().map(link));
    block.add_list("footer_links", brand.footer_links.iter().map(link));
    block.add_unless_empty("footer", &brand.footer);
}

fn link(link: &PageLink) -> Yaml {
    let mut block = Block::default();
    block.add_text("label", &link.label);
    block.add_text("url", &link.url);
    block.into_yaml()
}

fn group(group: &GroupSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &group.key);
    block.add_text("name", &group.name);
    block.add_some("parent", group.parent.as_deref());
    block.into_yaml()
}

fn component(component: &ComponentSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &component.key);
    block.add_text("name", &component.name);
    block.add_unless_empty("description", &component.description);
    block.add_some("group", component.group.as_deref());
    if component.hidden {
        block.add("hidden", Yaml::Raw("true".to_owned()));
    }
    if !component.combine.is_worst() {
        block.add("combine", combine(&component.combine));
    }
    block.add_list("depends_on", component.depends_on.iter().map(dependency));
    block.into_yaml()
}

fn combine(combine: &Combine<String>) -> Yaml {
    let numbers =
        |entries: &mut dyn Iterator<Item = (String, u32)>| Yaml::Map(entries.map(|(key, n)| (key, Yaml::Raw(n.to_string()))).collect());
    let mut block = Block::default();
    match combine {
        Combine::Worst => return Yaml::Text(WORST.to_owned()),
        Combine::Quorum(n) => block.add("quorum", Yaml::Raw(n.to_string())),
        Combine::Weighted { weights, thresholds } => {
            block.add("weights", numbers(&mut weights.iter().map(|(key, weight)| (key.clone(), *weight))));
            block.add("thresholds", numbers(&mut thresholds.iter().map(|(status, needed)| (status.to_string(), *needed))));
        }
    }
    block.into_yaml()
}

fn dependency(dependency: &Dependency<String>) -> Yaml {
    let mut block = Block::default();
    block.add_text("component", &dependency.component);
    block.add_text("effect", dependency.effect.as_str());
    block.add_span("settle", dependency.settle, if dependency.effect == Effect::Silence { DEFAULT_SETTLE } else { Span::ZERO });
    block.into_yaml()
}

fn metric(metric: &MetricSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &metric.key);
    block.add_text("name", &metric.name);
    block.add_unless_empty("unit", &metric.unit);
    block.into_yaml()
}

fn series(series: &SeriesSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &series.key);
    block.add_text("title", &series.title);
    block.add_unless_empty("body", &series.body);
    block.add_text("starts_at", &local_time_text(series.schedule.starts_at));
    block.add("duration", Yaml::Raw(series.schedule.duration.to_string()));
    block.add_text("rule", &series.schedule.rule.to_string());
    block.add_list("except", series.schedule.except.iter().map(|day| Yaml::Text(day.to_string())));
    block.add_span("announce", series.announce, DEFAULT_ANNOUNCE);
    block.add_list("components", series.components.iter().map(|key| Yaml::Text(key.clone())));
    block.into_yaml()
}

fn template(template: &TemplateSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &template.key);
    if template.name != template.key {
        block.add_text("name", &template.name);
    }
    block.add_text("title", &template.title);
    block.add_unless_empty("body", &template.body);
    if template.status != IncidentStatus::Investigating {
        block.add_text("status", template.status.as_str());
    }
    if !template.components.is_empty() {
        let affected = template.components.iter().map(|(key, status)| (key.clone(), Yaml::Raw(status.to_string())));
        block.add("components", Yaml::Map(affected.collect()));
    }
    block.into_yaml()
}

fn integration(integration: &IntegrationSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("key", &integration.key);
    block.add_text("provider", &integration.provider);
    if integration.name != integration.key {
        block.add_text("name", &integration.name);
    }
    if integration.settings.as_object().is_none_or(|settings| !settings.is_empty()) {
        block.add("settings", json(&integration.settings));
    }
    block.add_list("secrets", integration.secrets.iter().map(secret));
    if !integration.enabled {
        block.add("enabled", Yaml::Raw("false".to_owned()));
    }
    if let Some(silent_after) = integration.silent_after {
        block.add("silent_after", Yaml::Raw(silent_after.to_string()));
    }
    block.add_list("routes", integration.routes.iter().map(route));
    block.into_yaml()
}

fn secret(secret: &Secret) -> Yaml {
    Yaml::Map(vec![("kept".to_owned(), Yaml::Text(secret.fingerprint.clone()))])
}

fn route(route: &RouteSpec) -> Yaml {
    let usual = RouteSpec::default();
    let mut block = Block::default();
    if route.when != DEFAULT_CONDITION {
        block.add_text("when", &route.when);
    }
    if !route.components.is_empty() || route.metric.is_none() {
        block.add("components", Yaml::List(route.components.iter().cloned().map(Yaml::Text).collect()));
    }
    if route.status != usual.status {
        block.add("status", statuses(&route.status));
    }
    block.add_span("for", route.hold, usual.hold);
    block.add_span("keep_firing_for", route.keep_firing_for, usual.keep_firing_for);
    block.add_span("expire_after", route.expire_after, usual.expire_after);
    block.add_span("cool_off", route.cool_off, usual.cool_off);
    // Always: it decides what readers see.
    block.add("publish", Yaml::Raw(route.publish.to_string()));
    add_policy(&mut block, &route.policy);
    block.add_some("title", route.title.as_deref());
    block.add_some("body", route.body.as_deref());
    if let Some(feed) = &route.metric {
        let mut metric = Block::default();
        metric.add_text("key", &feed.key);
        if feed.value != DEFAULT_VALUE {
            metric.add_text("value", &feed.value);
        }
        block.add("metric", metric.into_yaml());
    }
    block.into_yaml()
}

fn add_policy(block: &mut Block, policy: &Policy) {
    block.add_span("publish_after", policy.publish_after, Span::ZERO);
    if let Some(hours) = &policy.publish_hours {
        let mut inner = Block::default();
        inner.add("days", Yaml::List(hours.days.iter().map(|day| Yaml::Raw(day.to_string())).collect()));
        inner.add_text("from", &hours.from.to_string());
        inner.add_text("to", &hours.to.to_string());
        if hours.outside {
            inner.add("outside", Yaml::Raw("true".to_owned()));
        }
        block.add("publish_hours", inner.into_yaml());
    }
    if let Some(severity) = policy.minimum_severity {
        block.add("minimum_severity", Yaml::Raw(severity.to_string()));
    }
    if let Some(flapping) = &policy.flapping {
        let mut inner = Block::default();
        inner.add("changes", Yaml::Raw(flapping.changes.to_string()));
        inner.add("within", Yaml::Raw(flapping.within.to_string()));
        inner.add("calm", Yaml::Raw(flapping.calm.to_string()));
        block.add("flapping", inner.into_yaml());
    }
}

fn statuses(statuses: &StatusMap) -> Yaml {
    let named = statuses.named.iter().rev().map(|(severity, status)| (severity.to_string(), Yaml::Raw(status.to_string())));
    let default = statuses.default.map(|status| (OTHERWISE.to_owned(), Yaml::Raw(status.to_string())));
    Yaml::Map(named.chain(default).collect())
}

fn subscriber(subscriber: &SubscriberSpec) -> Yaml {
    let mut block = Block::default();
    block.add_text("channel", subscriber.channel.as_str());
    block.add_text(if subscriber.channel == Channel::Email { "address" } else { "url" }, &subscriber.address);
    if let Some(known) = &subscriber.secret {
        block.add("secret", secret(known));
    }
    if let Some(components) = &subscriber.components {
        block.add("components", Yaml::List(components.iter().cloned().map(Yaml::Text).collect()));
    }
    block.into_yaml()
}

fn json(value: &Value) -> Yaml {
    match value {
        Value::String(text) => Yaml::Text(text.clone()),
        Value::Array(items) => Yaml::List(items.iter().map(json).collect()),
        Value::Object(entries) => Yaml::Map(entries.iter().map(|(key, value)| (key.clone(), json(value))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Yaml::Raw(value.to_string()),
    }
}

fn write_map(out: &mut String, entries: &[(String, Yaml)], indent: usize) {
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            pad(out, indent);
        }
        let _ = write!(out, "{}:", scalar(key));
        match value {
            Yaml::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                pad(out, indent + 2);
                write_map(out, inner, indent + 2);
            }
            Yaml::List(items) if items.iter().any(|item| matches!(item, Yaml::Map(_) | Yaml::List(_))) => {
                out.push('\n');
                write_items(out, items, indent + 2);
            }
            value => {
                out.push(' ');
                write_inline(out, value);
                out.push('\n');
            }
        }
    }
}

fn write_items(out: &mut String, items: &[Yaml], indent: usize) {
    for item in items {
        pad(out, indent);
        out.push_str("- ");
        match item {
            Yaml::Map(inner) if !inner.is_empty() => write_map(out, inner, indent + 2),
            item => {
                write_inline(out, item);
                out.push('\n');
            }
        }
    }
}

/// On one line, as JSON writes it.
fn write_inline(out: &mut String, value: &Yaml) {
    match value {
        Yaml::Text(text) => out.push_str(&scalar(text)),
        Yaml::Raw(text) => out.push_str(text),
        Yaml::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_inline(out, item);
            }
            out.push(']');
        }
        Yaml::Map(entries) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                let _ = write!(out, "{}{}: ", if i > 0 { ", " } else { " " }, scalar(key));
                write_inline(out, value);
            }
            out.push_str(if entries.is_empty() { "}" } else { " }" });
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A text as it is if nobody could take it for something else, and in quotes otherwise.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 10] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._-/()@".contains(&b))
        && !text.ends_with(' ')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Everything that YAML does not let through, and what editors show as nothing or as a line break.
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_where_it_could_be_something_else() {
        for (text, written) in [
            ("API", "API"),
            ("Europe/Paris", "Europe/Paris"),
            ("two words", "two words"),
            ("yes", "\"yes\""),
            ("Null", "\"Null\""),
            ("12", "\"12\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("say \"hi\"\n", "\"say \\\"hi\\\"\\n\""),
            ("\u{85}\u{feff}", "\"\\u0085\\ufeff\""),
            ("é", "\"é\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }
}
