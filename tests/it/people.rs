//! The team, by the admin API, and what becomes of those it is about.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    app::{App, Stack, on_every_stack},
    console::{Browser, PASSWORD, csrf, mailed_path},
    servers::smtp::SmtpServer,
};

const SOON: Duration = Duration::from_secs(30);

/// A request with a token, whatever comes of it.
async fn call(app: &App, token: &str, method: Method, path: &str, body: &Value) -> Result<(u16, Value)> {
    let request = app.http.request(method, format!("{}/api/admin/v1{path}", app.base)).bearer_auth(token);
    let answer = if body.is_null() { request } else { request.json(body) }.send().await?;
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    Ok((status, serde_json::from_str(&text).unwrap_or_default()))
}

async fn a_program_runs_the_team(stack: Stack) -> Result<()> {
    let app = App::start(stack, "page: { name: Acme }\n", &[]).await?;
    app.command_with_input(&["user", "create", "--email", "owner@example.com", "--role", "owner", "--password-stdin"], PASSWORD)?;
    let token = app.command(&["token", "create", "--name", "people", "--scope", "*"])?.trim().to_owned();
    let little = app.command(&["token", "create", "--name", "little", "--scope", "users:write"])?.trim().to_owned();
    let with = async |method: Method, path: &str, body: Value| call(&app, &token, method, path, &body).await;
    let invite = json!({ "email": "Eve@example.com", "role": "operator" });
    ensure!(call(&app, &little, Method::POST, "/invitations", &invite).await?.0 == 403, "it may not make what it is not");
    let (status, made) = with(Method::POST, "/invitations", invite).await?;
    ensure!(status == 201, "{made}");
    let link = made["link"].as_str().context("a link, as no mail can be sent")?;
    let mut eve = Browser::new(&app);
    let path = link.strip_prefix(&app.base).context("it leads to us")?;
    ensure!(eve.post(path, &[("name", "Eve"), ("password", PASSWORD)]).await?.location == "/console/");
    ensure!(with(Method::GET, "/invitations", Value::Null).await?.1["items"] == json!([]), "it is accepted");

    let (_, found) = with(Method::GET, "/users?email=eve@example.com&role=operator", Value::Null).await?;
    let id = found["items"][0]["id"].as_i64().context("eve")?;
    let path = format!("/users/{id}");
    let (_, sessions) = with(Method::GET, &format!("{path}/sessions"), Value::Null).await?;
    let session = sessions["items"][0]["id"].as_i64().context("a session")?;
    ensure!(eve.get("/console/").await?.status == 200);
    ensure!(with(Method::DELETE, &format!("/sessions/{session}"), Value::Null).await?.0 == 204);
    ensure!(eve.get("/console/").await?.location == "/console/log-in", "at once");
    let log_in = async || {
        let mut eve = Browser::new(&app);
        let answer = eve.post("/console/log-in", &[("email", "eve@example.com"), ("password", PASSWORD)]).await?;
        Ok::<_, anyhow::Error>((eve, answer.location == "/console/"))
    };
    let (mut eve, _) = log_in().await?;
    let (status, changed) = with(Method::PATCH, &path, json!({ "role": "editor", "name": "Evelyn" })).await?;
    ensure!(status == 200 && changed["role"] == "editor" && changed["name"] == "Evelyn", "{changed}");
    ensure!(eve.get("/console/").await?.location == "/console/log-in", "another role is another session");
    ensure!(with(Method::PATCH, &path, json!({ "disabled": true })).await?.0 == 200);
    ensure!(!log_in().await?.1, "shut out");
    ensure!(with(Method::PATCH, &path, json!({ "disabled": false })).await?.0 == 200);
    ensure!(log_in().await?.1, "and in again");
    ensure!(with(Method::DELETE, &format!("{path}/factors"), Value::Null).await?.0 == 204);

    let (_, owners) = with(Method::GET, "/users?role=owner", Value::Null).await?;
    let owner = owners["items"][0]["id"].as_i64().context("the owner")?;
    for (method, body) in
        [(Method::PATCH, json!({ "role": "admin" })), (Method::PATCH, json!({ "disabled": true })), (Method::DELETE, Value::Null)]
    {
        ensure!(with(method, &format!("/users/{owner}"), body).await?.0 == 409, "the last owner stays");
    }
    let (_, link) = with(Method::POST, &format!("/users/{owner}/link"), Value::Null).await?;
    ensure!(link["link"].as_str().is_some_and(|link| link.contains("/console/password/")), "{link}");
    ensure!(with(Method::DELETE, &path, Value::Null).await?.0 == 204);
    ensure!(with(Method::GET, &path, Value::Null).await?.0 == 404);
    let (_, roles) = with(Method::GET, "/roles", Value::Null).await?;
    ensure!(roles["items"].as_array().is_some_and(|roles| roles.len() == 5), "{roles}");
    let (_, settings) = with(Method::GET, "/settings", Value::Null).await?;
    ensure!(settings["base_url"] == format!("{}/", app.base) && settings["oidc"].is_null(), "{settings}");
    ensure!(!settings.to_string().contains("dGVzdHMgb25seT"), "no secret is in it");
    app.command(&["verify-audit"])?;
    app.finish().await
}

