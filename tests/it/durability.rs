//! What is acknowledged is on the disk, and what cannot be put there is not acknowledged.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    app::{App, Stack, on_every_stack, run},
    faults::mail_settings,
    road::{TOKEN, alert, configuration, deliver, now},
    servers::{
        folder::Folder,
        process::{self, Process},
        smtp::SmtpServer,
        wait_for,
        webhooks::WebhookServer,
    },
};

const SOON: Duration = Duration::from_secs(20);

/// Watches the system calls of one process.
struct Trace {
    process: Process,
    output: PathBuf,
}

impl Trace {
    /// Returns once every thread that is there is watched.
    async fn of(pid: u32, folder: &Path) -> Result<Self> {
        let output = folder.join("strace.out");
        let arguments = ["-f", "-qq", "-y", "-s", "16", "-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg", "-o"];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.extend([output.display().to_string(), "-p".to_owned(), pid.to_string()]);
        let process = Process::start(&process::find_program("strace")?, &arguments, None, &folder.join("strace.log"))?;
        let tasks = format!("/proc/{pid}/task");
        wait_for("strace to attach", SOON, || async {
            let watched = |task: &fs::DirEntry| {
                fs::read_to_string(task.path().join("status")).is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
            };
            fs::read_dir(&tasks).ok()?.flatten().all(|task| watched(&task)).then_some(())
        })
        .await?;
        Ok(Self { process, output })
    }

    async fn end(mut self) -> Result<String> {
        self.process.signal("INT")?;
        self.process.wait_for_end(SOON).await?;
        Ok(fs::read_to_string(&self.output)?)
    }
}

/// Counts the acknowledgements in a trace, and fails at one that no sync of the database's log came before.
fn acknowledged_after_sync(trace: &str) -> Result<usize> {
    let (mut n, mut synced, mut syncing) = (0, false, HashMap::new());
    for line in trace.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        let call = call.trim_start();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            let ours = call.contains("/fanal.db-wal>");
            if call.contains("<unfinished") {
                syncing.insert(thread, ours);
            } else {
                synced |= ours && call.ends_with("= 0");
            }
        } else if call.contains("sync resumed>") {
            synced |= syncing.remove(thread) == Some(true) && call.ends_with("= 0");
        } else if call.contains("HTTP/1.1 202") {
            ensure!(synced, "acknowledgement {} came before the delivery was on the disk", n + 1);
            n += 1;
            synced = false;
        }
    }
    Ok(n)
}

/// SQLite's log is synced between a webhook and its acknowledgement. A process that is killed cannot show this: its writes are not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_acknowledged_after_its_sync() -> Result<()> {
    run(webhooks_under_trace()).await
}

async fn webhooks_under_trace() -> Result<()> {
    const N: usize = 30;
    let folder = Folder::new("traced")?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_DATA_DIR", folder.path().display().to_string()));
    let mut app = App::start(Stack::Sqlite, &configuration(&webhooks.url()), &settings).await?;
    app.kill()?;
    // Nobody evaluates, so that nothing else writes and syncs for other reasons.
    let office = File::options().create(true).write(true).truncate(false).open(folder.path().join("fanal.evaluator-lock"))?;
    office.try_lock().context("the evaluator has ended")?;
    app.serve_anyhow().await?;
    let trace = Trace::of(app.pid()?, folder.path()).await?;
    for n in 0..N {
        ensure!(deliver(&app, &alert(&format!("d{n}"), &now(), None)).await? == 202);
    }
    ensure!(acknowledged_after_sync(&trace.end().await?)? == N, "every acknowledgement was seen");
    drop(office);
    app.finish().await
}

