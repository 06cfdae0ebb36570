//! What it costs to ask: 10,000 sources, each once a minute, and how late the latest is asked.
//!
//! The sources are on a hundred hosts (addresses of the loopback), because one host is not asked more often than every 20 ms. One answer in
//! twenty has news, and the next one has none again: so one in ten differs from the one before, is stored and decided. How late a source is asked is what Fanal says of itself,
//! from the moment at which it was due, and is checked against what the sources saw: none of them waits longer than a minute, the variation
//! and the lateness allowed. The processor time is the process' own, without the database's.

use std::{
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::REPETITIONS;
use crate::{
    client::Connection,
    fanal::{Fanal, Servers, Stack},
    proc,
    report::Row,
    servers::wait_for,
    statistics::Spread,
};

const N_SOURCES: usize = 10_000;
const N_HOSTS: usize = 100;
/// How long one repetition takes.
const WINDOW: Duration = Duration::from_secs(30);
/// The longest a source may go unasked: a minute, varied by a tenth, and 5 s late.
const MAX_GAP: Duration = Duration::from_secs(71);
/// How late a source may be asked, in seconds, as the metric's buckets have it.
const LATE: &str = "5";
const METRIC: &str = "fanal_poll_lateness_seconds";

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let sources = Sources::start().await?;
        let fanal = Fanal::start(stack, servers, &configuration(sources.port)).await?;
        wait_for("every source to be asked", Duration::from_secs(180), || async { sources.all_asked().then_some(()) }).await?;
        let (mut cores, mut late) = (Spread::default(), Spread::default());
        let mut n_asked = 0.0;
        for _ in 0..REPETITIONS {
            let (cpu, before, began) = (proc::cpu(fanal.pid())?, Lateness::of(&fanal).await?, Instant::now());
            tokio::time::sleep(WINDOW).await;
            let (used, after, took) = (proc::cpu(fanal.pid())? - cpu, Lateness::of(&fanal).await?, began.elapsed());
            cores.push(used.as_secs_f64() / took.as_secs_f64());
            late.push(after.late() - before.late());
            n_asked += after.all - before.all;
        }
        let per_minute = n_asked * 60.0 / (WINDOW.as_secs_f64() * f64::from(u32::try_from(REPETITIONS)?));
        ensure!(per_minute > 9_500.0, "only {per_minute:.0} sources are asked in a minute");
        let longest = sources.longest_gap();
        ensure!(longest < MAX_GAP, "a source was not asked for {longest:?}");
        let what = format!("{per_minute:.0} polls a minute, {stack}");
        rows.push(Row::at_most(&format!("{what}: processor"), &cores, "cores", 1.0));
        rows.push(Row::at_most(&format!("{what}: more than {LATE} s late, of {:.0}", n_asked), &late, "polls", 0.0));
    }
    Ok(rows)
}

fn configuration(port: u16) -> String {
    let mut text = String::from("page: { name: Acme }\ncomponents: [{ key: c, name: C }]\nintegrations:\n");
    for n in 0..N_SOURCES {
        let host = n % N_HOSTS + 1;
        let _ = writeln!(
            text,
            "  - {{ key: s{n}, provider: json_poll, settings: {{ url: \"http://127.0.0.{host}:{port}/{n}\", every: 60s, fingerprint: body.id, \
             state: body.state, firing: [down], resolved: [up] }}, routes: [{{ components: [c] }}] }}"
        );
    }
    text
}

/// What the metric says: how many rounds there were, and how many of them were in time.
struct Lateness {
    all: f64,
    in_time: f64,
}

impl Lateness {
    async fn of(fanal: &Fanal) -> Result<Self> {
        let answer = Connection::open(fanal.ops_port).await?.get("/metrics", "").await?;
        let text = String::from_utf8(answer.body)?;
        let value = |name: String| -> Result<f64> {
            let value = text.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '));
            Ok(value.with_context(|| format!("no metric `{name}`"))?.parse()?)
        };
        Ok(Self { all: value(format!("{METRIC}_count"))?, in_time: value(format!("{METRIC}_bucket{{le=\"{LATE}\"}}"))? })
    }

    fn late(&self) -> f64 {
        self.all - self.in_time
    }
}

/// When a source was asked last, and the longest time between two questions.
type Seen = Arc<Mutex<Vec<(Option<Instant>, Duration)>>>;

/// All sources: one port on many addresses.
struct Sources {
    port: u16,
    seen: Seen,
}

impl Sources {
    async fn start() -> Result<Self> {
        let first = TcpListener::bind("127.0.0.1:0").await?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        for host in 2..=N_HOSTS {
            listeners.push(TcpListener::bind(format!("127.0.0.{host}:{port}")).await?);
        }
        let seen: Seen = Arc::new(Mutex::new(vec![(None, Duration::ZERO); N_SOURCES]));
        let asked = Arc::new(AtomicUsize::new(0));
        for listener in listeners {
            let (seen, asked) = (seen.clone(), asked.clone());
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, seen.clone(), asked.clone()));
                }
            });
        }
        Ok(Self { port, seen })
    }

    fn all_asked(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().all(|(last, _)| last.is_some())
    }

    fn longest_gap(&self) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(last, longest)| last.map_or(*longest, |last| last.elapsed().max(*longest))).max().unwrap_or_default()
    }
}

/// Answers on one connection, as long as it lives.
async fn answer(mut stream: TcpStream, seen: Seen, asked: Arc<AtomicUsize>) -> Option<()> {
    let mut received = Vec::new();
    loop {
        while !received.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut received).await.ok()? == 0 {
                return None;
            }
        }
        let n: usize = std::str::from_utf8(&received).ok()?.split(' ').nth(1)?.trim_start_matches('/').parse().ok()?;
        received.clear();
        note(&seen, n);
        // One in twenty has news.
        let turn = asked.fetch_add(1, Ordering::Relaxed);
        let word = if turn.is_multiple_of(20) { format!("News of {turn}") } else { "As always".to_owned() };
        let filling = "x".repeat(1000);
        let body = format!(r#"{{"id":"source-{n}","state":"up","word":"{word}","filling":"{filling}"}}"#);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    }
}

fn note(seen: &Seen, n: usize) {
    let (now, mut seen) = (Instant::now(), seen.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some((last, longest)) = seen.get_mut(n)
        && let Some(before) = last.replace(now)
    {
        *longest = (*longest).max(now - before);
    }
}
