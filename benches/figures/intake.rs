//! Webhooks taken in a second: signed, verified, durable, acknowledged, over 64 connections, while the evaluator works on them.
//!
//! References: `pgbench` with 64 clients, each committing one row at a time, on the same cluster: a bare row, and one that like a delivery is
//! known again by its sender's id; and SQLite with `synchronous=FULL`, one row per transaction, in a file beside Fanal's.

use std::{collections::HashSet, process::Stdio, sync::Arc};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::{process::Command, time::Instant};

use super::REPETITIONS;
use crate::{
    client::Connection,
    fanal::{Fanal, Servers, Stack},
    report::Row,
    servers::folder::Folder,
    statistics::Spread,
    webhooks::{self, Event},
};

const N_CONNECTIONS: usize = 64;
/// Webhooks over each connection, in one repetition.
const N_EACH: usize = 400;
const N_COMPONENTS: usize = 20;
/// Checks that fire; each belongs to one component.
const N_CHECKS: usize = 1000;
const PGBENCH_SECONDS: u32 = 4;
const N_SQLITE_ROWS: usize = 15_000;

/// A table, and a statement that adds a row.
struct Rows {
    table: &'static str,
    insert: &'static str,
    n_bytes: usize,
}

/// The least that PostgreSQL can make durable.
const BARE: Rows = Rows {
    table: "create table fact (id bigserial primary key, body bytea not null)",
    insert: "insert into fact (body) values ('{bytes}');",
    n_bytes: 300,
};
/// What a delivery is: as long as ours, with its headers, and refused if it is there.
const KNOWN: Rows = Rows {
    table: "create table fact (id bigserial primary key, source bigint not null, external_id text not null, received_at bigint not null,
            headers text not null, body bytea not null, unique (source, external_id))",
    insert: "\\set n random(1, 1000000000000000)
insert into fact (source, external_id, received_at, headers, body) values (1, 'msg_' || :n, 1772366400000, '{bytes}', '{bytes}')
on conflict do nothing;",
    n_bytes: 350,
};

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let fanal = Fanal::start(stack, servers, &webhooks::configuration(N_COMPONENTS, None)).await?;
        let (mut ours, mut theirs, mut known) = (Spread::default(), Spread::default(), Spread::default());
        for repetition in 0..REPETITIONS {
            ours.push(take_in(&fanal, repetition).await?);
            fanal.settle().await?;
            match stack {
                Stack::Sqlite => theirs.push(sqlite().await?),
                Stack::Postgres => {
                    theirs.push(pgbench(servers, &BARE).await?);
                    known.push(pgbench(servers, &KNOWN).await?);
                }
            }
        }
        check_stored(&fanal, servers).await?;
        let (name, goal) = match stack {
            Stack::Sqlite => ("SQLite, one row per transaction", 2.0),
            Stack::Postgres => ("pgbench, one-row INSERT, 64 clients", 1.0),
        };
        let what = format!("signed webhooks made durable and acknowledged, {N_CONNECTIONS} connections, {stack}");
        rows.push(Row::ratio(&what, "/s", &ours, (name, &theirs), (goal, false)));
        if matches!(stack, Stack::Postgres) {
            rows.push(Row::ratio(&what, "/s", &ours, ("pgbench, the same row with its unique key", &known), (goal, false)));
        }
    }
    Ok(rows)
}

fn name(repetition: usize, connection: usize, n: usize) -> String {
    format!("msg_{repetition}_{connection}_{n}")
}

/// Acknowledged webhooks per second.
async fn take_in(fanal: &Fanal, repetition: usize) -> Result<f64> {
    let mut ready = Vec::new();
    for connection in 0..N_CONNECTIONS {
        let requests: Vec<Vec<u8>> = (0..N_EACH).map(|n| signed(repetition, connection, n)).collect::<Result<_>>()?;
        ready.push((Connection::open(fanal.port).await?, requests));
    }
    let begun = Instant::now();
    let senders = ready.into_iter().map(|(mut connection, requests)| {
        tokio::spawn(async move {
            for request in &requests {
                let status = connection.status(request).await?;
                ensure!(status == 202, "a webhook is answered {status}");
            }
            Ok(())
        })
    });
    for ended in try_join_all(senders).await? {
        ended?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    Ok((N_CONNECTIONS * N_EACH) as f64 / begun.elapsed().as_secs_f64())
}

fn signed(repetition: usize, connection: usize, n: usize) -> Result<Vec<u8>> {
    let check = (connection * N_EACH + n) % N_CHECKS;
    let id = name(repetition, connection, n);
    let (check, component) = (format!("check-{check}"), check % N_COMPONENTS);
    let integration = component / webhooks::N_ROUTES;
    let event = Event { id: &id, check: &check, component, integration, severity: Some("critical") };
    webhooks::request(&event)
}

/// Whatever was acknowledged is in the database, and was decided.
async fn check_stored(fanal: &Fanal, servers: &Servers) -> Result<()> {
    let stored = fanal.query(servers, "select external_id from delivery join fate using (delivery_id) where state = 'processed'").await?;
    let stored: HashSet<String> = stored.into_iter().collect();
    let sent = (0..REPETITIONS).flat_map(|r| (0..N_CONNECTIONS).flat_map(move |c| (0..N_EACH).map(move |n| name(r, c, n))));
    let n_missing = sent.filter(|id| !stored.contains(id)).count();
    ensure!(n_missing == 0, "{n_missing} deliveries were acknowledged and are not there");
    Ok(())
}

/// Commits per second.
async fn pgbench(servers: &Servers, rows: &Rows) -> Result<f64> {
    let database = servers.postgres.database().await?;
    let name = database.rsplit('/').next().context("a URL with a database")?;
    servers.postgres.query(name, rows.table).await?;
    let folder = Folder::new("pgbench")?;
    let script = folder.path().join("insert.sql");
    std::fs::write(&script, rows.insert.replace("{bytes}", &"x".repeat(rows.n_bytes)) + "\n")?;
    let clients = N_CONNECTIONS.to_string();
    let mut pgbench = Command::new("pgbench");
    pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--client", &clients, "--time", &PGBENCH_SECONDS.to_string()]);
    let output = pgbench.arg("--file").arg(&script).arg(&database).stderr(Stdio::piped()).output().await?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench: {text}"))
}

/// Commits per second. Many statements in one string, so that no more than the commits is measured.
async fn sqlite() -> Result<f64> {
    let folder = Folder::new("sqlite")?;
    let options = SqliteConnectOptions::new().filename(folder.path().join("fact.db")).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await?;
    sqlx::raw_sql("create table fact (id integer primary key, body blob not null)").execute(&mut connection).await?;
    let body = "x".repeat(300);
    let statements = Arc::new(format!("insert into fact (body) values ('{body}');").repeat(N_SQLITE_ROWS));
    let begun = Instant::now();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.as_str())).execute(&mut connection).await?;
    let took = begun.elapsed();
    let n: i64 = sqlx::query_scalar("select count(*) from fact").fetch_one(&mut connection).await?;
    ensure!(usize::try_from(n)? == N_SQLITE_ROWS, "{n} rows were stored");
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    Ok(N_SQLITE_ROWS as f64 / took.as_secs_f64())
}
