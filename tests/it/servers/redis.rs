//! Redis: one server for all tests with a numbered database for each, or one of a test's own that can be killed.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use tokio::{net::TcpStream, sync::OnceCell};

use super::{
    folder::Folder,
    process::{self, Process},
    spare_port,
};

/// Far more than there are tests.
const N_DATABASES: u32 = 10_000;

/// A server that writes nothing to disk: what it holds is gone when it ends.
pub(crate) struct Redis {
    // Before the folder, so that it has ended when the folder goes.
    process: Option<Process>,
    port: u16,
    folder: Folder,
}

impl Redis {
    /// The server that all tests of this process share.
    pub(crate) async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Redis> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// A new server, for tests that kill or flush it.
    pub(crate) async fn start() -> Result<Self> {
        let mut redis = Self { process: None, port: spare_port()?, folder: Folder::new("redis")? };
        redis.start_again().await?;
        Ok(redis)
    }

    /// Starts it again, empty, on the same port, after [`Redis::kill`].
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let settings = format!(
            "--bind 127.0.0.1 --port {} --databases {N_DATABASES} --appendonly no --daemonize no --dir {}",
            self.port,
            self.folder.path().display()
        );
        let mut arguments: Vec<String> = settings.split(' ').map(str::to_owned).collect();
        arguments.extend(["--save".to_owned(), String::new()]);
        let program = process::find_program("redis-server")?;
        let process = self.process.insert(Process::start(&program, &arguments, None, &self.folder.path().join("log"))?);
        let port = self.port;
        let answers = || async move { TcpStream::connect(("127.0.0.1", port)).await.is_ok() };
        process.wait_until("Redis to answer", answers).await.context("Redis does not start")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// All that the keys of an installation hold. `url` has its prefix.
    pub(crate) async fn dump(&self, url: &str) -> Result<Vec<u8>> {
        let prefix = url.split_once("prefix=").map_or("", |(_, prefix)| prefix);
        let mut conn = redis::Client::open(self.database())?.get_multiplexed_async_connection().await?;
        let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(&mut conn).await?;
        let mut written = Vec::new();
        for key in keys {
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut conn).await?;
            let read = match kind.as_str() {
                "hash" => ["HGETALL", ""].as_slice(),
                "list" => &["LRANGE", "0", "-1"],
                "zset" => &["ZRANGE", "0", "-1"],
                "set" => &["SMEMBERS", ""],
                _ => &["GET", ""],
            };
            let mut command = redis::cmd(read[0]);
            command.arg(&key);
            read[1..].iter().filter(|argument| !argument.is_empty()).for_each(|argument| {
                command.arg(*argument);
            });
            let value: redis::Value = command.query_async(&mut conn).await?;
            written.extend(format!("{key} {value:?}\n").bytes());
        }
        Ok(written)
    }

    /// `FLUSHALL`: forgets everything.
    pub(crate) async fn forget(&self) -> Result<()> {
        let mut connection = ::redis::Client::open(self.database())?.get_multiplexed_async_connection().await?;
        ::redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// The URL of a numbered database that no other test uses. Only publish and subscribe reach across the numbers.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % N_DATABASES;
        format!("redis://127.0.0.1:{}/{number}", self.port)
    }

    /// A prefix for keys and channels that no other test uses.
    pub(crate) fn fresh_prefix() -> String {
        format!("test-{}", uuid::Uuid::new_v4().simple())
    }
}

#[cfg(test)]
mod tests {
    use ::redis::{Client, cmd};

    use super::*;

    async fn ask(url: &str, words: &[&str]) -> Result<Option<String>> {
        let mut connection = Client::open(url)?.get_multiplexed_async_connection().await?;
        let mut command = cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        Ok(command.query_async(&mut connection).await?)
    }

    #[tokio::test]
    async fn tests_do_not_see_each_others_keys() -> Result<()> {
        let redis = Redis::shared().await?;
        let (mine, yours) = (redis.database(), redis.database());
        ask(&mine, &["SET", "key", "mine"]).await?;
        assert_eq!(ask(&mine, &["GET", "key"]).await?.as_deref(), Some("mine"));
        assert_eq!(ask(&yours, &["GET", "key"]).await?, None);
        assert_ne!(Redis::fresh_prefix(), Redis::fresh_prefix());
        Ok(())
    }

    #[tokio::test]
    async fn a_killed_server_comes_back_empty_at_the_same_address() -> Result<()> {
        let mut redis = Redis::start().await?;
        let url = redis.database();
        ask(&url, &["SET", "key", "value"]).await?;
        redis.kill()?;
        assert!(ask(&url, &["GET", "key"]).await.is_err());
        redis.start_again().await?;
        assert_eq!(ask(&url, &["GET", "key"]).await?, None);
        Ok(())
    }
}
