use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Brand, Channel, Combine, ComponentSpec, DayTime, Dependency, Desired, Effect, Flapping, GroupSpec, Image, IncidentStatus,
    IntegrationSpec, MAX_FOOTER_LINKS, MAX_HEADER_LINKS, MetricFeed, MetricSpec, PageLink, PageSettings, Policy, Publish, PublishHours,
    RouteSpec, Schedule, Secret, SeriesSpec, Severity, SilentAfter, Span, Status, StatusMap, SubscriberSpec, THRESHOLD_STATUSES,
    TemplateSpec, Weekday,
};
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Map, Value, json};

use super::read;
use crate::{diff, export};

/// Texts that try to be taken for something else.
fn nasty() -> impl Strategy<Value = String> {
    let words = [
        "yes",
        "null",
        "~",
        "1.5",
        "- a",
        "a: b",
        "#x",
        "{a}",
        "'",
        "\"",
        "\\n",
        "*a",
        "&a",
        "!t",
        "%x",
        "é\u{a0}",
        "\u{feff}x",
        "=",
        "<<",
    ];
    prop_oneof![
        select(words.to_vec()).prop_map(str::to_owned),
        "[ -~éß日\u{2028}]{1,20}".prop_filter("shows nothing", |t| !t.trim().is_empty())
    ]
}

fn lines() -> impl Strategy<Value = String> {
    vec(nasty(), 0..3).prop_map(|lines| lines.join("\n"))
}

fn keys(max: usize) -> impl Strategy<Value = BTreeSet<String>> {
    btree_set("[a-z0-9][a-z0-9_-]{0,6}", 0..max)
}

fn fingerprint() -> impl Strategy<Value = Secret> {
    "[0-9a-f]{4,8}".prop_filter("not stored", |f| f != "0000").prop_map(|fingerprint| Secret { fingerprint, value: None })
}

fn statuses() -> impl Strategy<Value = StatusMap> {
    let map = btree_map(select(Severity::ALL.to_vec()), select(Status::ALL.to_vec()), 0..5);
    prop_oneof![
        Just(StatusMap::default()),
        (map, option::of(select(Status::ALL.to_vec()))).prop_map(|(named, default)| StatusMap { named, default })
    ]
}

fn some_of(keys: &BTreeSet<String>) -> impl Strategy<Value = BTreeSet<String>> + use<> {
    let keys: Vec<String> = keys.iter().cloned().collect();
    let n = keys.len();
    subsequence(keys, 0..=n).prop_map(|keys| keys.into_iter().collect())
}

fn one_of(keys: &BTreeSet<String>) -> BoxedStrategy<Option<String>> {
    if keys.is_empty() { Just(None).boxed() } else { option::of(select(keys.iter().cloned().collect::<Vec<_>>())).boxed() }
}

fn policy() -> impl Strategy<Value = Policy> {
    let time = select(vec!["00:00", "08:00", "18:30"]).prop_map(|text| text.parse::<DayTime>().unwrap());
    let hours = (btree_set(select(Weekday::ALL.to_vec()), 1..7), time.clone(), time, any::<bool>())
        .prop_map(|(days, from, to, outside)| PublishHours { days, from, to, outside });
    let flapping = (3..50_u8, select(vec![1_000_i64, 90_000]), select(vec![1_000_i64, 90_000]))
        .prop_map(|(changes, within, calm)| Flapping { changes, within: Span(within), calm: Span(calm) });
    let severity = select(Severity::ALL[1..].to_vec());
    (select(vec![0_i64, 300_000, 86_400_000]), option::of(hours), option::of(severity), option::of(flapping)).prop_map(
        |(publish_after, publish_hours, minimum_severity, flapping)| Policy {
            publish_after: Span(publish_after),
            publish_hours,
            minimum_severity,
            flapping,
        },
    )
}

