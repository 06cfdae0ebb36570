//! Several processes over one database and queue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    app::{App, Stack, run},
    faults::{mail_settings, undisturbed},
    history::History,
    road::{WEBHOOK_SECRET, alert, configuration, deliver, now},
    servers::{smtp::SmtpServer, wait_for, webhooks::WebhookServer},
    storm::{Progress, Storm},
    told,
};

/// How long it may take until another process evaluates.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// Longer than a lease.
const SLEEP: Duration = Duration::from_secs(8);

/// Which of two processes evaluates: the first of the returned pair. Fails if both do, or neither for a while.
async fn leader_first(one: App, other: App) -> Result<(App, App)> {
    let leads = || async {
        let (first, second) = (one.metric("fanal_evaluator_leads").await?, other.metric("fanal_evaluator_leads").await?);
        (first != second).then_some(first == 1.0)
    };
    let first = wait_for("one of the processes to evaluate", TAKE_OVER, leads).await?;
    Ok(if first { (one, other) } else { (other, one) })
}

/// The page and its tag.
async fn page(app: &App) -> Result<(String, String)> {
    let answer = app.http.get(&app.base).send().await?;
    let tag = answer.headers().get("etag").context("an ETag")?.to_str()?.to_owned();
    Ok((tag, answer.text().await?))
}

async fn wait_for_the_same_page(one: &App, other: &App, says: &str) -> Result<()> {
    wait_for("both processes to show the same page", Duration::from_secs(5), || async {
        let (first, second) = (page(one).await.ok()?, page(other).await.ok()?);
        (first == second && first.1.contains(says)).then_some(())
    })
    .await
}

/// One process evaluates, all show the same page, and when the one that evaluates is killed another goes on within seconds.
async fn processes_share_one_evaluator(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let one = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let other = one.beside().await?;
    let (mut leader, follower) = leader_first(one, other).await?;
    ensure!(deliver(&follower, &alert("p1", &now(), None)).await? == 202, "any process takes webhooks");
    wait_for_the_same_page(&leader, &follower, "major outage").await?;
    tokio::time::sleep(Duration::from_millis(50)).await;
    leader.kill()?;
    let killed = Instant::now();
    let ended = now();
    ensure!(deliver(&follower, &alert("p1", &ended, Some(&ended))).await? == 202);
    follower.wait_for_status("API", "operational").await?;
    let took_over = killed.elapsed();
    println!("{stack:?}: took over {took_over:?} after the other was killed");
    ensure!(took_over <= TAKE_OVER, "it took {took_over:?}");
    leader.serve().await?;
    let (follower, leader) = leader_first(follower, leader).await?;
    wait_for_the_same_page(&leader, &follower, "operational").await?;
    follower.finish().await?;
    ensure!(follower.command(&["replay"])?.contains("exactly the stored state"));
    Ok(())
}

/// The process that evaluates sleeps longer than its lease, in the middle of a storm: another goes on, and when the sleeper wakes it
/// writes nothing that was decided before. The history is that of an undisturbed run, and nothing is told twice but what was under way.
async fn a_process_that_slept_past_its_lease_is_fenced(stack: Stack) -> Result<()> {
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let storm = Storm::new(20, 3, 10);
    let expected = undisturbed(stack, &storm).await?;
    let one = App::start(stack, &storm.configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let other = one.beside().await?;
    let (mut leader, mut follower) = leader_first(one, other).await?;
    let progress: Arc<Progress> = Arc::default();
    let mut senders = storm.send(&[leader.base.clone(), follower.base.clone()], &leader.http, &progress);
    for n in 1..=2 {
        let at = n * storm.n_webhooks() / 3;
        wait_for("the next moment", Duration::from_secs(60), || async { (progress.n_acknowledged() >= at).then_some(()) }).await?;
        leader.signal("STOP")?;
        let stopped = Instant::now();
        let leads = || async { (follower.metric("fanal_evaluator_leads").await? == 1.0).then_some(()) };
        wait_for("the other process to take over", TAKE_OVER, leads).await?;
        println!("{stack:?}: took over {:?} after the other was frozen", stopped.elapsed());
        tokio::time::sleep(SLEEP.saturating_sub(stopped.elapsed())).await;
        leader.signal("CONT")?;
        (leader, follower) = leader_first(follower, leader).await?;
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    leader.settle(Duration::from_secs(60)).await?;
    follower.finish().await?;
    let replayed = leader.command(&["replay"])?;
    ensure!(replayed.starts_with(&format!("{} deliveries", storm.n_webhooks())), "each is stored once: {replayed}");
    let history = History::read(&leader).await?;
    ensure!(history == expected, "undisturbed:\n{expected:#?}\nwith a sleeper:\n{history:#?}");
    let again = told::webhook_was_told_everything(&history, &webhooks.received(), WEBHOOK_SECRET)?;
    let mails_again = told::reader_was_told_everything(&history, &smtp.mails())?;
    println!("{stack:?}: told again: {again} webhooks, {mails_again} mails");
    Ok(())
}

/// Each scenario on both stacks on which several processes can share a database.
macro_rules! on_postgres {
    ($($scenario:ident),+ $(,)?) => {
        $(mod $scenario {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_with_redis() -> Result<()> {
                run(super::$scenario(Stack::PostgresRedis)).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_alone() -> Result<()> {
                run(super::$scenario(Stack::Postgres)).await
            }
        })+
    };
}

on_postgres!(processes_share_one_evaluator, a_process_that_slept_past_its_lease_is_fenced);
