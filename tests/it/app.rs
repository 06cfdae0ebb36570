//! The real binary on a stack of real servers.

use std::{
    io::Write,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::servers::{
    folder::Folder,
    http_client,
    postgres::Postgres,
    process::{Process, missing},
    redis::Redis,
    spare_port, wait_for,
};
use crate::told;

/// What the binary runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Sqlite,
    PostgresRedis,
    Postgres,
}

impl Stack {
    pub(crate) const ALL: [Self; 3] = [Self::Sqlite, Self::PostgresRedis, Self::Postgres];
}

/// 32 bytes that encrypt nothing but what tests store.
const SECRET_KEY: &str = "dGVzdHMgb25seTogMzIgYnl0ZXMgb2Yga2V5Li4uLi4=";

/// A process of `fanal` over a database and a queue, which others can share: see [`App::beside`].
pub(crate) struct App {
    // Before the folder, so that it has ended when the folder goes.
    process: Option<Process>,
    folder: Arc<Folder>,
    environment: Arc<Vec<(String, String)>>,
    /// The addresses, as settings. Every process has its own.
    addresses: [(&'static str, String); 2],
    pub(crate) base: String,
    pub(crate) ops: String,
    pub(crate) http: reqwest::Client,
    token: Arc<OnceLock<String>>,
    finished: Arc<AtomicBool>,
}

impl App {
    /// A configured instance that serves. `extra` are further settings, which win over those that the stack gives.
    pub(crate) async fn start(stack: Stack, configuration: &str, extra: &[(&str, String)]) -> Result<Self> {
        let folder = Arc::new(Folder::new("fanal")?);
        let mut environment = settings(stack, folder.path()).await?;
        environment.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let finished = Arc::new(AtomicBool::new(false));
        // Outages are watched by nobody: what they leave over is looked at in place.
        let _ = STARTED.try_with(|started| started.lock().unwrap_or_else(PoisonError::into_inner).push(finished.clone()));
        let mut app = Self::stopped(folder, Arc::new(environment), Arc::default(), finished)?;
        app.apply(configuration)?;
        app.serve().await?;
        Ok(app)
    }

    /// One more process over the same database and queue, on addresses of its own.
    pub(crate) async fn beside(&self) -> Result<Self> {
        let mut app = Self::stopped(self.folder.clone(), self.environment.clone(), self.token.clone(), self.finished.clone())?;
        app.serve().await?;
        Ok(app)
    }

    fn stopped(
        folder: Arc<Folder>,
        environment: Arc<Vec<(String, String)>>,
        token: Arc<OnceLock<String>>,
        finished: Arc<AtomicBool>,
    ) -> Result<Self> {
        let (listen, ops) = (format!("127.0.0.1:{}", spare_port()?), format!("127.0.0.1:{}", spare_port()?));
        let (base, ops_base) = (format!("http://{listen}"), format!("http://{ops}"));
        let addresses = [("FANAL_LISTEN", listen), ("FANAL_OPS_LISTEN", ops)];
        Ok(Self { process: None, folder, environment, addresses, base, ops: ops_base, http: http_client(), token, finished })
    }

    /// Starts (or, after [`App::kill`], starts again) the serving process, on the same address; tells how long it took to be ready.
    pub(crate) async fn serve(&mut self) -> Result<Duration> {
        self.serve_until("readyz").await
    }

    /// As [`App::serve`], but waits only until the process lives, whatever else is missing.
    pub(crate) async fn serve_anyhow(&mut self) -> Result<Duration> {
        self.serve_until("healthz").await
    }

    async fn serve_until(&mut self, sign: &str) -> Result<Duration> {
        let shared = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let own = self.addresses.iter().map(|(name, value)| format!("{name}={value}"));
        let mut arguments: Vec<String> = shared.chain(own).collect();
        arguments.extend([env!("CARGO_BIN_EXE_fanal").to_owned(), "serve".to_owned()]);
        let log = self.folder.path().join("fanal.log");
        let began = Instant::now();
        let process = self.process.insert(Process::start(Path::new("/usr/bin/env"), &arguments, None, &log)?);
        let url = format!("{}/{sign}", self.ops);
        let answers = || async { self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        process.wait_until(&format!("fanal's /{sign}"), answers).await?;
        Ok(began.elapsed())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().context("nothing runs")?.kill()
    }

    /// What the process has printed.
    pub(crate) fn output(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("fanal.log"))?)
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("nothing runs")?.pid())
    }

