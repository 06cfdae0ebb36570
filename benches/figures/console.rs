//! The console on a large instance: every screen that links lead to, signed in, one request at a time over one connection.
//!
//! Screens are found as a person finds them, by following links from the first one, so that a new one is measured without a word here. Of those
//! that differ by a number alone, the first few stand for all. Lists are also asked for what is rare and for what is not there at all: that is
//! what an index that does not fit pays for.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::SystemTime,
};

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::REPETITIONS;
use crate::{
    client::{self, Connection},
    fanal::{Fanal, Prepared, Servers, Stack},
    report::Row,
    statistics::{Spread, ms, percentile},
    webhooks,
};

const N_COMPONENTS: usize = 1_000;
const N_INCIDENTS: usize = 10_000;
const N_DELIVERIES: usize = 1_000_000;
/// Requests to each screen, in one repetition: the slowest of so few is what 99 of 100 stay below, or more than that.
const ROUNDS: usize = 40;
/// Screens that differ by a number alone.
const MAX_ALIKE: usize = 2;
const LIMIT_MS: f64 = 50.0;
const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "violin harbour sandpaper";
/// What a browser sends along with a form of our own.
const FORM: &str = "sec-fetch-site: same-origin\ncontent-type: application/x-www-form-urlencoded\n";
const STATES: [&str; 5] = ["", "pending", "processed", "quarantined", "ignored"];

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let fanal = start(stack, servers).await?;
        let cookie = sign_in(fanal.port).await?;
        let screens = screens(fanal.port, &cookie).await?;
        let mut worst = Spread::default();
        let mut p99s: BTreeMap<&str, Spread> = BTreeMap::new();
        for _ in 0..REPETITIONS {
            // Some screens ask again for a proof after ten minutes.
            let cookie = sign_in(fanal.port).await?;
            let mut slowest = 0.0_f64;
            for path in &screens {
                let p99 = p99(fanal.port, &cookie, path).await?;
                p99s.entry(path).or_default().push(p99);
                slowest = slowest.max(p99);
            }
            worst.push(slowest);
        }
        let mut by_time: Vec<_> = p99s.iter().map(|(path, spread)| (spread.median(), *path)).collect();
        by_time.sort_by(|a, b| b.0.total_cmp(&a.0));
        by_time.iter().for_each(|(ms, path)| eprintln!("{stack}: {ms:>8.2} ms  {path}"));
        let slowest = by_time.first().map(|(_, path)| *path).context("there are screens")?;
        let what = format!(
            "{} screens of the console, {N_COMPONENTS} components, {N_INCIDENTS} incidents, {N_DELIVERIES} deliveries, {stack}: p99 of the slowest \
             (`{slowest}`)",
            screens.len()
        );
        rows.push(Row::at_most(&what, &worst, "ms", LIMIT_MS));
    }
    Ok(rows)
}

/// An instance with a long past.
async fn start(stack: Stack, servers: &Servers) -> Result<Fanal> {
    let prepared = Prepared::new(stack, servers, &webhooks::configuration(N_COMPONENTS, None)).await?;
    prepared.command(&["user", "create", "--email", EMAIL, "--role", "owner", "--password-stdin"], PASSWORD)?;
    let body = r#"{"type":"service.up","data":{"check":"check-1","service":"c1","severity":"error","message":"The probe in Paris has an answer"}}"#;
    let body = match stack {
        Stack::Sqlite => format!("cast('{body}' as blob)"),
        Stack::Postgres => format!("convert_to('{body}', 'UTF8')"),
    };
    let numbers = [
        ("{now}", SystemTime::UNIX_EPOCH.elapsed()?.as_millis().to_string()),
        ("{components}", N_COMPONENTS.to_string()),
        ("{incidents}", N_INCIDENTS.to_string()),
        ("{deliveries}", N_DELIVERIES.to_string()),
        ("{body}", body),
    ];
    let seed = numbers.iter().fold(include_str!("console/seed.sql").to_owned(), |sql, (name, value)| sql.replace(name, value));
    prepared.execute(servers, &seed).await?;
    if stack == Stack::Postgres {
        // As it does by itself sooner or later.
        prepared.execute(servers, "analyze").await?;
    }
    prepared.start()?.ready().await
}

/// The header of a session that has just proved who it is.
async fn sign_in(port: u16) -> Result<String> {
    let form = format!("email={}&password={}", EMAIL.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let request = format!(
        "POST /console/log-in HTTP/1.1\r\nhost: localhost\r\n{}content-length: {}\r\n\r\n{form}",
        FORM.replace('\n', "\r\n"),
        form.len()
    );
    let answer = Connection::open(port).await?.send(request.as_bytes()).await?;
    ensure!(answer.status == 303, "the password opens the console: {}", answer.status);
    let cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie").filter_map(|(_, value)| value.split(';').next());
    Ok(format!("cookie: {}\n", cookies.collect::<Vec<_>>().join("; ")))
}

/// The paths of all screens.
async fn screens(port: u16, cookie: &str) -> Result<Vec<String>> {
    let mut connection = Connection::open(port).await?;
    let states = STATES.iter().flat_map(|state| (0..5).map(move |n| format!("/console/deliveries?integration=events-{n}&state={state}")));
    let rare =
        ["/console/incidents?before=5000", "/console/notifications?state=dead", "/console/notifications?state=due"].map(str::to_owned);
    let mut waiting: VecDeque<String> = [String::from("/console/")].into_iter().chain(states).chain(rare).collect();
    let mut met: BTreeSet<String> = waiting.iter().cloned().collect();
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(path) = waiting.pop_front() {
        let answer = connection.get(&path, cookie).await?;
        ensure!(answer.status == 200, "{path} is answered {}", answer.status);
        for link in links(&String::from_utf8(answer.body)?) {
            let n = alike.entry(shape(&link)).or_default();
            if *n < MAX_ALIKE && met.insert(link.clone()) {
                *n += 1;
                waiting.push_back(link);
            }
        }
    }
    Ok(met.into_iter().collect())
}

/// Where a screen leads within the console.
fn links(html: &str) -> Vec<String> {
    let targets = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    // What is exported is a file, however long, and no screen.
    let own = targets.filter(|target| target.starts_with("/console/") && !target.contains("/export?"));
    own.map(|target| target.split('#').next().unwrap_or_default().replace("&amp;", "&").replace("&#38;", "&")).collect()
}

/// A path without what tells one thing from another: its numbers, the slug of a guide, the values of what is asked for.
fn shape(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let step = |step: &str| if step.starts_with(|c: char| c.is_ascii_digit()) { ":n".to_owned() } else { step.to_owned() };
    let steps: Vec<String> = path.split('/').map(step).collect();
    let path = steps.join("/");
    let path = if path.starts_with("/console/integrations/new/") { "/console/integrations/new/:provider".to_owned() } else { path };
    let keys: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{path}?{}", keys.join("&"))
}

async fn p99(port: u16, cookie: &str, path: &str) -> Result<f64> {
    let mut connection = Connection::open(port).await?;
    let request = client::get(path, cookie);
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let status = connection.status(&request).await?;
        took.push(ms(begun.elapsed()));
        ensure!(status == 200, "{path} is answered {status}");
    }
    Ok(percentile(&mut took, 0.99))
}
