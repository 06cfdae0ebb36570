//! What a configuration file is refused for, and with which words.

mod components;

use super::{PAGE, problems};

/// Checks what is said about lines that stand behind the page, whose line is the first.
#[track_caller]
fn refused(lines: &str, expected: &str) {
    assert_eq!(problems(&format!("{PAGE}{lines}")), expected, "\n{lines}");
}

/// The same for the lines of one route, indented by 6, the first of which is line 5, column 9.
#[track_caller]
fn route_refused(lines: &str, expected: &str) {
    let head = "components: [{ key: api, name: API }]\nintegrations:\n  - { key: a, provider: alertmanager, routes: [\n";
    refused(&format!("{head}      {{ {lines} }}\n  ]}}\n"), expected);
}

#[test]
fn unknown_keys_name_the_nearest() {
    refused("componets: []\n", "2:1: unknown key `componets`; did you mean `components`?");
    refused("components:\n  - { key: a, nmae: A, name: A }\n", "3:15: components[0]: unknown key `nmae`; did you mean `name`?");
    refused(
        "components:\n  - { key: a, name: A, flavour: sweet }\n",
        "3:24: components[0]: unknown key `flavour`; known here: key, name, description, group, hidden, combine, depends_on",
    );
    route_refused("components: [api], publsh: auto", "5:28: integrations[0].routes[0]: unknown key `publsh`; did you mean `publish`?");
}

#[test]
fn silence_is_a_signal_of_senders_alone() {
    let integration = |rest: &str, expected: &str| {
        refused(&format!("integrations:\n  - {{ key: a, {rest} }}\n"), &format!("3:{expected}"));
    };
    integration("provider: alertmanager, silent_aftr: 1h", "39: integrations[0]: unknown key `silent_aftr`; did you mean `silent_after`?");
    integration("provider: alertmanager, silent_after: 1s", "53: integrations[0].silent_after: 1s is less than 5s");
    integration(
        "provider: heroku_status, silent_after: habit",
        "54: integrations[0].silent_after: a source that is asked is not silent; if it cannot be read, what it feeds is unknown anyway",
    );
}

#[test]
fn a_policy_must_make_sense() {
    let at = "integrations[0].routes[0]";
    route_refused(
        "components: [api], publish_after: 5m",
        &format!("5:43: {at}.publish_after: only a route with `publish: auto` publishes by itself; this one has `publish: draft`"),
    );
    let auto = |rest: &str, expected: &str| route_refused(&format!("components: [api], publish: auto, {rest}"), expected);
    auto("publish_aftr: 5m", &format!("5:43: {at}: unknown key `publish_aftr`; did you mean `publish_after`?"));
    auto("publish_after: 2d", &format!("5:58: {at}.publish_after: 2d is more than 1d"));
    auto("publish_hours: { day: [mon] }", &format!("5:60: {at}.publish_hours: unknown key `day`; did you mean `days`?"));
    auto(
        "publish_hours: { days: [mond] }",
        &format!("5:67: {at}.publish_hours.days[0]: `mond` is not a day (mon, tue, wed, thu, fri, sat, sun); did you mean `mon`?"),
    );
    auto(
        "publish_hours: { from: 8am }",
        &format!(
            "5:66: {at}.publish_hours.from: `8am` is no time of day: two digits each for hours and minutes, as in \"08:00\", at most \"24:00\""
        ),
    );
    auto("publish_hours: { outside: true }", &format!("5:58: {at}.publish_hours: leave no time at which the route could publish"));
    auto("publish_hours: { days: [] }", &format!("5:66: {at}.publish_hours.days: has no day; leave it out for every day"));
    auto(
        "minimum_severity: unknown",
        &format!("5:61: {at}.minimum_severity: must be info, warning, error or critical: what is unknown always counts"),
    );
    auto("flapping: { changes: 2 }", &format!("5:64: {at}.flapping.changes: `2` is not a number from 3 to 50"));
    auto("flapping: { calm: 0s }", &format!("5:61: {at}.flapping.calm: 0s is less than 1s"));
    auto("flapping: { whithin: 1h }", &format!("5:55: {at}.flapping: unknown key `whithin`; did you mean `within`?"));
}