    /// Sends the process a signal, `STOP` for example.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        self.process.as_ref().context("nothing runs")?.signal(name)
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn wait_for_end(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let ended = self.process.as_mut().context("nothing runs")?.wait_for_end(timeout).await?;
        self.process = None;
        Ok(ended)
    }

    /// Runs a command of the binary and returns what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<String> {
        self.command_with_input(arguments, "")
    }

    /// Runs a command that reads `input`.
    pub(crate) fn command_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanal"));
        command.args(arguments).envs(self.environment.iter().cloned()).envs(self.addresses.iter().cloned());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().context("standard input")?.write_all(input.as_bytes());
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "fanal {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs another program, with `variables`, beside which it finds `fanal` and its settings; returns what it printed.
    pub(crate) fn program(&self, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Result<String> {
        let fanal = Path::new(env!("CARGO_BIN_EXE_fanal")).parent().context("a folder")?;
        let path = format!("{}:{}", fanal.display(), std::env::var("PATH")?);
        let mut command = Command::new(program);
        command.args(arguments).envs(self.environment.iter().cloned()).env("PATH", path).envs(variables.iter().copied());
        let output = command.stdin(Stdio::null()).output().with_context(|| missing(program))?;
        let printed = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "{program}: {printed}{}", String::from_utf8_lossy(&output.stderr));
        Ok(printed)
    }

    /// Runs one statement in the instance's database, as somebody would who got hold of it, and returns its rows with `|` between columns.
    pub(crate) async fn sql(&self, statement: &str) -> Result<String> {
        if let Some(url) = self.setting("FANAL_DATABASE_URL") {
            return Postgres::shared().await?.query(url.rsplit('/').next().context("a database")?, statement).await;
        }
        // Python has SQLite in it; Debian's own program would be one more thing to install.
        let program = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=20)\nfor row in c.execute(sys.argv[2]): print('|'.join(map(str, row)))\nc.commit()";
        let file = self.data_dir().join("fanal.db");
        let output = Command::new("python3").args(["-c", program]).arg(file).arg(statement).output()?;
        ensure!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Changes a setting for what is started from now on, by this process of the instance alone.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let mut environment = (*self.environment).clone();
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
        self.environment = Arc::new(environment);
    }

    /// A setting.
    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Runs a command of the binary beside everything else.
    pub(crate) async fn command_beside(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_fanal"));
        let output = command.args(arguments).envs(self.environment.iter().cloned()).output().await?;
        ensure!(output.status.success(), "fanal {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Everything that the instance has written: its files with the log of its processes, and what its database and its queue hold.
    pub(crate) async fn everything_written(&self) -> Result<Vec<u8>> {
        let mut written = Vec::new();
        for folder in [self.folder.path().to_path_buf(), self.data_dir()] {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry?.path();
                // What the tests write themselves.
                if path.is_file() && path.extension().is_none_or(|extension| extension != "yaml") {
                    written.extend(std::fs::read(path)?);
                }
            }
        }
        if let Some(url) = self.setting("FANAL_DATABASE_URL") {
            written.extend(Postgres::shared().await?.dump(url).await?);
        }
        if let Some(url) = self.setting("FANAL_QUEUE_URL").filter(|url| url.starts_with("redis")) {
            written.extend(Redis::shared().await?.dump(url).await?);
        }
        Ok(written)
    }

    /// Where the instance keeps its files.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn apply(&self, configuration: &str) -> Result<String> {
        let file = self.folder.path().join("fanal.yaml");
        std::fs::write(&file, configuration)?;
        self.command(&["apply", "-f", &file.display().to_string()])
    }

    /// What `GET` gives at a path of the admin API.
    pub(crate) async fn admin(&self, path: &str) -> Result<Value> {
        self.admin_send(Method::GET, path, &Value::Null).await
    }

    /// What `POST` gives at a path of the admin API.
    pub(crate) async fn admin_post(&self, path: &str, body: &Value) -> Result<Value> {
        self.admin_send(Method::POST, path, body).await
    }

    /// What a request to the admin API gives; null stands for no body.
    pub(crate) async fn admin_send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        if self.token.get().is_none() {
            let token = self.command(&["token", "create", "--name", "tests", "--scope", "*"])?;
            // Another process of this test may have been quicker; either token will do.
            let _ = self.token.set(token.trim().to_owned());
        }
        let token = self.token.get().context("a token")?;
        let url = format!("{}/api/admin/v1{path}", self.base);
        loop {
            let request = self.http.request(method.clone(), &url).bearer_auth(token);
            let answer = if body.is_null() { request } else { request.json(body) }.send().await?;
            if answer.status() == 429 {
                // One token may ask only so often.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            ensure!(answer.status().is_success(), "{method} {path}: {} {}", answer.status(), answer.text().await?);
            return Ok(answer.json().await?);
        }
    }

    /// Everything in a list of the admin API, in its order.
    pub(crate) async fn admin_list(&self, path: &str) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let answer = self.admin(&format!("{path}?limit=200{page}")).await?;
            items.extend(answer["items"].as_array().context("items")?.iter().cloned());
            cursor = answer["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// The value of a gauge or counter without labels; `None` if the process does not answer or does not have it.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.http.get(format!("{}/metrics", self.ops)).send().await.ok()?.text().await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until every delivery is decided and nothing is owed any more.
    pub(crate) async fn settle(&self, timeout: Duration) -> Result<()> {
        wait_for("every delivery to be decided and every notification to be done with", timeout, || async {
            let idle = self.metric("fanal_deliveries_pending").await? == 0.0 && self.metric("fanal_notifications_open").await? == 0.0;
            idle.then_some(())
        })
        .await
    }

    /// Ends a scenario: nothing may be left over, and every change that readers saw must have been told once to everybody it concerns.
    pub(crate) async fn finish(&self) -> Result<()> {
        self.finished.store(true, Ordering::Relaxed);
        self.settle(Duration::from_secs(20)).await?;
        told::every_change_makes_one_notification_for_each_subscriber(self).await
    }

    /// The component's status in the public API.
    pub(crate) async fn status_of(&self, name: &str) -> Result<String> {
        let summary: Value = self.http.get(format!("{}/api/v2/summary.json", self.base)).send().await?.json().await?;
        let components = summary["components"].as_array().context("components")?;
        let found = components.iter().find(|component| component["name"] == name).context("no such component")?;
        Ok(found["status"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn wait_for_status(&self, name: &str, status: &str) -> Result<()> {
        wait_for(&format!("{name} to be {status}"), Duration::from_secs(20), || async {
            (self.status_of(name).await.ok()? == status).then_some(())
        })
        .await
    }
}

tokio::task_local! {
    /// Whether each instance that the scenario has started was looked at in the end: see [`App::finish`].
    static STARTED: Mutex<Vec<Arc<AtomicBool>>>;
}

/// Runs a scenario, and fails if it ends without having looked at what its instances still owe.
pub(crate) async fn run(scenario: impl Future<Output = Result<()>>) -> Result<()> {
    let watched = async {
        scenario.await?;
        let finished = |started: &Mutex<Vec<Arc<AtomicBool>>>| {
            started.lock().unwrap_or_else(PoisonError::into_inner).iter().all(|finished| finished.load(Ordering::Relaxed))
        };
        ensure!(STARTED.with(finished), "the scenario ends without App::finish");
        Ok(())
    };
    STARTED.scope(Mutex::default(), watched).await
}

async fn settings(stack: Stack, folder: &Path) -> Result<Vec<(String, String)>> {
    let mut settings = vec![
        ("FANAL_DATA_DIR", folder.join("data").display().to_string()),
        ("FANAL_SECRET_KEY", SECRET_KEY.to_owned()),
        ("FANAL_ALLOW_PRIVATE_TARGETS", "true".to_owned()),
    ];
    if stack != Stack::Sqlite {
        settings.push(("FANAL_DATABASE_URL", Postgres::shared().await?.database().await?));
    }
    if stack == Stack::PostgresRedis {
        let prefix = Redis::fresh_prefix();
        settings.push(("FANAL_QUEUE_URL", format!("{}?prefix={prefix}", Redis::shared().await?.database())));
    }
    Ok(settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Makes one test of each scenario on each stack.
macro_rules! on_every_stack {
    ($($scenario:ident),+ $(,)?) => {
        $(mod $scenario {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() -> Result<()> {
                crate::app::run(super::$scenario(Stack::ALL[0])).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_with_redis() -> Result<()> {
                crate::app::run(super::$scenario(Stack::ALL[1])).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_alone() -> Result<()> {
                crate::app::run(super::$scenario(Stack::ALL[2])).await
            }
        })+
    };
}
pub(crate) use on_every_stack;