fn route(components: &BTreeSet<String>, metrics: &BTreeSet<String>) -> impl Strategy<Value = RouteSpec> + use<> {
    let spans = [0_i64, 1, 1_000, 90_000, 3_600_000, 86_399_999].map(Span).to_vec();
    let conditions = ["true", "signal.value > 3", "signal.labels.a == \"b: c\"", "'#' in signal.subject"];
    let templates = ["{{ signal.subject }}: {{ status }}", "two\nlines", "  {{ components }}  "];
    let feed = (one_of(metrics), select(vec!["signal.value", "signal.value * 2"]))
        .prop_map(|(key, value)| key.map(|key| MetricFeed { key, value: value.to_owned() }));
    let texts = (option::of(select(templates.to_vec())), option::of(select(templates.to_vec())));
    let times = (select(spans.clone()), select(spans.clone()), select(spans.clone()), select(spans));
    (select(conditions.to_vec()), some_of(components), statuses(), times, (select(Publish::ALL.to_vec()), policy()), texts, feed).prop_map(
        |(when, components, status, (hold, keep_firing_for, expire_after, cool_off), (publish, policy), (title, body), metric)| RouteSpec {
            when: when.to_owned(),
            components,
            status,
            hold,
            keep_firing_for,
            expire_after,
            cool_off,
            publish,
            policy: if publish == Publish::Auto { policy } else { Policy { publish_after: Span::ZERO, publish_hours: None, ..policy } },
            title: title.map(str::to_owned),
            body: body.map(str::to_owned),
            metric,
        },
    )
}

/// Weights come later, when there is something to weigh.
fn combine() -> impl Strategy<Value = Combine<String>> {
    let thresholds = subsequence(THRESHOLD_STATUSES.to_vec(), 0..=3)
        .prop_map(|statuses| statuses.into_iter().enumerate().map(|(i, status)| (status, i as u32 + 1)).collect());
    prop_oneof![
        3 => Just(Combine::Worst),
        1 => (1..1_000_u32).prop_map(Combine::Quorum),
        1 => thresholds.prop_map(|thresholds| Combine::Weighted { weights: BTreeMap::new(), thresholds }),
    ]
}

fn weigh(components: &mut [ComponentSpec], all: &[IntegrationSpec]) {
    for component in components {
        if let Combine::Weighted { weights, .. } = &mut component.combine {
            weights.extend(all.iter().zip([0, 1, 1_000]).map(|(integration, weight)| (integration.key.clone(), weight)));
        }
    }
}

/// Series whose texts try to be taken for something else.
fn series() -> Vec<SeriesSpec> {
    let one = |key: &str, rule: &str, title: &str, announce: i64| SeriesSpec {
        key: key.to_owned(),
        title: title.to_owned(),
        body: "a: b\n- c".to_owned(),
        schedule: Schedule {
            starts_at: "2026-12-01T02:00".parse().unwrap(),
            duration: Span::mins(90),
            rule: rule.parse().unwrap(),
            except: ["2026-12-08".parse().unwrap()].into(),
        },
        announce: Span::mins(announce),
        components: BTreeSet::new(),
    };
    vec![one("a", "FREQ=WEEKLY;BYDAY=TU", "no", 0), one("b", "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20281231", "1.5", 24 * 60)]
}

/// Templates whose texts try to be taken for something else, about some components.
fn templates(components: &BTreeSet<String>) -> impl Strategy<Value = Vec<TemplateSpec>> + use<> {
    let titles = ["{{ components }}: {{ status }}", "no", "1.5", "{% if signal %}- a{% endif %}x"];
    let status = select(vec![IncidentStatus::Investigating, IncidentStatus::Identified, IncidentStatus::Monitoring]);
    let one = (nasty(), select(titles.to_vec()), select(vec!["", "a: b\n- {{ signal.subject }}"]), status, some_of(components));
    vec(one, 0..3).prop_map(|list| {
        let spec = |(i, (name, title, body, status, components)): (usize, (String, &str, &str, _, BTreeSet<String>))| TemplateSpec {
            key: format!("t{i}"),
            name,
            title: title.to_owned(),
            body: body.to_owned(),
            status,
            components: components.into_iter().zip(Status::ALL.iter().copied().cycle()).collect(),
        };
        list.into_iter().enumerate().map(spec).collect()
    })
}

fn depends_on(keys: &[String]) -> impl Strategy<Value = BTreeSet<Dependency<String>>> + use<> {
    let spans = [Span::ZERO, domain::DEFAULT_SETTLE, Span::mins(90)].to_vec();
    let n = keys.len();
    (subsequence(keys.to_vec(), 0..=n), select(Effect::ALL.to_vec()), select(spans)).prop_map(|(keys, effect, settle)| {
        let settle = if effect == Effect::Silence { settle } else { Span::ZERO };
        keys.into_iter().map(|component| Dependency { component, effect, settle }).collect()
    })
}

