//! People who sign in with a real identity provider.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Method, StatusCode, Url, header};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    servers::{
        oidc::{CLIENT_SECRET, Provider},
        spare_port,
    },
};

const PASSWORD: &str = "violin harbour sandpaper";

/// A browser that follows where it is led, and does at the provider what somebody would do there.
struct Visitor {
    http: reqwest::Client,
    base: String,
    /// Whom they say they are at the provider.
    login: &'static str,
    cookies: BTreeMap<String, String>,
    /// How often they typed that.
    n_logins: usize,
}

struct Page {
    url: Url,
    status: StatusCode,
    body: String,
}

impl Visitor {
    fn new(app: &App, login: &'static str) -> Self {
        Self { http: app.http.clone(), base: app.base.clone(), login, cookies: BTreeMap::new(), n_logins: 0 }
    }

    /// Opens a page of ours, and goes on to where that ends.
    async fn open(&mut self, path: &str) -> Result<Page> {
        self.follow(Method::GET, format!("{}{path}", self.base).parse()?, Vec::new()).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Page> {
        let form = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.follow(Method::POST, format!("{}{path}", self.base).parse()?, form).await
    }

    async fn follow(&mut self, method: Method, url: Url, form: Vec<(String, String)>) -> Result<Page> {
        let (mut method, mut url, mut form) = (method, url, form);
        for _ in 0..30 {
            let (page, next) = self.send(&method, &url, &form).await?;
            (method, form) = (Method::GET, Vec::new());
            if let Some(next) = next {
                url = page.url.join(&next)?;
                continue;
            }
            // The provider asks who it is, or whether we may know it.
            let Some((_, rest)) = page.body.split_once("name=\"prompt\" value=\"").filter(|_| page.url.path().starts_with("/interaction/"))
            else {
                return Ok(page);
            };
            let prompt = rest.split('"').next().unwrap_or_default().to_owned();
            if prompt == "login" {
                self.n_logins += 1;
                form.extend([("login", self.login), ("password", "any")].map(|(name, value)| (name.to_owned(), value.to_owned())));
            }
            form.push(("prompt".to_owned(), prompt));
            (method, url) = (Method::POST, page.url);
        }
        bail!("it leads nowhere: {url}")
    }

    async fn send(&mut self, method: &Method, url: &Url, form: &[(String, String)]) -> Result<(Page, Option<String>)> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.clone(), url.clone()).header(header::COOKIE, cookies.join("; "));
        if *method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            let origin = url.origin().ascii_serialization();
            request = request.header(header::ORIGIN, origin).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        let answer = request.send().await?;
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let (name, value) = set.to_str()?.split(';').next().unwrap_or_default().split_once('=').context("a cookie")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let next = answer.headers().get(header::LOCATION).map(|value| value.to_str().map(str::to_owned)).transpose()?;
        let status = answer.status();
        Ok((Page { url: url.clone(), status, body: answer.text().await? }, next))
    }
}

/// The role of somebody, as the command line tells it.
fn role(app: &App, email: &str) -> Result<Option<String>> {
    let list = app.command(&["user", "list"])?;
    Ok(list.lines().find(|line| line.contains(email)).and_then(|line| line.split('\t').nth(3)).map(str::to_owned))
}

fn accounts() -> Value {
    json!({
        "ada": { "email": "Ada@example.com", "email_verified": true, "name": "Ada L.", "groups": ["everybody", "sre"] },
        "grace": { "email": "grace@example.com", "email_verified": true, "name": "Grace", "groups": ["platform"] },
        "mallory": { "email": "owner@example.com", "email_verified": false, "name": "Owner", "groups": ["platform"] },
        "eve": { "email": "eve@example.com", "email_verified": true, "name": "Eve", "groups": [] },
    })
}

