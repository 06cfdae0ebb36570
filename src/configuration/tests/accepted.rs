use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Channel, Combine, DayTime, Dependency, Effect, Flapping, GroupSpec, MetricFeed, Policy, Publish, PublishHours, RouteSpec, Severity,
    Span, Status, StatusMap, Weekday,
};
use serde_json::json;

use super::{PAGE, read};

/// As the documentation prints it.
const SMALLEST: &str = r#"
page: { name: Acme, time_zone: Europe/Paris }
components:
  - { key: api, name: API, group: Platform }
integrations:
  - key: prod-alerts
    provider: alertmanager
    secrets: [{ env: TOKEN }]      # or { value: … }, { file: … }
    routes:
      - when: signal.labels.service == "api"
        components: [api]
        status: { critical: major_outage, warning: degraded_performance }
        for: 0s
        publish: auto                            # shadow | draft | auto
subscribers:
  - { channel: email, address: ops@example.com }
  - { channel: webhook, url: "https://example.com/in", secret: { env: OUT_SECRET } }
"#;

#[test]
fn the_smallest_complete_example_is_read() {
    let desired = read(SMALLEST).unwrap();
    assert_eq!(desired.page.time_zone, "Europe/Paris");
    assert_eq!(desired.groups, [GroupSpec { key: "platform".into(), name: "Platform".into(), parent: None }]);
    assert_eq!(desired.components[0].group.as_deref(), Some("platform"));
    let integration = &desired.integrations[0];
    assert_eq!((integration.name.as_str(), integration.enabled, &integration.settings), ("prod-alerts", true, &json!({})));
    assert!(integration.secrets[0].value.is_some());
    let route = &integration.routes[0];
    assert_eq!(route.components, BTreeSet::from(["api".to_owned()]));
    assert_eq!(route.publish, Publish::Auto);
    assert_eq!(route.status.status(Severity::Critical), Some(Status::MajorOutage));
    assert_eq!(route.status.status(Severity::Info), None, "not listed: no effect");
    assert_eq!(route.status.status(Severity::Unknown), Some(Status::Unknown), "not knowing is never nothing");
    assert_eq!(desired.subscribers[1].channel, Channel::Webhook);
    assert_eq!(desired.subscribers[1].components, None, "all");
}

#[test]
fn a_component_says_how_its_sources_add_up_and_what_it_depends_on() {
    let text = format!(
        "{PAGE}{}",
        r#"
components:
  - { key: vendor, name: Vendor, combine: worst }
  - key: api
    name: API
    combine: { quorum: 2 }
    depends_on:
      - vendor
      - { component: vendor, effect: silence }
      - { component: vendor, effect: cap }
  - key: web
    name: Web
    combine: { weights: { pings: 2, ci: 0 }, thresholds: { degraded_performance: 1, major_outage: 3 } }
    depends_on: [{ component: api, effect: silence, settle: 30s }]
integrations:
  - { key: pings, provider: alertmanager }
  - { key: ci, provider: alertmanager }
"#
    );
    let desired = read(&text).unwrap();
    let on = |component: &str, effect, settle| Dependency { component: component.to_owned(), effect, settle };
    let [vendor, api, web] = desired.components.as_slice() else { panic!("{desired:?}") };
    assert_eq!((&vendor.combine, vendor.depends_on.len()), (&Combine::Worst, 0));
    assert_eq!(api.combine, Combine::Quorum(2));
    let of_api =
        [on("vendor", Effect::Label, Span::ZERO), on("vendor", Effect::Silence, Span::mins(5)), on("vendor", Effect::Cap, Span::ZERO)];
    assert_eq!(api.depends_on, BTreeSet::from(of_api));
    let weights = BTreeMap::from([("pings".to_owned(), 2), ("ci".to_owned(), 0)]);
    let thresholds = BTreeMap::from([(Status::DegradedPerformance, 1), (Status::MajorOutage, 3)]);
    assert_eq!(web.combine, Combine::Weighted { weights, thresholds });
    assert_eq!(web.depends_on, BTreeSet::from([on("api", Effect::Silence, Span::secs(30))]));
}

#[test]
fn a_route_that_says_little_is_cautious() {
    let text = format!(
        "{PAGE}components: [{{ key: api, name: API }}]\nintegrations:\n  - {{ key: a, provider: alertmanager, routes: [{{ components: [api] }}] }}\n"
    );
    let route = &read(&text).unwrap().integrations[0].routes[0];
    assert_eq!(*route, RouteSpec { components: BTreeSet::from(["api".to_owned()]), ..RouteSpec::default() });
    assert_eq!((route.publish, route.cool_off, route.when.as_str()), (Publish::Draft, Span::mins(10), "true"));
}

