//! Secrets at rest: nobody reads them in what was written, and their key is exchanged while everything runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    faults::mail_settings,
    road::{TOKEN, WEBHOOK_SECRET, alert, configuration, deliver, now},
    servers::{smtp::SmtpServer, webhooks::WebhookServer},
};

/// Makes one of every kind of secret, and returns all of them.
async fn secrets_of_every_kind(app: &App, webhook: &str) -> Result<Vec<String>> {
    let integration = "marker-of-an-integration".to_owned();
    let later = "marker-of-a-later-secret".to_owned();
    let body = json!({ "key": "more", "provider": "alertmanager", "secrets": [{ "value": integration }] });
    let id = app.admin_post("/integrations", &body).await?["id"].clone();
    app.admin_post(&format!("/integrations/{id}/secrets"), &json!({ "value": later })).await?;
    // Nothing happens to this component, so that it is owed nothing.
    let subscriber = json!({ "channel": "webhook", "address": format!("{webhook}/other"), "components": ["site"] });
    let subscriber = app.admin_post("/subscribers", &subscriber).await?;
    let subscriber = subscriber["secret"].as_str().context("a secret")?.to_owned();
    let url = format!("{}/api/admin/v1/tokens", app.base);
    let admin = app.command(&["token", "create", "--name", "markers", "--scope", "*"])?.trim().to_owned();
    let request = app.http.post(url).bearer_auth(&admin).header("idempotency-key", "once");
    let made: Value = request.json(&json!({ "name": "ci", "scopes": ["page:read"] })).send().await?.json().await?;
    let token = made["token"].as_str().context("a token")?.to_owned();
    Ok(vec![integration, later, subscriber, admin, token, TOKEN.to_owned(), WEBHOOK_SECRET.to_owned()])
}

/// Whether `written` holds `secret`, as it is or as a database or a queue would write its bytes.
fn holds(written: &[u8], secret: &str) -> bool {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let bytes = secret.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    let forms = [secret.to_owned(), hex, bytes, BASE64_STANDARD.encode(secret)];
    forms.iter().any(|form| written.windows(form.len()).any(|part| part == form.as_bytes()))
}

/// Neither the database with its log, nor the queue, nor the log of the process shows a secret.
async fn no_secret_stands_in_what_is_written(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_LOG", "debug".to_owned()));
    let app = App::start(stack, &configuration(&webhooks.url()), &settings).await?;
    let secrets = secrets_of_every_kind(&app, &webhooks.url()).await?;
    ensure!(deliver(&app, &alert("s1", &now(), None)).await? == 202);
    let wrong = app.http.post(format!("{}/hooks/more", app.base)).bearer_auth("marker-of-a-wrong-secret");
    ensure!(wrong.body("{}").send().await?.status() == 401);
    app.settle(Duration::from_secs(20)).await?;
    let written = app.everything_written().await?;
    ensure!(written.len() > 10_000 && holds(&written, "db-3.internal is down"), "the search finds what is there");
    for secret in secrets.iter().map(String::as_str).chain(["marker-of-a-wrong-secret"]) {
        ensure!(!holds(&written, secret), "{secret} was written somewhere");
    }
    app.finish().await
}

/// Servers deliver and people add secrets while every secret comes under another key; then the old one goes, and all still works.
async fn the_key_is_exchanged_under_load(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    secrets_of_every_kind(&app, &webhooks.url()).await?;
    let (old, new) = (app.setting("FANAL_SECRET_KEY").context("a key")?.to_owned(), app.command(&["secrets", "new-key"])?);
    let new = new.trim().to_owned();
    app.kill()?;
    app.set("FANAL_SECRET_KEY", &format!("{new},{old}"));
    app.serve().await?;
    let other = app.beside().await?;
    ensure!(app.command(&["doctor"])?.contains("`fanal secrets rotate` puts all under"));
    let ended = Arc::new(AtomicBool::new(false));
    let until = ended.clone();
    let load = tokio::spawn(async move {
        let mut n = 0;
        let id = other.admin_list("/integrations").await?.iter().find(|found| found["key"] == "more").context("it")?["id"].clone();
        while !until.load(Ordering::Relaxed) || n < 10 {
            ensure!(deliver(&other, &alert(&format!("load-{n}"), &now(), Some(&now()))).await? == 202);
            let secret = other.admin_post(&format!("/integrations/{id}/secrets"), &json!({ "value": format!("load-secret-{n}") })).await?;
            let path = format!("/integrations/{id}/secrets/{}", secret["id"]);
            other.http.delete(format!("{}/api/admin/v1{path}", other.base)).send().await?;
            n += 1;
            if n % 4 == 0 {
                // There may be only so many at once.
                other.admin_send(reqwest::Method::PATCH, &format!("/integrations/{id}"), &json!({ "secrets": [] })).await?;
            }
        }
        anyhow::Ok(other)
    });
    for _ in 0..3 {
        let said = app.command_beside(&["secrets", "rotate"]).await?;
        ensure!(said.contains("can be removed"), "{said}");
    }
    ended.store(true, Ordering::Relaxed);
    let mut other = load.await??;
    other.kill()?;
    app.kill()?;
    app.set("FANAL_SECRET_KEY", &new);
    app.serve().await?;
    ensure!(app.apply(&configuration(&webhooks.url()))?.contains("- integration more"), "only what was made by hand is not in the file");
    let before = webhooks.received().len();
    ensure!(deliver(&app, &alert("after", &now(), None)).await? == 202);
    for request in webhooks.wait_for_requests(before + 2, Duration::from_secs(20)).await? {
        request.verify(WEBHOOK_SECRET)?;
    }
    ensure!(app.command(&["verify-audit"])?.contains("prove one another"));
    ensure!(app.command(&["doctor"])?.contains("keys in use"));
    app.finish().await
}

on_every_stack!(no_secret_stands_in_what_is_written, the_key_is_exchanged_under_load);
