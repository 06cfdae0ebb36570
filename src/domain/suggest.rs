//! Suggestions: routes made from what a sender said, for somebody to look at and take.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Expression, RouteSpec, Severity, Signal, SignalState, key_from_name};

/// The most suggestions made at once.
pub const MAX_SUGGESTIONS: usize = 20;
/// A label with more values than this names events, not parts of a system.
const MAX_VALUES: usize = 50;
/// A longer value is a text and not a name, in characters.
const MAX_VALUE_CHARS: usize = 80;
/// Where a part of a system is usually named, best first.
const USUAL_LABELS: [&str; 14] = [
    "service",
    "service_name",
    "app",
    "application",
    "component",
    "site",
    "project",
    "repository",
    "job",
    "monitor",
    "check",
    "host",
    "alertname",
    "name",
];
/// What says how bad it is, which is the status map's business.
const LOUDNESS: [&str; 7] = ["severity", "priority", "level", "urgency", "criticality", "status", "state"];
/// What is another one with every start of a process, every run or every event.
const FLEETING: [&str; 16] = [
    "id",
    "uid",
    "uuid",
    "fingerprint",
    "instance",
    "pod",
    "pod_name",
    "replica",
    "time",
    "timestamp",
    "date",
    "ip",
    "sha",
    "commit",
    "url",
    "run_number",
];

/// Something that a route can speak about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What refers to it.
    pub key: String,
    /// Its name on the page.
    pub name: String,
}

/// A route that would take up some of the signals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// As it can be stored, once [`Suggestion::missing`] is there.
    pub route: RouteSpec,
    /// What speaks for it, in one sentence.
    pub why: String,
    /// The places of the signals it takes.
    pub signals: Vec<usize>,
    /// The severities that such signals had, loudest first.
    pub severities: Vec<Severity>,
    /// The component to add before, if there is none that fits.
    pub missing: Option<Target>,
}

/// Makes routes from `signals`. `seen` is what the same sender said before: a label whose value changes for the same thing tells nothing
/// apart. `components` is what there is on the page.
#[must_use]
pub fn suggest(signals: &[Signal], seen: &[Signal], components: &[Target]) -> Vec<Suggestion> {
    let pool: Vec<&Signal> = signals.iter().chain(seen).filter(|signal| is_news(signal)).collect();
    let marks = marks(&pool);
    let mut found: BTreeMap<(Rank, String), Suggestion> = BTreeMap::new();
    for signal in signals.iter().filter(|signal| is_news(signal)) {
        let Some((rank, mark, value, target)) = best(signal, &marks, components) else { continue };
        let when = mark.condition(value);
        if found.len() >= MAX_SUGGESTIONS || Expression::compile(&when).is_err() {
            continue;
        }
        found.entry((rank, when.clone())).or_insert_with(|| {
            let (why, missing, key) = match target {
                Some(target) => (format!("`{}` resembles the component {}", cut(value), target.name), None, target.key.clone()),
                None => {
                    let Some(key) = key_from_name(value) else { return nothing() };
                    let missing = Target { key: key.clone(), name: value.to_owned() };
                    (format!("{} tells things apart, and no component resembles `{}`", mark.words(), cut(value)), Some(missing), key)
                }
            };
            let severities = severities(&pool, mark, value);
            let why = if severities == [Severity::Unknown] {
                format!("{why}; the sender names no severity, so say in `status.unknown` what such a signal means")
            } else {
                why
            };
            let route = RouteSpec { when, components: BTreeSet::from([key]), ..RouteSpec::default() };
            let places = signals.iter().enumerate().filter(|(_, signal)| is_news(signal) && mark.of(signal) == Some(value));
            Suggestion { route, why, signals: places.map(|(i, _)| i).collect(), severities, missing }
        });
    }
    found.into_values().filter(|suggestion| !suggestion.route.components.is_empty()).collect()
}

/// For a value that no key can be made from.
fn nothing() -> Suggestion {
    Suggestion { route: RouteSpec::default(), why: String::new(), signals: Vec::new(), severities: Vec::new(), missing: None }
}

fn is_news(signal: &Signal) -> bool {
    signal.state != SignalState::Sample && !signal.is_unreadable() && !(signal.whole_group && signal.labels.is_empty())
}

/// Where signals say which thing they are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Label(String),
    Subject,
}

/// How good a suggestion is: the least is the best.
type Rank = (u8, usize, usize);

