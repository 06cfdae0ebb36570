//! What the binary needs is out of reach for a while: it says so, goes on with the rest, and needs nobody to start it again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    app::{App, Stack, run},
    faults::mail_settings,
    road::{TOKEN, alert, configuration, deliver, now},
    servers::{
        postgres::Postgres,
        proxy::{Manner, Proxy},
        redis::Redis,
        smtp::SmtpServer,
        wait_for,
        webhooks::WebhookServer,
    },
};

/// How long the outages last.
const OUTAGE: Duration = Duration::from_secs(20);
/// How soon after an outage of the database everything must work again.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long a sender waits for its answer at most.
const ANSWER: Duration = Duration::from_secs(2);

/// What readers get, database or not.
const DOCUMENTS: [&str; 7] = [
    "/",
    "/api/v2/summary.json",
    "/api/v2/status.json",
    "/api/v2/incidents/unresolved.json",
    "/history.atom",
    "/history.rss",
    "/calendar.ics",
];

/// Sends a webhook and gives the status, whether it asks to come again, and how long the answer took.
async fn send(app: &App, integration: &str, body: &Value) -> Result<(u16, bool, Duration)> {
    let began = Instant::now();
    let request = app.http.post(format!("{}/hooks/{integration}", app.base)).bearer_auth(TOKEN).json(body);
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.headers().contains_key("retry-after"), began.elapsed()))
}

async fn readiness(app: &App) -> Option<(u16, Value)> {
    let answer = app.http.get(format!("{}/readyz", app.ops)).send().await.ok()?;
    Some((answer.status().as_u16(), answer.json().await.ok()?))
}

async fn is_stale(app: &App, path: &str) -> Result<bool> {
    let began = Instant::now();
    let answer = app.http.get(format!("{}{path}", app.base)).send().await?;
    ensure!(answer.status() == 200, "{path}: {}", answer.status());
    ensure!(began.elapsed() < Duration::from_secs(1), "{path} took {:?}", began.elapsed());
    Ok(answer.headers().get("x-fanal-stale").is_some_and(|stale| stale == "true"))
}