/// The new address counts once its link is opened by its owner; the old one is told, and opens nothing any more.
async fn somebody_changes_their_own_mail_address(stack: Stack) -> Result<()> {
    let smtp = SmtpServer::start()?;
    let mail = [("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned())];
    let app = App::start(stack, "page: { name: Acme }\n", &mail).await?;
    for email in ["ada@example.com", "eve@example.com"] {
        app.command_with_input(&["user", "create", "--email", email, "--role", "viewer", "--password-stdin"], PASSWORD)?;
    }
    let log_in = async |email: &str| {
        let mut browser = Browser::new(&app);
        let answer = browser.post("/console/log-in", &[("email", email), ("password", PASSWORD)]).await?;
        Ok::<_, anyhow::Error>((browser, answer.location == "/console/"))
    };
    let ((mut ada, _), (mut elsewhere, _), (mut eve, _)) =
        (log_in("ada@example.com").await?, log_in("ada@example.com").await?, log_in("eve@example.com").await?);
    smtp.wait_for_mails(1, SOON).await?; // A new browser signed in.
    let token = csrf(&ada.get("/console/profile/email").await?.body)?;
    let ask = async |ada: &mut Browser, email: &str| ada.post("/console/profile/email", &[("csrf", &token), ("email", email)]).await;
    ensure!(ask(&mut ada, "nobody").await?.status == 422 && ask(&mut ada, "ada@example.com").await?.status == 422);
    let taken = ask(&mut ada, "eve@example.com").await?;
    let free = ask(&mut ada, "Ada.New@example.com").await?;
    ensure!(taken.status == 200 && free.status == 200 && free.body.contains("A link is on its way"), "{}", free.body);
    let mails = smtp.wait_for_mails(2, SOON).await?;
    let sent = mails.last().context("a mail")?;
    ensure!(sent.to.iter().any(|to| to.contains("ada.new@example.com")), "and none to somebody who has an account: {:?}", sent.to);
    let path = mailed_path(&app, sent)?;
    ensure!(log_in("ada@example.com").await?.1, "nothing has changed yet");
    ensure!(Browser::new(&app).get(&path).await?.location.starts_with("/console/log-in"), "a mail scanner comes no further");
    ensure!(eve.get(&path).await?.status == 404, "it is for its owner alone");
    let foreign = csrf(&eve.get("/console/profile").await?.body)?;
    ensure!(eve.post(&path, &[("csrf", &foreign)]).await?.status == 404);
    let page = ada.get(&path).await?;
    ensure!(page.status == 200 && page.body.contains("Sign in as ada.new@example.com?"), "{}", page.body);
    ensure!(ada.post(&path, &[("csrf", &csrf(&page.body)?)]).await?.location == "/console/profile");
    ensure!(ada.get("/console/profile").await?.body.contains("ada.new@example.com"), "she is still in");
    ensure!(elsewhere.get("/console/").await?.location == "/console/log-in", "and nowhere else");
    ensure!(ada.get(&path).await?.status == 404, "the link works once");
    let mails = smtp.wait_for_mails(4, SOON).await?;
    let told = mails.iter().find(|mail| String::from_utf8_lossy(&mail.raw).contains("Your mail address was changed")).context("a note")?;
    ensure!(told.to.iter().any(|to| to.contains("ada@example.com")), "to the old address: {:?}", told.to);
    ensure!(!log_in("ada@example.com").await?.1 && log_in("ada.new@example.com").await?.1);
    let rows = app.admin("/audit?action=user.email_changed").await?;
    let row = &rows["items"][0];
    ensure!(row["after"]["email"].is_string() && !format!("{}{}", row["before"], row["after"]).contains('@'), "pseudonyms alone: {rows}");
    app.finish().await
}

on_every_stack!(a_program_runs_the_team, somebody_changes_their_own_mail_address);
