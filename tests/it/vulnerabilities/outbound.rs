//! What leads from outside into the network of the server, and into its mail and its log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, redirect};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    app::{App, Stack, on_every_stack},
    road::{TOKEN, WEBHOOK_SECRET, alert, deliver, now},
    servers::{smtp::SmtpServer, wait_for},
};

/// Three sources are asked every 30 s at least.
const SOON: Duration = Duration::from_secs(60);

/// A port inside, and how often somebody knocked.
async fn inside() -> Result<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (port, n) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
    let counter = n.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((port, n))
}

/// Everything that calls out, told to call inside.
fn calls_inside(port: u16) -> String {
    format!(
        r#"
page: {{ name: Acme, time_zone: Europe/Paris }}
components: [{{ key: api, name: API }}]
integrations:
  - {{ key: http, provider: http, settings: {{ url: "http://127.0.0.1:{port}/", every: 5s }} }}
  - {{ key: http-name, provider: http, settings: {{ url: "http://localhost:{port}/", every: 5s }} }}
  - {{ key: http-mapped, provider: http, settings: {{ url: "http://[::ffff:127.0.0.1]:{port}/", every: 5s }} }}
  - {{ key: http-number, provider: http, settings: {{ url: "http://2130706433:{port}/", every: 5s }} }}
  - {{ key: tcp, provider: tcp, settings: {{ host: 127.0.0.1, port: {port}, every: 5s }} }}
  - {{ key: tls, provider: tls, settings: {{ host: 127.0.0.1, port: {port}, every: 5s }} }}
  - {{ key: statuspage, provider: statuspage, settings: {{ url: "http://127.0.0.1:{port}", every: 30s }} }}
  - {{ key: prometheus, provider: prometheus, settings: {{ url: "http://127.0.0.1:{port}", query: up, every: 5s, thresholds: {{ above: {{ critical: 1 }} }} }} }}
  - {{ key: json, provider: json_poll, settings: {{ url: "http://127.0.0.1:{port}/", every: 5s, fingerprint: body.id, state: body.state, firing: [down] }} }}
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes: [{{ components: [api], status: {{ critical: major_outage }}, publish: auto }}]
subscribers:
  - {{ channel: webhook, url: "http://127.0.0.1:{port}/", secret: {{ value: "{WEBHOOK_SECRET}" }} }}
"#
    )
}

/// Keep: a health check without a log-in asked whatever address it was given. Here whoever adds a source or an endpoint needs the right to, and even
/// then nothing reaches inside; with the setting that allows it, the same configuration does.
async fn keep_6630_nothing_that_calls_out_reaches_inside(stack: Stack) -> Result<()> {
    let (port, knocks) = inside().await?;
    // Over plain HTTP, so that it is the address that is refused.
    let settings = [("FANAL_ALLOW_PRIVATE_TARGETS", "false".to_owned()), ("FANAL_ALLOW_PLAIN_HTTP", "true".to_owned())];
    let app = App::start(stack, &calls_inside(port), &settings).await?;
    let refused = app.http.post(format!("{}/api/admin/v1/integrations", app.base)).json(&json!({ "provider": "http" })).send().await?;
    ensure!(refused.status() == 401, "{}", refused.status());
    ensure!(deliver(&app, &alert("k1", &now(), None)).await? == 202);
    wait_for("every source to be tried", SOON, || async {
        let integrations = app.admin_list("/integrations").await.ok()?;
        let tried = |integration: &Value| integration["key"] == "prod-alerts" || integration["poll"]["failures"].as_i64() >= Some(1);
        integrations.iter().all(tried).then_some(())
    })
    .await?;
    let given_up = wait_for("the endpoint to be given up", SOON, || async {
        let owed = app.admin_list("/notifications").await.ok()?;
        owed.iter().find(|notification| notification["state"] == "dead").cloned()
    });
    given_up.await?;
    ensure!(knocks.load(Ordering::SeqCst) == 0, "somebody came in");
    app.finish().await?;

    let mut allowed = app;
    allowed.kill()?;
    allowed.set("FANAL_ALLOW_PRIVATE_TARGETS", "true");
    allowed.serve().await?;
    wait_for("the same sources to be reached", SOON, || async { (knocks.load(Ordering::SeqCst) >= 5).then_some(()) }).await?;
    allowed.finish().await
}