impl Mark {
    fn of<'s>(&self, signal: &'s Signal) -> Option<&'s str> {
        match self {
            Self::Label(name) => signal.labels.get(name).map(String::as_str),
            Self::Subject => Some(&signal.subject),
        }
    }

    fn condition(&self, value: &str) -> String {
        // The language escapes texts as JSON does.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Label(name) if is_word(name) => format!("signal.labels.{name} == {}", quoted(value)),
            Self::Label(name) => format!("signal.labels[{}] == {}", quoted(name), quoted(value)),
            Self::Subject => format!("signal.subject == {}", quoted(value)),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Label(name) => format!("The label `{}`", cut(name)),
            Self::Subject => "The subject".to_owned(),
        }
    }

    fn place(&self) -> usize {
        match self {
            Self::Label(name) => USUAL_LABELS.iter().position(|usual| usual == name).unwrap_or(USUAL_LABELS.len()),
            Self::Subject => USUAL_LABELS.len() + 1,
        }
    }
}

/// The marks that tell things apart, each with how many values it has.
fn marks(pool: &[&Signal]) -> Vec<(Mark, usize)> {
    let names: BTreeSet<&String> = pool.iter().flat_map(|signal| signal.labels.keys()).filter(|name| !says_nothing(name)).collect();
    let marks = names.into_iter().map(|name| Mark::Label(name.clone())).chain([Mark::Subject]);
    marks.filter_map(|mark| n_values(pool, &mark).map(|n| (mark, n))).collect()
}

fn says_nothing(name: &str) -> bool {
    let name = name.to_lowercase();
    LOUDNESS.contains(&name.as_str())
        || FLEETING.contains(&name.as_str())
        || ["_id", "_url", "_at", "_time"].iter().any(|end| name.ends_with(end))
}

/// How many values a mark has, if they are names, few, and always the same for the same thing.
fn n_values(pool: &[&Signal], mark: &Mark) -> Option<usize> {
    let mut values: BTreeSet<&str> = BTreeSet::new();
    let mut of_thing: BTreeMap<&str, &str> = BTreeMap::new();
    for signal in pool {
        let Some(value) = mark.of(signal) else { continue };
        let is_same = *of_thing.entry(&signal.fingerprint).or_insert(value) == value;
        values.insert(value);
        if !is_same || !is_name(value) || values.len() > MAX_VALUES {
            return None;
        }
    }
    (!values.is_empty()).then_some(values.len())
}

/// Whether a value can be the name of something: neither a number, a time or an address, nor an id.
fn is_name(value: &str) -> bool {
    let n_chars = value.chars().count();
    let n_digits = value.chars().filter(char::is_ascii_digit).count();
    let is_hex = n_chars >= 12 && n_digits > 0 && value.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    (1..=MAX_VALUE_CHARS).contains(&n_chars)
        && !value.contains(char::is_control)
        && !value.contains("://")
        && value.contains(char::is_alphabetic)
        && n_digits * 2 < n_chars
        && !is_hex
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The best way to say which thing a signal is about: one that a component resembles, else the one that tells most apart.
fn best<'a>(
    signal: &'a Signal,
    marks: &'a [(Mark, usize)],
    components: &'a [Target],
) -> Option<(Rank, &'a Mark, &'a str, Option<&'a Target>)> {
    let here = || marks.iter().filter_map(|(mark, n)| Some((mark, *n, mark.of(signal)?)));
    let resembling = here().flat_map(|(mark, _, value)| {
        components.iter().filter_map(move |target| {
            let (closeness, n_missing) = resembles(value, target)?;
            Some(((closeness, mark.place(), n_missing), mark, value, Some(target)))
        })
    });
    // A label that has one value everywhere tells nothing apart; if nothing does, a usual one is as good as any.
    let telling = here().map(|(mark, n, value)| ((if n > 1 { 2 } else { 3 }, mark.place(), usize::MAX - n), mark, value, None));
    let rank = |found: &(Rank, &Mark, &str, Option<&Target>)| found.0;
    resembling.min_by_key(rank).or_else(|| telling.min_by_key(rank))
}

/// How closely a value resembles a component, 0 being equal, and how many words of it the component does not have.
fn resembles(value: &str, target: &Target) -> Option<(u8, usize)> {
    let spoken = words(value);
    let of = |text: &str| {
        let wanted = words(text);
        let is_part = !wanted.is_empty() && wanted.iter().all(|word| spoken.contains(word));
        is_part.then(|| (u8::from(wanted.len() != spoken.len()), spoken.len() - wanted.len()))
    };
    of(&target.key).into_iter().chain(of(&target.name)).min()
}

