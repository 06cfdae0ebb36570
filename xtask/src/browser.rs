//! The tests in a real browser: `tests/browser`, run by node's own test runner.

use anyhow::Result;

use crate::{
    root,
    steps::{cargo, command, run},
    target_dir,
};

/// Runs them against the binary that cargo builds.
pub(crate) fn test() -> Result<()> {
    let tests = root().join("tests/browser");
    // As the tests before this were built: another choice of packages means other features, and half of all dependencies once more.
    run(cargo().args(["test", "--locked", "--workspace", "--no-run"]))?;
    run(command("npm").current_dir(&tests).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    run(command("node").current_dir(&tests).arg("--test").env("FANAL_BIN", target_dir().join("debug/fanal")))
}
