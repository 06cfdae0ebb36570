//! What breaks while work is under way, and must cost nothing that was promised.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    app::{App, Stack, on_every_stack},
    history::History,
    road::{TOKEN, WEBHOOK_SECRET, alert, configuration, now},
    servers::{redis::Redis, smtp::SmtpServer, wait_for, webhooks::WebhookServer},
    storm::{Progress, Storm},
    told,
};

/// How often the process is killed.
const N_KILLS: usize = 20;
/// Notifications that one process tries at once, at most.
const N_COURIERS: usize = 128;

pub(crate) fn mail_settings(smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    vec![
        ("FANAL_SMTP_URL", smtp.url()),
        ("FANAL_MAIL_FROM", "Acme <status@acme.example>".to_owned()),
        // Links stand in what is sent, and must not differ from run to run.
        ("FANAL_BASE_URL", "https://status.acme.example".to_owned()),
    ]
}

/// What the same storm makes where nothing breaks.
pub(crate) async fn undisturbed(stack: Stack, storm: &Storm) -> Result<History> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &storm.configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    storm.pass_over(&app).await?;
    app.settle(Duration::from_secs(60)).await?;
    app.finish().await?;
    let history = History::read(&app).await?;
    ensure!(told::webhook_was_told_everything(&history, &webhooks.received(), WEBHOOK_SECRET)? == 0, "nothing is told twice");
    ensure!(told::reader_was_told_everything(&history, &smtp.mails())? == 0, "nothing is told twice");
    Ok(history)
}

/// Killed at random moments while webhooks are sent with retries: whatever was acknowledged is there and decided as if nothing had
/// happened, and every subscriber is told of everything, with repeats that can be known as such. On Redis, the queue forgets everything
/// in the middle as well.
async fn nothing_acknowledged_is_lost_when_the_process_is_killed(stack: Stack) -> Result<()> {
    let storm = Storm::new(20, 5, 25);
    let expected = undisturbed(stack, &storm).await?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let redis = if stack == Stack::PostgresRedis { Some(Redis::start().await?) } else { None };
    let mut settings = mail_settings(&smtp);
    settings.extend(redis.as_ref().map(|redis| ("FANAL_QUEUE_URL", redis.database())));
    let mut app = App::start(stack, &storm.configuration(&webhooks.url()), &settings).await?;
    let began = Instant::now();
    let progress: Arc<Progress> = Arc::default();
    let mut senders = storm.send(std::slice::from_ref(&app.base), &app.http, &progress);
    let mut restarts = Vec::new();
    for (n, at) in moments(storm.n_webhooks()).into_iter().enumerate() {
        wait_for("the next moment", Duration::from_secs(60), || async { (progress.n_acknowledged() >= at).then_some(()) }).await?;
        app.kill()?;
        restarts.push(app.serve().await?);
        if let Some(redis) = redis.as_ref().filter(|_| n == N_KILLS / 2) {
            redis.forget().await?;
        }
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let sent = began.elapsed();
    app.settle(Duration::from_secs(90)).await?;
    let settled = began.elapsed();
    app.finish().await?;
    let replayed = app.command(&["replay"])?;
    ensure!(replayed.starts_with(&format!("{} deliveries", storm.n_webhooks())), "each is stored once: {replayed}");
    let history = History::read(&app).await?;
    ensure!(history == expected, "undisturbed:\n{expected:#?}\nkilled:\n{history:#?}");
    let again = told::webhook_was_told_everything(&history, &webhooks.received(), WEBHOOK_SECRET)?;
    let mails_again = told::reader_was_told_everything(&history, &smtp.mails())?;
    restarts.sort();
    println!(
        "{stack:?}: {N_KILLS} kills in {} webhooks ({} tries failed), {} + {} changes; told again: {again} webhooks, {mails_again} mails; \
         restart p50 {:?} max {:?}; sent in {sent:?}, settled in {settled:?}",
        storm.n_webhooks(),
        progress.n_failed(),
        history.n_statuses(),
        history.n_entries(),
        restarts[N_KILLS / 2],
        restarts[N_KILLS - 1],
    );
    ensure!(again <= N_KILLS * N_COURIERS && mails_again <= N_KILLS * 10, "no more is repeated than was under way at a kill");
    Ok(())
}

/// After how many acknowledged webhooks to kill: random, in order.
fn moments(n_webhooks: usize) -> Vec<usize> {
    let mut moments: Vec<usize> = (0..N_KILLS).map(|_| rand::random_range(1..n_webhooks)).collect();
    moments.sort_unstable();
    println!("kills after {moments:?} webhooks");
    moments
}

/// What came of webhooks that were sent until nobody listened any more.
#[derive(Default)]
struct Sent {
    n_acknowledged: usize,
    failed: Vec<String>,
}

/// Sends alerts about ever new things, one after the other, until the connection is refused.
async fn send_until_refused(http: reqwest::Client, base: String, sender: usize) -> Sent {
    let (mut sent, url) = (Sent::default(), format!("{base}/hooks/prod-alerts"));
    for n in 0.. {
        let body = alert(&format!("s{sender}-{n}"), &now(), None);
        match http.post(&url).bearer_auth(TOKEN).json(&body).send().await {
            Ok(answer) if answer.status() == 202 => sent.n_acknowledged += 1,
            Ok(answer) => sent.failed.push(answer.status().to_string()),
            Err(error) if error.is_connect() => break,
            Err(error) => sent.failed.push(format!("{error:?}")),
        }
    }
    sent
}

/// A request whose second half comes later.
async fn begin_request(app: &App) -> Result<(TcpStream, Vec<u8>)> {
    let address = app.base.trim_start_matches("http://");
    let body = alert("half", &now(), None).to_string().into_bytes();
    let head = format!(
        "POST /hooks/prod-alerts HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&[head.as_bytes(), first].concat()).await?;
    Ok((stream, second.to_vec()))
}

/// Told to stop in the middle of work: every request that was let in is answered, what was acknowledged is there after the next start,
/// and neither a slow sender nor somebody who watches the page keeps the process alive.
async fn a_stop_finishes_what_was_let_in(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let mut watcher = app.http.get(format!("{}/events", app.base)).send().await?;
    ensure!(watcher.chunk().await?.is_some(), "somebody watches the page");
    let senders: Vec<_> = (0..8).map(|n| tokio::spawn(send_until_refused(app.http.clone(), app.base.clone(), n))).collect();
    tokio::time::sleep(Duration::from_millis(rand::random_range(500..1500))).await;
    let (mut half, rest) = begin_request(&app).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    app.signal("TERM")?;
    let told = Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    half.write_all(&rest).await?;
    let mut answer = String::new();
    half.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 202"), "a request that had begun is answered: {answer}");
    let status = app.wait_for_end(Duration::from_secs(10)).await?;
    let stopped = told.elapsed();
    ensure!(status.success(), "{status}");
    let mut n_acknowledged = 1;
    for sender in senders {
        let Sent { n_acknowledged: n, failed } = sender.await?;
        ensure!(failed.is_empty(), "{failed:#?}");
        n_acknowledged += n;
    }
    let restarted = app.serve().await?;
    app.settle(Duration::from_secs(60)).await?;
    let replayed = app.command(&["replay"])?;
    ensure!(replayed.contains(&format!("about {n_acknowledged} things")), "{n_acknowledged} were acknowledged; {replayed}");
    println!("{stack:?}: stopped in {stopped:?} with {n_acknowledged} webhooks acknowledged, ready again in {restarted:?}");
    app.finish().await
}

on_every_stack!(a_stop_finishes_what_was_let_in, nothing_acknowledged_is_lost_when_the_process_is_killed);
