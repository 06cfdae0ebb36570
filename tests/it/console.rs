//! The way into the console, from the first start on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode, header};
use totp_rs::{Builder, Secret};

use crate::{
    app::{App, Stack, on_every_stack},
    road,
    servers::{
        smtp::{Mail, SmtpServer},
        wait_for,
        webhooks::WebhookServer,
    },
};

pub(crate) const PASSWORD: &str = "violin harbour sandpaper";

/// Keeps its session's cookie, and says where its requests come from.
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: &App) -> Self {
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
            if pair.starts_with("fanal-session=") {
                self.cookie = (!pair.ends_with('=')).then_some(pair);
            }
        }
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Answer { status: answer.status(), location, body: answer.text().await? })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[]).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        self.send(Method::POST, path, form).await
    }
}

pub(crate) fn csrf(page: &str) -> Result<String> {
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

/// The answer is the same for somebody and for nobody; only somebody gets mail, and the link in it works.
async fn people_come_in_by_links_that_are_mailed(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let mail = [("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned())];
    let app = App::start(stack, "page: { name: Acme }\n", &mail).await?;
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    ensure!(
        app.command_with_input(&["user", "create", "--email", "b@example.com", "--role", "owner", "--password-stdin"], "short").is_err()
    );
    let mut browser = Browser::new(&app);
    let asked = async |browser: &mut Browser, email: &str| {
        let answer = browser.post("/console/forgot", &[("email", email)]).await?;
        Ok::<_, anyhow::Error>((answer.status, without_nonce(&answer.body).replace(email, "")))
    };
    ensure!(asked(&mut browser, "nobody@example.com").await? == asked(&mut browser, "ada@example.com").await?);
    let mails = smtp.wait_for_mails(1, SOON).await?;
    let path = mailed_path(&app, mails.last().context("a mail")?)?;
    ensure!(browser.get(&path).await?.status == 200 && browser.get(&path).await?.status == 200, "a mail scanner uses nothing up");
    let other = "cello marina emery paper";
    ensure!(browser.post(&path, &[("password", other)]).await?.location == "/console/log-in");
    smtp.wait_for_mails(2, SOON).await?;
    ensure!(browser.post("/console/log-in", &[("email", "ada@example.com"), ("password", other)]).await?.location == "/console/");
    let page = browser.get("/console/team").await?.body;
    let invitation = [("csrf", csrf(&page)?), ("email", "eve@example.com".to_owned()), ("role", "operator".to_owned())];
    let invitation = invitation.each_ref().map(|(name, value)| (*name, value.as_str()));
    ensure!(browser.post("/console/team/invitations", &invitation).await?.location == "/console/team");
    let mails = smtp.wait_for_mails(3, SOON).await?;
    let invited = mails.iter().find(|mail| mail.to.iter().any(|to| to.contains("eve@example.com"))).context("an invitation")?;
    let mut eve = Browser::new(&app);
    let path = mailed_path(&app, invited)?;
    ensure!(eve.post(&path, &[("name", "Eve"), ("password", PASSWORD)]).await?.location == "/console/");
    // From another browser, of which she is told.
    let mut elsewhere = Browser::new(&app);
    ensure!(elsewhere.post("/console/log-in", &[("email", "eve@example.com"), ("password", PASSWORD)]).await?.location == "/console/");
    let mails = smtp.wait_for_mails(4, SOON).await?;
    ensure!(mails.iter().any(|mail| String::from_utf8_lossy(&mail.raw).contains("A new browser signed in")));
    ensure!(app.command(&["user", "list"])?.contains("eve@example.com\tEve\toperator\tactive"));
    app.command(&["user", "disable", "eve@example.com"])?;
    ensure!(eve.get("/console/").await?.location == "/console/log-in", "at once");
    let reset = app.command(&["user", "link", "ada@example.com"])?;
    ensure!(reset.starts_with(&format!("{}/console/password/", app.base)));
    ensure!(app.command(&["user", "reset-factors", "ada@example.com"])?.contains("ada@example.com was told by mail"));
    let mails = smtp.wait_for_mails(5, SOON).await?;
    ensure!(mails.iter().any(|mail| String::from_utf8_lossy(&mail.raw).contains("Your second factor was removed")));
    app.finish().await
}

/// Whoever tries at the same time as others gets one owner, one code, one place in the count; the databases see to it.
async fn what_may_happen_once_happens_once(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    let links: Vec<String> = (0..4).map(|_| Ok(app.command(&["user", "link"])?.trim().to_owned())).collect::<Result<_>>()?;
    let set_ups = (0..20).map(|n| {
        let (mut browser, link) = (Browser::new(&app), &links[n % links.len()]);
        let path = link.strip_prefix(&app.base).unwrap_or_default().to_owned();
        async move {
            let email = format!("o{n}@example.com");
            browser.post(&path, &[("name", "Grace"), ("email", &email), ("password", PASSWORD)]).await.map(|answer| (answer.status, email))
        }
    });
    let answers = futures::future::try_join_all(set_ups).await?;
    let owners: Vec<&String> = answers.iter().filter(|(status, _)| *status == 303).map(|(_, email)| email).collect();
    ensure!(owners.len() == 1 && answers.iter().all(|(status, _)| [303, 404].contains(&status.as_u16())), "{answers:?}");
    ensure!(app.command(&["user", "list"])?.lines().count() == 1);
    let credentials = [("email", owners[0].as_str()), ("password", PASSWORD)];

    let mut browser = Browser::new(&app);
    browser.post("/console/log-in", &credentials).await?;
    let token = csrf(&browser.get("/console/").await?.body)?;
    browser.post("/console/profile/factor/begin", &[("csrf", &token)]).await?;
    let page = browser.get("/console/profile/factor").await?.body;
    let (_, key) = page.split_once("<code class=\"key\">").context("a key")?;
    let key: String = key.split('<').next().unwrap_or_default().split(' ').collect();
    let app_of = || {
        Ok::<_, anyhow::Error>(Builder::new().with_secret(Secret::try_from_base32(&key).map_err(|_| anyhow::anyhow!("a key"))?).build()?)
    };
    let code = |steps: i64| {
        Ok::<_, anyhow::Error>(app_of()?.generate(u64::try_from(jiff::Timestamp::now().as_second() + steps * 30)?).to_string())
    };
    ensure!(browser.post("/console/profile/factor", &[("csrf", &token), ("code", &code(0)?)]).await?.status == 200);
    let mut halves = Vec::new();
    for _ in 0..4 {
        let mut half = Browser::new(&app);
        ensure!(half.post("/console/log-in", &credentials).await?.location.starts_with("/console/log-in/code"));
        let token = csrf(&half.get("/console/log-in/code").await?.body)?;
        halves.push((half, token));
    }
    let code = code(1)?;
    let tries = halves.iter_mut().map(|(half, token)| {
        let code = code.clone();
        async move { half.post("/console/log-in/code", &[("csrf", token), ("code", &code)]).await.map(|answer| answer.status.as_u16()) }
    });
    let mut statuses = futures::future::try_join_all(tries).await?;
    statuses.sort_unstable();
    ensure!(statuses == [303, 401, 401, 401], "{statuses:?}");

    // Thirty at once are thirty tries: five are free for an account, and the rest wait.
    let wrong = (0..30).map(|_| {
        let mut browser = Browser::new(&app);
        async move {
            let fields = [("email", "nobody@example.com"), ("password", "wrong wrong wrong")];
            browser.post("/console/log-in", &fields).await.map(|answer| answer.status.as_u16())
        }
    });
    let statuses = futures::future::try_join_all(wrong).await?;
    let (wrong, waiting) =
        (statuses.iter().filter(|status| **status == 401).count(), statuses.iter().filter(|status| **status == 429).count());
    ensure!((5..=9).contains(&wrong) && wrong + waiting == 30, "{statuses:?}");
    app.finish().await
}

/// Two clicks lead from an alert to readers, and the chain back to the alert can be read.
async fn a_person_publishes_what_an_alert_says(stack: Stack) -> Result<()> {
    let webhooks = WebhookServer::start().await?;
    let configuration = road::configuration(&webhooks.url())
        .replace("publish: auto", "publish: shadow\n        title: 'Trouble: {{ signal.labels.alertname }}'");
    let configuration = configuration.replace("  - { channel: email, address: ops@example.com }\n", "");
    let app = App::start(stack, &configuration, &[]).await?;
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "operator", "--password-stdin"], PASSWORD)?;
    let mut browser = Browser::new(&app);
    browser.post("/console/log-in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await?;
    ensure!(browser.get("/console/").await?.body.contains("Nothing needs you"));
    ensure!(road::deliver(&app, &road::alert("f1", "2026-01-01T00:00:00Z", None)).await? < 300);
    app.settle(SOON).await?;
    let now = browser.get("/console/").await?.body;
    ensure!(now.contains("Red inside, green outside") && now.contains("db-3.internal is down"), "{now}");
    let (_, rest) = now.split_once("/console/incidents/new?component=").context("a button")?;
    let component = rest.split('"').next().context("an id")?.to_owned();
    let form = browser.get(&format!("/console/incidents/new?component={component}")).await?.body;
    ensure!(form.contains("value=\"Trouble: ApiDown\"") && form.contains("1 subscriber is told."), "{form}");
    let (csrf, on, status) = (csrf(&form)?, format!("on-{component}"), format!("as-{component}"));
    let fields = [("csrf", csrf.as_str()), ("title", "Trouble: ApiDown"), ("body", ""), (&on, "on"), (&status, "major_outage")];
    let waits = browser.post("/console/incidents/new", &fields).await?.location;
    app.wait_for_status("API", "major_outage").await?;
    app.settle(SOON).await?;
    let path = browser.get(&waits).await?.location;
    ensure!(browser.get(&path).await?.body.contains("Who was told</h2><ul"), "the notifications are counted");
    let why = browser.get(&format!("/console/components/{component}/why")).await?.body;
    ensure!(why.contains("/console/deliveries/") && why.contains("prod-alerts[0]") && why.contains("Trouble: ApiDown"), "{why}");
    for path in ["/console/incidents", "/console/incidents?cursor=1", "/console/maintenances", "/console/components"] {
        ensure!(browser.get(path).await?.status == 200, "{path}");
    }
    ensure!(browser.get("/console/components/new").await?.status == 403, "an operator writes no components");
    let waits = browser.post(&format!("{path}/resolve"), &[("csrf", &csrf)]).await?.location;
    browser.post(&format!("{waits}/publish"), &[("csrf", &csrf)]).await?;
    app.wait_for_status("API", "operational").await?;
    app.finish().await
}

/// What narrows, pages and finds is SQL of its own on each database.
async fn every_list_is_narrowed_and_everything_is_found(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    app.command_with_input(&["user", "create", "--email", "ada@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    let mut browser = Browser::new(&app);
    browser.post("/console/log-in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await?;
    let csrf = csrf(&browser.get("/console/profile").await?.body)?;
    let post = async |browser: &mut Browser, path: &str, fields: &[(&str, &str)]| {
        let answer = browser.post(path, &[fields, &[("csrf", csrf.as_str())]].concat()).await?;
        ensure!(answer.status == 303, "{path}: {} {}", answer.status, answer.body);
        Ok(answer.location)
    };
    post(&mut browser, "/console/components/groups", &[("name", "Shop")]).await?;
    for name in ["Payments", "Tills"] {
        post(&mut browser, "/console/components/new", &[("name", name), ("group", "1")]).await?;
    }
    post(&mut browser, "/console/components/order", &[("component", "2"), ("group", "1"), ("up", "1")]).await?;
    post(&mut browser, "/console/metrics/new", &[("name", "Waiting"), ("unit", "ms")]).await?;
    post(&mut browser, "/console/page", &[("name", "Acme"), ("time_zone", "Europe/Paris")]).await?;
    let fields = [("title", "Payments FAIL"), ("draft", "1"), ("on-1", "on"), ("as-1", "major_outage")];
    let incident = post(&mut browser, "/console/incidents/new", &fields).await?;
    for (path, text) in [
        ("/console/incidents?state=draft&component=1&title=payments+fail", incident.as_str()),
        ("/console/incidents?state=past", "Nothing fits"),
        ("/console/incidents?cursor=1", "Nothing yet"),
        ("/console/audit?action=component.update&resource=component:2&actor=user:1&from=2020-01-01T00:00", "component.update"),
        ("/console/audit/export?format=csv&action=metric.create", "metric.create"),
        ("/console/search?q=fail+pay", incident.as_str()),
        ("/console/search?q=PAYMENTS", "/console/components/1"),
        ("/console/search?q=waiting", "/console/metrics/1"),
        ("/console/search?q=ada@", "/console/team#person-1"),
        ("/console/search?q=nothing+at+all+is+called+so+here", "Nothing is called"),
        ("/console/metrics", "Waiting"),
        ("/console/maintenances?cursor=5", "Nothing is planned"),
    ] {
        let answer = browser.get(path).await?;
        ensure!(answer.status == 200 && answer.body.contains(text), "{path}: {} {}", answer.status, answer.body);
    }
    let checked = browser.post("/console/audit/verify", &[("csrf", &csrf)]).await?;
    ensure!(checked.status == 200 && checked.body.contains("The log is what was written"), "{}", checked.body);
    let deleted = post(&mut browser, "/console/components/groups/1/delete", &[]).await?;
    let (_, row) = deleted.split_once("deleted=").context("a row to go back to")?;
    post(&mut browser, "/console/components/groups/restore", &[("entry", row)]).await?;
    let list = browser.get("/console/components").await?.body;
    let at = |text: &str| list.find(text).context("it is in the list");
    ensure!(at("Shop")? < at("<bdi>Tills")? && at("<bdi>Tills")? < at("<bdi>Payments")? && !list.contains("In no group"), "{list}");
    app.finish().await
}

const SOON: Duration = Duration::from_secs(30);

/// What differs in every answer.
fn without_nonce(page: &str) -> String {
    let mut parts = page.split("nonce=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.filter_map(|part| part.split_once('"')).map(|(_, rest)| rest).collect::<String>()
}

/// Where the link of a mail leads.
pub(crate) fn mailed_path(app: &App, mail: &Mail) -> Result<String> {
    let text = String::from_utf8_lossy(&mail.raw).replace("=\r\n", "");
    let start = format!("{}/console/", app.base);
    let (_, rest) = text.split_once(&start).context("a link in the mail")?;
    Ok(format!("/console/{}", rest.split(|c: char| c.is_whitespace() || c == '"' || c == '<').next().unwrap_or_default()))
}

on_every_stack!(
    a_person_publishes_what_an_alert_says,
    every_list_is_narrowed_and_everything_is_found,
    what_may_happen_once_happens_once,
    people_come_in_by_links_that_are_mailed,
    from_the_first_start_to_logging_out
);