fn integrations(components: &BTreeSet<String>, metrics: &BTreeSet<String>) -> impl Strategy<Value = Vec<IntegrationSpec>> + use<> {
    let secrets =
        btree_map("[a-f]{6}", Just(()), 0..3).prop_map(|map| map.into_keys().map(|fingerprint| Secret { fingerprint, value: None }));
    let one = (nasty(), secrets, any::<bool>(), vec(route(components, metrics), 0..4));
    btree_map("[a-z0-9][a-z0-9_-]{0,6}", one, 0..4).prop_map(|map| {
        let spec = |(key, (name, secrets, enabled, routes)): (String, (String, _, bool, Vec<RouteSpec>))| IntegrationSpec {
            key,
            provider: "alertmanager".to_owned(),
            name,
            settings: json!({}),
            secrets: Iterator::collect(secrets),
            silent_after: enabled.then_some(SilentAfter::Habit),
            enabled,
            routes,
        };
        map.into_iter().map(spec).collect()
    })
}

fn subscribers(components: &BTreeSet<String>) -> impl Strategy<Value = Vec<SubscriberSpec>> + use<> {
    let email = ("[a-z]{1,8}@example\\.com", Just(None)).prop_map(|(address, secret)| (Channel::Email, address, secret));
    let webhook = ("https://example\\.com/[a-z?=#&%]{0,8}", fingerprint().prop_map(Some))
        .prop_map(|(address, secret)| (Channel::Webhook, address, secret));
    let one = (prop_oneof![email.boxed(), webhook.boxed()], option::of(some_of(components)));
    vec(one, 0..4).prop_map(|list| {
        let unique: BTreeMap<_, _> =
            list.into_iter().map(|((channel, address, secret), scope)| ((channel, address), (secret, scope))).collect();
        let spec = |((channel, address), (secret, components))| SubscriberSpec { channel, address, secret, components };
        unique.into_iter().map(spec).collect()
    })
}

fn page() -> impl Strategy<Value = PageSettings> {
    let support = select(vec!["", "https://example.com/help", "mailto:help@example.com"]);
    (nasty(), select(vec!["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires"]), lines(), support, brand()).prop_map(
        |(name, time_zone, description, support_url, brand)| PageSettings {
            name,
            time_zone: time_zone.to_owned(),
            description,
            support_url: support_url.to_owned(),
            brand,
        },
    )
}

