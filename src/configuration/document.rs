//! The file as a whole: the page, groups, components, metrics and subscribers.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Resolve, check, component, integration, page,
    problem::{did_you_mean, quoted},
    reader::{At, Map, Unique, declared},
    series, template,
};
use domain::{
    Channel, ComponentSpec, Desired, GroupSpec, MAX_COMPONENTS, MAX_DESCRIPTION_CHARS, MAX_GROUPS, MAX_INTEGRATIONS,
    MAX_MANAGED_SUBSCRIBERS, MAX_METRICS, MAX_NAME_CHARS, MAX_UNIT_CHARS, MetricSpec, SubscriberSpec, key_from_name,
};

/// What references may point at.
pub(crate) struct Declared<'a> {
    pub(crate) components: BTreeSet<&'a str>,
    pub(crate) metrics: BTreeSet<&'a str>,
    pub(crate) integrations: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
}

pub(crate) fn read(root: &At<'_>, resolve: Resolve<'_>) -> Desired {
    let map =
        root.map(&["page", "groups", "components", "integrations", "metrics", "maintenance_series", "incident_templates", "subscribers"]);
    let declared = Declared {
        components: declared(root.node, "components"),
        metrics: declared(root.node, "metrics"),
        integrations: declared(root.node, "integrations"),
        groups: declared(root.node, "groups"),
    };
    let mut groups = groups(&map, &declared);
    let components = components(&map, &mut groups, &declared);
    let mut keys = Unique::default();
    let read_integration = |at: &At<'_>| integration::read(at, &mut keys, &declared, resolve);
    let (page, images) = map.need("page").map(|at| page::read(&at)).unwrap_or_default();
    Desired {
        maintenance_series: series::read(&map, &declared, &page.time_zone),
        incident_templates: template::read(&map, &declared),
        page,
        images,
        components,
        groups: groups.specs,
        integrations: map.list("integrations", MAX_INTEGRATIONS).iter().map(read_integration).collect(),
        metrics: metrics(&map),
        subscribers: subscribers(&map, &declared, resolve),
    }
}

/// The groups of the file. Without a `groups:` section they are made from the names that components give.
struct Groups {
    specs: Vec<GroupSpec>,
    are_declared: bool,
    /// The key of every name.
    by_name: BTreeMap<String, String>,
}

fn groups(root: &Map<'_>, declared: &Declared<'_>) -> Groups {
    let (mut keys, mut specs, mut parents) = (Unique::default(), Vec::new(), Vec::new());
    for at in root.list("groups", MAX_GROUPS) {
        let map = at.map(&["key", "name", "parent"]);
        let parent = map.get_some("parent");
        let spec = GroupSpec {
            key: own_key(&map, &mut keys),
            name: map.name("name", MAX_NAME_CHARS),
            parent: parent.as_ref().and_then(|at| at.reference("group", &declared.groups)),
        };
        parents.push(parent);
        specs.push(spec);
    }
    refuse_cycles(&specs, &parents);
    let by_name = specs.iter().rev().map(|spec| (spec.name.clone(), spec.key.clone())).collect();
    Groups { specs, are_declared: root.get_some("groups").is_some(), by_name }
}

