//! What all processes together let one do: tokens of the admin API, and requests to one host. And where a token's secret never is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jobs::{queue::QueueUrl, shared_limits::SharedLimits};

use crate::{
    app::{App, Stack, on_every_stack},
    road::configuration,
    servers::redis::Redis,
};

const NOWHERE: &str = "http://127.0.0.1:9/in";

/// How many of `n` requests of a token are let through by a process.
async fn let_through(app: &App, token: &str, n: usize) -> Result<usize> {
    let url = format!("{}/api/admin/v1/me", app.base);
    let requests = (0..n).map(|_| async { anyhow::Ok(app.http.get(&url).bearer_auth(token).send().await?.status().is_success()) });
    Ok(futures::future::try_join_all(requests).await?.into_iter().filter(|passed| *passed).count())
}

/// With Redis two processes let a token do as much as one would; without, each counts by itself.
async fn a_token_may_do_as_much_in_all_processes_as_redis_counts(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let other = app.beside().await?;
    let token = app.command(&["token", "create", "--name", "busy", "--scope", "page:read"])?;
    let began = Instant::now();
    let here = let_through(&app, token.trim(), 110).await?;
    let there = let_through(&other, token.trim(), 110).await?;
    // Twenty a second come back.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds")]
    let back = (began.elapsed().as_secs_f64() * 20.0).ceil() as usize;
    let most = if stack == Stack::PostgresRedis { 100 + back } else { 200 + 2 * back };
    ensure!(here + there <= most, "{here} and {there} in {:?}", began.elapsed());
    ensure!(here >= 100, "{here}");
    ensure!(stack == Stack::PostgresRedis || there >= 100, "{there}");
    app.finish().await
}

/// Two processes that share a Redis take turns at one host, and nobody waits for a turn at another.
#[tokio::test(flavor = "multi_thread")]
async fn requests_to_one_host_keep_their_distance_in_all_processes() -> Result<()> {
    const SPACING: Duration = Duration::from_millis(20);
    let url: QueueUrl = format!("{}?prefix={}", Redis::shared().await?.database(), Redis::fresh_prefix()).parse()?;
    let open = || -> Result<SharedLimits> { SharedLimits::open(&url)?.context("a queue in Redis") };
    let both = [open()?, open()?];
    let began = Instant::now();
    for n in 0..20_u32 {
        let wait = both[n as usize % 2].turn("a.example", SPACING).await.context("an answer")?;
        ensure!(wait + began.elapsed() >= SPACING * n, "turn {n} comes after {wait:?}");
    }
    ensure!(both[0].turn("b.example", SPACING).await == Some(Duration::ZERO));
    Ok(())
}

/// The command line gives a token another secret; the one before counts for the time that was said.
async fn a_token_gets_another_secret_at_the_command_line(stack: Stack) -> Result<()> {
    let app = App::start(stack, &configuration(NOWHERE), &[]).await?;
    let network = ["--network", "127.0.0.0/8", "--expires-in", "1d"];
    let create: Vec<&str> = ["token", "create", "--name", "ci", "--scope", "page:read"].into_iter().chain(network).collect();
    let first = app.command(&create)?;
    let list = app.command(&["token", "list"])?;
    let id = list.lines().find(|line| line.contains("\tci\t")).and_then(|line| line.split('\t').next()).context("its number")?;
    let second = app.command(&["token", "rotate", "--id", id, "--grace", "0s"])?;
    ensure!((let_through(&app, first.trim(), 1).await?, let_through(&app, second.trim(), 1).await?) == (0, 1));
    app.command(&["token", "revoke", "--id", id])?;
    ensure!(let_through(&app, second.trim(), 1).await? == 0);
    let elsewhere = app.command(&["token", "create", "--name", "far", "--scope", "page:read", "--network", "192.0.2.0/24"])?;
    ensure!(let_through(&app, elsewhere.trim(), 1).await? == 0);
    ensure!(app.command(&["verify-audit"])?.contains("prove one another"));
    app.finish().await
}

on_every_stack!(a_token_may_do_as_much_in_all_processes_as_redis_counts, a_token_gets_another_secret_at_the_command_line);