/// The largest body goes through, and one byte more does not.
async fn a_body_may_have_a_mebibyte_and_no_byte_more(stack: Stack) -> Result<()> {
    const MIB: usize = 1 << 20;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let app = App::start(stack, &configuration(&webhooks.url()), &mail_settings(&smtp)).await?;
    let mut body = alert("large", &now(), None);
    body["padding"] = "".into();
    body["padding"] = "x".repeat(MIB - body.to_string().len()).into();
    let mut text = body.to_string();
    ensure!(text.len() == MIB);
    let post = |text: String| app.http.post(format!("{}/hooks/prod-alerts", app.base)).bearer_auth(TOKEN).body(text);
    let json = "application/json";
    ensure!(post(text.clone()).header("content-type", json).send().await?.status() == 202, "1 MiB is taken");
    app.wait_for_status("API", "major_outage").await?;
    text.push(' ');
    ensure!(post(text).header("content-type", json).send().await?.status() == 413, "and one byte more is not");
    app.finish().await
}

on_every_stack!(a_body_may_have_a_mebibyte_and_no_byte_more);

/// A small disk of its own. Dropping it takes it away.
struct SmallDisk(Folder);

impl SmallDisk {
    fn new() -> Result<Self> {
        ensure!(process::is_root(), "only root can mount a small disk: run the tests as root");
        let folder = Folder::new("small-disk")?;
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path()).status()?;
        ensure!(mounted.success(), "cannot mount a small disk");
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.path().join("ballast"))?;
        while ballast.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.path().join("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: somebody may still have a file of it open.
        match Command::new("umount").arg("--lazy").arg(self.path()).status() {
            Ok(status) if status.success() => {}
            failed => eprintln!("cannot unmount {}: {failed:?}", self.path().display()),
        }
    }
}

/// While the disk is full nothing is acknowledged and everything else goes on; afterwards all goes on, without a start.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_acknowledged() -> Result<()> {
    run(webhooks_on_a_full_disk()).await
}

async fn webhooks_on_a_full_disk() -> Result<()> {
    let disk = SmallDisk::new()?;
    let (smtp, webhooks) = (SmtpServer::start()?, WebhookServer::start().await?);
    let mut settings = mail_settings(&smtp);
    settings.push(("FANAL_DATA_DIR", disk.path().display().to_string()));
    let app = App::start(Stack::Sqlite, &configuration(&webhooks.url()), &settings).await?;
    ensure!(deliver(&app, &alert("first", &now(), None)).await? == 202);
    app.wait_for_status("API", "major_outage").await?;
    disk.fill()?;

    let (mut n_taken, mut n_refused) = (1, 0);
    let padding = "x".repeat(20_000);
    for n in 0..200 {
        let mut body = alert(&format!("f{n}"), &now(), None);
        body["padding"] = padding.as_str().into();
        let answer = app.http.post(format!("{}/hooks/prod-alerts", app.base)).bearer_auth(TOKEN).json(&body).send().await?;
        match answer.status().as_u16() {
            202 => n_taken += 1,
            503 | 507 if answer.headers().contains_key("retry-after") => n_refused += 1,
            other => bail!("{other} on a full disk"),
        }
    }
    ensure!(n_refused > 100, "only {n_refused} of 200 refused: the disk was not full");
    ensure!(app.http.get(format!("{}/healthz", app.ops)).send().await?.status() == 200, "the process is well");
    ensure!(app.http.get(&app.base).send().await?.status() == 200, "and the page there");

    disk.make_room()?;
    wait_for("webhooks to be taken in again", Duration::from_secs(10), || async {
        (deliver(&app, &alert("last", &now(), None)).await.ok()? == 202).then_some(())
    })
    .await?;
    n_taken += 1;
    app.settle(SOON).await?;
    let replayed = app.command(&["replay"])?;
    ensure!(replayed.contains("exactly the stored state"), "{replayed}");
    let (before, _) = replayed.split_once(" things").context("replay counts things")?;
    let n_there: usize = before.rsplit(' ').next().unwrap_or_default().parse()?;
    println!("{n_taken} taken, {n_refused} refused, {n_there} there");
    ensure!(n_there == n_taken, "{n_taken} were acknowledged and {n_there} are there");
    app.finish().await
}
