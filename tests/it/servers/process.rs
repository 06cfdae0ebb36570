//! Child processes that cannot outlive the tests.
//!
//! `setpriv` asks the kernel to kill a child when its parent dies, however the parent dies. "Parent" is the thread that started the child,
//! and a test's thread ends with the test: so one thread, which lives as long as the process, starts all of them.

use std::{
    fs::{self, File},
    future::Future,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::wait_for;

/// How long a server may take to start, on a machine that does a lot besides.
const START_TIMEOUT: Duration = Duration::from_secs(60);

type Order = (Command, mpsc::Sender<io::Result<Child>>);

static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = mpsc::channel::<Order>();
    thread::spawn(move || {
        for (mut command, answer) in inbox {
            // Whoever ordered it waits for it.
            drop(answer.send(command.spawn()));
        }
    });
    orders
});

/// A running server. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` as `user` (as ourselves if `None`), with all it prints going to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], user: Option<&str>, log: &Path) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(program).args(arguments);
        let file = File::options().create(true).append(true).open(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let (answer, started) = mpsc::channel();
        STARTER.send((command, answer)).context("the starter thread has ended")?;
        let child = started.recv()?.context("`setpriv` (package util-linux) does not start")?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id: `setpriv` becomes the program.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `probe` says yes.
    pub(crate) async fn wait_until<F: Future<Output = bool>>(&mut self, what: &str, mut probe: impl FnMut() -> F) -> Result<()> {
        let ask = || {
            let (running, ready) = (self.check_running(), probe());
            async move { if running.is_err() { Some(running) } else { ready.await.then_some(Ok(())) } }
        };
        wait_for(what, START_TIMEOUT, ask).await.with_context(|| self.last_printed())?
    }

    /// Fails, with the end of what it printed, if it has ended by itself.
    pub(crate) fn check_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended with {status}; {}", self.last_printed());
        }
        Ok(())
    }

    fn last_printed(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(20).collect();
        format!("the last it printed:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Sends it a signal, `STOP` for example.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        // Not yet waited for, so the number is still its own.
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status()?;
        ensure!(status.success(), "kill -s {name}: {status}");
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn wait_for_end(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "it still runs after {} s", timeout.as_secs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.kill());
    }
}

/// Where a program is, on the path or among what only root runs.
pub(crate) fn find_program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|candidate| candidate.is_file());
    found.with_context(|| missing(name))
}

/// What to say when a program is not there.
pub(crate) fn missing(name: &str) -> String {
    format!("`{name}` is not on this machine: run `cargo xtask test` as root, which installs what the tests need")
}

/// Whether we are root, and so can become another user, and for some servers must.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
