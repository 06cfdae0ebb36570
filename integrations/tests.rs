//! Every provider over its fixtures, and the folder of every provider.
//!
//! A fixture is `<provider>/fixtures/<case>.json` (a body) or `<case>.http` (headers, an empty line, a body); beside it stands
//! `<case>.expected`, and `<case>.settings.json` where the case has settings of its own, else `settings.json` serves. A new case is a new
//! file and no code: `UPDATE=1 cargo test -p integrations` writes what is expected, for you to read and judge.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use domain::{SignalState, Timestamp};
use proptest::{prelude::*, sample::Index};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{Inbound, PROVIDERS, Provider, Settings, parse, poll::Ask};

/// When every fixture arrives.
const RECEIVED_AT: &str = "2026-03-01T12:00:00Z";

pub(crate) struct Fixture {
    pub(crate) path: PathBuf,
    settings_path: Option<PathBuf>,
    pub(crate) settings: Settings,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Fixture {
    fn read(path: PathBuf) -> Self {
        let bytes = fs::read(&path).unwrap();
        let (headers, body) = if path.extension().is_some_and(|extension| extension == "http") {
            let at = bytes.windows(2).position(|pair| pair == b"\n\n").expect("headers, an empty line, a body");
            let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).unwrap();
            (str::from_utf8(&bytes[..at]).unwrap().lines().map(header).collect(), bytes[at + 2..].to_vec())
        } else {
            (vec![("content-type".to_owned(), "application/json".to_owned())], bytes)
        };
        let settings_path =
            [path.with_extension("settings.json"), path.with_file_name("settings.json")].into_iter().find(|path| path.exists());
        let settings = settings_path.as_ref().map_or(Value::Null, |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
        Self { path, settings_path, settings: Settings::new(settings), headers, body }
    }

    pub(crate) fn inbound<'a>(&'a self, body: &'a [u8]) -> Inbound<'a> {
        Inbound { headers: &self.headers, path_token: None, body, received_at: Timestamp::parse(RECEIVED_AT).unwrap() }
    }

    /// What the provider makes of the fixture, as text.
    fn outcome(&self, provider: &Provider) -> String {
        let inbound = self.inbound(&self.body);
        let id = (provider.delivery_id)(&inbound, &self.settings).map_or_else(|| "none".to_owned(), |id| format!("`{id}`"));
        let result = match parse(provider.slug, &inbound, &self.settings) {
            Ok(signals) => serde_json::to_string_pretty(&signals).unwrap(),
            Err(error) => format!("quarantined: {error}"),
        };
        format!("delivery id: {id}\n{result}\n")
    }
}

pub(crate) fn folder(slug: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(slug)
}

/// Read once: the property tests ask often.
pub(crate) fn all_fixtures() -> &'static [(&'static Provider, Vec<Fixture>)] {
    static ALL: LazyLock<Vec<(&Provider, Vec<Fixture>)>> =
        LazyLock::new(|| PROVIDERS.iter().map(|provider| (*provider, fixtures(provider.slug))).collect());
    &ALL
}

fn fixtures(slug: &str) -> Vec<Fixture> {
    let entries = fs::read_dir(folder(slug).join("fixtures")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        (name.ends_with(".json") || name.ends_with(".http")) && !name.ends_with("settings.json")
    });
    paths.sort();
    paths.into_iter().map(Fixture::read).collect()
}

#[test]
fn fixtures_parse_to_what_is_expected() {
    for (provider, fixtures) in all_fixtures() {
        for fixture in fixtures {
            assert_eq!((provider.check_settings)(fixture.settings.json()), Ok(()), "{}", fixture.path.display());
            check(&fixture.path.with_extension("expected"), &fixture.outcome(provider));
        }
    }
}

/// What a polled provider asks for is expected in `<settings file>.request`, or in `default.request` where it has no settings.
#[test]
fn polled_providers_ask_for_what_is_expected() {
    // Some want two keys at once.
    let [one, two] = ["new-key", "api-key:application-key"].map(|newest| [SecretString::from("old-key"), SecretString::from(newest)]);
    for (provider, fixtures) in all_fixtures() {
        let Some(poll) = &provider.poll else { continue };
        let files: BTreeSet<&PathBuf> = fixtures.iter().filter_map(|fixture| fixture.settings_path.as_ref()).collect();
        let default = folder(provider.slug).join("fixtures/default.json");
        let files = if files.is_empty() { BTreeSet::from([&default]) } else { files };
        for path in files {
            let settings = Settings::new(fs::read(path).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap()));
            let poll = match poll {
                Ask::Source(poll) => poll,
                Ask::Check(done) => {
                    check(&path.with_extension("request"), &format!("{:#?}\n", (done.probe)(&settings, &one).unwrap()));
                    continue;
                }
            };
            let request = (poll.request)(&settings, &one).or_else(|_| (poll.request)(&settings, &two)).unwrap();
            let verb = if request.body.is_some() { "POST" } else { "GET" };
            let mut text = format!("{verb} {}\n", request.url);
            for (name, value) in &request.headers {
                text.push_str(&format!("{name}: {}\n", value.expose_secret()));
            }
            text.push_str(&request.body.map(|body| format!("\n{}\n", String::from_utf8(body).unwrap())).unwrap_or_default());
            check(&path.with_extension("request"), &text);
        }
    }
}

