//! Mail: signed so that others can verify it, and sent until the other side has said yes or never.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    app::{App, Stack, on_every_stack, run},
    road::{alert, configuration, deliver, now},
    servers::{
        dkim::{self, PublishedKey},
        folder::Folder,
        process,
        smtp::{Mail, Manner, SmtpServer, Stage},
        wait_for,
        webhooks::WebhookServer,
    },
};

const SOON: Duration = Duration::from_secs(40);

fn settings(smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    vec![("FANAL_SMTP_URL", smtp.url()), ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned())]
}

fn header<'a>(mail: &'a Mail, name: &str) -> &'a str {
    let text = std::str::from_utf8(&mail.raw).unwrap_or_default();
    let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{}:", name.to_ascii_lowercase())));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

/// Has OpenSSL make a key pair: the file with the private one, and the public one as the DNS would have it.
fn key_pair(algorithm: &str, folder: &Folder) -> Result<(String, PublishedKey)> {
    let file = folder.path().join(format!("{algorithm}.pem")).display().to_string();
    let openssl = process::find_program("openssl")?;
    let made = Command::new(&openssl).args(["genpkey", "-algorithm", algorithm, "-out", &file]).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let public = Command::new(&openssl).args(["pkey", "-in", &file, "-pubout", "-outform", "DER"]).output()?.stdout;
    // RFC 8463: an Ed25519 key stands there bare.
    let (kind, public) = if algorithm == "RSA" { ("rsa", &public[..]) } else { ("ed25519", &public[public.len() - 32..]) };
    let record = format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(public));
    Ok((file, PublishedKey { name: "lantern._domainkey.acme.example".to_owned(), record }))
}

/// What the binary sends is verified by somebody else's implementation, and what a forger would change is covered.
#[tokio::test(flavor = "multi_thread")]
async fn the_signature_of_mail_holds_with_either_kind_of_key() -> Result<()> {
    run(mail_is_signed()).await
}

async fn mail_is_signed() -> Result<()> {
    let folder = Folder::new("dkim")?;
    for algorithm in ["RSA", "ED25519"] {
        let (file, published) = key_pair(algorithm, &folder)?;
        let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
        let mut settings = settings(&smtp);
        settings.extend([
            ("FANAL_DKIM_DOMAIN", "acme.example".to_owned()),
            ("FANAL_DKIM_SELECTOR", "lantern".to_owned()),
            ("FANAL_DKIM_KEY_FILE", file),
        ]);
        let app = App::start(Stack::Sqlite, &configuration(&webhooks.url()), &settings).await?;
        ensure!(deliver(&app, &alert("m1", &now(), None)).await? == 202);
        let mail = smtp.wait_for_mails(1, SOON).await?.remove(0);
        let covered = dkim::verify(&mail.raw, &published).await.context(algorithm)?;
        for name in ["from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"] {
            ensure!(covered.contains(name), "{name} can be forged");
        }
        let forged = String::from_utf8(mail.raw)?.replace("Unsubscribe=One-Click", "Unsubscribe=Two-Clicks");
        ensure!(dkim::verify(forged.as_bytes(), &published).await.is_err(), "a forged mail is found out");
        app.finish().await?;
    }
    Ok(())
}

/// A server that has taken a mail and not said so gets it again, and can tell by its id.
async fn a_repeated_mail_has_the_same_id(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &settings(&smtp)).await?;
    smtp.behave(Manner::HangUp);
    ensure!(deliver(&app, &alert("m1", &now(), None)).await? == 202);
    smtp.wait_for_mails(1, SOON).await?;
    smtp.behave(Manner::Accept);
    let mails = smtp.wait_for_mails(2, SOON).await?;
    ensure!(!header(&mails[0], "message-id").is_empty() && header(&mails[0], "message-id") == header(&mails[1], "message-id"));
    app.finish().await
}

