use super::{PAGE, read};
use crate::diff;

#[track_caller]
fn plan(before: &str, after: &str) -> String {
    let (before, after) = (read(&format!("{PAGE}{before}")).unwrap(), read(&format!("{PAGE}{after}")).unwrap());
    assert!(diff(&before, &before).is_empty() && diff(&after, &after).is_empty());
    diff(&before, &after).to_string()
}

fn integration(routes: &str) -> String {
    format!("components: [{{ key: api, name: API }}]\nintegrations:\n  - {{ key: prod, provider: alertmanager, routes: [{routes}] }}\n")
}

#[test]
fn nothing_to_do_is_said() {
    assert_eq!(plan("", ""), "No changes: everything is as the file says.\n");
}

#[test]
fn what_is_new_is_listed() {
    let after = "components: [{ key: api, name: API, group: Platform }]\nintegrations:\n  - key: prod\n    provider: alertmanager\n    \
                 routes: [{ components: [api], publish: auto }]\nsubscribers: [{ channel: email, address: ops@example.com }]\n";
    assert_eq!(
        plan("", after),
        "+ group platform \"Platform\"\n\
         + component api \"API\" in platform\n\
         + integration prod (alertmanager)\n\
         + route prod[0] when \"true\" -> api (auto)\n\
         + subscriber email ops@example.com\n\
         \n\
         Plan: 5 to add, 0 to change, 0 to remove.\n"
    );
}

#[test]
fn one_changed_value_stands_on_its_line_and_several_below_it() {
    assert_eq!(
        plan(&integration("{ components: [api] }"), &integration("{ components: [api], for: 5m }")),
        "~ route prod[0] for: 0s -> 5m\n\nPlan: 0 to add, 1 to change, 0 to remove.\n"
    );
    assert_eq!(
        plan("components: [{ key: a, name: A, group: X }]\n", "components: [{ key: a, name: B, group: X, hidden: true }]\n"),
        "~ component a \"A\" in x\n    name: \"A\" -> \"B\"\n    hidden: false -> true\n\nPlan: 0 to add, 1 to change, 0 to remove.\n"
            .replace("a \"A\"", "a \"B\"")
    );
}

#[test]
fn a_removal_says_what_is_lost() {
    let before = "components: [{ key: a, name: A }]\nmetrics: [{ key: m, name: M }]\nsubscribers:\n  \
                  - { channel: webhook, url: 'https://example.com/in?token=x', secret: { env: OUT_SECRET } }\n";
    assert_eq!(
        plan(before, ""),
        "- component a \"A\"\n    \
             its history is lost: uptime, and its part in past incidents; to keep it, set `hidden: true` instead\n\
         - metric m \"M\"\n    its samples are lost\n\
         - subscriber webhook https://example.com/in?…\n    it is told nothing more, and what it was told is forgotten\n\
         \n\
         Plan: 0 to add, 0 to change, 3 to remove.\n"
    );
    assert_eq!(
        plan(&integration("{ components: [api] }"), "components: [{ key: api, name: API }]\n"),
        "- integration prod (alertmanager)\n    its stored deliveries are lost; to keep them, set `enabled: false` instead\n\
         \n\
         Plan: 0 to add, 0 to change, 1 to remove.\n"
    );
}

#[test]
fn another_order_is_a_change_where_order_is_shown() {
    let (a, b, c) = ("{ key: a, name: A }", "{ key: b, name: B }", "{ key: c, name: C }");
    assert_eq!(
        plan(&format!("components: [{a}, {b}]\n"), &format!("components: [{b}, {a}]\n")),
        "~ components order: now b, a\n\nPlan: 0 to add, 1 to change, 0 to remove.\n"
    );
    assert_eq!(
        plan(&format!("components: [{a}, {b}]\n"), &format!("components: [{a}, {c}, {b}]\n")),
        "+ component c \"C\"\n\nPlan: 1 to add, 0 to change, 0 to remove.\n",
        "those behind a new one did not move"
    );
    let (x, y) = ("{ channel: email, address: x@example.com }", "{ channel: email, address: y@example.com }");
    assert!(plan(&format!("subscribers: [{x}, {y}]\n"), &format!("subscribers: [{y}, {x}]\n")).starts_with("No changes"));
}

#[test]
fn routes_are_followed_when_they_move() {
    let (one, two) = ("{ components: [api], for: 1m }", "{ components: [api], for: 2m }");
    assert_eq!(
        plan(&integration(&format!("{one}, {two}")), &integration(two)),
        "- route prod[0] when \"true\" -> api (draft)\n\nPlan: 0 to add, 0 to change, 1 to remove.\n"
    );
    assert_eq!(
        plan(&integration(&format!("{one}, {two}")), &integration(&format!("{two}, {one}"))),
        "~ routes of prod order: now 1, 0\n\nPlan: 0 to add, 1 to change, 0 to remove.\n"
    );
}

#[test]
fn secrets_change_without_being_shown() {
    let integration = |secrets: &str| format!("integrations: [{{ key: prod, provider: alertmanager, secrets: [{secrets}] }}]\n");
    let told = plan(&integration("{ value: old-marker-0123 }"), &integration("{ value: new-marker-0123 }, { value: old-marker-0123 }"));
    assert_eq!(told, "~ integration prod (alertmanager) secrets: 1 added, 0 removed\n\nPlan: 0 to add, 1 to change, 0 to remove.\n");
    let kept = "{ kept: 3210-rekram-dlo }";
    assert!(plan(&integration("{ value: old-marker-0123 }"), &integration(kept)).starts_with("No changes"));
}

#[test]
fn another_look_is_told_by_its_parts_and_images_by_their_names() {
    let page = |rest: &str| read(&format!("page: {{ name: Acme{rest} }}\n")).unwrap();
    let drawing = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=";
    let after = page(&format!(
        ", accent: \"#7a1f5c\", logo: {{ image: \"data:image/svg+xml;base64,{drawing}\", alt: Acme }}, footer_links: [{{ label: Law, url: \"https://example.com/\" }}]"
    ));
    let told = diff(&page(""), &after).to_string();
    let digest = after.images.keys().next().unwrap();
    for line in [
        "accent: none -> #7a1f5c",
        &format!("logo: none -> image.{digest}.svg"),
        "logo.alt: \"\" -> \"Acme\"",
        "footer_links: none -> \"Law\" \"https://example.com/\"",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains(drawing) && diff(&after, &after).is_empty());
}
