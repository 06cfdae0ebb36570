//! The programs that the tests run, from Debian's packages.

use std::{env, fs, os::unix::fs::MetadataExt, process::Command};

use anyhow::{Result, bail};

use crate::steps::{command, run, succeeds};

/// How to see that something is there.
enum Probe {
    /// A program on the path, or where Debian puts what only root runs.
    Program(&'static str),
    /// Debian keeps the server's programs off the path, in a folder for each version.
    PostgresProgram(&'static str),
    /// A module of Debian's own Python. Another Python that may come first on the path does not see it.
    PythonModule(&'static str),
}

/// What the benches need beside it.
const BENCH_NEEDS: &[(Probe, &str)] = &[
    (Probe::PostgresProgram("pgbench"), "postgresql"),
    (Probe::Program("redis-server"), "redis-server"),
    (Probe::Program("nginx"), "nginx-light"),
    (Probe::Program("wrk"), "wrk"),
];

/// What the tests need, and the package it comes in.
const NEEDS: &[(Probe, &str)] = &[
    (Probe::PostgresProgram("initdb"), "postgresql"),
    (Probe::Program("redis-server"), "redis-server"),
    (Probe::Program("prometheus-alertmanager"), "prometheus-alertmanager"),
    (Probe::Program("prometheus"), "prometheus"),
    (Probe::Program("nagios4"), "nagios4-core"),
    (Probe::Program("curl"), "curl"),
    (Probe::Program("strace"), "strace"),
    (Probe::Program("chromium"), "chromium"),
    (Probe::Program("node"), "nodejs"),
    (Probe::Program("npm"), "npm"),
    (Probe::Program("openssl"), "openssl"),
    (Probe::Program("git"), "git"),
    (Probe::PythonModule("ensurepip"), "python3-venv"),
    (Probe::PythonModule("dkim"), "python3-dkim"),
    (Probe::PythonModule("nacl"), "python3-nacl"),
];

impl Probe {
    fn finds(&self) -> bool {
        match self {
            Self::Program(name) => on_path(name),
            Self::PostgresProgram(name) => fs::read_dir("/usr/lib/postgresql")
                .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin").join(name).exists())),
            Self::PythonModule(name) => succeeds(Command::new("/usr/bin/python3").args(["-c", &format!("import {name}")])),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Program(name) | Self::PostgresProgram(name) | Self::PythonModule(name) => name,
        }
    }
}

/// Installs what the tests lack, or says what would have to be installed by hand.
pub(crate) fn install_missing() -> Result<()> {
    install(NEEDS)
}

/// As [`install_missing`], for the benches.
pub(crate) fn install_missing_for_benches() -> Result<()> {
    install(BENCH_NEEDS)
}

fn install(needs: &[(Probe, &str)]) -> Result<()> {
    let missing: Vec<&str> = needs.iter().filter(|(probe, _)| !probe.finds()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    let list = missing.join(" ");
    if !on_path("apt-get") {
        bail!("this needs what Debian has in the packages `{list}`, and this is not Debian: install their like and run this again");
    }
    if !is_root() {
        bail!("this needs more packages, and only root can install them: sudo apt-get install --no-install-recommends {list}");
    }
    run(apt_get().args(["update", "--quiet"]))?;
    run(apt_get().args(["install", "--yes", "--quiet", "--no-install-recommends", "--option=Dpkg::Use-Pty=0"]).args(&missing))?;
    match needs.iter().find(|(probe, _)| !probe.finds()) {
        Some((probe, package)) => bail!("package `{package}` is installed, yet `{}` is not found", probe.name()),
        None => Ok(()),
    }
}

fn apt_get() -> Command {
    let mut apt_get = command("apt-get");
    // Run level 1 keeps Debian's scripts from starting the services: the tests start their own.
    apt_get.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt_get
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    // `/proc/self` belongs to whoever we run as.
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