/// A server that says "later" gets the mail later, and what happened meanwhile does not overtake it; others do not wait for it.
async fn mail_that_is_put_off_is_sent_again_in_order(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &settings(&smtp)).await?;
    smtp.behave(Manner::Refuse(Stage::Message, 451));
    let at = now();
    ensure!(deliver(&app, &alert("m1", &at, None)).await? == 202);
    wait_for("the first try", SOON, || async { (smtp.n_asked("ops@example.com") > 0).then_some(()) }).await?;
    let at = now();
    ensure!(deliver(&app, &alert("m1", &at, Some(&at))).await? == 202);
    webhooks.wait_for_requests(4, SOON).await?;
    smtp.behave(Manner::Accept);
    let mails = smtp.wait_for_mails(2, SOON).await?;
    ensure!(header(&mails[0], "in-reply-to").is_empty(), "the beginning comes first");
    ensure!(header(&mails[1], "in-reply-to") == header(&mails[0], "message-id"), "and the end after it");
    app.finish().await
}

/// A server that stops answering in the middle is given up on, and gets the mail when it is back.
async fn mail_is_sent_again_after_a_server_has_stalled(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &settings(&smtp)).await?;
    smtp.behave(Manner::Stall);
    ensure!(deliver(&app, &alert("m1", &now(), None)).await? == 202);
    webhooks.wait_for_requests(2, SOON).await?;
    wait_for("a connection to the mail server", SOON, || async { (smtp.n_connections() > 0).then_some(()) }).await?;
    let n_connections = smtp.n_connections();
    // It goes on stalling until we have given up and come again.
    wait_for("another connection", Duration::from_secs(90), || async { (smtp.n_connections() > n_connections).then_some(()) }).await?;
    smtp.behave(Manner::Accept);
    smtp.wait_for_mails(1, Duration::from_secs(60)).await?;
    app.finish().await
}

/// "Never" is final for this mail. For the address it is if the server says that there is no such mailbox.
async fn mail_that_is_refused_for_good_is_not_sent_again(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let others = "  - { channel: email, address: gone@example.com }\n  - { channel: email, address: full@example.com }\n";
    let configuration = configuration(&webhooks.url()) + others;
    smtp.refuse_recipient("gone@example.com", 550, "5.1.1 no such user");
    smtp.refuse_recipient("full@example.com", 552, "5.2.2 mailbox full");
    let app = App::start(stack, &configuration, &settings(&smtp)).await?;
    ensure!(deliver(&app, &alert("m1", &now(), None)).await? == 202);
    let to = |mails: &[Mail], address: &str| mails.iter().filter(|mail| mail.to == [address]).count();
    wait_for("the others to have mail", SOON, || async { (to(&smtp.mails(), "ops@example.com") == 1).then_some(()) }).await?;
    // Longer than the first pause between two tries.
    tokio::time::sleep(Duration::from_secs(8)).await;
    ensure!(smtp.n_asked("gone@example.com") == 1 && smtp.n_asked("full@example.com") == 1, "nobody is asked twice about one mail");

    let at = now();
    ensure!(deliver(&app, &alert("m1", &at, Some(&at))).await? == 202);
    wait_for("the next mail", SOON, || async { (to(&smtp.mails(), "ops@example.com") == 2).then_some(()) }).await?;
    wait_for("a full mailbox to be tried with it", SOON, || async { (smtp.n_asked("full@example.com") == 2).then_some(()) }).await?;
    ensure!(smtp.n_asked("gone@example.com") == 1, "who is gone is not asked again");
    let subscribers = app.admin_list("/subscribers").await?;
    let off: Vec<_> = subscribers.iter().filter(|subscriber| !subscriber["disabled_at"].is_null()).collect();
    ensure!(off.len() == 1 && off[0]["address"] == "gone@example.com", "{off:?}");
    app.finish().await
}

on_every_stack!(
    a_repeated_mail_has_the_same_id,
    mail_that_is_put_off_is_sent_again_in_order,
    mail_is_sent_again_after_a_server_has_stalled,
    mail_that_is_refused_for_good_is_not_sent_again,
);