/// Compares with the file, or writes it for somebody to read.
pub(crate) fn check(file: &Path, text: &str) {
    if env::var_os("UPDATE").is_some() {
        fs::write(file, text).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_else(|_| panic!("{} is missing: UPDATE=1 writes it", file.display()));
    assert_eq!(text, expected, "{}", file.display());
}

/// Lists show many of them at once.
const MAX_LOGO_BYTES: usize = 2 << 10;

#[test]
fn every_provider_folder_is_registered_and_complete() {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let slugs: Vec<&str> = PROVIDERS.iter().map(|provider| provider.slug).collect();
    assert!(slugs.is_sorted(), "PROVIDERS is in alphabetical order");
    assert_eq!(folders, slugs.iter().map(|slug| (*slug).to_owned()).collect());
    for provider in PROVIDERS {
        let folder = folder(provider.slug);
        assert!(folder.join("logo.svg").exists(), "{} lacks its logo", provider.slug);
        let logo = provider.logo;
        assert!(
            logo.starts_with("<svg ") && logo.len() <= MAX_LOGO_BYTES && !logo.contains("<script"),
            "{}: not a small SVG",
            provider.slug
        );
        // One that is asked needs no address of ours, and one that is verified with a document needs no secret.
        let (asked, secretless) = (provider.poll.is_some(), provider.quirks.document.is_some());
        assert!(asked || provider.setup.contains("{{ url }}"), "{} lacks its guide", provider.slug);
        assert!(asked || secretless || provider.setup.contains("{{ secret }}"), "{} lacks its guide", provider.slug);
        assert!(fixtures(provider.slug).len() >= 5, "{} lacks fixtures", provider.slug);
    }
}

/// For each provider, a fixture in which something breaks and one in which the same thing heals later.
const BREAKS_AND_HEALS: &[(&str, &str, &str)] = &[
    ("alertmanager", "firing", "resolved"),
    ("aws_eventbridge", "alarm", "ok"),
    ("aws_eventbridge", "health_open", "health_closed"),
    ("aws_sns", "alarm", "ok"),
    ("azure_monitor", "metric_fired", "metric_resolved"),
    ("better_stack", "started", "resolved"),
    ("checkly", "failure", "recovery"),
    ("gatus", "triggered", "resolved"),
    ("google_cloud_monitoring", "open", "closed"),
    ("healthchecks", "down", "up"),
    ("heartbeat", "missed", "success_late"),
    ("honeycomb", "triggered", "ok"),
    ("icinga", "service_critical", "service_recovery"),
    ("instatus_webhook", "component_majoroutage", "component_operational"),
    ("new_relic", "activated", "closed"),
    ("opsgenie", "create", "close"),
    ("pingdom", "down", "up"),
    ("statuscake", "down", "up"),
    ("statuspage_webhook", "component_major_outage", "component_operational"),
    ("uptime_kuma", "down", "up"),
    ("uptimerobot", "down", "up"),
    ("zabbix", "problem", "recovery"),
];

#[test]
fn what_heals_is_what_broke_and_not_earlier() {
    for (slug, breaks, heals) in BREAKS_AND_HEALS {
        let (_, fixtures) = all_fixtures().iter().find(|(provider, _)| provider.slug == *slug).unwrap();
        let signal = |case: &str| {
            let fixture = fixtures.iter().find(|fixture| fixture.path.file_stem().unwrap() == case).unwrap();
            parse(slug, &fixture.inbound(&fixture.body), &fixture.settings).unwrap().remove(0)
        };
        let (broken, healed) = (signal(breaks), signal(heals));
        assert_eq!((broken.state, healed.state), (SignalState::Firing, SignalState::Resolved), "{slug}");
        assert_eq!(broken.fingerprint, healed.fingerprint, "{slug}");
        assert!(broken.occurred_at <= healed.occurred_at, "{slug}: the recovery would be taken for late");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_bytes_make_a_provider_panic(body in prop::collection::vec(any::<u8>(), 0..512)) {
        for (provider, fixtures) in all_fixtures() {
            let fixture = &fixtures[0];
            let _ = parse(provider.slug, &fixture.inbound(&body), &fixture.settings);
            let _ = (provider.delivery_id)(&fixture.inbound(&body), &fixture.settings);
        }
    }

    #[test]
    fn no_damaged_fixture_makes_a_provider_panic(
        which in any::<Index>(),
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        for (provider, fixtures) in all_fixtures() {
            let fixture = &fixtures[which.index(fixtures.len())];
            let mut body = fixture.body.clone();
            if body.is_empty() {
                continue;
            }
            for (at, byte) in &edits {
                let at = at.index(body.len());
                // Mostly characters that mean something in JSON, so that the damage gets past the parser.
                body[at] = if byte % 2 == 0 { b"{}[]\",:0-ntf\\ "[usize::from(byte / 2) % 14] } else { *byte };
            }
            let _ = parse(provider.slug, &fixture.inbound(&body), &fixture.settings);
            body.truncate(cut.index(body.len()));
            let _ = parse(provider.slug, &fixture.inbound(&body), &fixture.settings);
        }
    }

    #[test]
    fn no_document_with_other_values_makes_a_provider_panic(which in any::<Index>(), at in any::<Index>(), value in any_json()) {
        for (provider, fixtures) in all_fixtures() {
            let fixture = &fixtures[which.index(fixtures.len())];
            let Ok(mut document) = serde_json::from_slice::<Value>(&fixture.body) else { continue };
            let places = count(&document);
            replace(&mut document, &mut at.index(places), &value);
            let _ = parse(provider.slug, &fixture.inbound(document.to_string().as_bytes()), &fixture.settings);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[0-9]{1,20}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// How many values there are in `document`, itself included.
pub(crate) fn count(document: &Value) -> usize {
    1 + match document {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Puts `value` where `left` reaches zero.
pub(crate) fn replace(document: &mut Value, left: &mut usize, value: &Value) {
    if *left == 0 {
        *document = value.clone();
    }
    *left = left.wrapping_sub(1);
    match document {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, left, value)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, left, value)),
        _ => {}
    }
}