/// During the outage senders are told to come again, readers get what is known, and operators learn what is wrong.
async fn endure_without_database(app: &App) -> Result<()> {
    let (began, mut slowest, mut stale_after) = (Instant::now(), Duration::ZERO, None);
    let mut n = 0;
    while began.elapsed() < OUTAGE {
        n += 1;
        let (status, asks, took) = send(app, "prod-alerts", &alert(&format!("lost{n}"), &now(), None)).await?;
        ensure!(status == 503 && asks, "an answer of {status} without the database");
        ensure!(took < ANSWER, "a sender waited {took:?}");
        slowest = slowest.max(took);
        let (status, asks, took) = send(app, "never-heard-of", &alert("x", &now(), None)).await?;
        ensure!(status == 503 && asks && took < ANSWER, "who cannot be looked up is not sent away: {status} after {took:?}");
        for path in DOCUMENTS {
            if is_stale(app, path).await? {
                stale_after.get_or_insert(began.elapsed());
            }
        }
        ensure!(app.http.get(format!("{}/healthz", app.ops)).send().await?.status() == 200, "the process is well");
        let (status, why) = readiness(app).await.context("/readyz answers")?;
        ensure!(status == 503 && why["database"] == false, "{why}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stale_after = stale_after.context("the documents say that they are stale")?;
    println!("{n} senders turned away, the slowest answer after {slowest:?}; stale after {stale_after:?}");
    ensure!(stale_after < Duration::from_secs(8), "readers learn only after {stale_after:?} that the page is old");
    for path in DOCUMENTS {
        ensure!(is_stale(app, path).await?, "{path} says that it is stale");
    }
    ensure!(app.http.get(&app.base).send().await?.text().await?.contains("Data as of"), "so does the page in words");
    Ok(())
}

async fn the_database_is_out_of_reach(stack: Stack, manner: Manner) -> Result<()> {
    let direct = Postgres::shared().await?.database().await?;
    let wire = Proxy::to(&direct).await?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_DATABASE_URL", wire.through(&direct)));
    let app = App::start(stack, &configuration(&webhooks.url()), &settings).await?;
    ensure!(deliver(&app, &alert("o1", &now(), None)).await? == 202);
    app.wait_for_status("API", "major_outage").await?;
    webhooks.wait_for_requests(2, Duration::from_secs(20)).await?;

    wire.behave(manner);
    endure_without_database(&app).await?;
    wire.behave(Manner::Pass);

    let back = Instant::now();
    let ended = now();
    wait_for("webhooks to be taken in", RECOVERY, || async {
        (deliver(&app, &alert("o1", &ended, Some(&ended))).await.ok()? == 202).then_some(())
    })
    .await?;
    let taken_in = back.elapsed();
    let left = || RECOVERY.saturating_sub(back.elapsed());
    wait_for("the page to follow", left(), || async { (app.status_of("API").await.ok()? == "operational").then_some(()) }).await?;
    let decided = back.elapsed();
    wait_for("readiness", left(), || async { (readiness(&app).await?.0 == 200).then_some(()) }).await?;
    wait_for("the page to be fresh", left(), || async { (!is_stale(&app, "/").await.ok()?).then_some(()) }).await?;
    webhooks.wait_for_requests(4, left()).await?;
    println!("taken in after {taken_in:?}, decided after {decided:?}, told after {:?}", back.elapsed());
    ensure!(app.command(&["replay"])?.contains("exactly the stored state"));
    app.finish().await
}

mod without_the_database {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn that_refuses_on_postgres_with_redis() -> Result<()> {
        run(the_database_is_out_of_reach(Stack::PostgresRedis, Manner::Refuse)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_is_silent_on_postgres_with_redis() -> Result<()> {
        run(the_database_is_out_of_reach(Stack::PostgresRedis, Manner::Blackhole)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_refuses_on_postgres_alone() -> Result<()> {
        run(the_database_is_out_of_reach(Stack::Postgres, Manner::Refuse)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn that_is_silent_on_postgres_alone() -> Result<()> {
        run(the_database_is_out_of_reach(Stack::Postgres, Manner::Blackhole)).await
    }
}

/// Redis is no part of intake and page: both go on, and what is owed is delivered once the queue is back.
async fn check_without_queue(app: &App, webhooks: &WebhookServer, n_before: usize) -> Result<()> {
    let (status, _, took) = send(app, "prod-alerts", &alert("q1", &now(), None)).await?;
    ensure!(status == 202 && took < ANSWER, "{status} after {took:?} without the queue");
    app.wait_for_status("API", "major_outage").await?;
    let began = Instant::now();
    while began.elapsed() < OUTAGE {
        ensure!(!is_stale(app, "/").await?, "the page has its database");
        let (status, why) = readiness(app).await.context("/readyz answers")?;
        // A connection that is swallowed is silent, and silence takes a moment to notice.
        ensure!(status == 503 && why["queue"] == false && why["database"] == true, "{why}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    ensure!(webhooks.received().len() == n_before, "nobody can have been told");
    let (status, _, took) = send(app, "prod-alerts", &alert("q2", &now(), None)).await?;
    ensure!(status == 202 && took < ANSWER, "{status} after {took:?} without the queue");
    Ok(())
}

async fn the_queue_is_out_of_reach(manner: Manner) -> Result<()> {
    let direct = format!("{}?prefix={}", Redis::shared().await?.database(), Redis::fresh_prefix());
    let wire = Proxy::to(&direct).await?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_QUEUE_URL", wire.through(&direct)));
    let app = App::start(Stack::PostgresRedis, &configuration(&webhooks.url()), &settings).await?;

    wire.behave(manner);
    check_without_queue(&app, &webhooks, 0).await?;
    wire.behave(Manner::Pass);

    let back = Instant::now();
    webhooks.wait_for_requests(2, Duration::from_secs(60)).await?;
    println!("told {:?} after the queue was back", back.elapsed());
    wait_for("readiness", Duration::from_secs(20), || async { (readiness(&app).await?.0 == 200).then_some(()) }).await?;
    app.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_wait_for_a_queue_that_refuses_and_nothing_else_does() -> Result<()> {
    run(the_queue_is_out_of_reach(Manner::Refuse)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_wait_for_a_queue_that_is_silent_and_nothing_else_does() -> Result<()> {
    run(the_queue_is_out_of_reach(Manner::Blackhole)).await
}

/// Redis dies with what it held, is not even there when the binary starts, and comes back empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_dies_and_comes_back_empty_loses_nothing() -> Result<()> {
    run(redis_dies_and_comes_back_empty()).await
}

async fn redis_dies_and_comes_back_empty() -> Result<()> {
    let mut redis = Redis::start().await?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_QUEUE_URL", redis.database()));
    let mut app = App::start(Stack::PostgresRedis, &configuration(&webhooks.url()), &settings).await?;
    redis.kill()?;
    check_without_queue(&app, &webhooks, 0).await?;
    app.kill()?;
    app.serve_anyhow().await?;
    ensure!(deliver(&app, &alert("q3", &now(), None)).await? == 202, "a start needs no queue");
    redis.start_again().await?;
    let back = Instant::now();
    webhooks.wait_for_requests(2, Duration::from_secs(60)).await?;
    println!("told {:?} after Redis was back", back.elapsed());
    app.finish().await
}