#[test]
fn a_route_may_say_everything() {
    let text = format!(
        "{PAGE}{}",
        r#"
metrics: [{ key: latency, name: Latency, unit: ms }]
integrations:
  - key: a
    provider: alertmanager
    name: Alerts
    enabled: false
    routes:
      - when: signal.value > 3 and signal.labels.env|lower == "prod"
        status: { error: partial_outage, default: unknown }
        for: 5m
        keep_firing_for: 1h30m
        expire_after: 4h
        cool_off: 0
        publish: shadow
        title: "{{ components }}: {{ signal.subject }}"
        body: |
          We look into {{ signal.labels.thing }}.
          It is a {{ status }}.
        metric: { key: latency, value: signal.value * 1000 }
"#
    );
    let integration = read(&text).unwrap().integrations.remove(0);
    assert_eq!((integration.name.as_str(), integration.enabled), ("Alerts", false));
    let expected = RouteSpec {
        when: r#"signal.value > 3 and signal.labels.env|lower == "prod""#.into(),
        components: BTreeSet::new(),
        status: StatusMap { named: BTreeMap::from([(Severity::Error, Status::PartialOutage)]), default: Some(Status::Unknown) },
        hold: Span::mins(5),
        keep_firing_for: Span::mins(90),
        expire_after: Span::mins(240),
        cool_off: Span::ZERO,
        publish: Publish::Shadow,
        policy: Policy::default(),
        title: Some("{{ components }}: {{ signal.subject }}".into()),
        body: Some("We look into {{ signal.labels.thing }}.\nIt is a {{ status }}.\n".into()),
        metric: Some(MetricFeed { key: "latency".into(), value: "signal.value * 1000".into() }),
    };
    assert_eq!(integration.routes, [expected]);
}

#[test]
fn a_route_may_wait_and_say_when_it_publishes() {
    let text = format!(
        "{PAGE}components: [{{ key: api, name: API }}]\n{}",
        r#"
integrations:
  - key: a
    provider: alertmanager
    routes:
      - components: [api]
        publish: auto
        publish_after: 5m
        publish_hours: { days: [mon, fri], from: "18:00", to: "08:00", outside: true }
        minimum_severity: warning
        flapping: { changes: 7, within: 1h, calm: 20m }
      - { components: [api], publish: auto, publish_hours: { days: [sat, sun] }, flapping: {} }
      - { components: [api], publish: auto, publish_hours: null, minimum_severity: null, flapping: null }
"#
    );
    let routes = read(&text).unwrap().integrations.remove(0).routes;
    let time = |text: &str| text.parse::<DayTime>().unwrap();
    let hours = |days: &[Weekday], from, to, outside| {
        Some(PublishHours { days: days.iter().copied().collect(), from: time(from), to: time(to), outside })
    };
    let expected = Policy {
        publish_after: Span::mins(5),
        publish_hours: hours(&[Weekday::Mon, Weekday::Fri], "18:00", "08:00", true),
        minimum_severity: Some(Severity::Warning),
        flapping: Some(Flapping { changes: 7, within: Span::mins(60), calm: Span::mins(20) }),
    };
    assert_eq!(routes[0].policy, expected);
    let weekend = hours(&[Weekday::Sat, Weekday::Sun], "00:00", "24:00", false);
    assert_eq!((&routes[1].policy.publish_hours, routes[1].policy.flapping), (&weekend, Some(Flapping::default())));
    assert_eq!(routes[2].policy, Policy::default());
}

#[test]
fn a_text_is_what_was_written_and_never_a_truth_value_or_number() {
    let text = "page: { name: No, description: 1.10 }\ncomponents:\n  - { key: y, name: yes }\n  - { key: 007, name: 2026-01-01 }\n";
    let desired = read(text).unwrap();
    assert_eq!((desired.page.name.as_str(), desired.page.description.as_str()), ("No", "1.10"));
    let components: Vec<_> = desired.components.iter().map(|component| (component.key.as_str(), component.name.as_str())).collect();
    assert_eq!(components, [("y", "yes"), ("007", "2026-01-01")]);
}

#[test]
fn groups_are_found_by_key_and_by_name_and_may_nest() {
    let text = format!(
        "{PAGE}groups:\n  - {{ key: eu, name: Europe }}\n  - {{ key: eu-west, name: Ireland, parent: eu }}\n\
         components:\n  - {{ key: a, name: A, group: eu-west }}\n  - {{ key: b, name: B, group: Europe }}\n  - {{ key: c, name: C }}\n"
    );
    let desired = read(&text).unwrap();
    assert_eq!(desired.groups[1].parent.as_deref(), Some("eu"));
    let groups: Vec<_> = desired.components.iter().map(|component| component.group.as_deref()).collect();
    assert_eq!(groups, [Some("eu-west"), Some("eu"), None]);
}

#[test]
fn an_alias_stands_for_what_it_names() {
    let text = format!(
        "{PAGE}components:\n  - {{ key: a, name: A }}\nintegrations:\n  - key: x\n    provider: alertmanager\n    routes:\n      \
         - {{ components: &both [a] }}\n      - {{ components: *both, for: 5m }}\n"
    );
    let routes = &read(&text).unwrap().integrations[0].routes;
    assert_eq!(routes[0].components, routes[1].components);
}

#[test]
fn a_subscriber_may_want_some_components_or_none() {
    let text = format!(
        "{PAGE}components: [{{ key: a, name: A }}]\nsubscribers:\n  - {{ channel: email, address: a@example.com, components: [a] }}\n  \
         - {{ channel: email, address: b@example.com, components: [] }}\n"
    );
    let scopes: Vec<_> = read(&text).unwrap().subscribers.into_iter().map(|subscriber| subscriber.components).collect();
    assert_eq!(scopes, [Some(BTreeSet::from(["a".to_owned()])), Some(BTreeSet::new())]);
}
