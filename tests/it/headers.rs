//! The security headers of every kind of answer, exactly as they leave the server: what a scanner sees, and a little more.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Method, Response, redirect};

use crate::{
    app::{App, Stack, on_every_stack},
    console::PASSWORD,
    road::configuration,
};

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fanal";
const FRAME_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors *; require-trusted-types-for 'script'; trusted-types fanal";
/// The nonce is another one in each answer.
const CONSOLE_POLICY: &str = "default-src 'none'; script-src 'nonce-…'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fanal";
/// Of answers that are no documents: nothing at all may be loaded by one that is taken for a document.
const NOTHING_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const TWO_YEARS: &str = "max-age=63072000; includeSubDomains";

/// Headers that decide what a browser does with an answer. What is not listed for a kind must not be sent.
const WATCHED: [&str; 14] = [
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cross-origin-embedder-policy",
    "strict-transport-security",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "x-frame-options",
    "server",
    "x-powered-by",
    "set-cookie",
];

/// Headers by name.
type Kind = &'static [(&'static str, &'static str)];

const PAGE: Kind = &[
    ("content-security-policy", PAGE_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", TWO_YEARS),
];
/// The JSON API, feeds and badges: any site may read them, and nobody's cookies come along.
const FOR_EVERYONE: Kind = &[
    ("content-security-policy", PAGE_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("access-control-allow-origin", "*"),
    ("strict-transport-security", TWO_YEARS),
];
const FRAME: Kind = &[
    ("content-security-policy", FRAME_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("strict-transport-security", TWO_YEARS),
];
const CONSOLE: Kind = &[
    ("content-security-policy", CONSOLE_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("strict-transport-security", TWO_YEARS),
];
const OPS: Kind =
    &[("content-security-policy", NOTHING_POLICY), ("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")];

/// Where an answer is seen: method, path, status.
type Place = (&'static str, &'static str, u16);

/// A kind of answer, and where it is seen.
const SEEN: &[(Kind, &[Place])] = &[
    (
        PAGE,
        &[
            ("GET", "/", 200),
            ("GET", "/history", 200),
            ("GET", "/components/1", 200),
            ("GET", "/incidents/999999", 404),
            ("GET", "/nothing", 404),
            ("POST", "/", 405),
            ("GET", "/events", 200),
            ("GET", "/subscribe", 200),
            ("GET", "/subscriptions/guess", 404),
            ("GET", "/publications/1/veto/guess", 404),
            ("GET", "/assets/nothing.css", 404),
            ("GET", "/.well-known/security.txt", 200),
            // Hooks and pings are no documents, and are treated as strictly.
            ("POST", "/hooks/prod-alerts", 401),
            ("POST", "/hooks/nothing", 404),
            ("GET", "/ping/nothing-that-is-a-key", 404),
            // The admin API and its document.
            ("GET", "/api/admin/v1/me", 401),
            ("GET", "/api/admin/v1/nothing", 404),
            ("OPTIONS", "/api/admin/v1/components", 405),
            ("GET", "/api/admin/openapi.json", 200),
        ],
    ),
    (
        FOR_EVERYONE,
        &[
            ("GET", "/api/v2/summary.json", 200),
            ("GET", "/api/v2/incidents.json", 200),
            ("GET", "/history.atom", 200),
            ("GET", "/history.rss", 200),
            ("GET", "/calendar.ics", 200),
            ("GET", "/badge.svg", 200),
            ("GET", "/components/1/badge.svg", 200),
        ],
    ),
    (FRAME, &[("GET", "/embed", 200), ("GET", "/embed?theme=dark", 200)]),
    (
        CONSOLE,
        &[
            ("GET", "/console/", 303),
            ("GET", "/console/log-in", 200),
            ("GET", "/console/forgot", 200),
            ("GET", "/console/nothing", 404),
            ("POST", "/console/log-in", 403),
            ("GET", "/console/setup/guess", 404),
        ],
    ),
];

/// What is watched of an answer, with the nonce taken out.
fn watched(answer: &Response) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in WATCHED {
        for value in answer.headers().get_all(name) {
            let mut value = value.to_str()?.to_owned();
            if let Some((before, rest)) = value.split_once("'nonce-") {
                let (nonce, after) = rest.split_once('\'').context("a nonce ends")?;
                ensure!(nonce.len() >= 22, "a nonce of 128 bits: {nonce}");
                value = format!("{before}'nonce-…'{after}");
            }
            ensure!(found.insert(name.to_owned(), value).is_none(), "{name} comes twice");
        }
    }
    Ok(found)
}

fn wanted(kind: Kind) -> BTreeMap<String, String> {
    kind.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().redirect(redirect::Policy::none()).build()?)
}

async fn every_kind_of_answer_has_exactly_its_headers(stack: Stack) -> Result<()> {
    let settings = [
        ("FANAL_BASE_URL", "https://status.example.com".to_owned()),
        ("FANAL_SECURITY_CONTACT", "mailto:security@example.com".to_owned()),
        ("FANAL_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
    ];
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &settings).await?;
    let http = client()?;
    for (kind, seen) in SEEN {
        for (method, path, status) in *seen {
            // Somebody elsewhere who would like to read the answer.
            let request = http.request(Method::from_bytes(method.as_bytes())?, format!("{}{path}", app.base));
            let request = if *path == "/events" { request } else { request.header("origin", "https://evil.example") };
            let answer = request.header("access-control-request-method", "DELETE").send().await?;
            ensure!(answer.status() == *status, "{method} {path}: {}", answer.status());
            let found = watched(&answer).with_context(|| format!("{method} {path}"))?;
            ensure!(found == wanted(kind), "{method} {path} has\n{found:#?}\nand should have\n{:#?}", wanted(kind));
        }
    }
    for (path, cache) in [("/console/log-in", "no-store"), ("/api/admin/v1/me", "no-store")] {
        let answer = http.get(format!("{}{path}", app.base)).send().await?;
        ensure!(answer.headers().get("cache-control").is_some_and(|value| value == cache), "{path}: {:?}", answer.headers());
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        let answer = http.get(format!("{}{path}", app.ops)).send().await?;
        ensure!(watched(&answer)? == wanted(OPS), "{path} has {:#?}", watched(&answer)?);
    }
    who_must_wait(&app, &http).await?;
    cookies(&app, &http).await?;
    app.finish().await
}

/// Whoever asks too often gets an answer as well kept as any other.
async fn who_must_wait(app: &App, http: &reqwest::Client) -> Result<()> {
    for _ in 0..2000 {
        let request = http.get(format!("{}/api/v2/status.json", app.base)).header("x-forwarded-for", "198.51.100.7");
        let answer = request.send().await?;
        if answer.status() == 429 {
            ensure!(watched(&answer)? == wanted(FOR_EVERYONE), "{:#?}", watched(&answer)?);
            return Ok(());
        }
    }
    bail!("nobody was told to wait")
}

/// A browser takes these from this very host alone, over TLS, and shows them to no script.
async fn cookies(app: &App, http: &reqwest::Client) -> Result<()> {
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    let form =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("email", "ada@example.com"), ("password", PASSWORD)]).finish();
    let request = http.post(format!("{}/console/log-in", app.base)).header("origin", "https://status.example.com");
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await?;
    ensure!(answer.status() == 303, "{}", answer.status());
    let cookies: Vec<&str> = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str()).collect::<Result<_, _>>()?;
    ensure!(cookies.len() == 2, "the session and the browser: {cookies:?}");
    for cookie in cookies {
        let mut parts: Vec<&str> = cookie.split(';').map(str::trim).collect();
        let pair = parts.remove(0);
        parts.retain(|part| !part.starts_with("Max-Age="));
        parts.sort_unstable();
        ensure!(parts == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"], "{cookie}");
        ensure!(pair.starts_with("__Host-fanal=") || pair.starts_with("__Host-fanal-device="), "{cookie}");
        let (_, value) = pair.split_once('=').context("a value")?;
        ensure!(value.len() >= 32, "192 bits: {cookie}");
    }
    Ok(())
}

/// Over plain HTTP nobody is told to come by TLS only, and everything else stays as strict.
async fn without_tls_nothing_but_that_is_left_out(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration("http://127.0.0.1:9/in"), &[]).await?;
    for (path, kind) in [("/", PAGE), ("/api/v2/summary.json", FOR_EVERYONE), ("/embed", FRAME), ("/console/log-in", CONSOLE)] {
        let found = watched(&client()?.get(format!("{}{path}", app.base)).send().await?)?;
        let mut wanted = wanted(kind);
        wanted.remove("strict-transport-security");
        ensure!(found == wanted, "{path} has {found:#?}");
    }
    app.finish().await
}

on_every_stack!(every_kind_of_answer_has_exactly_its_headers, without_tls_nothing_but_that_is_left_out);
