//! Integrations: providers, secrets and routes.

use domain::{
    DEFAULT_CONDITION, DEFAULT_COOL_OFF, DEFAULT_VALUE, IntegrationSpec, MAX_COMPONENTS, MAX_COOL_OFF, MAX_NAME_CHARS, MAX_ROUTES,
    MAX_SECRETS, MIN_SILENT_AFTER, MetricFeed, Publish, RouteSpec, Secret, SecretRef, Severity, SilentAfter, SilentAfterError, Span,
    Status, StatusMap,
};
use integrations::{PROVIDERS, Provider, Settings, SettingsError};
use secrecy::SecretString;

use crate::{
    Resolve, check,
    document::{Declared, own_key},
    policy,
    problem::{did_you_mean, quoted},
    reader::{At, Map, Unique},
    yaml::{self, Content},
};

/// The entry of a route's `status` for severities it does not list.
pub(crate) const OTHERWISE: &str = "default";

pub(crate) fn read(at: &At<'_>, keys: &mut Unique, declared: &Declared<'_>, resolve: Resolve<'_>) -> IntegrationSpec {
    let map = at.map(&["key", "provider", "name", "settings", "secrets", "enabled", "silent_after", "routes"]);
    let key = own_key(&map, keys);
    let provider = map.need("provider").and_then(|at| provider(&at));
    let settings = settings(&map, provider);
    let secrets = secrets(&map, provider, &settings, resolve);
    IntegrationSpec {
        name: map.get("name").map_or_else(|| key.clone(), |at| at.name(MAX_NAME_CHARS)),
        key,
        provider: provider.map_or_else(String::new, |provider| provider.slug.to_owned()),
        settings: settings.json().clone(),
        secrets,
        enabled: map.flag("enabled", true),
        silent_after: map.get_some("silent_after").and_then(|at| silent_after(&at, provider)),
        routes: map.list("routes", MAX_ROUTES).iter().map(|at| route(at, declared, provider)).collect(),
    }
}

