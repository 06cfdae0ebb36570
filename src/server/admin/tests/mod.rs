//! The admin API on a real database, through its real front door.

mod access;
mod audit;
mod contract;
mod events;
mod filters;
mod insight;
mod series;
mod setup;
mod several;
mod users;
mod vulnerabilities;
mod waiting;
mod words;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use domain::Timestamp;
use jobs::{
    Clock,
    channels::Channels,
    egress::{Egress, EgressPolicy},
};
use poem::{
    Route,
    http::{Method, StatusCode, header},
    test::{TestClient, TestResponse},
};
use secrecy::ExposeSecret;
use serde_json::Value;
use storage::{
    Db, SecretBox, Wake,
    tokens::{self, Scope},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Admin, routes};
use crate::{
    Letters, feed,
    page::{Page, Setup},
};

const NOW: Timestamp = Timestamp(1_780_000_000_000);

/// An API of its own, on a database in a temporary folder that goes with it.
struct Fixture {
    admin: Admin,
    client: TestClient<Route>,
    token: String,
    folder: std::path::PathBuf,
}

/// An answer, read.
struct Answer {
    status: StatusCode,
    headers: header::HeaderMap,
    body: Value,
}

impl Answer {
    async fn read(response: TestResponse) -> Self {
        let mut response = response.0;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.take_body().into_string().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }

    /// The answer's body, if the status is the expected one.
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// The names of the fields that an error complains of.
    #[track_caller]
    fn refused(self, status: u16) -> Vec<String> {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.expect(status);
        assert_eq!(body["status"], status);
        body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Fixture {
    async fn new() -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        let folder = std::env::temp_dir().join(format!("fanal-admin-{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed)));
        let db = Db::open(&format!("sqlite://{}", folder.join("fanal.db").display())).await.unwrap();
        db.migrate().await.unwrap();
        let base_url = Url::parse("https://status.example.com").unwrap();
        let snapshot = feed::first(&db, &Clock::default(), &base_url).await.unwrap();
        let egress = Egress::new(EgressPolicy { allow_private: false, require_tls: false }).unwrap();
        let letters = Letters {
            channels: Arc::new(Channels::new(egress, None, &base_url)),
            page: Page::new(snapshot, Setup::default(), CancellationToken::new()),
            base_url: base_url.clone(),
        };
        let admin = Admin {
            letters,
            settings: Arc::default(),
            wake: Wake::new(db.clone()),
            secrets: SecretBox::new(&SecretBox::generate_key()).unwrap(),
            base_url,
            clock: || NOW,
            shared_limits: None,
            token_requests_per_second: 20,
            db,
        };
        let client = TestClient::new(Route::new().nest("/api/admin", routes(admin.clone())));
        let mut fixture = Self { admin, client, token: String::new(), folder };
        fixture.token = fixture.token_for(&[Scope::ALL]).await;
        fixture
    }

    async fn token_for(&self, scopes: &[Scope]) -> String {
        let mut tx = self.admin.db.begin().await.unwrap();
        let (_, secret) = tokens::create(&mut tx, "tests", scopes, None, NOW).await.unwrap();
        tx.commit().await.unwrap();
        secret.expose_secret().to_owned()
    }

    /// Sends a request with headers of its own.
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut request = self.client.request(method, format!("/api/admin{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        Answer::read(request.send().await).await
    }

    /// Sends a request as somebody who may do everything.
    async fn call_with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", authorization.as_str())];
        let text = (!body.is_null()).then(|| body.to_string());
        if text.is_some() {
            all.push(("content-type", "application/json"));
        }
        all.extend_from_slice(headers);
        self.send(method, &format!("/v1{path}"), &all, text.as_deref()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call_with(Method::GET, path, &[], Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call_with(Method::POST, path, &[], body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.call_with(Method::PUT, path, &[], body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call_with(Method::PATCH, path, &[], body).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call_with(Method::DELETE, path, &[], Value::Null).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Left behind at worst in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
