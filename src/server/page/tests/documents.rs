//! What the documents say.

use std::{fs, path::PathBuf, time::Instant};

use domain::{GroupId, Span, Status};

use super::{
    injection::text,
    sample::{ago, base_url, healthy, large, troubled},
};
use crate::page::{Page, Resource, Setup, Snapshot, SubscribePage, snapshot::all};

/// Checks that elements are closed in the order they were opened, and attributes quoted.
fn assert_well_formed(markup: &str, what: &str) {
    const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "img"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').unwrap_or_else(|| panic!("{what}: a tag never ends"));
        let tag = &rest[..end];
        rest = &rest[end..];
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).unwrap_or_default();
        if tag.starts_with(['!', '?']) || tag.ends_with('/') || VOID.contains(&name) {
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{what}: quotes in <{tag}>");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{what}: </{name}>");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{what}: {open:?} stay open");
}

#[test]
fn every_document_is_well_formed_and_ids_are_unique() {
    for data in [healthy(), troubled()] {
        let snapshot = Snapshot::render(&data, &base_url());
        for resource in all(&snapshot) {
            let text = text(&snapshot, resource);
            if text.starts_with(['{', 'B']) {
                continue;
            }
            assert_well_formed(&text, &format!("{resource:?}"));
            let mut ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), all, "{resource:?} repeats an id");
        }
    }
}

#[test]
fn trouble_comes_first_and_opens_its_group() {
    let home = text(&Snapshot::render(&troubled(), &base_url()), Resource::Home);
    assert!(home.contains("Public API: major outage since <time datetime=\"2026-11-24T13:02:00.000Z\" data-t=\"clock\">14:02</time>"));
    let position = |needle: &str| home.find(needle).unwrap_or_else(|| panic!("{needle} is missing"));
    let order = [
        "id=\"headline\"",
        "API requests fail",
        "Maintenance under way",
        "id=\"components\"",
        "Metrics",
        "Coming maintenance",
        "Past days",
    ];
    assert!(order.windows(2).all(|pair| position(pair[0]) < position(pair[1])));
    assert!(home.contains("id=\"g-1\" open"));
    assert_eq!(home.matches("<p class=\"cause\" dir=\"auto\">Caused by <bdi>Public API</bdi></p>").count(), 1);
    let calm = text(&Snapshot::render(&healthy(), &base_url()), Resource::Home);
    assert!(calm.contains("All systems operational") && !calm.contains("id=\"g-1\" open"));
    assert!(
        calm.contains("No incidents since 21 November") && calm.contains("No incidents from 16 to 19 November"),
        "empty days are folded"
    );
}

#[test]
fn what_cannot_be_known_is_not_called_healthy() {
    let page = Page::new(Snapshot::render(&healthy(), &base_url()), Setup::default(), Default::default());
    page.mark_stale(ago(Span::mins(1)));
    let snapshot = page.snapshot();
    let home = text(&snapshot, Resource::Home);
    assert!(home.contains("we cannot reach our own database") && home.contains("now unknown"));
    assert!(text(&snapshot, Resource::Badge).contains("Unknown"));
    let healthy = Snapshot::render(&healthy(), &base_url());
    assert_eq!(text(&snapshot, Resource::Summary), text(&healthy, Resource::Summary), "clients get the shape they know");
}

#[test]
fn groups_that_contain_each_other_lose_no_component() {
    let mut data = healthy();
    data.groups[0].parent = Some(GroupId(2));
    data.groups[1].parent = Some(GroupId(1));
    let home = text(&Snapshot::render(&data, &base_url()), Resource::Home);
    assert_eq!(home.matches("class=\"row\"").count(), 8);
}

#[test]
fn feeds_keep_their_ids() {
    let (before, after) = (Snapshot::render(&healthy(), &base_url()), Snapshot::render(&troubled(), &base_url()));
    for resource in [Resource::Atom, Resource::Rss] {
        let id = "tag:status.example.com,2026:incident/7<";
        assert!(text(&before, resource).contains(id) && text(&after, resource).contains(id));
        assert!(text(&after, resource).contains("API requests fail"));
        assert!(!text(&after, resource).contains("<!DOCTYPE") && !text(&after, resource).contains("<!ENTITY"));
    }
    assert!(text(&after, Resource::Atom).contains("<published>2026-11-24T13:02:00Z</published>"));
    assert!(text(&after, Resource::Rss).contains("<pubDate>Tue, 24 Nov 2026 13:02:00 +0000</pubDate>"));
}

#[test]
fn the_calendar_folds_long_lines_and_escapes_its_separators() {
    let mut data = troubled();
    data.maintenances[0].title = format!("Ü, ö; \\ {}\nBEGIN:VEVENT", "é".repeat(90));
    let text = text(&Snapshot::render(&data, &base_url()), Resource::Calendar);
    assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')));
    let unfolded = text.replace("\r\n ", "");
    assert!(unfolded.contains("SUMMARY:Acme: Ü\\, ö\\; \\\\ "));
    assert_eq!(unfolded.matches("\r\nBEGIN:VEVENT\r\n").count(), 3);
    assert!(unfolded.contains("UID:maintenance-1@status.example.com\r\n") && unfolded.contains("DTSTART:20261127T132500Z\r\n"));
}

#[test]
fn a_badge_says_its_status_in_words() {
    let snapshot = Snapshot::render(&troubled(), &base_url());
    assert!(text(&snapshot, Resource::Badge).contains("aria-label=\"Acme: Major outage\""));
    assert!(text(&snapshot, Resource::ComponentBadge(domain::ComponentId(6))).contains("Bank transfers: Unknown"));
}

#[test]
fn a_thousand_components_stay_small() {
    let data = large(1000);
    let start = Instant::now();
    let snapshot = Snapshot::render(&data, &base_url());
    let took = start.elapsed();
    let home = text(&snapshot, Resource::Home);
    assert!(home.len() < 1_500_000, "{} bytes", home.len());
    assert_eq!(home.matches("class=\"row\"").count(), 1000);
    println!("1,000 components: {} bytes, everything hot in {took:?}", home.len());
}

#[test]
fn bars_before_the_component_existed_are_blank() {
    let mut data = healthy();
    data.components[0].component.created_at = ago(Span::mins(60 * 24 * 37));
    data.components[0].component.status = Status::PartialOutage;
    let text = text(&Snapshot::render(&data, &base_url()), Resource::Component(domain::ComponentId(1)));
    assert!(text.contains("data-from=\"52\"") && text.contains("<path class=\"n\" d=\"M0 30h416\"/>"), "{text}");
}

/// Leaves the pages beside the test binary, so that they can be opened in a browser.
#[test]
fn pages_can_be_looked_at() {
    let folder: PathBuf = std::env::current_exe().unwrap().with_file_name("page-samples");
    for (name, data) in [("healthy", healthy()), ("troubled", troubled()), ("large", large(1000))] {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("data.json"), serde_json::to_vec(&data).unwrap()).unwrap();
        let page = Page::new(Snapshot::render(&data, &base_url()), Setup::default(), Default::default());
        fs::write(folder.join("index.html"), page.snapshot().bytes(Resource::Home).unwrap()).unwrap();
        assert!(page.subscribe(&SubscribePage::default()).status().is_success());
    }
}
