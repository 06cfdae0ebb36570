//! Text that tries to be more than text comes out inert in every document.

use domain::{ImageKind, ImageMark, PageData, PageLink};

use super::sample::{base_url, troubled};
use crate::page::{Resource, Snapshot, snapshot::all};

const PAYLOADS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></textarea></style><script>alert(1)</script>",
    "]]><script>alert(1)</script><![CDATA[",
    "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    "<a href=\"jav&#x09;ascript:alert(1)\">x</a>",
    "[x](javascript:alert(1)) ![x](data:text/html,x)",
    "{{ 7*7 }}${7*7}<%= 7*7 %>",
    "x\u{0}\u{8}\u{b}\u{1b}\u{fffe}\u{202e}y",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
];

fn filled(payload: &str) -> PageData {
    let mut data = troubled();
    let fill = |text: &mut String| payload.clone_into(text);
    fill(&mut data.settings.name);
    fill(&mut data.settings.description);
    data.settings.support_url = "javascript:alert(1)".to_owned();
    let brand = &mut data.settings.brand;
    fill(&mut brand.footer);
    fill(&mut brand.logo_alt);
    let link = |url: &str| PageLink { label: payload.to_owned(), url: url.to_owned() };
    brand.header_links = vec![link("https://example.com/\"><script>"), link("javascript:alert(1)")];
    brand.footer_links = brand.header_links.clone();
    brand.logo = Some(ImageMark { digest: "ab12".to_owned(), kind: ImageKind::Svg, pixels: None });
    data.groups.iter_mut().for_each(|group| fill(&mut group.name));
    for shown in &mut data.components {
        fill(&mut shown.component.name);
        fill(&mut shown.component.description);
    }
    for shown in &mut data.incidents {
        fill(&mut shown.incident.title);
        shown.updates.iter_mut().for_each(|update| fill(&mut update.body));
    }
    for maintenance in &mut data.maintenances {
        fill(&mut maintenance.title);
        fill(&mut maintenance.body);
    }
    for shown in &mut data.metrics {
        fill(&mut shown.metric.name);
        fill(&mut shown.metric.unit);
    }
    data
}

/// Every element's name with its attributes' names, by a scanner that knows quotes: what a parser would see as markup.
fn tags(markup: &str) -> Vec<(String, Vec<String>)> {
    let mut list = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let name: String = rest.chars().take_while(|char| char.is_ascii_alphanumeric() || "!?/:_-".contains(*char)).collect();
        let (mut attributes, mut current, mut quote) = (Vec::new(), String::new(), None);
        let mut end = rest.len();
        for (index, char) in rest.char_indices().skip(name.len()) {
            match (quote, char) {
                (Some(open), _) if open == char => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(char),
                (None, '>') => {
                    end = index;
                    break;
                }
                (None, '=' | ' ' | '\n' | '/') => {
                    attributes.extend((!current.is_empty()).then(|| std::mem::take(&mut current)));
                }
                (None, other) => current.push(other),
            }
        }
        attributes.extend((!current.is_empty()).then_some(current));
        list.push((name.to_ascii_lowercase(), attributes));
        rest = &rest[end..];
    }
    list
}

/// Cachet: the title and the text of an incident ran what they held.
#[test]
fn ghsa_x397_5hrv_j9m9_an_incident_runs_nothing() {
    let payload = "<img src=x onerror=alert(document.domain)>";
    let mut data = troubled();
    for shown in &mut data.incidents {
        payload.clone_into(&mut shown.incident.title);
        shown.updates.iter_mut().for_each(|update| payload.clone_into(&mut update.body));
    }
    let snapshot = Snapshot::render(&data, &base_url());
    let mut said = 0;
    for resource in all(&snapshot) {
        let markup = text(&snapshot, resource);
        let json = markup.starts_with(['{', 'B']);
        assert!(json || !tags(&markup).iter().any(|(name, _)| name == "img"), "{resource:?}");
        said += markup.matches("&lt;img").count() + markup.matches("&#60;img").count();
    }
    assert!(said > 0, "the title is shown as it was written");
}

/// Uptime Kuma: an id that stood in an attribute ended it.
#[test]
fn cve_2023_49276_no_text_becomes_markup() {
    for payload in PAYLOADS {
        let snapshot = Snapshot::render(&filled(payload), &base_url());
        let harmless = Snapshot::render(&filled("harmless"), &base_url());
        for resource in all(&snapshot) {
            let markup = text(&snapshot, resource);
            assert!(!markup.contains("=\"javascript:"), "{resource:?} {payload}");
            assert!(!markup.contains(['\0', '\u{8}', '\u{b}', '\u{1b}', '\u{fffe}', '\u{202e}']), "{resource:?} {payload:?}");
            if markup.starts_with(['{', 'B']) {
                // JSON, and the calendar, which begins with its name: no markup there.
                continue;
            }
            let allowed = ["src", "href"];
            for (name, attributes) in tags(&markup) {
                let acting = attributes.iter().any(|attribute| attribute.starts_with("on") || attribute == "style");
                assert!(!acting, "{resource:?} {payload}: {name} {attributes:?}");
                if name == "script" {
                    assert!(
                        attributes.iter().any(|attribute| allowed.contains(&attribute.as_str())),
                        "{resource:?} {payload}: inline script"
                    );
                }
                let is_logo = name == "img" && attributes == ["class", "src", "alt", "height"];
                assert!(
                    is_logo || !["img", "iframe", "object", "embed", "base", "style", "math"].contains(&name.as_str()),
                    "{resource:?} {payload}: {name}"
                );
            }
            let scripts = |markup: &str| markup.matches("<script").count();
            assert_eq!(scripts(&markup), scripts(&text(&harmless, resource)), "{resource:?} {payload}");
        }
    }
}

#[test]
fn what_is_not_for_readers_is_in_no_document() {
    let snapshot = Snapshot::render(&troubled(), &base_url());
    for resource in all(&snapshot) {
        let text = text(&snapshot, resource);
        for secret in ["internal_status", "overridden", "secret-person", "key-1", "opened_by"] {
            assert!(!text.contains(secret), "{resource:?} shows {secret}");
        }
    }
}

pub(super) fn text(snapshot: &Snapshot, resource: Resource) -> String {
    String::from_utf8(snapshot.bytes(resource).unwrap().to_vec()).unwrap()
}
