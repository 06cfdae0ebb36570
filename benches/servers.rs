//! The servers of the end-to-end tests, which the benches start too.

#![allow(dead_code, reason = "the tests use more of them")]

#[path = "../tests/it/servers/folder.rs"]
pub(crate) mod folder;
#[path = "../tests/it/servers/port.rs"]
pub(crate) mod port;
#[path = "../tests/it/servers/postgres.rs"]
pub(crate) mod postgres;
#[path = "../tests/it/servers/process.rs"]
pub(crate) mod process;
#[path = "../tests/it/servers/redis.rs"]
pub(crate) mod redis;

use std::{future::Future, time::Duration};

use anyhow::{Result, bail};
pub(crate) use port::spare_port;
use tokio::time::{Instant, sleep};

/// Asks again and again until the answer is `Some`, and gives up with the name of what was waited for.
pub(crate) async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, timeout: Duration, mut ask: impl FnMut() -> F) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", timeout.as_secs());
        }
        sleep(Duration::from_millis(2)).await;
    }
}