async fn people_come_in_through_a_real_provider(stack: Stack) -> Result<()> {
    let port = spare_port()?;
    let settings = [
        ("FANAL_OIDC_ISSUER", format!("http://127.0.0.1:{port}")),
        ("FANAL_OIDC_CLIENT_ID", "fanal".to_owned()),
        ("FANAL_OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("FANAL_OIDC_ROLES", "sre=operator,platform=admin".to_owned()),
        ("FANAL_OIDC_NAME", "Acme ID".to_owned()),
        ("FANAL_ALLOW_PRIVATE_TARGETS", "false".to_owned()),
    ];
    let app = App::start(stack, "page: { name: Acme }\n", &settings).await?;
    app.command_with_input(&["user", "create", "--email", "owner@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    let unreachable = Visitor::new(&app, "ada").open("/console/log-in/oidc").await?;
    ensure!(unreachable.status == 503 && unreachable.body.contains("does not answer"), "{}", unreachable.body);
    let _provider = Provider::start(port, &format!("{}/console/log-in/oidc/callback", app.base), &accounts()).await?;
    ensure!(app.command(&["doctor"])?.contains(&format!("http://127.0.0.1:{port} answers")));
    // It is asked again some seconds later.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;

    let mut ada = Visitor::new(&app, "ada");
    ensure!(ada.open("/console/log-in").await?.body.contains("Log in with Acme ID"));
    let landed = ada.open("/console/log-in/oidc?next=/console/incidents").await?;
    ensure!(landed.status == 200 && landed.url.path() == "/console/incidents", "{} {}", landed.url, landed.body);
    ensure!(landed.body.contains("Ada L.") && role(&app, "ada@example.com")?.as_deref() == Some("operator"));
    ensure!(ada.open("/console/team").await?.status == 403, "an operator sees no team");
    let session = &app.admin("/sessions").await?["items"][0];
    ensure!((&session["means"], &session["email"]) == (&json!("provider"), &json!("ada@example.com")), "{session}");

    let mut grace = Visitor::new(&app, "grace");
    ensure!(grace.open("/console/log-in/oidc").await?.url.path() == "/console/");
    // What gives power away needs a proof that was typed just now: the provider asks again, whoever is signed in there.
    let before = grace.n_logins;
    ensure!(grace.open("/console/tokens/new").await?.url.path() == "/console/confirm");
    let proven = grace.open("/console/confirm/oidc?next=/console/tokens/new").await?;
    ensure!(proven.status == 200 && proven.url.path() == "/console/tokens/new", "{} {}", proven.url, proven.body);
    ensure!(grace.n_logins == before + 1, "she typed it again");
    // Logged out there, and somebody else.
    grace.cookies.retain(|name, _| name.starts_with("fanal"));
    grace.login = "ada";
    let somebody = grace.open("/console/confirm/oidc").await?;
    ensure!(somebody.status == 403 && somebody.body.contains("somebody else"), "{}", somebody.body);

    let refused = Visitor::new(&app, "eve").open("/console/log-in/oidc").await?;
    ensure!(refused.status == 403 && refused.body.contains("You have no role here."), "{}", refused.body);
    let refused = Visitor::new(&app, "mallory").open("/console/log-in/oidc").await?;
    ensure!(refused.status == 403 && refused.body.contains("has not verified your mail address"), "{}", refused.body);
    ensure!(role(&app, "eve@example.com")?.is_none() && app.command(&["user", "list"])?.lines().count() == 3);

    // The password still works for those who have one, and everything stands in the log.
    let mut owner = Visitor::new(&app, "nobody");
    let landed = owner.post("/console/log-in", &[("email", "owner@example.com"), ("password", PASSWORD)]).await?;
    ensure!(landed.url.path() == "/console/", "{}", landed.url);
    let rows = app.admin_list("/audit").await?;
    let n = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
    ensure!((n("user.joined"), n("session.begun"), n("session.refused"), n("session.proof_refused")) == (2, 3, 2, 1), "{rows:?}");
    app.command(&["verify-audit"])?;
    let written = app.everything_written().await?;
    ensure!(!written.windows(CLIENT_SECRET.len()).any(|part| part == CLIENT_SECRET.as_bytes()), "the client's secret is nowhere");
    app.finish().await
}

on_every_stack!(people_come_in_through_a_real_provider);
