//! The figures: `benches`, run on release binaries.

use anyhow::Result;

use crate::{
    debian,
    steps::{cargo, command, run},
    target_dir,
};

/// Builds everything that is measured as it is shipped, and runs the figures named, or all.
pub(crate) fn run_figures(figures: &[&str]) -> Result<()> {
    debian::install_missing_for_benches()?;
    run(cargo().args(["build", "--release", "--locked", "--package", "fanal", "--package", "benches"]))?;
    run(command(target_dir().join("release/benches")).args(figures))
}
