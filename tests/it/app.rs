//! The real binary on a stack of real servers.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::servers::{folder::Folder, http_client, postgres::Postgres, process::Process, redis::Redis, spare_port, wait_for};

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

/// One or more processes of `fanal` over one database and queue.
pub(crate) struct App {
    pub(crate) folder: Folder,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    pub(crate) base: String,
    pub(crate) ops: String,
    pub(crate) http: reqwest::Client,
}

impl App {
    /// A configured instance that serves. `extra` are further settings.
    pub(crate) async fn start(stack: Stack, configuration: &str, extra: &[(&str, String)]) -> Result<Self> {
        let folder = Folder::new("fanal")?;
        let mut environment = settings(stack, folder.path()).await?;
        environment.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut app = Self { folder, environment, process: None, base: String::new(), ops: String::new(), http: http_client() };
        app.apply(configuration)?;
        app.serve().await?;
        Ok(app)
    }

    /// Starts (or, after [`App::kill`], starts again) the serving process, on the same address.
    pub(crate) async fn serve(&mut self) -> Result<()> {
        self.serve_until("readyz").await
    }

    /// As [`App::serve`], but waits only until the process lives, whatever else is missing.
    pub(crate) async fn serve_anyhow(&mut self) -> Result<()> {
        self.serve_until("healthz").await
    }

    async fn serve_until(&mut self, sign: &str) -> Result<()> {
        if self.base.is_empty() {
            let (listen, ops) = (spare_port()?, spare_port()?);
            self.base = format!("http://127.0.0.1:{listen}");
            self.ops = format!("http://127.0.0.1:{ops}");
            self.environment.push(("FANAL_LISTEN".to_owned(), format!("127.0.0.1:{listen}")));
            self.environment.push(("FANAL_OPS_LISTEN".to_owned(), format!("127.0.0.1:{ops}")));
        }
        let mut arguments: Vec<String> = self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend([env!("CARGO_BIN_EXE_fanal").to_owned(), "serve".to_owned()]);
        let log = self.folder.path().join("fanal.log");
        self.process = Some(Process::start(Path::new("/usr/bin/env"), &arguments, None, &log)?);
        let url = format!("{}/{sign}", self.ops);
        wait_for(&format!("fanal's /{sign}"), Duration::from_secs(20), || async {
            let answer = self.http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().context("nothing runs")?.kill()
    }

    /// Runs a command of the binary and returns what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_fanal")).args(arguments).envs(self.environment.iter().cloned()).output()?;
        ensure!(output.status.success(), "fanal {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(crate) fn apply(&self, configuration: &str) -> Result<String> {
        let file = self.folder.path().join("fanal.yaml");
        std::fs::write(&file, configuration)?;
        self.command(&["apply", "-f", &file.display().to_string()])
    }

    /// The component's status in the public API.
    pub(crate) async fn status_of(&self, name: &str) -> Result<String> {
        let summary: serde_json::Value = self.http.get(format!("{}/api/v2/summary.json", self.base)).send().await?.json().await?;
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
                super::$scenario(Stack::ALL[0]).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_with_redis() -> Result<()> {
                super::$scenario(Stack::ALL[1]).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_alone() -> Result<()> {
                super::$scenario(Stack::ALL[2]).await
            }
        })+
    };
}
pub(crate) use on_every_stack;
