//! What tests in `tests/it` run of npm's: the libraries that senders give out for signing, `tests/signers`, and an identity provider,
//! `tests/oidc`.

use anyhow::Result;

use crate::{
    root,
    steps::{command, run},
};

const FOLDERS: [&str; 2] = ["tests/signers", "tests/oidc"];

/// Installs them, as their lock files say.
pub(crate) fn install() -> Result<()> {
    FOLDERS.iter().try_for_each(|folder| {
        run(command("npm").current_dir(root().join(folder)).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
    })
}