fn provider(at: &At<'_>) -> Option<&'static Provider> {
    let slug = at.raw_text()?;
    let found = integrations::find(slug);
    if found.is_none() {
        let slugs = || PROVIDERS.iter().map(|provider| provider.slug);
        let meant = did_you_mean(slug, slugs());
        let hint = if meant.is_empty() { format!("; known are {}", slugs().collect::<Vec<_>>().join(", ")) } else { meant };
        at.refuse(format!("there is no provider {}{hint}", quoted(slug)));
    }
    found
}

fn settings(map: &Map<'_>, provider: Option<&Provider>) -> Settings {
    let Some(at) = map.get_some("settings") else {
        let json = serde_json::Value::Object(serde_json::Map::new());
        if let Some(error) = provider.and_then(|provider| (provider.check_settings)(&json).err()) {
            map.refuse(format!("`settings` are missing: {error}"));
        }
        return Settings::new(json);
    };
    let n_problems = at.report.len();
    let json = yaml::to_json(at.node, &at.path, at.report);
    // What is not even JSON, no provider needs to look at.
    if let Some(provider) = provider.filter(|_| at.report.len() == n_problems) {
        for error in provider.settings_problems(&json) {
            refuse_settings(&at, &error);
        }
    }
    Settings::new(json)
}

/// Reports what a provider says of its settings where it stands in the file.
fn refuse_settings(at: &At<'_>, error: &SettingsError) {
    let path = if error.path.is_empty() { at.path.clone() } else { format!("{}.{}", at.path, error.path) };
    let unknown = error.problem.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let Some((field, expected)) = unknown else {
        return at.report.add(yaml::find(at.node, &error.path).mark, &path, &error.problem);
    };
    let within = error.path.strip_suffix(field).map_or(error.path.as_str(), |path| path.trim_end_matches('.'));
    let place = yaml::find(at.node, within);
    let mark = match &place.content {
        Content::Map(entries) => entries.iter().find(|entry| entry.key == field).map_or(place.mark, |entry| entry.mark),
        _ => place.mark,
    };
    let hint = did_you_mean(field, expected.split('`').skip(1).step_by(2));
    at.report.add(mark, &path, format!("{}{hint}", error.problem));
}

fn secrets(map: &Map<'_>, provider: Option<&Provider>, settings: &Settings, resolve: Resolve<'_>) -> Vec<Secret> {
    let mut found: Vec<Secret> = Vec::new();
    for at in map.list("secrets", MAX_SECRETS) {
        let Some(secret) = secret(&at, resolve) else { continue };
        if found.contains(&secret) {
            at.refuse("this secret is already in the list");
            continue;
        }
        if let (Some(provider), Some(value)) = (provider, &secret.value) {
            // Settings that do not work have been reported as such.
            if let Some(error) =
                (provider.check_secret)(value, settings).err().filter(|_| (provider.check_settings)(settings.json()).is_ok())
            {
                at.refuse(format!("the secret {}", error.problem));
            }
        }
        found.push(secret);
    }
    found
}

/// A secret, by where it is. No message may hold it, or what stands where it might stand.
pub(crate) fn secret(at: &At<'_>, resolve: Resolve<'_>) -> Option<Secret> {
    let ways = ["env", "file", "value", "kept"];
    let map = at.map(&ways);
    if !matches!(at.node.content, Content::Map(_)) {
        return None;
    }
    let given: Vec<(&str, At<'_>)> = ways.iter().filter_map(|way| Some((*way, map.get(way)?))).collect();
    let [(way, place)] = given.as_slice() else {
        at.refuse("a secret has exactly one of `env`, `file`, `value` and `kept`");
        return None;
    };
    let text = place.raw_text()?.to_owned();
    if text.is_empty() {
        place.refuse("is empty");
        return None;
    }
    let reference = match *way {
        "env" => SecretRef::Env(text),
        "file" => SecretRef::File(text),
        "kept" => SecretRef::Kept(text),
        _ => SecretRef::Value(SecretString::from(text)),
    };
    resolve(&reference).map_err(|message| place.refuse(message)).ok()
}

const ROUTE_KEYS: [&str; 11] =
    ["when", "components", "status", "for", "keep_firing_for", "expire_after", "cool_off", "publish", "title", "body", "metric"];

fn route(at: &At<'_>, declared: &Declared<'_>, provider: Option<&Provider>) -> RouteSpec {
    let map = at.map(&[&ROUTE_KEYS[..], &policy::KEYS[..]].concat());
    let components = map.get("components");
    let metric = map.get_some("metric");
    if components.is_none() && metric.is_none() && matches!(at.node.content, Content::Map(_)) {
        at.refuse("a route needs `components`, a `metric`, or both");
    }
    let publish = map.get("publish").and_then(|at| at.choice("a policy", &names(Publish::ALL, Publish::as_str))).unwrap_or_default();
    RouteSpec {
        when: map.get("when").map_or_else(|| DEFAULT_CONDITION.to_owned(), |at| check::expression(&at)),
        components: components.map(|at| at.references("component", &declared.components, MAX_COMPONENTS)).unwrap_or_default(),
        status: map.get("status").map_or_else(StatusMap::default, |at| statuses(&at)),
        hold: map.span("for", Span::ZERO),
        keep_firing_for: map.span("keep_firing_for", Span::ZERO),
        expire_after: expire_after(&map, provider),
        cool_off: cool_off(&map),
        publish,
        policy: policy::read(&map, publish),
        title: map.get_some("title").map(|at| check::template(&at)),
        body: map.get_some("body").map(|at| check::template(&at)),
        metric: metric.map(|at| metric_feed(&at, declared)),
    }
}

fn silent_after(at: &At<'_>, provider: Option<&Provider>) -> Option<SilentAfter> {
    let read = at.raw_text()?.parse().map_err(|error: SilentAfterError| at.refuse(error.to_string()));
    let silent_after: SilentAfter = read.ok()?;
    if !silent_after.is_sensible() {
        at.refuse(format!("{silent_after} is less than {MIN_SILENT_AFTER}"));
    } else if let Some(why) = provider.and_then(Provider::refuses_silence) {
        at.refuse(why);
    }
    Some(silent_after)
}

fn expire_after(map: &Map<'_>, provider: Option<&Provider>) -> Span {
    let Some(at) = map.get("expire_after") else { return Span::ZERO };
    let span = at.span();
    if let Some(why) = provider.and_then(Provider::refuses_expiry).filter(|_| span > Span::ZERO) {
        at.refuse(why);
    }
    span
}

fn cool_off(map: &Map<'_>) -> Span {
    let Some(at) = map.get("cool_off") else { return DEFAULT_COOL_OFF };
    let span = at.span();
    if span > MAX_COOL_OFF {
        at.refuse(format!("{span} is more than {MAX_COOL_OFF}, the longest time that resolved incidents are reopened"));
    }
    span
}

fn metric_feed(at: &At<'_>, declared: &Declared<'_>) -> MetricFeed {
    let map = at.map(&["key", "value"]);
    MetricFeed {
        key: map.need("key").and_then(|at| at.reference("metric", &declared.metrics)).unwrap_or_default(),
        value: map.get("value").map_or_else(|| DEFAULT_VALUE.to_owned(), |at| check::expression(&at)),
    }
}

fn statuses(at: &At<'_>) -> StatusMap {
    let mut known = names(Severity::ALL, Severity::as_str);
    known.push(OTHERWISE);
    let map = at.map(&known);
    let allowed = names(Status::ALL, Status::as_str);
    let mut found = StatusMap { named: std::collections::BTreeMap::new(), default: None };
    for entry in map.entries() {
        let Some(status) = map.get(&entry.key).and_then(|at| at.choice("a status", &allowed)) else { continue };
        if entry.key == OTHERWISE {
            found.default = Some(status);
        } else if let Ok(severity) = entry.key.parse() {
            found.named.insert(severity, status);
        }
    }
    found
}

pub(crate) fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| name(*value)).collect()
}
