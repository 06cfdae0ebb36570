//! What is open to everybody: every route that stands outside the console's table and the admin API's rules, read from the sources, so that a new one
//! must be named here together with what it gives to strangers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, ensure};
use reqwest::{Method, redirect};
use serde_json::json;

use crate::{
    app::{App, Stack, on_every_stack},
    console::{Browser, PASSWORD},
    road::configuration,
};

/// An open route.
pub(crate) struct Open {
    /// With `:name` for what varies.
    pub(crate) route: &'static str,
    /// What a stranger gets who asks for it with an id or a proof that is none.
    get: u16,
    /// The same for POST; 405 where there is nothing to do.
    post: u16,
}

const fn page(route: &'static str) -> Open {
    Open { route, get: 200, post: 405 }
}

const fn of_one(route: &'static str) -> Open {
    Open { route, get: 404, post: 405 }
}

/// What the link in the path proves.
const fn by_link(route: &'static str) -> Open {
    Open { route, get: 404, post: 404 }
}

/// Every open route of `FANAL_LISTEN`.
pub(crate) const OPEN: &[Open] = &[
    page("/"),
    page("/history"),
    page("/history.atom"),
    page("/history.rss"),
    page("/calendar.ics"),
    page("/badge.svg"),
    page("/embed"),
    page("/events"),
    page("/api/v2/summary.json"),
    page("/api/v2/status.json"),
    page("/api/v2/components.json"),
    page("/api/v2/incidents.json"),
    page("/api/v2/incidents/unresolved.json"),
    page("/api/v2/scheduled-maintenances.json"),
    page("/api/v2/scheduled-maintenances/upcoming.json"),
    page("/api/v2/scheduled-maintenances/active.json"),
    of_one("/incidents/:id"),
    of_one("/maintenances/:id"),
    of_one("/components/:id"),
    of_one("/components/:id/badge.svg"),
    of_one("/assets/:name"),
    of_one("/.well-known/security.txt"),
    // Mail is off: the form says so.
    Open { route: "/subscribe", get: 200, post: 200 },
    // An act on a subscription that is not there is answered like one that is: nobody learns which there are.
    Open { route: "/subscriptions/:token", get: 404, post: 303 },
    Open { route: "/subscriptions/:token/unsubscribe", get: 404, post: 200 },
    by_link("/publications/:incident/:verdict/:token"),
    // Whoever can prove themselves to the integration.
    Open { route: "/hooks/:integration", get: 405, post: 404 },
    Open { route: "/hooks/:integration/:token", get: 405, post: 404 },
    by_link("/ping/:key"),
    by_link("/ping/:key/:what"),
    // The document of the admin API, which is the same everywhere, and its page.
    page("/api/admin/openapi.json"),
    page("/api/admin/docs"),
    page("/api/admin/docs.css"),
    // Leads into the console, behind whose table everything else stands.
    Open { route: "/console", get: 303, post: 303 },
];

/// What leads into a part that has its own rules, or is written out in full above.
const PARTS: [&str; 7] = ["/hooks", "/ping", "/api/admin", "/api/v1", "/v1", "/", "/console"];
/// On the address of their own.
const OPS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        let is_test = path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// Every path that the sources give to a router, and the files that compute one.
fn registered() -> (BTreeSet<String>, BTreeSet<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    let (mut files, mut paths, mut computed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    sources(&root, &mut files);
    for file in files {
        let name = file.strip_prefix(&root).expect("it was found there").display().to_string();
        let text = fs::read_to_string(&file).expect("the sources can be read");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for call in [".at(", ".nest(", ".nest_no_strip("] {
            for rest in code.split(call).skip(1) {
                match rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    Some(path) => drop(paths.insert(path.to_owned())),
                    None => drop(computed.insert(name.clone())),
                }
            }
        }
        // The documents of the page that have one address each.
        let fixed = code.split("(\"/").skip(1).filter(|rest| rest.lines().next().is_some_and(|line| line.contains(", Resource::")));
        paths.extend(fixed.map(|rest| format!("/{}", rest.split('"').next().unwrap_or_default())));
    }
    (paths, computed)
}

#[test]
fn every_open_route_is_named_here() {
    let (registered, computed) = registered();
    let inside =
        |route: &str| ["/hooks", "/ping", "/api/admin"].iter().find_map(|part| route.strip_prefix(part)).unwrap_or(route).to_owned();
    let known: BTreeSet<String> =
        OPEN.iter().map(|open| inside(open.route)).chain(PARTS.iter().chain(&OPS).map(ToString::to_string)).collect();
    assert_eq!(registered, known, "a route that is in no table of rules must stand in OPEN, with what it gives to strangers");
    // One goes through the documents above, the other through the console's table.
    assert_eq!(computed.iter().map(String::as_str).collect::<Vec<_>>(), ["console/gate.rs", "page/routes.rs"]);
}

/// A path as strangers would guess it.
pub(crate) fn guess(route: &str) -> String {
    route.split('/').map(|part| if part.starts_with(':') { "999999" } else { part }).collect::<Vec<_>>().join("/")
}

