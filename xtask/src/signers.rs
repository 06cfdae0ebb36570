//! The libraries that senders give out for signing: `tests/signers`, which a test in `tests/it` runs.

use anyhow::Result;

use crate::{
    root,
    steps::{command, run},
};

/// Installs them, as their lock file says.
pub(crate) fn install() -> Result<()> {
    run(command("npm").current_dir(root().join("tests/signers")).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}
