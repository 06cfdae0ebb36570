//! A certified identity provider: `oidc-provider`, from npm.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    folder::Folder,
    http_client,
    process::{self, Process},
};

/// What the client proves itself with.
pub(crate) const CLIENT_SECRET: &str = "client secret of the tests: +/&";

/// A running provider. Dropping it ends it.
pub(crate) struct Provider {
    // Before the folder, so that it has ended when the folder goes.
    _process: Process,
    _folder: Folder,
}

impl Provider {
    /// Starts it on `port`, for one client that is sent back to `redirect`. `accounts` are its people: claims by subject.
    pub(crate) async fn start(port: u16, redirect: &str, accounts: &Value) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        ensure!(
            folder.join("node_modules").is_dir(),
            "the provider is not installed: `cargo xtask test` does it, or `npm ci` in {}",
            folder.display()
        );
        let settings = json!({ "port": port, "secret": CLIENT_SECRET, "redirect": redirect, "accounts": accounts });
        let arguments = [folder.join("provider.mjs").display().to_string(), settings.to_string()];
        let logs = Folder::new("oidc")?;
        let mut process = Process::start(&process::find_program("node")?, &arguments, None, &logs.path().join("log"))?;
        let url = format!("http://127.0.0.1:{port}/.well-known/openid-configuration");
        let answers = || async { http_client().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) };
        process.wait_until("the identity provider to be ready", answers).await.context("the identity provider does not start")?;
        Ok(Self { _process: process, _folder: logs })
    }
}