fn brand() -> impl Strategy<Value = Brand> {
    let accent = |colours: [&'static str; 2]| option::of(select(colours.map(|colour| colour.parse().unwrap()).to_vec()));
    let image = || option::of(select(images()).prop_map(|image| image.mark()));
    let logo = image().prop_flat_map(|logo| {
        let alt = if logo.is_some() { nasty().boxed() } else { Just(String::new()).boxed() };
        (Just(logo), alt)
    });
    let link = || (nasty(), select(vec!["https://example.com/?a=b#c", "mailto:a@example.com"]));
    let links = |max| vec(link().prop_map(|(label, url)| PageLink { label, url: url.to_owned() }), 0..=max);
    let accents = (accent(["#2b5bd7", "#7a1f5c"]), accent(["#8fb0ff", "#ffaa00"]));
    (accents, logo, image(), links(MAX_HEADER_LINKS), links(MAX_FOOTER_LINKS), prop_oneof![Just(String::new()), nasty()]).prop_map(
        |((accent, accent_dark), (logo, logo_alt), icon, header_links, footer_links, footer)| Brand {
            accent,
            accent_dark,
            logo,
            logo_alt,
            icon,
            header_links,
            footer_links,
            footer,
        },
    )
}

/// What logos and icons are chosen from.
fn images() -> Vec<Image> {
    let drawing = |inner: &str| Image::read(format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>").as_bytes()).unwrap();
    vec![drawing(""), drawing("<path d='M0 0h8'/>"), drawing("<!-- \u{e9}: # -->")]
}

/// Those of them that a page shows.
fn shown(page: &PageSettings) -> BTreeMap<String, Image> {
    let all: BTreeMap<_, _> = images().into_iter().map(|image| (image.digest().to_owned(), image)).collect();
    page.brand.images().map(|mark| (mark.digest.clone(), all[&mark.digest].clone())).collect()
}

/// Anything a valid file can say: groups that nest without a cycle, references that lead somewhere.
fn desired() -> impl Strategy<Value = Desired> {
    (keys(4), keys(6), keys(3)).prop_flat_map(|(groups, components, metrics)| {
        let places: Vec<(String, Option<String>)> =
            groups.iter().scan(None, |last, key| Some((key.clone(), last.replace(key.clone())))).collect();
        let group = places.into_iter().map(|(key, above)| {
            (nasty(), any::<bool>()).prop_map(move |(name, nested)| GroupSpec {
                key: key.clone(),
                name,
                parent: above.clone().filter(|_| nested),
            })
        });
        let all: Vec<String> = components.iter().cloned().collect();
        let component = all.clone().into_iter().enumerate().map(|(i, key)| {
            // On those with a smaller key alone, and not far: no cycles, no long chains.
            let upstreams = depends_on(&all[i.saturating_sub(3)..i]);
            let parts = (nasty(), lines(), one_of(&groups), any::<bool>(), combine(), upstreams);
            parts.prop_map(move |(name, description, group, hidden, combine, depends_on)| ComponentSpec {
                key: key.clone(),
                name,
                description,
                group,
                hidden,
                combine,
                depends_on,
            })
        });
        let metric = metrics.iter().cloned().map(|key| {
            (nasty(), select(vec!["", "ms", "%"])).prop_map(move |(name, unit)| MetricSpec {
                key: key.clone(),
                name,
                unit: unit.to_owned(),
            })
        });
        let lists = (group.collect::<Vec<_>>(), component.collect::<Vec<_>>().prop_shuffle(), metric.collect::<Vec<_>>());
        (page(), lists, integrations(&components, &metrics), (subscribers(&components), templates(&components))).prop_map(
            |(page, (groups, mut components, metrics), integrations, (subscribers, incident_templates))| {
                weigh(&mut components, &integrations);
                let images = shown(&page);
                Desired {
                    page,
                    images,
                    groups,
                    components,
                    integrations,
                    metrics,
                    subscribers,
                    maintenance_series: series(),
                    incident_templates,
                }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_reads_back_to_the_same(desired in desired()) {
        let text = export(&desired);
        let back = read(&text).map_err(|problems| TestCaseError::fail(format!("{}\n{text}", crate::describe("export", &problems))))?;
        prop_assert_eq!(&back, &desired, "{}", text);
        prop_assert!(diff(&desired, &back).is_empty());
    }

    #[test]
    fn a_plan_is_empty_only_between_equals(a in desired(), b in desired()) {
        // Integrations and subscribers are generated in the order of their keys, so equal content means equal lists.
        prop_assert_eq!(diff(&a, &b).is_empty(), a == b);
    }

    #[test]
    fn no_input_makes_the_reader_panic(text in "[ -~\\n\\t]{0,200}") {
        let _ = read(&text);
    }
}

#[test]
fn settings_of_any_shape_read_back() {
    let report = crate::problem::Report::default();
    let mut odd = Map::new();
    for text in ["yes", "007", "0x1f", "", "~", "a: b", "line\nbreak", "2026-01-01", "1.2.3", ".5", "é", "- x"] {
        odd.insert(text.to_owned(), json!(text));
    }
    let value = json!({
        "numbers": [0, -1, 1.5, -0.25, 1e300, u64::MAX, i64::MIN],
        "nested": { "list": [[1, [2]], { "deep": null }, [], {}], "flag": true },
        "odd": odd,
    });
    let desired = Desired {
        page: PageSettings { name: "A".into(), time_zone: "UTC".into(), ..PageSettings::default() },
        integrations: vec![IntegrationSpec {
            key: "a".into(),
            provider: "json".into(),
            name: "a".into(),
            settings: value.clone(),
            secrets: Vec::new(),
            enabled: true,
            silent_after: None,
            routes: Vec::new(),
        }],
        ..Desired::default()
    };
    let text = export(&desired);
    let root = crate::yaml::read(&text, &report).unwrap();
    let json: Value = crate::yaml::to_json(&root, "", &report);
    assert!(report.is_empty(), "{:?}", report.into_problems());
    assert_eq!(json["integrations"][0]["settings"], value, "{text}");
}