/// The words of a name, whichever way they are joined: `payments-api`, `Payments API`, `PaymentsApi`.
fn words(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            found.insert(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    found.insert(word);
    found.remove("");
    found
}

fn severities(pool: &[&Signal], mark: &Mark, value: &str) -> Vec<Severity> {
    let firing = pool.iter().filter(|signal| signal.state == SignalState::Firing && mark.of(signal) == Some(value));
    let found: BTreeSet<Severity> = firing.map(|signal| signal.severity).collect();
    found.into_iter().rev().collect()
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_VALUE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, to_value};

    fn signal(fingerprint: &str, labels: &[(&str, &str)]) -> Signal {
        let mut signal = Signal::new(fingerprint, SignalState::Firing, "HighErrorRate", Timestamp(0));
        signal.severity = Severity::Critical;
        signal.labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        signal
    }

    fn target(key: &str, name: &str) -> Target {
        Target { key: key.to_owned(), name: name.to_owned() }
    }

    fn made(suggestions: &[Suggestion]) -> Vec<(&str, &str)> {
        suggestions.iter().map(|made| (made.route.when.as_str(), made.route.components.first().unwrap().as_str())).collect()
    }

    #[test]
    fn a_label_that_resembles_a_component_becomes_a_route_that_takes_its_signals() {
        let signals = [
            signal("a", &[("service", "payments-api"), ("severity", "critical"), ("instance", "10.0.0.7:9100")]),
            signal("b", &[("service", "web"), ("severity", "critical")]),
        ];
        let components = [target("payments", "Payments API"), target("site", "Web"), target("api", "API")];
        let suggestions = suggest(&signals, &[], &components);
        assert_eq!(
            made(&suggestions),
            [(r#"signal.labels.service == "payments-api""#, "payments"), (r#"signal.labels.service == "web""#, "site")]
        );
        assert_eq!((&suggestions[0].severities, &suggestions[0].missing), (&vec![Severity::Critical], &None));
        for suggestion in &suggestions {
            let condition = Expression::compile(&suggestion.route.when).unwrap();
            let taken: Vec<usize> =
                (0..2).filter(|i| condition.is_true(&to_value(&serde_json::json!({ "signal": signals[*i] }))).unwrap()).collect();
            assert_eq!(taken, suggestion.signals);
        }
    }

    #[test]
    fn what_changes_with_every_event_tells_nothing_apart() {
        let run = |fingerprint, build: &str, region: &str| {
            signal(fingerprint, &[("build_no", build), ("region", region), ("started", "2026-05-28T20:26:40Z")])
        };
        let (signals, seen) = ([run("a", "blue-x", "eu-west-1")], [run("a", "green-y", "eu-west-1"), run("b", "red-z", "us-east-2")]);
        let suggestions = suggest(&signals, &seen, &[]);
        assert_eq!(made(&suggestions), [(r#"signal.labels.region == "eu-west-1""#, "eu-west-1")]);
        assert_eq!(suggestions[0].missing, Some(target("eu-west-1", "eu-west-1")));
        let many: Vec<Signal> = (0..60).map(|i| signal(&format!("f{i}"), &[("customer", &format!("customer-x{i}"))])).collect();
        assert_eq!(made(&suggest(&many, &[], &[])), [(r#"signal.subject == "HighErrorRate""#, "higherrorrate")]);
    }

    #[test]
    fn ids_numbers_times_and_addresses_are_no_names() {
        for name in ["api", "eu-west-1", "Payments API", "ApiDown", "平台", "db-3.internal"] {
            assert!(is_name(name), "{name}");
        }
        for other in [
            "",
            "17",
            "2026-05-28T20:26:40Z",
            "10.0.0.7:9100",
            "https://x.example",
            "6f1a52b7-0000-4000-8000-00000000abcd",
            "deadbeefcafe1234",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn odd_labels_and_values_are_quoted() {
        let odd = signal("a", &[("app.kubernetes.io/name", "my \"api\" \\ 1")]);
        let suggestions = suggest(std::slice::from_ref(&odd), &[], &[target("api", "My API")]);
        let condition = Expression::compile(&suggestions[0].route.when).unwrap();
        assert_eq!(condition.is_true(&to_value(&serde_json::json!({ "signal": odd }))), Ok(true));
    }

    #[test]
    fn a_sender_without_severities_is_told_what_to_say() {
        let quiet = Signal { severity: Severity::Unknown, ..signal("a", &[("service", "api")]) };
        let suggestions = suggest(&[quiet], &[], &[target("api", "API")]);
        assert!(suggestions[0].why.contains("`status.unknown`"), "{}", suggestions[0].why);
        let sample = Signal { state: SignalState::Sample, ..signal("a", &[("service", "api")]) };
        assert!(suggest(&[sample, Signal::unreadable("gone", Timestamp(0))], &[], &[]).is_empty());
    }
}
