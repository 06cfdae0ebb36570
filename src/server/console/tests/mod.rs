//! The console on a real database, through its real front door.

mod access;
mod back_test;
mod chosen;
mod entry;
mod factors;
mod hub;
mod idp;
mod oidc;
mod order;
mod people;
mod running;
mod screens;
mod series;
mod sources;
mod tries;
mod trying;
mod vulnerabilities;
mod waiting;
mod words;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use domain::{Role, UserId};
use jobs::{
    Clock,
    channels::{
        Channels,
        email::{Email, EmailSettings},
    },
    egress::{Egress, EgressPolicy},
};
use poem::{
    EndpointExt, Route,
    endpoint::BoxEndpoint,
    http::{HeaderMap, Method, StatusCode, header},
    test::TestClient,
};
use secrecy::{ExposeSecret, SecretString};
use storage::{
    Db, SecretBox, Wake,
    entry_links::{self, Purpose},
    passwords,
    users::{self, NewPassword, NewUser},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Console, Machinery, add_to,
    oidc::{Oidc, Settings},
};
use crate::{
    Letters,
    admin::{Admin, Operations},
    feed,
    page::{Page, Setup},
};

const PASSWORD: &str = "violin harbour sandpaper";

/// A console of its own, on a database in a temporary folder that goes with it.
struct Fixture {
    console: Console,
    client: TestClient<BoxEndpoint<'static>>,
    folder: std::path::PathBuf,
}