/// What goes out goes over TLS unless somebody allows otherwise: a secret in a header is not for everybody on the way.
async fn nothing_goes_out_without_tls(stack: Stack) -> Result<()> {
    let (port, knocks) = inside().await?;
    let configuration = format!(
        r#"
page: {{ name: Acme }}
components: [{{ key: api, name: API }}]
integrations:
  - {{ key: http, provider: http, settings: {{ url: "http://127.0.0.1:{port}/", every: 5s }} }}
  - key: json
    provider: json_poll
    secrets: [{{ value: a-secret-in-a-header }}]
    settings: {{ url: "http://127.0.0.1:{port}/", every: 5s, fingerprint: body.id, state: body.state, firing: [down] }}
  - key: prod-alerts
    provider: alertmanager
    secrets: [{{ value: {TOKEN} }}]
    routes: [{{ components: [api], status: {{ critical: major_outage }}, publish: auto }}]
subscribers:
  - {{ channel: webhook, url: "http://127.0.0.1:{port}/", secret: {{ value: "{WEBHOOK_SECRET}" }} }}
"#
    );
    let app = App::start(stack, &configuration, &[("FANAL_ALLOW_PLAIN_HTTP", "false".to_owned())]).await?;
    ensure!(deliver(&app, &alert("k1", &now(), None)).await? == 202);
    let tried = wait_for("both sources to be tried", SOON, || async {
        let integrations = app.admin_list("/integrations").await.ok()?;
        let errors: Vec<String> = integrations.iter().filter_map(|one| Some(one["poll"]["last_error"].as_str()?.to_owned())).collect();
        (errors.len() == 2).then_some(errors)
    })
    .await?;
    ensure!(tried.iter().all(|why| why.contains("must begin with https://") && why.contains("FANAL_ALLOW_PLAIN_HTTP")), "{tried:?}");
    wait_for("the endpoint to be given up", SOON, || async {
        let owed = app.admin_list("/notifications").await.ok()?;
        owed.iter().any(|notification| notification["state"] == "dead").then_some(())
    })
    .await?;
    ensure!(knocks.load(Ordering::SeqCst) == 0, "something went out");
    app.finish().await
}

/// phpservermon: a line break in a field began a header, or a line of a log. Every line of ours is one event, whatever stands in it.
async fn cve_2021_4097_a_line_break_begins_nothing(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let settings = [
        ("FANAL_SMTP_URL", smtp.url()),
        ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned()),
        ("FANAL_LOG_FORMAT", "json".to_owned()),
        ("FANAL_LOG", "debug,hyper=info,sqlx=info,apalis=info".to_owned()),
    ];
    let app = App::start(stack, "page: { name: Acme }\ncomponents: [{ key: api, name: API }]\n", &settings).await?;
    let evil = "x\r\nset-cookie: evil=1\r\n\r\n{\"level\":\"ERROR\",\"evil\":1}";
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect::<String>().replace('+', "%20");
    for path in [
        "/",
        "/hooks/",
        "/hooks/prod/",
        "/ping/",
        "/components/",
        "/subscriptions/",
        "/console/",
        "/console/log-in?next=/console/",
        "/api/v2/",
        "/publications/1/publish/",
    ] {
        for method in [Method::GET, Method::POST] {
            let request = http.request(method, format!("{}{path}{encoded}", app.base)).header("origin", &app.base);
            let answer = request.header("content-type", "application/x-www-form-urlencoded").body("action=confirm").send().await?;
            ensure!(answer.headers().get("set-cookie").is_none(), "{path}: {:?}", answer.headers());
            ensure!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
            let location = answer.headers().get("location").map(|value| value.to_str()).transpose()?.unwrap_or("/");
            ensure!(location.starts_with('/') && !location.contains("evil=1\r"), "{path}: {location}");
        }
    }
    let form = |fields: &[(&str, &str)]| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    for (path, fields) in [
        ("/console/log-in", [("email", evil), ("password", evil)]),
        ("/console/forgot", [("email", evil), ("x", evil)]),
        ("/subscribe", [("address", "a@example.com\r\nBcc: victim@example.net"), ("x", evil)]),
    ] {
        let request = http.post(format!("{}{path}", app.base)).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("origin", &app.base).header("user-agent", "x\u{e9}y").body(form(&fields)).send().await?;
        ensure!(answer.headers().get("set-cookie").is_none() && answer.status().as_u16() < 500, "{path}: {:?}", answer.status());
    }
    let long = json!({ "title": evil, "body": evil });
    let refused = app.admin_send(Method::POST, "/incidents", &long).await;
    ensure!(smtp.mails().is_empty(), "nobody is written to");
    let output = app.output()?;
    let mut n = 0;
    // What is printed once, for who sets it up.
    let printed = |line: &&str| {
        line.is_empty()
            || line.starts_with("Nobody can sign in yet.")
            || line.trim_start().starts_with(&format!("{}/console/setup/", app.base))
    };
    for line in output.lines().filter(|line| !printed(line)) {
        let event: Value = serde_json::from_str(line).with_context(|| format!("a line that is no event: {line}"))?;
        ensure!(event["evil"].is_null() && event["timestamp"].is_string(), "{line}");
        n += 1;
    }
    ensure!(n > 3, "{output} {refused:?}");
    app.finish().await
}

on_every_stack!(keep_6630_nothing_that_calls_out_reaches_inside, nothing_goes_out_without_tls, cve_2021_4097_a_line_break_begins_nothing);