#[test]
fn duplicate_keys_are_refused() {
    refused("page: { name: B }\n", "2:1: duplicate key `page`: it is already on line 1");
    refused("components:\n  - { key: a, name: A, name: B }\n", "3:24: duplicate key `name`: it is already on line 3");
    refused(
        "components:\n  - { key: a, name: A }\n  - { key: a, name: B }\n",
        "4:12: components[1].key: duplicate key `a`: it is already on line 3",
    );
    refused(
        "subscribers:\n  - { channel: email, address: a@example.com }\n  - { channel: email, address: a@example.com }\n",
        "4:32: subscribers[1].address: duplicate subscriber `a@example.com`: it is already on line 3",
    );
}

#[test]
fn references_lead_somewhere() {
    let groups = "groups: [{ key: platform, name: Platform }]\ncomponents:\n";
    refused(
        &format!("{groups}  - {{ key: a, name: A, group: platfrom }}\n"),
        "4:31: components[0].group: there is no group `platfrom`; did you mean `platform`?",
    );
    refused(&format!("{groups}  - {{ key: a, name: A, group: Storage }}\n"), "4:31: components[0].group: there is no group `Storage`");
    route_refused("components: [apj]", "5:22: integrations[0].routes[0].components[0]: there is no component `apj`; did you mean `api`?");
    route_refused("components: [api, api]", "5:27: integrations[0].routes[0].components[1]: `api` is already in this list");
    route_refused("metric: { key: latency }", "5:24: integrations[0].routes[0].metric.key: there is no metric `latency`");
    refused(
        "integrations:\n  - { key: a, provider: alertmanger }\n",
        "3:25: integrations[0].provider: there is no provider `alertmanger`; did you mean `alertmanager`?",
    );
    refused("groups:\n  - { key: a, name: A, parent: b }\n", "3:32: groups[0].parent: there is no group `b`");
}

#[test]
fn groups_do_not_stand_in_each_other() {
    refused(
        "groups:\n  - { key: a, name: A, parent: b }\n  - { key: b, name: B, parent: a }\n  - { key: c, name: C, parent: a }\n",
        "3:32: groups[0].parent: groups stand in each other: a in b in a",
    );
    refused("groups: [{ key: a, name: A, parent: a }]\n", "2:37: groups[0].parent: groups stand in each other: a in a");
}

#[test]
fn names_that_make_a_group_must_make_a_key_of_their_own() {
    refused(
        "components:\n  - { key: a, name: A, group: EU West }\n  - { key: b, name: B, group: EU-West }\n",
        "4:31: components[1].group: `EU-West` and `EU West` would both get the key `eu-west`; declare them under `groups:`",
    );
    refused(
        "components:\n  - { key: a, name: A, group: 平台 }\n",
        "3:31: components[0].group: `平台` gives no key; declare the group under `groups:`",
    );
}

#[test]
fn values_are_what_they_should_be() {
    refused(
        "components:\n  - { key: API, name: A }\n",
        "3:12: components[0].key: `API` is not a key: small letters, digits, `-` and `_`, a letter or digit first, at most 64; `api` would do",
    );
    refused(
        "components:\n  - { key: a, name: A, hidden: yes }\n",
        "3:32: components[0].hidden: `yes` is neither true nor false; did you mean `true`?",
    );
    refused("components:\n  - { key: a, name: [A] }\n", "3:21: components[0].name: a list was found; a text is expected");
    refused("components:\n  - { key: a, name: '  ' }\n", "3:21: components[0].name: must not be blank");
    refused("components:\n  - { key: a, name: }\n", "3:19: components[0].name: is empty; a text is expected");
    refused("components:\n  - { key: a, name: \"a\\tb\" }\n", "3:21: components[0].name: the character U+0009 is not allowed here");
    refused("components: { key: a }\n", "2:13: components: keys and values was found; a list is expected");
    refused(
        "components: [api]\n",
        "2:14: components[0]: a text was found; keys and values are expected: key, name, description, group, hidden, combine, \
         depends_on",
    );
    refused("components:\n  - { key: a }\n", "3:5: components[0]: `name` is missing");
    let long = "x".repeat(201);
    refused(
        &format!("components:\n  - {{ key: a, name: {long} }}\n"),
        "3:21: components[0].name: has 201 characters, at most 200 are allowed",
    );
}