/// An answer, read.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?} {}", self.headers, self.body);
        self
    }

    /// The answer leads to this page.
    #[track_caller]
    fn leads_to(self, path: &str) -> Self {
        assert_eq!(self.location(), path, "{self:?}");
        self.expect(303)
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with_factor_for(&[]).await
    }

    /// A console where these roles need a second factor.
    async fn with_factor_for(factor_roles: &[Role]) -> Self {
        Self::with(factor_roles, None).await
    }

    /// A console that writes to people, by a mail server that is not there.
    async fn with_mail() -> Self {
        let settings = EmailSettings { smtp_url: "smtp://127.0.0.1:9".into(), from: "Acme <status@example.com>".to_owned(), dkim: None };
        Self::made(&[], None, Some(Email::new(&settings).unwrap())).await
    }

    /// The same, with an identity provider.
    async fn with(factor_roles: &[Role], oidc: Option<Settings>) -> Self {
        Self::made(factor_roles, oidc, None).await
    }

    async fn made(factor_roles: &[Role], oidc: Option<Settings>, email: Option<Email>) -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!("fanal-console-{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed)));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let base_url = Url::parse("https://status.example.com").unwrap();
        let clock = Clock::default();
        let snapshot = feed::first(&db, &clock, &base_url).await.unwrap();
        let secrets = SecretBox::new(&SecretBox::generate_key()).unwrap();
        let page = Page::new(snapshot, Setup::default(), CancellationToken::new());
        let egress = Egress::new(EgressPolicy { allow_private: false, require_tls: false }).unwrap();
        let channels = Arc::new(Channels::new(egress, email, &base_url));
        let letters = Letters { channels, page: page.clone(), base_url: base_url.clone() };
        let admin = Admin {
            letters: letters.clone(),
            settings: Arc::default(),
            db: db.clone(),
            secrets: secrets.clone(),
            wake: Wake::new(db.clone()),
            base_url: base_url.clone(),
            clock: || Clock::default().now(),
            shared_limits: None,
            token_requests_per_second: 100,
        };
        let console = Console {
            operations: Operations::new(&admin),
            machinery: Machinery { queue: "database" },
            wake: Wake::new(db.clone()),
            secrets,
            page,
            letters,
            oidc: oidc.map(|settings| Arc::new(Oidc::new(settings, &base_url, false).unwrap())),
            factor_roles: factor_roles.into(),
            base_url,
            clock,
            db,
        };
        let client = TestClient::new(add_to(Route::new(), console.clone()).map_to_response().boxed());
        Self { console, client, folder }
    }

    async fn link(&self, purpose: Purpose) -> String {
        let mut tx = self.console.db.begin().await.unwrap();
        let secret = entry_links::create(&mut tx, &purpose, self.console.now()).await.unwrap();
        tx.commit().await.unwrap();
        secret.expose_secret().to_owned()
    }

    /// Somebody of this role, `<role>@example.com`, with the password of all tests.
    async fn user(&self, role: Role) -> UserId {
        self.user_at(&format!("{role}@example.com"), role).await
    }

    async fn user_at(&self, email: &str, role: Role) -> UserId {
        let hash = passwords::hash(&SecretString::from(PASSWORD)).await.unwrap();
        let mut tx = self.console.db.begin().await.unwrap();
        let new = NewUser { email, name: "Ada", role, password: Some(NewPassword { hash: &hash, sole: true }) };
        let id = users::create(&mut tx, &new, self.console.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    fn browser(&self) -> Browser<'_> {
        Browser { fixture: self, cookies: RefCell::default() }
    }

    /// A browser in which somebody of this role is signed in.
    async fn signed_in(&self, role: Role) -> Browser<'_> {
        self.signed_in_as(&format!("{role}@example.com")).await
    }

    async fn signed_in_as(&self, email: &str) -> Browser<'_> {
        let browser = self.browser();
        browser.log_in(email, PASSWORD).await.leads_to("/console/");
        browser
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Left behind at worst in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Keeps cookies, and says where its requests come from.
struct Browser<'a> {
    fixture: &'a Fixture,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl Browser<'_> {
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let mut request = self.fixture.client.request(method, path);
        let cookies: Vec<String> = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            if headers.iter().all(|(name, _)| *name != "content-type") {
                request = request.content_type("application/x-www-form-urlencoded");
            }
            request = request.body(body);
        }
        let mut response = request.send().await.0;
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let attributes: Vec<&str> = attributes.split(';').map(str::trim).collect();
            for wanted in ["Secure", "HttpOnly", "Path=/", "SameSite=Lax"] {
                assert!(attributes.contains(&wanted), "{cookie:?}");
            }
            assert!(name.starts_with("__Host-"), "{name}");
            if name.ends_with("-device") {
                assert!(attributes.contains(&"Max-Age=34560000"), "{cookie:?}");
            }
            if value.is_empty() {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.take_body().into_string().await.unwrap() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Sends a form as a page of ours does: from this site, with the token that stands in every page.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields.iter().copied());
        if !csrf.is_empty() {
            form.append_pair("csrf", &csrf);
        }
        self.send(Method::POST, path, &[("sec-fetch-site", "same-origin")], Some(form.finish())).await
    }

    /// Sends a form with files as a page of ours does; a field's name that has a dot in it is that of a file.
    async fn post_with_files(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let part = |(name, value): &(&str, &str)| {
            let file = name.split_once('.').map_or_else(String::new, |_| format!("; filename=\"{name}\"\r\nContent-Type: image/png"));
            let name = name.split('.').next().unwrap();
            format!("--parts\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
        };
        let body: String = fields.iter().chain(&[("csrf", csrf.as_str())]).map(part).collect();
        let headers = [("sec-fetch-site", "same-origin"), ("content-type", "multipart/form-data; boundary=parts")];
        self.send(Method::POST, path, &headers, Some(format!("{body}--parts--\r\n"))).await
    }

    /// Sends what readers are to be told, and lets it leave at once; returns where its incident is.
    async fn publish(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let waits = self.post(path, fields).await.expect(303).location().to_owned();
        self.post(&format!("{waits}/publish"), &[]).await.leads_to(&waits);
        self.get(&waits).await.expect(303).location().to_owned()
    }

    async fn csrf(&self) -> String {
        if self.cookies.borrow().is_empty() {
            return String::new();
        }
        for path in ["/console/confirm", "/console/log-in/code"] {
            let page = self.get(path).await.body;
            if let Some((_, rest)) = page.split_once("name=\"csrf\" value=\"") {
                return rest.split('"').next().unwrap_or_default().to_owned();
            }
        }
        String::new()
    }

    async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/console/log-in", &[("email", email), ("password", password)]).await
    }

    fn cookie(&self) -> Option<String> {
        self.cookies.borrow().get("__Host-fanal").cloned()
    }

    /// A browser that has never been here.
    fn forget_device(&self) {
        self.cookies.borrow_mut().remove("__Host-fanal-device");
    }

    fn set_cookie(&self, value: &str) {
        self.cookies.borrow_mut().insert("__Host-fanal".to_owned(), value.to_owned());
    }
}
