//! PostgreSQL: one cluster for all tests with a database for each, or one of a test's own that can be stopped.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{process::Command, sync::OnceCell};

use super::{
    folder::Folder,
    process::{self, Process},
    spare_port,
};

/// What `initdb` makes: trusted on the loopback, where only the tests come from.
const SUPERUSER: &str = "postgres";

/// Gives up durability against a power cut, which no test can cause, for speed. What is committed survives that the process is killed.
const SETTINGS: [&str; 5] = ["fsync=off", "full_page_writes=off", "max_connections=400", "shared_buffers=64MB", "log_min_messages=warning"];

/// A cluster.
pub(crate) struct Postgres {
    // Before the folder, so that it has ended when the folder goes.
    process: Option<Process>,
    programs: PathBuf,
    port: u16,
    settings: &'static [&'static str],
    folder: Folder,
}

impl Postgres {
    /// The cluster that all tests of this process share.
    pub(crate) async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// A new cluster, for tests that stop it.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(&SETTINGS).await
    }

    /// A new cluster with these settings.
    pub(crate) async fn start_with(settings: &'static [&'static str]) -> Result<Self> {
        let mut postgres =
            Self { process: None, programs: find_programs()?, port: spare_port()?, settings, folder: Folder::new("postgres")? };
        postgres.init().await.context("initdb failed")?;
        postgres.start_again().await?;
        Ok(postgres)
    }

    async fn init(&self) -> Result<()> {
        if let Some(user) = Self::user() {
            let owner = format!("{user}:{user}");
            let status = Command::new("chown").arg(owner).arg(self.folder.path()).status().await?;
            ensure!(status.success(), "there is no user `{user}`: {}", process::missing("initdb"));
        }
        let mut initdb = self.as_user("initdb");
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username", SUPERUSER])
            .arg("--pgdata")
            .arg(self.data());
        let output = initdb.output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts it again, on the same port and data, after [`Postgres::stop`].
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let mut arguments =
            vec![format!("-D{}", self.data().display()), format!("-k{}", self.folder.path().display()), format!("-p{}", self.port)];
        arguments.push("-h127.0.0.1".to_owned());
        arguments.extend(self.settings.iter().map(|setting| format!("-c{setting}")));
        let log = self.folder.path().join("log");
        let process = self.process.insert(Process::start(&self.programs.join("postgres"), &arguments, Self::user(), &log)?);
        let (pg_isready, port) = (self.programs.join("pg_isready"), self.port.to_string());
        let answers = || async {
            let mut command = Command::new(&pg_isready);
            command.args(["--quiet", "--host=127.0.0.1", "--port", &port]).status().await.is_ok_and(|status| status.success())
        };
        process.wait_until("PostgreSQL to answer", answers).await.context("PostgreSQL does not start")
    }

    /// Stops it at once, without a checkpoint: it recovers when it starts again.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let mut pg_ctl = self.as_user("pg_ctl");
        let output = pg_ctl.args(["stop", "--mode=immediate", "--wait", "--pgdata"]).arg(self.data()).output().await?;
        ensure!(output.status.success(), "pg_ctl stop failed: {}", String::from_utf8_lossy(&output.stderr));
        self.process = None;
        Ok(())
    }

    /// Makes an empty database and returns its URL.
    pub(crate) async fn database(&self) -> Result<String> {
        self.database_like("template0").await
    }

    /// Makes a copy of a database and returns its URL. Nobody may be connected to the original.
    pub(crate) async fn database_like(&self, template: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.query("postgres", &format!("create database {name} template {template}")).await?;
        Ok(self.url(&name))
    }

    /// Where a database of this cluster is reached.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// The same for a role.
    pub(crate) fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// What `PATH` must be for its own programs to be found.
    pub(crate) fn path(&self) -> String {
        format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// Runs one statement and returns its rows, as `psql` prints them: columns separated by `|`.
    pub(crate) async fn query(&self, database: &str, sql: &str) -> Result<String> {
        self.query_as(SUPERUSER, database, sql).await
    }

    /// The same as a role.
    pub(crate) async fn query_as(&self, role: &str, database: &str, sql: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", sql, &self.url_as(role, database)]);
        let output = psql.output().await?;
        if !output.status.success() {
            bail!("`{sql}` failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// All that a database holds, as text.
    pub(crate) async fn dump(&self, url: &str) -> Result<Vec<u8>> {
        let output = Command::new(self.programs.join("pg_dump")).args(["--dbname", url]).output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn user() -> Option<&'static str> {
        process::is_root().then_some("postgres")
    }

    fn as_user(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match Self::user() {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--init-groups", "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }
}

/// The folder with the programs of the newest version that is there.
fn find_programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").with_context(|| process::missing("initdb"))?;
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok());
    let newest =
        versions.flatten().map(|version| version.path()).filter(|path| path.join("bin/initdb").exists()).max_by_key(|path| number(path));
    newest.map(|path| path.join("bin")).with_context(|| process::missing("initdb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_database_is_a_copy_of_its_own() -> Result<()> {
        let postgres = Postgres::shared().await?;
        let original = postgres.database().await?;
        let original = original.rsplit('/').next().unwrap();
        postgres.query(original, "create table fact as select 42 as answer").await?;
        let copy = postgres.database_like(original).await?;
        let copy = copy.rsplit('/').next().unwrap();
        postgres.query(original, "update fact set answer = 43").await?;
        assert_eq!(postgres.query(copy, "select answer from fact").await?, "42");
        assert!(postgres.query(copy, "select nonsense").await.is_err());
        Ok(())
    }

    #[tokio::test]
    async fn what_was_committed_survives_a_stop() -> Result<()> {
        let mut postgres = Postgres::start().await?;
        postgres.query("postgres", "create table fact as select 42 as answer").await?;
        postgres.stop().await?;
        assert!(postgres.query("postgres", "select 1").await.is_err());
        postgres.start_again().await?;
        assert_eq!(postgres.query("postgres", "select answer from fact").await?, "42");
        Ok(())
    }
}