#[test]
fn the_page_is_checked() {
    assert_eq!(problems("components: []\n"), "1:1: `page` is missing");
    assert_eq!(
        problems("page: { name: A, time_zone: Europe/Pariss }\n"),
        "1:29: page.time_zone: there is no time zone `Europe/Pariss`; did you mean `Europe/Paris`?"
    );
    assert_eq!(
        problems("page: { name: A, support_url: 'javascript:alert(1)' }\n"),
        "1:31: page.support_url: `javascript:alert(1)` must begin with https: or http: or mailto:"
    );
}

#[test]
fn routes_are_checked() {
    route_refused(
        "components: [api], status: { critcal: major_outage }",
        "5:38: integrations[0].routes[0].status: unknown key `critcal`; did you mean `critical`?",
    );
    route_refused(
        "components: [api], status: { critical: major_outge }",
        "5:48: integrations[0].routes[0].status.critical: `major_outge` is not a status (operational, under_maintenance, unknown, \
         degraded_performance, partial_outage, major_outage); did you mean `major_outage`?",
    );
    route_refused(
        "components: [api], publish: publish",
        "5:37: integrations[0].routes[0].publish: `publish` is not a policy (shadow, draft, auto)",
    );
    route_refused(
        "components: [api], for: 5 min",
        "5:33: integrations[0].routes[0].for: `5 min` is not a length of time like 90s, 5m, 1h30m or 2d, at most 366d",
    );
    route_refused(
        "components: [api], cool_off: 2d",
        "5:38: integrations[0].routes[0].cool_off: 2d is more than 1d, the longest time that resolved incidents are reopened",
    );
    route_refused("for: 5m", "5:7: integrations[0].routes[0]: a route needs `components`, a `metric`, or both");
}

#[test]
fn expressions_are_checked_before_a_signal_comes() {
    route_refused(
        "components: [api], when: 'signal.labels.a =='",
        "5:34: integrations[0].routes[0].when: expression does not compile: unexpected end of input, expected expression",
    );
    route_refused(
        "components: [api], when: signal.label.a == 1",
        "5:34: integrations[0].routes[0].when: a signal has no `label`; did you mean `labels`?",
    );
    route_refused(
        "components: [api], when: singal.value > 1",
        "5:34: integrations[0].routes[0].when: there is no `singal`; did you mean `signal`?",
    );
    route_refused(
        "components: [api], when: signal.subject|lowercase == 'a'",
        "5:34: integrations[0].routes[0].when: expression does not work: filter lowercase is unknown",
    );
    route_refused(
        "components: [api], title: '{{ signal.sumary }}'",
        "5:35: integrations[0].routes[0].title: a signal has no `sumary`; did you mean `summary`?",
    );
    route_refused(
        "components: [api], body: '{{ signal.summary }'",
        "5:34: integrations[0].routes[0].body: template does not compile: unexpected `}`, expected end of variable block",
    );
    let long = format!("components: [api], when: '{}'", "1 + ".repeat(600) + "1");
    route_refused(&long, "5:34: integrations[0].routes[0].when: expression has 2401 bytes, at most 2048 are allowed");
}

#[test]
fn settings_are_the_providers_business_and_reported_where_they_stand() {
    refused(
        "integrations:\n  - key: a\n    provider: alertmanager\n    settings:\n      colour: red\n",
        "6:7: integrations[0].settings.colour: unknown field `colour`, there are no fields",
    );
    refused(
        "integrations:\n  - key: a\n    provider: alertmanager\n    settings: { on: yes, n: 0x1f, m: 007, big: 123456789012345678901 }\n",
        "5:21: integrations[0].settings.on: `yes` means different things to different readers; write true, false or \"yes\"\n\
         5:29: integrations[0].settings.n: `0x1f` is not a plain number; write it as JSON does, or put it in quotes\n\
         5:38: integrations[0].settings.m: `007` is not a plain number; write it as JSON does, or put it in quotes\n\
         5:48: integrations[0].settings.big: `123456789012345678901` is not a plain number; write it as JSON does, or put it in quotes",
    );
}

