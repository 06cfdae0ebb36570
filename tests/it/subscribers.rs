//! Those who are told: they come, confirm, leave, and are switched off.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use poem::http::StatusCode;

use crate::{
    app::{App, Stack, on_every_stack},
    road::{alert, configuration, deliver, now},
    servers::{
        smtp::{Mail, SmtpServer},
        webhooks::{Manner, WebhookServer},
    },
};

const SENDER: &str = "Acme <status@acme.example>";

fn mail_settings(smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    vec![("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", SENDER.to_owned()), ("FANAL_OWNER_EMAIL", "owner@acme.example".to_owned())]
}

fn text(mail: &Mail) -> String {
    // Soft line breaks of quoted-printable stand in the middle of links.
    String::from_utf8_lossy(&mail.raw).replace("=\r\n", "")
}

fn link_in(mail: &Mail, base: &str) -> Result<String> {
    let text = text(mail);
    let start = text.find(&format!("{base}/subscriptions/")).context("a link to the subscription")?;
    Ok(text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_:/.".contains(*c)).collect())
}

async fn post_form(app: &App, url: &str, form: &'static str) -> Result<u16> {
    let request = app.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
    Ok(request.send().await?.status().as_u16())
}

/// A reader subscribes, confirms by a POST (a GET changes nothing), is told, and leaves with one click.
async fn a_reader_subscribes_confirms_is_told_and_leaves(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let status = post_form(&app, &format!("{}/subscribe", app.base), "address=reader%40example.net").await?;
    ensure!(status == 200, "the form is accepted");
    let mails = smtp.wait_for_mails(1, Duration::from_secs(20)).await?;
    ensure!(mails[0].to == ["reader@example.net"]);
    let link = link_in(&mails[0], &app.base)?;
    ensure!(app.http.get(&link).send().await?.text().await?.contains("Confirm your subscription"), "opening the link changes nothing");
    ensure!(post_form(&app, &link, "action=confirm").await? == 303);
    ensure!(deliver(&app, &alert("s1", &now(), None)).await? == 202);
    // The subscriber of the configuration and the reader.
    let mails = smtp.wait_for_mails(3, Duration::from_secs(20)).await?;
    ensure!(mails.iter().filter(|mail| mail.to == ["reader@example.net"]).count() == 2);
    ensure!(post_form(&app, &format!("{link}/unsubscribe"), "List-Unsubscribe=One-Click").await? == 200);
    ensure!(app.http.get(&link).send().await?.text().await?.contains("You are unsubscribed"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = now();
    ensure!(deliver(&app, &alert("s1", &later, Some(&later))).await? == 202);
    smtp.wait_for_mails(4, Duration::from_secs(20)).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(smtp.mails().iter().filter(|mail| mail.to == ["reader@example.net"]).count() == 2, "nothing more is sent");
    app.finish().await
}

/// An endpoint that asks never to be called again is not, and the owner is told.
async fn an_endpoint_that_is_gone_is_switched_off_and_the_owner_told(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    webhooks.behave(Manner::Answer(StatusCode::GONE, Duration::ZERO));
    let app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    ensure!(deliver(&app, &alert("g1", &now(), None)).await? == 202);
    let mails = smtp.wait_for_mails(2, Duration::from_secs(20)).await?;
    let told: Vec<_> = mails.iter().filter(|mail| mail.to == ["owner@acme.example"]).collect();
    ensure!(told.len() == 1, "the owner is told once");
    ensure!(text(told[0]).contains("switched off"));
    let n = webhooks.received().len();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let later = now();
    ensure!(deliver(&app, &alert("g1", &later, Some(&later))).await? == 202);
    app.wait_for_status("API", "operational").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(webhooks.received().len() == n, "it is not called again");
    app.finish().await
}

on_every_stack!(a_reader_subscribes_confirms_is_told_and_leaves, an_endpoint_that_is_gone_is_switched_off_and_the_owner_told);
