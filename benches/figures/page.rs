//! The status page, compressed, as browsers ask for it: processor time per request.
//!
//! References: nginx, and a bare handler of poem, each with the same bytes and headers. Processor time is steadier than requests a second,
//! and is what a page costs whoever runs it.

use std::{fmt::Write, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::REPETITIONS;
use crate::{
    client::{Answer, Connection},
    fanal::{Fanal, Servers, Stack, bare_poem},
    proc,
    report::Row,
    servers::{
        folder::Folder,
        process::{Process, find_program},
        spare_port, wait_for,
    },
    statistics::Spread,
    webhooks,
};

const N_COMPONENTS: usize = 20;
const GZIP: &str = "accept-encoding: gzip\n";
/// Headers that a server sets by itself.
const OWN: [&str; 4] = ["date", "server", "connection", "content-length"];

/// A server under measurement.
struct Served {
    pid: u32,
    port: u16,
    cost: Spread,
}

pub(crate) async fn measure(servers: &Servers) -> Result<Vec<Row>> {
    let fanal = Fanal::start(Stack::Sqlite, servers, &webhooks::configuration(N_COMPONENTS, None)).await?;
    let page = Connection::open(fanal.port).await?.get("/", GZIP).await?;
    let plain = Connection::open(fanal.port).await?.get("/", "").await?;
    ensure!(page.status == 200 && header(&page, "content-encoding") == Some("gzip"), "the page is compressed");
    let folder = Folder::new("page")?;
    let nginx_folder = Folder::new("page-nginx")?;
    let (nginx, nginx_port) = start_nginx(&nginx_folder, &page, &plain, "").await?;
    let (cached, cached_port) = start_nginx(&folder, &page, &plain, "open_file_cache max=100; open_file_cache_valid 1h;").await?;
    let (poem, poem_port) = start_bare_poem(&folder, &page).await?;
    let server = |pid, port| Served { pid, port, cost: Spread::default() };
    let references = [(nginx.pid(), nginx_port), (cached.pid(), cached_port), (poem.pid(), poem_port)];
    let [first, second, third] = references.map(|(pid, port)| server(pid, port));
    let mut served = [server(fanal.pid(), fanal.port), first, second, third];
    for Served { port, .. } in &served {
        let answer = Connection::open(*port).await?.get("/", GZIP).await?;
        ensure!(answer.status == 200 && answer.body == page.body, "port {port} serves the same bytes");
        ensure!(sorted(&answer) == sorted(&page), "the same headers:\n{:?}\n{:?}", sorted(&answer), sorted(&page));
    }
    for _ in 0..REPETITIONS {
        for server in &mut served {
            let cost = load(server.pid, server.port).await?;
            server.cost.push(cost);
        }
    }
    let [fanal, nginx, cached, poem] = served.map(|server| server.cost);
    let what = format!("status page, gzip, {} bytes: CPU per request", page.body.len());
    Ok(vec![
        Row::ratio(&what, "µs", &fanal, ("nginx", &nginx), (0.85, true)),
        Row::ratio(&what, "µs", &fanal, ("nginx that keeps files open", &cached), (0.85, true)),
        Row::ratio(&what, "µs", &fanal, ("bare poem handler", &poem), (1.15, true)),
    ])
}

/// Microseconds of processor time per request.
async fn load(pid: u32, port: u16) -> Result<f64> {
    wrk(port, 1).await?;
    let before = proc::cpu(pid)?;
    let n = wrk(port, 3).await?;
    let used = proc::cpu(pid)?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    Ok(used.as_secs_f64() * 1e6 / n as f64)
}

/// Asks for the page over 32 connections for some seconds; gives the number of answers, all of which were good.
async fn wrk(port: u16, seconds: u32) -> Result<u64> {
    let mut wrk = Command::new(find_program("wrk")?);
    wrk.args(["--threads=1", "--connections=32", &format!("--duration={seconds}s"), "--header=accept-encoding: gzip"]);
    let output = wrk.arg(format!("http://127.0.0.1:{port}/")).output().await?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"), "wrk: {text}");
    let count = text.lines().find_map(|line| line.trim().split_once(" requests in")?.0.parse().ok());
    count.with_context(|| format!("wrk: {text}"))
}

/// nginx as Debian sets it up, without its log, and with `more`. One process: workers would outlive a master that is killed.
async fn start_nginx(folder: &Folder, page: &Answer, plain: &Answer, more: &str) -> Result<(Process, u16)> {
    let root = folder.path().join("www");
    std::fs::create_dir_all(&root)?;
    std::fs::write(root.join("index.html"), &plain.body)?;
    std::fs::write(root.join("index.html.gz"), &page.body)?;
    let port = spare_port()?;
    // One without a value takes the header away.
    let mut headers = String::from("add_header last-modified '';\n");
    for (name, value) in sorted(page) {
        if !["content-type", "content-encoding", "vary"].contains(&name.as_str()) {
            let _ = writeln!(headers, "add_header {name} {};", quoted(&value));
        }
    }
    let at = folder.path().display();
    let user = if crate::servers::process::is_root() { "user root;" } else { "" };
    let text = format!(
        "{user} daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/nginx.log;
         events {{ worker_connections 1024; }}
         http {{
             types {{ text/html html; }}
             charset utf-8; charset_types text/html; access_log off; etag off; if_modified_since off; max_ranges 0; server_tokens off;
             sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;
             {more} gzip_static on; gzip_vary on;
             {headers}
             server {{ listen 127.0.0.1:{port}; root {root}; location = / {{ try_files /index.html =404; }} }}
         }}",
        root = root.display()
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, text)?;
    let arguments = ["-p".to_owned(), at.to_string(), "-c".to_owned(), file.display().to_string()];
    let process = Process::start(&find_program("nginx")?, &arguments, None, &folder.path().join("nginx.out"))?;
    wait_until_served(port, "nginx", &folder.path().join("nginx.out")).await?;
    Ok((process, port))
}

async fn start_bare_poem(folder: &Folder, page: &Answer) -> Result<(Process, u16)> {
    let (body, headers) = (folder.path().join("body"), folder.path().join("headers"));
    std::fs::write(&body, &page.body)?;
    let lines: Vec<String> = sorted(page).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    std::fs::write(&headers, lines.join("\n"))?;
    let port = spare_port()?;
    let arguments = [format!("127.0.0.1:{port}"), body.display().to_string(), headers.display().to_string()];
    let log = folder.path().join("bare-poem.out");
    let process = Process::start(&bare_poem()?, &arguments, None, &log)?;
    wait_until_served(port, "the bare poem server", &log).await?;
    Ok((process, port))
}

async fn wait_until_served(port: u16, what: &str, log: &Path) -> Result<()> {
    let ready = wait_for(what, Duration::from_secs(10), || async { Connection::open(port).await.ok().map(drop) }).await;
    ready.with_context(|| std::fs::read_to_string(log).unwrap_or_default())
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// The headers of a document, without those that every server sets by itself.
fn sorted(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).cloned().collect();
    headers.sort();
    headers
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "\\'"))
}
