//! The servers that the tests run against, each started by the tests themselves on a spare port of the loopback.
//!
//! A server that a test starts for itself ends when its value is dropped. Those that all tests share live as long as the test process; see
//! [`process`] for how they die with it.

pub(crate) mod alertmanager;
pub(crate) mod dkim;
pub(crate) mod folder;
pub(crate) mod nagios;
pub(crate) mod oidc;
pub(crate) mod port;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod smtp;
pub(crate) mod sns;
pub(crate) mod webhooks;

use std::{future::Future, sync::Once, time::Duration};

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
        sleep(Duration::from_millis(20)).await;
    }
}

/// A client that follows no redirects and goes through no proxy.
pub(crate) fn http_client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    // Another test may have chosen it already, which is as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(30));
    builder.build().expect("the options fit each other")
}
