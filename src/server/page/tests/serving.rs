//! The page over HTTP.

use std::{sync::Arc, time::Duration};

use domain::Span;
use futures::StreamExt;
use poem::{
    Endpoint, EndpointExt, Request, Response,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use tokio_util::sync::CancellationToken;

use super::sample::{ago, base_url, healthy, troubled};
use crate::page::{Page, Setup, Snapshot, assets, routes};

pub(super) async fn ask(page: &Arc<Page>, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path.parse::<Uri>().unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    routes(page).with(crate::page::headers(&base_url())).call(request.finish()).await.unwrap()
}

pub(super) fn page() -> Arc<Page> {
    Page::new(Snapshot::render(&troubled(), &base_url()), Setup::default(), CancellationToken::new())
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

pub(super) const PATHS: [&str; 19] = [
    "/embed",
    "/calendar.ics",
    "/",
    "/history",
    "/history.atom",
    "/history.rss",
    "/badge.svg",
    "/incidents/8",
    "/maintenances/1",
    "/components/1",
    "/components/1/badge.svg",
    "/api/v2/summary.json",
    "/api/v2/status.json",
    "/api/v2/components.json",
    "/api/v2/incidents.json",
    "/api/v2/incidents/unresolved.json",
    "/api/v2/scheduled-maintenances.json",
    "/api/v2/scheduled-maintenances/upcoming.json",
    "/api/v2/scheduled-maintenances/active.json",
];

#[tokio::test]
async fn every_public_path_answers_once_and_then_not_modified() {
    let page = page();
    for path in PATHS {
        for accept in ["br", "zstd", "gzip", "identity"] {
            let answer = ask(&page, Method::GET, path, &[("accept-encoding", accept)]).await;
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let etag = header(answer.headers(), "etag").to_owned();
            assert!(etag.starts_with('"') && etag.ends_with('"'), "{path} {etag}");
            assert_eq!(header(answer.headers(), "vary"), "Accept-Encoding");
            let again = ask(&page, Method::GET, path, &[("accept-encoding", accept), ("if-none-match", &etag)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
            assert_eq!(header(again.headers(), "etag"), etag);
            assert!(again.into_body().into_vec().await.unwrap().is_empty());
            let head = ask(&page, Method::HEAD, path, &[("accept-encoding", accept)]).await;
            assert_eq!((head.status(), header(head.headers(), "etag")), (StatusCode::OK, etag.as_str()));
        }
    }
}

#[tokio::test]
async fn encodings_hold_the_same_bytes_and_differ_in_their_tags() {
    let page = page();
    let plain = ask(&page, Method::GET, "/", &[]).await;
    let mut tags = vec![header(plain.headers(), "etag").to_owned()];
    let plain = plain.into_body().into_vec().await.unwrap();
    for accept in ["br", "zstd", "gzip"] {
        let answer = ask(&page, Method::GET, "/", &[("accept-encoding", accept)]).await;
        assert_eq!(header(answer.headers(), "content-encoding"), accept);
        tags.push(header(answer.headers(), "etag").to_owned());
        let body = answer.into_body().into_vec().await.unwrap();
        assert!(body.len() < plain.len());
        let mut unpacked = Vec::new();
        match accept {
            "br" => drop(brotli::BrotliDecompress(&mut body.as_slice(), &mut unpacked)),
            "zstd" => unpacked = zstd::bulk::decompress(&body, plain.len() * 2).unwrap(),
            _ => drop(std::io::copy(&mut flate2::read::GzDecoder::new(body.as_slice()), &mut unpacked)),
        }
        assert_eq!(unpacked, plain, "{accept}");
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

#[tokio::test]
async fn unknown_things_are_404_in_the_pages_own_design() {
    let page = page();
    for path in
        ["/incidents/999", "/incidents/x", "/incidents/08", "/components/-1", "/maintenances/99999999999999999999", "/assets/page.css"]
    {
        let answer = ask(&page, Method::GET, path, &[]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(answer.into_body().into_string().await.unwrap().contains("There is no such page"));
    }
    for path in ["/proxy/example.com", "/api/v2/nothing.json", "/index.json"] {
        assert_eq!(ask(&page, Method::GET, path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask(&page, Method::POST, "/", &[]).await.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn queries_never_change_what_is_served() {
    let page = page();
    let etag = header(ask(&page, Method::GET, "/api/v2/incidents.json", &[]).await.headers(), "etag").to_owned();
    for query in ["?name=1&1[0]=&1[1]=a&1[3]=or+'a'='a'", "?page=0", "?page=x", "?page=1", "?sort=id"] {
        let answer = ask(&page, Method::GET, &format!("/api/v2/incidents.json{query}"), &[]).await;
        assert_eq!(header(answer.headers(), "etag"), etag, "{query}");
    }
    let last = ask(&page, Method::GET, "/api/v2/incidents.json?page=777", &[]).await;
    assert!(last.into_body().into_string().await.unwrap().contains("\"incidents\":[]"));
}

#[tokio::test]
async fn assets_are_named_by_their_content_and_kept_for_ever() {
    let page = page();
    let links = assets::links();
    for asset in [&links.css, &links.js, &links.theme, &links.icon, &links.embed_css, &links.embed_js] {
        let answer = ask(&page, Method::GET, &asset.path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", asset.path);
        assert!(header(answer.headers(), "cache-control").contains("immutable"));
    }
}

#[tokio::test]
async fn a_stale_page_says_so_in_every_answer_and_again_not_when_published() {
    let page = page();
    let mut versions = page.versions();
    page.mark_stale(ago(Span::mins(1)));
    assert!(versions.has_changed().unwrap() && versions.borrow_and_update().stale);
    page.mark_stale(ago(Span::ZERO));
    assert!(!versions.has_changed().unwrap(), "told once");
    for path in PATHS {
        assert_eq!(header(ask(&page, Method::GET, path, &[]).await.headers(), "x-fanal-stale"), "true", "{path}");
    }
    page.publish(Snapshot::render(&troubled(), &base_url()));
    assert!(versions.has_changed().unwrap() && !versions.borrow_and_update().stale);
    assert_eq!(header(ask(&page, Method::GET, "/", &[]).await.headers(), "x-fanal-stale"), "");
}

#[tokio::test]
async fn open_pages_hear_of_every_version_until_shutdown() {
    let shutdown = CancellationToken::new();
    let page = Page::new(Snapshot::render(&healthy(), &base_url()), Setup::default(), shutdown.clone());
    let answer = ask(&page, Method::GET, "/events", &[("origin", "https://status.example.com")]).await;
    assert_eq!(header(answer.headers(), "content-type"), "text/event-stream");
    let mut stream = answer.into_body().into_bytes_stream();
    let mut heard = String::new();
    let hear = async |stream: &mut (dyn futures::Stream<Item = _> + Unpin + Send), heard: &mut String, until: &str| {
        while !heard.contains(until) {
            let next: Option<Result<bytes::Bytes, std::io::Error>> =
                tokio::time::timeout(Duration::from_secs(5), stream.next()).await.unwrap();
            heard.push_str(std::str::from_utf8(&next.unwrap().unwrap()).unwrap());
        }
    };
    hear(&mut stream, &mut heard, "event: version\ndata: 41\n\n").await;
    page.publish(Snapshot::render(&troubled(), &base_url()));
    hear(&mut stream, &mut heard, "event: version\ndata: 42\n\n").await;
    page.mark_stale(ago(Span::ZERO));
    hear(&mut stream, &mut heard, "event: stale\ndata: 42\n\n").await;
    shutdown.cancel();
    assert!(tokio::time::timeout(Duration::from_secs(5), stream.next()).await.unwrap().is_none());
}

/// Uptime Kuma: its socket took anybody's page for its own.
#[tokio::test]
async fn cve_2023_49805_a_foreign_page_opens_no_stream() {
    let page = page();
    for origin in ["https://evil.example", "null", "http://status.example.com", "https://status.example.com.evil.example"] {
        assert_eq!(ask(&page, Method::GET, "/events", &[("origin", origin)]).await.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    let own = ask(&page, Method::GET, "/events", &[("origin", "https://status.example.com")]).await;
    assert_eq!((own.status(), header(own.headers(), "access-control-allow-origin")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn crowds_are_turned_away() {
    let page = page();
    let held = page.streams.clone().try_acquire_many_owned(u32::try_from(crate::page::MAX_STREAMS).unwrap() - 1).unwrap();
    let last = ask(&page, Method::GET, "/events", &[]).await;
    assert_eq!(last.status(), StatusCode::OK);
    let refused = ask(&page, Method::GET, "/events", &[]).await;
    assert_eq!((refused.status(), header(refused.headers(), "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "30"));
    drop((held, last));
    assert_eq!(ask(&page, Method::GET, "/events", &[]).await.status(), StatusCode::OK, "places are given back");
}