fn refuse_cycles(specs: &[GroupSpec], parents: &[Option<At<'_>>]) {
    let parent_of: BTreeMap<&str, &str> = specs.iter().filter_map(|spec| Some((spec.key.as_str(), spec.parent.as_deref()?))).collect();
    let mut told = BTreeSet::new();
    for (spec, at) in specs.iter().zip(parents) {
        let (mut chain, mut key) = (vec![spec.key.as_str()], spec.key.as_str());
        while let Some(parent) = parent_of.get(key).filter(|_| chain.len() <= specs.len()) {
            chain.push(parent);
            key = parent;
            if key == spec.key {
                break;
            }
        }
        if chain.len() > 1 && key == spec.key && told.is_disjoint(&chain.iter().copied().collect()) {
            told.extend(chain.iter().copied());
            if let Some(at) = at {
                at.refuse(format!("groups stand in each other: {}", chain.join(" in ")));
            }
        }
    }
}

impl Groups {
    /// The key of the group that a component names, by its key or by its name.
    fn resolve(&mut self, at: &At<'_>) -> Option<String> {
        let text = at.raw_text()?;
        if self.are_declared {
            if self.specs.iter().any(|spec| spec.key == text) {
                return Some(text.to_owned());
            }
            if let Some(key) = self.by_name.get(text) {
                return Some(key.clone());
            }
            let hint = did_you_mean(text, self.specs.iter().flat_map(|spec| [spec.key.as_str(), spec.name.as_str()]));
            at.refuse(format!("there is no group {}{hint}", quoted(text)));
            return None;
        }
        if let Some(key) = self.by_name.get(text) {
            return Some(key.clone());
        }
        let name = at.name(MAX_NAME_CHARS);
        let Some(key) = key_from_name(&name) else {
            at.refuse(format!("{} gives no key; declare the group under `groups:`", quoted(&name)));
            return None;
        };
        if let Some(other) = self.specs.iter().find(|spec| spec.key == key) {
            at.refuse(format!(
                "{} and {} would both get the key `{key}`; declare them under `groups:`",
                quoted(&name),
                quoted(&other.name)
            ));
        }
        self.by_name.insert(name.clone(), key.clone());
        self.specs.push(GroupSpec { key: key.clone(), name, parent: None });
        Some(key)
    }
}

fn components(root: &Map<'_>, groups: &mut Groups, declared: &Declared<'_>) -> Vec<ComponentSpec> {
    let (mut keys, mut specs, mut places) = (Unique::default(), Vec::new(), Vec::new());
    for at in root.list("components", MAX_COMPONENTS) {
        let map = at.map(&["key", "name", "description", "group", "hidden", "combine", "depends_on"]);
        let depends_on = component::depends_on(&map, declared);
        specs.push(ComponentSpec {
            key: own_key(&map, &mut keys),
            name: map.name("name", MAX_NAME_CHARS),
            description: map.text_or_empty("description", MAX_DESCRIPTION_CHARS, true),
            group: map.get_some("group").and_then(|at| groups.resolve(&at)),
            hidden: map.flag("hidden", false),
            combine: map.get_some("combine").map(|at| component::combine(&at, declared)).unwrap_or_default(),
            depends_on: depends_on.specs.clone(),
        });
        places.push(depends_on);
    }
    component::refuse_chains(&specs, &places);
    specs
}

fn metrics(root: &Map<'_>) -> Vec<MetricSpec> {
    let mut keys = Unique::default();
    let metric = |at: At<'_>| {
        let map = at.map(&["key", "name", "unit"]);
        MetricSpec {
            key: own_key(&map, &mut keys),
            name: map.name("name", MAX_NAME_CHARS),
            unit: map.text_or_empty("unit", MAX_UNIT_CHARS, false),
        }
    };
    root.list("metrics", MAX_METRICS).into_iter().map(metric).collect()
}

fn subscribers(root: &Map<'_>, declared: &Declared<'_>, resolve: Resolve<'_>) -> Vec<SubscriberSpec> {
    let mut addresses = Unique::default();
    let subscriber = |at: At<'_>| {
        let map = at.map(&["channel", "address", "url", "secret", "components"]);
        let channel = map.need("channel").and_then(|at| at.choice("a channel", &["email", "webhook"])).unwrap_or(Channel::Email);
        let (field, other) = if channel == Channel::Email { ("address", "url") } else { ("url", "address") };
        if let Some(misplaced) = map.get(other) {
            misplaced.refuse(format!("a subscriber by {channel} has `{field}`, not `{other}`"));
        }
        let address = map.need(field);
        let secret = subscriber_secret(&map, channel, resolve);
        let spec = SubscriberSpec {
            channel,
            address: address.as_ref().map_or_else(String::new, |at| match channel {
                Channel::Email => check::email(at),
                Channel::Webhook => check::url(at, &["https", "http"]),
            }),
            secret,
            components: map.get("components").map(|at| at.references("component", &declared.components, MAX_COMPONENTS)),
        };
        if let Some(at) = &address {
            addresses.check(at, "subscriber", &spec.address);
        }
        spec
    };
    root.list("subscribers", MAX_MANAGED_SUBSCRIBERS).into_iter().map(subscriber).collect()
}

fn subscriber_secret(map: &Map<'_>, channel: Channel, resolve: Resolve<'_>) -> Option<domain::Secret> {
    match channel {
        Channel::Email => {
            if let Some(at) = map.get("secret") {
                at.refuse("mail is not signed with a secret of the subscriber");
            }
            None
        }
        Channel::Webhook => {
            let at = map.need("secret")?;
            let secret = integration::secret(&at, resolve)?;
            if let Some(value) = &secret.value {
                check::signing_secret(&at, value);
            }
            Some(secret)
        }
    }
}

/// The `key` of an item, which no other item of its kind may have.
pub(crate) fn own_key(map: &Map<'_>, keys: &mut Unique) -> String {
    let Some(at) = map.need("key") else { return String::new() };
    let key = at.key();
    keys.check(&at, "key", &key);
    key
}
