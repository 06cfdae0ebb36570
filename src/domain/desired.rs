//! What the owner wants: the checked content of a configuration file, and what the database says of the same things.
//!
//! Everything refers by key. The order of a list is the order on the page.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    Channel, Combine, Dependency, Image, IncidentStatus, PageSettings, Policy, Publish, Schedule, SilentAfter, Span, Status, StatusMap,
};

/// The longest key, in characters.
pub const MAX_KEY_CHARS: usize = 64;
/// The longest name or title, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// The longest description or message, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 2_000;
/// The longest unit of a metric, in characters.
pub const MAX_UNIT_CHARS: usize = 20;
/// The longest URL or mail address, in characters.
pub const MAX_ADDRESS_CHARS: usize = 2_000;
/// The most groups.
pub const MAX_GROUPS: usize = 1_000;
/// The most components.
pub const MAX_COMPONENTS: usize = 5_000;
/// The most integrations.
pub const MAX_INTEGRATIONS: usize = 10_000;
/// The most routes of one integration.
pub const MAX_ROUTES: usize = 100;
/// The most secrets of one integration: two are enough to rotate.
pub const MAX_SECRETS: usize = 10;
/// The most metrics.
pub const MAX_METRICS: usize = 1_000;
/// The most subscribers that configuration may name; people who subscribe themselves are not counted.
pub const MAX_MANAGED_SUBSCRIBERS: usize = 10_000;
/// How long after it was resolved an incident is reopened instead of a new one opened, unless a route says otherwise.
pub const DEFAULT_COOL_OFF: Span = Span::mins(10);
/// The condition of a route that gives none: every signal.
pub const DEFAULT_CONDITION: &str = "true";
/// The value of a metric's route that gives none.
pub const DEFAULT_VALUE: &str = "signal.value";

/// Everything that configuration governs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// How the page presents itself.
    pub page: PageSettings,
    /// The images that it shows, by their hashes.
    pub images: BTreeMap<String, Image>,
    /// Headings, in page order.
    pub groups: Vec<GroupSpec>,
    /// Components, in page order.
    pub components: Vec<ComponentSpec>,
    /// Configured providers.
    pub integrations: Vec<IntegrationSpec>,
    /// Series, in page order.
    pub metrics: Vec<MetricSpec>,
    /// Subscribers that configuration made. Those who subscribed themselves are not here and never touched.
    pub subscribers: Vec<SubscriberSpec>,
    /// Maintenances that come back.
    pub maintenance_series: Vec<SeriesSpec>,
    /// What incidents may begin with.
    pub incident_templates: Vec<TemplateSpec>,
}

impl Desired {
    /// The fingerprints of all secrets: what `{ kept: … }` may refer to.
    #[must_use]
    pub fn secret_fingerprints(&self) -> BTreeSet<&str> {
        let of_integrations = self.integrations.iter().flat_map(|integration| &integration.secrets);
        let of_subscribers = self.subscribers.iter().filter_map(|subscriber| subscriber.secret.as_ref());
        of_integrations.chain(of_subscribers).map(|secret| secret.fingerprint.as_str()).collect()
    }
}

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// What refers to it.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// The key of the group it stands in.
    pub parent: Option<String>,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentSpec {
    /// What refers to it.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// One or two sentences for readers; may be empty.
    pub description: String,
    /// The key of its group.
    pub group: Option<String>,
    /// Whether readers may not see it.
    pub hidden: bool,
    /// How its sources add up, by the keys of their integrations.
    pub combine: Combine<String>,
    /// The keys of the components it depends on, and what their trouble means.
    pub depends_on: BTreeSet<Dependency<String>>,
}

/// A configured provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationSpec {
    /// What refers to it; the last part of its hook's path.
    pub key: String,
    /// The provider's slug.
    pub provider: String,
    /// Its name in the console.
    pub name: String,
    /// What the provider asks for; an object.
    pub settings: serde_json::Value,
    /// What senders prove themselves with. Any of them is accepted.
    pub secrets: Vec<Secret>,
    /// Whether it takes anything in.
    pub enabled: bool,
    /// After how long its silence is a signal; `None` for never.
    pub silent_after: Option<SilentAfter>,
    /// From signals to components, tried in this order.
    pub routes: Vec<RouteSpec>,
}

/// From signals to components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    /// An expression over `signal`.
    pub when: String,
    /// The keys of the components it speaks about.
    pub components: BTreeSet<String>,
    /// What a firing signal means for the components.
    pub status: StatusMap,
    /// How long a signal must fire before it counts.
    #[serde(rename = "for")]
    pub hold: Span,
    /// How long it counts on after it was resolved.
    pub keep_firing_for: Span,
    /// After how long without news it counts no more; zero for never.
    pub expire_after: Span,
    /// How long after it was resolved an incident is reopened instead of a new one opened.
    pub cool_off: Span,
    /// How far a machine's decision goes.
    pub publish: Publish,
    /// What else decides that.
    #[serde(default)]
    pub policy: Policy,
    /// A template for the incident's title, instead of the usual one.
    pub title: Option<String>,
    /// A template for the text of its first update, instead of the usual one.
    pub body: Option<String>,
    /// Where its numbers go.
    pub metric: Option<MetricFeed>,
}

impl Default for RouteSpec {
    fn default() -> Self {
        Self {
            when: DEFAULT_CONDITION.to_owned(),
            components: BTreeSet::new(),
            status: StatusMap::default(),
            hold: Span::ZERO,
            keep_firing_for: Span::ZERO,
            expire_after: Span::ZERO,
            cool_off: DEFAULT_COOL_OFF,
            publish: Publish::Draft,
            policy: Policy::default(),
            title: None,
            body: None,
            metric: None,
        }
    }
}

