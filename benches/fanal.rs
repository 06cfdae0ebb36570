//! The release binary on one of its two stacks.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    client::Connection,
    servers::{folder::Folder, postgres::Postgres, process::Process, redis::Redis, spare_port, wait_for},
};

/// What the binary runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Sqlite,
    /// PostgreSQL, with the queue on Redis.
    Postgres,
}

impl Stack {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// The servers that Fanal and its references share. The database waits for the disk, as in real life.
pub(crate) struct Servers {
    pub(crate) postgres: Postgres,
    redis: Redis,
}

/// What a cluster has that is meant to be used: fsync, `full_page_writes` and `synchronous_commit` are on by default.
const POSTGRES_SETTINGS: &[&str] = &["max_connections=200", "log_min_messages=warning"];

impl Servers {
    pub(crate) async fn start() -> Result<Self> {
        Ok(Self { postgres: Postgres::start_with(POSTGRES_SETTINGS).await?, redis: Redis::start().await? })
    }
}

/// 32 bytes that encrypt nothing but what benches store.
const SECRET_KEY: &str = "YmVuY2hlcyBvbmx5OiAzMiBieXRlcyBvZiBrZXkuLi4=";

/// One process of `fanal serve`. Dropping it ends it.
pub(crate) struct Fanal {
    process: Process,
    pub(crate) port: u16,
    pub(crate) ops_port: u16,
    environment: Vec<(String, String)>,
    /// The database, on PostgreSQL.
    database: Option<String>,
    folder: Folder,
}

/// Where `cargo xtask bench` has put what it has built.
fn program(name: &str) -> Result<PathBuf> {
    Ok(std::env::current_exe()?.parent().context("a program lies in a folder")?.join(name))
}

/// The binary under measurement.
pub(crate) fn binary() -> Result<PathBuf> {
    program("fanal")
}

/// The bare poem server.
pub(crate) fn bare_poem() -> Result<PathBuf> {
    program("bare-poem")
}

impl Fanal {
    /// Starts it with `configuration` and waits until it is ready.
    pub(crate) async fn start(stack: Stack, servers: &Servers, configuration: &str) -> Result<Self> {
        let prepared = Prepared::new(stack, servers, configuration).await?;
        prepared.start()?.ready().await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(self) -> Result<Self> {
        let port = self.ops_port;
        wait_for("fanal to be ready", Duration::from_secs(30), || is_ready(port)).await?;
        Ok(self)
    }

    /// What `/metrics` says of one gauge.
    pub(crate) async fn gauge(&self, name: &str) -> Result<f64> {
        let answer = Connection::open(self.ops_port).await?.get("/metrics", "").await?;
        let text = String::from_utf8(answer.body)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("no metric `{name}`"))?.parse()?)
    }

    /// Waits until every delivery has been decided.
    pub(crate) async fn settle(&self) -> Result<()> {
        wait_for("every delivery to be decided", Duration::from_secs(300), || async {
            (self.gauge("fanal_deliveries_pending").await.ok()? == 0.0).then_some(())
        })
        .await
    }

    /// The one column of a query on its database.
    pub(crate) async fn query(&self, servers: &Servers, sql: &str) -> Result<Vec<String>> {
        if let Some(database) = &self.database {
            let rows = servers.postgres.query(database, sql).await?;
            return Ok(rows.lines().map(str::to_owned).collect());
        }
        let path = self.folder.path().join("data/fanal.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_lazy_with(options);
        let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&pool).await?;
        pool.close().await;
        Ok(rows)
    }
}

fn run(environment: &[(String, String)], arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary()?).args(arguments).envs(environment.iter().cloned()).output()?;
    ensure!(output.status.success(), "fanal {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// One look at `/readyz`.
pub(crate) async fn is_ready(ops_port: u16) -> Option<()> {
    let answer = Connection::open(ops_port).await.ok()?.get("/readyz", "").await.ok()?;
    (answer.status == 200).then_some(())
}

/// A configured database that nothing serves yet.
pub(crate) struct Prepared {
    environment: Vec<(String, String)>,
    database: Option<String>,
    folder: Folder,
}

impl Prepared {
    pub(crate) async fn new(stack: Stack, servers: &Servers, configuration: &str) -> Result<Self> {
        let folder = Folder::new("fanal")?;
        let mut environment = vec![
            ("FANAL_DATA_DIR".to_owned(), folder.path().join("data").display().to_string()),
            ("FANAL_SECRET_KEY".to_owned(), SECRET_KEY.to_owned()),
            ("FANAL_ALLOW_PRIVATE_TARGETS".to_owned(), "true".to_owned()),
        ];
        let mut database = None;
        if stack == Stack::Postgres {
            let url = servers.postgres.database().await?;
            database = url.rsplit('/').next().map(str::to_owned);
            environment.push(("FANAL_DATABASE_URL".to_owned(), url));
            environment.push(("FANAL_QUEUE_URL".to_owned(), servers.redis.database()));
        }
        let file = folder.path().join("fanal.yaml");
        std::fs::write(&file, configuration)?;
        run(&environment, &["apply", "-f", &file.display().to_string()])?;
        Ok(Self { environment, database, folder })
    }

    /// Runs a command of the binary on the database, with `input`, and gives what it prints.
    pub(crate) fn command(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(binary()?);
        let mut child =
            command.args(arguments).envs(self.environment.iter().cloned()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("it reads")?.write_all(input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "fanal {arguments:?} failed");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Writes straight into the database, while nothing serves it.
    pub(crate) async fn execute(&self, servers: &Servers, sql: &str) -> Result<()> {
        if let Some(database) = &self.database {
            servers.postgres.query(database, sql).await?;
            return Ok(());
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.folder.path().join("data/fanal.db"));
        let pool = sqlx::SqlitePool::connect_lazy_with(options);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn start(self) -> Result<Fanal> {
        let Self { mut environment, database, folder } = self;
        let (port, ops_port) = (spare_port()?, spare_port()?);
        environment.push(("FANAL_LISTEN".to_owned(), format!("127.0.0.1:{port}")));
        environment.push(("FANAL_OPS_LISTEN".to_owned(), format!("127.0.0.1:{ops_port}")));
        let mut arguments: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend([binary()?.display().to_string(), "serve".to_owned()]);
        let process = Process::start(Path::new("/usr/bin/env"), &arguments, None, &folder.path().join("fanal.log"))?;
        Ok(Fanal { process, port, ops_port, environment, database, folder })
    }
}

impl Fanal {
    /// Tells the process to end, waits until it has, and gives back what it ran on, to be started again.
    pub(crate) async fn stop(mut self) -> Result<Prepared> {
        ensure!(Command::new("kill").arg(self.pid().to_string()).status()?.success(), "fanal does not run");
        let port = self.ops_port;
        wait_for("fanal to end", Duration::from_secs(20), || async { Connection::open(port).await.is_err().then_some(()) }).await?;
        // It still closes the database.
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.process.kill()?;
        let Self { mut environment, database, folder, .. } = self;
        environment.retain(|(name, _)| !name.ends_with("LISTEN"));
        Ok(Prepared { environment, database, folder })
    }
}
