//! Fuzzing: libFuzzer over every reader of foreign bytes, with the stable compiler.
//!
//! The package `fuzz` is built by itself, with LLVM's coverage counters, which need no special compiler. Address sanitizing does, and would
//! find little: no crate here has `unsafe` code of its own.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{
    root,
    steps::{cargo, command, run},
    target_dir,
};

/// What `fuzz/targets` has.
const TARGETS: [&str; 8] = ["answers", "configuration", "expressions", "markdown", "polls", "settings", "signatures", "webhooks"];
/// How long each runs, unless somebody says otherwise.
const SECONDS: &str = "600";
/// The longest input: most readers have seen everything by then, and short inputs run faster. What is as long as a body may be is tested by
/// the crates themselves.
const MAX_INPUT_BYTES: u32 = 64 << 10;
/// The counters of libFuzzer.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Runs one target, or all of them one after the other; a finding ends it.
pub(crate) fn run_targets(arguments: &[&str]) -> Result<()> {
    let (targets, seconds) = match arguments {
        [] => (TARGETS.to_vec(), SECONDS),
        [target, rest @ ..] if TARGETS.contains(target) && rest.len() <= 1 => (vec![*target], rest.first().copied().unwrap_or(SECONDS)),
        _ => bail!("`fuzz` takes one of {}, and for how many seconds", TARGETS.join(", ")),
    };
    let host = host()?;
    let folder = target_dir().join("fuzz");
    // What is fuzzed is what is shipped: the workspace's versions, to which cargo adds the fuzzer's own.
    fs::copy(root().join("Cargo.lock"), root().join("fuzz/Cargo.lock")).context("cannot copy Cargo.lock")?;
    // With `--target`, build scripts and macros are built without the counters.
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", &host]);
    run(build.args(["--target-dir"]).arg(&folder).env("RUSTFLAGS", COVERAGE.join(" ")))?;
    for target in targets {
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let findings = format!("{}/finding-{target}-", folder.display());
        let mut fuzzer = command(folder.join(&host).join("release").join(target));
        fuzzer.arg(&corpus).env("FANAL_FUZZ_SEEDS", &corpus);
        fuzzer.args([
            &format!("-max_total_time={seconds}"),
            &format!("-max_len={MAX_INPUT_BYTES}"),
            &format!("-artifact_prefix={findings}"),
        ]);
        run(fuzzer.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=1"]))?;
    }
    Ok(())
}

/// The name of this machine's kind, as the compiler has it.
fn host() -> Result<String> {
    let output = command("rustc").arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc does not name its host")
}