#[test]
fn secrets_are_found_and_never_shown() {
    let secret = |written: &str| format!("integrations:\n  - {{ key: a, provider: alertmanager, secrets: [{written}] }}\n");
    refused(&secret("{ env: TOKE }"), "3:56: integrations[0].secrets[0].env: the environment variable `TOKE` is not set");
    refused(&secret("{ file: /nowhere }"), "3:57: integrations[0].secrets[0].file: cannot read /nowhere");
    refused(&secret("{ kept: 0000 }"), "3:57: integrations[0].secrets[0].kept: no stored secret has this fingerprint");
    refused(&secret("{ value: '' }"), "3:58: integrations[0].secrets[0].value: is empty");
    refused(
        &secret("{ value: a, env: TOKEN }"),
        "3:49: integrations[0].secrets[0]: a secret has exactly one of `env`, `file`, `value` and `kept`",
    );
    refused(&secret("{ env: TOKEN }, { env: TOKEN }"), "3:65: integrations[0].secrets[1]: this secret is already in the list");
    for marker in ["s3cret-marker", "{ value: 's3cret-marker ' }", "{ value: [s3cret-marker] }", "[s3cret-marker]"] {
        let told = problems(&format!("{PAGE}{}", secret(marker)));
        assert!(!told.is_empty() && !told.contains("s3cret-marker"), "{told}");
    }
}

#[test]
fn subscribers_are_reachable() {
    refused(
        "subscribers:\n  - { channel: email, address: ops }\n  - { channel: email, url: 'https://example.com' }\n  - { channel: pigeon }\n",
        "3:32: subscribers[0].address: `ops` is not a mail address\n\
         4:5: subscribers[1]: `address` is missing\n\
         4:28: subscribers[1].url: a subscriber by email has `address`, not `url`\n\
         5:5: subscribers[2]: `address` is missing\n\
         5:16: subscribers[2].channel: `pigeon` is not a channel (email, webhook)",
    );
    refused("subscribers:\n  - { channel: webhook, url: 'https://example.com' }\n", "3:5: subscribers[0]: `secret` is missing");
    refused(
        "subscribers:\n  - { channel: webhook, url: 'ftp://example.com', secret: { env: OUT_SECRET } }\n",
        "3:30: subscribers[0].url: `ftp://example.com` must begin with https: or http:",
    );
    refused(
        "subscribers:\n  - { channel: webhook, url: 'https://u:p@example.com', secret: { env: OUT_SECRET } }\n",
        "3:30: subscribers[0].url: a URL must not hold a user name or password",
    );
}

#[test]
fn a_webhook_is_signed_with_a_key_that_receivers_understand() {
    for value in ["hunter2", "whsec_c2hvcnQ=", "whsec_?"] {
        refused(
            &format!("subscribers:\n  - {{ channel: webhook, url: 'https://example.com', secret: {{ value: '{value}' }} }}\n"),
            "3:61: subscribers[0].secret: a webhook is signed with `whsec_` followed by 24 to 64 bytes in base64",
        );
    }
}

#[test]
fn everything_wrong_is_told_at_once_and_in_order() {
    let text = "page: { nam: Acme }\ncomponents:\n  - { key: a, name: A, group: x }\n  - { key: a, hidden: 1 }\n";
    assert_eq!(
        problems(text),
        "1:7: page: `name` is missing\n\
         1:9: page: unknown key `nam`; did you mean `name`?\n\
         4:5: components[1]: `name` is missing\n\
         4:12: components[1].key: duplicate key `a`: it is already on line 3\n\
         4:23: components[1].hidden: `1` is neither true nor false; did you mean `true`?"
    );
    let many = format!("{PAGE}components:\n{}", "  - {}\n".repeat(1_000));
    assert_eq!(problems(&many).lines().count(), 100, "the rest is left out");
}