/// Whoever they say they are, strangers get what is open and nothing else, and no method does more than the routes say.
async fn strangers_get_what_is_open_and_nothing_else(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &[]).await?;
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let before = app.admin_list("/audit").await?.len();
    for open in OPEN {
        let url = format!("{}{}", app.base, guess(open.route));
        for (method, wanted) in [(Method::GET, open.get), (Method::POST, open.post)] {
            for claim in ["", "Bearer fanal_0000000000000000000000000000000000000000000", "Basic cm9vdDpyb290"] {
                let mut request = http.request(method.clone(), &url).header("content-type", "application/x-www-form-urlencoded");
                if !claim.is_empty() {
                    request = request.header("authorization", claim).header("cookie", "fanal-session=guess; __Host-fanal=guess");
                }
                let answer =
                    request.body(if method == Method::POST { "action=confirm&address=a%40example.com" } else { "" }).send().await?;
                ensure!(answer.status() == wanted, "{method} {url} {claim}: {} instead of {wanted}", answer.status());
                ensure!(answer.headers().get("set-cookie").is_none(), "{method} {url} sets a cookie");
            }
        }
        for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::from_bytes(b"PROPFIND")?] {
            let status = http.request(method.clone(), &url).send().await?.status().as_u16();
            ensure!(matches!(status, 303 | 404 | 405), "{method} {url}: {status}");
        }
    }
    for path in OPS {
        ensure!(http.get(format!("{}{path}", app.base)).send().await?.status() == 404, "{path} is served to the world");
    }
    let acts: Vec<_> = app.admin_list("/audit").await?;
    ensure!(acts.len() <= before + 1, "strangers did something: {acts:?}");
    app.finish().await
}

/// Every page of the console, read from its sources.
fn console_pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/console");
    let (mut files, mut pages) = (Vec::new(), BTreeSet::new());
    sources(&root, &mut files);
    for text in files.iter().map(|file| fs::read_to_string(file).expect("the sources can be read")) {
        let constants: Vec<(&str, &str)> = text
            .split("const ")
            .skip(1)
            .filter_map(|rest| rest.split_once(": &str = \""))
            .map(|(name, rest)| (name, rest.split('"').next().unwrap_or_default()))
            .collect();
        // Acts on chosen rows say in their words where they are.
        let chosen = text.split("    path: \"").skip(1).filter_map(|rest| rest.split('"').next());
        pages.extend(chosen.filter(|path| path.starts_with("/console/")).map(str::to_owned));
        for rest in text.split(".get(").skip(1) {
            let first = rest.split([',', ')']).next().unwrap_or_default().trim();
            let named = constants.iter().find(|(name, _)| *name == first).map(|(_, path)| *path);
            pages.extend(
                first
                    .strip_prefix('"')
                    .and_then(|path| path.strip_suffix('"'))
                    .or(named)
                    .filter(|path| path.starts_with("/console/"))
                    .map(str::to_owned),
            );
        }
    }
    pages.into_iter().collect()
}

/// All that is stored, but for what moves by itself: who evaluates, and when somebody was last seen.
async fn stored(app: &App) -> Result<BTreeMap<String, String>> {
    let names = match app.setting("FANAL_DATABASE_URL") {
        Some(_) => "select table_name from information_schema.tables where table_schema = 'public'",
        None => "select name from sqlite_master where type = 'table'",
    };
    let mut stored = BTreeMap::new();
    for table in app.sql(names).await?.lines().filter(|table| !["ledger", "session"].contains(table)) {
        stored.insert(table.to_owned(), app.sql(&format!("select * from {table} order by 1")).await?);
    }
    ensure!(stored.len() > 30, "{:?}", stored.keys());
    Ok(stored)
}

/// Whoever follows a link, be it a scanner of mail or a page that somebody was lured to, changes nothing by it.
async fn looking_changes_nothing(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &[]).await?;
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    app.admin_post("/incidents", &json!({ "title": "Slow", "body": "We look into it.", "published": false })).await?;
    app.settle(Duration::from_secs(20)).await?;
    let mut browser = Browser::new(&app);
    ensure!(browser.post("/console/log-in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await?.location == "/console/");
    let pages = console_pages();
    ensure!(pages.len() > 40, "{pages:?}");
    let (before, mut shown) = (stored(&app).await?, 0);
    for page in &pages {
        let path: Vec<&str> = page.split('/').map(|part| if part.starts_with(':') { "1" } else { part }).collect();
        let answer = browser.get(&path.join("/")).await?;
        ensure!(answer.status.as_u16() < 500, "{page}: {}", answer.status);
        shown += usize::from(answer.status == 200);
    }
    for open in OPEN.iter().filter(|open| open.route != "/events") {
        app.http.get(format!("{}{}", app.base, guess(open.route).replace("999999", "1"))).send().await?;
    }
    ensure!(shown > 25, "{shown} of {} pages are shown", pages.len());
    let after = stored(&app).await?;
    for (table, rows) in before {
        ensure!(after[&table] == rows, "looking changed {table}:\n{rows}\nbecame\n{}", after[&table]);
    }
    app.finish().await
}

on_every_stack!(strangers_get_what_is_open_and_nothing_else, looking_changes_nothing);
