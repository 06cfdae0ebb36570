//! The repository's own commands: `cargo xtask test`, `cargo xtask check`, `cargo xtask pentest` and `cargo xtask bench`.

mod asvs;
mod bench;
mod browser;
mod claims;
mod debian;
mod dependencies;
mod fuzz;
mod pentest;
mod signers;
mod steps;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use steps::{Steps, cargo, run};

const USAGE: &str = "\
Usage: cargo xtask <command>

  test     everything that must pass before a change lands; installs what it needs from Debian's packages (as root)
  check    the fast part: format, what the documents claim, and clippy and tests of the crates that do no I/O
  pentest  tools that attack a running instance: schemathesis over the admin API, sqlmap over the lists; or only some: fuzz, injection
  bench    Fanal's figures beside those of other programs, in about half an hour; or only some: page, stall, intake, shown, told, idle, polls, console
  fuzz     looks for input that makes a reader panic or work too long: each target for ten minutes, or `fuzz TARGET SECONDS`";

/// Tests at once: most of the end-to-end ones wait for timeouts, retries and take-overs and need no processor meanwhile.
const TEST_THREADS: &str = "4";

/// The crates without network, database and clock: they build in seconds.
const PURE_CRATES: [&str; 3] = ["domain", "integrations", "configuration"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => test(),
        ["check"] => check(),
        ["pentest", parts @ ..] => debian::install_missing().and_then(|()| pentest::attack(parts)),
        ["bench", figures @ ..] => bench::run_figures(figures),
        ["fuzz", arguments @ ..] => fuzz::run_targets(arguments),
        [] | ["help" | "-h" | "--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("unknown command `{}`\n\n{USAGE}", arguments.join(" "));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything, cheapest first. The first failure ends it.
fn test() -> Result<()> {
    let mut steps = Steps::default();
    steps.step("Debian packages", debian::install_missing)?;
    steps.step("format", format)?;
    steps.step("claims of the documents", claims::check)?;
    steps.step("tools", dependencies::install_tools)?;
    steps.step("licences, bans, sources", dependencies::check_policy)?;
    steps.step("advisories", dependencies::check_advisories)?;
    steps.step("unused dependencies", dependencies::check_unused)?;
    steps.step("clippy", || run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])))?;
    steps.step("docs", || run(cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings")))?;
    steps.step("signers and an identity provider", signers::install)?;
    steps.step("tests", || run(cargo().args(["test", "--workspace", "--locked"]).env("RUST_TEST_THREADS", TEST_THREADS)))?;
    steps.step("penetration tests", || pentest::attack(&[]))?;
    steps.step("browser tests", browser::test)?;
    steps.summary();
    Ok(())
}

fn check() -> Result<()> {
    let mut steps = Steps::default();
    let pure: Vec<&str> = PURE_CRATES.iter().flat_map(|name| ["--package", name]).collect();
    steps.step("format", format)?;
    steps.step("claims of the documents", claims::check)?;
    steps.step("clippy", || run(cargo().args(["clippy", "--all-targets", "--locked"]).args(&pure).args(["--", "-D", "warnings"])))?;
    steps.step("tests", || run(cargo().args(["test", "--locked"]).args(&pure)))?;
    steps.summary();
    Ok(())
}

fn format() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    // Not a member of the workspace; its dependencies on it are no reason to look at it twice.
    run(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository")
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}
