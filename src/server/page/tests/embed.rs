//! The widget for frames on other people's pages.

use domain::{IncidentId, Span};
use poem::http::Method;

use super::{
    injection::text,
    sample::{ago, base_url, healthy, troubled},
    serving::{ask, header, page},
};
use crate::page::{Page, Resource, Setup, Snapshot, Theme};

#[test]
fn the_widget_says_the_state_and_what_is_open() {
    let calm = text(&Snapshot::render(&healthy(), &base_url()), Resource::Embed(Theme::Auto));
    assert!(calm.contains("All systems operational") && !calm.contains("<ul>") && calm.contains("Acme status"));
    let troubled = text(&Snapshot::render(&troubled(), &base_url()), Resource::Embed(Theme::Auto));
    assert!(troubled.contains("Public API: major outage since") && troubled.contains("API requests fail<"));
    assert!(troubled.contains("Database upgrade") && !troubled.contains("failed in Europe"), "what runs, and not what is over");
    let links = troubled.matches("<a ").count();
    assert_eq!(troubled.matches("target=\"_blank\" rel=\"noopener\"").count(), links, "no link loads inside the frame");
}

#[test]
fn a_small_frame_counts_what_it_cannot_list() {
    let mut data = troubled();
    for id in 100..106 {
        let mut copy = data.incidents[0].clone();
        copy.incident.id = IncidentId(id);
        data.incidents.push(copy);
    }
    let widget = text(&Snapshot::render(&data, &base_url()), Resource::Embed(Theme::Auto));
    assert_eq!(widget.matches("API requests fail<").count(), 3);
    assert!(widget.contains("and 4 more"));
}

#[test]
fn the_widget_does_not_call_healthy_what_it_cannot_know() {
    let page = Page::new(Snapshot::render(&healthy(), &base_url()), Setup::default(), Default::default());
    page.mark_stale(ago(Span::mins(1)));
    let widget = text(&page.snapshot(), Resource::Embed(Theme::Auto));
    assert!(widget.contains("As of ") && widget.contains("shape unknown") && !widget.contains("shape operational"));
}

#[tokio::test]
async fn only_the_known_themes_change_the_widget() {
    let page = page();
    let get = async |query: &str| {
        let answer = ask(&page, Method::GET, &format!("/embed{query}"), &[]).await;
        assert_eq!((answer.status().as_u16(), header(answer.headers(), "vary")), (200, "Accept-Encoding"), "{query}");
        answer.into_body().into_string().await.unwrap()
    };
    let auto = get("").await;
    assert!(!auto.contains("data-theme") && auto.contains("content=\"light dark\""));
    assert!(get("?theme=dark").await.contains("data-theme=\"dark\""));
    assert!(get("?a=b&theme=light").await.contains("data-theme=\"light\""));
    for query in ["?theme=auto", "?theme=", "?theme=%22%3E", "?theme=Dark", "?theme", "?dark", "?theme=x&theme=dark"] {
        assert_eq!(get(query).await, auto, "{query}");
    }
}
