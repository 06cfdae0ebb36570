//! The way into the console, from the first start on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode, header};

use crate::{
    app::{App, Stack, on_every_stack},
    servers::wait_for,
};

const PASSWORD: &str = "violin harbour sandpaper";

/// Keeps its session's cookie, and says where its requests come from.
struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    location: String,
    body: String,
}

impl Browser {
    fn new(app: &App) -> Self {
        Self { http: app.http.clone(), base: app.base.clone(), cookie: None }
    }

    async fn send(&mut self, method: Method, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if method == Method::POST {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form.iter().copied()).finish();
            let kind = "application/x-www-form-urlencoded";
            request = request.header(header::ORIGIN, &self.base).header(header::CONTENT_TYPE, kind).body(body);
        }
        let answer = request.send().await?;
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let pair = set.to_str()?.split(';').next().unwrap_or_default().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Answer { status: answer.status(), location, body: answer.text().await? })
    }

    async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[]).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        self.send(Method::POST, path, form).await
    }
}

fn csrf(page: &str) -> Result<String> {
    let (_, rest) = page.split_once("name=\"csrf\" value=\"").context("a token in the page")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

async fn from_the_first_start_to_logging_out(stack: Stack) -> Result<()> {
    let mut app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    let link = async |app: &App| {
        let found = wait_for("the link of the set-up", Duration::from_secs(10), || async {
            let output = app.output().ok()?;
            output.split_whitespace().rfind(|word| word.contains("/console/setup/")).map(str::to_owned)
        });
        found.await
    };
    let link = link(&app).await?;
    let path = link.strip_prefix(&app.base).context("it leads to us")?.to_owned();
    let mut browser = Browser::new(&app);
    ensure!(browser.get("/console/").await?.location == "/console/log-in", "nobody is signed in");
    ensure!(browser.get(&path).await?.body.contains("Set up Acme"));
    let owner = [("name", "Grace"), ("email", "Grace@Example.com"), ("password", PASSWORD)];
    ensure!(browser.post(&path, &owner).await?.location == "/console/");
    ensure!(browser.get("/console/").await?.body.contains("Grace"));
    ensure!(browser.get(&path).await?.status == 404, "the link works once");

    let home = browser.get("/console/").await?.body;
    let old = browser.cookie.clone();
    ensure!(browser.post("/console/log-out", &[("csrf", &csrf(&home)?)]).await?.location == "/console/log-in");
    browser.cookie.clone_from(&old);
    ensure!(browser.get("/console/").await?.location == "/console/log-in", "the old cookie is worth nothing");
    browser.cookie = None;
    let credentials = [("email", "grace@example.com"), ("password", PASSWORD)];
    ensure!(browser.post("/console/log-in", &credentials).await?.location == "/console/");
    ensure!(browser.get("/console/").await?.status == 200);
    // A session is no token, and a token no session.
    let cookie = browser.cookie.clone().context("a cookie")?;
    let me = app.http.get(format!("{}/api/admin/v1/me", app.base)).header(header::COOKIE, &cookie).send().await?;
    ensure!(me.status() == 401, "{}", me.status());
    let (_, secret) = cookie.split_once('=').context("a value")?;
    let me = app.http.get(format!("{}/api/admin/v1/me", app.base)).bearer_auth(secret).send().await?;
    ensure!(me.status() == 401, "{}", me.status());

    // The sessions outlive the process, and no start after the first prints a link.
    app.kill()?;
    app.serve().await?;
    ensure!(browser.get("/console/").await?.status == 200);
    ensure!(app.output()?.matches("/console/setup/").count() == 1);
    ensure!(app.command(&["user", "list"])?.contains("grace@example.com\tGrace\towner\tactive"));
    ensure!(app.command(&["user", "link"]).is_err() && app.command(&["user", "disable", "grace@example.com"]).is_err());
    app.finish().await
}

on_every_stack!(from_the_first_start_to_logging_out);