#[test]
fn what_is_not_one_plain_document_is_refused() {
    assert_eq!(problems(""), "1:1: the file is empty");
    assert_eq!(problems("# nothing\n"), "1:1: the file is empty");
    assert_eq!(problems("- a\n"), "1:1: a list was found; keys and values are expected: page, groups, components, integrations, metrics, maintenance_series, incident_templates, subscribers\n1:1: `page` is missing".lines().next().unwrap());
    refused("---\npage: { name: B }\n", "2:1: a second document begins here; one file holds one");
    refused("<<: { a: b }\n", "2:1: merge keys (`<<`) are not supported; write the keys out");
    refused("? [a]\n: b\n", "2:3: a key must be a plain text");
    assert_eq!(problems("page: { name: !env HOME }\n"), "1:15: tags such as `!env` have no meaning here");
    let unclosed = problems("page: { name: Acme\n");
    assert!(unclosed.contains(": not YAML: "), "{unclosed}");
}

#[test]
fn small_files_do_not_become_large() {
    let mut laughs = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, inner) in ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"]) {
        laughs += &format!("{name}: &{name} [{}]\n", vec![format!("*{inner}"); 10].join(", "));
    }
    assert!(problems(&laughs).contains("more than 500000 values, aliases written out"), "{}", problems(&laughs));
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 1_000].join(", "));
    assert!(problems(&text).contains("aliases written out"));
    let own = problems("a: &a [*a]\n");
    assert!(own.contains("alias"), "{own}");
    let deep = problems(&format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000)));
    assert!(!deep.is_empty());
    let large = format!("{PAGE}#{}", "x".repeat(crate::MAX_FILE_BYTES));
    assert!(problems(&large).contains("at most 4194304 are allowed"));
}

#[test]
fn the_json_providers_settings_are_checked_down_to_their_names() {
    let head = "integrations:\n  - key: a\n    provider: json\n";
    refused(head, "3:5: integrations[0]: `settings` are missing: missing field `fingerprint`");
    let told = problems(&format!("{PAGE}{head}    settings:\n      signatur: bearer\n"));
    assert!(told.starts_with("6:7: integrations[0].settings.signatur: unknown field `signatur`, expected one of"), "{told}");
    assert!(told.contains("; did you mean `signature`?\n"), "{told}");
    assert!(told.ends_with("6:7: integrations[0].settings: missing field `fingerprint`"), "what else is wrong is told at once: {told}");
}

#[test]
fn what_a_source_is_asked_for_does_not_expire_by_itself() {
    let polled = "integrations:\n  - { key: a, provider: prometheus, settings: { url: \"http://p:9090\", query: up }, routes: [\n      { metric: { key: m }, expire_after: 5m }\n  ]}\n";
    refused(
        &format!("metrics: [{{ key: m, name: M }}]\n{polled}"),
        "5:43: integrations[0].routes[0].expire_after: a source that is asked does not repeat what stays the same; what it no longer names is over anyway",
    );
}

#[test]
fn a_series_must_make_sense() {
    let series = |rest: &str, expected: &str| {
        refused(&format!("maintenance_series:\n  - {{ key: a, title: A, {rest} }}\n"), expected);
    };
    let at = "maintenance_series[0]";
    series("starts_at: 2026-12-01T02:00, duration: 1h, rule: FREQ=WEEKLY", "");
    series(
        "starts_at: 2026-12-01 02:00, duration: 1h, rule: FREQ=WEEKLY",
        &format!("3:36: {at}.starts_at: `2026-12-01 02:00` is no time like 2026-12-01T02:00, by the clock on the page's wall"),
    );
    series(
        "starts_at: 2026-12-01T02:00, duration: 1h, rule: FREQ=HOURLY",
        &format!("3:74: {at}.rule: FREQ=HOURLY comes back several times a day; the shortest is FREQ=DAILY"),
    );
    series(
        "starts_at: 2026-12-01T02:00, duration: 2d, rule: FREQ=DAILY",
        &format!("3:64: {at}.duration: is 2d, but on 2026-12-01 the next window begins after 1d"),
    );
    series(
        "starts_at: 2026-12-01T02:00, duration: 1h, rule: FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        &format!("3:74: {at}.rule: never occurs: no day fits it"),
    );
    series(
        "starts_at: 2026-12-01T02:00, duration: 1h, rule: FREQ=DAILY, announce: 31d",
        &format!("3:96: {at}.announce: 31d is more than 30d"),
    );
}