/// Where a route's numbers go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricFeed {
    /// The key of the metric.
    pub key: String,
    /// An expression over `signal` that gives the number.
    pub value: String,
}

/// A series of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// What refers to it.
    pub key: String,
    /// Its name on the page.
    pub name: String,
    /// The unit printed behind numbers; may be empty.
    pub unit: String,
}

/// A subscriber that configuration made. One per channel and address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberSpec {
    /// The way to reach it.
    pub channel: Channel,
    /// A mail address or a URL.
    pub address: String,
    /// What webhooks are signed with; mail has none.
    pub secret: Option<Secret>,
    /// The keys of the components it wants to hear of; `None` is all.
    pub components: Option<BTreeSet<String>>,
}

/// Maintenances that come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSpec {
    /// What refers to it.
    pub key: String,
    /// The title of its windows.
    pub title: String,
    /// Their text, Markdown; may be empty.
    pub body: String,
    /// When they are.
    pub schedule: Schedule,
    /// How long before each subscribers are told of it.
    pub announce: Span,
    /// The keys of the components that are under maintenance meanwhile.
    pub components: BTreeSet<String>,
}

/// What an incident may begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSpec {
    /// What refers to it.
    pub key: String,
    /// Its name in the console.
    pub name: String,
    /// A template for the incident's title.
    pub title: String,
    /// A template for its first text, Markdown; may be empty.
    pub body: String,
    /// Where the incident stands.
    pub status: IncidentStatus,
    /// The keys of the components that it affects, and how.
    pub components: BTreeMap<String, Status>,
}

/// A secret: compared by its fingerprint, which is keyed, so that it says nothing about the value to those without the key.
#[derive(Clone)]
pub struct Secret {
    /// The same for the same value on the same instance.
    pub fingerprint: String,
    /// The value; `None` means the stored secret that has this fingerprint.
    pub value: Option<SecretString>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.fingerprint)
    }
}

/// Where a configuration file says that a secret is.
#[derive(Clone, Debug)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(String),
    /// In the configuration file itself.
    Value(SecretString),
    /// In the database already, with this fingerprint.
    Kept(String),
}

/// Whether `text` can be a key: `[a-z0-9][a-z0-9_-]{0,63}`.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_KEY_CHARS
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'_' || byte == b'-')
}

/// A key made from a name; `None` if the name has no letter or digit that a key may have.
#[must_use]
pub fn key_from_name(name: &str) -> Option<String> {
    let mut key = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            key.push(c);
        } else if !key.is_empty() && !key.ends_with('-') {
            key.push('-');
        }
    }
    key.truncate(MAX_KEY_CHARS); // All ASCII.
    let key = key.trim_end_matches('-');
    (!key.is_empty()).then(|| key.to_owned())
}

/// Says for each desired route which current one it continues, so that what is known about the route lives on.
///
/// An equal route first, wherever it stands; then the one at the same place, if nothing else continues it.
#[must_use]
pub fn match_routes(current: &[RouteSpec], desired: &[RouteSpec]) -> Vec<Option<usize>> {
    let mut free = vec![true; current.len()];
    let mut matched = vec![None; desired.len()];
    // At the same place first, so that of several equal routes each continues itself.
    for (at, route) in desired.iter().enumerate() {
        if current.get(at) == Some(route) {
            (matched[at], free[at]) = (Some(at), false);
        }
    }
    for (at, route) in desired.iter().enumerate().filter(|(at, _)| current.get(*at) != desired.get(*at)) {
        if let Some(found) = (0..current.len()).find(|&i| free[i] && current[i] == *route) {
            (matched[at], free[found]) = (Some(found), false);
        }
    }
    for (at, place) in matched.iter_mut().enumerate() {
        if place.is_none() && free.get(at) == Some(&true) {
            (*place, free[at]) = (Some(at), false);
        }
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_plain() {
        for good in ["a", "0", "prod-alerts", "eu_west-1"] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "é", "a/b", &"a".repeat(65)] {
            assert!(!is_key(bad), "{bad}");
        }
    }

    #[test]
    fn a_name_gives_a_key() {
        for (name, key) in [("Platform", "platform"), ("EU – West (1)", "eu-west-1"), ("  x  ", "x"), ("API/v2", "api-v2")] {
            assert_eq!(key_from_name(name).as_deref(), Some(key));
        }
        assert_eq!(key_from_name("平台"), None);
        assert!(is_key(&key_from_name(&"long name ".repeat(20)).unwrap()));
    }

    #[test]
    fn a_route_continues_its_equal_and_else_its_place() {
        let route = |when: &str| RouteSpec { when: when.to_owned(), ..RouteSpec::default() };
        let current = [route("a"), route("b"), route("c")];
        assert_eq!(match_routes(&current, &current), [Some(0), Some(1), Some(2)]);
        assert_eq!(match_routes(&current, &[route("c"), route("a"), route("b")]), [Some(2), Some(0), Some(1)]);
        assert_eq!(match_routes(&current, &[route("new"), route("a"), route("c")]), [None, Some(0), Some(2)]);
        assert_eq!(match_routes(&current, &[route("a"), route("changed"), route("c"), route("d")]), [Some(0), Some(1), Some(2), None]);
        assert_eq!(match_routes(&[route("a"), route("a")], &[route("a"), route("a")]), [Some(0), Some(1)]);
        assert_eq!(match_routes(&[], &[route("a")]), [None]);
    }
}
