//! Which headers each kind of answer carries.

use std::sync::Arc;

use domain::Image;
use poem::{Endpoint, EndpointExt, Request, http::Method};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    sample::{base_url, healthy},
    serving::{PATHS, ask, header, page},
};
use crate::page::{Page, Resource, Setup, Snapshot, assets, routes};

/// Who may use an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    /// Our own pages.
    Us,
    /// Frames on any page.
    Frames,
    /// Scripts and pictures on any page.
    Everyone,
}

fn whom(path: &str) -> For {
    let public = path.starts_with("/api/v2/") || path.contains("badge") || path.starts_with("/history.") || path.ends_with(".ics");
    match path {
        "/embed" => For::Frames,
        _ if public => For::Everyone,
        _ => For::Us,
    }
}

fn setup() -> Setup {
    Setup { security_contacts: vec!["security@example.com".parse().unwrap()], ..Setup::default() }
}

fn at(base_url: &Url) -> Arc<Page> {
    Page::new(Snapshot::render(&healthy(), base_url), setup(), CancellationToken::new())
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_its_kind() {
    let page = at(&base_url());
    let others = ["/incidents/999", assets::links().js.path.as_str(), "/proxy/example.com", "/.well-known/security.txt", "/components/x"];
    for path in PATHS.into_iter().filter(|path| *path != "/incidents/8").chain(others) {
        let answer = ask(&page, Method::GET, path, &[]).await;
        let (headers, whom) = (answer.headers(), whom(path));
        let policy = header(headers, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path} {policy}");
        let ancestors = if whom == For::Frames { "frame-ancestors *;" } else { "frame-ancestors 'none';" };
        assert!(policy.contains(ancestors) && policy.contains("require-trusted-types-for 'script'"), "{path} {policy}");
        assert_eq!(header(headers, "x-frame-options"), "", "{path}: the policy says it, and more finely");
        let resource = if whom == For::Us { "same-origin" } else { "cross-origin" };
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", resource),
            ("cross-origin-embedder-policy", if whom == For::Frames { "require-corp" } else { "" }),
            ("access-control-allow-origin", if whom == For::Everyone { "*" } else { "" }),
            ("access-control-allow-credentials", ""),
            ("set-cookie", ""),
            ("server", ""),
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ] {
            assert_eq!(header(headers, name), value, "{path} {name}");
        }
        assert!(header(headers, "permissions-policy").contains("camera=()"), "{path}");
    }
}

#[tokio::test]
async fn not_modified_takes_back_nothing_that_was_granted() {
    let page = page();
    for path in ["/badge.svg", "/api/v2/summary.json", "/embed"] {
        let etag = header(ask(&page, Method::GET, path, &[]).await.headers(), "etag").to_owned();
        let again = ask(&page, Method::GET, path, &[("if-none-match", &etag)]).await;
        assert_eq!(again.status(), 304);
        // A cache puts these in the place of those it has: `same-origin` would shut out the pages that show the badge.
        assert_eq!(header(again.headers(), "cross-origin-resource-policy"), "", "{path}");
        assert_eq!(header(again.headers(), "content-security-policy"), "", "{path}");
    }
}

#[tokio::test]
async fn strict_transport_is_asked_for_where_there_is_tls() {
    let http: Url = "http://localhost:8080".parse().unwrap();
    let page = at(&http);
    for path in ["/", "/incidents/999", assets::links().css.path.as_str()] {
        let request = Request::builder().uri(path.parse().unwrap()).finish();
        let answer = routes(&page).with(crate::page::headers(&http)).call(request).await.unwrap();
        assert_eq!(header(answer.headers(), "strict-transport-security"), "", "{path}");
    }
}

#[tokio::test]
async fn security_txt_names_whom_to_tell_and_runs_out_within_a_year() {
    let answer = ask(&at(&base_url()), Method::GET, "/.well-known/security.txt", &[]).await;
    assert_eq!(header(answer.headers(), "content-type"), "text/plain; charset=utf-8");
    let text = answer.into_body().into_string().await.unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned();
    assert_eq!(field("Contact"), "mailto:security@example.com");
    assert_eq!(field("Preferred-Languages"), "en");
    assert_eq!(field("Canonical"), "https://status.example.com/.well-known/security.txt");
    let left = field("Expires").parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
    assert!((24 * 100..24 * 365).contains(&left.as_hours()), "{left:?}");
    let plain = ask(&at(&"http://localhost:8080".parse().unwrap()), Method::GET, "/.well-known/security.txt", &[]).await;
    assert!(!plain.into_body().into_string().await.unwrap().contains("Canonical"), "only https may be named");
    assert_eq!(ask(&page(), Method::GET, "/.well-known/security.txt", &[]).await.status(), 404, "nobody is named");
}

#[tokio::test]
async fn an_owners_picture_can_do_nothing_by_itself_and_is_kept_for_ever() {
    let drawing = Image::read(b"<svg xmlns=\"http://www.w3.org/2000/svg\"><style>g{fill:red}</style></svg>").unwrap();
    let mut data = healthy();
    data.settings.brand.logo = Some(drawing.mark());
    data.settings.brand.accent = "#7a1f5c".parse().ok();
    data.images = vec![drawing.clone()];
    let page = Page::new(Snapshot::render(&data, &base_url()), setup(), CancellationToken::new());
    let mut answer = ask(&page, Method::GET, &drawing.mark().path(), &[]).await;
    let headers = answer.headers();
    assert_eq!(header(headers, "content-type"), "image/svg+xml");
    assert_eq!(
        header(headers, "content-security-policy"),
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    );
    assert_eq!((header(headers, "x-content-type-options"), header(headers, "cross-origin-resource-policy")), ("nosniff", "cross-origin"));
    assert!(header(headers, "cache-control").contains("immutable"));
    assert_eq!(answer.take_body().into_vec().await.unwrap(), drawing.content().to_vec());

    let home = String::from_utf8(page.snapshot().bytes(Resource::Home).unwrap().to_vec()).unwrap();
    let (_, sheet) = home.split_once("/assets/accent.7a1f5c.").unwrap();
    let sheet = format!("/assets/accent.7a1f5c.{}", sheet.split('"').next().unwrap());
    // The same from a process that has not seen this version yet.
    for page in [&page, &at(&base_url())] {
        let mut answer = ask(page, Method::GET, &sheet, &[]).await;
        assert_eq!(header(answer.headers(), "content-type"), "text/css; charset=utf-8");
        assert!(answer.take_body().into_string().await.unwrap().starts_with(":root{--accent:#7a1f5c}"));
    }
    assert!(home.contains(&format!("<img class=\"logo\" src=\"{}\" alt=\"Acme\" height=\"32\">", drawing.mark().path())), "{home}");
    assert_eq!(ask(&at(&base_url()), Method::GET, &drawing.mark().path(), &[]).await.status(), 404);
}