#[test]
fn an_incident_template_must_lead_somewhere_and_compile() {
    let template = |rest: &str, expected: &str| {
        refused(&format!("components: [{{ key: api, name: API }}]\nincident_templates:\n  - {{ key: a, {rest} }}\n"), expected);
    };
    let at = "incident_templates[0]";
    template("name: Outage, title: 'Problem with {{ components }}', status: identified, components: { api: major_outage }", "");
    template("title: X, bdy: Y", &format!("4:25: {at}: unknown key `bdy`; did you mean `body`?"));
    template("body: X", &format!("4:5: {at}: `title` is missing"));
    template("title: ' '", &format!("4:22: {at}.title: must not be blank"));
    template("title: X, components: { apo: major_outage }", &format!("4:39: {at}.components: unknown key `apo`; did you mean `api`?"));
    template(
        "title: X, components: { api: red }",
        &format!(
            "4:44: {at}.components.api: `red` is not a status (operational, under_maintenance, unknown, degraded_performance, partial_outage, \
             major_outage)"
        ),
    );
    template(
        "title: X, status: resolved",
        &format!("4:33: {at}.status: an incident does not begin with its end; `investigating` would do"),
    );
    template("title: '{{ signl.subject }}'", &format!("4:22: {at}.title: there is no `signl`; did you mean `signal`?"));
    template("title: '{{ signal.subject | system }}'", &format!("4:22: {at}.title: template does not work: filter system is unknown"));
    refused(
        "incident_templates:\n  - { key: a, title: X }\n  - { key: a, title: Y }\n",
        "4:12: incident_templates[1].key: duplicate key `a`: it is already on line 3",
    );
}

#[test]
fn a_brand_must_be_readable_and_harmless() {
    let page = |rest: &str, expected: &str| {
        let text = format!("page: {{ name: Acme, {rest} }}\n");
        let told = problems(&text);
        assert!(told.starts_with("1:") && told.contains(expected), "{rest}: {told}");
    };
    page("accent: blue", "page.accent: `blue` is not a colour such as #2b5bd7");
    page(
        "accent: \"#ffcc00\"",
        "page.accent: `#ffcc00` has a contrast of 1.4 to the light page, and at least 4.5 is needed to be read there; #",
    );
    page("accent_dark: \"#2b5bd7\"", "to the dark page");
    page("logo: { alt: Acme }", "page.logo: `image` is missing");
    page("logo: { image: logo.png }", "page.logo.image: is not an image such as `data:image/png;base64,…`");
    page("icon: \"data:image/png;base64,AAAA\"", "page.icon: is neither PNG, JPEG, WebP nor SVG, or is damaged");
    page("header_links: [{ label: A }]", "page.header_links[0]: `url` is missing");
    page(
        "header_links: [{ label: A, url: \"javascript:alert(1)\" }]",
        "page.header_links[0].url: `javascript:alert(1)` must begin with https",
    );
    page("footer_links: [{ label: A, url: \"\" }]", "page.footer_links[0].url: must not be empty");
    let links = |n: usize| vec!["{ label: A, url: \"https://example.com\" }"; n].join(", ");
    page(&format!("header_links: [{}]", links(5)), "page.header_links: has 5 entries, at most 4 are allowed");
    page(&format!("footer_links: [{}]", links(11)), "page.footer_links: has 11 entries, at most 10 are allowed");
    let label = |n: usize| format!("header_links: [{{ label: {}, url: \"https://example.com\" }}]", "a".repeat(n));
    page(&label(61), "page.header_links[0].label: has 61 characters, at most 60 are allowed");
    assert!(super::read(&format!("page: {{ name: Acme, {} }}\n", label(60))).is_ok());
    assert!(super::read(&format!("page: {{ name: Acme, header_links: [{}], footer_links: [{}] }}\n", links(4), links(10))).is_ok());
}
